/* End to end: failed jobs of the built drover reach Laravel's table in PostgreSQL,
 * whatever happens to server and workers meanwhile, each once. */
#include <check.h>
#include <libpq-fe.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "tests/support/pgbouncer_process.h"
#include "tests/support/postgres_fixture.h"
#include "tests/support/scene.h"
#include "tests/support/wait.h"
#include "tests/unit/suite.h"

static struct scene *scene;

static void set_up(void)
{
    postgres_process_start(&server);
    (void)postgres_process_do(&server, FRESH_SCHEMA);
}

/* The servers go first: the scene looks whether anything is left. */
static void tear_down(void)
{
    scene_stop(scene);
    postgres_process_stop(&server, POSTGRES_IMMEDIATE);
    scene_destroy(scene);
}

static void stage(const char *dsn, unsigned workers)
{
    char *settings = must_format(
        "failed: { store = \"postgres\"; dsn = \"%s\"; };\n"
        "pools: ( { name = \"main\"; queues = [ \"default\" ]; workers = %u; concurrency "
        "= 8; tries = 1; } );\n"
        "jobs: ( { name = \"broken\"; type = \"shell\"; command = [ \"/bin/false\" ]; } "
        ");\n",
        dsn, workers);

    scene = scene_create(SCENE_REDIS, settings);
    free(settings);
}

static void migrate(void)
{
    scene_do(scene, "failed", "migrate");
}

/* Jobs that fail, straight into the queue; the uuid tells them apart. */
static void push(const char *prefix, unsigned ct)
{
    for (unsigned i = 0; i < ct; i++) {
        char payload[128];

        (void)snprintf(payload, sizeof(payload),
                       "{\"uuid\":\"%s-%04u\",\"job\":\"broken\",\"data\":{}}", prefix,
                       i);
        (void)scene_redis(scene, "RPUSH", "queues:default", payload, NULL);
    }
}

static long long row_ct(void)
{
    return postgres_process_int(&server, "SELECT count(*) FROM failed_jobs");
}

static bool all_are_in(unsigned ct)
{
    return row_ct() >= ct && scene_redis_int(scene, "ZCARD", "drover:outbox") == 0;
}

static void expect_once(unsigned ct)
{
    WAIT_FOR(all_are_in(ct));
    ck_assert_int_eq(row_ct(), ct);
    ck_assert_int_eq(postgres_process_int(&server, "SELECT count(DISTINCT payload) FROM "
                                                   "failed_jobs"),
                     ct);
}

START_TEST(eight_workers_through_a_pooler_of_two)
{
    struct pgbouncer_process pooler;

    pgbouncer_process_begin(&pooler, &server, 2);
    stage(pooler.dsn, 8);
    migrate();
    scene_start(scene);
    push("u", 200);
    expect_once(200);
    pgbouncer_process_end(&pooler);
}
END_TEST

START_TEST(failures_wait_for_the_table_and_for_the_server)
{
    stage(server.dsn, 2);
    scene_start(scene);
    push("u", 10);
    WAIT_FOR(scene_log_has(scene, "do=\"drover failed migrate\""));
    ck_assert_int_eq(scene_redis_int(scene, "ZCARD", "drover:outbox"), 10);
    migrate();
    expect_once(10);
    postgres_process_stop(&server, POSTGRES_FAST);
    push("v", 50);
    WAIT_FOR(scene_redis_int(scene, "ZCARD", "drover:outbox") == 50);
    postgres_process_start(&server);
    expect_once(60);
}
END_TEST

static PGconn *lock_table(void)
{
    PGconn *conn = PQconnectdb(server.dsn);
    PGresult *result = PQexec(conn, "BEGIN; LOCK TABLE failed_jobs");

    ck_assert_msg(PQresultStatus(result) == PGRES_COMMAND_OK, "%s", PQerrorMessage(conn));
    PQclear(result);
    return conn;
}

static void kill_workers(unsigned ct)
{
    for (unsigned i = 0; i < ct; i++) {
        pid_t pid = (pid_t)scene_worker(scene, 0, i, "pid");

        if (pid > 0)
            (void)kill(pid, SIGKILL);
    }
}

static bool someone_waits(void)
{
    return postgres_process_int(&server, "SELECT count(*) FROM pg_stat_activity WHERE "
                                         "wait_event_type = 'Lock'") > 0;
}

START_TEST(workers_killed_while_they_insert)
{
    PGconn *lock;

    stage(server.dsn, 2);
    migrate();
    scene_start(scene);
    lock = lock_table();
    push("u", 30);
    WAIT_FOR(scene_redis_int(scene, "ZCARD", "drover:outbox") == 30 && someone_waits());
    kill_workers(2);
    PQfinish(lock);
    expect_once(30);
}
END_TEST

/* Redis stands still from before COMMIT until the worker is dead. */
START_TEST(workers_killed_between_commit_and_drop)
{
    PGconn *lock;

    stage(server.dsn, 1);
    migrate();
    scene_start(scene);
    lock = lock_table();
    push("u", 30);
    WAIT_FOR(scene_redis_int(scene, "ZCARD", "drover:outbox") == 30 && someone_waits());
    pid_t worker = (pid_t)scene_worker(scene, 0, 0, "pid");

    ck_assert_int_eq(kill(scene->redis, SIGSTOP), 0);
    PQfinish(lock);
    WAIT_FOR(row_ct() > 0);
    ck_assert_int_eq(kill(worker, SIGKILL), 0);
    WAIT_FOR(!process_exists(worker));
    ck_assert_int_eq(kill(scene->redis, SIGCONT), 0);
    expect_once(30);
}
END_TEST

static void add_tests(TCase *tc)
{
    add_cluster(tc);
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, eight_workers_through_a_pooler_of_two);
    tcase_add_test(tc, failures_wait_for_the_table_and_for_the_server);
    tcase_add_test(tc, workers_killed_while_they_insert);
    tcase_add_test(tc, workers_killed_between_commit_and_drop);
}

int main(void)
{
    if (!postgres_process_is_installed() || !pgbouncer_process_is_installed())
        return 77; /* skipped */
    return run_suite("outbox", 180, add_tests);
}
