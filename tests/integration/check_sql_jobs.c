/* End to end: SQL jobs through a PgBouncer in transaction mode, eight workers on two
 * connections, while workers, pooler and database are struck; and drover sql migrate.
 */
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "tests/support/memory.h"
#include "tests/support/pgbouncer_process.h"
#include "tests/support/postgres_fixture.h"
#include "tests/support/sanitized.h"
#include "tests/support/scene.h"
#include "tests/support/wait.h"
#include "tests/unit/suite.h"

enum { WORKERS = 8, JOB_CT = 10000 };

#define INSERT "statement = \"INSERT INTO t VALUES ($1)\"; params = [ \"data.id\" ]; "

/* Slow enough to be struck while it runs. */
#define SLOW_INSERT                                                                      \
    "statement = \"INSERT INTO t SELECT $1::int FROM pg_sleep(0.0002)\"; params = [ "    \
    "\"data.id\" ]; "

static struct scene *scene;
static struct pgbouncer_process pooler;

static void set_up(void)
{
    postgres_process_start(&server);
    pgbouncer_process_begin(&pooler, &server, 2);
    (void)postgres_process_do(&server, FRESH_SCHEMA
                              "DROP SCHEMA IF EXISTS tenant_a, tenant_b CASCADE; CREATE "
                              "TABLE t (id int)");
}

static void tear_down(void)
{
    pgbouncer_process_end(&pooler);
    postgres_process_stop(&server, POSTGRES_IMMEDIATE);
    scene_destroy(scene); /* and nothing else is left */
}

static void create_scene(int workers, const char *jobs)
{
    char *settings = must_format(
        "stop_grace = 0.2;\n"
        "pools: ( { name = \"main\"; queues = [ \"default\" ]; workers = %d; "
        "concurrency = 100; tries = 0; backoff = [ 0.1 ]; max_crashes = 0; } );\n"
        "databases: ( { name = \"main\"; dsn = \"%s\"; pool = 2; }, { name = "
        "\"tenants\"; "
        "dsn = \"%s\"; pool = 2; search_path = \"tenant_{data.tenant}\"; } );\n"
        "jobs: ( %s );\n",
        workers, pooler.dsn, pooler.dsn, jobs);

    scene = scene_create(SCENE_REDIS, settings);
    free(settings);
}

static long long rows(void)
{
    return postgres_process_int(&server, "SELECT count(*) FROM t");
}

/* In blocks, as many as there are to be; ids and uuids are their numbers. */
static void push_many(const char *job, int ct)
{
    char *script = must_format(
        "for i = 1, %d do redis.call('RPUSH', 'queues:default', "
        "'{\"uuid\":\"u-' .. i .. '\",\"job\":\"%s\",\"data\":{\"id\":' .. i .. "
        "',\"tenant\":\"' .. (i %% 2 == 1 and 'a' or 'b') .. '\"},\"attempts\":0}') end",
        ct, job);

    (void)scene_redis(scene, "EVAL", script, "0", NULL);
    free(script);
}

static size_t failed_ct(void)
{
    json_t *failed = scene_failed(scene);
    size_t ct = json_array_size(failed);

    json_decref(failed);
    return ct;
}

static void kill_a_worker(size_t at)
{
    pid_t pid = (pid_t)scene_worker(scene, 0, at % WORKERS, "pid");

    if (pid > 0)
        (void)kill(pid, SIGKILL);
}

/* ---- exactly once ---- */

static void strike(size_t round)
{
    kill_a_worker(round);
    kill_a_worker(round + 3);
    if (round % 4 == 1) {
        postgres_process_restart(&server,
                                 round % 8 == 1 ? POSTGRES_IMMEDIATE : POSTGRES_FAST);
    } else if (round % 4 == 3) {
        pgbouncer_process_end(&pooler);
        pgbouncer_process_begin(&pooler, &server, 2);
    }
}

START_TEST(ten_thousand_jobs_leave_ten_thousand_rows)
{
    create_scene(WORKERS,
                 "{ name = \"once\"; type = \"sql\"; database = \"main\"; once = "
                 "true; batch = 50; " SLOW_INSERT "}");
    scene_do(scene, "sql", "migrate");
    scene_start(scene);
    push_many("once", JOB_CT);
    for (size_t round = 0; round < 8; round++) {
        long long enough = (long long)(round + 1) * JOB_CT / 10;

        WAIT_FOR(rows() >= enough);
        strike(round);
    }
    WAIT_FOR(scene_is_drained(scene));
    ck_assert_int_eq(rows(), JOB_CT);
    ck_assert_int_eq(postgres_process_int(&server, "SELECT count(DISTINCT id) FROM t"),
                     JOB_CT);
    ck_assert_int_eq(postgres_process_int(&server, "SELECT count(*) FROM drover_inbox"),
                     JOB_CT);
    ck_assert_uint_eq(failed_ct(), 0);
    scene_stop(scene);
}
END_TEST

