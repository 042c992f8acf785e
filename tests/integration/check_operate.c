/* End to end: what an operator does: scale, reload, stop, look, and what it costs to be
 * idle. */
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/must.h"
#include "supervisor/supervisor.h"
#include "tests/support/memory.h"
#include "tests/support/sanitized.h"
#include "tests/support/scene.h"
#include "tests/support/wait.h"
#include "tests/unit/suite.h"

#define POOL(workers)                                                                    \
    "pools: ( { name = \"main\"; queues = [ \"high\", \"default\", \"low\" ]; workers "  \
    "= " workers "; concurrency = 16; tries = 1; } );\n"

#define JOBS                                                                             \
    "jobs: ( { name = \"slow\"; type = \"shell\"; kill_grace = 0.5; command = [ "        \
    "\"/bin/sh\","                                                                       \
    " \"-c\", \"echo start >> $1/starts; while [ ! -e $1/go ]; do sleep 0.05; done;"     \
    " echo end >> $1/ends\", \"sh\", \"@DIR@\" ]; },\n"                                  \
    " { name = \"nothing\"; type = \"noop\"; } );\n"

static struct scene *scene;

static void clear_stage(void)
{
    scene_destroy(scene);
}

START_TEST(scaling_up_and_down_at_run_time)
{
    scene = scene_create(SCENE_REDIS, POOL("1") JOBS);
    scene_start(scene);
    scene_do(scene, "scale", "main", "3");
    ck_assert_str_eq(scene->out, "main: 1 -> 3 workers\n");
    WAIT_FOR(scene_workers_all(scene, "running", 3));
    ck_assert_int_eq(kill(scene->supervisor, SIGTTIN), 0);
    WAIT_FOR(scene_workers_all(scene, "running", 4));
    ck_assert_int_eq(kill(scene->supervisor, SIGTTOU), 0);
    WAIT_FOR(scene_workers_all(scene, "running", 3));
    scene_do(scene, "scale", "main", "0");
    WAIT_FOR(scene_workers_all(scene, "running", 0));
    scene_do(scene, "scale", "main", "1");
    ck_assert_str_eq(scene->out, "main: 0 -> 1 worker\n");
    ck_assert_int_eq(scene_run(scene, "scale", "nosuch", "2", NULL), 3);
    ck_assert_int_eq(scene_run(scene, "scale", "main", "99999", NULL), 2);
}
END_TEST

START_TEST(a_worker_scaled_away_finishes_its_job_first)
{
    scene = scene_create(SCENE_REDIS, POOL("1") JOBS);
    scene_start(scene);
    scene_do(scene, "push", "slow");
    WAIT_FOR(scene_lines(scene, "starts") == 1);
    scene_do(scene, "scale", "main", "0");
    scene_do(scene, "push", "nothing"); /* nobody may take it any more */
    WAIT_FOR(scene_log_has(scene, "event=worker.drain who=main/0 why=scale"));
    scene_touch(scene, "go");
    WAIT_FOR(scene_workers_all(scene, "running", 0));
    ck_assert_uint_eq(scene_lines(scene, "ends"), 1);
    ck_assert_int_eq(scene_redis_int(scene, "LLEN", "queues:default"), 1);
    ck_assert_int_eq(scene_redis_int(scene, "ZCARD", "queues:default:reserved"), 0);
}
END_TEST

