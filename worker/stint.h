/* What `drover work` asks of its worker besides what a pool's settings can: to leave when
 * there is nothing to do or a co-process has grown too large, and to rest between jobs.
 * Nothing of it happens under `drover supervise`.
 */
#ifndef WORKER_STINT_H
#define WORKER_STINT_H

#include "worker/crew.h"

void stint_open(struct worker *worker); /* once there is a loop */
void stint_close(struct worker *worker);

void stint_begun(struct worker *worker); /* a job starts */
void stint_ended(struct worker *worker, const struct outcome *outcome);
void stint_empty(struct worker *worker); /* there is no job to be had now */

/* Whether a worker that is done is to stay for a moment: failed records are on their way
 * to PostgreSQL, and nobody else may come to move them. Ends in worker_settled_one(). */
bool stint_keeps(struct worker *worker);

#endif
