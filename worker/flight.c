/* One job in flight: from a fresh lease to the handler's last word.
 *
 * Knows the handler interface, never a handler; leaves every verdict to verdict.c.
 * Invariant: a flight is on exactly one of the worker's lists (running, held), or being
 * admitted, or being settled; its lease is given back exactly once.
 */
#include "worker/flight.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/compat.h"
#include "base/log.h"
#include "base/random.h"
#include "jobs/match.h"
#include "worker/report.h"
#include "worker/stint.h"
#include "worker/verdict.h"

static void flight_done(void *arg, const struct outcome *outcome)
{
    struct flight *flight = arg;
    struct worker *worker = flight->worker;

    flight->run = NULL;
    verdict_outcome(flight, outcome);
    stint_ended(worker, outcome);
    worker_settled_one(worker);
}

static void flight_timed_out(void *arg)
{
    struct flight *flight = arg;

    flight->state = FLIGHT_CANCELLING;
    flight->handler->cancel(flight->run, CANCEL_TIMEOUT);
}

static struct flight *flight_create(struct worker *worker, struct lease *lease)
{
    struct flight *flight = must_alloc(sizeof(*flight));

    flight->worker = worker;
    flight->lease = lease;
    lease->user = flight;
    timer_init(&flight->timeout, worker->loop, flight_timed_out, flight);
    return flight;
}

void flight_free(struct flight *flight)
{
    struct worker *worker = flight->worker;

    if (flight->state == FLIGHT_HELD) {
        TAILQ_REMOVE(&worker->held, flight, link);
        worker->held_ct--;
    } else if (flight->state != FLIGHT_LEASED) {
        TAILQ_REMOVE(&worker->running, flight, link);
        worker->running_ct--;
    }
    if (flight->row)
        board_end(flight->row);
    if (worker->alone == flight)
        worker->alone = NULL;
    if (worker->announced == flight)
        worker->announced = NULL;
    atomic_store(&worker->start->board->running, worker->running_ct);
    timer_free(&flight->timeout);
    free(flight);
}

static void flight_start(struct flight *flight)
{
    struct worker *worker = flight->worker;
    struct outcome outcome;

    flight->state = FLIGHT_RUNNING;
    TAILQ_INSERT_TAIL(&worker->running, flight, link);
    worker->running_ct++;
    flight->started_us = clock_mono_us();
    flight->row =
        board_take(worker->start->board, flight->started_us / 1000, flight->uuid,
                   flight->name, flight->job.queue, flight->job.attempt);
    flight->job.group = &flight->row->group;
    atomic_store(&worker->start->board->running, worker->running_ct);
    log_debug("job.start", log_str("uuid", flight->uuid), log_str("job", flight->name),
              log_str("queue", flight->job.queue),
              log_int("attempt", flight->job.attempt));
    stint_begun(worker);
    report_begun(worker->report, flight);

    outcome_init(&outcome, OUTCOME_RETRY, "%s", "");
    flight->run =
        flight->handler->start(&worker->env, &flight->job, flight_done, flight, &outcome);
    if (flight->run == NULL)
        verdict_outcome(flight, &outcome);
    else if (flight->policy.timeout_ms > 0 && !flight->handler->decides)
        timer_set(&flight->timeout, flight->policy.timeout_ms);
}

static void start_alone(struct worker *worker, struct flight *flight)
{
    worker->announced = NULL;
    TAILQ_REMOVE(&worker->held, flight, link);
    worker->held_ct--;
    log_warning("job.alone", log_str("uuid", flight->uuid), log_str("job", flight->name),
                log_int("crashes", flight->lease->crashes),
                log_str("last", flight->lease->crash_note));
    worker->alone = flight;
    flight_start(flight);
}

static bool may_start_suspect(const struct worker *worker)
{
    return worker->running_ct == 0 && worker->phase == WORKER_WORKING;
}

void flight_announce_suspect(struct worker *worker)
{
    struct flight *flight = TAILQ_FIRST(&worker->held);

    if (flight == NULL || worker->announced != NULL || !may_start_suspect(worker))
        return;
    worker->announced = flight;
    if (!queue_alone(worker->queue, flight->lease))
        start_alone(worker, flight);
}

void flight_start_suspect(struct worker *worker)
{
    if (worker->announced != NULL && may_start_suspect(worker))
        start_alone(worker, worker->announced);
}

