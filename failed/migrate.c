/* Making and checking the table of failed jobs.
 *
 * What is checked is what drover's own statements need, and what would refuse the rows
 * that it writes; a table may have more than that.
 */
#include "failed/migrate.h"

#include <stdlib.h>
#include <string.h>

enum { COLUMN_CT = 7, CREATE_CT = 2 };

/* Of each column: its name and the category of its type, as pg_type has it. */
static const struct {
    const char *name;
    char category;
    const char *expected;
} columns[COLUMN_CT] = {
    {"id", 'N', "bigserial"},        {"uuid", 'S', "varchar(255)"},
    {"connection", 'S', "text"},     {"queue", 'S', "text"},
    {"payload", 'S', "text"},        {"exception", 'S', "text"},
    {"failed_at", 'D', "timestamp"},
};

/* A row for each column of the table: name, type, category, whether a row needs a value
 * for it, whether it is limited in length, whether it is unique by itself. */
static const char look_sql[] =
    "SELECT a.attname, format_type(a.atttypid, a.atttypmod), t.typcategory, "
    "a.attnotnull AND NOT a.atthasdef AND a.attidentity = '', a.atttypmod <> -1, "
    "EXISTS (SELECT 1 FROM pg_index i WHERE i.indrelid = a.attrelid AND i.indisunique "
    "AND i.indpred IS NULL AND i.indnkeyatts = 1 AND i.indkey[0] = a.attnum) "
    "FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid "
    "WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped";

static const char rights_sql[] =
    "SELECT c.relkind IN ('r', 'p'), concat_ws(', ', "
    "CASE WHEN NOT has_table_privilege(c.oid, 'SELECT') THEN 'SELECT' END, "
    "CASE WHEN NOT has_table_privilege(c.oid, 'INSERT') THEN 'INSERT' END, "
    "CASE WHEN NOT has_table_privilege(c.oid, 'DELETE') THEN 'DELETE' END) "
    "FROM pg_class c WHERE c.oid = to_regclass($1)";

enum { AT_NAME, AT_TYPE, AT_CATEGORY, AT_NEEDED, AT_LIMITED, AT_UNIQUE };

static struct pg_ask_rows *ask_about(struct failed_table *table, const char *sql,
                                     struct err *err)
{
    const struct pg_param param = {.value = slice_text(table->name)};
    const struct pg_statement statement = {.sql = sql, .params = &param, .param_ct = 1};

    return pg_ask_run(table->ask, &statement, err);
}

static bool is_true(const struct pg_ask_rows *rows, size_t row, size_t column)
{
    return strcmp(pg_ask_text(rows, row, column), "t") == 0;
}

/* The row about column `name`; the number of rows where there is none. */
static size_t find_column(const struct pg_ask_rows *rows, const char *name)
{
    size_t at = 0;

    while (at < pg_ask_row_ct(rows) && strcmp(pg_ask_text(rows, at, AT_NAME), name) != 0)
        at++;
    return at;
}

static int refuse_missing(const struct failed_table *table,
                          const struct pg_ask_rows *rows, struct err *err)
{
    struct buf names;
    int rc = 0;

    buf_init(&names, 0);
    for (size_t i = 0; i < COLUMN_CT; i++)
        if (find_column(rows, columns[i].name) == pg_ask_row_ct(rows))
            (void)buf_addf(&names, "%s%s", names.len ? ", " : "", columns[i].name);
    if (names.len)
        rc = err_set(err, ERR_DATABASE,
                     "the table %s is there, but without %s: it is not Laravel's "
                     "failed_jobs of 8.x or later; change it, or name another in "
                     "failed.table",
                     table->name, names.data);
    buf_free(&names);
    return rc;
}

/* Types, lengths, and the index that tells a second row of the same uuid. */
static int check_column(const struct failed_table *table, const struct pg_ask_rows *rows,
                        size_t i, struct err *err)
{
    size_t at = find_column(rows, columns[i].name);
    bool is_text = strcmp(columns[i].expected, "text") == 0;
    bool is_long = strcmp(columns[i].name, "payload") == 0 ||
                   strcmp(columns[i].name, "exception") == 0;

    if (pg_ask_text(rows, at, AT_CATEGORY)[0] != columns[i].category ||
        (is_text && is_long && is_true(rows, at, AT_LIMITED)))
        return err_set(err, ERR_DATABASE, "%s.%s is %s: drover needs %s", table->name,
                       columns[i].name, pg_ask_text(rows, at, AT_TYPE),
                       columns[i].expected);
    if (i == 0 && is_true(rows, at, AT_NEEDED))
        return err_set(err, ERR_DATABASE, "%s.id has no default: drover needs bigserial",
                       table->name);
    if (strcmp(columns[i].name, "uuid") == 0 && !is_true(rows, at, AT_UNIQUE))
        return err_set(err, ERR_DATABASE,
                       "%s.uuid has no unique index: do ALTER TABLE %s ADD UNIQUE (uuid)",
                       table->name, table->name);
    return 0;
}

