/* Waiting for work: a BRPOP over the notify lists of all queues, in order, on a
 * connection of its own, with the reserve behind it in the same write; or, while this
 * worker holds a job or a verdict is unanswered, with the reserve on the first connection
 * when the token has come. For between the two connections there is no order, and a
 * reserve must name the verdicts that may be executed before it (reserve.c).
 *
 * A token, not a job, is what is popped: a worker that dies in between loses none. Redis
 * looks at timeouts ten times a second, so what falls due before the next poll is not
 * left to the BRPOP's timeout: a timer ends it with CLIENT UNBLOCK.
 */
#include "queue/internal.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"

enum { NUDGE_AGAIN_MS = 20 };

/* Also where there is nothing wanted any more: it sets the tokens right, of which this
 * wait may have taken one. */
static void reserve_now(struct queue *queue)
{
    unsigned slots = queue->drain == DRAIN_NONE ? queue_free_slots(queue) : 0;

    queue->waiting = false;
    queue_pump_soon(queue);
    if (queue->link != LINK_READY) /* it looks when it is */
        return;
    reserve_send(queue, queue->main, slots, queue->pace.answer_ms);
}

static void took_token(void *arg, const redisReply *reply)
{
    struct queue *queue = arg;

    if (reply == NULL)
        return;
    /* A notify list of a wrong type is an error at once: the reserve behind names it. */
    if (inspect_is_refusal(reply))
        inspect_refused(queue, RIGHT_BRPOP);
    else if (reply->type == REDIS_REPLY_ERROR && link_is_outage(reply->str) &&
             !link_took(queue, "wait", reply))
        return;
    if (!queue->reserve_waits)
        reserve_now(queue);
}

static int64_t brpop_timeout_ms(const struct queue *queue)
{
    int64_t early = queue->pace.brpop_early_ms,
            poll = queue->options.pool->poll_interval_ms;
    int64_t ms = poll > 2 * early ? poll - early : poll / 2;

    if (queue->next_due_ms > 0 && queue->next_due_ms < ms)
        ms = queue->next_due_ms;
    return ms > 0 ? ms : 1; /* 0 would block for ever */
}

/* Whether a token of this queue is to wake us. */
static bool is_watched(const struct pool_queue *queue)
{
    return !queue->bad && !queue->bad_notify && !pause_is_on(queue) &&
           clock_mono_ms() >= queue->yields_until_ms;
}

static void send_brpop(struct queue *queue, int64_t timeout_ms, int64_t within_ms)
{
    struct slice *words = must_alloc((queue->queue_ct + 2) * sizeof(*words));
    char timeout[32];
    size_t ct = 0;

    words[ct++] = slice_text("BRPOP");
    for (unsigned i = 0; i < queue->queue_ct; i++)
        if (is_watched(&queue->queues[i]))
            words[ct++] = slice_text(queue->queues[i].keys.notify);
    (void)snprintf(timeout, sizeof(timeout), "%lld.%03d", (long long)(timeout_ms / 1000),
                   (int)(timeout_ms % 1000));
    words[ct++] = slice_text(timeout);
    conn_command(queue->wait, words, ct, within_ms, took_token, queue);
    free(words);
}

static bool has_watched(const struct queue *queue)
{
    for (unsigned i = 0; i < queue->queue_ct; i++)
        if (is_watched(&queue->queues[i]))
            return true;
    return false;
}

void wait_start(struct queue *queue)
{
    int64_t poll_ms = queue->options.pool->poll_interval_ms;
    int64_t due_ms = queue->next_due_ms > 0 && queue->next_due_ms < poll_ms
                         ? queue->next_due_ms
                         : poll_ms;
    int64_t timeout_ms = brpop_timeout_ms(queue);
    int64_t within_ms = timeout_ms + queue->pace.answer_ms;

    if (!conn_is_up(queue->wait) || !has_watched(queue) ||
        (queue->refused & (1u << RIGHT_BRPOP))) {
        if (!timer_is_set(&queue->due))
            timer_set(&queue->due, due_ms);
        return;
    }
    queue->reserve_waits = queue->leases.ct == 0 && TAILQ_EMPTY(&queue->settles);
    queue->waiting = true;
    send_brpop(queue, timeout_ms, within_ms);
    if (queue->reserve_waits)
        reserve_send(queue, queue->wait, queue_free_slots(queue), within_ms);
    if (due_ms < poll_ms)
        timer_set(&queue->due, due_ms);
    else
        timer_stop(&queue->due);
}

/* 0: not blocked, be it that the BRPOP has not arrived yet, or is answered already. */
static void took_nudge(void *arg, const redisReply *reply)
{
    struct queue *queue = arg;

    if (reply && reply->type == REDIS_REPLY_INTEGER && reply->integer == 0 &&
        queue->waiting)
        timer_set(&queue->due, NUDGE_AGAIN_MS);
}

void wait_nudge(struct queue *queue)
{
    char id[24];
    struct slice words[] = {slice_text("CLIENT"), slice_text("UNBLOCK"), slice_of(id, 0)};

    if (conn_id(queue->wait) == 0 || !conn_is_up(queue->main))
        return;
    words[2].len =
        (size_t)snprintf(id, sizeof(id), "%lld", (long long)conn_id(queue->wait));
    conn_command(queue->main, words, ARRAY_CT(words), queue->pace.answer_ms, took_nudge,
                 queue);
}

/* Something falls due, or it is time to look where there is no BRPOP. */
void wait_due(void *arg)
{
    struct queue *queue = arg;

    if (queue->waiting) {
        wait_nudge(queue);
        return;
    }
    queue->look = true;
    queue_pump_soon(queue);
}
