/* The sql handler and connections that are lost at the worst time, a server that is away,
 * jobs that are cancelled. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/sql_trial.h"
#include "tests/unit/suite.h"

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

START_TEST(too_many_connections_spend_no_attempt)
{
    char *dsn = must_format("host=%s dbname=postgres user=limited", server.dir);

    (void)postgres_process_do(
        &server,
        "CREATE ROLE limited LOGIN CONNECTION LIMIT 0; GRANT ALL ON t TO limited; "
        "GRANT USAGE ON SCHEMA public TO limited");
    sql_close(env.sql);
    databases[0].dsn = dsn;
    ck_assert_int_eq(sql_open(env.loop, &config, &env.sql, NULL), 0);
    (void)start_job(0, PLAIN, 1, "\"n\"");
    finish_all();
    outcome_is(0, OUTCOME_POSTPONE, "no connection in time: ");
    ck_assert_ptr_nonnull(
        strstr(trials[0].outcome.reason, "too many connections for role"));
    (void)postgres_process_do(&server, "ALTER ROLE limited CONNECTION LIMIT -1");
    UNTIL(start_job(1, PLAIN, 2, "\"n\"")->run != NULL);
    finish_all();
    outcome_is(1, OUTCOME_DONE, "");
    free(dsn);
}
END_TEST

/* Rows of a whole page each, so that none has room for another, until no more fit. */
static void fill_table(void)
{
    (void)postgres_process_do(
        &server, "ALTER TABLE t ALTER note SET STORAGE PLAIN; DO $$ BEGIN FOR n IN "
                 "1001..4000 LOOP BEGIN INSERT INTO t VALUES (n, repeat('x', 8050)); "
                 "EXCEPTION WHEN disk_full THEN EXIT; END; END LOOP; END $$");
    ck_assert_int_lt(count("t"), 3000);
}

START_TEST(a_full_disk_is_no_jobs_fault)
{
    char note[8053];

    memset(note, 'x', sizeof(note));
    note[0] = note[sizeof(note) - 2] = '"';
    note[sizeof(note) - 1] = '\0';
    postgres_process_limit_files(&server, "17829888");
    fill_table();
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 8; i++)
            (void)start_job((size_t)i, MANY, i, note);
        finish_all();
        for (size_t i = 0; i < 8; i++)
            outcome_is(i, round == 0 ? OUTCOME_RETRY : OUTCOME_DONE,
                       round == 0 ? "SQLSTATE 53100: " : "");
        postgres_process_limit_files(&server, "unlimited");
        sql_close(env.sql); /* the limit is a session's from its start */
        open_scene();
    }
    ck_assert_int_eq(count("t WHERE id < 8"), 8);
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

/* With four seconds for the job, a statement in company has two. */
START_TEST(the_server_ends_what_takes_too_long)
{
    struct policy policy = {.timeout_ms = 4000};

    set_up(&trials[0], payload_text(1, "60"), NULL);
    trials[0].job.config = &jobs[SLOW];
    trials[0].job.policy = &policy;
    begin(&trials[0], &sql_handler);
    (void)start_job(1, SLOW, 2, "0");
    finish_all();
    outcome_is(0, OUTCOME_RETRY,
               "SQLSTATE 57014: canceling statement due to statement "
               "timeout");
    outcome_is(1, OUTCOME_DONE, "");
}
END_TEST

/* A month is more than statement_timeout takes; the last one, more than a clock. */
START_TEST(a_job_may_have_more_time_than_the_server_can_be_told)
{
    static const char *const timeouts[] = {"2000000", "2200000", "1e12", "1e400"};
    struct policy policies[ARRAY_CT(timeouts)];
    struct pool_config pool = {.tries = 1};
    struct payload payload;
    struct err err;

    for (size_t i = 0; i < ARRAY_CT(timeouts); i++) {
        char *text = must_format("{\"timeout\":%s}", timeouts[i]);

        ck_assert_int_eq(payload_scan(&payload, slice_text(text), &err), 0);
        policy_resolve(&policies[i], &payload, NULL, &pool);
        free(text);
        set_up(&trials[i], payload_text((int)i, "0.1"), NULL);
        trials[i].job.config = &jobs[SLOW];
        trials[i].job.policy = &policies[i];
        begin(&trials[i], &sql_handler);
        finish_all();
        outcome_is(i, OUTCOME_DONE, "");
    }
    ck_assert_int_eq(count("t"), ARRAY_CT(timeouts));
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

/* Also what has not been sent, nor ever will be. */
START_TEST(closing_ends_what_waits_for_a_connection)
{
    proxy_refuse(proxy);
    (void)start_job(0, PLAIN, 1, "\"n\"");
    turn_once();
    sql_close(env.sql);
    ck_assert_uint_eq(trials[0].left, 1);
    trials[0].left = 0;
    open_scene();
}
END_TEST

static void add_tests(TCase *tc)
{
    add_scene(tc);
    tcase_add_test(tc, a_commit_without_an_answer_takes_effect_once);
    tcase_add_test(tc, a_commit_without_an_answer_is_tried_again_without_once);
    tcase_add_test(tc, a_database_that_is_away_spends_no_attempt);
    tcase_add_test(tc, a_restart_in_the_middle_of_a_batch_is_tried_again);
    tcase_add_test(tc, too_many_connections_spend_no_attempt);
    tcase_add_test(tc, a_full_disk_is_no_jobs_fault);
    tcase_add_test(tc, a_stop_ends_the_statement);
    tcase_add_test(tc, the_timed_out_leave_and_the_others_go_on);
    tcase_add_test(tc, the_server_ends_what_takes_too_long);
    tcase_add_test(tc, a_job_may_have_more_time_than_the_server_can_be_told);
    tcase_add_test(tc, a_lost_job_is_taken_out_before_it_is_sent);
    tcase_add_test(tc, a_lost_job_leaves_a_batch_that_waits_for_a_connection);
    tcase_add_test(tc, closing_tells_nobody);
    tcase_add_test(tc, closing_ends_what_waits_for_a_connection);
}

int main(void)
{
    return run_suite("sql faults", 60, add_tests);
}
