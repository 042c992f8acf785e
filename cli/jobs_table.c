/* SQL on Laravel's table of jobs.
 *
 * Every statement works through PgBouncer in transaction mode. The order of locks is that
 * of Laravel's workers, rows by id with SKIP LOCKED, so neither side waits for the other.
 * What becomes of the rows elsewhere is the caller's business.
 */
#include "cli/jobs_table.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "config/dsn.h"
#include "pg/array.h"

enum {
    CONNECT_MS = 10000,
    ANSWER_MS = 60000,
    NAME_BYTES_MAX = 127, /* of schema and table, 63 each */
    LOCK_CLASS = 0x64726f76
};

#define QUOTE(number) #number
#define SPELL(number) QUOTE(number)
#define CLAIMED SPELL(2147483647)
_Static_assert(JOBS_CLAIMED == 2147483647, "as in the statements");

/* Whether a row, which nobody has claimed, is reserved; and whether the filter takes it
 * for forgotten. $1: seconds, below 0: never. */
#define IS_FORGOTTEN                                                                     \
    "(reserved_at IS NOT NULL AND $1::bigint >= 0 AND reserved_at <= "                   \
    "floor(extract(epoch FROM now()))::bigint - $1::bigint)"
/* What is confirmed must outlast a crash of the server, whatever that is set to. */
#define DURABLY "set_config('synchronous_commit', 'on', true)"
/* $2: text[]; NULL: all. */
#define IN_QUEUES "($2::text[] IS NULL OR queue = ANY ($2::text[]))"

struct jobs_table {
    struct pg_ask *ask;
    char *name; /* quoted */
    char *source;
    int64_t oid;
};

/* Runs a statement: what stands before and after the table's quoted name in it. */
static struct pg_ask_rows *run(struct jobs_table *table, const char *before,
                               const char *between, const char *after,
                               const struct pg_param *params, size_t param_ct,
                               struct err *err)
{
    char *sql = must_format("%s%s%s%s%s", before, table->name, between,
                            after ? table->name : "", after ? after : "");
    const struct pg_statement statement = {
        .sql = sql, .params = params, .param_ct = param_ct};
    struct pg_ask_rows *rows = pg_ask_run(table->ask, &statement, err);

    free(sql);
    return rows;
}

static struct pg_param text_param(const char *text)
{
    return (struct pg_param){.value = slice_text(text)};
}

struct number_text {
    char text[24];
};

static struct pg_param number_param(int64_t number, struct number_text *room)
{
    (void)snprintf(room->text, sizeof(room->text), "%" PRId64, number);
    return text_param(room->text);
}

/* ---- opening ---- */

/* "jobs", or "app"."jobs"; quotes in it are doubled. */
static char *quote_name(const char *name)
{
    struct buf out;

    buf_init(&out, 0);
    (void)buf_add_char(&out, '"');
    for (; *name; name++) {
        if (*name == '.')
            (void)buf_add_text(&out, "\".\"");
        else if (*name == '"')
            (void)buf_add_text(&out, "\"\"");
        else
            (void)buf_add_char(&out, *name);
    }
    (void)buf_add_char(&out, '"');
    return buf_take(&out);
}

static int check_name(const char *name, struct err *err)
{
    const char *dot = strchr(name, '.');
    size_t len = strlen(name);

    if (len == 0 || len > NAME_BYTES_MAX || dot == name || name[len - 1] == '.' ||
        (dot && strchr(dot + 1, '.')))
        return err_set(err, ERR_USAGE, "--table: \"%.40s\" is no name of a table", name);
    return 0;
}

