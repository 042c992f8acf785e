/* Which statements are widened, and to what; the texts of arrays. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "jobs/sql_rows.h"
#include "pg/array.h"
#include "tests/unit/suite.h"

static const struct slice arrays[] = {{.ptr = "int[]", .len = 5},
                                      {.ptr = "text[]", .len = 6},
                                      {.ptr = "jsonb[]", .len = 7}};

#define FROM(types, names) " FROM unnest(" types ") AS drover(" names ")"
#define FROM1 FROM("$1::int[]", "p1")
#define FROM2 FROM("$1::int[], $2::text[]", "p1, p2")
#define FROM3 FROM("$1::int[], $2::text[], $3::jsonb[]", "p1, p2, p3")

static const struct {
    const char *statement;
    size_t param_ct;
    const char *table, *wide;
} widened[] = {
    {"INSERT INTO t (a, b) VALUES ($1, $2)", 2, "t",
     "INSERT INTO t (a, b) SELECT drover.p1, drover.p2" FROM2},
    {"insert into t values($2,$1,$2)", 2, "t",
     "insert into t SELECT drover.p2,drover.p1,drover.p2" FROM2},
    {" \n\tINSERT\nINTO t(a)VALUES($1)\n", 1, "t",
     " \n\tINSERT\nINTO t(a)SELECT drover.p1" FROM1 " \n"},
    {"INSERT INTO s.t VALUES ($1)", 1, "s.t", "INSERT INTO s.t SELECT drover.p1" FROM1},
    {"INSERT INTO \"S (\"\"1)\" . \"$1 values\" (\"$2\") VALUES ($1)", 1,
     "\"S (\"\"1)\" . \"$1 values\"",
     "INSERT INTO \"S (\"\"1)\" . \"$1 values\" (\"$2\") SELECT drover.p1" FROM1},
    {"INSERT INTO a$1 (b$2) VALUES ($1::c$3)", 1, "a$1",
     "INSERT INTO a$1 (b$2) SELECT drover.p1::c$3" FROM1},
    {"INSERT INTO t\xc3\xa9t\xc3\xa9 VALUES ($1)", 1, "t\xc3\xa9t\xc3\xa9",
     "INSERT INTO t\xc3\xa9t\xc3\xa9 SELECT drover.p1" FROM1},
    {"INSERT INTO t AS x (a) OVERRIDING SYSTEM VALUE VALUES ($1)", 1, "t",
     "INSERT INTO t AS x (a) OVERRIDING SYSTEM VALUE SELECT drover.p1" FROM1},
    {"INSERT INTO t VALUES ('$1', $1, 'it''s )', ')')", 1, "t",
     "INSERT INTO t SELECT '$1', drover.p1, 'it''s )', ')'" FROM1},
    {"INSERT INTO t VALUES (E'a', U&'b', $1)", 1, "t",
     "INSERT INTO t SELECT E'a', U&'b', drover.p1" FROM1},
    {"INSERT INTO t VALUES ($1::numeric(12, 2), CAST($2 AS varchar(5)), now(), 1.5e3)", 2,
     "t",
     "INSERT INTO t SELECT drover.p1::numeric(12, 2), CAST(drover.p2 AS varchar(5)), "
     "now(), 1.5e3" FROM2},
    {"INSERT INTO t VALUES (lower(trim($2)), COALESCE($1, 0) + 1, $3 -> 'a')", 3, "t",
     "INSERT INTO t SELECT lower(trim(drover.p2)), COALESCE(drover.p1, 0) + 1, drover.p3 "
     "-> 'a'" FROM3},
    {"INSERT INTO t VALUES (extract(epoch FROM $1), ($1 + 1) * 2, ARRAY[$1], $1 IN (1))",
     1, "t",
     "INSERT INTO t SELECT extract(epoch FROM drover.p1), (drover.p1 + 1) * 2, "
     "ARRAY[drover.p1], drover.p1 IN (1)" FROM1},
    {"INSERT INTO t VALUES ($1) ON CONFLICT DO NOTHING", 1, "t",
     "INSERT INTO t SELECT drover.p1" FROM1 "  ON CONFLICT DO NOTHING"},
    {"INSERT INTO t (a, b) VALUES ($1, $2) ON CONFLICT (a, lower(b)) WHERE (b > '') DO "
     "UPDATE SET (a, b) = (excluded.a, now()) RETURNING (a), t.b",
     2, "t",
     "INSERT INTO t (a, b) SELECT drover.p1, drover.p2" FROM2
     "  ON CONFLICT (a, lower(b)) WHERE (b > '') DO UPDATE SET (a, b) = (excluded.a, "
     "now()) RETURNING (a), t.b"},
};

START_TEST(an_insert_of_one_row_becomes_one_of_many)
{
    struct sql_rows rows;
    struct buf wide;

    buf_init(&wide, 0);
    ck_assert_msg(sql_rows_read(&rows, widened[_i].statement, widened[_i].param_ct), "%s",
                  widened[_i].statement);
    ck_assert_msg(slice_is(rows.table, widened[_i].table), "%.*s", (int)rows.table.len,
                  rows.table.ptr);
    sql_rows_write(&wide, &rows, arrays, slice_of(NULL, 0));
    ck_assert_str_eq(wide.data, widened[_i].wide);
    buf_free(&wide);
}
END_TEST

START_TEST(what_it_depends_on_comes_before_the_tail)
{
    struct sql_rows rows;
    struct buf wide;

    buf_init(&wide, 0);
    ck_assert(sql_rows_read(&rows, "INSERT INTO t VALUES ($1) RETURNING a", 1));
    sql_rows_write(&wide, &rows, arrays, slice_text("1 = 1"));
    ck_assert_str_eq(wide.data, "INSERT INTO t SELECT drover.p1" FROM1
                                " WHERE (CASE WHEN 1 = 1 THEN 'true' ELSE 'the columns "
                                "have changed' END)::boolean  RETURNING a");
    buf_free(&wide);
}
END_TEST

/* With parameters up to $2. */
static const char *const left_alone[] = {
    "",
    "INSERT",
    "INSERT INTO",
    "INSERT INTO t",
    "INSERT INTO t (a)",
    "INSERT INTO t VALUES",
    "INSERT INTO t VALUES (",
    "INSERT INTO t VALUES ($1",
    "INSERT INTO t VALUES ()",
    "INSERT INTO t. VALUES ($1)",
    "INSERT INTO $1 VALUES ($1)",
    "UPDATE t SET a = $1 WHERE b = $2",
    "SELECT f($1, $2)",
    "WITH x AS (SELECT 1) INSERT INTO t VALUES ($1)",
    "INSERT INTO t DEFAULT VALUES",
    "INSERT INTO t SELECT $1, $2",
    "INSERT INTO t VALUES (1, 2)",
    "INSERT INTO t VALUES ($1), ($2)",
    "INSERT INTO t VALUES ($1) , ($2)",
    "INSERT INTO t VALUES ($1, DEFAULT)",
    "INSERT INTO t VALUES ($1, $3)",
    "INSERT INTO t VALUES ($0)",
    "INSERT INTO t VALUES ($)",
    "INSERT INTO t VALUES ($1a)",
    "INSERT INTO t VALUES ($99999999999999999999999)",
    "INSERT INTO t VALUES ((SELECT max(a) FROM t), $1)",
    "INSERT INTO t VALUES ((VALUES (1)), $1)",
    "INSERT INTO t VALUES ((TABLE u), $1)",
    "INSERT INTO t VALUES (next_number(), $1)",
    "INSERT INTO t VALUES (\"now\"(), $1)",
    "INSERT INTO t VALUES (mine.now(), $1)",
    "INSERT INTO t VALUES (mine . now ($1))",
    "INSERT INTO t VALUES (generate_series(1, $1))",
    "INSERT INTO t VALUES ($1, 'a\\'' )",
    "INSERT INTO t VALUES ($1, E'a\\n')",
    "INSERT INTO t VALUES ($1, 'a)",
    "INSERT INTO t VALUES ($1, \"a)",
    "INSERT INTO t VALUES ($1, $$a$$)",
    "INSERT INTO t VALUES ($1, $x$a$x$)",
    "INSERT INTO t VALUES ($1 /* ) */)",
    "INSERT INTO t VALUES ($1) -- done",
    "INSERT INTO t (a) -- VALUES ($2)\n VALUES ($1)",
    "INSERT INTO t /* x */ VALUES ($1)",
    "INSERT INTO t VALUES ($1);",
    "INSERT INTO t VALUES ($1); DELETE FROM t",
    "INSERT INTO t VALUES ($1) ON CONFLICT (a) DO UPDATE SET b = $2",
    "INSERT INTO t VALUES ($1) ON CONFLICT (a) DO UPDATE SET b = (SELECT 1)",
    "INSERT INTO t VALUES ($1) RETURNING f(a)",
};

