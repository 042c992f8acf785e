/* Giving back what a tag holds, page by page, to the tail of its queues.
 *
 * A dead worker's tag is claimed and its gate shut first, so that nothing more comes
 * under it, and each job counts a crash. For our own tag only what we do not know goes
 * back: a reserve whose answer was lost, which is nobody's crash. Each page is fenced by
 * the tag, so it does no harm if somebody else does the same at the same time. There is
 * always exactly one call unanswered; if its answer is NULL the link is lost and the walk
 * with it.
 */
#include "queue/internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "queue/crash.h"

enum { PAGE_MEMBERS = 100 };

struct take_back {
    struct queue *queue;
    struct take_back_options options;
    char *note;  /* NULL: own */
    char *names; /* queues, each ended by NUL */
    size_t names_len;
    size_t at; /* of the name under way */
    struct queue_keys keys;
    char *cursor;
    int64_t jobs;
};

static void walk_page(struct take_back *walk);

static void free_walk(struct take_back *walk)
{
    walk->queue->take_back = NULL;
    if (walk->keys.ready)
        queue_keys_free(&walk->keys);
    free(walk->note);
    free(walk->names);
    free(walk->cursor);
    free(walk);
}

static void end_walk(struct take_back *walk, bool taken)
{
    struct take_back_options options = walk->options;
    struct queue *queue = walk->queue;

    if (walk->jobs && walk->note)
        log_warning("queue.taken_back", log_int("tag", options.tag),
                    log_int("jobs", walk->jobs), log_str("note", walk->note));
    else if (walk->jobs)
        log_warning("queue.given_back", log_int("tag", options.tag),
                    log_int("jobs", walk->jobs),
                    log_str("note", "reserved, but the answer was lost"));
    free_walk(walk);
    options.done(queue, options.tag, taken);
}

/* False: there is no more to this walk, and it is freed. */
static bool walk_took(struct take_back *walk, const char *verb, const redisReply *reply)
{
    struct queue *queue = walk->queue;

    if (reply && reply->type != REDIS_REPLY_ERROR)
        return true;
    free_walk(walk);
    return link_took(queue, verb, reply);
}

/* ---- the end: nobody needs to look after this tag any more ---- */

static void took_forget(void *arg, const redisReply *reply)
{
    struct take_back *walk = arg;

    /* Where the heartbeats have a wrong type there is nothing to take out. */
    if (reply && reply->type == REDIS_REPLY_ERROR && !link_is_outage(reply->str))
        end_walk(walk, true);
    else if (walk_took(walk, "take_back", reply))
        end_walk(walk, true);
}

static void forget_tag(struct take_back *walk)
{
    struct queue *queue = walk->queue;
    char *tag = must_format("%u", walk->options.tag);
    struct slice owners[] = {slice_text("HDEL"), slice_text(queue->own.owners),
                             slice_text(tag)};
    struct slice beats[] = {slice_text("HDEL"), slice_text(queue->own.beats),
                            slice_text(tag)};

    conn_command(queue->main, owners, 3, queue->pace.answer_ms, NULL, NULL);
    conn_command(queue->main, beats, 3, queue->pace.answer_ms, took_forget, walk);
    free(tag);
}

/* ---- a queue ---- */

static void next_queue(struct take_back *walk)
{
    if (walk->keys.ready) {
        queue_keys_free(&walk->keys);
        walk->keys = (struct queue_keys){.ready = NULL};
        walk->at += strlen(walk->names + walk->at) + 1;
    }
    while (walk->at < walk->names_len && walk->names[walk->at] == '\0')
        walk->at++;
    if (walk->at >= walk->names_len) {
        if (walk->note)
            forget_tag(walk);
        else
            end_walk(walk, true);
        return;
    }
    queue_keys_init(&walk->keys, walk->queue->options.prefix, walk->names + walk->at);
    free(walk->cursor);
    walk->cursor = must_strdup("0");
    walk_page(walk);
}

static void next_page(struct take_back *walk)
{
    if (strcmp(walk->cursor, "0") == 0)
        next_queue(walk);
    else
        walk_page(walk);
}

static void took_page(void *arg, const redisReply *reply)
{
    struct take_back *walk = arg;

    if (reply && reply->type == REDIS_REPLY_ERROR && !link_is_outage(reply->str)) {
        log_error("queue.take_back_failed", log_str("queue", walk->names + walk->at),
                  log_int("tag", walk->options.tag), log_str("reason", reply->str));
        next_queue(walk);
        return;
    }
    if (!walk_took(walk, "give_back", reply))
        return;
    walk->jobs -= reply->type == REDIS_REPLY_ARRAY ? (int64_t)reply->elements : 0;
    next_page(walk);
}

/* What was found to be lost and is there again came in an answer that was lost. */
static bool is_held(const struct queue *queue, const struct lease_key *key)
{
    const struct lease *lease = leases_find(&queue->leases, key);

    return lease && lease->priv->state != LEASE_LOST;
}

/* Own tag: what a running job or a pending verdict stands for stays. No twin of it can be
 * meant: a reserve takes none as it is while the verdict is unanswered. */