static int check_dsn(const char *dsn, struct err *err)
{
    static const char *const others[] = {"mysql:", "mariadb:", "sqlite:", "sqlsrv:"};

    for (size_t i = 0; i < ARRAY_CT(others); i++)
        if (strncasecmp(dsn, others[i], strlen(others[i])) == 0)
            return err_set(err, ERR_USAGE,
                           "--dsn: only PostgreSQL is read, this is %.*s: let Laravel's "
                           "own workers empty that table, or copy it to PostgreSQL first",
                           (int)strlen(others[i]) - 1, others[i]);
    if (postgres_dsn_check(dsn, err) == 0)
        return 0;
    if (err)
        err->code = ERR_USAGE;
    return err_prefix(err, "--dsn");
}

static int connect_to(struct jobs_table *table, const char *dsn, struct err *err)
{
    struct postgres_endpoint endpoint = {.dsn = postgres_dsn_for_libpq(dsn)};
    const struct pg_ask_options options = {
        .endpoint = &endpoint, .connect_ms = CONNECT_MS, .answer_ms = ANSWER_MS};

    table->ask = pg_ask_open(&options, err);
    postgres_endpoint_free(&endpoint);
    return table->ask ? 0 : -1;
}

/* The identity of the cluster; where that may not be asked, the ids of database and table
 * have to do. */
static char *cluster_id(struct jobs_table *table)
{
    const struct pg_statement statement = {
        .sql = "SELECT system_identifier FROM pg_control_system()"};
    struct pg_ask_rows *rows = pg_ask_run(table->ask, &statement, NULL);
    char *id = must_strdup(rows ? pg_ask_text(rows, 0, 0) : "0");

    pg_ask_free(rows);
    return id;
}

/* Of the table: its ids, and what it lacks. */
static const char look_sql[] =
    "SELECT c.oid::bigint, (SELECT oid::bigint FROM pg_database WHERE datname = "
    "current_database()), (SELECT string_agg(wanted, ', ') FROM unnest("
    "'{id,queue,payload,attempts,reserved_at,available_at,created_at}'::text[]) wanted "
    "WHERE NOT EXISTS (SELECT 1 FROM pg_attribute a WHERE a.attrelid = c.oid AND "
    "a.attname = wanted AND a.attnum > 0 AND NOT a.attisdropped)), concat_ws(', ', "
    "CASE WHEN NOT has_table_privilege(c.oid, 'SELECT') THEN 'SELECT' END, "
    "CASE WHEN NOT has_table_privilege(c.oid, 'UPDATE') THEN 'UPDATE' END, "
    "CASE WHEN NOT has_table_privilege(c.oid, 'DELETE') THEN 'DELETE' END), "
    "c.relkind IN ('r', 'p') FROM pg_class c WHERE c.oid = to_regclass($1)";

enum { LOOK_OID, LOOK_DATABASE, LOOK_MISSING, LOOK_RIGHTS, LOOK_IS_TABLE };

static int check_look(const struct jobs_table *table, const struct pg_ask_rows *rows,
                      struct err *err)
{
    const char *missing, *rights;

    if (pg_ask_row_ct(rows) == 0)
        return err_set(err, ERR_NO_TABLE, "there is no table %s: name it with --table",
                       table->name);
    missing = pg_ask_text(rows, 0, LOOK_MISSING);
    rights = pg_ask_text(rows, 0, LOOK_RIGHTS);
    if (strcmp(pg_ask_text(rows, 0, LOOK_IS_TABLE), "t") != 0)
        return err_set(err, ERR_DATABASE, "%s is there, but is no table", table->name);
    if (missing[0])
        return err_set(err, ERR_DATABASE,
                       "the table %s is without %s: it is not Laravel's table of jobs",
                       table->name, missing);
    if (rights[0])
        return err_set(err, ERR_DATABASE,
                       "no right to %s on %s: do GRANT %s ON %s TO ...", rights,
                       table->name, rights, table->name);
    return 0;
}

