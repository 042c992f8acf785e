/* Batches as one statement on a real PostgreSQL: each of its rows is as it would have
 * been with a statement of its own, and where that could not be, each has one.
 *
 * Rows that one statement wrote have the same cmin. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/sql_trial.h"
#include "tests/unit/suite.h"

enum { ROW_CT = 4, WIDE = MANY, NARROW = LATE };

/* The entry takes `statement`, and a twin of it that is never widened, on a database with
 * one connection: what is asked there is answered in its order. */
static void set_statement(const char *statement, bool once)
{
    static const char *const paths[] = {"data.a", "data.b", "data.id", NULL};
    static char narrow[1024];
    struct text_list params = text_list_of(paths);
    struct err err;

    params.ct = strstr(statement, "$3") ? 3 : strstr(statement, "$2") ? 2 : 1;
    (void)snprintf(narrow, sizeof(narrow), "%s /* each */", statement);
    sql_close(env.sql);
    set_job(WIDE, "main", ROW_CT, once, statement, params);
    set_job(NARROW, "main", ROW_CT, once, narrow, params);
    databases[0].pool = 1;
    ck_assert_msg(sql_open(env.loop, &config, &env.sql, &err) == 0, "%s", err.text);
}

static const char *text_of(int id, const char *a, const char *b)
{
    MUST(text_ct < ARRAY_CT(texts));
    texts[text_ct] =
        must_format("{\"uuid\":\"u-%d\",\"job\":\"t\",\"data\":{\"id\":%d,\"a\":%s,"
                    "\"b\":%s}}",
                    id, id, a, b);
    return texts[text_ct++];
}

/* A full batch of jobs numbered from `id`. */
static void run_batch(int entry, int id, const char *const a[ROW_CT],
                      const char *const b[ROW_CT])
{
    for (int i = 0; i < ROW_CT; i++)
        (void)start_raw((size_t)i, entry, text_of(id + i, a[i], b[i]));
    finish_all();
}

static void all_are(enum outcome_kind kind)
{
    for (size_t i = 0; i < ROW_CT; i++)
        outcome_is(i, kind, "");
}

/* Until what is known of the statement is known: both questions are asked behind a batch,
 * the second when the first is answered; a batch behind that one finds the answer. */
static void learn(int id, const char *const a[ROW_CT], const char *const b[ROW_CT])
{
    for (int i = 1; i <= 3; i++)
        run_batch(WIDE, id + i * ROW_CT, a, b);
}

static long long statement_ct(const char *table)
{
    return postgres_process_int(&server, "SELECT count(DISTINCT cmin::text) FROM %s",
                                table);
}

/* ---- the same rows ---- */

