/* The retry policy: how often, how long, how far apart.
 *
 * Pure: all it knows are the numbers of payload and configuration, the attempt and the
 * time it is told. It never sees a queue, a clock or a process. Where Laravel's Worker
 * answers the same question, the answer is the same.
 */
#include "jobs/policy.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* Longer than anything lasts; who adds it to a clock's time has a time still. */
static const int64_t span_ms_max = INT64_MAX / 4;

static int64_t bounded(int64_t ms)
{
    return ms < span_ms_max ? ms : span_ms_max;
}

static void take_backoff_text(struct policy *policy, struct slice text)
{
    int64_t ms;

    while (policy->backoff_ct < POLICY_BACKOFF_MAX &&
           payload_next_backoff(&text, &ms) > 0)
        policy->backoff_ms[policy->backoff_ct++] = bounded(ms);
}

static void take_backoff_list(struct policy *policy, const struct time_list *list)
{
    while (policy->backoff_ct < POLICY_BACKOFF_MAX && policy->backoff_ct < list->ct) {
        policy->backoff_ms[policy->backoff_ct] = list->ms[policy->backoff_ct];
        policy->backoff_ct++;
    }
}

/* The first of three that is set; unset numbers are below 0. */
static int64_t first_set(int64_t payload, int64_t job, int64_t pool)
{
    if (payload >= 0)
        return payload;
    return job >= 0 ? job : pool;
}

void policy_resolve(struct policy *policy, const struct payload *payload,
                    const struct job_config *job, const struct pool_config *pool)
{
    *policy = (struct policy){
        .tries =
            first_set(payload->max_tries, job ? job->tries : CONFIG_UNSET, pool->tries),
        .timeout_ms = bounded(first_set(
            payload->timeout_ms, job ? job->timeout_ms : CONFIG_UNSET, pool->timeout_ms)),
        .retry_until = payload->retry_until,
    };
    if (payload->backoff.ptr != NULL)
        take_backoff_text(policy, payload->backoff);
    else if (job != NULL && job->backoff.ct > 0)
        take_backoff_list(policy, &job->backoff);
    else
        take_backoff_list(policy, &pool->backoff);
}

static void name_passed_time(int64_t at_s, char *text, size_t size)
{
    time_t at = (time_t)at_s;
    struct tm parts;
    char when[64];

    if (gmtime_r(&at, &parts) == NULL ||
        strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &parts) == 0)
        (void)snprintf(when, sizeof(when), "%" PRId64, at_s);
    (void)snprintf(text, size, "retryUntil %s has passed", when);
}

bool policy_is_timed(const struct policy *policy)
{
    return policy->retry_until >= 0;
}

bool policy_may_run(const struct policy *policy, int64_t attempt, int64_t now_s,
                    struct decision *decision)
{
    bool timed = policy_is_timed(policy);
    int64_t runs = attempt - 1;

    if (timed ? now_s <= policy->retry_until
              : policy->tries == 0 || attempt <= policy->tries)
        return true;
    *decision = (struct decision){.verdict = VERDICT_FAIL};
    if (timed)
        name_passed_time(policy->retry_until, decision->reason, sizeof(decision->reason));
    else
        (void)snprintf(decision->reason, sizeof(decision->reason),
                       "already attempted %" PRId64 " time%s, tries is %" PRId64, runs,
                       runs == 1 ? "" : "s", policy->tries);
    return false;
}

static bool is_too_late(const struct policy *policy, int64_t now_s)
{
    return policy_is_timed(policy) && policy->retry_until <= now_s;
}

static int64_t longer(int64_t a_ms, int64_t b_ms)
{
    return a_ms > b_ms ? a_ms : b_ms;
}

static bool is_last_run(const struct policy *policy, int64_t attempt, int64_t now_s)
{
    if (policy_is_timed(policy))
        return is_too_late(policy, now_s);
    return policy->tries > 0 && attempt >= policy->tries;
}

static int64_t delay_after(const struct policy *policy, int64_t attempt)
{
    int64_t at = attempt - 1, last = (int64_t)policy->backoff_ct - 1;

    if (last < 0)
        return 0;
    return policy->backoff_ms[at < last ? at : last];
}

void policy_decide(const struct policy *policy, int64_t attempt,
                   const struct outcome *outcome, int64_t now_s,
                   struct decision *decision)
{
    MUST(attempt >= 1 && outcome->kind != OUTCOME_ABANDONED);
    *decision = (struct decision){.verdict = VERDICT_ACK};
    if (outcome->kind == OUTCOME_DONE)
        return;
    if (outcome->kind == OUTCOME_POSTPONE && !is_too_late(policy, now_s)) {
        decision->verdict = VERDICT_POSTPONE;
        decision->delay_ms = outcome->wait_ms;
        return;
    }
    if (outcome->kind == OUTCOME_RETRY && outcome->decided) {
        decision->verdict = VERDICT_RELEASE;
        decision->delay_ms = outcome->wait_ms;
        return;
    }
    if (outcome->kind == OUTCOME_RETRY && !is_last_run(policy, attempt, now_s)) {
        decision->verdict = VERDICT_RELEASE;
        decision->delay_ms = longer(delay_after(policy, attempt), outcome->wait_ms);
        return;
    }
    decision->verdict = VERDICT_FAIL;
    (void)snprintf(decision->reason, sizeof(decision->reason), "%s", outcome->reason);
}
