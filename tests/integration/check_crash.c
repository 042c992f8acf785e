/* End to end: workers and jobs that die, hang, or leave things behind. */
#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/must.h"
#include "tests/support/memory.h"
#include "tests/support/sanitized.h"
#include "tests/support/scene.h"
#include "tests/support/wait.h"
#include "tests/unit/suite.h"

#define POOL(workers, concurrency)                                                       \
    "stop_grace = 20;\n"                                                                 \
    "pools: ( { name = \"main\"; queues = [ \"high\", \"default\", \"low\" ]; workers "  \
    "= " workers "; concurrency = " concurrency                                          \
    "; tries = 1; timeout = 60; lease = 90; } );\n"

#define SH(name, script, more)                                                           \
    "{ name = \"" name                                                                   \
    "\"; type = \"shell\"; command = [ \"/bin/sh\", \"-c\", \"" script                   \
    "\", \"sh\", \"@DIR@\" ]; " more " }"

static struct scene *scene;

static void clear_stage(void)
{
    scene_destroy(scene);
}

static size_t failed_ct(void)
{
    json_t *failed = scene_failed(scene);
    size_t ct = json_array_size(failed);

    json_decref(failed);
    return ct;
}

static char *failed_reason(void)
{
    json_t *failed = scene_failed(scene);
    char *reason = must_strdup(
        json_string_value(json_object_get(json_array_get(failed, 0), "reason")));

    json_decref(failed);
    return reason;
}

/* Each run holds a lock while it runs and notes "twice" if another has it. The first run
 * of each is slow, so that it is sure to be running when its worker is killed. */
#define GUARDED                                                                          \
    SH("guarded",                                                                        \
       "exec 9>>$1/lock.$DROVER_JOB_UUID; flock -n 9 || echo twice >> $1/twice;"         \
       " echo $DROVER_JOB_ATTEMPT >> $1/starts;"                                         \
       " if [ -e $1/killed ]; then echo done >> $1/done; else sleep 1000; fi",           \
       "")

START_TEST(a_killed_worker_is_replaced_and_its_jobs_run_again)
{
    pid_t worker;
    char path[128];
    FILE *mark;

    scene = scene_create(SCENE_REDIS, POOL("1", "4") "jobs: ( " GUARDED " );\n");
    scene_start(scene);
    worker = (pid_t)scene_worker(scene, 0, 0, "pid");
    for (int i = 0; i < 4; i++)
        scene_do(scene, "push", "guarded");
    WAIT_FOR(scene_lines(scene, "starts") == 4);

    (void)snprintf(path, sizeof(path), "%s/killed", scene->dir);
    mark = fopen(path, "we");
    ck_assert_ptr_nonnull(mark);
    (void)fclose(mark);
    ck_assert_int_eq(kill(worker, SIGKILL), 0);

    WAIT_FOR(scene_lines(scene, "done") == 4);
    ck_assert_uint_eq(scene_lines(scene, "starts"), 8);
    ck_assert_uint_eq(scene_lines(scene, "twice"), 0);
    ck_assert_uint_eq(failed_ct(), 0); /* tries is 1: the crash was no attempt */
    {
        char *starts = scene_read(scene, "starts");

        ck_assert_str_eq(starts, "1\n1\n1\n1\n1\n1\n1\n1\n");
        free(starts);
    }
    ck_assert_int_ne(scene_worker(scene, 0, 0, "pid"), worker);
    ck_assert_int_eq(scene_worker(scene, 0, 0, "restarts"), 1);
}
END_TEST

START_TEST(a_job_that_kills_its_workers_ends_in_the_failed_store)
{
    char *reason;

    scene = scene_create(
        SCENE_REDIS,
        POOL("1", "4") "jobs: ( " SH("poison", "kill -SEGV $PPID; sleep 9", "") ", " SH(
            "good", "echo good >> $1/good", "") " );\n");
    scene_start(scene);
    scene_do(scene, "push", "poison");
    for (int i = 0; i < 20; i++)
        scene_do(scene, "push", "good");
    WAIT_FOR(failed_ct() == 1);
    reason = failed_reason();
    ck_assert_ptr_nonnull(strstr(reason, "SIGSEGV"));
    free(reason);
    WAIT_FOR(scene_lines(scene, "good") >= 20);
    ck_assert(scene_log_has(scene, "job.alone"));
}
END_TEST