/* Reads the payload into the flight. -1: it cannot run, and `err` says why. */
static int flight_read(struct flight *flight, struct err *err)
{
    struct worker *worker = flight->worker;
    const struct pool_config *pool = worker->start->pool;

    flight->job.queue = pool->queues.items[flight->lease->queue];
    flight->job.attempt = 1;
    if (payload_scan(&flight->payload, flight->lease->bytes, err) != 0) {
        random_uuid(flight->uuid);
        return -1;
    }
    if (!payload_uuid(&flight->payload, flight->uuid, sizeof(flight->uuid)))
        random_uuid(flight->uuid);
    flight->job.attempt = flight->payload.attempts + 1;
    flight->lease->noted = flight->payload.attempts > 0;
    if (payload_name(&flight->payload, flight->name, sizeof(flight->name), err) != 0)
        return -1;
    flight->job.config = job_match(worker->start->config, flight->name);
    flight->job.payload = &flight->payload;
    flight->job.uuid = flight->uuid;
    flight->job.name = flight->name;
    policy_resolve(&flight->policy, &flight->payload, flight->job.config, pool);
    flight->job.max_tries = flight->policy.tries;
    flight->job.policy = &flight->policy;
    return 0;
}

/* Settles what must not or need not run here; true: the flight is gone. */
static bool flight_turn_away(struct flight *flight)
{
    const struct pool_config *pool = flight->worker->start->pool;
    const struct lease *lease = flight->lease;
    struct decision decision;
    char reason[OUTCOME_REASON_BYTES];

    if (flight->job.config == NULL) {
        if (pool->unmatched == UNMATCHED_RELEASE) {
            verdict_leave(flight);
            return true;
        }
        (void)snprintf(reason, sizeof(reason), "no entry in jobs matches \"%.200s\"",
                       flight->name);
        verdict_refuse(flight, reason);
        return true;
    }
    /* Who was merely held when a worker died, by a suspect that ran or by an operator,
     * has a crash more, too: only a death while it ran alone tells. */
    if (pool->max_crashes > 0 && lease->crashes > pool->max_crashes && lease->was_alone) {
        (void)snprintf(reason, sizeof(reason), "%u worker%s died running it, the last %s",
                       lease->crashes, lease->crashes == 1 ? "" : "s",
                       lease->crash_note ? lease->crash_note : "of an unknown cause");
        verdict_refuse(flight, reason);
        return true;
    }
    flight->handler = handler_of(flight->job.config->type);
    if (!flight->handler->decides &&
        !policy_may_run(&flight->policy, flight->job.attempt,
                        policy_is_timed(&flight->policy) ? clock_wall_ms() / 1000 : 0,
                        &decision)) {
        verdict_refuse(flight, decision.reason);
        return true;
    }
    return false;
}

static bool flight_is_suspect(const struct flight *flight)
{
    int64_t max = flight->worker->start->pool->max_crashes;

    return max > 0 && flight->lease->crashes >= max;
}

void flight_admit(struct worker *worker, struct lease *lease)
{
    struct flight *flight = flight_create(worker, lease);
    struct err err;

    if (flight_read(flight, &err) != 0) {
        flight->payload.created_at_ms = -1;
        verdict_refuse(flight, err.text);
        return;
    }
    if (flight_turn_away(flight))
        return;
    if (flight_is_suspect(flight)) {
        flight->state = FLIGHT_HELD;
        TAILQ_INSERT_TAIL(&worker->held, flight, link);
        worker->held_ct++;
    } else {
        flight_start(flight);
    }
}

void flight_lose(struct flight *flight)
{
    flight->lost = true;
    log_warning("lease.lost", log_str("uuid", flight->uuid), log_str("job", flight->name),
                log_str("queue", flight->job.queue));
    if (flight->state == FLIGHT_HELD) {
        verdict_return(flight);
        return;
    }
    flight->state = FLIGHT_CANCELLING;
    timer_stop(&flight->timeout);
    flight->handler->cancel(flight->run, CANCEL_LOST);
}

void flight_cancel_all(struct worker *worker, enum cancel_reason why)
{
    struct flight *flight, *next;

    TAILQ_FOREACH_SAFE(flight, &worker->running, link, next)
    {
        flight->state = FLIGHT_CANCELLING;
        timer_stop(&flight->timeout);
        flight->handler->cancel(flight->run, why);
    }
}