START_TEST(a_good_file_is_taken_at_reload_and_a_bad_one_changes_nothing)
{
    pid_t first;

    scene = scene_create(SCENE_REDIS, POOL("1") JOBS);
    scene_start(scene);
    first = (pid_t)scene_worker(scene, 0, 0, "pid");
    scene_configure(scene, POOL("2") JOBS);
    ck_assert_int_eq(kill(scene->supervisor, SIGHUP), 0);
    WAIT_FOR(scene_worker(scene, 0, 0, "pid") > 0 &&
             scene_worker(scene, 0, 0, "pid") != first); /* the old one made way */
    WAIT_FOR(scene_workers_all(scene, "running", 2));
    ck_assert(scene_log_has(scene, "event=worker.drain who=main/0 why=reload"));
    ck_assert_int_eq(scene_worker(scene, 0, 0, "restarts"), 0); /* it did not fall */

    scene_configure(scene, POOL("-7") JOBS);
    ck_assert_int_eq(kill(scene->supervisor, SIGHUP), 0);
    WAIT_FOR(scene_log_has(scene, "pools[0].workers: -7 is below the minimum"));
    ck_assert(scene_log_has(scene, "drover.conf:3"));
    scene_configure(scene, POOL("2") JOBS); /* for the command line's own reading */
    ck_assert(scene_workers_all(scene, "running", 2));

    scene_configure(scene,
                    POOL("2") "jobs: ( { name = \"fresh\"; type = \"noop\"; } );\n");
    scene_do(scene, "reload"); /* waits: then both know the new job */
    scene_do(scene, "push", "fresh");
    WAIT_FOR(scene_worker(scene, 0, 0, "done") + scene_worker(scene, 0, 1, "done") >= 1);
}
END_TEST

START_TEST(a_reload_says_what_it_does_not_take)
{
    scene = scene_create(SCENE_REDIS, POOL("1") JOBS);
    scene_start(scene);
    scene_configure(scene, POOL("2") JOBS "user = \"daemon\";\n");
    scene_do(scene, "reload");
    ck_assert_ptr_nonnull(strstr(scene->err, "user"));
    ck_assert(scene_log_has(scene, "supervisor.needs_restart"));
    WAIT_FOR(scene_workers_all(scene, "running", 2)); /* the rest it took */
}
END_TEST

START_TEST(a_reload_without_any_job_or_pool_is_refused)
{
    static const char *const cut[] = {POOL("1"), JOBS, ""};

    scene = scene_create(SCENE_REDIS, POOL("1") JOBS);
    scene_start(scene);
    for (size_t i = 0; i < ARRAY_CT(cut); i++) {
        scene_configure(scene, cut[i]); /* as if the rest were still being written */
        ck_assert_int_eq(scene_run(scene, "reload", NULL), 2);
        ck_assert_ptr_nonnull(strstr(scene->err, "any more: is it being written?"));
        ck_assert_ptr_nonnull(strstr(scene->err, "drover: nothing was changed"));
    }
    scene_do(scene, "push", "nothing");
    WAIT_FOR(scene_worker(scene, 0, 0, "done") == 1); /* known as before */
}
END_TEST

START_TEST(a_broken_file_keeps_nobody_from_looking_scaling_and_stopping)
{
    static const char bad[] = "pools: ( { name = \"main\"; workers = -7; } );\njobs: (";

    scene = scene_create(SCENE_REDIS, POOL("1") JOBS);
    scene_start(scene);
    scene_configure(scene, bad);
    scene_do(scene, "status");
    ck_assert_ptr_nonnull(strstr(scene->err, "warning"));
    scene_do(scene, "scale", "main", "2");
    ck_assert_int_eq(scene_run(scene, "reload", NULL), 2);
    ck_assert_ptr_nonnull(strstr(scene->err, "drover: nothing was changed"));
    ck_assert_int_eq(scene_run(scene, "push", "nothing", NULL), 2);
    scene_do(scene, "stop");
    scene_await_end(scene);
}
END_TEST

START_TEST(a_stop_lets_running_jobs_end)
{
    scene = scene_create(SCENE_REDIS, POOL("1") JOBS);
    scene_start(scene);
    scene_do(scene, "push", "slow");
    WAIT_FOR(scene_lines(scene, "starts") == 1);
    ck_assert_int_eq(kill(scene->supervisor, SIGTERM), 0);
    WAIT_FOR(scene_log_has(scene, "worker.drain"));
    scene_touch(scene, "go");
    scene_await_end(scene);
    ck_assert_uint_eq(scene_lines(scene, "ends"), 1);
}
END_TEST

