/* Asking a database about a statement that is to be widened: first what it makes of the
 * parameters, then what it knows of the table and the types. While that is under way, or
 * where it goes wrong, there is no wide form, and each job has its own statement. Knows
 * no batch and no job. */
#include "jobs/sql_wide.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "jobs/sql_rows.h"
#include "pg/array.h"

enum { LOOK_EVERY_MS = 60000, LOOK_WITHIN_MS = 10000 };

enum { PARAM_TABLE, PARAM_TYPES, PARAM_CT };
enum { LOOK_ARRAY, LOOK_PROVISO };

struct sql_wide {
    struct sql_database *database;
    const struct sql_config *config;
    struct sql_rows rows;
    struct buf text; /* "": none */
    bool asking;
    int64_t ask_at_ms; /* monotonic */
    struct pg_statement statement;
    struct pg_param params[PARAM_CT];
    struct buf types; /* text of the array of their OIDs */
};

/* A row for each parameter, the name of its type's array, if all is well. The modifier -1
 * makes it the type without a length: character[] would be one of single characters.
 * Types of rows would become several columns.
 *
 * With it, in each row, the condition that no column has another type than it has now, of
 * those that a parameter may go to as it is; but a text becomes whatever the column is,
 * or nothing. The table's name is that of the type of its rows, where no other type has
 * it.
 */
static const char look_sql[] =
    "WITH target AS (SELECT to_regclass($1)::oid AS oid), tree AS (SELECT oid FROM target"
    " UNION SELECT relid FROM target, pg_partition_tree(target.oid)), "
    "proviso AS (SELECT string_agg(format('pg_typeof((NULL::%s).%I) = %s::oid', $1,"
    " a.attname, a.atttypid), ' AND ' ORDER BY a.attnum) AS text FROM target"
    " JOIN pg_attribute a ON a.attrelid = target.oid WHERE a.attnum > 0"
    " AND NOT a.attisdropped AND a.atttypid = ANY($2::oid[])"
    " AND a.atttypid NOT IN ('text'::regtype, 'varchar'::regtype)) "
    "SELECT format_type(t.typarray, -1), proviso.text"
    " FROM unnest($2::oid[]) WITH ORDINALITY AS p(oid, at)"
    " JOIN pg_type t ON t.oid = p.oid, proviso "
    "WHERE t.typarray <> 0 AND t.typdelim = ',' AND t.typtype IN ('b', 'e', 'r') "
    "AND EXISTS (SELECT FROM target JOIN pg_class c ON c.oid = target.oid"
    " WHERE c.reltype = to_regtype($1)) "
    "AND NOT EXISTS (SELECT FROM tree JOIN pg_class c ON c.oid = tree.oid WHERE "
    "c.relkind NOT IN ('r', 'p') OR c.relhasrules OR c.relrowsecurity "
    "OR EXISTS (SELECT FROM pg_trigger g WHERE g.tgrelid = c.oid AND NOT g.tgisinternal) "
    "OR EXISTS (SELECT FROM pg_constraint k WHERE k.conrelid = c.oid"
    " AND k.contype = 'f' AND k.confrelid IN (SELECT oid FROM tree)) "
    "OR EXISTS (SELECT FROM pg_depend d JOIN pg_proc f ON f.oid = d.refobjid"
    " JOIN pg_language l ON l.oid = f.prolang"
    " WHERE d.refclassid = 'pg_proc'::regclass AND l.lanname NOT IN ('c', 'internal')"
    " AND ((d.classid = 'pg_attrdef'::regclass AND d.objid IN"
    " (SELECT a.oid FROM pg_attrdef a WHERE a.adrelid = c.oid))"
    " OR (d.classid = 'pg_constraint'::regclass AND d.objid IN"
    " (SELECT k.oid FROM pg_constraint k WHERE k.conrelid = c.oid))))) "
    "ORDER BY p.at";

