/* The supervisor as a process: start, signals, commands, stop, and that nothing is left
 * behind. */
#include <check.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "supervisor/notify.h"
#include "tests/support/wait.h"
#include "tests/unit/suite.h"
#include "tests/unit/supervisor_scene.h"

enum { EARLY_STOPS = 40 };

/* ---- start and stop ---- */

static const int end_signals[] = {SIGTERM, SIGINT, SIGQUIT};

START_TEST(a_stop_leaves_nothing_behind)
{
    start(POOLS(POOL("main", "2") ", " POOL("mails", "1")));
    ck_assert_uint_eq(count_running(0), 2);
    stop(end_signals[_i]);
    ck_assert_uint_eq(stage->terms[0] + stage->terms[1], 3);
    ck_assert_uint_eq(count_notes("STOPPING=1"), 1);
    ck_assert(log_has("event=supervisor.end"));
}
END_TEST

START_TEST(a_stop_at_any_moment_of_the_start_is_a_stop)
{
    configure(POOLS(POOL("main", "3")));
    for (unsigned i = 0; i < EARLY_STOPS; i++) {
        struct timespec moment = {.tv_nsec = (long)i * 200000};

        begin();
        (void)nanosleep(&moment, NULL); /* each time a little later: nothing is awaited */
        stop(SIGTERM);
    }
}
END_TEST

START_TEST(the_second_signal_ends_stubborn_workers_soon)
{
    int64_t since_ms;

    stage_all(ACT_STUBBORN);
    start("stop_grace = 600;\n" POOLS(POOL("main", "2")));
    since_ms = wait_now_ms();
    ck_assert_int_eq(kill(supervisor, SIGTERM), 0);
    WAIT_FOR(stage->terms[0] == 1 && stage->terms[1] == 1);
    WAIT_FOR((kill(supervisor, SIGTERM), log_has("event=supervisor.stop_now")));
    ck_assert_int_eq(await_exit(), 0);
    nothing_is_left();
    ck_assert_uint_eq(stage->terms[0], 2);
    ck_assert_int_lt(wait_now_ms() - since_ms, 600000);
}
END_TEST

/* timeout(1), say, tells the supervisor, and then its group. */
START_TEST(a_signal_that_comes_twice_in_a_moment_is_one)
{
    stage_all(ACT_STUBBORN);
    repeat_ms = 3600000;
    start("stop_grace = 600;\n" POOLS(POOL("main", "1")));
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(kill(supervisor, end_signals[_i]), 0);
        json_decref(status()); /* by then it has been heard */
    }
    ck_assert(log_has("event=supervisor.stop "));
    ck_assert(!log_has("event=supervisor.stop_now"));
    stop(end_signals[(_i + 1) % (int)ARRAY_CT(end_signals)]);
    ck_assert(log_has("event=supervisor.stop_now"));
}
END_TEST

static int leave_daemon(const struct config *config, const struct pool_config *pool,
                        const struct redis_endpoint *endpoint, unsigned slot,
                        struct board *board)
{
    if (fork() == 0) {
        (void)setsid();
        if (fork() > 0)
            _exit(0);
        stage->group = getpid();
        fake_rest();
    }
    return fake_worker(config, pool, endpoint, slot, board);
}

