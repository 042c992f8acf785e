/* The sql handler on a real PostgreSQL: values, batches, what one bad job does to the
 * others, and once. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "config/statement.h"
#include "jobs/sql_inbox.h"
#include "tests/unit/sql_trial.h"
#include "tests/unit/suite.h"

/* ---- values ---- */

static const char *const hostile[] = {
    "\"'; DROP TABLE t; --\"", "\"$1\"",   "\"\\\\'); DELETE FROM t; --\"",
    "\"{data.id}\"",           "\"%s%n\"", "\"\\\"\"",
    "\"\\u00e9\\u2028\"",      "\"\"",
};

START_TEST(values_arrive_as_they_are)
{
    for (size_t i = 0; i < ARRAY_CT(hostile); i++)
        (void)start_job(i, MANY, (int)i, hostile[i]);
    (void)start_job(ARRAY_CT(hostile), PLAIN, 99, "null");
    finish_all();
    ck_assert_int_eq(count("t"), ARRAY_CT(hostile) + 1);
    ck_assert_str_eq(postgres_process_do(&server, "SELECT note FROM t WHERE id = 0"),
                     "'; DROP TABLE t; --");
    ck_assert_str_eq(postgres_process_do(&server, "SELECT note FROM t WHERE id = 2"),
                     "\\'); DELETE FROM t; --");
    ck_assert_int_eq(count("t WHERE note IS NULL"), 1);
}
END_TEST

START_TEST(bytes_that_are_no_text_fail_their_job_alone)
{
    (void)start_job(0, MANY, 1, "\"x\"");
    (void)start_job(1, MANY, 2, "\"\xff\"");
    (void)start_job(2, MANY, 3, "\"y\"");
    ck_assert_ptr_null(start_job(3, MANY, 4, "\"\\u0000\"")->run);
    finish_all();
    outcome_is(0, OUTCOME_DONE, "");
    outcome_is(1, OUTCOME_FAIL, "SQLSTATE 22021: ");
    outcome_is(2, OUTCOME_DONE, "");
    outcome_is(3, OUTCOME_FAIL, "data.note: holds a NUL");
    ck_assert_int_eq(count("t"), 2);
}
END_TEST

START_TEST(a_missing_value_fails_the_job_at_once)
{
    ck_assert_ptr_null(start_raw(0, MANY, "{\"job\":\"t\",\"data\":{\"id\":1}}")->run);
    outcome_is(0, OUTCOME_FAIL, "data.note: the payload has no such value");
}
END_TEST

/* ---- batches ---- */

START_TEST(a_full_batch_is_one_transaction)
{
    for (int i = 0; i < 8; i++)
        (void)start_job((size_t)i, MANY, i, "\"n\"");
    finish_all();
    ck_assert_int_eq(
        postgres_process_int(&server, "SELECT count(DISTINCT xmin::text) FROM t"), 1);
    ck_assert_int_eq(count("t"), 8);
}
END_TEST

START_TEST(a_batch_that_is_not_full_waits_and_goes)
{
    for (int i = 0; i < 3; i++)
        (void)start_job((size_t)i, MANY, i, "\"n\"");
    finish_all();
    ck_assert_int_eq(
        postgres_process_int(&server, "SELECT count(DISTINCT xmin::text) FROM t"), 1);
    ck_assert_int_eq(count("t"), 3);
}
END_TEST

/* Which of the eight are bad, as bits. */
static const unsigned bad_ones[] = {0x01, 0x80, 0x10, 0x81, 0x3c, 0x55, 0xff};

START_TEST(a_bad_job_fails_alone)
{
    (void)postgres_process_do(&server, "INSERT INTO t SELECT generate_series(100, 107)");
    for (int i = 0; i < 8; i++)
        (void)start_job((size_t)i, MANY, bad_ones[_i] >> i & 1 ? 100 + i : i, "\"n\"");
    finish_all();
    for (size_t i = 0; i < 8; i++)
        if (bad_ones[_i] >> i & 1) {
            outcome_is(i, OUTCOME_FAIL, "SQLSTATE 23505: duplicate key value");
            ck_assert_ptr_nonnull(strstr(trials[i].detail, "already exists."));
        } else {
            outcome_is(i, OUTCOME_DONE, "");
        }
    ck_assert_int_eq(count("t"), 16 - __builtin_popcount(bad_ones[_i]));
}
END_TEST

START_TEST(a_job_that_only_commit_refuses_fails_alone)
{
    (void)postgres_process_do(&server, "INSERT INTO later VALUES (3)");
    for (int i = 0; i < 8; i++)
        (void)start_job((size_t)i, LATE, i, "\"n\"");
    finish_all();
    for (size_t i = 0; i < 8; i++)
        outcome_is(i, i == 3 ? OUTCOME_FAIL : OUTCOME_DONE,
                   i == 3 ? "SQLSTATE 23505: duplicate key value" : "");
    ck_assert_int_eq(count("later"), 8);
}
END_TEST

