/* Jobs reserved before there is a slot for them, so that PHP need not wait for Redis
 * between two short jobs.
 *
 * Only where co-processes run jobs, and only as many as begin within a few milliseconds,
 * judged by those before; what waits longer all the same goes back to the head of its
 * queue, uncounted.
 */
#ifndef WORKER_AHEAD_H
#define WORKER_AHEAD_H

#include "worker/crew.h"

void ahead_open(struct worker *worker); /* once there is a loop */
void ahead_close(struct worker *worker);

/* How many a worker of so many slots should have ahead, whose jobs take `run_us`. */
unsigned ahead_room(unsigned concurrency, int64_t run_us);

/* How many this one may have ahead now, those it has included. */
unsigned ahead_wanted(const struct worker *worker);

void ahead_note_run(struct worker *worker, int64_t run_us); /* a job took so long */
void ahead_add(struct worker *worker, struct lease *lease);

/* Starts them in turn while there are slots; for a worker that takes jobs. */
void ahead_start(struct worker *worker);

void ahead_return(struct worker *worker); /* all go back, last to first */

#endif
