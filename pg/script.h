/* A batch as what goes over the wire: its statements with BEGIN, savepoints and COMMIT
 * around them, and where the synchronization points are. Pure.
 *
 * With PG_EACH every statement is preceded by a ROLLBACK TO the savepoint, which does
 * nothing where the one before it went well, for that has moved the savepoint behind
 * itself; so the whole goes out at once, without waiting to see what is refused.
 */
#ifndef PG_SCRIPT_H
#define PG_SCRIPT_H

#include "pg/pool.h"

enum { SCRIPT_NO_STATEMENT = -1 };

struct script_step {
    const char *sql;
    const struct pg_param *params;
    size_t param_ct;
    /* Index of the statement that is undone where this is refused, or
     * SCRIPT_NO_STATEMENT: then the whole batch is. */
    int64_t statement;
    bool is_statement; /* it is that statement itself */
    bool parses;       /* `sql` is to be parsed, for steps that are bound */
    bool bound;        /* what was parsed last, with these values */
    bool describes;    /* what was parsed last, which is not run */
    bool commits;      /* the batch is committed when this has gone well */
    bool sync;         /* a synchronization point follows */
};

/* Whether the batch is one statement, without a transaction around it. */
bool script_is_single(const struct pg_batch *batch);

size_t script_step_ct(const struct pg_batch *batch);

/* Step `at` of `batch`. `timeout` is the value of statement_timeout. */
void script_step(const struct pg_batch *batch, size_t at, const struct pg_param *timeout,
                 struct script_step *step);

size_t script_sync_ct(const struct pg_batch *batch);

#endif