/* ---- the pooler ---- */

START_TEST(a_pooler_in_transaction_mode_is_enough)
{
    char *log;

    (void)postgres_process_do(&server,
                              "CREATE SCHEMA tenant_a; CREATE TABLE tenant_a.v (id int); "
                              "CREATE SCHEMA tenant_b; CREATE TABLE tenant_b.v (id int)");
    create_scene(
        WORKERS,
        "{ name = \"tenant\"; type = \"sql\"; database = \"tenants\"; batch = 20; "
        "statement = \"INSERT INTO v VALUES ($1)\"; params = [ \"data.id\" ]; }");
    scene_start(scene);
    push_many("tenant", 2000);
    WAIT_FOR(scene_is_drained(scene));
    ck_assert_int_eq(postgres_process_int(
                         &server, "SELECT count(*) FROM tenant_a.v WHERE id %% 2 = 1"),
                     1000);
    ck_assert_int_eq(postgres_process_int(
                         &server, "SELECT count(*) FROM tenant_b.v WHERE id %% 2 = 0"),
                     1000);
    ck_assert_uint_eq(failed_ct(), 0);
    log = scene_read(scene, "log");
    ck_assert_ptr_null(strstr(log, "SQLSTATE"));
    free(log);
    scene_stop(scene);
}
END_TEST

START_TEST(a_paused_pooler_costs_no_job)
{
    create_scene(WORKERS,
                 "{ name = \"once\"; type = \"sql\"; database = \"main\"; once = "
                 "true; batch = 10; " INSERT "}");
    scene_do(scene, "sql", "migrate");
    scene_start(scene);
    pgbouncer_process_do(&pooler, "SET query_wait_timeout = 1");
    push_many("once", 500);
    WAIT_FOR(rows() > 0);
    pgbouncer_process_do(&pooler, "PAUSE");
    (void)scene_redis(scene, "EVAL",
                      "redis.call('RPUSH', 'queues:default', '{\"uuid\":\"last\",\"job\":"
                      "\"once\",\"data\":{\"id\":501}}')",
                      "0", NULL);
    WAIT_FOR(scene_log_has(scene, "query_wait_timeout"));
    pgbouncer_process_do(&pooler, "RESUME");
    pgbouncer_process_do(&pooler, "RECONNECT");
    WAIT_FOR(scene_is_drained(scene));
    ck_assert_int_eq(rows(), 501);
    ck_assert_uint_eq(failed_ct(), 0);
    scene_stop(scene);
}
END_TEST

static bool status_says(const char *text)
{
    scene_do(scene, "status");
    return strstr(scene->out, text) != NULL;
}

/* It lets clients in, and sends them away when they want its server. */
START_TEST(a_pooler_without_its_server_spends_no_attempt)
{
    create_scene(2, "{ name = \"last\"; type = \"sql\"; database = \"main\"; tries = 1; "
                    "batch = 5; " INSERT "}");
    pgbouncer_process_do(&pooler, "SET server_login_retry = 600");
    scene_start(scene);
    push_many("last", 10);
    WAIT_FOR(rows() == 10);
    postgres_process_stop(&server, POSTGRES_FAST);
    push_many("last", 50);
    WAIT_FOR(status_says("database main cannot be used: SQLSTATE 08P01: server login "));
    ck_assert(scene_log_has(scene, "event=sql.no_server"));
    postgres_process_start(&server);
    pgbouncer_process_do(&pooler, "SET server_login_retry = 1");
    WAIT_FOR(scene_is_drained(scene));
    ck_assert_int_eq(rows(), 60);
    ck_assert_uint_eq(failed_ct(), 0);
    scene_stop(scene);
}
END_TEST

/* ---- leaving ---- */

START_TEST(a_worker_that_leaves_stops_its_statement)
{
    const char *sleepers = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = "
                           "'PgSleep'";

    create_scene(1, "{ name = \"slow\"; type = \"sql\"; database = \"main\"; statement = "
                    "\"INSERT INTO t SELECT $1::int FROM pg_sleep(60)\"; params = [ "
                    "\"data.id\" ]; }");
    scene_start(scene);
    push_many("slow", 1);
    WAIT_FOR(postgres_process_int(&server, "%s", sleepers) == 1);
    scene_stop(scene);
    WAIT_FOR(postgres_process_int(&server, "%s", sleepers) == 0);
    ck_assert_int_eq(rows(), 0);
    ck_assert_int_eq(scene_redis_int(scene, "LLEN", "queues:default"), 1);
    ck_assert_ptr_nonnull(strstr(
        scene_redis(scene, "LINDEX", "queues:default", "0", NULL), "\"attempts\":0"));
}
END_TEST

