/* Statements for PostgreSQL, and what became of them. Plain data; what is pointed to is
 * borrowed, as whoever hands it over says. */
#ifndef PG_RESULT_H
#define PG_RESULT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

/* The value of $1, $2, ... Text unless `binary`; a text holds no NUL. */
struct pg_param {
    struct slice value; /* ptr NULL: NULL */
    bool binary;        /* the type's binary form: for bytea the bytes themselves */
};

/* One command, without a final semicolon. Values go in `params`, never into `sql`. */
struct pg_statement {
    const char *sql;
    const struct pg_param *params;
    size_t param_ct;
};

enum pg_state {
    PG_NOT_RUN, /* something before it went wrong */
    PG_OK,
    PG_REFUSED /* sqlstate and message say why */
};

enum { PG_SQLSTATE_BYTES = 6 };

struct pg_rows; /* libpq's */

struct pg_result {
    enum pg_state state;
    char sqlstate[PG_SQLSTATE_BYTES]; /* "" where not refused */
    const char *message, *detail;     /* "" where there is none; may hold data of rows */
    const char *hint;                 /* "" where there is none */
    int64_t affected;                 /* rows inserted, updated, deleted, selected */
    size_t row_ct, column_ct;         /* 0 where the batch drops rows */
    const struct pg_rows *rows;
};

/* A value as text, NUL-terminated; ptr NULL: NULL. Borrowed as the result is. */
struct slice pg_value(const struct pg_result *result, size_t row, size_t column);

/* Of PG_LOOK: how many parameters the statement has, and the OID of the type that $1 (0),
 * $2 (1), ... was found to have. */
size_t pg_param_ct(const struct pg_result *result);
unsigned pg_param_type(const struct pg_result *result, size_t param);

#endif
