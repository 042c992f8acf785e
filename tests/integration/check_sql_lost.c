/* End to end: SQL jobs that have been committed when their worker, or the answer to
 * COMMIT, is lost; a database that moves to another host; an inbox that is made late.
 *
 * Redis and PostgreSQL are each behind a proxy of their own.
 */
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/must.h"
#include "tests/support/postgres_fixture.h"
#include "tests/support/scene.h"
#include "tests/support/wait.h"
#include "tests/unit/suite.h"

enum { JOB_CT = 10 };

static struct scene *scene;
static struct postgres_process other; /* for what needs two */
static struct proxy *proxy;           /* before PostgreSQL */
static long long rows_at_ack;
static bool struck;

static void make_servers(void)
{
    make_cluster();
    postgres_process_make(&other);
}

static void end_servers(void)
{
    end_cluster();
    postgres_process_end(&other);
}

/* A test that failed may have left it read-only. */
static void start_server(struct postgres_process *process)
{
    postgres_process_start(process);
    postgres_process_set_read_only(process, false);
    (void)postgres_process_do(process, FRESH_SCHEMA "CREATE TABLE t (id int)");
}

static void set_up(void)
{
    start_server(&server);
    struck = false;
}

static void tear_down(void)
{
    proxy_destroy(proxy);
    proxy = NULL;
    postgres_process_stop(&server, POSTGRES_IMMEDIATE);
    postgres_process_stop(&other, POSTGRES_IMMEDIATE);
    scene_destroy(scene);
}

static void create_scene(const char *database, int batch)
{
    char *settings = must_format(
        "pools: ( { name = \"main\"; queues = [ \"default\" ]; workers = 1; "
        "concurrency = 100; tries = 0; backoff = [ 0.1 ]; max_crashes = 0; } );\n"
        "databases: ( { name = \"main\"; pool = 2; %s } );\n"
        "jobs: ( { name = \"once\"; type = \"sql\"; database = \"main\"; once = true; "
        "batch = %d; statement = \"INSERT INTO t VALUES ($1)\"; params = [ \"data.id\" "
        "]; "
        "} );\n",
        database, batch);

    scene = scene_create(SCENE_PROXY, settings);
    free(settings);
}

/* With the server behind its proxy. */
static void create_proxied_scene(int batch)
{
    char *dir = must_format("%s/proxied", server.dir);
    char *path = must_format("%s%s", dir, strrchr(server.socket, '/'));
    char *database = must_format("dsn = \"host=%s dbname=postgres user=postgres\";", dir);

    (void)mkdir(dir, 0755);
    create_scene(database, batch);
    proxy = proxy_create(scene->loop, path, server.socket);
    scene_do(scene, "sql", "migrate");
    free(database);
    free(path);
    free(dir);
}

/* Jobs numbered from `first`, all at once. */
static void push(int first, int ct)
{
    char *script = must_format(
        "for i = %d, %d do redis.call('RPUSH', 'queues:default', '{\"uuid\":\"u-' .. i "
        ".. "
        "'\",\"job\":\"once\",\"data\":{\"id\":' .. i .. '},\"attempts\":0}') end "
        "redis.call('RPUSH', 'queues:default:notify', '1')",
        first, first + ct - 1);

    (void)scene_redis(scene, "EVAL", script, "0", NULL);
    free(script);
}

static long long rows(struct postgres_process *process)
{
    return postgres_process_int(process, "SELECT count(*) FROM t");
}

/* Each of the jobs took effect once, and is done. */
static void audit(struct postgres_process *process, int ct)
{
    WAIT_FOR(scene_is_drained(scene));
    ck_assert_int_eq(rows(process), ct);
    ck_assert_int_eq(postgres_process_int(process, "SELECT count(DISTINCT id) FROM t"),
                     ct);
    ck_assert_int_eq(postgres_process_int(process, "SELECT count(*) FROM drover_inbox"),
                     ct);
    ck_assert_int_eq(scene_redis_int(scene, "ZCARD", "drover:failed"), 0);
}

