/* What this machine lacks when it lets no process be started: descriptors, processes,
 * memory. Nothing is wrong with the job then, so it is put aside for a while, which grows
 * as long as nothing can be started, and spends no attempt.
 */
#ifndef JOBS_SHORTAGE_H
#define JOBS_SHORTAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/* Of one worker; all zeros to begin with. */
struct shortage {
    int64_t wait_ms;    /* as of the last refusal; 0: the last start went well */
    int64_t grow_at_ms; /* monotonic; refusals before that are one with the last */
    int64_t refused_ct; /* since the log was told */
    int64_t told_at_ms; /* monotonic; 0: never */
    int told_errnum;    /* 0: what was told is over */
};

/* Whether a start that failed so failed for want of something. */
bool shortage_is(int errnum);

/* What to do about it; NULL where it is none. */
const char *shortage_advice(int errnum);

/* A start was refused; shortage_is(err->errnum). Returns for how long the job should be
 * put aside. Logs, once until a start goes well, and at most once a minute. */
int64_t shortage_refused(struct shortage *shortage, const struct err *err,
                         int64_t now_ms) MUSTCHECK;

/* A start went well. Logs where the log knows of the shortage. */
void shortage_ended(struct shortage *shortage, int64_t now_ms);

#endif
