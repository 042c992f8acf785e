/* The sql handler on a real PostgreSQL: batches, what one bad job does to the others,
 * once, and connections that are lost at the worst time. */
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "jobs/sql.h"
#include "tests/support/postgres_process.h"
#include "tests/support/proxy.h"
#include "tests/unit/suite.h"
#include "tests/unit/trial.h"

enum { TRIALS_MAX = 100, PLAIN = 0, MANY, ONCE, TENANT, READER, SLOW, LATE, JOB_CT };

static struct postgres_process server;
static struct proxy *proxy; /* between the jobs and the server */
static struct config config;
static struct job_config jobs[JOB_CT];
static struct database_config databases[3];
static struct trial trials[TRIALS_MAX];
static char *texts[1 << 14]; /* payloads, which live as long as the test */
static size_t text_ct;
static char proxied_dsn[256], proxy_path[128];

#define TEXT(text) ((char *)(uintptr_t)(text))

static void set_job(int at, const char *database, int64_t batch, bool once,
                    const char *statement, struct text_list params)
{
    jobs[at] = (struct job_config){.type = JOB_SQL,
                                   .sql = {.database = TEXT(database),
                                           .statement = TEXT(statement),
                                           .params = params,
                                           .batch = batch,
                                           .batch_wait_ms = 50,
                                           .once = once}};
}

static void set_config(void)
{
    static const char *const id_and_note[] = {"data.id", "data.note", NULL};
    static const char *const id[] = {"data.id", NULL};
    static const char insert[] = "INSERT INTO t VALUES ($1, $2)";
    static struct text_list two, one;

    two = text_list_of(id_and_note);
    one = text_list_of(id);
    set_job(PLAIN, "main", 1, false, insert, two);
    set_job(MANY, "main", 8, false, insert, two);
    set_job(ONCE, "main", 8, true, insert, two);
    set_job(TENANT, "tenants", 8, false, "INSERT INTO visits VALUES ($1)", one);
    set_job(READER, "readers", 1, false, insert, two);
    set_job(SLOW, "main", 4, false,
            "INSERT INTO t SELECT $1, pg_sleep($2::text::float8)::text", two);
    set_job(LATE, "main", 8, false, "INSERT INTO later VALUES ($1)", one);
    databases[0] = (struct database_config){
        .name = TEXT("main"), .dsn = proxied_dsn, .pool = 2, .inbox_keep_ms = 3600000};
    databases[1] = databases[0];
    databases[1].name = TEXT("tenants");
    databases[1].search_path = TEXT("tenant_{data.tenant}");
    databases[2] = databases[0];
    databases[2].name = TEXT("readers");
    databases[2].read_only = true;
    config = (struct config){.jobs = jobs,
                             .job_ct = JOB_CT,
                             .databases = databases,
                             .database_ct = ARRAY_CT(databases)};
}

/* ---- the scene ---- */

static void make_server(void)
{
    postgres_process_make(&server);
}

static void end_server(void)
{
    postgres_process_end(&server);
}

static void open_scene(void)
{
    struct err err;

    set_config();
    ck_assert_msg(sql_open(env.loop, &config, &env.sql, &err) == 0, "%s", err.text);
}

static void set_up_scene(void)
{
    const char *slash = strrchr(server.socket, '/');

    log_setup(LOG_ERROR, LOG_LOGFMT);
    (void)signal(SIGPIPE, SIG_IGN);
    postgres_process_start(&server);
    (void)postgres_process_do(
        &server,
        "SET client_min_messages = warning; DROP SCHEMA IF EXISTS tenant_a, tenant_b "
        "CASCADE; DROP SCHEMA public CASCADE; CREATE SCHEMA public; CREATE TABLE t (id "
        "int PRIMARY KEY, note text); CREATE TABLE later (id int UNIQUE DEFERRABLE "
        "INITIALLY DEFERRED); CREATE TABLE drover_inbox (uuid text PRIMARY KEY, done_at "
        "timestamptz NOT NULL DEFAULT now()); CREATE SCHEMA tenant_a; CREATE TABLE "
        "tenant_a.visits (id int); CREATE SCHEMA tenant_b; CREATE TABLE tenant_b.visits "
        "(id int)");
    open_env();
    (void)snprintf(proxy_path, sizeof(proxy_path), "%s/proxied", server.dir);
    (void)mkdir(proxy_path, 0755);
    (void)snprintf(proxied_dsn, sizeof(proxied_dsn),
                   "host=%s dbname=postgres user=postgres", proxy_path);
    (void)strcat(proxy_path, slash);
    proxy = proxy_create(env.loop, proxy_path, server.socket);
    open_scene();
}