static const struct {
    const char *make, *statement;
    const char *a[ROW_CT], *b[ROW_CT];
} plain[] = {
    {"a int, b text",
     "INSERT INTO w (a, b) VALUES ($1, $2)",
     {"null", "1", "2", "3"},
     {"null", "\"NULL\"", "\"\"", "\" {,}\\\"\\\\x\\u00e9\\n' \""}},
    {"a int, b text",
     "INSERT INTO public.\"w\" VALUES ($2::int, upper($1))",
     {"\"x\"", "\"y\"", "\"z\"", "null"},
     {"1", "null", "3", "4"}},
    {"a numeric(8,2), b timestamptz",
     "INSERT INTO w VALUES ($1, $2)",
     {"1.005", "12345678901234567890e-14", "null", "-0.5"},
     {"\"2026-01-02 03:04:05.678901+02\"", "null", "\"infinity\"", "\"epoch\""}},
    {"a jsonb, b json",
     "INSERT INTO w VALUES ($1, $2)",
     {"{\"x\":[1, \"a\"]}", "null", "\"7\"", "[ ]"},
     {"{ \"x\" : 1.10 }", "null", "[null]", "12"}},
    {"a uuid, b inet",
     "INSERT INTO w VALUES ($1, $2)",
     {"\"A0EEBC99-9c0b-4ef8-bb6d-6bb9bd380a11\"", "null",
      "\"{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a12}\"", "null"},
     {"\"10.0.0.1\"", "null", "\"::1/64\"", "null"}},
    {"a bytea, b \"char\"",
     "INSERT INTO w VALUES ($1, $2)",
     {"\"\\\\x00ff\"", "\"a\\\\000b\"", "\"\"", "null"},
     {"\"x\"", "\"\"", "null", "\"y\""}},
    {"a varchar(5), b char(3)",
     "INSERT INTO w VALUES ($1, $2)",
     {"\"ab   \"", "\"abcde  \"", "null", "\"\""},
     {"\"a\"", "\"abc \"", "null", "\"\""}},
    {"a bit(4), b bit varying(5)",
     "INSERT INTO w VALUES ($1, $2)",
     {"\"0101\"", "null", "\"1111\"", "\"0000\""},
     {"\"\"", "null", "\"10101\"", "\"1\""}},
    {"a time(1), b interval minute",
     "INSERT INTO w VALUES ($1, $2)",
     {"\"10:11:12.345\"", "null", "\"allballs\"", "\"23:59\""},
     {"\"3 min 4 s\"", "null", "\"P1DT2M\"", "\"1\""}},
    {"a char, b money",
     "INSERT INTO w VALUES ($1, $2)",
     {"\"a\"", "null", "\"b  \"", "\"\""},
     {"\"12.5\"", "null", "-1", "0"}},
    {"a mood, b int4range",
     "INSERT INTO w VALUES ($1, $2)",
     {"\"sad\"", "null", "\"happy\"", "\"sad\""},
     {"\"[1,5)\"", "\"empty\"", "null", "\"(,3]\""}},
    {"a text, b bool",
     "INSERT INTO w VALUES ($1::varchar(3), $2)",
     {"\"abcdef\"", "null", "\"x\"", "1"},
     {"true", "false", "null", "\"yes\""}},
    {"a text, b text",
     "INSERT INTO w VALUES ($1::jsonb ->> 'k', COALESCE($2, 'none'))",
     {"{\"k\": \"v\"}", "{}", "null", "{\"k\": [1]}"},
     {"null", "\"x\"", "\"\"", "true"}},
    {"a text, b float8, c text DEFAULT 'dft', d text",
     "INSERT INTO w (a, b, d) VALUES ($1, $2::float8 + 1, 'it''s')",
     {"\"x\"", "\"y\"", "\"z\"", "null"},
     {"1e3", "null", "-0.1", "7"}},
    {"a bigint GENERATED ALWAYS AS IDENTITY, b text, c text, "
     "d bigint GENERATED BY DEFAULT AS IDENTITY",
     "INSERT INTO w (a, b, c) OVERRIDING USER VALUE VALUES (7, $1, $2) RETURNING a",
     {"\"x\"", "\"y\"", "\"z\"", "null"},
     {"\"1\"", "\"2\"", "\"3\"", "\"4\""}},
    {"a int, b text, UNIQUE (b)",
     "INSERT INTO w VALUES ($1, $2) ON CONFLICT (b) DO NOTHING",
     {"1", "2", "3", "4"},
     {"\"twice\"", "\"x\"", "\"twice\"", "\"x\""}},
    {"a int, b text UNIQUE",
     "INSERT INTO w AS old VALUES ($1, $2) ON CONFLICT (b) DO UPDATE SET a = old.a * 10 "
     "+ "
     "excluded.a",
     {"1", "2", "3", "4"},
     {"\"w\"", "\"x\"", "\"y\"", "\"z\""}},
    {"a int REFERENCES parents, b text CHECK (length(b) < 9), c text GENERATED ALWAYS AS "
     "(lower(b)) STORED",
     "INSERT INTO w VALUES ($1, $2)",
     {"1", "1", "2", "null"},
     {"\"A\"", "\"B\"", "null", "\"D\""}},
    {"a int, b text) PARTITION BY LIST (a); CREATE TABLE w_1 PARTITION OF w FOR VALUES "
     "IN "
     "(1); CREATE TABLE w_2 PARTITION OF w DEFAULT; CREATE INDEX ON w (b",
     "INSERT INTO w VALUES ($1, $2)",
     {"1", "2", "1", "null"},
     {"\"x\"", "\"x\"", "null", "\"y\""}},
};

