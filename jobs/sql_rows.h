/* One INSERT for many rows, made of an INSERT for one: instead of
 *
 *     INSERT INTO t (a, b) VALUES ($1, lower($2)) ON CONFLICT DO NOTHING
 *
 * run for each row, once
 *
 *     INSERT INTO t (a, b) SELECT drover.p1, lower(drover.p2)
 *     FROM unnest($1::bigint[], $2::text[]) AS drover(p1, p2) ON CONFLICT DO NOTHING
 *
 * with an array for each parameter. Its text is the same for any number of rows. Pure.
 *
 * Only a statement whose rows cannot tell the difference is taken: one that calls
 * functions beyond PostgreSQL's plain ones, or asks tables, might see what the rows
 * before it have changed. What is not understood is not taken.
 */
#ifndef JOBS_SQL_ROWS_H
#define JOBS_SQL_ROWS_H

#include "base/buf.h"

enum { SQL_ROWS_PARAMS_MAX = 100 };

/* Borrows from the statement. */
struct sql_rows {
    struct slice table; /* as it is written: schema."Name" */
    struct slice head;  /* up to VALUES */
    struct slice row;   /* between its parentheses */
    struct slice tail;  /* what follows them */
    size_t param_ct;
};

/* Whether `statement`, with parameters up to $`param_ct`, can be widened so. */
bool sql_rows_read(struct sql_rows *rows, const char *statement, size_t param_ct);

/* Appends the wide statement; `arrays` are the names of the parameters' array types, as
 * SQL has them ("bigint[]"). `proviso` is a condition without which the server refuses
 * it; ptr NULL: none. */
void sql_rows_write(struct buf *out, const struct sql_rows *rows,
                    const struct slice *arrays, struct slice proviso);

#endif
