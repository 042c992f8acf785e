/* What a Laravel application says of its queues is heeded: a restart, paused queues,
 * maintenance mode, a listener that says no. It comes through the application's own
 * cache, and where that is away, work goes on.
 */
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "tests/support/php_fixture.h"
#include "tests/support/wait.h"
#include "tests/unit/suite.h"

#define POOL                                                                             \
    "log: { level = \"debug\"; };\n"                                                     \
    "pools: ( { name = \"main\"; queues = [ \"high\", \"default\" ]; workers = 1;\n"     \
    "           concurrency = 1; tries = 3; poll_interval = 5; } );\n"
#define RUNNER(more)                                                                     \
    "jobs: ( { name = \"Drover\\\\Tests\\\\*\"; type = \"laravel\"; app = \"@DIR@\";\n"  \
    "          bootstrap = \"" TOP_SRCDIR "/tests/php/runner.php\";\n"                   \
    "          bridge = \"" TOP_SRCDIR "/contrib/laravel/bridge.php\";\n"                \
    "          env = [ \"TEST_DIR=@DIR@\" ]; kill_grace = 1; " more " },\n"              \
    "        { name = \"nothing\"; type = \"noop\"; } );\n"
#define RESTART "illuminate:queue:restart"

static void set_stage(void)
{
    php_stage_open(&stage, "", POOL RUNNER(""));
}

static void push(const char *deed)
{
    char *order = must_format(
        "{\"op\":\"push\",\"queue\":\"default\",\"deed\":{\"does\":\"%s\"}}\n", deed);

    php_stage_produce(&stage, order);
    free(order);
}

/* `value` as JSON; null forgets it. */
static void put_in_cache(const char *key, const char *value)
{
    char *order =
        must_format("{\"op\":\"cache\",\"key\":\"%s\",\"value\":%s}\n", key, value);

    php_stage_produce(&stage, order);
    free(order);
}

/* A runner is up, and has said how its application is. */
static void start_runner(void)
{
    scene_start(stage.scene);
    push("pid");
    WAIT_FOR(noted("event-JobProcessed") == 1 && is_all_done());
}

static pid_t runner_pid(void)
{
    char *log = scene_read(stage.scene, "log"), *at = log, *next;
    int pid = 0;

    while ((next = strstr(at, "event=runner.ready ")) != NULL) {
        at = strstr(next, " pid=");
        ck_assert_ptr_nonnull(at);
        pid = (int)strtol(at + 5, NULL, 10);
    }
    free(log);
    return pid;
}

/* ---- restart ---- */

START_TEST(a_restart_replaces_the_runners_after_their_jobs_and_nothing_else)
{
    long long worker;

    start_runner();
    worker = scene_worker(stage.scene, 0, 0, "pid");
    push("nap");
    put_in_cache(RESTART, "1795261449");
    WAIT_FOR(logged("event=runner.restart") == 1);
    WAIT_FOR(logged("event=runner.ended") == 1);
    ck_assert_uint_eq(logged("level=info event=runner.ended"),
                      1); /* as it was asked to */
    push("pid");
    WAIT_FOR(noted("event-JobProcessed") == 3 && is_all_done());
    ck_assert_uint_eq(logged("event=runner.ready"), 2);
    ck_assert_uint_eq(logged("event=job.released"), 0);
    ck_assert_int_eq(scene_worker(stage.scene, 0, 0, "pid"), worker);
    put_in_cache(RESTART, "1795261450");
    WAIT_FOR(logged("event=runner.restart") == 2);
}
END_TEST

/* The first value that is seen is the one of before. */
START_TEST(a_restart_of_yesterday_means_nothing)
{
    put_in_cache(RESTART, "7");
    put_file("down"); /* so that it is seen that it has been asked */
    scene_start(stage.scene);
    push("pid");
    WAIT_FOR(logged("event=worker.paused") == 1);
    remove_file("down");
    WAIT_FOR(noted("event-JobProcessed") == 1);
    ck_assert_uint_eq(logged("event=runner.restart"), 0);
}
END_TEST

/* ---- paused queues ---- */

static const char *const pauses[] = {"illuminate:queue:paused:redis:default",
                                     "illuminate:queues:paused"};

START_TEST(a_queue_that_the_application_paused_is_left_alone)
{
    start_runner();
    put_in_cache(pauses[_i], "true");
    WAIT_FOR(logged("event=queue.paused who=main/0 queue=default by=laravel") == 1);
    ck_assert_uint_eq(logged("event=queue.paused"), 1 + (size_t)_i);
    scene_do(stage.scene, "status", "--json");
    ck_assert_ptr_nonnull(strstr(stage.scene->out, "\"paused_queues\":[\""));
    scene_do(stage.scene, "status");
    ck_assert_ptr_nonnull(
        strstr(stage.scene->out, "queue default paused by the application: 1 of main\n"));
    push("pid");
    push("pid");
    ck_assert_int_eq(php_stage_int(&stage, "LLEN queues:default"), 2);
    ck_assert_uint_eq(noted("event-JobProcessed"), 1);
    put_in_cache(pauses[_i], "null");
    WAIT_FOR(logged("event=queue.resumed who=main/0 queue=default by=laravel") == 1);
    scene_do(stage.scene, "status");
    ck_assert_ptr_null(strstr(stage.scene->out, "paused by the application"));
    WAIT_FOR(noted("event-JobProcessed") == 3 && is_all_done());
    ck_assert_uint_eq(logged("event=worker.paused"), 0);
}
END_TEST

