/* One asynchronous connection to PostgreSQL: resolving, connecting, one batch at a time,
 * and being told once when it breaks. Made once, opened again after each break. */
#ifndef PG_CONN_H
#define PG_CONN_H

#include "pg/cancel.h"
#include "pg/pool.h"
#include "pg/target.h"

struct pg_conn;

struct pg_conn_options {
    struct loop *loop;
    const struct target *target; /* borrowed */
    struct cancels *cancels;     /* borrowed */
    int64_t connect_within_ms;
    /* From the loop, never from inside a call of ours, but for pg_conn_close(). The
     * connection is ready for a batch: connected, or done with one. */
    void (*on_ready)(void *arg, struct pg_conn *conn);
    /* Could not connect, or broke; closed already, and its batch called back before. */
    void (*on_down)(void *arg, struct pg_conn *conn, const struct err *why);
    void *arg;
};

struct pg_conn *pg_conn_create(const struct pg_conn_options *options) MUSTCHECK;
void pg_conn_destroy(struct pg_conn *conn); /* NULL is fine; closes first */

void pg_conn_open(struct pg_conn *conn); /* only where closed */
/* No on_down; a batch is called back from here. */
void pg_conn_close(struct pg_conn *conn);

bool pg_conn_is_closed(const struct pg_conn *conn);
bool pg_conn_is_ready(const struct pg_conn *conn);
bool pg_conn_is_connecting(const struct pg_conn *conn);
bool pg_conn_was_up(const struct pg_conn *conn);            /* since it was last opened */
int64_t pg_conn_ready_since_ms(const struct pg_conn *conn); /* monotonic, where ready */

/* Whether the other end has not closed meanwhile, as far as can be seen from here. If it
 * has, the connection is closed now, without on_down. Only where ready. */
bool pg_conn_is_fresh(struct pg_conn *conn);

/* Only where ready. Calls done(arg, answer) once, later; the server is told to give up
 * after `within_ms`, and a second later the connection is closed. */
void pg_conn_run(struct pg_conn *conn, const struct pg_batch *batch, int64_t within_ms,
                 pg_answer_cb done, void *arg);
void pg_conn_cancel(struct pg_conn *conn); /* what is running; nothing: fine */

#endif
