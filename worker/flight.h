/* One job in flight.
 *
 * LEASED -> (HELD) -> RUNNING -> gone; RUNNING -> CANCELLING -> gone. A flight owns its
 * lease until a verdict gives it back, and is freed with the verdict.
 */
#ifndef WORKER_FLIGHT_H
#define WORKER_FLIGHT_H

#include "jobs/policy.h"
#include "worker/crew.h"

enum flight_state {
    FLIGHT_LEASED,
    FLIGHT_HELD, /* a suspect, waiting until it is alone in this worker */
    FLIGHT_RUNNING,
    FLIGHT_CANCELLING /* the handler was told to end it */
};

struct flight {
    TAILQ_ENTRY(flight) link;
    struct worker *worker;
    struct lease *lease;
    enum flight_state state;
    bool lost; /* the lease is gone: no verdict, no Redis write */
    struct payload payload;
    struct policy policy;
    struct job job;
    const struct handler *handler;
    struct run *run;
    struct board_job *row;
    struct timer timeout;
    int64_t started_us; /* monotonic; 0: never started */
    char uuid[64];
    char name[PAYLOAD_NAME_MAX + 1];
};

/* Takes a new lease of a working worker: starts the job, holds it, or settles it at once.
 */
void flight_admit(struct worker *worker, struct lease *lease);

/* Announces the oldest suspect in Redis if nothing runs, and starts it where Redis is
 * away. Only where the queue is quiet: whatever else this process held would die with it.
 */
void flight_announce_suspect(struct worker *worker);

/* Starts the one that was announced, unless it has gone or may not start any more. */
void flight_start_suspect(struct worker *worker);

/* The lease is gone. */
void flight_lose(struct flight *flight);

void flight_cancel_all(struct worker *worker, enum cancel_reason why);
void flight_free(
    struct flight *flight); /* for verdict.c: the lease is given back already */

#endif