static int look(struct jobs_table *table, struct err *err)
{
    const struct pg_param param = text_param(table->name);
    const struct pg_statement statement = {
        .sql = look_sql, .params = &param, .param_ct = 1};
    struct pg_ask_rows *rows = pg_ask_run(table->ask, &statement, err);
    char *cluster;
    int rc;

    if (rows == NULL)
        return -1;
    rc = check_look(table, rows, err);
    if (rc == 0) {
        table->oid = pg_ask_integer(rows, 0, LOOK_OID);
        cluster = cluster_id(table);
        table->source = must_format("%s.%s.%" PRId64, cluster,
                                    pg_ask_text(rows, 0, LOOK_DATABASE), table->oid);
        free(cluster);
    }
    pg_ask_free(rows);
    return rc;
}

int jobs_table_check(const char *dsn, const char *name, struct err *err)
{
    return check_dsn(dsn, err) == 0 && check_name(name, err) == 0 ? 0 : -1;
}

struct jobs_table *jobs_table_open(const char *dsn, const char *name, struct err *err)
{
    struct jobs_table *table = must_alloc(sizeof(*table));

    table->name = quote_name(name);
    if (connect_to(table, dsn, err) == 0 && look(table, err) == 0)
        return table;
    jobs_table_close(table);
    return NULL;
}

void jobs_table_close(struct jobs_table *table)
{
    if (table == NULL)
        return;
    pg_ask_close(table->ask);
    free(table->name);
    free(table->source);
    free(table);
}

const char *jobs_table_source(const struct jobs_table *table)
{
    return table->source;
}

/* ---- looking ---- */

/* NULL, for all, where none is named. Caller frees. */
static char *queues_of(const struct jobs_filter *filter)
{
    return filter->queue_ct ? pg_array_of_texts(filter->queues, filter->queue_ct) : NULL;
}

int jobs_table_count(struct jobs_table *table, const struct jobs_filter *filter,
                     jobs_count_cb each, void *arg, struct err *err)
{
    char *queues = queues_of(filter);
    struct number_text seconds = {0};
    const struct pg_param params[] = {number_param(filter->reserved_for_s, &seconds),
                                      text_param(queues)};
    struct pg_ask_rows *rows = run(
        table,
        "SELECT queue, count(*) FILTER (WHERE reserved_at IS NULL AND available_at <= "
        "extract(epoch FROM now())), count(*) FILTER (WHERE reserved_at IS NULL AND "
        "available_at > extract(epoch FROM now())), count(*) FILTER (WHERE " IS_FORGOTTEN
        "), count(*) FILTER (WHERE reserved_at <> " CLAIMED " AND NOT " IS_FORGOTTEN
        "), count(*) FILTER (WHERE reserved_at = " CLAIMED ") FROM ",
        " WHERE " IN_QUEUES " OR reserved_at = " CLAIMED " GROUP BY queue ORDER BY queue",
        NULL, params, ARRAY_CT(params), err);

    free(queues);
    if (rows == NULL)
        return -1;
    for (size_t i = 0; i < pg_ask_row_ct(rows); i++) {
        const struct jobs_count count = {.queue = pg_ask_text(rows, i, 0),
                                         .ready = pg_ask_integer(rows, i, 1),
                                         .delayed = pg_ask_integer(rows, i, 2),
                                         .forgotten = pg_ask_integer(rows, i, 3),
                                         .reserved = pg_ask_integer(rows, i, 4),
                                         .claimed = pg_ask_integer(rows, i, 5)};

        each(arg, &count);
    }
    pg_ask_free(rows);
    return 0;
}

int jobs_table_last_id(struct jobs_table *table, int64_t *id, struct err *err)
{
    struct pg_ask_rows *rows =
        run(table, "SELECT coalesce(max(id), 0) FROM ", "", NULL, NULL, 0, err);

    if (rows == NULL)
        return -1;
    *id = pg_ask_integer(rows, 0, 0);
    pg_ask_free(rows);
    return 0;
}

/* The first column, which holds ids. */
static void take_ids(const struct pg_ask_rows *rows, struct jobs_ids *ids)
{
    size_t ct = pg_ask_row_ct(rows);

    MUST(ct <= JOBS_BATCH_ROWS);
    for (size_t i = 0; i < ct; i++)
        ids->items[i] = pg_ask_integer(rows, i, 0);
    ids->ct = ct;
}