START_TEST(suspects_that_cannot_start_do_not_hold_up_the_rest)
{
    static const char *const uuids[] = {"suspect-1", "suspect-2", "suspect-3"};
    char payload[128];

    scene = scene_create(
        SCENE_REDIS, POOL("1", "4") "jobs: ( " SH(
                         "good", "echo good >> $1/good",
                         "") ", { name = \"picky\"; type = \"shell\";"
                             " command = [ \"/bin/true\", \"{data.missing}\" ]; } );\n");
    for (size_t i = 0; i < ARRAY_CT(uuids); i++) {
        (void)snprintf(payload, sizeof(payload), "{\"uuid\":\"%s\",\"job\":\"picky\"}",
                       uuids[i]);
        (void)scene_redis(scene, "HSET", "drover:crashes", uuids[i], "3 killed by SIGBUS",
                          NULL);
        (void)scene_redis(scene, "RPUSH", "queues:high", payload, NULL);
    }
    scene_do(scene, "push", "good");
    scene_start(scene);
    WAIT_FOR(failed_ct() == 3);
    WAIT_FOR(scene_lines(scene, "good") == 1);
    ck_assert_int_eq(scene_redis_int(scene, "EXISTS", "drover:crashes"), 0);
}
END_TEST

/* All four were with three dead workers, and wait together to run alone, the guilty one
 * first: the others die with it once more. */
START_TEST(suspects_that_wait_beside_the_guilty_one_do_not_fail_for_it)
{
    static const char *const jobs[] = {"poison", "good", "good", "good"};
    char *reason, payload[128], uuid[32];

    scene = scene_create(
        SCENE_REDIS,
        POOL("1", "4") "jobs: ( " SH("poison", "kill -KILL $PPID; sleep 9", "") ", " SH(
            "good", "echo good >> $1/good", "") " );\n");
    for (size_t i = 0; i < ARRAY_CT(jobs); i++) {
        (void)snprintf(uuid, sizeof(uuid), "suspect-%zu", i);
        (void)snprintf(payload, sizeof(payload), "{\"uuid\":\"%s\",\"job\":\"%s\"}", uuid,
                       jobs[i]);
        (void)scene_redis(scene, "HSET", "drover:crashes", uuid, "3 killed by SIGBUS",
                          NULL);
        (void)scene_redis(scene, "RPUSH", "queues:high", payload, NULL);
    }
    scene_start(scene);
    WAIT_FOR(failed_ct() == 1);
    WAIT_FOR(scene_lines(scene, "good") == 3);
    reason = failed_reason();
    ck_assert_ptr_nonnull(strstr(reason, "SIGKILL"));
    ck_assert_ptr_null(strstr(reason, "alone;"));
    free(reason);
    WAIT_FOR(scene_redis_int(scene, "EXISTS", "drover:crashes") == 0);
    ck_assert_uint_eq(failed_ct(), 1);
}
END_TEST

/* On a slow machine a job may be beyond its time before it ignores anything: then
 * another. */
static void push_until_it_notes_its_pids(void)
{
    size_t ct = 0;

    do {
        scene_do(scene, "push", "stubborn");
        ct++;
        WAIT_FOR(failed_ct() == ct);
    } while (scene_lines(scene, "pids") == 0);
}

START_TEST(a_job_that_ignores_term_is_gone_after_timeout_and_grace)
{
    char *reason, *pids;
    int shell, child;

    scene = scene_create(
        SCENE_REDIS,
        POOL("1", "1") "jobs: ( " SH(
            "stubborn", "trap '' TERM; sleep 1000 & echo $$ $! > $1/pids; wait; wait",
            "timeout = 0.5; kill_grace = 0.5;") " );\n");
    scene_start(scene);
    push_until_it_notes_its_pids();
    reason = failed_reason();
    ck_assert_str_eq(reason, "timed out after 0.5 s");
    free(reason);
    pids = scene_read(scene, "pids");
    ck_assert_int_eq(sscanf(pids, "%d %d", &shell, &child), 2);
    free(pids);
    WAIT_FOR(!process_exists(shell) && !process_exists(child));
}
END_TEST

