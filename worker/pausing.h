/* Reasons for which this worker takes no jobs for now. What runs goes on, leases are
 * kept, the heartbeat beats.
 */
#ifndef WORKER_PAUSING_H
#define WORKER_PAUSING_H

#include "worker/crew.h"

bool pausing_is_on(const struct worker *worker);

/* Looks whether the supervisor wants a pause or its end, and tells the scoreboard whether
 * the worker has come to rest. At each heartbeat, and when a signal says so. */
void pausing_look(struct worker *worker);

/* Listens to what the applications behind the runners say, once these can be started. */
void pausing_watch(struct worker *worker);

#endif
