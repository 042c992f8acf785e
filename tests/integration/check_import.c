/* End to end: rows of a table of jobs reach Redis once, whoever dies at whichever step,
 * and whatever becomes of what was on its way. */
#include <check.h>
#include <libpq-fe.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/must.h"
#include "queue/scripts.h"
#include "tests/support/postgres_fixture.h"
#include "tests/support/scene.h"
#include "tests/support/wait.h"
#include "tests/unit/suite.h"

enum { ROW_CT = 700, BATCH = 500 };

static struct scene *scene;
static struct proxy *pg_proxy; /* between the import and PostgreSQL */
static pid_t importer;         /* 0: none runs */

static void put_rows(int from, int to)
{
    (void)postgres_process_do(
        &server,
        "INSERT INTO jobs (queue, payload, attempts, available_at, created_at) SELECT "
        "CASE n %% 3 WHEN 0 THEN 'high' ELSE 'low' END, '{\"uuid\":\"u-' || n || "
        "'\",\"job\":\"x\"}', 0, CASE n %% 10 WHEN 0 THEN 2000000000 ELSE 0 END, 0 FROM "
        "generate_series(%d, %d) n",
        from, to);
}

static void set_up(void)
{
    char directory[80], path[160];

    postgres_process_start(&server);
    (void)postgres_process_do(&server, FRESH_SCHEMA LARAVEL_JOBS_TABLE);
    scene = scene_create(SCENE_PROXY, "");
    (void)snprintf(directory, sizeof(directory), "%s/pg", scene->dir);
    ck_assert_int_eq(mkdir(directory, 0755), 0);
    (void)snprintf(path, sizeof(path), "%s%s", directory, strrchr(server.socket, '/'));
    pg_proxy = proxy_create(scene->loop, path, server.socket);
    /* Where Redis knows the script one push is one request. */
    (void)scene_redis(scene, "SCRIPT", "LOAD", script_named("import")->text, NULL);
    put_rows(1, ROW_CT);
}

static void tear_down(void)
{
    proxy_destroy(pg_proxy);
    postgres_process_stop(&server, POSTGRES_IMMEDIATE);
    scene_destroy(scene);
}

/* ---- imports ---- */

static pid_t start_import(void)
{
    pid_t pid;

    scene_spawn_by(scene, "exec \"$0\" import database -c \"$1\" --dsn \"host=$2/pg "
                          "dbname=postgres user=postgres\" > \"$2/import.out\" 2>&1");
    pid = scene->supervisor;
    scene->supervisor = 0;
    return pid;
}

/* As from wait(2). */
static int finish(pid_t pid)
{
    int status = 0;

    WAIT_FOR(waitpid(pid, &status, WNOHANG) == pid);
    return status;
}

static char *said(void)
{
    return scene_read(scene, "import.out");
}

static void import_rest(void)
{
    int status = finish(start_import());
    char *text = said();

    ck_assert_msg(status == 0, "wait status %d: %s", status, text);
    free(text);
}

static long long rows(const char *where)
{
    return postgres_process_int(&server, "SELECT count(*) FROM jobs WHERE %s", where);
}

static long long jobs_in_redis(void)
{
    return scene_redis_int(scene, "LLEN", "queues:high") +
           scene_redis_int(scene, "LLEN", "queues:low") +
           scene_redis_int(scene, "ZCARD", "queues:high:delayed") +
           scene_redis_int(scene, "ZCARD", "queues:low:delayed");
}

/* Every uuid there, each once; and nothing left over of the way there. */
static void expect_all_once(int ct)
{
    const char *distinct = scene_redis(
        scene, "EVAL",
        "local seen, ct = {}, 0; local function see(list) for _, p in ipairs(list) do "
        "local "
        "u = cjson.decode(p).uuid; if not seen[u] then seen[u] = true; ct = ct + 1 end "
        "end "
        "end; for _, q in ipairs({'queues:high', 'queues:low'}) do "
        "see(redis.call('LRANGE', "
        "q, 0, -1)); see(redis.call('ZRANGE', q .. ':delayed', 0, -1)) end; return ct",
        "0", NULL);

    ck_assert_int_eq(strtoll(distinct, NULL, 10), ct);
    ck_assert_int_eq(jobs_in_redis(), ct);
    ck_assert_int_eq(rows("true"), 0);
    ck_assert_str_eq(scene_redis(scene, "EVAL",
                                 "local ct = 0; for _, k in ipairs(redis.call('KEYS', "
                                 "'drover:import:*')) do if redis.call('TYPE', k).ok == "
                                 "'zset' then ct = ct + 1 end end; return ct",
                                 "0", NULL),
                     "0\n");
}

/* ---- killed at a step ---- */

struct strike {
    const char *command, *script;
    unsigned nth;
    enum proxy_step step;
    long long claimed, in_redis; /* what it leaves */
};