START_TEST(a_second_signal_stops_at_once_and_gives_the_job_back)
{
    int64_t heard_ms;

    scene = scene_create(SCENE_REDIS, POOL("1") JOBS);
    scene_start(scene);
    scene_do(scene, "push", "slow");
    WAIT_FOR(scene_lines(scene, "starts") == 1);
    ck_assert_int_eq(kill(scene->supervisor, SIGTERM), 0);
    WAIT_FOR(scene_log_has(scene, "worker.drain"));
    json_decref(scene_status(scene)); /* it is through with the first */
    heard_ms = wait_now_ms();
    WAIT_FOR(wait_now_ms() > heard_ms + SUPERVISOR_REPEAT_MS);
    ck_assert_int_eq(kill(scene->supervisor, SIGTERM), 0);
    scene_await_end(scene);
    ck_assert_uint_eq(scene_lines(scene, "ends"), 0);
    ck_assert_int_eq(scene_redis_int(scene, "LLEN", "queues:default"), 1);
    ck_assert_ptr_nonnull(strstr(
        scene_redis(scene, "LINDEX", "queues:default", "0", NULL), "\"attempts\":0"));
}
END_TEST

/* Redis stands still: the jobs end, but nobody can be told. */
START_TEST(a_stop_without_redis_says_which_verdicts_are_lost)
{
    scene = scene_create(SCENE_REDIS, "stop_grace = 2;\n" POOL("1") JOBS);
    scene_start(scene);
    for (int i = 0; i < 3; i++)
        scene_do(scene, "push", "slow");
    WAIT_FOR(scene_lines(scene, "starts") == 3);
    ck_assert_int_eq(kill(scene->redis, SIGSTOP), 0);
    scene_touch(scene, "go");
    WAIT_FOR(scene_lines(scene, "ends") == 3);
    ck_assert_int_eq(kill(scene->supervisor, SIGTERM), 0);
    ck_assert_int_eq(waitpid(scene->supervisor, &scene->exit_status, 0),
                     scene->supervisor);
    scene->supervisor = 0;
    ck_assert_int_eq(kill(scene->redis, SIGCONT), 0);
    ck_assert(scene_log_has(scene, "event=worker.give_up"));
    ck_assert(scene_log_has(scene, "running=0 unsettled=3 then=\"Redis did not take"));
}
END_TEST

START_TEST(the_embedded_redis_is_restarted_and_keeps_its_jobs)
{
    scene = scene_create(SCENE_EMBEDDED, POOL("1") JOBS);
    scene_start(scene);
    scene_do(scene, "scale", "main", "0");
    WAIT_FOR(scene_workers_all(scene, "running", 0));
    WAIT_FOR(scene_run(scene, "push", "nothing", NULL) == 0);
    (void)scene_redis(scene, "DEBUG", "SEGFAULT", NULL);
    (void)scene_redis(scene, "SHUTDOWN", "NOSAVE", NULL);
    WAIT_FOR(scene_redis_int(scene, "LLEN", "queues:default") == 1);
    scene_do(scene, "scale", "main", "1");
    WAIT_FOR(scene_run(scene, "status", NULL) == 0 &&
             scene_redis_int(scene, "LLEN", "queues:default") == 0);
}
END_TEST

START_TEST(a_second_supervisor_on_the_same_state_dir_is_refused)
{
    char pid[32];

    scene = scene_create(SCENE_REDIS, POOL("1") JOBS);
    scene_start(scene);
    ck_assert_int_eq(scene_run(scene, "supervise", NULL), 2);
    (void)snprintf(pid, sizeof(pid), "%d", (int)scene->supervisor);
    ck_assert_ptr_nonnull(strstr(scene->err, pid));
    ck_assert(scene_workers_all(scene, "running", 1));
}
END_TEST

