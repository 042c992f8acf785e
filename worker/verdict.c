/* What becomes of a job. Turns an outcome into one call to the queue, the board's
 * counters and one log line. The decision itself is jobs/policy.c's.
 */
#include "worker/verdict.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "worker/record.h"
#include "worker/report.h"

static int64_t run_ms(const struct flight *flight)
{
    return flight->started_us ? (clock_mono_us() - flight->started_us) / 1000 : -1;
}

/* From when it could have started to when it was reserved; -1: the payload does not say.
 */
static int64_t wait_ms(const struct flight *flight)
{
    const struct payload *p = &flight->payload;
    int64_t waited;

    if (p->created_at_ms < 0 || p->attempts > 0)
        return -1;
    waited = flight->lease->reserved_at_ms - p->created_at_ms - p->delay_ms;
    return waited < 0 ? 0 : waited;
}

static void log_finished(const struct flight *flight, enum log_level level,
                         const char *event, const char *word,
                         const struct outcome *outcome, int64_t retry_in_ms)
{
    const char *signal_name =
        outcome->signal ? reaper_signal_name(outcome->signal) : NULL;

    if (level == LOG_INFO && flight->worker->start->config->log.jobs == LOG_JOBS_FAILED)
        return;
    log_at(level, event, log_str("uuid", flight->uuid), log_str("job", flight->name),
           log_str("queue", flight->job.queue), log_int("attempt", flight->job.attempt),
           log_str("outcome", word), log_opt("wait_ms", wait_ms(flight)),
           log_opt("run_ms", run_ms(flight)), log_opt("exit", outcome->exit_status),
           log_str("signal", signal_name), log_opt("cpu_ms", outcome->cpu_ms),
           log_opt("max_rss_kb", outcome->max_rss_kb),
           log_opt("retry_in_ms", retry_in_ms),
           log_str("reason", outcome->reason[0] ? outcome->reason : NULL));
}

static void give_ack(struct flight *flight, const struct outcome *outcome)
{
    log_finished(flight, LOG_INFO, "job.done", "done", outcome, -1);
    atomic_fetch_add(&flight->worker->start->board->done, 1);
    report_ended(flight->worker->report, flight, REPORT_SUCCESS, outcome);
    queue_ack(flight->worker->queue, flight->lease);
}

static void give_release(struct flight *flight, const struct outcome *outcome,
                         int64_t delay_ms)
{
    struct buf bytes, note;

    buf_init(&bytes, 0);
    buf_init(&note, 0);
    record_attempt(&note, flight->job.attempt, flight->policy.tries, outcome->reason);
    MUST(payload_released(&flight->payload, flight->job.attempt, flight->uuid, &bytes) ==
         0);
    log_finished(flight, LOG_WARNING, "job.released", "retry", outcome, delay_ms);
    atomic_fetch_add(&flight->worker->start->board->released, 1);
    report_ended(flight->worker->report, flight, REPORT_RELEASED, outcome);
    queue_release(flight->worker->queue, flight->lease, buf_slice(&bytes), delay_ms,
                  note.data);
    buf_free(&bytes);
    buf_free(&note);
}

/* Neither an attempt nor a line of its history: nothing was tried. */
static void give_postponed(struct flight *flight, const struct outcome *outcome,
                           int64_t delay_ms)
{
    log_finished(flight, LOG_DEBUG, "job.postponed", "postponed", outcome, delay_ms);
    atomic_fetch_add(&flight->worker->start->board->postponed, 1);
    queue_release(flight->worker->queue, flight->lease, flight->lease->bytes, delay_ms,
                  NULL);
}

/* `attempts`: how many runs it had, this one included if there was one. */
static void give_fail(struct flight *flight, const struct outcome *outcome,
                      int64_t attempts)
{
    struct fail_record record = {
        .connection = job_connection(flight->job.config),
        .queue = flight->job.queue,
        .job = flight->name,
        .attempts = attempts,
        .reason = outcome->reason,
        .failed_at_ms = clock_wall_ms(),
        .payload = payload_without_pad(flight->lease->bytes),
    };
    struct buf text;

    buf_init(&text, 0);
    record.history_at = record_exception(&text, outcome, attempts, flight->policy.tries);
    record.exception = buf_slice(&text);
    (void)snprintf(record.uuid, sizeof(record.uuid), "%s", flight->uuid);
    log_finished(flight, LOG_ERROR, "job.failed", "failed", outcome, -1);
    atomic_fetch_add(&flight->worker->start->board->failed, 1);
    report_ended(flight->worker->report, flight, REPORT_FAILED, outcome);
    queue_fail(flight->worker->queue, flight->lease, &record);
    buf_free(&text);
}

static void apply_policy(struct flight *flight, const struct outcome *outcome)
{
    struct decision decision;
    struct outcome final = *outcome;

    policy_decide(&flight->policy, flight->job.attempt, outcome,
                  policy_is_timed(&flight->policy) ? clock_wall_ms() / 1000 : 0,
                  &decision);
    switch (decision.verdict) {
    case VERDICT_ACK:
        give_ack(flight, outcome);
        break;
    case VERDICT_RELEASE:
        give_release(flight, outcome, decision.delay_ms);
        break;
    case VERDICT_POSTPONE:
        give_postponed(flight, outcome, decision.delay_ms);
        break;
    case VERDICT_FAIL:
        (void)snprintf(final.reason, sizeof(final.reason), "%s", decision.reason);
        give_fail(flight, &final, flight->job.attempt);
        break;
    }
}

/* The handler knows that it was stopped for the time, but not which. A job that had ended
 * by itself before the word reached it keeps its own outcome. */
static void note_timeout(const struct flight *flight, struct outcome *outcome)
{
    char seconds[TEXT_SECONDS_BYTES];

    if (!outcome->timed_out)
        return;
    text_format_seconds(flight->policy.timeout_ms, seconds, sizeof(seconds));
    (void)snprintf(outcome->reason, sizeof(outcome->reason), "timed out after %s s",
                   seconds);
}

void verdict_outcome(struct flight *flight, const struct outcome *outcome)
{
    struct outcome seen = *outcome;

    note_timeout(flight, &seen);
    if (seen.kind != OUTCOME_POSTPONE && seen.kind != OUTCOME_ABANDONED)
        flight->worker->ran_ct++;
    if (flight->lost) {
        log_finished(flight, LOG_WARNING, "job.lost", "lost", &seen, -1);
        queue_forget(flight->worker->queue, flight->lease); /* which counted it */
    } else if (seen.kind == OUTCOME_ABANDONED) {
        log_finished(flight, LOG_WARNING, "job.returned", "returned", &seen, -1);
        queue_give_back(flight->worker->queue, flight->lease);
    } else {
        apply_policy(flight, &seen);
    }
    flight_free(flight);
}

void verdict_refuse(struct flight *flight, const char *reason)
{
    struct outcome outcome;

    outcome_init(&outcome, OUTCOME_FAIL, "%s", reason);
    give_fail(flight, &outcome, flight->job.attempt - 1);
    flight_free(flight);
}

void verdict_leave(struct flight *flight)
{
    log_debug("job.left", log_str("uuid", flight->uuid), log_str("job", flight->name),
              log_str("queue", flight->job.queue), log_str("reason", "no entry in jobs"));
    queue_yield(flight->worker->queue, flight->lease);
    flight_free(flight);
}

void verdict_return(struct flight *flight)
{
    if (flight->lost)
        queue_forget(flight->worker->queue, flight->lease); /* which counted it */
    else
        queue_give_back(flight->worker->queue, flight->lease);
    flight_free(flight);
}
