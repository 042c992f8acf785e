/* Making and checking drover_inbox. What is checked is what jobs/sql_batch.c relies on:
 * that a uuid can be there once only, and that a row needs no more than it. No language
 * has a say in how uuids are compared, which would cost more than all the rest. */
#include "jobs/sql_inbox.h"

#include <string.h>

#define CREATE_TABLE                                                                     \
    "CREATE TABLE IF NOT EXISTS drover_inbox (uuid text COLLATE \"C\" PRIMARY KEY, "     \
    "done_at timestamptz NOT NULL DEFAULT now())"
#define CREATE_INDEX                                                                     \
    "CREATE INDEX IF NOT EXISTS drover_inbox_done_at_index ON drover_inbox (done_at)"

const char sql_inbox_text[] = CREATE_TABLE ";\n" CREATE_INDEX ";\n";

/* One row: whether the table is there; whether uuid alone is unique; whether done_at is
 * there; columns that a row would lack; rights that are missing. */
static const char look_sql[] =
    "SELECT t.oid IS NOT NULL, "
    "EXISTS (SELECT 1 FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND "
    "a.attnum = i.indkey[0] WHERE i.indrelid = t.oid AND i.indisunique AND "
    "i.indimmediate "
    "AND i.indpred IS NULL AND i.indnkeyatts = 1 AND a.attname = 'uuid'), "
    "EXISTS (SELECT 1 FROM pg_attribute a WHERE a.attrelid = t.oid AND "
    "a.attname = 'done_at' AND NOT a.attisdropped), "
    "(SELECT string_agg(a.attname, ', ') FROM pg_attribute a WHERE a.attrelid = t.oid "
    "AND "
    "a.attnum > 0 AND NOT a.attisdropped AND a.attname <> 'uuid' AND a.attnotnull AND "
    "NOT "
    "a.atthasdef AND a.attidentity = ''), "
    "CASE WHEN t.oid IS NOT NULL THEN concat_ws(', ', "
    "CASE WHEN NOT has_table_privilege(t.oid, 'SELECT') THEN 'SELECT' END, "
    "CASE WHEN NOT has_table_privilege(t.oid, 'INSERT') THEN 'INSERT' END, "
    "CASE WHEN NOT has_table_privilege(t.oid, 'DELETE') THEN 'DELETE' END) END "
    "FROM (SELECT to_regclass('drover_inbox')::oid AS oid) t";

enum { AT_THERE, AT_UNIQUE, AT_DONE_AT, AT_NEEDED, AT_RIGHTS };

static bool is_true(const struct pg_ask_rows *rows, size_t column)
{
    return strcmp(pg_ask_text(rows, 0, column), "t") == 0;
}

static int judge(const struct pg_ask_rows *rows, struct err *err)
{
    const char *needed = pg_ask_text(rows, 0, AT_NEEDED);
    const char *rights = pg_ask_text(rows, 0, AT_RIGHTS);

    if (!is_true(rows, AT_UNIQUE))
        return err_set(err, ERR_DATABASE,
                       "drover_inbox is there, but without a primary key (uuid)");
    if (!is_true(rows, AT_DONE_AT))
        return err_set(err, ERR_DATABASE, "drover_inbox is there, but without done_at");
    if (needed[0])
        return err_set(err, ERR_DATABASE,
                       "drover_inbox is there, but wants a value for %s", needed);
    if (rights[0])
        return err_set(err, ERR_DATABASE, "no right to %s on drover_inbox", rights);
    return 0;
}

int sql_inbox_look(struct pg_ask *ask, bool *there, struct err *err)
{
    const struct pg_statement look = {.sql = look_sql};
    struct pg_ask_rows *rows = pg_ask_run(ask, &look, err);
    int rc;

    if (rows == NULL)
        return -1;
    *there = is_true(rows, AT_THERE);
    rc = *there ? judge(rows, err) : 0;
    pg_ask_free(rows);
    return rc;
}

int sql_inbox_create(struct pg_ask *ask, struct err *err)
{
    static const char *const steps[] = {"BEGIN", CREATE_TABLE, CREATE_INDEX, "COMMIT"};

    for (size_t i = 0; i < ARRAY_CT(steps); i++)
        if (pg_ask_do(ask, steps[i], err) != 0) {
            pg_ask_undo(ask);
            return -1;
        }
    return 0;
}
