/* Jobs reserved before there is a slot for them, so that PHP need not wait for Redis
 * between two short jobs.
 *
 * Only where co-processes run jobs that take a few milliseconds, judged by those before;
 * what waits all the same, while none begins, goes back to the head of its queue,
 * uncounted.
 */
#ifndef WORKER_AHEAD_H
#define WORKER_AHEAD_H

#include "worker/crew.h"

void ahead_open(struct worker *worker); /* once there is a loop */
void ahead_close(struct worker *worker);

/* Whether jobs that take `run_us` are worth being reserved ahead, where they were so far
 * or not. The two are far apart: what was asked for and is not wanted any more when it
 * comes goes back behind what has come since. */
bool ahead_pays(bool paid, int64_t run_us);

/* How many may be ahead now, those that are included. */
unsigned ahead_wanted(const struct worker *worker);

void ahead_note_run(struct worker *worker, int64_t run_us); /* a job took so long */
void ahead_add(struct worker *worker, struct lease *lease);

/* Starts them in turn while there are slots; for a worker that takes jobs. */
void ahead_start(struct worker *worker);

void ahead_return(struct worker *worker); /* all go back, last to first */

#endif
