/* A few connections to one PostgreSQL database, on the event loop, and batches of
 * statements that run on them.
 *
 * Works through PgBouncer with pool_mode=transaction: no session state, no named
 * statements, nothing outside a transaction but PG_ONE. What shall hold for the
 * statements of a transaction alone (a search_path, say) is a statement of its own,
 * before them: SELECT set_config('search_path', $1, true).
 *
 * Connections are opened when there is something to run, at most `size`, and closed when
 * idle for a while. Connecting is tried again after 50 ms to 2 s, jittered, for as long
 * as something waits. After anything doubtful (an answer that is late, a protocol error)
 * a connection is closed, never used again. Host names are resolved on the loop.
 *
 * The process ignores SIGPIPE.
 */
#ifndef PG_POOL_H
#define PG_POOL_H

#include "base/err.h"
#include "base/loop.h"
#include "pg/result.h"

struct pg_pool;
struct pg_request;

struct pg_pool_options {
    struct loop *loop;
    const char *name;          /* for the log; copied */
    const char *dsn;           /* "host=... dbname=..." or a postgres:// URI; copied */
    const char *password;      /* instead of the dsn's; NULL: that of the dsn; copied */
    unsigned size;             /* connections at most, at least 1 */
    int64_t connect_within_ms; /* names, sockets, TLS and log-in together */
    int64_t idle_ms;           /* an unused connection is closed after so long */
};

/* Connects to nothing yet. NULL with ERR_CONFIG where the dsn cannot be understood. */
struct pg_pool *pg_pool_create(const struct pg_pool_options *options,
                               struct err *err) MUSTCHECK;
/* NULL is fine. Closes at once; what is under way is called back first, from here, as
 * PG_UNSENT or PG_UNKNOWN. */
void pg_pool_destroy(struct pg_pool *pool);

enum pg_kind {
    PG_ONE,  /* a single statement, which commits by itself */
    PG_ALL,  /* one transaction: all of them or none */
    PG_EACH, /* one transaction, a savepoint around each: a refused one leaves no trace,
                the others are committed */
    PG_LOOK  /* a single statement is understood, but not run: see pg_param_type() */
};

struct pg_batch {
    enum pg_kind kind;
    const struct pg_statement *statements; /* borrowed, with all that is in them, until
                                              the callback */
    size_t ct;                             /* at least 1 */
    /* With PG_ALL: the last so many are one statement (the same `sql`) with other values,
     * which the server then parses once. Below 2: none. */
    size_t same_ct;
    /* Rows are dropped as they come: the results have none, but `affected` counts them.
     * Otherwise all of them are held until the callback, so that is for statements whose
     * rows are few. */
    bool drops_rows;
    /* From pg_pool_run() on, waiting for a connection included. Then the server gives up
     * (but with PG_ONE, which cannot tell it to), and a second later so do we. */
    int64_t within_ms;
    int64_t statement_ms; /* what each statement may take; 0: as within_ms says */
    /* How long it waits while no connection is up; 0: as within_ms says. */
    int64_t patience_ms;
};

enum pg_end {
    PG_DONE,        /* committed; with PG_EACH look at each result */
    PG_TURNED_DOWN, /* the server refused: nothing has changed. `why` is what it said */
    PG_UNSENT,      /* no connection in time: nothing has changed */
    PG_UNKNOWN, /* sent, and the connection ended before the answer to COMMIT: it may have
                   been committed */
};

struct pg_answer {
    enum pg_end end;
    struct err why; /* of all but PG_DONE; "SQLSTATE 23505: ..." where the server spoke */
    char sqlstate[PG_SQLSTATE_BYTES]; /* of PG_TURNED_DOWN; else "" */
    bool no_server; /* of PG_UNKNOWN: it has not been, a pooler had no server for it */
    const struct pg_result *results; /* of the statements, in their order; as far as
                                        known unless PG_DONE */
    size_t ct;
};

/* Called once, from the loop, never from inside pg_pool_run(). `answer` is borrowed until
 * it returns. */
typedef void (*pg_answer_cb)(void *arg, const struct pg_answer *answer);

/* Runs the batch, in pipeline mode: one round trip, whatever its size. The request is for
 * pg_request_cancel() alone, and gone once called back. */
struct pg_request *pg_pool_run(struct pg_pool *pool, const struct pg_batch *batch,
                               pg_answer_cb done, void *arg);

/* Whether any connection is. */
bool pg_pool_is_up(const struct pg_pool *pool);

/* Asks for an early end, without blocking; the callback comes all the same: PG_UNSENT
 * where it still waited, PG_TURNED_DOWN with SQLSTATE 57014 where the server stopped it,
 * or PG_DONE where that came too late. */
void pg_request_cancel(struct pg_request *request);

/* Whether nothing of it has been sent yet. */
bool pg_request_is_waiting(const struct pg_request *request);

#endif