/* ---- rows that come back ---- */

/* 100 MB of them, of which the last is waited for. */
START_TEST(rows_of_a_statement_are_not_collected)
{
    long before_kib;
    pid_t worker;

    create_scene(1,
                 "{ name = \"first\"; type = \"sql\"; database = \"main\"; statement = "
                 "\"SELECT generate_series(1, 9)\"; }, { name = \"many\"; type = "
                 "\"sql\"; database = \"main\"; statement = \"SELECT repeat('x', 1000) "
                 "FROM generate_series(1, 100000) UNION ALL SELECT "
                 "pg_sleep(60)::text\"; }");
    scene_start(scene);
    scene_do(scene, "push", "first");
    WAIT_FOR(scene_worker(scene, 0, 0, "done") == 1);
    worker = (pid_t)scene_worker(scene, 0, 0, "pid");
    before_kib = memory_anonymous_kib(worker);
    scene_do(scene, "push", "many");
    WAIT_FOR(postgres_process_int(&server, "SELECT count(*) FROM pg_stat_activity WHERE "
                                           "wait_event = 'PgSleep'") == 1);
    if (!is_sanitized()) /* which puts aside what is freed */
        ck_assert_int_le(memory_anonymous_kib(worker) - before_kib, 16 * 1024);
    scene_stop(scene);
}
END_TEST

/* ---- migrate ---- */

START_TEST(migrate_makes_the_inbox)
{
    create_scene(0,
                 "{ name = \"once\"; type = \"sql\"; database = \"main\"; once = true; "
                 "" INSERT "}");
    scene_do(scene, "sql", "migrate", "--dry-run");
    ck_assert_ptr_nonnull(strstr(scene->out, "CREATE TABLE IF NOT EXISTS drover_inbox"));
    ck_assert_int_eq(postgres_process_int(&server, "SELECT count(*) FROM pg_class WHERE "
                                                   "relname = 'drover_inbox'"),
                     0);
    scene_do(scene, "sql", "migrate");
    ck_assert_str_eq(scene->out, "main: table drover_inbox made\n");
    scene_do(scene, "sql", "migrate");
    ck_assert_str_eq(scene->out,
                     "main: table drover_inbox is there and as it should be\n");
    scene_do(scene, "sql", "migrate", "--json", "--database", "tenants");
    ck_assert_str_eq(scene->out,
                     "[\n{\"database\":\"tenants\",\"table\":\"drover_inbox\","
                     "\"created\":false,\"dry_run\":false}\n]\n");
    ck_assert_int_eq(scene_run(scene, "sql", "migrate", "--database", "x", NULL), 3);
}
END_TEST

static const struct {
    const char *table, *why;
} spoilt[] = {
    {"CREATE TABLE drover_inbox (uuid text, done_at timestamptz)",
     "main: drover_inbox is there, but without a primary key (uuid)"},
    {"CREATE TABLE drover_inbox (uuid text PRIMARY KEY)",
     "main: drover_inbox is there, but without done_at"},
    {"CREATE TABLE drover_inbox (uuid text PRIMARY KEY, done_at timestamptz DEFAULT "
     "now(), more int NOT NULL)",
     "main: drover_inbox is there, but wants a value for more"},
};

START_TEST(migrate_says_what_is_wrong_with_an_inbox)
{
    create_scene(0,
                 "{ name = \"once\"; type = \"sql\"; database = \"main\"; once = true; "
                 "" INSERT "}");
    (void)postgres_process_do(&server, "%s", spoilt[_i].table);
    ck_assert_int_eq(scene_run(scene, "sql", "migrate", NULL), 1);
    ck_assert_msg(strstr(scene->err, spoilt[_i].why) != NULL, "%s", scene->err);
}
END_TEST

static void add_tests(TCase *tc)
{
    add_cluster(tc);
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, ten_thousand_jobs_leave_ten_thousand_rows);
    tcase_add_test(tc, a_pooler_in_transaction_mode_is_enough);
    tcase_add_test(tc, a_paused_pooler_costs_no_job);
    tcase_add_test(tc, a_pooler_without_its_server_spends_no_attempt);
    tcase_add_test(tc, a_worker_that_leaves_stops_its_statement);
    tcase_add_test(tc, rows_of_a_statement_are_not_collected);
    tcase_add_test(tc, migrate_makes_the_inbox);
    tcase_add_loop_test(tc, migrate_says_what_is_wrong_with_an_inbox, 0,
                        ARRAY_CT(spoilt));
}

int main(void)
{
    return run_suite("sql jobs", 180, add_tests);
}
