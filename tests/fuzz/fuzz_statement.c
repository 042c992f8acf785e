/* Fuzz target: a statement, which may be widened, and the elements of an array. */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "config/statement.h"
#include "jobs/sql_rows.h"
#include "pg/array.h"

static bool is_within(struct slice part, const char *text)
{
    return part.ptr >= text && part.ptr + part.len <= text + strlen(text);
}

static size_t ct_of(struct slice text, char c)
{
    size_t ct = 0;

    for (size_t i = 0; i < text.len; i++)
        ct += text.ptr[i] == c;
    return ct;
}

/* Head, row and tail are the statement, but for VALUES and its parentheses. */
static void check_parts(const struct sql_rows *rows, const char *text)
{
    MUST(is_within(rows->table, text) && rows->table.len > 0);
    MUST(rows->head.ptr == text && is_within(rows->row, text));
    MUST(is_within(rows->tail, text) &&
         rows->tail.ptr + rows->tail.len == text + strlen(text));
    MUST(rows->head.ptr + rows->head.len < rows->row.ptr);
    MUST(rows->row.ptr + rows->row.len + 1 == rows->tail.ptr);
    MUST(rows->tail.ptr[-1] == ')' && rows->row.ptr[-1] == '(');
}

/* A wide statement keeps all that was quoted, and is not widened again. */
static void check_wide(const struct sql_rows *rows)
{
    struct slice arrays[SQL_ROWS_PARAMS_MAX];
    struct sql_rows again;
    struct buf out;

    for (size_t i = 0; i < rows->param_ct; i++)
        arrays[i] = slice_text("text[]");
    buf_init(&out, 0);
    sql_rows_write(&out, rows, arrays, slice_of(NULL, 0));
    MUST(strlen(out.data) == out.len);
    MUST(ct_of(buf_slice(&out), '\'') ==
         ct_of(rows->head, '\'') + ct_of(rows->row, '\'') + ct_of(rows->tail, '\''));
    MUST(!sql_rows_read(&again, out.data, rows->param_ct));
    buf_free(&out);
}

/* Both readings see the same parameters. */
static void check_params(const char *text, const struct sql_rows *rows)
{
    bool used[4] = {false};
    size_t highest;
    struct err err;

    if (statement_check(text, &err) != 0)
        MUST(err.text[0] != '\0');
    if (statement_find_params(text, used, ARRAY_CT(used), &highest))
        for (size_t i = highest; i < ARRAY_CT(used); i++)
            MUST(!used[i]);
    else
        MUST(rows == NULL);
    MUST(rows == NULL || (highest > 0 && highest <= rows->param_ct));
}

/* As PostgreSQL would read it back. */
static void check_array(const char *text)
{
    struct buf out, back;

    buf_init(&out, 0);
    buf_init(&back, 0);
    pg_array_add(&out, slice_text(text));
    pg_array_end(&out);
    MUST(out.len >= 4 && memcmp(out.data, "{\"", 2) == 0);
    for (size_t i = 2; out.data[i] != '"'; i++) {
        i += out.data[i] == '\\';
        (void)buf_add_char(&back, out.data[i]);
    }
    MUST(slice_is(buf_slice(&back), text));
    buf_free(&back);
    buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = must_strndup((const char *)data, size);
    struct sql_rows rows;

    for (size_t param_ct = 0; param_ct < 4; param_ct++)
        if (sql_rows_read(&rows, text, param_ct)) {
            check_parts(&rows, text);
            check_wide(&rows);
            check_params(text, &rows);
        }
    check_params(text, NULL);
    check_array(text);
    free(text);
    return 0;
}
