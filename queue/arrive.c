/* From reserved to handed over.
 *
 * A lease that arrives is in the table at once, as LEASE_ARRIVED. It is handed over when
 * its crashes are known; or, where its bytes are those of a job whose end is not clear
 * yet, when that is. What arrives while the queue drains, or beyond what the worker wants
 * by now, goes back to the head of its queue, last to first: so only once nothing more is
 * on its way.
 */
#include "queue/internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/compat.h"
#include "base/log.h"
#include "queue/crash.h"

/* Not part of a batch: */
static const uint64_t batch_held = 0;              /* waits for something */
static const uint64_t batch_unwanted = UINT64_MAX; /* goes back */

static void add_arrived(struct queue *queue, struct lease *lease, uint64_t batch)
{
    lease->priv->state = LEASE_ARRIVED;
    lease->priv->batch = batch;
    leases_add(&queue->leases, lease);
    queue->arriving++;
    extend_keep_going(queue);
}

/* Out of the table and forgotten; in Redis it is somebody else's, or nobody's. */
void arrive_drop(struct queue *queue, struct lease *lease)
{
    MUST(lease->priv->state == LEASE_ARRIVED);
    if (lease->priv->blocker)
        *lease->priv->blocker = NULL;
    leases_remove(&queue->leases, lease);
    queue->arriving--;
    lease_free(lease);
    queue_pump_soon(queue);
}

void arrive_link_lost(struct queue *queue)
{
    struct lease_private *priv, *next;

    TAILQ_FOREACH_SAFE(priv, &queue->leases.list, all, next)
    if (priv->state == LEASE_ARRIVED)
        arrive_drop(queue, priv->lease);
    queue->questions = 0;
}

/* The lease waits for what `blocker` points from to let it go. */
static void hold(struct queue *queue, struct lease *lease, struct lease **blocker)
{
    add_arrived(queue, lease, batch_held);
    *blocker = lease;
    lease->priv->blocker = blocker;
}

/* Bytes that are in the table already. */
static void take_again(struct queue *queue, struct lease *known, uint32_t tag,
                       int64_t now_ms)
{
    struct lease_key key;
    struct lease *again;

    if (known->priv->state != LEASE_LOST || known->priv->again) {
        known->tag = tag; /* it ran out and was regained: the same run goes on */
        known->may_be_counted = true;
        log_info("queue.regained", log_str("queue", queue->queues[known->queue].name));
        return;
    }
    key = lease_key_of(known);
    again = lease_create(&key, tag);
    again->reserved_at_ms = now_ms;
    hold(queue, again, &known->priv->again);
}

void arrive_job(struct queue *queue, unsigned index, struct slice bytes, uint32_t tag,
                int64_t now_ms)
{
    struct lease_key key = leases_key(&queue->leases, index, bytes);
    struct lease *lease = leases_find(&queue->leases, &key);
    struct settle *settle;

    if (lease) {
        take_again(queue, lease, tag, now_ms);
        return;
    }
    lease = lease_create(&key, tag);
    lease->reserved_at_ms = now_ms;
    settle = settle_find(queue, &key);
    if (settle && settle->in_flight) {
        /* It may have settled this lease or the one before: Redis is asked after it. */
        hold(queue, lease, &settle->again);
        return;
    }
    if (settle)
        settle_forget(queue, settle);
    add_arrived(queue, lease, queue->batch);
}

/* ---- handing over ---- */

/* In order; the array is the caller's. Looked for from the end, where they are as a rule,
 * and no further than there are any: the worker may hold thousands. */
static size_t collect(struct queue *queue, uint64_t batch, struct lease ***list)
{
    size_t at = queue->arriving;
    struct lease_private *priv = TAILQ_LAST(&queue->leases.list, lease_list);

    *list = must_alloc((queue->arriving + 1) * sizeof(**list));
    for (size_t left = at; left > 0 && priv; priv = TAILQ_PREV(priv, lease_list, all)) {
        if (priv->state != LEASE_ARRIVED)
            continue;
        left--;
        if (priv->batch == batch)
            (*list)[--at] = priv->lease;
    }
    memmove(*list, *list + at, (queue->arriving - at) * sizeof(**list));
    return queue->arriving - at;
}