START_TEST(a_job_of_a_paused_queue_goes_back_before_it_is_run)
{
    put_in_cache(pauses[0], "true");
    scene_start(stage.scene);
    push("pid");
    WAIT_FOR(logged("event=queue.paused") == 1);
    WAIT_FOR(logged("event=job.returned") == 1);
    WAIT_FOR(php_stage_int(&stage, "LLEN queues:default") == 1);
    put_in_cache(pauses[0], "null");
    WAIT_FOR(noted("event-JobProcessed") == 1 && is_all_done());
    ck_assert_uint_eq(noted("start-pid"), 1);
}
END_TEST

/* ---- maintenance ---- */

START_TEST(nothing_is_taken_while_the_application_is_down)
{
    start_runner();
    put_file("down");
    WAIT_FOR(logged("event=worker.paused who=main/0 why=maintenance") == 1);
    scene_do(stage.scene, "status", "--json");
    ck_assert_ptr_nonnull(strstr(stage.scene->out, "\"paused\":\"application\""));
    scene_do(stage.scene, "push", "nothing"); /* nor jobs that are not Laravel's */
    push("pid");
    ck_assert_int_eq(php_stage_int(&stage, "LLEN queues:default"), 2);
    remove_file("down");
    WAIT_FOR(logged("event=worker.resumed who=main/0 why=maintenance") == 1);
    WAIT_FOR(noted("event-JobProcessed") == 2 && is_all_done());
}
END_TEST

/* With no runner left there would be nobody to ask. */
START_TEST(maintenance_that_was_there_first_is_seen_and_its_end_too)
{
    put_file("down");
    scene_start(stage.scene);
    push("pid");
    WAIT_FOR(logged("event=worker.paused") == 1 && runner_pid() > 0);
    WAIT_FOR(php_stage_int(&stage, "LLEN queues:default") == 1);
    ck_assert_uint_eq(noted("start-pid"), 0);
    ck_assert_int_eq(kill(runner_pid(), SIGKILL), 0);
    WAIT_FOR(logged("event=runner.ready") == 2);
    remove_file("down");
    WAIT_FOR(noted("event-JobProcessed") == 1 && is_all_done());
    ck_assert_uint_eq(noted("start-pid"), 1);
}
END_TEST

START_TEST(a_forced_entry_works_in_maintenance)
{
    scene_configure(stage.scene, POOL RUNNER("force = true;"));
    put_file("down");
    start_runner();
    ck_assert_uint_eq(logged("event=worker.paused"), 0);
    ck_assert_uint_eq(logged("event=job.returned"), 0);
}
END_TEST

START_TEST(a_listener_may_keep_workers_from_taking_jobs)
{
    start_runner();
    put_file("hold");
    WAIT_FOR(logged("event=worker.paused who=main/0 why=listener") == 1);
    remove_file("hold");
    WAIT_FOR(logged("event=worker.resumed") == 1);
}
END_TEST

/* ---- no cache ---- */

START_TEST(without_its_cache_the_work_goes_on)
{
    put_file("nocache");
    start_runner();
    WAIT_FOR(logged("event=runner.state_unknown") == 1);
    ck_assert_uint_eq(logged("the cache is away"), 1);
    push("pid");
    WAIT_FOR(noted("event-JobProcessed") == 2);
    put_file("down"); /* what needs no cache is seen all the same */
    WAIT_FOR(logged("event=worker.paused") == 1);
    remove_file("down");
    WAIT_FOR(logged("event=worker.resumed") == 1);
    ck_assert_uint_eq(logged("event=runner.state_unknown"), 1); /* once */
    remove_file("nocache");
    WAIT_FOR(logged("event=runner.state_known") == 1);
}
END_TEST

/* ---- Horizon ---- */

START_TEST(horizon_hears_of_each_job)
{
    put_file("horizon");
    start_runner();
    ck_assert_uint_eq(noted("horizon-JobReserved-redis-default"), 1);
    ck_assert_uint_eq(noted("horizon-JobDeleted-redis-default"), 1);
    push("release");
    WAIT_FOR(noted("horizon-JobReleased-redis-default") == 1);
    push("fail");
    WAIT_FOR(noted("horizon-JobDeleted-redis-default") == 2);
    ck_assert_uint_eq(noted("horizon-JobReserved-redis-default"), 3);
    ck_assert_uint_eq(noted("horizon-JobReleased-redis-default"), 1);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_checked_fixture(tc, set_stage, clear_stage);
    tcase_add_test(tc, a_restart_replaces_the_runners_after_their_jobs_and_nothing_else);
    tcase_add_test(tc, a_restart_of_yesterday_means_nothing);
    tcase_add_loop_test(tc, a_queue_that_the_application_paused_is_left_alone, 0, 2);
    tcase_add_test(tc, a_job_of_a_paused_queue_goes_back_before_it_is_run);
    tcase_add_test(tc, nothing_is_taken_while_the_application_is_down);
    tcase_add_test(tc, maintenance_that_was_there_first_is_seen_and_its_end_too);
    tcase_add_test(tc, a_forced_entry_works_in_maintenance);
    tcase_add_test(tc, a_listener_may_keep_workers_from_taking_jobs);
    tcase_add_test(tc, without_its_cache_the_work_goes_on);
    tcase_add_test(tc, horizon_hears_of_each_job);
}

int main(void)
{
    return run_suite("pause_laravel", 180, add);
}
