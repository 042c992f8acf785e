/* What becomes of a job after a run, and whether it may run at all. Pure: time is an
 * input.
 *
 * The numbers are Laravel's (Illuminate\Queue\Worker, 8.x to 13.x): tries counts runs, 0
 * is without limit, retryUntil overrides tries, backoff is a list whose last element
 * repeats.
 *
 * Two habits of Laravel's that surprise hold here too: a job that was pushed with a delay
 * and has no backoff of its own waits that delay again before each retry, not the pool's
 * backoff (Job::backoff() is backoff ?? delay, since 12.11); and retryUntil is looked at
 * before a run and after it, never in between.
 */
#ifndef JOBS_POLICY_H
#define JOBS_POLICY_H

#include <stdint.h>

#include "config/config.h"
#include "jobs/outcome.h"
#include "jobs/payload.h"

enum { POLICY_BACKOFF_MAX = 32 };

struct policy {
    int64_t tries;       /* 0: without limit */
    int64_t timeout_ms;  /* 0: without limit */
    int64_t retry_until; /* unix seconds, -1: none */
    int64_t backoff_ms[POLICY_BACKOFF_MAX];
    unsigned backoff_ct; /* 0: no delay */
};

/* From the payload, else the job's configuration (may be NULL), else the pool's. Of a
 * longer backoff list the first POLICY_BACKOFF_MAX count. */
void policy_resolve(struct policy *policy, const struct payload *payload,
                    const struct job_config *job, const struct pool_config *pool);

enum verdict {
    VERDICT_ACK,
    VERDICT_RELEASE,
    VERDICT_POSTPONE, /* a release that spends no attempt */
    VERDICT_FAIL
};

struct decision {
    enum verdict verdict;
    int64_t delay_ms;                  /* VERDICT_RELEASE, VERDICT_POSTPONE */
    char reason[OUTCOME_REASON_BYTES]; /* VERDICT_FAIL: the outcome's, or why no more
                                          tries */
};

/* Whether a retryUntil decides: else the time told to the two below does not matter. */
bool policy_is_timed(const struct policy *policy);

/* Before a run, `attempt` (from 1) being the one to begin: false, with decision FAIL,
 * where attempts or time are used up already; `decision` is untouched otherwise. This is
 * so where an earlier run ended without a verdict, by a PHP worker's crash say. */
bool policy_may_run(const struct policy *policy, int64_t attempt, int64_t now_s,
                    struct decision *decision);

/* After run `attempt` ended as `outcome` (not ABANDONED: that is no verdict). A job whose
 * retryUntil passes while it is postponed fails, since nothing else would end it. */
void policy_decide(const struct policy *policy, int64_t attempt,
                   const struct outcome *outcome, int64_t now_s,
                   struct decision *decision);

#endif