static void make_table(const char *columns)
{
    (void)postgres_process_do(
        &server,
        "SET client_min_messages = warning; DROP TYPE IF EXISTS mood; CREATE TYPE mood "
        "AS "
        "ENUM ('sad', 'happy'); CREATE TABLE parents (id int PRIMARY KEY); INSERT INTO "
        "parents VALUES (1), (2); CREATE TABLE w (%s)",
        columns);
}

static char *rows_of(int entry, int id, int case_at)
{
    (void)postgres_process_do(&server, "TRUNCATE w RESTART IDENTITY");
    run_batch(entry, id, plain[case_at].a, plain[case_at].b);
    all_are(OUTCOME_DONE);
    return must_strdup(postgres_process_do(
        &server, "SELECT string_agg(w::text, '|' ORDER BY tableoid, ctid) FROM w"));
}

START_TEST(rows_of_one_statement_are_as_those_of_many)
{
    char *wide, *narrow;

    make_table(plain[_i].make);
    set_statement(plain[_i].statement, false);
    learn(0, plain[_i].a, plain[_i].b);
    wide = rows_of(WIDE, 100, _i);
    ck_assert_int_eq(statement_ct("w"), 1);
    narrow = rows_of(NARROW, 100, _i);
    ck_assert_int_gt(statement_ct("w"), 1);
    ck_assert_uint_gt(strlen(narrow), 10);
    ck_assert_str_eq(wide, narrow);
    free(wide);
    free(narrow);
}
END_TEST

/* ---- rows that would notice ---- */

static const char count_function[] =
    "CREATE FUNCTION row_ct() RETURNS bigint LANGUAGE sql STABLE AS 'SELECT count(*) "
    "FROM "
    "w'; CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO "
    "told VALUES (1); RETURN NEW; END'; CREATE TABLE told (id int)";

static const struct {
    const char *make, *more;
} noticing[] = {
    {"a int, b text",
     "CREATE TRIGGER x AFTER INSERT ON w FOR EACH STATEMENT EXECUTE FUNCTION tell()"},
    {"a int, b text",
     "CREATE TRIGGER x BEFORE INSERT ON w FOR EACH ROW EXECUTE FUNCTION tell()"},
    {"a int, b text",
     "CREATE RULE x AS ON INSERT TO w DO ALSO INSERT INTO told VALUES (1)"},
    {"a int, b text", "ALTER TABLE w ENABLE ROW LEVEL SECURITY"},
    {"a int, b text", "ALTER TABLE w ADD c bigint DEFAULT row_ct()"},
    {"a int, b text", "ALTER TABLE w ADD CHECK (row_ct() < 100)"},
    {"a int PRIMARY KEY, b text", "ALTER TABLE w ADD c int REFERENCES w"},
    {"a int, b text", "CREATE TABLE base (LIKE w); DROP TABLE w; CREATE VIEW w AS SELECT "
                      "* FROM base"},
    {"a int, b text) PARTITION BY LIST (a); CREATE TABLE w_1 (a int, b text",
     "ALTER TABLE w ATTACH PARTITION w_1 DEFAULT; CREATE TRIGGER x BEFORE INSERT ON w_1 "
     "FOR EACH ROW EXECUTE FUNCTION tell()"},
    {"a int, b text",
     "CREATE DOMAIN short AS text CHECK (length(VALUE) < 9); ALTER TABLE "
     "w ALTER b TYPE short"},
    {"a int, b text", "ALTER TABLE w ALTER b TYPE text[] USING NULL"},
};

START_TEST(where_rows_could_tell_each_has_a_statement)
{
    static const char *const b[] = {"\"{x}\"", "null", "\"{y}\"", "\"{z}\""};
    static const char *const paths[] = {"data.id", "data.b", NULL};

    make_table(noticing[_i].make);
    (void)postgres_process_do(&server, "%s; %s", count_function, noticing[_i].more);
    set_statement("INSERT INTO w (a, b) VALUES ($1, $2)", false);
    jobs[WIDE].sql.params = text_list_of(paths);
    learn(0, b, b);
    all_are(OUTCOME_DONE);
    run_batch(WIDE, 100, b, b);
    all_are(OUTCOME_DONE);
    if (strstr(noticing[_i].more, "VIEW"))
        ck_assert_int_eq(statement_ct("base WHERE a >= 100"), ROW_CT);
    else
        ck_assert_int_eq(statement_ct("w WHERE a >= 100"), ROW_CT);
}
END_TEST

