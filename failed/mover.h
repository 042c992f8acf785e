/* Brings failed records from Redis, where a job's failure leaves them in one step, to
 * PostgreSQL. Run by every worker on its loop, where failed.store is "postgres".
 *
 * A record is dropped from Redis only when PostgreSQL has said that it is committed, or
 * already there; so it may be inserted twice (the server or the worker dies in between,
 * another takes its records over), and the second time finds the first: one row in the
 * end. While it is being inserted it is claimed: nobody retries or forgets it in Redis.
 * As long as PostgreSQL cannot take records they wait in Redis, are tried again every 1
 * to 30 s, and the log says so once. A single record that PostgreSQL refuses for what is
 * in it stays in Redis, is told, and hinders no other.
 */
#ifndef FAILED_MOVER_H
#define FAILED_MOVER_H

#include "base/loop.h"
#include "config/config.h"
#include "queue/queue.h"

struct mover;

struct mover_pace { /* durations that are nobody's setting; tests change them */
    int64_t connect_ms;
    int64_t within_ms;    /* for one page, waiting for a connection included */
    int64_t retry_min_ms; /* after a refusal of all, doubling */
    int64_t retry_max_ms;
    int64_t rest_ms; /* before the refused ones are tried again, doubling */
    int64_t rest_max_ms;
};

struct mover_options {
    struct loop *loop;
    struct queue *queue;                      /* its link; destroyed before the mover */
    const struct postgres_endpoint *endpoint; /* borrowed for the call */
    const struct mover_pace *pace;            /* NULL: as it should be */
};

/* Connects to nothing yet. NULL with ERR_CONFIG where the dsn cannot be understood. */
struct mover *mover_create(const struct mover_options *options,
                           struct err *err) MUSTCHECK;
void mover_destroy(struct mover *mover); /* NULL is fine; what is under way is left */

/* There are records in the outbox: moves them, unless it is at it, or waits after a
 * refusal. To be told again now and then, as the queue's heartbeat does. */
void mover_wake(struct mover *mover);

bool mover_is_idle(const struct mover *mover); /* nothing is under way */

#endif