static const struct strike strikes[] = {
    {"SET", NULL, 1, PROXY_ASKED, BATCH, 0},
    {"SET", NULL, 1, PROXY_EXECUTED, BATCH, 0},
    {NULL, "import", 1, PROXY_ASKED, BATCH, 0},
    {NULL, "import", 1, PROXY_EXECUTED, BATCH, BATCH},
    {"ZREM", NULL, 1, PROXY_ASKED, 0, BATCH},
    {"ZREM", NULL, 1, PROXY_EXECUTED, 0, BATCH},
    {NULL, "import", 2, PROXY_ASKED, ROW_CT - BATCH, BATCH},
    {NULL, "import", 2, PROXY_EXECUTED, ROW_CT - BATCH, ROW_CT},
};

static void kill_importer(void *arg, enum proxy_step step,
                          const struct proxy_request *request)
{
    const struct strike *strike = arg;

    if (step != strike->step || importer == 0)
        return;
    (void)kill(importer, SIGKILL);
    while (process_exists(importer))
        ;
    proxy_link_cut(request->link, PROXY_RST);
    importer = -importer; /* struck */
}

START_TEST(a_killed_import_is_brought_to_its_end_by_the_next)
{
    const struct strike *strike = &strikes[_i];
    const struct proxy_rule rule = {.command = strike->command,
                                    .script = strike->script,
                                    .nth = strike->nth,
                                    .cb = kill_importer,
                                    .arg = (void *)(uintptr_t)strike};

    proxy_on(scene->proxy, &rule);
    importer = start_import();
    WAIT_FOR(importer < 0);
    (void)finish(-importer);
    proxy_forget_rules(scene->proxy);
    /* its session ends with it */
    WAIT_FOR(postgres_process_int(&server, "SELECT count(*) FROM pg_stat_activity WHERE "
                                           "application_name = 'drover'") == 0);
    ck_assert_int_eq(rows("reserved_at = 2147483647"), strike->claimed);
    ck_assert_int_eq(jobs_in_redis(), strike->in_redis);
    import_rest();
    expect_all_once(ROW_CT);
}
END_TEST

/* ---- killed while PostgreSQL holds it ---- */

static PGconn *hold_lock(const char *sql)
{
    PGconn *conn = PQconnectdb(server.dsn);
    PGresult *result = PQexec(conn, sql);

    ck_assert_msg(PQresultStatus(result) == PGRES_TUPLES_OK, "%s", PQerrorMessage(conn));
    PQclear(result);
    return conn;
}

static bool someone_waits(void)
{
    return postgres_process_int(&server, "SELECT count(*) FROM pg_stat_activity WHERE "
                                         "wait_event_type = 'Lock'") > 0;
}

START_TEST(an_import_killed_between_claim_and_lock_leaves_claims)
{
    PGconn *lock = hold_lock("SELECT pg_advisory_lock(1685221238, "
                             "'jobs'::regclass::oid::int)");
    pid_t pid = start_import();

    WAIT_FOR(someone_waits());
    ck_assert_int_eq(kill(pid, SIGKILL), 0);
    (void)finish(pid);
    PQfinish(lock);
    WAIT_FOR(!someone_waits());
    import_rest();
    expect_all_once(ROW_CT);
}
END_TEST

/* The trigger runs in COMMIT, and waits there. */
static PGconn *hold_commits(void)
{
    (void)postgres_process_do(
        &server,
        "CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS "
        "'BEGIN PERFORM pg_advisory_xact_lock_shared(77); RETURN NULL; END'; CREATE "
        "CONSTRAINT TRIGGER hold AFTER DELETE ON jobs DEFERRABLE INITIALLY DEFERRED FOR "
        "EACH ROW EXECUTE FUNCTION hold()");
    return hold_lock("SELECT pg_advisory_lock(77)");
}

START_TEST(an_import_that_never_hears_of_its_commit_has_moved_its_rows)
{
    PGconn *lock = hold_commits();
    pid_t pid = start_import();

    WAIT_FOR(someone_waits());
    ck_assert_int_eq(jobs_in_redis(), BATCH);
    proxy_set(pg_proxy, PROXY_ANSWERS, PROXY_LOSE);
    PQfinish(lock);
    WAIT_FOR(rows("true") == ROW_CT - BATCH);
    ck_assert_int_eq(kill(pid, SIGKILL), 0);
    (void)finish(pid);
    proxy_set(pg_proxy, PROXY_ANSWERS, PROXY_PASS);
    import_rest();
    expect_all_once(ROW_CT);
}
END_TEST