static void hand_over(struct queue *queue, uint64_t batch)
{
    struct lease **list;
    size_t ct = collect(queue, batch, &list);
    size_t wanted = queue->drain != DRAIN_NONE ? 0 : ct < queue->want ? ct : queue->want;

    queue->arriving -= (unsigned)wanted;
    for (size_t i = 0; i < wanted; i++)
        list[i]->priv->state = LEASE_OUT;
    for (size_t i = wanted; i < ct; i++)
        list[i]->priv->batch = batch_unwanted;
    queue->want -= (unsigned)wanted;
    if (wanted)
        queue->events.on_jobs(queue->options.arg, list, wanted);
    free(list);
}

void arrive_return(struct queue *queue)
{
    struct lease **list;
    size_t ct;

    if (queue->arriving == 0 || queue->reserves_open > 0 || queue->questions > 0)
        return;
    for (ct = collect(queue, batch_unwanted, &list); ct > 0; ct--) {
        queue->arriving--;
        list[ct - 1]->priv->state = LEASE_OUT;
        settle_give_back(queue, list[ct - 1]);
    }
    free(list);
}

struct asking {
    struct queue *queue;
    uint64_t batch;
};

static void set_crashes(struct lease *lease, const redisReply *found)
{
    struct slice note;

    if (found->type != REDIS_REPLY_STRING)
        return;
    lease->crashes = crash_parse(slice_of(found->str, found->len), &note);
    lease->was_alone = crash_take_alone(&note);
    if (note.ptr)
        lease->crash_note = slice_dup(note);
}

static void took_crashes(void *arg, const redisReply *reply)
{
    struct asking asking = *(struct asking *)arg;
    struct queue *queue = asking.queue;
    struct lease **list;
    size_t ct;

    free(arg);
    if (!link_took_or_nil(queue, "crashes", reply))
        return;
    queue->questions--;
    ct = collect(queue, asking.batch, &list);
    for (size_t i = 0; i < ct; i++)
        if (reply->type == REDIS_REPLY_ARRAY && list[i]->priv->place < reply->elements)
            set_crashes(list[i], reply->element[list[i]->priv->place]);
    free(list);
    hand_over(queue, asking.batch);
    arrive_return(queue);
    settle_tell(queue);
    queue_pump_soon(queue);
}

/* Of the batch's jobs, if there are any. */
static void ask_crashes(struct queue *queue, uint64_t batch)
{
    struct asking *asking;
    struct lease **list;
    size_t ct = collect(queue, batch, &list);
    struct slice *words;
    char(*keys)[CRASH_KEY_BYTES];

    if (ct == 0) {
        free(list);
        return;
    }
    asking = must_alloc(sizeof(*asking));
    words = must_alloc((ct + 2) * sizeof(*words));
    keys = must_alloc(ct * sizeof(*keys));
    words[0] = slice_text("HMGET");
    words[1] = slice_text(queue->own.crashes);
    for (size_t i = 0; i < ct; i++) {
        list[i]->priv->place = i;
        crash_key(list[i]->bytes, keys[i]);
        words[i + 2] = slice_text(keys[i]);
    }
    asking->queue = queue;
    asking->batch = batch;
    queue->questions++;
    conn_command(queue->main, words, ct + 2, queue->pace.answer_ms, took_crashes, asking);
    free(words);
    free(keys);
    free(list);
}

void arrive_finish(struct queue *queue, uint64_t batch, bool ask)
{
    if (ask && queue->drain == DRAIN_NONE)
        ask_crashes(queue, batch);
    else
        hand_over(queue, batch);
}

/* ---- what was held ---- */

void arrive_held(struct queue *queue, struct lease *lease)
{
    if (lease->priv->blocker)
        *lease->priv->blocker = NULL;
    lease->priv->blocker = NULL;
    lease->priv->batch = ++queue->batch;
    if (link_may_send(queue))
        ask_crashes(queue, queue->batch);
    else
        arrive_drop(queue, lease);
}
