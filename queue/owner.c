/* The worker's identity in Redis: its tag, the gate that lets the tag reserve, the
 * heartbeat that shows it alive, and the two ways to end, drain and leave.
 */
#include "queue/internal.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "queue/reply.h"

enum { TAG_LAST = (1 << 20) - 1 };

/* ---- tag ---- */

struct opening {
    struct queue *queue;
    void (*opened)(struct queue *queue);
};

static void tell_newer_layout(struct queue *queue, const redisReply *reply)
{
    struct err err;

    (void)err_set(
        &err, ERR_CONFIG,
        "Redis was laid out by a newer drover (layout %.16s, this one knows %d)",
        reply->elements == 2 && reply->element[1]->str ? reply->element[1]->str : "?",
        LAYOUT_VERSION);
    queue->fatal = true;
    queue->events.on_fatal(queue->options.arg, QUEUE_LAYOUT_NEWER, &err);
}

static void took_open(void *arg, const redisReply *reply)
{
    struct opening opening = *(struct opening *)arg;
    struct queue *queue = opening.queue;
    struct err why;
    long long tag;

    free(arg);
    if (!link_took(queue, "open", reply))
        return;
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements < 1 ||
        reply->element[0]->type != REDIS_REPLY_INTEGER ||
        reply->element[0]->integer < 0 || reply->element[0]->integer > TAG_LAST) {
        (void)err_set(&why, ERR_REPLY, "open: unexpected reply");
        link_lost(queue, &why);
        return;
    }
    tag = reply->element[0]->integer;
    if (tag == 0) {
        tell_newer_layout(queue, reply);
        return;
    }
    queue->tag = (uint32_t)tag;
    atomic_store(&queue->board->tag,
                 queue->tag); /* before anything is reserved under it */
    log_debug("queue.tag", log_int("tag", tag));
    owner_start_beat(queue);
    opening.opened(queue);
}

static void add_queue_names(struct call *call, const struct queue *queue)
{
    struct buf names;

    buf_init(&names, 0);
    for (unsigned i = 0; i < queue->queue_ct; i++)
        (void)buf_addf(&names, "%s%s", i ? "\n" : "", queue->queues[i].name);
    call_add(call, buf_slice(&names));
    buf_free(&names);
}

void owner_open(struct queue *queue, void (*opened)(struct queue *queue))
{
    struct call *call = call_create("open", 6);
    struct opening *opening = must_alloc(sizeof(*opening));

    opening->queue = queue;
    opening->opened = opened;
    call_add_text(call, queue->own.failed);
    call_add_text(call, queue->own.version);
    call_add_text(call, queue->own.tag);
    call_add_text(call, queue->own.open);
    call_add_text(call, queue->own.beats);
    call_add_text(call, queue->own.owners);
    call_add_int(call, LAYOUT_VERSION);
    add_queue_names(call, queue);
    call_send(call, queue->main, queue->pace.answer_ms, took_open, opening);
}

/* ---- heartbeat ---- */

static void took_dead(struct queue *queue, uint32_t tag, bool taken);

static void take_back_dead(struct queue *queue)
{
    struct take_back_options options = {.note = "worker or host lost", .done = took_dead};
    const struct peer *peer;

    if (queue->link != LINK_READY || queue->take_back || queue->drain != DRAIN_NONE)
        return;
    peer = peers_dead(&queue->peers, queue->pace.dead_after_ms);
    if (peer == NULL)
        return;
    options.tag = peer->tag;
    options.judged = true;
    options.beat = peer->beat;
    take_back_start(queue, &options);
}

/* A host takes many tags with it: the next one's jobs do not wait for a heartbeat. One
 * that was not taken beats, or is being taken by another: it is watched anew. */
static void took_dead(struct queue *queue, uint32_t tag, bool taken UNUSED)
{
    peers_forget(&queue->peers, tag);
    take_back_dead(queue);
}

static void read_beats(struct queue *queue, const redisReply *list)
{
    int64_t passed_ms;

    peers_begin(&queue->peers, clock_mono_ms(), queue->pace.beat_ms * 3 / 2, &passed_ms);
    for (size_t i = 0; i + 1 < list->elements; i += 2) {
        const redisReply *tag = list->element[i], *beat = list->element[i + 1];
        unsigned long number;

        if (tag->type != REDIS_REPLY_STRING || beat->type != REDIS_REPLY_STRING)
            continue;
        number = strtoul(tag->str, NULL, 10);
        if (number == 0 || number > TAG_LAST || number == queue->tag)
            continue;
        peers_note(&queue->peers, (uint32_t)number, strtoll(beat->str, NULL, 10),
                   passed_ms, random_below((uint32_t)queue->pace.dead_jitter_ms + 1));
    }
    peers_end(&queue->peers);
}

struct check {
    struct queue *queue;
    void (*checked)(struct queue *queue, bool open); /* NULL: a heartbeat */
};