static pid_t worker_pid(void)
{
    return (pid_t)scene_worker(scene, 0, 0, "pid");
}

/* ---- between COMMIT and ack ---- */

/* The first request that names a job is its ack. */
static void kill_before_ack(void *arg UNUSED, enum proxy_step step,
                            const struct proxy_request *request)
{
    pid_t worker = proxy_link_pid(request->link);

    if (step != PROXY_ASKED || struck)
        return;
    struck = true;
    rows_at_ack = rows(&server);
    proxy_link_set(request->link, PROXY_REQUESTS, PROXY_LOSE);
    ck_assert_int_eq(kill(worker, SIGKILL), 0);
    WAIT_FOR(!process_exists(worker));
}

static const int batches[] = {1, JOB_CT};

START_TEST(a_worker_killed_between_commit_and_ack_leaves_one_row)
{
    const struct proxy_rule rule = {.holds = "\"job\":\"once\"", .cb = kill_before_ack};

    create_proxied_scene(batches[_i]);
    proxy_on(scene->proxy, &rule);
    scene_start(scene);
    push(1, JOB_CT);
    WAIT_FOR(struck);
    ck_assert_int_gt(rows_at_ack, 0);
    audit(&server, JOB_CT);
    scene_stop(scene);
}
END_TEST

/* ---- the answer to COMMIT ---- */

/* One job has run, so that a connection is there; then the server commits others, and
 * nobody hears of it. */
static void commit_unheard(int batch, enum proxy_flow flow)
{
    create_proxied_scene(batch);
    scene_start(scene);
    push(0, 1);
    WAIT_FOR(rows(&server) == 1 && scene_is_drained(scene));
    proxy_set(proxy, PROXY_ANSWERS, flow);
    push(1, JOB_CT);
    WAIT_FOR(rows(&server) > 1);
}

START_TEST(a_worker_killed_before_it_hears_of_commit_leaves_one_row)
{
    pid_t worker;

    commit_unheard(batches[_i], PROXY_HOLD);
    worker = worker_pid();
    ck_assert_int_eq(kill(worker, SIGKILL), 0);
    WAIT_FOR(worker_pid() > 0 && worker_pid() != worker);
    proxy_set(proxy, PROXY_ANSWERS, PROXY_PASS);
    audit(&server, JOB_CT + 1);
    scene_stop(scene);
}
END_TEST

START_TEST(a_worker_whose_answer_to_commit_is_cut_leaves_one_row)
{
    pid_t worker;

    commit_unheard(batches[_i], PROXY_LOSE);
    worker = worker_pid();
    proxy_set(proxy, PROXY_ANSWERS, PROXY_PASS);
    proxy_cut(proxy, PROXY_RST);
    audit(&server, JOB_CT + 1);
    ck_assert_int_eq(worker_pid(), worker);
    scene_stop(scene);
}
END_TEST

/* ---- another host ---- */

/* Two hosts, told in the dsn or in a service file. */
static char *two_hosts(bool by_service)
{
    char *dsn = must_format("host=%s,%s dbname=postgres user=postgres "
                            "target_session_attrs=read-write",
                            server.dir, other.dir);
    char *path = must_format("%s/services", server.dir);
    char *database;
    FILE *file = fopen(path, "we");

    ck_assert_ptr_nonnull(file);
    (void)fprintf(file,
                  "[app]\nhost=%s,%s\ndbname=postgres\nuser=postgres\n"
                  "target_session_attrs=read-write\n",
                  server.dir, other.dir);
    ck_assert_int_eq(fclose(file), 0);
    ck_assert_int_eq(setenv("PGSERVICEFILE", path, 1), 0);
    database = by_service ? must_strdup("service = \"app\";")
                          : must_format("dsn = \"%s\";", dsn);
    free(path);
    free(dsn);
    return database;
}