/* ---- a table that changes ---- */

/* What is learnt of the columns is a minute old at most, and that is too old. */
static const struct {
    const char *make, *statement, *change;
    const char *values[ROW_CT];
} changed[] = {
    {"a int, b int",
     "INSERT INTO w VALUES ($2, $1)",
     "ALTER TABLE w ALTER b TYPE text",
     {"\"007\"", "\"+7\"", "null", "7"}},
    {"a text, b bigint",
     "INSERT INTO w (b) VALUES ($1)",
     "ALTER TABLE w ALTER b TYPE varchar(9)",
     {"\"007\"", "\"+7\"", "null", "7"}},
    {"a text, b uuid",
     "INSERT INTO w (b) VALUES ($1)",
     "ALTER TABLE w ALTER b TYPE char(36)",
     {"\"A0EEBC99-9c0b-4ef8-bb6d-6bb9bd380a11\"", "null", "null", "null"}},
    {"a text, b date",
     "INSERT INTO w (b) VALUES ($1)",
     "ALTER TABLE w ALTER b TYPE timestamptz",
     {"\"2026-01-02 03:04:05+02\"", "null", "\"2026-01-02\"", "\"epoch\""}},
    {"a text, b timestamp",
     "INSERT INTO w (b) VALUES ($1)",
     "SET timezone = 'UTC'; ALTER TABLE w ALTER b TYPE timestamptz", /* rewrites nothing
                                                                      */
     {"\"2026-01-02 03:04:05+02\"", "null", "\"2026-01-02\"", "\"epoch\""}},
    {"a text, b real",
     "INSERT INTO w (b) VALUES ($1)",
     "ALTER TABLE w ALTER b TYPE float8",
     {"0.1", "null", "16777217", "1e9"}},
    {"a text, b numeric",
     "INSERT INTO w (b) VALUES ($1)",
     "ALTER TABLE w ALTER b TYPE int",
     {"1", "null", "1.5", "2"}},
    {"a text, b char(5)",
     "INSERT INTO w (b) VALUES ($1)",
     "ALTER TABLE w ALTER b TYPE text",
     {"\"a  \"", "null", "\"\"", "\"a\""}},
    {"a text, b jsonb",
     "INSERT INTO w (b) VALUES ($1)",
     "ALTER TABLE w ALTER b TYPE text",
     {"{\"x\":  1}", "null", "[1,2]", "7"}},
    {"a text, b int",
     "INSERT INTO w (b) VALUES ($1)",
     "ALTER TABLE w RENAME b TO \"B\"; "
     "ALTER TABLE w RENAME a TO b",
     {"\"007\"", "\"+7\"", "null", "7"}},
    {"a text, b int",
     "INSERT INTO w (b) VALUES ($1)",
     "DROP TABLE w; CREATE TABLE w (b text)",
     {"\"007\"", "\"+7\"", "null", "7"}},
};

static char *outcome_of(int entry, int id, int case_at)
{
    struct buf text;

    (void)postgres_process_do(&server, "TRUNCATE w");
    run_batch(entry, id, changed[case_at].values, changed[case_at].values);
    buf_init(&text, 0);
    for (size_t i = 0; i < ROW_CT; i++)
        (void)buf_addf(&text, "%d ", trials[i].outcome.kind);
    (void)buf_add_text(
        &text, postgres_process_do(
                   &server, "SELECT string_agg(w::text, '|' ORDER BY ctid) FROM w"));
    return buf_take(&text);
}

START_TEST(no_value_is_read_as_what_its_column_was)
{
    static const char *const nulls[] = {"null", "null", "null", "null"};
    char *wide, *narrow;

    make_table(changed[_i].make);
    set_statement(changed[_i].statement, false);
    learn(0, nulls, nulls);
    (void)postgres_process_do(&server, "TRUNCATE w");
    run_batch(WIDE, 50, nulls, nulls);
    ck_assert_int_eq(statement_ct("w"), 1);
    (void)postgres_process_do(&server, "SET client_min_messages = warning; %s",
                              changed[_i].change);
    wide = outcome_of(WIDE, 100, _i);
    narrow = outcome_of(NARROW, 100, _i);
    ck_assert_str_eq(wide, narrow);
    free(wide);
    free(narrow);
}
END_TEST

