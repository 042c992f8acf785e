/* SQL on the table of failed jobs.
 *
 * Rows are walked in pages behind the id seen last, each a statement of its own and of
 * bounded size, so that nothing is kept open between them and the callback may change the
 * table. Through PgBouncer every statement may be on another session.
 */
#include "failed/table.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "failed/row.h"
#include "pg/array.h"

enum { PAGE_ROWS = 500, PAGE_BYTES = 4 * 1024 * 1024, FORGET_CHUNK = 500 };

/* The columns of a row, in the order of read_row(). */
#define ROW_COLUMNS(exception)                                                           \
    "t.id, t.uuid, t.connection, t.queue, t.payload, " exception                         \
    ", (extract(epoch FROM t.failed_at) * 1000)::bigint"
#define FIRST_LINE "left(split_part(t.exception, E'\\n', 1), 1000)"
#define WHOLE "t.exception"

/* Runs a statement: what stands before and after the table's name in it. */
static struct pg_ask_rows *run(struct failed_table *table, const char *before,
                               const char *after, const struct pg_param *params,
                               size_t param_ct, struct err *err)
{
    char *sql = must_format("%s %s %s", before, table->name, after);
    const struct pg_statement statement = {
        .sql = sql, .params = params, .param_ct = param_ct};
    struct pg_ask_rows *rows = pg_ask_run(table->ask, &statement, err);

    if (rows == NULL && strcmp(pg_ask_sqlstate(table->ask), "42P01") == 0)
        (void)err_set(err, ERR_NO_TABLE,
                      "there is no table %s: `drover failed migrate` makes it",
                      table->name);
    free(sql);
    return rows;
}

static struct pg_param text_param(const char *text)
{
    return (struct pg_param){.value = slice_text(text)};
}

int failed_table_count(struct failed_table *table, int64_t *ct, struct err *err)
{
    struct pg_ask_rows *rows = run(table, "SELECT count(*) FROM", "", NULL, 0, err);

    if (rows == NULL)
        return -1;
    *ct = pg_ask_integer(rows, 0, 0);
    pg_ask_free(rows);
    return 0;
}

static bool show_row(const struct pg_ask_rows *rows, size_t at, failed_each_cb each,
                     void *arg)
{
    const struct failed_columns columns = {
        .uuid = pg_ask_value(rows, at, 1),
        .connection = pg_ask_value(rows, at, 2),
        .queue = pg_ask_value(rows, at, 3),
        .payload = pg_ask_value(rows, at, 4),
        .exception = pg_ask_value(rows, at, 5),
        .failed_at_ms = pg_ask_integer(rows, at, 6),
    };
    struct failed_row row;
    bool more;

    failed_row_read(&row, &columns);
    more = each(arg, &row.record);
    failed_row_free(&row);
    return more;
}

/* ---- the walk ---- */

struct page {
    struct failed_table *table;
    const struct failed_walk *walk;
    struct failed_moment moment;
    int64_t last_id; /* of the row seen last */
    int64_t most_id; /* of the table at the start: later ones are not visited */
};

int failed_table_now(struct failed_table *table, struct failed_moment *moment,
                     struct err *err)
{
    struct pg_ask_rows *rows =
        run(table, "SELECT coalesce(max(id), 0) FROM", "", NULL, 0, err);

    if (rows == NULL)
        return -1;
    moment->id = pg_ask_integer(rows, 0, 0);
    moment->at_ms = clock_wall_ms();
    pg_ask_free(rows);
    return 0;
}

static int begin_walk(struct page *page, const struct failed_moment *moment,
                      struct err *err)
{
    struct failed_moment now;

    if (failed_table_now(page->table, &now, err) != 0)
        return -1;
    page->moment = moment ? *moment : now;
    page->most_id = now.id;
    page->last_id = page->walk->oldest_first ? 0 : page->most_id + 1;
    return 0;
}

/* As many of the next rows as fit: their sizes are summed up before they are fetched. */
static char *spell_page(const struct page *page)
{
    const struct failed_walk *walk = page->walk;
    const char *order = walk->oldest_first ? "ASC" : "DESC";
    bool whole = walk->fields == FAILED_WHOLE;

    return must_format(
        "WHERE id %s $1::bigint AND id <= $2::bigint AND ($3::bigint = 0 OR failed_at >= "
        "to_timestamp($3::bigint / 1000.0) AT TIME ZONE 'UTC') AND ($4::bigint = 0 OR "
        "failed_at < to_timestamp($4::bigint / 1000.0) AT TIME ZONE 'UTC') AND (id <= "
        "$5::bigint OR failed_at < to_timestamp($6::bigint / 1000.0) AT TIME ZONE 'UTC') "
        "ORDER BY id "
        "%s LIMIT %d), fits AS (SELECT id, sum(bytes) OVER (ORDER BY id %s) - bytes AS "
        "before FROM page) SELECT %s FROM %s t JOIN fits USING (id) WHERE before < %d "
        "ORDER BY t.id %s",
        walk->oldest_first ? ">" : "<", order, PAGE_ROWS, order,
        whole ? ROW_COLUMNS(WHOLE) : ROW_COLUMNS(FIRST_LINE), page->table->name,
        PAGE_BYTES, order);
}

static struct pg_ask_rows *fetch_page(struct page *page, struct err *err)
{
    const int64_t numbers[] = {page->last_id,        page->most_id,
                               page->walk->after_ms, page->walk->before_ms,
                               page->moment.id,      page->moment.at_ms};
    char texts[ARRAY_CT(numbers)][24];
    struct pg_param params[ARRAY_CT(numbers)];
    struct pg_ask_rows *rows;
    char *after = spell_page(page);