int jobs_table_find(struct jobs_table *table, const struct jobs_ids *ids,
                    struct jobs_ids *found, struct err *err)
{
    char *array = pg_array_of_integers(ids->items, ids->ct);
    const struct pg_param param = text_param(array);
    struct pg_ask_rows *rows = run(
        table, "SELECT id FROM ", " WHERE id = ANY ($1::bigint[])", NULL, &param, 1, err);

    free(array);
    if (rows == NULL)
        return -1;
    take_ids(rows, found);
    pg_ask_free(rows);
    return 0;
}

/* ---- claiming ---- */

int jobs_table_claim(struct jobs_table *table, const struct jobs_filter *filter,
                     const struct jobs_span *span, struct jobs_ids *claimed,
                     struct err *err)
{
    char *queues = queues_of(filter);
    struct number_text seconds = {0}, after = {0}, last = {0}, max = {0};
    const struct pg_param params[] = {
        number_param(filter->reserved_for_s, &seconds), text_param(queues),
        number_param(span->after_id, &after), number_param(span->last_id, &last),
        number_param((int64_t)span->max, &max)};
    struct pg_ask_rows *rows;

    MUST(span->max <= JOBS_BATCH_ROWS);
    rows = run(table, "WITH next AS (SELECT id FROM ",
               " WHERE id > $3::bigint AND id <= $4::bigint AND " IN_QUEUES
               " AND (reserved_at IS NULL OR " IS_FORGOTTEN
               ") ORDER BY id LIMIT $5::bigint FOR UPDATE SKIP LOCKED) UPDATE ",
               " t SET reserved_at = " CLAIMED
               " FROM next WHERE t.id = next.id RETURNING t.id, " DURABLY,
               params, ARRAY_CT(params), err);
    free(queues);
    if (rows == NULL)
        return -1;
    take_ids(rows, claimed);
    pg_ask_free(rows);
    return 0;
}

/* ---- one transaction ---- */

/* Waits while another import of this table is in one. */
static int begin(struct jobs_table *table, struct err *err)
{
    struct number_text class = {0}, oid = {0};
    const struct pg_param params[] = {number_param(LOCK_CLASS, &class),
                                      number_param((int32_t)table->oid, &oid)};
    const struct pg_statement statement = {
        .sql = "SELECT pg_advisory_xact_lock($1::int, $2::int), " DURABLY,
        .params = params,
        .param_ct = ARRAY_CT(params)};
    struct pg_ask_rows *rows;

    if (pg_ask_do(table->ask, "BEGIN ISOLATION LEVEL READ COMMITTED", err) != 0)
        return -1;
    rows = pg_ask_run(table->ask, &statement, err);
    pg_ask_free(rows);
    return rows ? 0 : -1;
}

static struct pg_ask_rows *lock_rows(struct jobs_table *table,
                                     const struct jobs_ids *only, int64_t after_id,
                                     struct err *err)
{
    char *array = only ? pg_array_of_integers(only->items, only->ct) : NULL;
    struct number_text after = {0}, max = {0};
    const struct pg_param params[] = {text_param(array), number_param(after_id, &after),
                                      number_param(JOBS_BATCH_ROWS, &max)};
    struct pg_ask_rows *rows =
        run(table, "SELECT id, octet_length(payload) FROM ",
            " WHERE ($1::bigint[] IS NULL OR id = ANY ($1::bigint[])) AND id > "
            "$2::bigint AND reserved_at = " CLAIMED
            " ORDER BY id LIMIT $3::bigint FOR UPDATE SKIP LOCKED",
            NULL, params, ARRAY_CT(params), err);

    free(array);
    return rows;
}

