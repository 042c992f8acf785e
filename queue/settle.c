/* Verdicts, from the worker's call until Redis has answered.
 *
 * What was on its way when the link went is sent again; the fence makes that harmless.
 * Acks go in bulk, with the next reserve where one is due, else by themselves; the other
 * verdicts one call each. Nothing is sent from inside the worker's call, but at the end
 * of the loop's turn.
 */
#include "queue/internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/compat.h"
#include "base/log.h"
#include "queue/crash.h"
#include "queue/reply.h"

enum { HELD_MAX = 1000, HELD_BYTES_MAX = 64 * 1024 * 1024 };

static void free_settle(struct settle *settle)
{
    leases_remove_settled(settle->lease);
    lease_free(settle->lease);
    free(settle->bytes);
    free(settle->note);
    verdict_free_record(settle->record);
    free(settle);
}

/* Takes the lease out of the worker's hands; NULL where it was lost: nothing to settle.
 */
static struct settle *begin(struct queue *queue, struct lease *lease,
                            enum settle_kind kind)
{
    struct settle *settle;

    if (lease->priv->state == LEASE_LOST) {
        queue_forget(queue, lease);
        return NULL;
    }
    MUST(lease->priv->state == LEASE_OUT);
    leases_settle(&queue->leases, lease);
    settle = must_alloc(sizeof(*settle));
    settle->kind = kind;
    settle->lease = lease;
    lease->priv->settle = settle;
    TAILQ_INSERT_TAIL(&queue->settles, settle, next);
    queue->settled_told = false;
    queue_pump_soon(queue);
    return settle;
}

void queue_ack(struct queue *queue, struct lease *lease)
{
    (void)begin(queue, lease, SETTLE_ACK);
}

void queue_release(struct queue *queue, struct lease *lease, struct slice bytes,
                   int64_t delay_ms, const char *note)
{
    struct settle *settle = begin(queue, lease, SETTLE_RELEASE);

    if (settle == NULL)
        return;
    settle->bytes = slice_dup(bytes);
    settle->bytes_len = bytes.len;
    settle->note = must_strdup(note);
    settle->due_ms = clock_mono_ms() + (delay_ms > 0 ? delay_ms : 0);
}

void queue_yield(struct queue *queue, struct lease *lease)
{
    struct settle *settle;

    queue->queues[lease->queue].yields_until_ms = clock_mono_ms() + YIELD_MS;
    settle = begin(queue, lease, SETTLE_RELEASE);
    if (settle == NULL)
        return;
    settle->bytes = slice_dup(lease->bytes);
    settle->bytes_len = lease->bytes.len;
    settle->due_ms = SETTLE_YIELDS;
}

void queue_fail(struct queue *queue, struct lease *lease,
                const struct fail_record *record)
{
    struct settle *settle = begin(queue, lease, SETTLE_FAIL);

    if (settle)
        settle->record = verdict_copy_record(record);
}

void settle_give_back(struct queue *queue, struct lease *lease)
{
    (void)begin(queue, lease, SETTLE_GIVE_BACK);
}

void queue_give_back(struct queue *queue, struct lease *lease)
{
    settle_give_back(queue, lease);
}

void queue_forget(struct queue *queue, struct lease *lease)
{
    struct lease *again = lease->priv->again;

    MUST(lease->priv->state == LEASE_OUT || lease->priv->state == LEASE_LOST);
    leases_remove(&queue->leases, lease);
    lease_free(lease);
    if (again) {
        again->priv->blocker = NULL;
        arrive_held(queue, again);
    }
}

bool queue_idle(const struct queue *queue)
{
    return TAILQ_EMPTY(&queue->settles);
}

bool settle_brings_back(const struct queue *queue)
{
    const struct settle *settle;

    TAILQ_FOREACH(settle, &queue->settles, next)
    if (settle->kind == SETTLE_RELEASE || settle->kind == SETTLE_GIVE_BACK)
        return true;
    return false;
}

size_t queue_unsettled_ct(const struct queue *queue)
{
    const struct settle *settle;
    size_t ct = 0;

    TAILQ_FOREACH(settle, &queue->settles, next)
    ct += settle->kind != SETTLE_GIVE_BACK;
    return ct;
}

/* ---- answered ---- */

static const char *kind_name(enum settle_kind kind)
{
    static const char *const names[] = {"ack", "release", "fail", "give_back"};

    return names[kind];
}

/* What a verdict keeps in memory, but for small change. */
static size_t bytes_of(const struct settle *settle)
{
    return settle->lease->bytes.len + settle->record->payload.len +
           settle->record->exception.len;
}

static void note_lost(struct queue *queue, const struct settle *settle)
{
    const char *name = queue->queues[settle->lease->queue].name;

    if (settle->sent_ct > 1) { /* the first sending may have done it */
        log_info("queue.settled_before", log_str("queue", name),
                 log_str("at", kind_name(settle->kind)));
        return;
    }
    atomic_fetch_add(&queue->board->lost, 1);
    log_warning("queue.lost", log_str("queue", name),
                log_str("at", kind_name(settle->kind)));
}

static void stop_holding(struct queue *queue, struct settle *settle)
{
    if (!settle->held)
        return;
    settle->held = false;
    settle->not_before_ms = 0;
    queue->held_ct--;
    queue->held_bytes -= bytes_of(settle);
}

void settle_forget(struct queue *queue, struct settle *settle)
{
    stop_holding(queue, settle);
    TAILQ_REMOVE(&queue->settles, settle, next);
    free_settle(settle);
}