static void tear_down_scene(void)
{
    sql_close(env.sql);
    env.sql = NULL;
    proxy_destroy(proxy);
    close_env();
    for (size_t i = 0; i < TRIALS_MAX; i++)
        clear(&trials[i]);
    while (text_ct > 0)
        free(texts[--text_ct]);
    postgres_process_stop(&server, POSTGRES_IMMEDIATE);
}

/* ---- jobs ---- */

static const char *payload_text(int number, const char *note)
{
    MUST(text_ct < ARRAY_CT(texts));
    texts[text_ct] =
        must_format("{\"uuid\":\"u-%d\",\"job\":\"t\",\"data\":{\"id\":%d,\"note\":%s,"
                    "\"tenant\":\"%s\"}}",
                    number, number, note, number % 2 ? "a" : "b");
    return texts[text_ct++];
}

static struct trial *start_raw(size_t at, int entry, const char *raw)
{
    struct trial *trial = &trials[at];

    clear(trial);
    set_up(trial, raw, NULL);
    trial->job.config = &jobs[entry];
    begin(trial, &sql_handler);
    return trial;
}

static struct trial *start_job(size_t at, int entry, int number, const char *note)
{
    return start_raw(at, entry, payload_text(number, note));
}

static unsigned left_ct(void)
{
    unsigned ct = 0;

    for (size_t i = 0; i < TRIALS_MAX; i++)
        ct += trials[i].left;
    return ct;
}

static bool all_over(void *arg UNUSED)
{
    return left_ct() == 0;
}

static void finish_all(void)
{
    run_until(env.loop, all_over, NULL);
}

static void stop_turn(void *arg)
{
    loop_stop(arg);
}

static void turn_once(void)
{
    struct timer timer;

    timer_init(&timer, env.loop, stop_turn, env.loop);
    timer_set(&timer, 3);
    loop_run(env.loop);
    timer_free(&timer);
}