START_TEST(a_daemon_that_holds_the_pipe_does_not_hold_the_job)
{
    char *pid;

    scene = scene_create(
        SCENE_REDIS,
        POOL("1", "1") "jobs: ( " SH("leaver", "sleep 1000 & echo $! > $1/pid; echo out",
                                     "") " );\n");
    scene_start(scene);
    scene_do(scene, "push", "leaver");
    WAIT_FOR(scene_worker(scene, 0, 0, "done") == 1);
    pid = scene_read(scene, "pid");
    WAIT_FOR(!process_exists((pid_t)atol(pid)));
    free(pid);
}
END_TEST

START_TEST(much_output_leaves_no_trace_in_the_worker)
{
    long before_kib, after_kib;
    pid_t worker;

    scene = scene_create(SCENE_REDIS, POOL("1", "1") "jobs: ( " SH(
                                          "chatty", "head -c 52428800 /dev/zero",
                                          "") ", " SH("quiet", "exit 0", "") " );\n");
    scene_start(scene);
    scene_do(scene, "push", "quiet");
    WAIT_FOR(scene_worker(scene, 0, 0, "done") == 1);
    worker = (pid_t)scene_worker(scene, 0, 0, "pid");
    before_kib = memory_anonymous_kib(worker);
    scene_do(scene, "push", "chatty");
    WAIT_FOR(scene_worker(scene, 0, 0, "done") == 2);
    after_kib = memory_anonymous_kib(worker);
    if (!is_sanitized())
        ck_assert_int_le(after_kib - before_kib, 2048);
}
END_TEST

/* A payload of 8 MB, straight into the list. */
static void push_big(void)
{
    enum { LINE = 8000, LINES = 1000 };
    char line[LINE + 1], path[128], *command;
    FILE *file;

    memset(line, 'x', LINE);
    line[LINE] = '\0';
    (void)snprintf(path, sizeof(path), "%s/payload", scene->dir);
    file = fopen(path, "we");
    ck_assert_ptr_nonnull(file);
    fputs("{\"job\":\"quiet\",\"data\":\"", file);
    for (int i = 0; i < LINES; i++)
        fputs(line, file);
    fputs("\"}", file);
    ck_assert_int_eq(fclose(file), 0);
    command =
        must_format("redis-cli -s %s/redis.sock -x RPUSH queues:high < %s >/dev/null",
                    scene->dir, path);
    ck_assert_int_eq(system(command), 0);
    free(command);
}

START_TEST(a_big_payload_leaves_no_trace_in_the_worker)
{
    long before_kib;
    pid_t worker;

    scene = scene_create(SCENE_REDIS,
                         POOL("1", "1") "jobs: ( " SH("quiet", "exit 0", "") " );\n");
    scene_start(scene);
    scene_do(scene, "push", "quiet");
    WAIT_FOR(scene_worker(scene, 0, 0, "done") == 1);
    worker = (pid_t)scene_worker(scene, 0, 0, "pid");
    before_kib = memory_anonymous_kib(worker);
    push_big();
    WAIT_FOR(scene_worker(scene, 0, 0, "done") == 2);
    /* Done is counted before Redis has answered, and only then the bytes are let go. */
    WAIT_FOR(is_sanitized() || memory_anonymous_kib(worker) - before_kib <= 2048);
}
END_TEST

