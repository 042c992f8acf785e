/* Pausing: queues for every drover on a Redis, the workers of one supervisor, a drain.
 * What runs goes on, what waits is kept, and nobody is held longer than asked. */
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/must.h"
#include "tests/support/scene.h"
#include "tests/support/wait.h"
#include "tests/unit/suite.h"

#define POOL                                                                             \
    "stop_grace = 1;\n"                                                                  \
    "pools: ( { name = \"main\"; queues = [ \"high\", \"low\" ]; workers = 1;\n"         \
    "           concurrency = 4; tries = 1; poll_interval = 5; } );\n"
#define JOBS                                                                             \
    "jobs: ( { name = \"slow\"; type = \"shell\"; kill_grace = 0.5; command = [ "        \
    "\"/bin/sh\", \"-c\", \"echo start >> $1/starts; while [ ! -e $1/go ]; do sleep "    \
    "0.05; done; echo end >> $1/ends\", \"sh\", \"@DIR@\" ]; },\n"                       \
    " { name = \"note\"; type = \"shell\"; command = [ \"/bin/sh\", \"-c\", \"echo "     \
    "$DROVER_JOB_QUEUE >> $1/done\", \"sh\", \"@DIR@\" ]; } );\n"

enum { HOSTS = 2 };

static struct scene *hosts[HOSTS]; /* the first has Redis */

static void set_stage(void)
{
    hosts[0] = scene_create(SCENE_REDIS, POOL JOBS);
    scene_start(hosts[0]);
}

static void add_host(void)
{
    hosts[1] = scene_create_beside(hosts[0], POOL JOBS);
    scene_start(hosts[1]);
}

static void clear_stage(void)
{
    for (size_t i = HOSTS; i-- > 0;)
        if (hosts[i])
            scene_destroy(hosts[i]);
}

static size_t count(const char *file)
{
    size_t ct = scene_lines(hosts[0], file);

    return hosts[1] ? ct + scene_lines(hosts[1], file) : ct;
}

static void let_slow_jobs_end(void)
{
    scene_touch(hosts[0], "go");
}

static bool shows(const char *part)
{
    scene_do(hosts[0], "status", "--json");
    return strstr(hosts[0]->out, part) != NULL;
}

static void await_end(void)
{
    ck_assert_int_eq(waitpid(hosts[0]->supervisor, &hosts[0]->exit_status, 0),
                     hosts[0]->supervisor);
    hosts[0]->supervisor = 0;
    ck_assert_int_eq(hosts[0]->exit_status, 0);
}

/* ---- queues ---- */

START_TEST(a_queue_is_paused_for_all_drovers_on_a_redis)
{
    add_host();
    scene_do(hosts[0], "push", "slow", "--queue", "high");
    WAIT_FOR(count("starts") == 1);
    scene_do(hosts[1], "pause", "high");
    for (size_t i = 0; i < HOSTS; i++)
        WAIT_FOR(scene_log_has(hosts[i], "event=queue.paused"));
    ck_assert(shows("\"name\":\"high\",\"ready\":0,\"delayed\":0,\"reserved\":1,"
                    "\"paused\":true"));
    scene_do(hosts[0], "status", "--metrics");
    ck_assert_ptr_nonnull(strstr(hosts[0]->out,
                                 "drover_queue_paused{queue=\"high\"} 1\n"
                                 "drover_queue_paused{queue=\"low\"} 0\n"));
    for (int i = 0; i < 5; i++)
        scene_do(hosts[0], "push", "note", "--queue", "high");
    scene_do(hosts[0], "push", "note", "--queue", "high", "--delay", "0.3");
    scene_do(hosts[0], "push", "note", "--queue", "low");
    let_slow_jobs_end();
    WAIT_FOR(count("done") == 1 && count("ends") == 1); /* low, and what ran */
    WAIT_FOR(scene_redis_int(hosts[0], "LLEN", "queues:high") == 6);
    ck_assert_uint_eq(count("done"), 1);
    scene_do(hosts[0], "resume", "high");
    WAIT_FOR(count("done") == 7);
    WAIT_FOR(scene_redis_int(hosts[0], "ZCARD", "queues:high:reserved") == 0);
    ck_assert_int_eq(scene_redis_int(hosts[0], "ZCARD", "drover:failed"), 0);
}
END_TEST