static bool is_ours(const char *name)
{
    for (size_t i = 0; i < COLUMN_CT; i++)
        if (strcmp(columns[i].name, name) == 0)
            return true;
    return false;
}

static int check_columns(const struct failed_table *table, const struct pg_ask_rows *rows,
                         struct err *err)
{
    if (refuse_missing(table, rows, err) != 0)
        return -1;
    for (size_t i = 0; i < COLUMN_CT; i++)
        if (check_column(table, rows, i, err) != 0)
            return -1;
    for (size_t at = 0; at < pg_ask_row_ct(rows); at++)
        if (!is_ours(pg_ask_text(rows, at, AT_NAME)) && is_true(rows, at, AT_NEEDED))
            return err_set(err, ERR_DATABASE,
                           "%s.%s must have a value and has no default: drover has none "
                           "for it",
                           table->name, pg_ask_text(rows, at, AT_NAME));
    return 0;
}

static int check_rights(struct failed_table *table, struct err *err)
{
    struct pg_ask_rows *rows = ask_about(table, rights_sql, err);
    const char *lacking;
    int rc = 0;

    if (rows == NULL)
        return -1;
    lacking = pg_ask_text(rows, 0, 1);
    if (!is_true(rows, 0, 0))
        rc = err_set(err, ERR_DATABASE, "%s is there, but is no table", table->name);
    else if (lacking[0])
        rc = err_set(err, ERR_DATABASE, "no right to %s on %s: do GRANT %s ON %s TO ...",
                     lacking, table->name, lacking, table->name);
    pg_ask_free(rows);
    return rc;
}

int failed_migrate_look(struct failed_table *table, bool *there, struct err *err)
{
    struct pg_ask_rows *rows = ask_about(table, look_sql, err);
    int rc = 0;

    if (rows == NULL)
        return -1;
    *there = pg_ask_row_ct(rows) > 0;
    if (*there)
        rc = check_columns(table, rows, err);
    pg_ask_free(rows);
    return rc == 0 && *there ? check_rights(table, err) : rc;
}

/* ---- making it ---- */

/* Of "schema"."table" or "table". */
static char *bare_name(const struct failed_table *table)
{
    const char *dot = strchr(table->name, '.');
    const char *start = dot ? dot + 2 : table->name + 1;

    return must_strndup(start, strlen(start) - 1);
}

/* Names as Laravel gives them. */
static void spell(const struct failed_table *table, char *sql[CREATE_CT])
{
    char *name = bare_name(table);

    sql[0] = must_format("CREATE TABLE %s (\n"
                         "    id bigserial PRIMARY KEY,\n"
                         "    uuid varchar(255) NOT NULL\n"
                         "        CONSTRAINT \"%.51s_uuid_unique\" UNIQUE,\n"
                         "    connection text NOT NULL,\n"
                         "    queue text NOT NULL,\n"
                         "    payload text NOT NULL,\n"
                         "    exception text NOT NULL,\n"
                         "    failed_at timestamp(0) without time zone NOT NULL\n"
                         "        DEFAULT CURRENT_TIMESTAMP\n"
                         ")",
                         table->name, name);
    sql[1] = must_format("CREATE INDEX \"%.30s_connection_queue_failed_at_index\"\n"
                         "    ON %s (connection, queue, failed_at)",
                         name, table->name);
    free(name);
}

char *failed_migrate_sql(const struct failed_table *table)
{
    char *sql[CREATE_CT], *text;

    spell(table, sql);
    text = must_format("%s;\n%s;\n", sql[0], sql[1]);
    free(sql[0]);
    free(sql[1]);
    return text;
}

int failed_migrate_create(struct failed_table *table, struct err *err)
{
    char *sql[CREATE_CT];
    int rc;

    spell(table, sql);
    rc = pg_ask_do(table->ask, "BEGIN", err);
    if (rc == 0)
        rc = pg_ask_do(table->ask, "SET LOCAL lock_timeout = '10s'", err);
    for (size_t i = 0; i < CREATE_CT && rc == 0; i++)
        rc = pg_ask_do(table->ask, sql[i], err);
    if (rc == 0)
        rc = pg_ask_do(table->ask, "COMMIT", err);
    else
        pg_ask_undo(table->ask);
    free(sql[0]);
    free(sql[1]);
    return rc;
}
