/* The text kept with a failed job: what failed, each attempt known, what it last wrote.
 * Pure. */
#ifndef WORKER_RECORD_H
#define WORKER_RECORD_H

#include "jobs/outcome.h"

/* Appends the exception text: the reason line, "attempt N of M: reason", then the tails
 * of stderr and stdout where there are any. `tries` 0: without limit; `attempt` 0: it
 * never ran. */
void record_exception(struct buf *out, const struct outcome *outcome, int64_t attempt,
                      int64_t tries);

#endif