static void took_beat(void *arg, const redisReply *reply)
{
    struct check check = *(struct check *)arg;
    struct queue *queue = check.queue;
    struct err why;
    bool open;

    free(arg);
    queue->beating = false;
    if (!link_took(queue, "beat", reply))
        return;
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 4 ||
        reply->element[1]->type != REDIS_REPLY_ARRAY ||
        reply->element[2]->type != REDIS_REPLY_INTEGER ||
        !reply_is_places(reply->element[3])) {
        (void)err_set(&why, ERR_REPLY, "beat: unexpected reply");
        link_lost(queue, &why);
        return;
    }
    open = reply->element[0]->integer == 1;
    read_beats(queue, reply->element[1]);
    outbox_counted(queue, reply->element[2]->integer);
    pause_took(queue, reply->element[3]);
    if (check.checked)
        check.checked(queue, open);
    else if (!open && queue->drain == DRAIN_NONE)
        resume_owner(queue);
    else if (!resume_adopted(queue))
        take_back_dead(queue);
}

void owner_check(struct queue *queue, void (*checked)(struct queue *queue, bool open))
{
    struct call *call = call_create("beat", 5);
    struct check *check = must_alloc(sizeof(*check));

    check->queue = queue;
    check->checked = checked;
    call_add_text(call, queue->own.failed);
    call_add_text(call, queue->own.open);
    call_add_text(call, queue->own.beats);
    call_add_text(call, queue->own.outbox);
    call_add_text(call, queue->own.paused);
    call_add_int(call, queue->tag);
    for (unsigned i = 0; i < queue->queue_ct; i++)
        call_add_text(call, queue->queues[i].name);
    call_send(call, queue->main, queue->pace.answer_ms, took_beat, check);
}

void owner_beat(void *arg)
{
    struct queue *queue = arg;

    timer_set(&queue->beat, queue->pace.beat_ms);
    if (!link_may_send(queue) || queue->tag == 0 || queue->beating)
        return;
    queue->beating = true;
    owner_check(queue, NULL);
}

void owner_start_beat(struct queue *queue)
{
    if (!timer_is_set(&queue->beat) && !queue->leaving)
        timer_set(&queue->beat, queue->pace.beat_ms);
}

/* ---- drain ---- */

static void send_word(struct queue *queue, const char *verb, const char *key,
                      conn_reply_cb cb)
{
    char *tag = must_format("%u", queue->tag);
    struct slice words[] = {slice_text(verb), slice_text(key), slice_text(tag)};

    conn_command(queue->main, words, ARRAY_CT(words), queue->pace.answer_ms, cb, queue);
    free(tag);
}

void owner_shut_gate(struct queue *queue)
{
    if (queue->tag)
        send_word(queue, "SREM", queue->own.open, NULL);
}

/* Both connections have answered what was sent before the gate was shut. */
static void finish_drain(struct queue *queue)
{
    if (queue->drain != DRAIN_ASKED || queue->reserves_open || queue->waiting ||
        queue->drain_open || queue->arriving)
        return;
    queue->drain = DRAIN_DONE;
    queue->events.on_drained(queue->options.arg);
}

static void took_shut(void *arg, const redisReply *reply)
{
    struct queue *queue = arg;

    if (!link_took(queue, "drain", reply))
        return;
    queue->drain_open--;
    owner_drain(queue);
}

void owner_drain(struct queue *queue)
{
    if (queue->drain != DRAIN_ASKED)
        return;
    if (!link_may_send(queue)) {
        queue->drain_open = 0;
    } else if (queue->gate_sent == false && queue->tag) {
        queue->gate_sent = true;
        queue->drain_open = 1;
        send_word(queue, "SREM", queue->own.open, took_shut);
    }
    if (queue->waiting)
        wait_nudge(queue);
    finish_drain(queue);
}

/* ---- leave ---- */

static void say_left(void *arg)
{
    struct queue *queue = arg;
    void (*left)(void *arg) = queue->left;

    timer_stop(&queue->leave);
    queue->left = NULL;
    if (left)
        left(queue->left_arg);
}

static void took_leave(void *arg, const redisReply *reply)
{
    if (reply)
        say_left(arg);
}

void owner_leave(struct queue *queue)
{
    if (!queue->leaving || queue->left == NULL || queue->link != LINK_READY ||
        queue->leave_sent)
        return;
    queue->leave_sent = true;
    timer_stop(&queue->beat);
    if (queue->tag == 0) {
        timer_set(&queue->leave, 0);
        return;
    }
    send_word(queue, "SREM", queue->own.open, NULL);
    send_word(queue, "HDEL", queue->own.owners, NULL);
    send_word(queue, "HDEL", queue->own.beats, took_leave);
}

void queue_leave(struct queue *queue, int64_t within_ms, void (*done)(void *arg),
                 void *arg)
{
    MUST(!queue->leaving);
    queue->leaving = true;
    queue->left = done;
    queue->left_arg = arg;
    timer_init(&queue->leave, queue->loop, say_left, queue);
    timer_set(&queue->leave, within_ms);
    queue_pump_soon(queue);
}

void owner_link_lost(struct queue *queue)
{
    queue->beating = false;
    queue->gate_sent = false;
    queue->leave_sent = false;
    queue->drain_open = 0;
    queue_pump_soon(queue); /* a drain ends with the link, too */
}
