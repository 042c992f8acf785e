/* How one run of a job ended, as its handler tells it. */
#ifndef JOBS_OUTCOME_H
#define JOBS_OUTCOME_H

#include <stdint.h>

#include "base/buf.h"

enum outcome_kind {
    OUTCOME_DONE,     /* worked: ack */
    OUTCOME_RETRY,    /* did not work, may next time: retry policy decides */
    OUTCOME_FAIL,     /* will never work: failed store at once */
    OUTCOME_POSTPONE, /* was not tried, what it needs is away: later, no attempt spent */
    OUTCOME_ABANDONED /* cancelled for a lost lease or a stop: no verdict about the job */
};

enum { OUTCOME_REASON_BYTES = 256 };

struct outcome {
    enum outcome_kind kind;
    char reason[OUTCOME_REASON_BYTES]; /* one line: "exit status 3"; "" when done */
    int64_t wait_ms;                   /* RETRY: not before that; POSTPONE: after that */
    bool decided;             /* RETRY: after wait_ms exactly, whatever the policy
                                 says of tries and backoff */
    bool willing;             /* RETRY: the job asked for it, nothing went wrong */
    int64_t held_bytes;       /* by the co-process, after the job; -1: not known */
    bool timed_out;           /* it was stopped for its time */
    int exit_status;          /* -1: none */
    int signal;               /* 0: none */
    int64_t cpu_ms;           /* -1: not known */
    int64_t max_rss_kb;       /* -1: not known */
    struct slice stdout_tail; /* borrowed until the callback returns */
    struct slice stderr_tail;
    uint64_t stdout_bytes; /* written in all */
    uint64_t stderr_bytes;
    struct slice detail; /* more for the failed record, as it is shown; borrowed too */
};

/* OUTCOME_* with everything else empty or unknown, and `reason` formatted. */
void outcome_init(struct outcome *outcome, enum outcome_kind kind, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

#endif