START_TEST(a_pause_outlives_the_supervisor_and_redis_is_asked_first)
{
    scene_do(hosts[0], "pause", "--all");
    scene_stop(hosts[0]);
    scene_do(hosts[0], "push", "note", "--queue", "low");
    scene_start(hosts[0]);
    WAIT_FOR(scene_log_has(hosts[0], "event=queue.paused"));
    WAIT_FOR(scene_redis_int(hosts[0], "HLEN", "drover:beats") == 1);
    ck_assert_uint_eq(count("done"), 0);
    ck_assert_int_eq(scene_redis_int(hosts[0], "LLEN", "queues:low"), 1);
    scene_do(hosts[0], "resume", "--all");
    WAIT_FOR(count("done") == 1);
}
END_TEST

START_TEST(without_redis_nothing_is_paused)
{
    scene_stop(hosts[0]);
    scene_redis_stop(hosts[0]);
    ck_assert_int_eq(scene_run(hosts[0], "pause", "low", NULL), 6);
    ck_assert_int_eq(scene_run(hosts[0], "resume", NULL), 6);
    ck_assert_int_eq(scene_run(hosts[0], "pause", "--local", NULL), 3);
    ck_assert_int_eq(scene_run(hosts[0], "drain", NULL), 3);
}
END_TEST

/* ---- one supervisor ---- */

START_TEST(a_paused_supervisor_leaves_the_work_to_others)
{
    scene_do(hosts[0], "push", "slow", "--queue", "low");
    WAIT_FOR(count("starts") == 1);
    ck_assert_int_eq(kill(hosts[0]->supervisor, SIGUSR2), 0);
    WAIT_FOR(scene_log_has(hosts[0], "event=worker.paused"));
    ck_assert(shows("\"paused\":true,\"draining\":false"));
    scene_do(hosts[0], "push", "note", "--queue", "high");
    let_slow_jobs_end();
    WAIT_FOR(count("ends") == 1);
    WAIT_FOR(scene_worker(hosts[0], 0, 0, "done") == 1); /* settled in the pause */
    ck_assert_int_eq(scene_redis_int(hosts[0], "LLEN", "queues:high"), 1);
    add_host();
    WAIT_FOR(scene_lines(hosts[1], "done") == 1);
    scene_stop(hosts[1]);
    scene_do(hosts[0], "push", "note", "--queue", "high");
    ck_assert_uint_eq(scene_lines(hosts[0], "done"), 0);
    scene_do(hosts[0], "resume", "--local");
    WAIT_FOR(scene_lines(hosts[0], "done") == 1);
    ck_assert(shows("\"paused\":false,\"draining\":false"));
}
END_TEST

/* Longer than stop_grace, which is for a stop. */
START_TEST(a_drain_waits_for_what_runs_and_ends_then)
{
    scene_do(hosts[0], "push", "slow", "--queue", "low");
    WAIT_FOR(count("starts") == 1);
    ck_assert_int_eq(scene_run(hosts[0], "drain", "--timeout", "2", NULL), 1);
    ck_assert_ptr_nonnull(strstr(hosts[0]->err, "still draining, 1 jobs run"));
    ck_assert(shows("\"draining\":true"));
    scene_do(hosts[0], "push", "note", "--queue", "high");
    let_slow_jobs_end();
    await_end();
    ck_assert_uint_eq(count("ends"), 1);
    ck_assert_int_eq(scene_redis_int(hosts[0], "LLEN", "queues:high"), 1);
    ck_assert_int_eq(scene_redis_int(hosts[0], "ZCARD", "queues:low:reserved"), 0);
    ck_assert(scene_log_has(hosts[0], "event=supervisor.stop who=supervisor why=drain"));
}
END_TEST

START_TEST(a_drain_of_idle_workers_is_soon_over)
{
    scene_do(hosts[0], "drain");
    await_end();
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_checked_fixture(tc, set_stage, clear_stage);
    tcase_add_test(tc, a_queue_is_paused_for_all_drovers_on_a_redis);
    tcase_add_test(tc, a_pause_outlives_the_supervisor_and_redis_is_asked_first);
    tcase_add_test(tc, without_redis_nothing_is_paused);
    tcase_add_test(tc, a_paused_supervisor_leaves_the_work_to_others);
    tcase_add_test(tc, a_drain_waits_for_what_runs_and_ends_then);
    tcase_add_test(tc, a_drain_of_idle_workers_is_soon_over);
}

int main(void)
{
    return run_suite("pause", 180, add);
}
