/* What an HTTP answer means for a job. Pure.
 *
 * The rules are Standard Webhooks 1.0's for senders, and RFC 9110's for Retry-After: 2xx
 * is done; 410 fails at once, the receiver being gone; redirects are not followed and are
 * tried again as everything else is, unless the job says that other 4xx are final.
 */
#ifndef JOBS_HTTP_ANSWER_H
#define JOBS_HTTP_ANSWER_H

#include <stdint.h>

#include "jobs/outcome.h"

enum { HTTP_RETRY_AFTER_MAX_MS = 24 * 60 * 60 * 1000 };

enum outcome_kind http_status_kind(int status, bool permanent_4xx);

/* Whether the answer says that the endpoint itself is in trouble, and not this one
 * request: what a circuit breaker counts. 429 does not, it asks for patience. */
bool http_status_is_trouble(int status);

/* Retry-After's value: how long to wait from `now_s` (unix seconds), in ms, 0 where that
 * is past, HTTP_RETRY_AFTER_MAX_MS at most; -1: neither seconds nor a date. Counts with
 * the statuses that http_status_waits() names. */
int64_t http_retry_after_ms(const char *value, int64_t now_s);
bool http_status_waits(int status);

#endif