START_TEST(tenants_have_transactions_of_their_own)
{
    for (int i = 0; i < 6; i++)
        (void)start_job((size_t)i, TENANT, i, "\"n\"");
    (void)start_raw(6, TENANT,
                    "{\"job\":\"t\",\"data\":{\"id\":9,\"tenant\":\"a, public\"}}");
    (void)start_raw(7, TENANT, "{\"job\":\"t\",\"data\":{\"id\":9,\"tenant\":\"c\"}}");
    finish_all();
    ck_assert_int_eq(count("tenant_a.visits"), 3);
    ck_assert_int_eq(count("tenant_b.visits"), 3);
    outcome_is(6, OUTCOME_FAIL, "search_path \"tenant_{data.tenant}\" does not become");
    outcome_is(7, OUTCOME_FAIL, "SQLSTATE 42P01: relation \"visits\" does not exist");
}
END_TEST

START_TEST(a_read_only_database_is_not_written)
{
    (void)start_job(0, READER, 1, "\"n\"");
    finish_all();
    outcome_is(0, OUTCOME_FAIL, "SQLSTATE 25006: "); /* by the configuration: for good */
    ck_assert_int_eq(count("t"), 0);
}
END_TEST

START_TEST(a_server_that_is_read_only_for_now_is_tried_again)
{
    postgres_process_set_read_only(&server, true);
    for (int i = 0; i < 3; i++)
        (void)start_job((size_t)i, MANY, i, "\"n\"");
    finish_all();
    for (size_t i = 0; i < 3; i++)
        outcome_is(i, OUTCOME_RETRY, "SQLSTATE 25006: ");
    postgres_process_set_read_only(&server, false);
}
END_TEST

/* ---- statements ---- */

/* With data.id and data.note as $1 and $2, as far as params goes. */
static const struct {
    const char *statement;
    size_t param_ct;
    const char *reason;
} hopeless[] = {
    {"SELECT $1::int, $2::text", 1, "SQLSTATE 08P01: "},
    {"SELECT $1::int", 2, "SQLSTATE 08P01: "},
    {"SELECT $2::int", 2, "SQLSTATE 42P18: "},
    {"VACUUM t", 0, "SQLSTATE 25001: "},
    {"CALL commits()", 0, "SQLSTATE 2D000: "},
    {"INSERT INTO above_5 VALUES ($1)", 1, "SQLSTATE 44000: "},
    {"DELETE FROM t WHERE CURRENT OF nowhere", 0, "SQLSTATE 34000: "},
};

static void open_hopeless(int64_t batch)
{
    static const char *const paths[] = {"data.id", "data.note", NULL};

    MUST(ARRAY_CT(hopeless) <= JOB_CT);
    (void)postgres_process_do(
        &server,
        "CREATE PROCEDURE commits() LANGUAGE plpgsql AS 'BEGIN COMMIT; END'; "
        "CREATE VIEW above_5 AS SELECT id FROM t WHERE id > 5 WITH CHECK OPTION");
    sql_close(env.sql);
    for (size_t i = 0; i < ARRAY_CT(hopeless); i++) {
        struct text_list params = text_list_of(paths);

        params.ct = hopeless[i].param_ct;
        set_job((int)i, "main", batch, false, hopeless[i].statement, params);
    }
    ck_assert_int_eq(sql_open(env.loop, &config, &env.sql, NULL), 0);
}

START_TEST(what_can_never_work_fails_at_once)
{
    size_t ct = ARRAY_CT(hopeless);

    open_hopeless(_i); /* alone, and in company */
    for (size_t i = 0; i < 2 * ct; i++)
        (void)start_job(i, (int)(i % ct), (int)i % 5, "\"n\"");
    finish_all();
    for (size_t i = 0; i < 2 * ct; i++)
        outcome_is(i, OUTCOME_FAIL, hopeless[i % ct].reason);
}
END_TEST

/* Each is refused by the configuration; here is why. */
static const struct {
    const char *statement, *left; /* what is there then, for the same session */
} lingering[] = {
    {"SET work_mem = '5MB'", "pg_settings WHERE name = 'work_mem' AND setting = '5120'"},
    {"LISTEN a", "pg_listening_channels()"},
    {"PREPARE a AS SELECT 1", "pg_prepared_statements"},
    {"DECLARE a CURSOR WITH HOLD FOR SELECT 1", "pg_cursors WHERE name = 'a'"},
    {"CREATE TEMP TABLE a (b int)", "pg_class WHERE oid = to_regclass('pg_temp.a')"},
    {"SELECT pg_advisory_lock(1)", "pg_locks WHERE locktype = 'advisory'"},
    {"PREPARE TRANSACTION 'a'", "pg_prepared_xacts"},
};

