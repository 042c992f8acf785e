/* From a batch to its steps. Each step is worked out from its number alone, so that
 * nothing is kept: what is sent and what the answers belong to cannot differ. Pure. */
#include "pg/script.h"

enum {
    HEAD_CT = 2,       /* BEGIN, statement_timeout */
    EACH_HEAD_CT = 3,  /* and the first savepoint */
    EACH_CT = 4,       /* steps of a statement with its savepoint */
    EACH_STATEMENT = 1 /* which of these is the statement */
};

static const char set_timeout[] = "SELECT set_config('statement_timeout', $1, true)";

static bool parses_once(const struct pg_batch *batch)
{
    return batch->kind == PG_ALL && batch->same_ct > 1;
}

bool script_is_single(const struct pg_batch *batch)
{
    return batch->kind == PG_ONE || batch->kind == PG_LOOK;
}

size_t script_step_ct(const struct pg_batch *batch)
{
    switch (batch->kind) {
    case PG_ONE:
        return 1;
    case PG_LOOK:
        return 2;
    case PG_ALL:
        return HEAD_CT + parses_once(batch) + batch->ct + 1;
    case PG_EACH:
        break;
    }
    return EACH_HEAD_CT + EACH_CT * batch->ct + 2;
}

size_t script_sync_ct(const struct pg_batch *batch)
{
    switch (batch->kind) {
    case PG_ONE:
    case PG_LOOK:
        return 1;
    case PG_ALL:
        return 2;
    case PG_EACH:
        break;
    }
    return batch->ct + 2;
}

static void put_statement(const struct pg_batch *batch, size_t index,
                          struct script_step *step)
{
    const struct pg_statement *statement = &batch->statements[index];

    step->sql = statement->sql;
    step->params = statement->params;
    step->param_ct = statement->param_ct;
    step->statement = (int64_t)index;
    step->is_statement = true;
}

static void put_look(const struct pg_batch *batch, size_t at, struct script_step *step)
{
    put_statement(batch, 0, step);
    step->parses = at == 0;
    step->describes = step->commits = step->sync = at > 0;
    step->is_statement = at > 0;
}

static void put_head(size_t at, const struct pg_param *timeout, struct script_step *step)
{
    if (at == 0) {
        step->sql = "BEGIN";
        return;
    }
    step->sql = set_timeout;
    step->params = timeout;
    step->param_ct = 1;
}

static void put_commit(struct script_step *step)
{
    step->sql = "COMMIT";
    step->commits = true;
    step->sync = true;
}

/* Those that are the same follow a step that parses the first of them. */
static void put_same(const struct pg_batch *batch, size_t index, struct script_step *step)
{
    size_t first = batch->ct - batch->same_ct;

    if (index < first) {
        put_statement(batch, index, step);
    } else if (index == first) {
        put_statement(batch, first, step);
        step->is_statement = false;
        step->parses = true;
    } else {
        put_statement(batch, index - 1, step);
        step->bound = true;
    }
}

/* A refused statement makes the server skip what follows up to the synchronization point,
 * and COMMIT then rolls back. */
static void put_all(const struct pg_batch *batch, size_t at,
                    const struct pg_param *timeout, struct script_step *step)
{
    size_t end = script_step_ct(batch) - 1;

    if (at < HEAD_CT) {
        put_head(at, timeout, step);
    } else if (at < end) {
        if (parses_once(batch))
            put_same(batch, at - HEAD_CT, step);
        else
            put_statement(batch, at - HEAD_CT, step);
        step->sync = at + 1 == end;
    } else {
        put_commit(step);
    }
}

static void put_each(const struct pg_batch *batch, size_t at,
                     const struct pg_param *timeout, struct script_step *step)
{
    static const char *const around[EACH_CT] = {"ROLLBACK TO SAVEPOINT drover", NULL,
                                                "RELEASE SAVEPOINT drover",
                                                "SAVEPOINT drover"};
    size_t in;

    if (at < HEAD_CT) {
        put_head(at, timeout, step);
        return;
    }
    if (at < EACH_HEAD_CT) {
        step->sql = "SAVEPOINT drover";
        step->sync = true;
        return;
    }
    in = at - EACH_HEAD_CT;
    if (in / EACH_CT < batch->ct && in % EACH_CT == EACH_STATEMENT) {
        put_statement(batch, in / EACH_CT, step);
    } else if (in > EACH_CT * batch->ct) {
        put_commit(step);
    } else {
        step->sql = around[in % EACH_CT];
        if (in % EACH_CT > EACH_STATEMENT)
            step->statement = (int64_t)(in / EACH_CT);
        step->sync = in % EACH_CT == EACH_CT - 1;
    }
}

void script_step(const struct pg_batch *batch, size_t at, const struct pg_param *timeout,
                 struct script_step *step)
{
    *step = (struct script_step){.statement = SCRIPT_NO_STATEMENT};
    switch (batch->kind) {
    case PG_ONE:
        put_statement(batch, 0, step);
        step->commits = true;
        step->sync = true;
        break;
    case PG_LOOK:
        put_look(batch, at, step);
        break;
    case PG_ALL:
        put_all(batch, at, timeout, step);
        break;
    case PG_EACH:
        put_each(batch, at, timeout, step);
        break;
    }
}