static bool is_known(const struct take_back *walk, struct slice bytes)
{
    const struct queue *queue = walk->queue;
    const char *name = walk->names + walk->at;

    for (unsigned i = 0; walk->note == NULL && i < queue->queue_ct; i++) {
        struct lease_key key;

        if (strcmp(queue->queues[i].name, name) != 0)
            continue;
        key = leases_key(&queue->leases, i, bytes);
        if (is_held(queue, &key) || settle_find(queue, &key))
            return true;
    }
    return false;
}

static struct call *start_give_back(struct take_back *walk)
{
    struct queue *queue = walk->queue;
    struct call *call = call_create("give_back", 5);

    call_add_text(call, queue->own.failed);
    call_add_text(call, walk->keys.ready);
    call_add_text(call, walk->keys.reserved);
    call_add_text(call, walk->keys.notify);
    call_add_text(call, queue->own.crashes);
    call_add_int(call, walk->options.tag);
    call_add_text(call, "tail");
    call_add_text(call, walk->note ? walk->note : "");
    return call;
}

static void give_back_page(struct take_back *walk, const redisReply *held)
{
    struct call *call = start_give_back(walk);
    char key[CRASH_KEY_BYTES];
    int64_t ct = 0;

    for (size_t i = 0; i < held->elements; i++) {
        struct slice bytes = slice_of(held->element[i]->str, held->element[i]->len);

        if (held->element[i]->type != REDIS_REPLY_STRING || is_known(walk, bytes))
            continue;
        key[0] = '\0'; /* ours: no death, and nothing of it was started */
        if (walk->note)
            crash_key(bytes, key);
        call_add(call, bytes);
        call_add_text(call, key);
        ct++;
    }
    if (ct == 0) {
        call_free(call);
        next_page(walk);
        return;
    }
    walk->jobs += ct;
    call_send(call, walk->queue->main, walk->queue->pace.answer_ms, took_page, walk);
}

static void took_held(void *arg, const redisReply *reply)
{
    struct take_back *walk = arg;
    struct queue *queue = walk->queue;
    struct err why;

    if (!walk_took(walk, "held", reply))
        return;
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 ||
        reply->element[0]->type != REDIS_REPLY_STRING ||
        reply->element[1]->type != REDIS_REPLY_ARRAY) {
        free_walk(walk);
        (void)err_set(&why, ERR_REPLY, "held: unexpected reply");
        link_lost(queue, &why);
        return;
    }
    free(walk->cursor);
    walk->cursor = must_strdup(reply->element[0]->str);
    give_back_page(walk, reply->element[1]);
}

static void walk_page(struct take_back *walk)
{
    struct call *call = call_create("held", 1);

    call_add_text(call, walk->keys.reserved);
    call_add_int(call, walk->options.tag);
    call_add_text(call, walk->cursor);
    call_add_int(call, PAGE_MEMBERS);
    call_send(call, walk->queue->main, walk->queue->pace.answer_ms, took_held, walk);
}

/* ---- the start ---- */

static void use_names(struct take_back *walk, const char *lines, size_t len)
{
    walk->names = must_strndup(lines, len);
    walk->names_len = len;
    for (size_t i = 0; i < len; i++)
        if (walk->names[i] == '\n')
            walk->names[i] = '\0';
}

/* Where Redis does not know (any more) what the tag may hold: our own queues. */
static void use_own_names(struct take_back *walk)
{
    struct buf names;

    buf_init(&names, 0);
    for (unsigned i = 0; i < walk->queue->queue_ct; i++)
        (void)buf_addf(&names, "%s\n", walk->queue->queues[i].name);
    use_names(walk, names.data, names.len);
    buf_free(&names);
}

static void took_condemn(void *arg, const redisReply *reply)
{
    struct take_back *walk = arg;
    const redisReply *owned;

    if (!walk_took(walk, "condemn", reply))
        return;
    owned = reply->type == REDIS_REPLY_ARRAY && reply->elements == 2 ? reply->element[1]
                                                                     : NULL;
    if (owned && reply->element[0]->integer == 0) {
        end_walk(walk, false);
        return;
    }
    if (owned && owned->type == REDIS_REPLY_STRING && owned->len)
        use_names(walk, owned->str, owned->len);
    else
        use_own_names(walk);
    next_queue(walk);
}

void take_back_start(struct queue *queue, const struct take_back_options *options)
{
    struct take_back *walk = must_alloc(sizeof(*walk));
    struct call *call;

    MUST(queue->take_back == NULL);
    queue->take_back = walk;
    walk->queue = queue;
    walk->options = *options;
    walk->note = must_strdup(options->note);
    if (walk->note == NULL) {
        use_own_names(walk);
        next_queue(walk);
        return;
    }
    call = call_create("condemn", 3);
    call_add_text(call, queue->own.open);
    call_add_text(call, queue->own.owners);
    call_add_text(call, queue->own.beats);
    call_add_int(call, options->tag);
    if (options->judged)
        call_add_int(call, options->beat);
    else
        call_add_text(call, "");
    call_send(call, queue->main, queue->pace.answer_ms, took_condemn, walk);
}
