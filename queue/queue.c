/* A worker's queue: made, wanted from, drained, ended; and the pump, which decides at the
 * end of a loop's turn what is sent.
 */
#include "queue/internal.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/random.h"

enum {
    BEAT_MS = 1000,
    DEAD_AFTER_MS = 10000,
    DEAD_JITTER_MS = 2000,
    CONNECT_MS = 5000,
    ANSWER_MAX_MS = 10000,
    RETRY_MIN_MS = 50,
    RETRY_MAX_MS = 750, /* with the jitter: work goes on 1 s after Redis answers */
    STABLE_MS = 2000,
    QUIET_START_MS = 2000,
    AUTH_REMIND_MS = 60000,
    NEWS_MS = 1000,
    INSPECT_MS = 60000,
    HOLD_MS = 2000,
    BRPOP_EARLY_MS = 100
};

/* A script call has a price of its own: not for less than CHUNK_MIN. Above CHUNK_MAX that
 * does not show any more, and the worker waits for what it could begin with. */
enum { RESERVES_MAX = 2, CHUNK_MIN = 16, CHUNK_MAX = 128 };

static struct queue_pace usual_pace(int64_t lease_ms)
{
    return (struct queue_pace){
        .beat_ms = BEAT_MS,
        .dead_after_ms = DEAD_AFTER_MS,
        .dead_jitter_ms = DEAD_JITTER_MS,
        .connect_ms = CONNECT_MS,
        .answer_ms = lease_ms / 3 < ANSWER_MAX_MS ? lease_ms / 3 : ANSWER_MAX_MS,
        .retry_min_ms = RETRY_MIN_MS,
        .retry_max_ms = RETRY_MAX_MS,
        .stable_ms = STABLE_MS,
        .quiet_start_ms = QUIET_START_MS,
        .auth_remind_ms = AUTH_REMIND_MS,
        .news_ms = NEWS_MS,
        .inspect_ms = INSPECT_MS,
        .hold_ms = HOLD_MS,
        .brpop_early_ms = BRPOP_EARLY_MS,
    };
}

/* ---- the pump ---- */

bool queue_is_quiet(const struct queue *queue)
{
    return queue_idle(queue) && queue->reserves_open == 0 && !queue->waiting &&
           queue->arriving == 0;
}

static void tell_quiet(struct queue *queue)
{
    if (!queue->hushing || !queue_is_quiet(queue))
        return;
    queue->hushing = false;
    queue->events.on_quiet(queue->options.arg);
}

unsigned queue_free_slots(const struct queue *queue)
{
    unsigned taken = queue->arriving + queue->asked;
    unsigned free_ct = queue->want > taken ? queue->want - taken : 0;

    return free_ct < queue->chunk ? free_ct : queue->chunk;
}

static bool may_reserve(const struct queue *queue)
{
    return queue->drain == DRAIN_NONE && !queue->leaving && !queue->waiting &&
           queue_free_slots(queue) > 0 && !settle_holds_too_much(queue);
}

/* One at a time, unless more is ready than that one asks for: then a second is on its way
 * while the worker runs what the first has brought, so that Redis and worker work at the
 * same time. Not for a few slots: better one call for more of them, soon. */
static bool should_reserve(const struct queue *queue)
{
    if (!may_reserve(queue))
        return false;
    if (queue->reserves_open == 0)
        return queue->look;
    return queue->reserves_open < RESERVES_MAX && queue->backlog > queue->asked &&
           queue_free_slots(queue) > queue->chunk / 2;
}

/* Where the loop leaves some of what is ready to its next turns, jobs are about to end,
 * and their acks and slots come along. */
static bool is_worth_a_turn(struct queue *queue)
{
    if (queue_free_slots(queue) >= queue->enough || !loop_has_rest(queue->loop) ||
        queue->waited_turns == WAIT_TURNS_MAX)
        return false;
    queue->waited_turns++;
    return true;
}

static void reserve_some(struct queue *queue)
{
    queue->waited_turns = 0;
    while (should_reserve(queue))
        reserve_send(queue, queue->main, queue_free_slots(queue), queue->pace.answer_ms);
    if (queue->reserves_open == 0 && may_reserve(queue))
        wait_start(queue);
}

static void pump(void *arg)
{
    struct queue *queue = arg;
    bool reserves;

    owner_drain(queue);
    if (queue->fatal || queue->link != LINK_READY)
        return;
    /* Acks ride; where a reserve is under way, with the one after it. */
    reserves = should_reserve(queue);
    settle_send_all(queue, reserves || queue->reserves_open > 0);
    if (reserves && is_worth_a_turn(queue))
        queue_pump_soon(queue);
    else
        reserve_some(queue);
    if (queue_idle(queue))
        owner_leave(queue);
    tell_quiet(queue);
}

