/* Keeping leases: every third of their length, one call per queue for all of them.
 *
 * The answer also tells which are no longer ours. A lease that nobody has seen yet is
 * then dropped; one that is out is reported with on_lost(). After a change of tag the
 * extension moves the leases to the new one.
 */
#include "queue/internal.h"

#include <stdlib.h>

#include "base/compat.h"
#include "base/log.h"
#include "queue/reply.h"

struct extension {
    struct queue *queue;
    uint64_t id;
    uint32_t tag;
};

/* on_lost() may forget any lease: each is looked for anew. */
static void tell_lost(struct queue *queue)
{
    struct lease_private *priv;

again:
    TAILQ_FOREACH(priv, &queue->leases.list, all)
    {
        if (priv->state == LEASE_LOST && !priv->told) {
            priv->told = true;
            queue->events.on_lost(queue->options.arg, priv->lease);
            goto again;
        }
    }
}

static void lose(struct queue *queue, struct lease *lease)
{
    atomic_fetch_add(&queue->board->lost, 1);
    if (lease->priv->state != LEASE_ARRIVED) {
        lease->priv->state = LEASE_LOST; /* the worker logs it: it knows the job */
        return;
    }
    log_warning("queue.lost", log_str("queue", queue->queues[lease->queue].name),
                log_str("at", "extend"));
    arrive_drop(queue, lease);
}

static void take_places(const struct extension *extension, const redisReply *lost)
{
    struct queue *queue = extension->queue;
    struct lease_private *priv, *next;

    TAILQ_FOREACH_SAFE(priv, &queue->leases.list, all, next)
    {
        if (priv->extend_id != extension->id || priv->state == LEASE_LOST)
            continue;
        if (reply_has_place(lost, priv->extend_place)) {
            lose(queue, priv->lease);
            continue;
        }
        priv->lease->tag = extension->tag;
        if (priv->recheck) {
            priv->recheck = false;
            arrive_held(queue, priv->lease);
        }
    }
}

/* The leases of verdicts that are held. One that is lost is found out by its verdict. */
static void take_held_places(const struct extension *extension, const redisReply *lost)
{
    struct settle *settle;

    TAILQ_FOREACH(settle, &extension->queue->settles, next)
    {
        if (settle->held && settle->lease->priv->extend_id == extension->id &&
            !reply_has_place(lost, settle->lease->priv->extend_place))
            settle->lease->tag = extension->tag;
    }
}

static void took_extend(void *arg, const redisReply *reply)
{
    struct extension extension = *(struct extension *)arg;
    struct queue *queue = extension.queue;
    void (*extended)(struct queue * queue);

    free(arg);
    if (!link_took(queue, "extend", reply))
        return;
    queue->extends_open--;
    if (reply_is_places(reply)) {
        take_held_places(&extension, reply);
        take_places(&extension, reply);
    }
    tell_lost(queue);
    if (queue->extends_open == 0 && queue->extended) {
        extended = queue->extended;
        queue->extended = NULL;
        extended(queue);
    }
}

static void add_lease(struct call *call, struct lease *lease, uint64_t id, size_t place)
{
    lease->priv->extend_id = id;
    lease->priv->extend_place = place;
    call_add_int(call, lease->tag);
    call_add(call, lease->bytes);
}

static size_t add_leases(struct call *call, struct queue *queue, unsigned index,
                         uint64_t id)
{
    struct lease_private *priv;
    struct settle *settle;
    size_t place = 0;

    TAILQ_FOREACH(priv, &queue->leases.list, all)
    if (priv->lease->queue == index && priv->state != LEASE_LOST)
        add_lease(call, priv->lease, id, ++place);
    TAILQ_FOREACH(settle, &queue->settles, next)
    if (settle->held && settle->lease->queue == index)
        add_lease(call, settle->lease, id, ++place);
    return place;
}

static void extend_queue(struct queue *queue, unsigned index)
{
    struct extension *extension = must_alloc(sizeof(*extension));
    struct call *call = call_create("extend", 2);

    *extension =
        (struct extension){.queue = queue, .id = ++queue->extend_id, .tag = queue->tag};
    call_add_text(call, queue->own.failed);
    call_add_text(call, queue->queues[index].keys.reserved);
    call_add_int(call, queue->tag);
    call_add_seconds(call, queue->options.pool->lease_ms);
    if (add_leases(call, queue, index, extension->id) == 0) {
        call_free(call);
        free(extension);
        return;
    }
    queue->extends_open++;
    call_send(call, queue->main, queue->pace.answer_ms, took_extend, extension);
}

static bool has_leases(const struct queue *queue)
{
    return queue->leases.ct > 0 || queue->held_ct > 0;
}

void extend_all(struct queue *queue, void (*done)(struct queue *queue))
{
    for (unsigned i = 0; i < queue->queue_ct && has_leases(queue); i++)
        extend_queue(queue, i);
    if (queue->extends_open == 0 && done)
        done(queue);
    else if (done)
        queue->extended = done;
}

void extend_link_lost(struct queue *queue)
{
    queue->extends_open = 0;
    queue->extended = NULL;
}

void extend_keep_going(struct queue *queue)
{
    if (has_leases(queue) && !timer_is_set(&queue->extend))
        timer_set(&queue->extend, queue->options.pool->lease_ms / 3);
}

void extend_tick(void *arg)
{
    struct queue *queue = arg;

    extend_keep_going(queue);
    if (link_may_send(queue) && queue->extends_open == 0)
        extend_all(queue, NULL);
}