static void begin_with(worker_entry entry)
{
    supervisor = fork();
    ck_assert_int_ge(supervisor, 0);
    if (supervisor == 0) {
        struct supervisor_options options = {
            .config_path = conf, .load = config_load, .worker = entry};
        struct err err = {0};

        (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* ends with the test */
        notify_send_hook = note_state;
        options.config = config_load(conf, &err);
        _exit(options.config ? supervisor_run(&options) : 99);
    }
}

START_TEST(daemons_that_jobs_left_are_ended_with_the_supervisor)
{
    configure(POOLS(POOL("main", "1")));
    begin_with(leave_daemon);
    WAIT_FOR(count_notes("READY=1") == 1 && stage->group > 0);
    ck_assert(process_exists(stage->group));
    stop(SIGTERM);
    ck_assert(!process_exists(stage->group));
}
END_TEST

START_TEST(workers_end_with_a_supervisor_that_was_killed)
{
    pid_t workers[2];

    start(POOLS(POOL("main", "2")));
    workers[0] = worker_pid(0, 0);
    workers[1] = worker_pid(0, 1);
    ck_assert_int_eq(kill(supervisor, SIGKILL), 0);
    ck_assert_int_eq(waitpid(supervisor, NULL, 0), supervisor);
    supervisor = 0;
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(waitpid(workers[i], NULL, 0), workers[i]);
    ck_assert_uint_eq(stage->terms[0] + stage->terms[1], 2);
    start(POOLS(POOL("main", "2"))); /* the dead one's lock and socket do not matter */
}
END_TEST

START_TEST(a_second_supervisor_is_refused)
{
    pid_t first;
    char *expected;

    start(POOLS(POOL("main", "1")));
    first = supervisor;
    begin();
    ck_assert_int_eq(await_exit(), SUPERVISOR_EXIT_CONFIG);
    expected =
        must_format("another supervisor (pid %d) runs in %s", (int)first, state_dir);
    ck_assert(log_has(expected));
    free(expected);
    supervisor = first;
    ck_assert_uint_eq(count_running(0), 1);
}
END_TEST

START_TEST(closed_standard_descriptors_are_filled)
{
    configure(POOLS(POOL("main", "1")));
    supervisor = fork();
    if (supervisor == 0) {
        struct supervisor_options options = {
            .config_path = conf, .load = config_load, .worker = fake_worker};
        struct err err;

        (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* ends with the test */
        notify_send_hook = note_state;
        options.config = config_load(conf, &err);
        for (int fd = 0; fd <= STDERR_FILENO; fd++)
            (void)close(fd);
        _exit(supervisor_run(&options));
    }
    WAIT_FOR(count_notes("READY=1") == 1);
    for (int fd = 0; fd <= STDERR_FILENO; fd++) {
        char *link = must_format("/proc/%d/fd/%d", (int)supervisor, fd);
        char target[64] = {0};

        ck_assert_int_gt(readlink(link, target, sizeof(target) - 1), 0);
        ck_assert_str_eq(target, "/dev/null");
        free(link);
    }
    ck_assert_uint_eq(count_running(0), 1);
    stop(SIGTERM);
}
END_TEST

/* ---- commands and signals ---- */

START_TEST(status_has_the_shape_that_programs_rely_on)
{
    json_t *answer;
    json_int_t pid, uptime, slot, worker, running, done, failed, restarts;
    const char *state, *name, *worker_state;
    json_t *up;

    stage->done_each = 3;
    start(POOLS(POOL("main", "1")));
    answer = status();
    ck_assert_int_eq(
        json_unpack(
            answer,
            "{s:{s:I, s:s, s:I}, s:[{s:s, s:[{s:I, s:I, s:s, s:I, s:I, s:I, s:I}]}],"
            " s:{s:o}}",
            "supervisor", "pid", &pid, "state", &state, "uptime_s", &uptime, "pools",
            "name", &name, "workers", "slot", &slot, "pid", &worker, "state",
            &worker_state, "running", &running, "done", &done, "failed", &failed,
            "restarts", &restarts, "redis", "up", &up),
        0);
    ck_assert_int_eq(pid, supervisor);
    ck_assert_str_eq(state, "running");
    ck_assert_int_ge(uptime, 0);
    ck_assert_str_eq(name, "main");
    ck_assert_int_eq(slot, 0);
    ck_assert(process_exists((pid_t)worker));
    ck_assert_str_eq(worker_state, "running");
    ck_assert_int_eq(done, 3);
    ck_assert_int_eq(running + failed + restarts, 0);
    ck_assert(json_is_true(up));
    json_decref(answer);
}
END_TEST

static void scale(const char *pool, int workers)
{
    json_decref(ask(
        json_pack("{s:s, s:s, s:i}", "cmd", "scale", "pool", pool, "workers", workers)));
}

START_TEST(commands_and_signals_scale)
{
    start(POOLS(POOL("main", "1") ", " POOL("mails", "1")));
    scale("mails", 3);
    WAIT_FOR(count_running(1) == 3);
    ck_assert_int_eq(kill(supervisor, SIGTTIN), 0);
    WAIT_FOR(count_running(0) == 2);
    ck_assert_int_eq(kill(supervisor, SIGTTOU), 0);
    WAIT_FOR(count_running(0) == 1);
    ck_assert_int_eq(kill(supervisor, SIGTTOU), 0);
    WAIT_FOR(count_running(0) == 0);
    ck_assert_int_eq(kill(supervisor, SIGTTOU), 0);
    WAIT_FOR(log_has("event=supervisor.scale_refused"));
    ask_in_vain(json_pack("{s:s, s:s, s:i}", "cmd", "scale", "pool", "x", "workers", 1),
                "no pool named x (known: main, mails)");
    ask_in_vain(
        json_pack("{s:s, s:s, s:i}", "cmd", "scale", "pool", "main", "workers", 257),
        "0 to 256");
}
END_TEST

START_TEST(a_stop_by_command_is_answered_first)
{
    json_t *answer;

    start(POOLS(POOL("main", "1")));
    answer = ask(json_pack("{s:s}", "cmd", "stop"));
    ck_assert_int_eq(json_integer_value(json_object_get(answer, "pid")), supervisor);
    json_decref(answer);
    ck_assert_int_eq(await_exit(), 0);
    nothing_is_left();
}
END_TEST

START_TEST(a_signal_without_a_meaning_is_passed_over)
{
    start(POOLS(POOL("main", "1")));
    ck_assert_int_eq(kill(supervisor, SIGUSR1), 0);
    WAIT_FOR(log_has("signal=SIGUSR1"));
    ck_assert_uint_eq(count_running(0), 1);
}
END_TEST

/* ---- pause and drain ---- */

static bool is_paused(const char *what)
{
    json_t *answer = status();
    bool paused =
        json_is_true(json_object_get(json_object_get(answer, "supervisor"), what));

    json_decref(answer);
    return paused;
}

static void expect_done(json_t *request)
{
    json_decref(ask(request));
}

START_TEST(signals_pause_all_workers_those_to_come_too)
{
    start(POOLS(POOL("main", "1")));
    ck_assert(!is_paused("paused"));
    ck_assert_int_eq(kill(supervisor, SIGUSR2), 0);
    WAIT_FOR(stage->pauses[0] > 0);
    ck_assert(is_paused("paused") && !is_paused("draining"));
    expect_done(
        json_pack("{s:s, s:s, s:i}", "cmd", "scale", "pool", "main", "workers", 2));
    WAIT_FOR(stage->pauses[1] > 0);
    ck_assert_int_eq(kill(worker_pid(0, 0), SIGKILL), 0);
    WAIT_FOR(stage->starts[0] == 2);
    ck_assert_int_eq(kill(supervisor, SIGCONT), 0);
    WAIT_FOR(!is_paused("paused"));
    WAIT_FOR(count_running(0) == 2);
    stage->pauses[0] = stage->pauses[1] = 0; /* a turn may be on its way */
    WAIT_FOR(log_has("event=supervisor.resumed"));
    stop(SIGTERM);
    ck_assert_uint_le(stage->pauses[0] + stage->pauses[1], 2);
}
END_TEST

START_TEST(a_drain_stops_the_supervisor_once_no_job_runs)
{
    stage->busy = 1;
    start(POOLS(POOL("main", "2")));
    expect_done(json_pack("{s:s}", "cmd", "drain"));
    WAIT_FOR(stage->pauses[0] > 0 && stage->pauses[1] > 0);
    ck_assert(is_paused("draining"));
    ck_assert_int_eq(kill(supervisor, SIGUSR2), 0); /* is so already */
    ck_assert(is_paused("draining"));
    ck_assert_uint_eq(stage->terms[0] + stage->terms[1], 0);
    stage->busy = 0;
    ck_assert_int_eq(await_exit(), 0);
    ck_assert(log_has("event=supervisor.stop who=supervisor why=drain"));
    nothing_is_left();
}
END_TEST

START_TEST(a_resume_ends_a_drain)
{
    stage->busy = 1;
    start(POOLS(POOL("main", "1")));
    expect_done(json_pack("{s:s}", "cmd", "drain"));
    WAIT_FOR(stage->pauses[0] > 0);
    expect_done(json_pack("{s:s}", "cmd", "resume"));
    ck_assert(!is_paused("draining") && !is_paused("paused"));
    stage->busy = 0;
    expect_done(
        json_pack("{s:s, s:s, s:i}", "cmd", "scale", "pool", "main", "workers", 2));
    WAIT_FOR(count_running(0) == 2); /* it works on */
    stop(SIGTERM);
}
END_TEST

START_TEST(a_stop_during_a_drain_is_a_stop)
{
    stage->busy = 1;
    start(POOLS(POOL("main", "1")));
    expect_done(json_pack("{s:s}", "cmd", "drain"));
    WAIT_FOR(stage->pauses[0] > 0);
    stop(SIGTERM);
    ck_assert_uint_eq(stage->terms[0], 1); /* not at once, as a second signal would */
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_checked_fixture(tc, open_scene, close_scene);
    tcase_add_loop_test(tc, a_stop_leaves_nothing_behind, 0, ARRAY_CT(end_signals));
    tcase_add_test(tc, a_stop_at_any_moment_of_the_start_is_a_stop);
    tcase_add_test(tc, signals_pause_all_workers_those_to_come_too);
    tcase_add_test(tc, a_drain_stops_the_supervisor_once_no_job_runs);
    tcase_add_test(tc, a_resume_ends_a_drain);
    tcase_add_test(tc, a_stop_during_a_drain_is_a_stop);
    tcase_add_test(tc, the_second_signal_ends_stubborn_workers_soon);
    tcase_add_loop_test(tc, a_signal_that_comes_twice_in_a_moment_is_one, 0,
                        ARRAY_CT(end_signals));
    tcase_add_test(tc, daemons_that_jobs_left_are_ended_with_the_supervisor);
    tcase_add_test(tc, workers_end_with_a_supervisor_that_was_killed);
    tcase_add_test(tc, a_second_supervisor_is_refused);
    tcase_add_test(tc, closed_standard_descriptors_are_filled);
    tcase_add_test(tc, status_has_the_shape_that_programs_rely_on);
    tcase_add_test(tc, commands_and_signals_scale);
    tcase_add_test(tc, a_stop_by_command_is_answered_first);
    tcase_add_test(tc, a_signal_without_a_meaning_is_passed_over);
}

int main(void)
{
    return run_suite("supervisor", 120, add_tests);
}