START_TEST(a_commit_that_fails_is_told_and_made_good_by_the_next_run)
{
    PGconn *lock = hold_commits();
    pid_t pid = start_import();
    char *text;

    WAIT_FOR(someone_waits());
    (void)postgres_process_do(&server, "SELECT pg_terminate_backend(pid) FROM "
                                       "pg_stat_activity WHERE application_name = "
                                       "'drover'");
    ck_assert_int_eq(WEXITSTATUS(finish(pid)), 1);
    WAIT_FOR(!someone_waits());
    PQfinish(lock);
    text = said();
    ck_assert_msg(strstr(text, "nothing is lost: run it again"), "%s", text);
    free(text);
    ck_assert_int_eq(rows("reserved_at = 2147483647"), BATCH);
    import_rest();
    expect_all_once(ROW_CT);
}
END_TEST

static void crash_server(void *arg UNUSED, enum proxy_step step,
                         const struct proxy_request *request UNUSED)
{
    if (step == PROXY_EXECUTED)
        postgres_process_stop(&server, POSTGRES_IMMEDIATE);
}

START_TEST(a_postgresql_that_crashes_after_the_push_loses_and_doubles_nothing)
{
    const struct proxy_rule rule = {.script = "import", .nth = 1, .cb = crash_server};
    pid_t pid;

    proxy_on(scene->proxy, &rule);
    pid = start_import();
    ck_assert_int_eq(WEXITSTATUS(finish(pid)), 1);
    proxy_forget_rules(scene->proxy);
    postgres_process_start(&server);
    ck_assert_int_eq(rows("reserved_at = 2147483647"), BATCH);
    import_rest();
    expect_all_once(ROW_CT);
}
END_TEST

/* ---- Redis ---- */

static void cut_link(void *arg, enum proxy_step step, const struct proxy_request *request)
{
    if (step == *(enum proxy_step *)arg)
        proxy_link_cut(request->link, PROXY_RST);
}

START_TEST(a_push_whose_answer_is_lost_leaves_the_rows_claimed)
{
    static enum proxy_step steps[] = {PROXY_ASKED, PROXY_EXECUTED};
    const struct proxy_rule rule = {
        .script = "import", .nth = 2, .cb = cut_link, .arg = &steps[_i]};
    char *text;

    proxy_on(scene->proxy, &rule);
    ck_assert_int_eq(WEXITSTATUS(finish(start_import())), 6);
    proxy_forget_rules(scene->proxy);
    text = said();
    ck_assert_msg(strstr(text, "500 jobs moved") && strstr(text, "lost Redis at"), "%s",
                  text);
    free(text);
    ck_assert_int_eq(rows("reserved_at = 2147483647"), ROW_CT - BATCH);
    import_rest();
    expect_all_once(ROW_CT);
}
END_TEST

static void fill_redis(void *arg UNUSED, enum proxy_step step,
                       const struct proxy_request *request UNUSED)
{
    if (step == PROXY_ASKED)
        (void)scene_redis(scene, "CONFIG", "SET", "maxmemory", "1", NULL);
}

/* Full just before the push: it is refused, and Laravel's workers have the rows again. */
START_TEST(rows_that_a_full_redis_refuses_are_given_back)
{
    const struct proxy_rule rule = {.script = "import", .nth = 2, .cb = fill_redis};

    proxy_on(scene->proxy, &rule);
    ck_assert_int_eq(WEXITSTATUS(finish(start_import())), 1);
    proxy_forget_rules(scene->proxy);
    ck_assert_int_eq(rows("reserved_at IS NULL"), ROW_CT - BATCH);
    (void)scene_redis(scene, "CONFIG", "SET", "maxmemory", "0", NULL);
    import_rest();
    expect_all_once(ROW_CT);
}
END_TEST

/* What a dead run has pushed is not given back where Redis refuses the next one. */
START_TEST(rows_that_are_in_redis_already_are_never_given_back)
{
    const struct proxy_rule killing = {.script = "import",
                                       .nth = 1,
                                       .cb = kill_importer,
                                       .arg = (void *)(uintptr_t)&strikes[3]};

    proxy_on(scene->proxy, &killing);
    importer = start_import();
    WAIT_FOR(importer < 0);
    (void)finish(-importer);
    proxy_forget_rules(scene->proxy);
    (void)scene_redis(scene, "CONFIG", "SET", "maxmemory", "1", NULL);
    ck_assert_int_eq(WEXITSTATUS(finish(start_import())), 1);
    ck_assert_int_eq(rows("reserved_at = 2147483647"), BATCH);
    ck_assert_int_eq(rows("true"), ROW_CT);
    (void)scene_redis(scene, "CONFIG", "SET", "maxmemory", "0", NULL);
    import_rest();
    expect_all_once(ROW_CT);
}
END_TEST

static void hold_link(void *arg, enum proxy_step step,
                      const struct proxy_request *request)
{
    unsigned *held = arg;

    if (step != PROXY_ASKED)
        return;
    *held = proxy_link_id(request->link);
    proxy_link_set(request->link, PROXY_REQUESTS, PROXY_HOLD);
}