#define UNTIL(condition)                                                                 \
    do {                                                                                 \
        int64_t until_ = clock_mono_ms() + UNTIL_DEADLINE_MS;                            \
        while (!(condition)) {                                                           \
            ck_assert_msg(clock_mono_ms() < until_, "waited too long for %s",            \
                          #condition);                                                   \
            turn_once();                                                                 \
        }                                                                                \
    } while (0)

static long long count(const char *what)
{
    return postgres_process_int(&server, "SELECT count(*) FROM %s", what);
}

static void outcome_is(size_t at, enum outcome_kind kind, const char *reason)
{
    ck_assert_msg(trials[at].outcome.kind == kind &&
                      strncmp(trials[at].outcome.reason, reason, strlen(reason)) == 0,
                  "%zu: %d %s", at, trials[at].outcome.kind, trials[at].outcome.reason);
}

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
    outcome_is(0, OUTCOME_RETRY, "SQLSTATE 25006: ");
    ck_assert_int_eq(count("t"), 0);
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

START_TEST(without_an_inbox_jobs_wait)
{
    (void)postgres_process_do(&server, "DROP TABLE drover_inbox");
    (void)start_job(0, ONCE, 1, "\"n\"");
    finish_all();
    outcome_is(0, OUTCOME_POSTPONE, "drover_inbox cannot be written, see `drover sql");
    ck_assert_int_eq(count("t"), 0);
}
END_TEST

static bool is_lost(void *arg)
{
    return count(arg) == 8;
}

/* The server has committed, and nobody hears of it. */
START_TEST(a_commit_without_an_answer_takes_effect_once)
{
    (void)start_job(0, ONCE, 100, "\"n\""); /* the connection is there */
    finish_all();
    proxy_set(proxy, PROXY_ANSWERS, PROXY_LOSE);
    for (int i = 0; i < 7; i++)
        (void)start_job((size_t)i, ONCE, i, "\"n\"");
    run_until(env.loop, is_lost, TEXT("t"));
    proxy_set(proxy, PROXY_ANSWERS, PROXY_PASS);
    proxy_cut(proxy, PROXY_RST);
    finish_all();
    for (size_t i = 0; i < 7; i++)
        outcome_is(i, OUTCOME_DONE, "");
    ck_assert_int_eq(count("t"), 8); /* a second run would have been refused */
    ck_assert_int_eq(count("drover_inbox"), 8);
}
END_TEST

START_TEST(a_commit_without_an_answer_is_tried_again_without_once)
{
    (void)start_job(0, MANY, 100, "\"n\"");
    finish_all();
    proxy_set(proxy, PROXY_ANSWERS, PROXY_LOSE);
    for (int i = 0; i < 7; i++)
        (void)start_job((size_t)i, MANY, i, "\"n\"");
    run_until(env.loop, is_lost, TEXT("t"));
    proxy_set(proxy, PROXY_ANSWERS, PROXY_PASS);
    proxy_cut(proxy, PROXY_RST);
    finish_all();
    for (size_t i = 0; i < 7; i++)
        outcome_is(i, OUTCOME_RETRY, "no answer to COMMIT, it may have worked: ");
}
END_TEST

/* ---- the server ---- */

START_TEST(a_database_that_is_away_spends_no_attempt)
{
    proxy_refuse(proxy);
    (void)start_job(0, PLAIN, 1, "\"n\"");
    finish_all();
    outcome_is(0, OUTCOME_POSTPONE, "no connection in time");
    ck_assert_int_gt(trials[0].outcome.wait_ms, 0);
    ck_assert_ptr_null(start_job(1, PLAIN, 2, "\"n\"")->run); /* not even tried */
    outcome_is(1, OUTCOME_POSTPONE, "database main is away: ");
    proxy_admit(proxy);
    UNTIL(start_job(2, PLAIN, 3, "\"n\"")->run != NULL);
    finish_all();
    outcome_is(2, OUTCOME_DONE, "");
    (void)start_job(3, PLAIN, 4, "\"n\"");
    finish_all();
    outcome_is(3, OUTCOME_DONE, "");
}
END_TEST

static bool sleeps(void *arg UNUSED)
{
    return count("pg_stat_activity WHERE wait_event = 'PgSleep'") == 1;
}

static bool sleeps_not(void *arg UNUSED)
{
    return count("pg_stat_activity WHERE wait_event = 'PgSleep'") == 0;
}

START_TEST(a_restart_in_the_middle_of_a_batch_is_tried_again)
{
    (void)start_job(0, SLOW, 1, "0");
    (void)start_job(1, SLOW, 2, "60");
    run_until(env.loop, sleeps, NULL);
    postgres_process_restart(&server, POSTGRES_IMMEDIATE);
    finish_all();
    for (size_t i = 0; i < 2; i++)
        outcome_is(i, OUTCOME_RETRY, "no answer to COMMIT, it may have worked: ");
    ck_assert_int_eq(count("t"), 0);
}
END_TEST

/* ---- cancelling ---- */

START_TEST(a_stop_ends_the_statement)
{
    struct trial *trial = start_job(0, SLOW, 1, "60");

    run_until(env.loop, sleeps, NULL);
    sql_handler.cancel(trial->run, CANCEL_STOP);
    sql_handler.cancel(trial->run, CANCEL_NOW);
    finish_all();
    outcome_is(0, OUTCOME_ABANDONED, "stopped: the worker is leaving");
    run_until(env.loop, sleeps_not, NULL);
    ck_assert_int_eq(count("t"), 0);
}
END_TEST

START_TEST(the_timed_out_leave_and_the_others_go_on)
{
    struct trial *slow = start_job(0, SLOW, 1, "60");

    (void)start_job(1, SLOW, 2, "0");
    (void)start_job(2, SLOW, 3, "0");
    run_until(env.loop, sleeps, NULL);
    sql_handler.cancel(slow->run, CANCEL_TIMEOUT);
    finish_all();
    outcome_is(0, OUTCOME_RETRY, "timed out");
    ck_assert(trials[0].outcome.timed_out);
    outcome_is(1, OUTCOME_DONE, "");
    outcome_is(2, OUTCOME_DONE, "");
    ck_assert_int_eq(count("t"), 2);
}
END_TEST

/* With two seconds for the job, a statement in company has one. */
START_TEST(the_server_ends_what_takes_too_long)
{
    set_up(&trials[0], payload_text(1, "60"), NULL);
    trials[0].job.config = &jobs[SLOW];
    trials[0].job.timeout_ms = 2000;
    begin(&trials[0], &sql_handler);
    (void)start_job(1, SLOW, 2, "0");
    finish_all();
    outcome_is(0, OUTCOME_RETRY,
               "SQLSTATE 57014: canceling statement due to statement "
               "timeout");
    outcome_is(1, OUTCOME_DONE, "");
}
END_TEST

START_TEST(a_lost_job_is_taken_out_before_it_is_sent)
{
    struct trial *lost = start_job(0, MANY, 1, "\"n\"");

    (void)start_job(1, MANY, 2, "\"n\"");
    sql_handler.cancel(lost->run, CANCEL_LOST);
    ck_assert_uint_eq(lost->left, 1); /* later, never from inside */
    finish_all();
    outcome_is(0, OUTCOME_ABANDONED, "stopped: the lease is lost");
    outcome_is(1, OUTCOME_DONE, "");
    ck_assert_int_eq(count("t"), 1);
}
END_TEST

START_TEST(a_lost_job_leaves_a_batch_that_waits_for_a_connection)
{
    struct trial *lost;

    proxy_refuse(proxy);
    lost = start_job(0, PLAIN, 1, "\"n\"");
    for (int i = 2; i < 10; i++)
        (void)start_job((size_t)i, MANY, i, "\"n\"");
    turn_once();
    sql_handler.cancel(lost->run, CANCEL_LOST);
    sql_handler.cancel(trials[2].run, CANCEL_LOST);
    proxy_admit(proxy);
    finish_all();
    outcome_is(0, OUTCOME_ABANDONED, "stopped: the lease is lost");
    outcome_is(2, OUTCOME_ABANDONED, "stopped: the lease is lost");
    for (size_t i = 3; i < 10; i++)
        outcome_is(i, OUTCOME_DONE, "");
    ck_assert_int_eq(count("t"), 7);
}
END_TEST

START_TEST(closing_tells_nobody)
{
    (void)start_job(0, SLOW, 1, "60");
    (void)start_job(1, MANY, 2, "\"n\"");
    run_until(env.loop, sleeps, NULL);
    sql_close(env.sql);
    ck_assert_uint_eq(trials[0].left, 1);
    trials[0].left = trials[1].left = 0;
    open_scene();
    (void)start_job(2, PLAIN, 3, "\"n\"");
    finish_all();
    outcome_is(2, OUTCOME_DONE, "");
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_unchecked_fixture(tc, make_server, end_server);
    tcase_add_checked_fixture(tc, set_up_scene, tear_down_scene);
    tcase_add_test(tc, values_arrive_as_they_are);
    tcase_add_test(tc, bytes_that_are_no_text_fail_their_job_alone);
    tcase_add_test(tc, a_missing_value_fails_the_job_at_once);
    tcase_add_test(tc, a_full_batch_is_one_transaction);
    tcase_add_test(tc, a_batch_that_is_not_full_waits_and_goes);
    tcase_add_loop_test(tc, a_bad_job_fails_alone, 0, ARRAY_CT(bad_ones));
    tcase_add_test(tc, a_job_that_only_commit_refuses_fails_alone);
    tcase_add_test(tc, tenants_have_transactions_of_their_own);
    tcase_add_test(tc, a_read_only_database_is_not_written);
    tcase_add_test(tc, what_is_in_the_inbox_is_done);
    tcase_add_test(tc, twins_in_one_batch_take_effect_once);
    tcase_add_test(tc, a_job_that_failed_is_not_in_the_inbox);
    tcase_add_test(tc, once_needs_a_uuid_of_the_jobs_own);
    tcase_add_test(tc, old_notes_are_dropped);
    tcase_add_test(tc, without_an_inbox_jobs_wait);
    tcase_add_test(tc, a_commit_without_an_answer_takes_effect_once);
    tcase_add_test(tc, a_commit_without_an_answer_is_tried_again_without_once);
    tcase_add_test(tc, a_database_that_is_away_spends_no_attempt);
    tcase_add_test(tc, a_restart_in_the_middle_of_a_batch_is_tried_again);
    tcase_add_test(tc, a_stop_ends_the_statement);
    tcase_add_test(tc, the_timed_out_leave_and_the_others_go_on);
    tcase_add_test(tc, the_server_ends_what_takes_too_long);
    tcase_add_test(tc, a_lost_job_is_taken_out_before_it_is_sent);
    tcase_add_test(tc, a_lost_job_leaves_a_batch_that_waits_for_a_connection);
    tcase_add_test(tc, closing_tells_nobody);
}

int main(void)
{
    return run_suite("sql", 60, add_tests);
}