/* ---- refusals ---- */

static const struct {
    const char *note, *why;
} refused[] = {
    {"\"long enough to be refused\"", "SQLSTATE 22001: "},
    {"\"taken\"", "SQLSTATE 23505: "},
    {"\"\xff\"", "SQLSTATE 22021: "},
};

/* And the next batch is one statement again. */
START_TEST(a_bad_row_fails_its_job_alone)
{
    static const char *const a[] = {"1", "2", "3", "4"};
    const char *b[] = {"null", "\"x\"", refused[_i].note, "\"y\""};

    make_table("a int, b varchar(9) UNIQUE, id int");
    set_statement("INSERT INTO w VALUES ($1, $2, $3)", true);
    learn(0, a, (const char *const[]){"null", "null", "null", "null"});
    (void)postgres_process_do(&server,
                              "TRUNCATE w; INSERT INTO w VALUES (7, 'taken', 7)");
    run_batch(WIDE, 100, a, b);
    for (size_t i = 0; i < ROW_CT; i++)
        outcome_is(i, i == 2 ? OUTCOME_FAIL : OUTCOME_DONE,
                   i == 2 ? refused[_i].why : "");
    ck_assert_int_eq(count("w"), ROW_CT);
    ck_assert_int_eq(count("drover_inbox WHERE uuid = 'u-102'"), 0);
    b[1] = b[2] = b[3] = "null";
    run_batch(WIDE, 200, a, b);
    ck_assert_int_eq(statement_ct("w WHERE id >= 200"), 1);
}
END_TEST

/* One statement cannot change a row twice; one after the other can. Then it is left alone
 * for a while. */
START_TEST(rows_that_hit_the_same_key_are_written_one_by_one)
{
    static const char *const a[] = {"1", "2", "3", "4"};
    static const char *const apart[] = {"\"w\"", "\"x\"", "\"y\"", "\"z\""};
    static const char *const same[] = {"\"x\"", "\"y\"", "\"x\"", "\"x\""};

    make_table("a int, b text UNIQUE, id int");
    set_statement(
        "INSERT INTO w AS old VALUES ($1, $2, $3) ON CONFLICT (b) DO UPDATE SET "
        "a = old.a * 10 + excluded.a, id = excluded.id",
        false);
    learn(0, a, apart);
    (void)postgres_process_do(&server, "TRUNCATE w");
    run_batch(WIDE, 100, a, apart);
    ck_assert_int_eq(statement_ct("w"), 1);
    (void)postgres_process_do(&server, "TRUNCATE w");
    run_batch(WIDE, 200, a, same);
    all_are(OUTCOME_DONE);
    ck_assert_int_eq(postgres_process_int(&server, "SELECT a FROM w WHERE b = 'x'"), 134);
    (void)postgres_process_do(&server, "TRUNCATE w");
    run_batch(WIDE, 300, a, apart);
    ck_assert_int_eq(statement_ct("w"), ROW_CT);
}
END_TEST

START_TEST(what_is_in_the_inbox_is_not_in_the_statement)
{
    static const char *const a[] = {"1", "2", "3", "4"};

    make_table("a int, b int, id int");
    set_statement("INSERT INTO w VALUES ($1, $2, $3)", true);
    learn(0, a, a);
    (void)postgres_process_do(&server,
                              "INSERT INTO drover_inbox VALUES ('u-101'), ('u-103')");
    run_batch(WIDE, 100, a, a);
    all_are(OUTCOME_DONE);
    ck_assert_int_eq(count("w WHERE id IN (100, 102)"), 2);
    ck_assert_int_eq(count("w WHERE id >= 100"), 2);
    ck_assert_int_eq(statement_ct("w WHERE id >= 100"), 1);
}
END_TEST

static bool only_holder_left(void *arg UNUSED)
{
    return left_ct() == 1;
}