START_TEST(what_might_mean_something_else_is_left_alone)
{
    struct sql_rows rows;

    ck_assert_msg(!sql_rows_read(&rows, left_alone[_i], 2), "%s", left_alone[_i]);
}
END_TEST

START_TEST(parameters_have_a_bound)
{
    struct sql_rows rows;

    ck_assert(!sql_rows_read(&rows, "INSERT INTO t VALUES (1)", 0));
    ck_assert(sql_rows_read(&rows, "INSERT INTO t VALUES ($100)", SQL_ROWS_PARAMS_MAX));
    ck_assert(!sql_rows_read(&rows, "INSERT INTO t VALUES ($101)", 101));
}
END_TEST

/* Cut anywhere, a statement is read to its end and not beyond: for the sanitizers. */
START_TEST(no_statement_is_read_beyond_its_end)
{
    for (size_t i = 0; i < ARRAY_CT(widened); i++)
        for (size_t len = 0; len < strlen(widened[i].statement); len++) {
            char *cut = must_strndup(widened[i].statement, len);
            struct sql_rows rows;

            (void)sql_rows_read(&rows, cut, widened[i].param_ct);
            free(cut);
        }
}
END_TEST

START_TEST(elements_of_an_array_arrive_as_they_are)
{
    static const char *const values[] = {"a",  "",   NULL,       "NULL",
                                         "\"", "\\", "a\\\"b\"", " {,} "};
    struct buf text;

    buf_init(&text, 0);
    pg_array_end(&text);
    ck_assert_str_eq(text.data, "{}");
    buf_clear(&text);
    for (size_t i = 0; i < ARRAY_CT(values); i++)
        pg_array_add(&text, slice_text(values[i]));
    pg_array_end(&text);
    ck_assert_str_eq(text.data, "{\"a\",\"\",NULL,\"NULL\",\"\\\"\",\"\\\\\","
                                "\"a\\\\\\\"b\\\"\",\" {,} \"}");
    buf_free(&text);
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_loop_test(tc, an_insert_of_one_row_becomes_one_of_many, 0,
                        ARRAY_CT(widened));
    tcase_add_test(tc, what_it_depends_on_comes_before_the_tail);
    tcase_add_loop_test(tc, what_might_mean_something_else_is_left_alone, 0,
                        ARRAY_CT(left_alone));
    tcase_add_test(tc, parameters_have_a_bound);
    tcase_add_test(tc, no_statement_is_read_beyond_its_end);
    tcase_add_test(tc, elements_of_an_array_arrive_as_they_are);
}

int main(void)
{
    return run_suite("sql rows", 60, add_tests);
}