/* The run is dead, another one has moved its rows and forgotten their marks; only then
 * does its push arrive. */
START_TEST(a_push_that_was_long_on_its_way_adds_nothing)
{
    unsigned held = 0;
    const struct proxy_rule rule = {
        .script = "import", .nth = 1, .cb = hold_link, .arg = &held};
    struct proxy_link *link;
    pid_t pid;

    proxy_on(scene->proxy, &rule);
    pid = start_import();
    WAIT_FOR(held != 0);
    proxy_forget_rules(scene->proxy);
    ck_assert_int_eq(kill(pid, SIGKILL), 0);
    (void)finish(pid);
    import_rest();
    expect_all_once(ROW_CT);
    link = proxy_link_find(scene->proxy, held);
    ck_assert_ptr_nonnull(link);
    proxy_link_set(link, PROXY_REQUESTS, PROXY_PASS);
    WAIT_FOR(proxy_link_find(scene->proxy, held) == NULL);
    expect_all_once(ROW_CT);
}
END_TEST

/* The same with one that lives, but whose session PostgreSQL has ended. */
START_TEST(a_run_that_has_lost_its_locks_adds_nothing)
{
    unsigned held = 0;
    const struct proxy_rule rule = {
        .script = "import", .nth = 1, .cb = hold_link, .arg = &held};
    pid_t pid;

    proxy_on(scene->proxy, &rule);
    pid = start_import();
    WAIT_FOR(held != 0);
    proxy_forget_rules(scene->proxy);
    postgres_process_end_sessions(&server);
    import_rest();
    expect_all_once(ROW_CT);
    proxy_link_set(proxy_link_find(scene->proxy, held), PROXY_REQUESTS, PROXY_PASS);
    ck_assert_int_eq(WEXITSTATUS(finish(pid)), 1);
    expect_all_once(ROW_CT);
}
END_TEST

/* ---- company ---- */

START_TEST(two_imports_at_once_move_each_row_once)
{
    pid_t first, second;

    put_rows(ROW_CT + 1, 3000);
    first = start_import();
    second = start_import();
    ck_assert_int_eq(finish(first), 0);
    ck_assert_int_eq(finish(second), 0);
    import_rest();
    expect_all_once(3000);
}
END_TEST

static void interrupt(void *arg, enum proxy_step step,
                      const struct proxy_request *request UNUSED)
{
    if (step == PROXY_EXECUTED)
        (void)kill(*(pid_t *)arg, SIGINT);
}

START_TEST(an_interrupt_is_heard_behind_the_batch)
{
    pid_t pid = 0;
    const struct proxy_rule rule = {
        .script = "import", .nth = 1, .cb = interrupt, .arg = &pid};
    char *text;

    proxy_on(scene->proxy, &rule);
    pid = start_import();
    ck_assert_int_eq(WEXITSTATUS(finish(pid)), 1);
    proxy_forget_rules(scene->proxy);
    text = said();
    ck_assert_msg(strstr(text, "500 jobs moved") && strstr(text, "interrupted: run it"),
                  "%s", text);
    free(text);
    ck_assert_int_eq(rows("reserved_at IS NULL"), ROW_CT - BATCH);
    import_rest();
    expect_all_once(ROW_CT);
}
END_TEST

static void add_tests(TCase *tc)
{
    add_cluster(tc);
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_loop_test(tc, a_killed_import_is_brought_to_its_end_by_the_next, 0,
                        ARRAY_CT(strikes));
    tcase_add_test(tc, an_import_killed_between_claim_and_lock_leaves_claims);
    tcase_add_test(tc, an_import_that_never_hears_of_its_commit_has_moved_its_rows);
    tcase_add_test(tc, a_commit_that_fails_is_told_and_made_good_by_the_next_run);
    tcase_add_test(tc,
                   a_postgresql_that_crashes_after_the_push_loses_and_doubles_nothing);
    tcase_add_loop_test(tc, a_push_whose_answer_is_lost_leaves_the_rows_claimed, 0, 2);
    tcase_add_test(tc, rows_that_a_full_redis_refuses_are_given_back);
    tcase_add_test(tc, rows_that_are_in_redis_already_are_never_given_back);
    tcase_add_test(tc, a_push_that_was_long_on_its_way_adds_nothing);
    tcase_add_test(tc, a_run_that_has_lost_its_locks_adds_nothing);
    tcase_add_test(tc, two_imports_at_once_move_each_row_once);
    tcase_add_test(tc, an_interrupt_is_heard_behind_the_batch);
}

int main(void)
{
    if (!postgres_process_is_installed())
        return 77; /* skipped */
    return run_suite("import", 180, add_tests);
}
