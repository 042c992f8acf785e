/* What becomes of a job: the decision, the call to the queue, the counters, the log line.
 */
#ifndef WORKER_VERDICT_H
#define WORKER_VERDICT_H

#include "worker/flight.h"

/* Each of these gives the lease back and frees the flight. */
void verdict_outcome(struct flight *flight, const struct outcome *outcome); /* it ran */
void verdict_refuse(struct flight *flight, const char *reason); /* fails without a run */
void verdict_leave(struct flight *flight); /* released to others, attempts unchanged */
void verdict_return(
    struct flight *flight); /* given back uncounted, to the queue's head */

#endif