static void allow_prepared(const char *ct)
{
    (void)postgres_process_do(&server, "ALTER SYSTEM SET max_prepared_transactions = %s",
                              ct);
    postgres_process_restart(&server, POSTGRES_FAST);
}

START_TEST(what_is_refused_would_outlive_its_transaction)
{
    long long left[ARRAY_CT(lingering)] = {0};

    allow_prepared("1");
    for (size_t i = 0; i < ARRAY_CT(lingering); i++)
        left[i] =
            postgres_process_int(&server, "BEGIN; %s; COMMIT; SELECT count(*) FROM %s",
                                 lingering[i].statement, lingering[i].left);
    (void)postgres_process_do(&server, "ROLLBACK PREPARED 'a'");
    allow_prepared("0");
    for (size_t i = 0; i < ARRAY_CT(lingering); i++) {
        struct err err;

        ck_assert_msg(left[i] == 1, "%s leaves nothing", lingering[i].statement);
        ck_assert_int_eq(statement_check(lingering[i].statement, &err), -1);
    }
}
END_TEST

static const char *const parametered[] = {
    "SELECT 1",
    "SELECT $2::int, $1::int, $2",
    "SELECT $1::text, '$2' AS \"x$3\", $$ $4 $$, 'a''$5' /* $6 /* */ $7 */ -- $8\n, 1",
    "SELECT E'\\'$1', $1::int, E'\\\\', $2::int",
    "SELECT $a$ $1 $$ $a$, $1::int, U&'\\0041$2', N'$3', 1-$2::int--$3",
    "SELECT 'a\\n$1', $1::int, 'a'\n'$2'",
    "SELECT e$1.a, $1::int FROM (SELECT 1 AS a) AS e$1",
};

START_TEST(parameters_are_counted_as_the_server_does)
{
    for (size_t i = 0; i < ARRAY_CT(parametered); i++) {
        size_t highest;

        ck_assert(statement_find_params(parametered[i], NULL, 0, &highest));
        ck_assert_int_eq(
            postgres_process_int(&server,
                                 "PREPARE q AS %s\n; SELECT cardinality(parameter_types) "
                                 "FROM pg_prepared_statements",
                                 parametered[i]),
            (long long)highest);
    }
}
END_TEST

/* ---- once ---- */

START_TEST(what_is_in_the_inbox_is_done)
{
    (void)postgres_process_do(&server,
                              "INSERT INTO drover_inbox VALUES ('u-2'), ('u-5')");
    for (int i = 0; i < 8; i++)
        (void)start_job((size_t)i, ONCE, i, "\"n\"");
    finish_all();
    for (size_t i = 0; i < 8; i++)
        outcome_is(i, OUTCOME_DONE, "");
    ck_assert_int_eq(count("t"), 6);
    ck_assert_int_eq(count("t WHERE id IN (2, 5)"), 0);
    ck_assert_int_eq(count("drover_inbox"), 8);
}
END_TEST

START_TEST(twins_in_one_batch_take_effect_once)
{
    for (int i = 0; i < 8; i++)
        (void)start_job((size_t)i, ONCE, i / 4, "\"n\"");
    finish_all();
    for (size_t i = 0; i < 8; i++)
        outcome_is(i, OUTCOME_DONE, "");
    ck_assert_int_eq(count("t"), 2);
    ck_assert_int_eq(count("drover_inbox"), 2);
}
END_TEST

START_TEST(a_job_that_failed_is_not_in_the_inbox)
{
    (void)postgres_process_do(&server, "INSERT INTO t VALUES (3)");
    for (int i = 0; i < 8; i++)
        (void)start_job((size_t)i, ONCE, i, "\"n\"");
    finish_all();
    outcome_is(3, OUTCOME_FAIL, "SQLSTATE 23505: duplicate key value");
    ck_assert_int_eq(count("drover_inbox"), 7);
    ck_assert_int_eq(count("drover_inbox WHERE uuid = 'u-3'"), 0);
}
END_TEST

START_TEST(once_needs_a_uuid_of_the_jobs_own)
{
    ck_assert_ptr_null(
        start_raw(0, ONCE, "{\"job\":\"t\",\"data\":{\"id\":1,\"note\":null}}")->run);
    outcome_is(0, OUTCOME_FAIL, "a job that is run once needs a uuid of its own");
}
END_TEST

static bool is_pruned(void *arg UNUSED)
{
    return count("drover_inbox") == 1;
}