void queue_pump_soon(struct queue *queue)
{
    if (!timer_is_set(&queue->pump))
        timer_set(&queue->pump, 0);
}

void queue_want(struct queue *queue, unsigned free_slots)
{
    if (free_slots > queue->want && !queue->waiting)
        queue->look = true;
    queue->want = free_slots;
    queue_pump_soon(queue);
}

void queue_hush(struct queue *queue)
{
    if (!queue->hushing && queue->waiting)
        wait_nudge(queue);
    queue->hushing = true;
    queue_pump_soon(queue);
}

void queue_drain(struct queue *queue)
{
    if (queue->drain != DRAIN_NONE)
        return;
    queue->drain = DRAIN_ASKED;
    settle_let_go(queue);
    queue_pump_soon(queue);
}

/* ---- making and ending ---- */

static void make_queues(struct queue *queue, const char *prefix)
{
    const struct text_list *names = &queue->options.pool->queues;

    queue->queue_ct = (unsigned)names->ct;
    queue->queues = must_alloc(names->ct * sizeof(*queue->queues));
    for (size_t i = 0; i < names->ct; i++) {
        queue->queues[i].name = names->items[i];
        queue_keys_init(&queue->queues[i].keys, prefix, names->items[i]);
    }
}

/* Half of the slots: while one half is on its way, the other one works. */
static void set_chunk(struct queue *queue, int64_t concurrency)
{
    int64_t half = concurrency / 2;

    queue->enough = half < CHUNK_MAX ? (unsigned)half : CHUNK_MAX;
    queue->chunk = queue->enough > CHUNK_MIN ? queue->enough : CHUNK_MIN;
}

/* CLIENT SETNAME takes neither spaces nor control bytes. */
static void make_name(struct queue *queue)
{
    uint32_t unique;

    random_bytes(&unique, sizeof(unique));
    (void)snprintf(queue->name, sizeof(queue->name), "drover:%.32s/%08x",
                   queue->options.pool->name, unique);
    for (char *c = queue->name; *c; c++)
        if (!isgraph((unsigned char)*c))
            *c = '_';
}

struct queue *queue_create(const struct queue_options *options, struct err *err)
{
    struct queue *queue;

    if (options->pool->queues.ct == 0) {
        (void)err_set(err, ERR_CONFIG, "a pool needs at least one queue");
        return NULL;
    }
    queue = must_alloc(sizeof(*queue));
    queue->options = *options;
    queue->options.prefix = must_strdup(options->prefix);
    queue->events = *options->events;
    queue->pace = usual_pace(options->pool->lease_ms);
    queue->loop = options->loop;
    queue->board = options->board;
    queue->next_due_ms = -1;
    queue->settled_told = true;
    vitals_init(&queue->vitals);
    own_keys_init(&queue->own, options->prefix);
    set_chunk(queue, options->pool->concurrency);
    make_queues(queue, options->prefix);
    make_name(queue);
    leases_init(&queue->leases, (size_t)options->pool->concurrency);
    TAILQ_INIT(&queue->settles);
    timer_init(&queue->beat, queue->loop, owner_beat, queue);
    timer_init(&queue->pump, queue->loop, pump, queue);
    timer_init(&queue->due, queue->loop, wait_due, queue);
    timer_init(&queue->extend, queue->loop, extend_tick, queue);
    timer_init(&queue->held, queue->loop, settle_held_due, queue);
    timer_init(&queue->inspect, queue->loop, inspect_tick, queue);
    link_start(queue);
    return queue;
}

static void free_queues(struct queue *queue)
{
    for (unsigned i = 0; i < queue->queue_ct; i++) {
        queue_keys_free(&queue->queues[i].keys);
        free(queue->queues[i].problem);
    }
    free(queue->queues);
}

void queue_destroy(struct queue *queue)
{
    if (queue == NULL)
        return;
    link_stop(queue); /* what is unanswered hears NULL, and frees what it owns */
    settle_free_all(queue);
    leases_free(&queue->leases);
    peers_free(&queue->peers);
    timer_free(&queue->beat);
    timer_free(&queue->pump);
    timer_free(&queue->due);
    timer_free(&queue->extend);
    timer_free(&queue->leave);
    timer_free(&queue->held);
    timer_free(&queue->inspect);
    free(queue->said);
    own_keys_free(&queue->own);
    free_queues(queue);
    free((char *)(uintptr_t)queue->options.prefix);
    free(queue);
}