/* The first dies; then the second stops taking writes while it is connected to. */
START_TEST(jobs_go_to_the_host_that_takes_writes)
{
    char *database = two_hosts(_i == 1);

    start_server(&other);
    create_scene(database, 5);
    scene_do(scene, "sql", "migrate");
    postgres_process_set_read_only(&server, true);
    scene_do(scene, "sql", "migrate"); /* of the second */
    postgres_process_set_read_only(&server, false);
    postgres_process_set_read_only(&other, true);
    scene_start(scene);
    push(0, JOB_CT);
    audit(&server, JOB_CT);
    postgres_process_stop(&server, POSTGRES_FAST);
    postgres_process_set_read_only(&other, false);
    push(100, JOB_CT);
    audit(&other, JOB_CT);
    postgres_process_start(&server);
    postgres_process_set_read_only(&other, true);
    push(200, JOB_CT);
    audit(&server, 2 * JOB_CT);
    ck_assert_int_eq(rows(&other), JOB_CT);
    scene_stop(scene);
    free(database);
}
END_TEST

/* ---- the inbox ---- */

/* What status says of the database; NULL: nothing. The caller's. */
static json_t *database_trouble(void)
{
    json_t *status = scene_status(scene);
    json_t *pool = json_array_get(json_object_get(status, "pools"), 0);
    json_t *worker = json_array_get(json_object_get(pool, "workers"), 0);
    json_t *row = json_array_get(json_object_get(worker, "databases"), 0);

    json_incref(row);
    json_decref(status);
    return row;
}

static bool is_in_trouble(void)
{
    json_t *row = database_trouble();
    bool is = row && json_integer_value(json_object_get(row, "postponed")) >= JOB_CT;

    json_decref(row);
    return is;
}

static bool is_well(void)
{
    json_t *row = database_trouble();
    bool is = row == NULL;

    json_decref(row);
    return is;
}

START_TEST(a_missing_inbox_is_visible_and_migrate_ends_the_wait)
{
    char *database = must_format("dsn = \"%s\";", server.dsn);
    json_t *row;

    create_scene(database, 5);
    scene_start(scene);
    push(1, JOB_CT);
    WAIT_FOR(is_in_trouble());
    row = database_trouble();
    ck_assert_str_eq(json_string_value(json_object_get(row, "database")), "main");
    ck_assert_str_eq(json_string_value(json_object_get(row, "reason")),
                     "relation \"drover_inbox\" does not exist: drover sql migrate");
    json_decref(row);
    scene_do(scene, "status");
    ck_assert_ptr_nonnull(strstr(scene->out, "\ndatabase main cannot be used: relation "
                                             "\"drover_inbox\" does not exist: drover "
                                             "sql migrate, "));
    scene_do(scene, "status", "--metrics");
    ck_assert_ptr_nonnull(
        strstr(scene->out, "\ndrover_databases_away{pool=\"main\",slot=\"0\"} 1\n"));
    scene_do(scene, "sql", "migrate");
    audit(&server, JOB_CT);
    WAIT_FOR(is_well());
    ck_assert(scene_log_has(scene, "event=sql.inbox_found"));
    scene_stop(scene);
    free(database);
}
END_TEST

static void add_tests(TCase *tc)
{
    int batch_ct = ARRAY_CT(batches);

    tcase_add_unchecked_fixture(tc, make_servers, end_servers);
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_loop_test(tc, a_worker_killed_between_commit_and_ack_leaves_one_row, 0,
                        batch_ct);
    tcase_add_loop_test(tc, a_worker_killed_before_it_hears_of_commit_leaves_one_row, 0,
                        batch_ct);
    tcase_add_loop_test(tc, a_worker_whose_answer_to_commit_is_cut_leaves_one_row, 0,
                        batch_ct);
    tcase_add_loop_test(tc, jobs_go_to_the_host_that_takes_writes, 0, 2);
    tcase_add_test(tc, a_missing_inbox_is_visible_and_migrate_ends_the_wait);
}

int main(void)
{
    return run_suite("sql lost", 240, add_tests);
}