/* A job that writes a row and keeps it to itself, on another connection. */
static void set_holder(void)
{
    static const char *const paths[] = {"data.b", NULL};

    databases[2].read_only = false;
    set_job(SLOW, "readers", 1, false,
            "WITH held AS (INSERT INTO w VALUES (7, 'x', 7) RETURNING a) SELECT "
            "pg_sleep($1::float8) FROM held",
            text_list_of(paths));
}

static bool sleeps(void *arg UNUSED)
{
    return count("pg_stat_activity WHERE wait_event = 'PgSleep'") == 1;
}

/* The time of one statement is not all that its jobs have. */
START_TEST(a_row_that_waits_for_a_lock_holds_up_no_other)
{
    static const char *const a[] = {"1", "2", "3", "4"};
    static const struct policy policy = {.timeout_ms = 10000};
    struct trial *holder;

    make_table("a int, b text UNIQUE, id int");
    set_holder();
    set_statement("INSERT INTO w VALUES ($1, $2, $3)", false);
    learn(0, a, (const char *const[]){"null", "null", "null", "null"});
    holder = start_raw(ROW_CT, SLOW, text_of(999, "0", "60"));
    run_until(env.loop, sleeps, NULL);
    for (int i = 0; i < ROW_CT; i++) {
        clear(&trials[i]);
        set_up(&trials[i], text_of(100 + i, a[i], i == 1 ? "\"x\"" : "null"), NULL);
        trials[i].job.config = &jobs[WIDE];
        trials[i].job.policy = &policy;
        begin(&trials[i], &sql_handler);
    }
    run_until(env.loop, only_holder_left, NULL);
    outcome_is(1, OUTCOME_RETRY, "SQLSTATE 57014: ");
    outcome_is(0, OUTCOME_DONE, "");
    outcome_is(2, OUTCOME_DONE, "");
    outcome_is(3, OUTCOME_DONE, "");
    sql_handler.cancel(holder->run, CANCEL_NOW);
    finish_all();
}
END_TEST

static bool is_lost(void *arg UNUSED)
{
    return count("w WHERE id >= 100") == ROW_CT;
}

START_TEST(a_commit_without_an_answer_takes_effect_once)
{
    static const char *const a[] = {"1", "2", "3", "4"};

    make_table("a int, b int, id int UNIQUE");
    set_statement("INSERT INTO w VALUES ($1, $2, $3)", true);
    learn(0, a, a);
    proxy_set(proxy, PROXY_ANSWERS, PROXY_LOSE);
    for (int i = 0; i < ROW_CT; i++)
        (void)start_raw((size_t)i, WIDE, text_of(100 + i, a[i], a[i]));
    run_until(env.loop, is_lost, NULL);
    proxy_set(proxy, PROXY_ANSWERS, PROXY_PASS);
    proxy_cut(proxy, PROXY_RST);
    finish_all();
    all_are(OUTCOME_DONE);
    ck_assert_int_eq(statement_ct("w WHERE id >= 100"), 1);
    ck_assert_int_eq(count("w WHERE id >= 100"), ROW_CT);
}
END_TEST

static void add_tests(TCase *tc)
{
    add_scene(tc);
    tcase_add_loop_test(tc, rows_of_one_statement_are_as_those_of_many, 0,
                        ARRAY_CT(plain));
    tcase_add_loop_test(tc, where_rows_could_tell_each_has_a_statement, 0,
                        ARRAY_CT(noticing));
    tcase_add_loop_test(tc, no_value_is_read_as_what_its_column_was, 0,
                        ARRAY_CT(changed));
    tcase_add_loop_test(tc, a_bad_row_fails_its_job_alone, 0, ARRAY_CT(refused));
    tcase_add_test(tc, rows_that_hit_the_same_key_are_written_one_by_one);
    tcase_add_test(tc, what_is_in_the_inbox_is_not_in_the_statement);
    tcase_add_test(tc, a_row_that_waits_for_a_lock_holds_up_no_other);
    tcase_add_test(tc, a_commit_without_an_answer_takes_effect_once);
}

int main(void)
{
    return run_suite("sql wide", 60, add_tests);
}