START_TEST(idle_processes_are_small)
{
    long worker_kib, supervisor_kib;

    scene = scene_create(SCENE_REDIS, POOL("2") JOBS);
    scene_start(scene);
    scene_do(scene, "push", "nothing");
    WAIT_FOR(scene_worker(scene, 0, 0, "done") + scene_worker(scene, 0, 1, "done") == 1);
    worker_kib = memory_private_kib((pid_t)scene_worker(scene, 0, 0, "pid"));
    supervisor_kib = memory_private_kib(scene->supervisor);
    printf("private memory: worker %ld KiB, supervisor %ld KiB\n", worker_kib,
           supervisor_kib);
    if (!is_sanitized()) {
        ck_assert_int_lt(worker_kib, 2048);
        ck_assert_int_lt(supervisor_kib, 1024);
    }
}
END_TEST

START_TEST(a_control_socket_that_was_removed_comes_back)
{
    char path[128];

    scene = scene_create(SCENE_REDIS, POOL("1") JOBS);
    scene_start(scene);
    (void)snprintf(path, sizeof(path), "%s/state/control.sock", scene->dir);
    ck_assert_int_eq(unlink(path), 0);
    WAIT_FOR(scene_log_has(scene, "event=control.renewed"));
    scene_do(scene, "scale", "main", "2");
    WAIT_FOR(scene_workers_all(scene, "running", 2));
    ck_assert_uint_eq(scene_log_count(scene, "event=control."), 1);
    scene_stop(scene);
    ck_assert_int_eq(access(path, F_OK), -1);
}
END_TEST

/* What lies in its place is not ours to remove. */
START_TEST(a_supervisor_without_its_socket_is_named)
{
    char path[128], file[128], pid[64];

    scene = scene_create(SCENE_REDIS, POOL("1") JOBS);
    scene_start(scene);
    (void)snprintf(path, sizeof(path), "%s/state/control.sock", scene->dir);
    (void)snprintf(file, sizeof(file), "%s/file", scene->dir);
    (void)snprintf(pid, sizeof(pid), "a supervisor (pid %d) holds state_dir",
                   (int)scene->supervisor);
    scene_touch(scene, "file");
    ck_assert_int_eq(rename(file, path), 0);
    WAIT_FOR(scene_log_has(scene, "event=control.lost"));
    ck_assert_int_eq(scene_run(scene, "stop", NULL), 1);
    ck_assert_msg(strstr(scene->err, pid) != NULL, "%s", scene->err);
    scene_stop(scene);
    ck_assert_int_eq(scene_run(scene, "stop", NULL), 3);
}
END_TEST

START_TEST(stop_and_status_say_when_nothing_runs)
{
    scene = scene_create(SCENE_REDIS, POOL("1") JOBS);
    ck_assert_int_eq(scene_run(scene, "stop", NULL), 3);
    scene_start(scene);
    scene_do(scene, "stop");
    scene_await_end(scene);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_checked_fixture(tc, NULL, clear_stage);
    tcase_add_test(tc, scaling_up_and_down_at_run_time);
    tcase_add_test(tc, a_worker_scaled_away_finishes_its_job_first);
    tcase_add_test(tc, a_good_file_is_taken_at_reload_and_a_bad_one_changes_nothing);
    tcase_add_test(tc, a_reload_says_what_it_does_not_take);
    tcase_add_test(tc, a_reload_without_any_job_or_pool_is_refused);
    tcase_add_test(tc, a_broken_file_keeps_nobody_from_looking_scaling_and_stopping);
    tcase_add_test(tc, a_stop_lets_running_jobs_end);
    tcase_add_test(tc, a_second_signal_stops_at_once_and_gives_the_job_back);
    tcase_add_test(tc, a_stop_without_redis_says_which_verdicts_are_lost);
    tcase_add_test(tc, the_embedded_redis_is_restarted_and_keeps_its_jobs);
    tcase_add_test(tc, a_second_supervisor_on_the_same_state_dir_is_refused);
    tcase_add_test(tc, idle_processes_are_small);
    tcase_add_test(tc, a_control_socket_that_was_removed_comes_back);
    tcase_add_test(tc, a_supervisor_without_its_socket_is_named);
    tcase_add_test(tc, stop_and_status_say_when_nothing_runs);
}

int main(void)
{
    return run_suite("operate", 180, add);
}
