/* From a greeted connection to a queue that may reserve again.
 *
 * In this order, each step after the answer to the one before: end our old connections,
 * so that nothing sent earlier is executed later; give back what our tag holds and we do
 * not know (a reserve whose answer was lost); send the verdicts that are due; see whether
 * the gate is still open, else take a new tag; extend what we hold, which tells what is
 * no longer ours; give back what earlier workers of the slot held. If the link goes
 * meanwhile, all begins anew.
 */
#include "queue/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

/* ---- earlier workers of the slot ---- */

static void next_orphan(struct queue *queue);

static void clear_orphan(struct queue *queue, uint32_t tag)
{
    for (size_t i = 0; i < BOARD_ORPHANS; i++)
        if (atomic_load(&queue->board->orphans[i].tag) == tag)
            atomic_store(&queue->board->orphans[i].tag, 0);
}

static struct board_orphan *find_orphan(struct queue *queue)
{
    clear_orphan(queue,
                 queue->tag); /* its number was given anew: nothing is left of it */
    for (size_t i = 0; i < BOARD_ORPHANS; i++)
        if (atomic_load(&queue->board->orphans[i].tag) != 0)
            return &queue->board->orphans[i];
    return NULL;
}

/* False: there is none, or a walk is under way already. */
static bool take_back_orphan(struct queue *queue,
                             void (*done)(struct queue *queue, uint32_t tag, bool taken))
{
    const struct board_orphan *orphan = find_orphan(queue);
    struct take_back_options options = {.done = done};
    char note[BOARD_NOTE_BYTES];

    if (orphan == NULL || queue->take_back)
        return false;
    board_text(orphan->note, sizeof(orphan->note), note, sizeof(note));
    options.tag = atomic_load(&orphan->tag);
    options.note = note[0] ? note : "worker lost";
    take_back_start(queue, &options);
    return true;
}

static void took_orphan(struct queue *queue, uint32_t tag, bool taken UNUSED)
{
    clear_orphan(queue, tag);
    next_orphan(queue);
}

static void next_orphan(struct queue *queue)
{
    if (!take_back_orphan(queue, took_orphan))
        link_ready(queue);
}

static void took_adopted(struct queue *queue, uint32_t tag, bool taken UNUSED)
{
    clear_orphan(queue, tag);
    (void)resume_adopted(queue);
}

bool resume_adopted(struct queue *queue)
{
    return queue->link == LINK_READY && queue->drain == DRAIN_NONE &&
           take_back_orphan(queue, took_adopted);
}

/* ---- the tag ---- */

static void extend_held(struct queue *queue)
{
    extend_all(queue, next_orphan);
}

static void took_check(struct queue *queue, bool open)
{
    if (open || queue->drain != DRAIN_NONE) {
        extend_held(queue);
        return;
    }
    log_warning("queue.gate_shut", log_int("tag", queue->tag),
                log_int("leases", (int64_t)queue->leases.ct));
    owner_open(queue, extend_held);
}

void resume_owner(struct queue *queue)
{
    if (queue->link != LINK_READY)
        return;
    queue->link = LINK_RESUMING;
    owner_check(queue, took_check);
}

/* What is paused is known before anything is reserved. */
static void look_first(struct queue *queue)
{
    owner_check(queue, took_check);
}

static void took_own(struct queue *queue, uint32_t tag UNUSED, bool taken UNUSED)
{
    settle_send_all(queue, false);
    owner_check(queue, took_check);
}

static void list_own(struct queue *queue)
{
    struct take_back_options options = {.tag = queue->tag, .done = took_own};

    if (queue->drain != DRAIN_NONE)
        owner_shut_gate(queue);
    if (queue->tag)
        take_back_start(queue, &options);
    else if (queue->drain != DRAIN_NONE)
        link_ready(queue);
    else
        owner_open(queue, look_first);
}

/* ---- old connections ---- */

/* One line of CLIENT LIST: "id=7 addr=... name=drover:main/0f3a ...". Ids start anew with
 * the server: only what carries our own name is ours. */
static bool is_ours(const struct queue *queue, const char *line, size_t len)
{
    char *text = must_strndup(line, len);
    char *name = strstr(text, " name=");
    bool ours =
        name && strncmp(name + strlen(" name="), queue->name, strlen(queue->name)) == 0;

    free(text);
    return ours;
}

static void end_next(struct queue *queue);

/* False: it was no word about a connection (BUSY, LOADING): the link has ended, and the
 * next one asks again. Who may not ask does without the answer. */
static bool took_word(struct queue *queue, const char *verb, const redisReply *reply)
{
    if (reply == NULL || !inspect_is_refusal(reply))
        return link_took_or_nil(queue, verb, reply);
    inspect_refused(queue, RIGHT_CLIENT);
    return true;
}

/* An error: it has gone by itself. */
static void took_kill(void *arg, const redisReply *reply)
{
    struct queue *queue = arg;

    if (!took_word(queue, "client kill", reply))
        return;
    queue->old_ids[queue->old_ids[0] ? 0 : 1] = 0;
    end_next(queue);
}

/* Only what is known to have ended is forgotten: where this link breaks, too, the next
 * one has to end the same. */
static void end_next(struct queue *queue)
{
    int64_t id = queue->old_ids[0] ? queue->old_ids[0] : queue->old_ids[1];
    char text[24];
    struct slice words[] = {slice_text("CLIENT"), slice_text("KILL"), slice_text("ID"),
                            slice_of(text, 0)};

    if (id == 0) {
        list_own(queue);
        return;
    }
    words[3].len = (size_t)snprintf(text, sizeof(text), "%lld", (long long)id);
    conn_command(queue->main, words, ARRAY_CT(words), queue->pace.answer_ms, took_kill,
                 queue);
}

static void forget_unless_in(struct queue *queue, const bool *there)
{
    for (size_t i = 0; i < ARRAY_CT(queue->old_ids); i++)
        if (!there[i])
            queue->old_ids[i] = 0;
}

static void took_list(void *arg, const redisReply *reply)
{
    struct queue *queue = arg;
    const char *line, *end;
    bool there[2] = {false, false};
    int64_t id;

    if (!took_word(queue, "client list", reply))
        return;
    for (line = reply->type == REDIS_REPLY_STRING ? reply->str : ""; *line; line = end) {
        end = line + strcspn(line, "\n");
        id = strncmp(line, "id=", 3) == 0 ? strtoll(line + 3, NULL, 10) : 0;
        for (size_t i = 0; i < ARRAY_CT(there); i++)
            if (id && id == queue->old_ids[i] && id != conn_id(queue->main) &&
                is_ours(queue, line, (size_t)(end - line)))
                there[i] = true;
        end += *end == '\n';
    }
    forget_unless_in(queue, there);
    end_next(queue);
}

void resume_start(struct queue *queue)
{
    struct slice words[5] = {slice_text("CLIENT"), slice_text("LIST"), slice_text("ID")};
    size_t ct = 3;
    char text[2][24];

    for (size_t i = 0; i < ARRAY_CT(queue->old_ids); i++) {
        if (queue->old_ids[i] == 0)
            continue;
        (void)snprintf(text[i], sizeof(text[i]), "%lld", (long long)queue->old_ids[i]);
        words[ct++] = slice_text(text[i]);
    }
    if (ct == 3)
        list_own(queue);
    else
        conn_command(queue->main, words, ct, queue->pace.answer_ms, took_list, queue);
}
