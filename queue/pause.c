/* Queues that nothing is taken from for now, because somebody paused them in Redis or the
 * worker holds them. They stay in the reserve, so that what is due in them is promoted,
 * but without their name, which tells the script to take nothing; and they leave the
 * BRPOP. Knows nothing of who paused what for which reason.
 */
#include "base/log.h"
#include "queue/internal.h"
#include "queue/reply.h"

bool pause_is_on(const struct pool_queue *queue)
{
    return queue->paused || queue->held;
}

const char *pause_name(const struct pool_queue *queue)
{
    return pause_is_on(queue) ? "" : queue->name;
}

/* A wait that is under way was spelled before the change. */
static void look_anew(struct queue *queue)
{
    if (queue->waiting)
        wait_nudge(queue);
    queue->look = true;
    queue_pump_soon(queue);
}

static void change(struct queue *queue, unsigned index, bool *flag, bool on,
                   const char *by)
{
    struct pool_queue *which = &queue->queues[index];

    if (*flag == on)
        return;
    *flag = on;
    log_info(on ? "queue.paused" : "queue.resumed", log_str("queue", which->name),
             log_str("by", by));
    look_anew(queue);
}

void pause_took(struct queue *queue, const redisReply *places)
{
    for (unsigned i = 0; i < queue->queue_ct; i++)
        change(queue, i, &queue->queues[i].paused, reply_has_place(places, i + 1),
               "redis");
}

void queue_hold(struct queue *queue, unsigned index, bool held, const char *by)
{
    MUST(index < queue->queue_ct);
    change(queue, index, &queue->queues[index].held, held, by);
}