struct sql_wide *sql_wide_create(struct sql_database *database,
                                 const struct sql_config *config)
{
    struct sql_wide *wide;
    struct sql_rows rows;

    if (config->batch < 2 || sql_database_config(database)->search_path != NULL ||
        !sql_rows_read(&rows, config->statement, config->params.ct))
        return NULL;
    wide = must_alloc(sizeof(*wide));
    wide->database = database;
    wide->rows = rows;
    wide->config = config;
    buf_init(&wide->text, 0);
    buf_init(&wide->types, 0);
    return wide;
}

void sql_wide_free(struct sql_wide *wide)
{
    if (wide == NULL)
        return;
    buf_free(&wide->text);
    buf_free(&wide->types);
    free(wide);
}

/* ---- asking ---- */

static void ask(struct sql_wide *wide, enum pg_kind kind, pg_answer_cb answered)
{
    const struct pg_batch batch = {.kind = kind,
                                   .statements = &wide->statement,
                                   .ct = 1,
                                   .within_ms = LOOK_WITHIN_MS};

    (void)sql_database_run(wide->database, &batch, answered, wide);
}

static void end_asking(struct sql_wide *wide)
{
    wide->asking = false;
    wide->ask_at_ms = clock_mono_ms() + LOOK_EVERY_MS;
}

static void write_text(struct sql_wide *wide, const struct pg_result *found)
{
    struct slice arrays[SQL_ROWS_PARAMS_MAX];

    buf_clear(&wide->text);
    if (found->row_ct != wide->rows.param_ct)
        return;
    for (size_t i = 0; i < found->row_ct; i++)
        arrays[i] = pg_value(found, i, LOOK_ARRAY);
    sql_rows_write(&wide->text, &wide->rows, arrays, pg_value(found, 0, LOOK_PROVISO));
}

static void looked(void *arg, const struct pg_answer *answer)
{
    struct sql_wide *wide = arg;

    if (sql_database_is_closing(wide->database))
        return;
    if (answer->end == PG_DONE)
        write_text(wide, &answer->results[0]);
    else if (answer->end == PG_TURNED_DOWN)
        buf_clear(&wide->text);
    end_asking(wide);
}

static void look_into_catalog(struct sql_wide *wide, const struct pg_result *described)
{
    char number[16];

    buf_clear(&wide->types);
    for (size_t i = 0; i < wide->rows.param_ct; i++) {
        (void)snprintf(number, sizeof(number), "%u", pg_param_type(described, i));
        pg_array_add(&wide->types, slice_text(number));
    }
    pg_array_end(&wide->types);
    wide->params[PARAM_TABLE].value = wide->rows.table;
    wide->params[PARAM_TYPES].value = buf_slice(&wide->types);
    wide->statement = (struct pg_statement){
        .sql = look_sql, .params = wide->params, .param_ct = PARAM_CT};
    ask(wide, PG_ONE, looked);
}

static void described(void *arg, const struct pg_answer *answer)
{
    struct sql_wide *wide = arg;

    if (sql_database_is_closing(wide->database))
        return;
    if (answer->end == PG_DONE && pg_param_ct(&answer->results[0]) == wide->rows.param_ct)
        look_into_catalog(wide, &answer->results[0]);
    else
        looked(wide, answer);
}

void sql_wide_look(struct sql_wide *wide)
{
    if (wide == NULL || wide->asking || clock_mono_ms() < wide->ask_at_ms)
        return;
    wide->asking = true;
    wide->statement = (struct pg_statement){.sql = wide->config->statement};
    ask(wide, PG_LOOK, described);
}

const char *sql_wide_text(const struct sql_wide *wide)
{
    return wide && wide->text.len > 0 ? wide->text.data : NULL;
}

void sql_wide_doubt(struct sql_wide *wide)
{
    if (wide == NULL)
        return;
    buf_clear(&wide->text);
    if (!wide->asking)
        wide->ask_at_ms = clock_mono_ms() + LOOK_EVERY_MS;
}