START_TEST(a_hung_worker_is_killed_and_replaced)
{
    pid_t worker;

    scene = scene_create(SCENE_REDIS, "hang_timeout = 2;\n" POOL("1", "1") "jobs: ( " SH(
                                          "quiet", "exit 0", "") " );\n");
    scene_start(scene);
    worker = (pid_t)scene_worker(scene, 0, 0, "pid");
    ck_assert_int_eq(kill(worker, SIGSTOP), 0);
    WAIT_FOR(scene_worker(scene, 0, 0, "pid") > 0 &&
             scene_worker(scene, 0, 0, "pid") != worker);
    ck_assert(!process_exists(worker));
    scene_do(scene, "push", "quiet");
    WAIT_FOR(scene_redis_int(scene, "LLEN", "queues:default") == 0);
}
END_TEST

/* What the kernel sends to who writes past a limit of file sizes ends a process. */
START_TEST(a_log_file_at_its_limit_ends_no_worker)
{
    const struct rlimit none = {.rlim_cur = 0, .rlim_max = RLIM_INFINITY};
    const struct rlimit all = {.rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY};
    pid_t worker;

    scene = scene_create(SCENE_REDIS, POOL("1", "4") "jobs: ( { name = \"nothing\"; "
                                                     "type = \"noop\"; } );\n");
    scene_start(scene);
    worker = (pid_t)scene_worker(scene, 0, 0, "pid");
    ck_assert_int_eq(prlimit(worker, RLIMIT_FSIZE, &none, NULL), 0);
    for (int i = 0; i < 3; i++)
        scene_do(scene, "push", "nothing");
    WAIT_FOR(scene_worker(scene, 0, 0, "done") == 3);
    ck_assert_int_eq(scene_worker(scene, 0, 0, "restarts"), 0);
    ck_assert_int_eq(prlimit(worker, RLIMIT_FSIZE, &all, NULL), 0);
    scene_do(scene, "push", "nothing");
    WAIT_FOR(scene_log_has(scene, "event=log.dropped"));
}
END_TEST

START_TEST(a_killed_supervisor_leaves_no_fleet_and_no_job_behind)
{
    pid_t worker;

    scene = scene_create(
        SCENE_REDIS, POOL("1", "1") "jobs: ( " SH(
                         "slow",
                         "echo start >> $1/starts; until [ -e $1/go ]; do sleep 0.05; "
                         "done; echo end >> $1/ends",
                         "") " );\n");
    scene_start(scene);
    worker = (pid_t)scene_worker(scene, 0, 0, "pid");
    scene_do(scene, "push", "slow");
    WAIT_FOR(scene_lines(scene, "starts") == 1);
    ck_assert_int_eq(kill(scene->supervisor, SIGKILL), 0);
    WAIT_FOR(scene_log_has(scene, "event=worker.drain"));
    scene_touch(scene, "go"); /* its job may end */
    WAIT_FOR(!process_exists(worker));
    ck_assert_uint_eq(scene_lines(scene, "ends"), 1);
    ck_assert_int_eq(scene_redis_int(scene, "ZCARD", "queues:default:reserved"), 0);
    scene->supervisor = 0;
    scene_start(scene); /* the dead one's lock and socket are in nobody's way */
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_checked_fixture(tc, NULL, clear_stage);
    tcase_add_test(tc, a_killed_worker_is_replaced_and_its_jobs_run_again);
    tcase_add_test(tc, a_job_that_kills_its_workers_ends_in_the_failed_store);
    tcase_add_test(tc, suspects_that_cannot_start_do_not_hold_up_the_rest);
    tcase_add_test(tc, suspects_that_wait_beside_the_guilty_one_do_not_fail_for_it);
    tcase_add_test(tc, a_job_that_ignores_term_is_gone_after_timeout_and_grace);
    tcase_add_test(tc, a_daemon_that_holds_the_pipe_does_not_hold_the_job);
    tcase_add_test(tc, much_output_leaves_no_trace_in_the_worker);
    tcase_add_test(tc, a_big_payload_leaves_no_trace_in_the_worker);
    tcase_add_test(tc, a_hung_worker_is_killed_and_replaced);
    tcase_add_test(tc, a_log_file_at_its_limit_ends_no_worker);
    tcase_add_test(tc, a_killed_supervisor_leaves_no_fleet_and_no_job_behind);
}

int main(void)
{
    return run_suite("crash", 180, add);
}
