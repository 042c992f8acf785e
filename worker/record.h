/* The text kept with a failed job: what failed, each attempt known, what it last wrote.
 * Pure. */
#ifndef WORKER_RECORD_H
#define WORKER_RECORD_H

#include "jobs/outcome.h"

/* Appends one line about an attempt: "attempt 2 of 3: exit status 3\n". `tries` 0:
 * without limit. */
void record_attempt(struct buf *out, int64_t attempt, int64_t tries, const char *reason);

/* Appends the exception text: the reason line, "attempt N of M: reason", then the tails
 * of stderr and stdout where there are any. `tries` 0: without limit; `attempt` 0: it
 * never ran. Returns where the lines of earlier attempts belong. */
size_t record_exception(struct buf *out, const struct outcome *outcome, int64_t attempt,
                        int64_t tries);

#endif
