/* One synchronous connection to PostgreSQL, for the command line. Never used by the
 * daemon. The process must ignore SIGPIPE.
 *
 * Works through PgBouncer with pool_mode=transaction: no named statements, no session
 * state. A signal whose handler returns (Ctrl-C under interrupt_watch()) ends what is
 * being waited for.
 *
 * Errors are ERR_DATABASE; after one without an SQLSTATE the connection is lost, and
 * every call repeats the error.
 */
#ifndef PG_ASK_H
#define PG_ASK_H

#include "base/err.h"
#include "config/config.h"
#include "pg/result.h"

struct pg_ask;
struct pg_ask_rows; /* an answer */

struct pg_ask_options {
    const struct postgres_endpoint *endpoint; /* borrowed for the call */
    int64_t connect_ms;                       /* names are looked up before that begins */
    int64_t answer_ms;                        /* for each statement */
};

/* Connects. The error names the database without its password. */
struct pg_ask *pg_ask_open(const struct pg_ask_options *options,
                           struct err *err) MUSTCHECK;
void pg_ask_close(struct pg_ask *ask); /* NULL is fine; an open transaction is undone */

/* Runs one statement; NULL with `err` where it failed. Free the answer. */
struct pg_ask_rows *pg_ask_run(struct pg_ask *ask, const struct pg_statement *statement,
                               struct err *err) MUSTCHECK;
/* A statement without values whose answer is of no interest. */
int pg_ask_do(struct pg_ask *ask, const char *sql, struct err *err) MUSTCHECK;

/* ROLLBACK, as well as it can: what is left undone ends with the connection. */
void pg_ask_undo(struct pg_ask *ask);

/* Of the last statement that failed: "42P01"; "" where PostgreSQL did not say. */
const char *pg_ask_sqlstate(const struct pg_ask *ask);

size_t pg_ask_row_ct(const struct pg_ask_rows *rows);
int64_t pg_ask_affected(const struct pg_ask_rows *rows);
/* NUL-terminated, borrowed from the answer; ptr NULL: NULL. */
struct slice pg_ask_value(const struct pg_ask_rows *rows, size_t row, size_t column);
/* "" for NULL. */
const char *pg_ask_text(const struct pg_ask_rows *rows, size_t row, size_t column);
int64_t pg_ask_integer(const struct pg_ask_rows *rows, size_t row, size_t column);
void pg_ask_free(struct pg_ask_rows *rows); /* NULL is fine */

#endif