/* Id and length of each; frees `found`. */
static void take_lengths(struct pg_ask_rows *found, struct jobs_locked *rows, size_t *ct)
{
    *ct = pg_ask_row_ct(found);
    MUST(*ct <= JOBS_BATCH_ROWS);
    for (size_t i = 0; i < *ct; i++)
        rows[i] = (struct jobs_locked){.id = pg_ask_integer(found, i, 0),
                                       .payload_bytes = pg_ask_integer(found, i, 1)};
    pg_ask_free(found);
}

int jobs_table_lock(struct jobs_table *table, const struct jobs_ids *only,
                    int64_t after_id, struct jobs_locked rows[JOBS_BATCH_ROWS],
                    size_t *ct, struct err *err)
{
    struct pg_ask_rows *found = NULL;

    if (begin(table, err) == 0)
        found = lock_rows(table, only, after_id, err);
    if (found == NULL) {
        jobs_table_undo(table);
        return -1;
    }
    take_lengths(found, rows, ct);
    return 0;
}

int jobs_table_look(struct jobs_table *table, const struct jobs_filter *filter,
                    const struct jobs_span *span,
                    struct jobs_locked rows[JOBS_BATCH_ROWS], size_t *ct, struct err *err)
{
    char *queues = filter ? queues_of(filter) : NULL;
    struct number_text seconds = {0}, after = {0}, last = {0}, max = {0};
    const struct pg_param params[] = {
        number_param(filter ? filter->reserved_for_s : -1, &seconds),
        text_param(queues),
        number_param(span->after_id, &after),
        number_param(span->last_id, &last),
        number_param((int64_t)span->max, &max),
        text_param(filter ? "waiting" : "claimed")};
    struct pg_ask_rows *found;

    MUST(span->max <= JOBS_BATCH_ROWS);
    found = run(table, "SELECT id, octet_length(payload) FROM ",
                " WHERE id > $3::bigint AND id <= $4::bigint AND " IN_QUEUES
                " AND CASE WHEN $6::text = 'claimed' THEN reserved_at = " CLAIMED
                " ELSE reserved_at IS NULL OR " IS_FORGOTTEN
                " END ORDER BY id LIMIT $5::bigint",
                NULL, params, ARRAY_CT(params), err);
    free(queues);
    if (found == NULL)
        return -1;
    take_lengths(found, rows, ct);
    return 0;
}

struct pg_ask_rows *jobs_table_read(struct jobs_table *table, const int64_t *ids,
                                    size_t ct, struct err *err)
{
    char *array = pg_array_of_integers(ids, ct);
    const struct pg_param param = text_param(array);
    struct pg_ask_rows *rows =
        run(table, "SELECT id, queue, payload, attempts, available_at, created_at FROM ",
            " WHERE id = ANY ($1::bigint[]) ORDER BY id", NULL, &param, 1, err);

    free(array);
    return rows;
}

static int change(struct jobs_table *table, const char *before, const char *after,
                  const struct jobs_ids *ids, struct err *err)
{
    char *array = pg_array_of_integers(ids->items, ids->ct);
    const struct pg_param param = text_param(array);
    struct pg_ask_rows *rows = run(table, before, after, NULL, &param, 1, err);

    free(array);
    pg_ask_free(rows);
    return rows ? 0 : -1;
}

int jobs_table_remove(struct jobs_table *table, const struct jobs_ids *ids,
                      struct err *err)
{
    return change(table, "DELETE FROM ", " WHERE id = ANY ($1::bigint[])", ids, err);
}

int jobs_table_give_back(struct jobs_table *table, const struct jobs_ids *ids,
                         struct err *err)
{
    return change(table, "UPDATE ",
                  " SET reserved_at = NULL WHERE id = ANY ($1::bigint[])", ids, err);
}

int jobs_table_commit(struct jobs_table *table, struct err *err)
{
    return pg_ask_do(table->ask, "COMMIT", err);
}

void jobs_table_undo(struct jobs_table *table)
{
    pg_ask_undo(table->ask);
}
