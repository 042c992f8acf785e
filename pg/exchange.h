/* One batch on one connection: what is sent, and what the answers amount to. Knows libpq,
 * but neither the loop nor deadlines. */
#ifndef PG_EXCHANGE_H
#define PG_EXCHANGE_H

#include <libpq-fe.h>

#include "pg/pool.h"

struct exchange;

/* `batch` is borrowed for the exchange's life. */
struct exchange *exchange_create(const struct pg_batch *batch) MUSTCHECK;
void exchange_free(struct exchange *exchange); /* NULL is fine */

/* Queues all of it on `conn`, which is in pipeline mode and idle; PQflush() is the
 * caller's. `within_ms` is told to the server. False: the connection is broken. */
bool exchange_send(struct exchange *exchange, PGconn *conn, int64_t within_ms);

/* Takes what has been read so far. */
enum exchange_state {
    EXCHANGE_GOES_ON,
    EXCHANGE_COMPLETE,
    EXCHANGE_BROKEN /* the connection is to be closed */
};
enum exchange_state exchange_take(struct exchange *exchange, PGconn *conn);

/* What it amounts to when nothing more will come. `lost` says why the connection ended;
 * NULL: it is complete. The answer lives as long as the exchange. */
const struct pg_answer *exchange_conclude(struct exchange *exchange, const char *lost);

#endif