    for (size_t i = 0; i < ARRAY_CT(numbers); i++) {
        (void)snprintf(texts[i], sizeof(texts[i]), "%" PRId64, numbers[i]);
        params[i] = text_param(texts[i]);
    }
    rows = run(page->table,
               page->walk->fields == FAILED_WHOLE
                   ? "WITH page AS (SELECT id, octet_length(payload)::bigint + "
                     "octet_length(exception) AS bytes FROM"
                   : "WITH page AS (SELECT id, octet_length(payload)::bigint AS bytes "
                     "FROM",
               after, params, ARRAY_CT(params), err);
    free(after);
    return rows;
}

int failed_table_walk(struct failed_table *table, const struct failed_walk *walk,
                      const struct failed_moment *moment, failed_each_cb each, void *arg,
                      struct err *err)
{
    struct page page = {.table = table, .walk = walk};
    bool more = true;
    int rc = begin_walk(&page, moment, err);

    while (rc == 0 && more) {
        struct pg_ask_rows *rows = fetch_page(&page, err);
        size_t ct = rows ? pg_ask_row_ct(rows) : 0;

        if (ct > 0)
            page.last_id = pg_ask_integer(rows, ct - 1, 0);
        more = ct > 0;
        for (size_t i = 0; more && i < ct; i++)
            more = show_row(rows, i, each, arg);
        rc = rows ? 0 : -1;
        pg_ask_free(rows);
    }
    return rc;
}

/* ---- one row ---- */

int failed_table_get(struct failed_table *table, const char *uuid, failed_each_cb each,
                     void *arg, struct err *err)
{
    const struct pg_param param = text_param(uuid);
    struct pg_ask_rows *rows = run(table, "SELECT " ROW_COLUMNS(WHOLE) " FROM",
                                   "t WHERE t.uuid = $1 LIMIT 1", &param, 1, err);
    int rc = 0;

    if (rows == NULL)
        return -1;
    if (pg_ask_row_ct(rows) == 0)
        rc = err_set(err, ERR_NOT_FOUND, "no failed job %s", uuid);
    else
        (void)show_row(rows, 0, each, arg);
    pg_ask_free(rows);
    return rc;
}

int failed_table_find(struct failed_table *table, const char *prefix, char uuids[2][64],
                      size_t *ct, struct err *err)
{
    const struct pg_param param = text_param(prefix);
    struct pg_ask_rows *rows;

    *ct = 0;
    if (!text_is_utf8(slice_text(prefix)))
        return 0; /* what no text column holds */
    rows = run(table, "SELECT DISTINCT uuid, uuid = $1 AS whole FROM",
               "WHERE starts_with(uuid, $1) AND octet_length(uuid) < 64 ORDER BY whole "
               "DESC LIMIT 2",
               &param, 1, err);
    if (rows == NULL)
        return -1;
    for (size_t i = 0; i < pg_ask_row_ct(rows); i++) {
        (void)snprintf(uuids[i], sizeof(uuids[i]), "%s", pg_ask_text(rows, i, 0));
        *ct = i + 1;
        if (strcmp(uuids[i], prefix) == 0)
            break;
    }
    pg_ask_free(rows);
    return 0;
}

/* ---- taking and removing ---- */

struct taking {
    failed_push_cb push;
    void *arg;
    struct err *err;
    int rc;
};

static bool push_row(void *arg, const struct fail_record *record)
{
    struct taking *taking = arg;

    taking->rc = taking->push(taking->arg, record, taking->err);
    return false;
}

/* 1: the row is out, and pushed; 0: there was none; -1. */
static int take_row(struct failed_table *table, const char *uuid, struct taking *taking)
{
    const struct pg_param param = text_param(uuid);
    struct pg_ask_rows *rows = run(
        table, "DELETE FROM", "t WHERE t.uuid = $1 RETURNING " ROW_COLUMNS(FIRST_LINE),
        &param, 1, taking->err);
    int taken;

    if (rows == NULL)
        return -1;
    taken = pg_ask_row_ct(rows) > 0;
    if (taken)
        (void)show_row(rows, 0, push_row, taking);
    pg_ask_free(rows);
    return taking->rc == 0 ? taken : -1;
}

int failed_table_take(struct failed_table *table, const char *uuid, failed_push_cb push,
                      void *arg, bool *done, struct err *err)
{
    struct taking taking = {.push = push, .arg = arg, .err = err};
    int taken;

    *done = false;
    if (pg_ask_do(table->ask, "BEGIN", err) != 0)
        return -1;
    taken = take_row(table, uuid, &taking);
    if (taken <= 0) {
        pg_ask_undo(table->ask);
        return taken;
    }
    if (pg_ask_do(table->ask, "COMMIT", err) == 0) {
        *done = true;
        return 0;
    }
    return err_prefix(err, "the job %s is on its queue again, but its record may be left",
                      uuid);
}

int failed_table_forget(struct failed_table *table, const char *const *uuids, size_t ct,
                        int64_t *removed, struct err *err)
{
    for (size_t done = 0; done < ct; done += FORGET_CHUNK) {
        size_t chunk = ct - done < FORGET_CHUNK ? ct - done : FORGET_CHUNK;
        char *array = pg_array_of_texts(uuids + done, chunk);
        const struct pg_param param = text_param(array);
        struct pg_ask_rows *rows =
            run(table, "DELETE FROM", "WHERE uuid = ANY ($1::text[])", &param, 1, err);

        free(array);
        if (rows == NULL)
            return -1;
        *removed += pg_ask_affected(rows);
        pg_ask_free(rows);
    }
    return 0;
}