START_TEST(old_notes_are_dropped)
{
    sql_close(env.sql);
    databases[0].inbox_keep_ms = 1000;
    (void)postgres_process_do(
        &server, "INSERT INTO drover_inbox SELECT g, now() - interval '2 s' FROM "
                 "generate_series(1, 12000) g; INSERT INTO drover_inbox VALUES ('new', "
                 "now() + interval '1 h')");
    ck_assert_int_eq(sql_open(env.loop, &config, &env.sql, NULL), 0);
    run_until(env.loop, is_pruned, NULL);
}
END_TEST

/* Few come back within seconds, many one after the other. */
START_TEST(without_an_inbox_jobs_wait)
{
    int64_t last_ms = 0;

    (void)postgres_process_do(&server, "DROP TABLE drover_inbox");
    for (int i = 0; i < 96; i++)
        (void)start_job((size_t)i, ONCE, i, "\"n\"");
    finish_all();
    for (size_t i = 0; i < 96; i++) {
        outcome_is(i, OUTCOME_POSTPONE,
                   "drover_inbox cannot be written, see `drover sql");
        ck_assert_int_ge(trials[i].outcome.wait_ms, 2000);
        ck_assert_int_lt(trials[i].outcome.wait_ms, 4000);
        if (trials[i].outcome.wait_ms > last_ms)
            last_ms = trials[i].outcome.wait_ms;
    }
    ck_assert_int_ge(last_ms, 2100);
    ck_assert_int_eq(count("t"), 0);
}
END_TEST

/* What the supervisor is told: which database, why, and how many runs that has cost. */
START_TEST(a_database_that_cannot_be_used_is_on_the_board)
{
    struct board *board = board_create(1, NULL);

    sql_tell_board(env.sql, board, clock_mono_ms());
    ck_assert_int_eq(board->databases[0].put_off_ct, 0);
    (void)postgres_process_do(&server, "DROP TABLE drover_inbox");
    for (int i = 0; i < 3; i++)
        (void)start_job((size_t)i, ONCE, i, "\"n\"");
    finish_all();
    (void)start_job(3, PLAIN, 9, "\"n\""); /* changes nothing about the inbox */
    finish_all();
    sql_tell_board(env.sql, board, clock_mono_ms());
    ck_assert_int_eq(board->databases[0].put_off_ct, 3);
    ck_assert_str_eq(board->databases[0].name, "main");
    ck_assert_str_eq(board->databases[0].why,
                     "relation \"drover_inbox\" does not exist: drover sql migrate");
    ck_assert_int_eq(board->databases[1].put_off_ct, 0);
    sql_tell_board(env.sql, board, clock_mono_ms() + 60000); /* others have them */
    ck_assert_int_eq(board->databases[0].put_off_ct, 0);
    (void)postgres_process_do(&server, "%s", sql_inbox_text);
    (void)start_job(4, ONCE, 4, "\"n\"");
    finish_all();
    sql_tell_board(env.sql, board, clock_mono_ms());
    ck_assert_int_eq(board->databases[0].put_off_ct, 0);
    board_destroy(board);
}
END_TEST

static void add_tests(TCase *tc)
{
    add_scene(tc);
    tcase_add_test(tc, values_arrive_as_they_are);
    tcase_add_test(tc, bytes_that_are_no_text_fail_their_job_alone);
    tcase_add_test(tc, a_missing_value_fails_the_job_at_once);
    tcase_add_test(tc, a_full_batch_is_one_transaction);
    tcase_add_test(tc, a_batch_that_is_not_full_waits_and_goes);
    tcase_add_loop_test(tc, a_bad_job_fails_alone, 0, ARRAY_CT(bad_ones));
    tcase_add_test(tc, a_job_that_only_commit_refuses_fails_alone);
    tcase_add_test(tc, tenants_have_transactions_of_their_own);
    tcase_add_test(tc, a_read_only_database_is_not_written);
    tcase_add_test(tc, a_server_that_is_read_only_for_now_is_tried_again);
    tcase_add_loop_test(tc, what_can_never_work_fails_at_once, 1, 3);
    tcase_add_test(tc, what_is_refused_would_outlive_its_transaction);
    tcase_add_test(tc, parameters_are_counted_as_the_server_does);
    tcase_add_test(tc, what_is_in_the_inbox_is_done);
    tcase_add_test(tc, twins_in_one_batch_take_effect_once);
    tcase_add_test(tc, a_job_that_failed_is_not_in_the_inbox);
    tcase_add_test(tc, once_needs_a_uuid_of_the_jobs_own);
    tcase_add_test(tc, old_notes_are_dropped);
    tcase_add_test(tc, without_an_inbox_jobs_wait);
    tcase_add_test(tc, a_database_that_cannot_be_used_is_on_the_board);
}

int main(void)
{
    return run_suite("sql", 60, add_tests);
}