void settle_done(struct queue *queue, struct settle *settle, bool ours)
{
    struct lease *again = settle->again;

    if (settle->kind == SETTLE_FAIL && ours)
        queue->held_said = false;
    if (!ours)
        note_lost(queue, settle);
    else if (settle->kind == SETTLE_ACK && settle->lease->noted)
        notes_drop(queue, settle->lease);
    settle_forget(queue, settle);
    if (again) { /* was it this lease that was settled, or the one before? */
        again->priv->blocker = NULL;
        again->priv->recheck = true;
        extend_all(queue, NULL);
    }
}

void settle_tell(struct queue *queue)
{
    if (queue->hushing)
        queue_pump_soon(queue);
    if (queue->settled_told || !TAILQ_EMPTY(&queue->settles))
        return;
    queue->settled_told = true;
    queue->events.on_settled(queue->options.arg);
}

struct settle *settle_find(const struct queue *queue, const struct lease_key *key)
{
    struct lease *lease = leases_find_settled(&queue->leases, key);

    return lease ? lease->priv->settle : NULL;
}

/* A job that was reclaimed by one worker may be here before that one has counted it. */
bool settle_may_be_counted(const struct queue *queue, const struct lease *lease)
{
    return lease->crashes || lease->may_be_counted || queue->some_crashed;
}

const char *settle_crash_key(const struct queue *queue, const struct lease *lease,
                             char *key)
{
    key[0] = '\0';
    if (settle_may_be_counted(queue, lease))
        crash_key(lease->bytes, key);
    return key;
}

/* ---- acks by themselves ---- */

static void took_acks(void *arg, const redisReply *reply)
{
    struct acks *acks = arg;
    struct queue *queue = acks->queue;
    struct err why;

    if (!link_took(queue, "ack", reply)) {
        free(acks);
    } else if (!reply_is_places(reply)) {
        free(acks);
        (void)err_set(&why, ERR_REPLY, "ack: unexpected reply");
        link_lost(queue, &why);
    } else {
        acks_done(acks, reply);
        settle_tell(queue);
        queue_pump_soon(queue);
    }
}

static void send_acks(struct queue *queue, unsigned index)
{
    struct acks *acks = acks_take(queue, index, index + 1);
    struct call *call = call_create("ack", 3);

    call_add_text(call, queue->own.failed);
    call_add_text(call, queue->queues[index].keys.reserved);
    call_add_text(call, queue->own.crashes);
    acks_spell(call, acks, ACKS_OF_ONE_QUEUE);
    call_send(call, queue->main, queue->pace.answer_ms, took_acks, acks);
}

/* ---- sending ---- */

void settle_send_all(struct queue *queue, bool ride)
{
    bool *has_acks = must_alloc(queue->queue_ct * sizeof(*has_acks));
    int64_t now_ms = clock_mono_ms();
    struct settle *settle;

    TAILQ_FOREACH(settle, &queue->settles, next)
    {
        if (settle->in_flight || settle->not_before_ms > now_ms)
            continue;
        if (settle->kind == SETTLE_ACK) {
            has_acks[settle->lease->queue] = true;
            continue;
        }
        settle->in_flight = true;
        settle->sent_ct++;
        verdict_send(queue, settle);
    }
    for (unsigned i = 0; i < queue->queue_ct && !ride; i++)
        if (has_acks[i])
            send_acks(queue, i);
    free(has_acks);
}

/* ---- what could not be recorded ---- */

bool settle_holds_too_much(const struct queue *queue)
{
    return queue->held_ct >= HELD_MAX || queue->held_bytes >= HELD_BYTES_MAX;
}

static void let_go(struct queue *queue, struct settle *settle)
{
    stop_holding(queue, settle);
    settle->kind = SETTLE_GIVE_BACK;
    queue_pump_soon(queue);
}

void settle_let_go(struct queue *queue)
{
    struct settle *settle;

    TAILQ_FOREACH(settle, &queue->settles, next)
    if (settle->held && !settle->in_flight)
        let_go(queue, settle);
}

void settle_hold(struct queue *queue, struct settle *settle, const char *reason)
{
    if (!queue->held_said)
        log_error("queue.fail_held",
                  log_str("queue", queue->queues[settle->lease->queue].name),
                  log_str("reason", reason),
                  log_str("next", "failed jobs stay reserved until they are recorded"));
    queue->held_said = true;
    settle->in_flight = false;
    settle->sent_ct = 0; /* it is known to have changed nothing */
    if (!settle->held) {
        settle->held = true;
        queue->held_ct++;
        queue->held_bytes += bytes_of(settle);
    }
    settle->not_before_ms = clock_mono_ms() + queue->pace.hold_ms;
    if (queue->drain != DRAIN_NONE)
        let_go(queue, settle);
    if (!timer_is_set(&queue->held))
        timer_set(&queue->held, queue->pace.hold_ms);
    extend_keep_going(queue);
}

void settle_held_due(void *arg)
{
    struct queue *queue = arg;

    if (queue->held_ct)
        timer_set(&queue->held, queue->pace.hold_ms);
    queue_pump_soon(queue);
}

/* The link is gone. Where the same bytes have come again, the verdict is forgotten with
 * them: what is under our tag and unknown goes back to the queue. */
void settle_link_lost(struct queue *queue)
{
    struct settle *settle, *next;

    TAILQ_FOREACH_SAFE(settle, &queue->settles, next, next)
    {
        settle->in_flight = false;
        if (settle->again) {
            arrive_drop(queue, settle->again);
            settle_forget(queue, settle);
        }
    }
}

void settle_free_all(struct queue *queue)
{
    struct settle *settle;

    while ((settle = TAILQ_FIRST(&queue->settles)) != NULL)
        settle_forget(queue, settle);
}
