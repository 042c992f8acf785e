/* PHP that dies, in whatever phase of a job, and PHP that says what it must not: the job
 * is done or has failed, and the cause is told.
 */
#include "tests/support/laravel_fixture.h"
#include "tests/unit/suite.h"

/* For jobs that hang still when the test is over. */
#define IN_NO_TIME "stop_grace = 1;\n"

/* ---- what a job does to its process ---- */

static const struct {
    const char *does, *reason;
} deaths[] = {
    {"exit", "the job ended its process: exit() was called"},
    {"exhaust", "PHP Fatal error: Allowed memory size of 33554432 bytes exhausted"},
    {"segv", "runner killed by SIGSEGV: about to fall"},
};

START_TEST(a_job_that_ends_its_process_is_tried_again_and_then_fails_with_the_cause)
{
    char deed[64];

    (void)snprintf(deed, sizeof(deed), "\"does\":\"%s\"", deaths[_i].does);
    push(deed);
    scene_start(stage.scene);
    hasten();
    WAIT_FOR(logged("event=job.released ") == 2);
    hasten();
    assert_reason(deaths[_i].reason);
    ck_assert_uint_eq(noted("start-"), 3);
    ck_assert_uint_eq(noted("hook Drover\\Laravel\\RunnerDied"), 1);
    push("\"does\":\"ok\"");
    WAIT_FOR(logged("event=job.done ") == 1);
}
END_TEST

static const struct {
    const char *does, *reason, *exception;
} faults[] = {
    {"garble", "runner broke the protocol: a frame of ", "RunnerDied"},
    {"half", "runner killed by SIGKILL", "RunnerDied"},
    {"flood", "Drover\\Tests\\ToldToFail: enough said", "out out out"},
    {"flood", "Drover\\Tests\\ToldToFail: enough said", "err err err"},
};

START_TEST(what_a_process_says_that_it_must_not_is_not_believed)
{
    char deed[64];

    (void)snprintf(deed, sizeof(deed), "\"does\":\"%s\",\"tries\":1", faults[_i].does);
    push(deed);
    scene_start(stage.scene);
    assert_reason(faults[_i].reason);
    assert_exception(faults[_i].exception);
    ck_assert_uint_eq(noted("hook "), 1);
    push("\"does\":\"ok\"");
    WAIT_FOR(logged("event=job.done ") == 1);
}
END_TEST

/* ---- kill -9, in each phase ---- */

static const struct phase {
    const char *stall; /* where the process is when it is killed */
    const char *deed;
    const char *verdict; /* in the log, and why */
    const char *reason;
    const char *then; /* once it is due again */
    unsigned starts, hooks;
} phases[] = {
    {"boot", "\"does\":\"ok\",\"tries\":1", "event=runner.boot_failed ",
     "runner killed by SIGKILL", "event=job.done ", 1, 0},
    {"Looping", "\"does\":\"ok\"", "event=job.released ", "runner killed by SIGKILL",
     "event=job.done ", 1, 0},
    {"Looping", "\"does\":\"ok\",\"tries\":1", "event=job.failed ",
     "runner killed by SIGKILL", NULL, 0, 1},
    {"JobProcessing", "\"does\":\"ok\"", "event=job.released ",
     "runner killed by SIGKILL", "event=job.done ", 1, 0},
    /* handle() is over, and the job deleted as far as PHP can do that */
    {"JobProcessed", "\"does\":\"ok\"", "event=job.released ", "runner killed by SIGKILL",
     "event=job.done ", 2, 0},
    {"JobProcessed", "\"does\":\"ok\",\"tries\":1", "event=job.failed ",
     "runner killed by SIGKILL", NULL, 1, 1},
    {"JobProcessed", "\"does\":\"release\"", "event=job.released ",
     "runner killed by SIGKILL", NULL, 1, 0},
    {"JobProcessed", "\"does\":\"fail\"", "event=job.failed ",
     "Drover\\\\Tests\\\\ToldToFail: told so", NULL, 1, 1},
    {"JobFailed", "\"does\":\"fail\"", "event=job.failed ",
     "Drover\\\\Tests\\\\ToldToFail: told so", NULL, 1, 1},
};

static void stall(const char *where, bool on)
{
    char *name = must_format("stall-%s", where);

    on ? put_file(name) : remove_file(name);
    free(name);
}

/* The PHP process that stalls there. */
static pid_t wait_for_stall(const char *where)
{
    char *text = must_format("stalled-%s ", where);
    pid_t pid = process_of(text);

    free(text);
    return pid;
}

/* The first line of the log with `event` tells the reason. */
static void assert_logged_reason(const char *event, const char *reason)
{
    char *log = scene_read(stage.scene, "log"), *line = strstr(log, event);

    ck_assert_ptr_nonnull(line);
    line[strcspn(line, "\n")] = '\0';
    ck_assert_msg(strstr(line, reason) != NULL, "no %s in %s", reason, line);
    free(log);
}

START_TEST(a_process_may_be_killed_in_any_phase)
{
    const struct phase *phase = &phases[_i];

    push(phase->deed);
    stall(phase->stall, true);
    scene_start(stage.scene);
    ck_assert_int_eq(kill(wait_for_stall(phase->stall), SIGKILL), 0);
    stall(phase->stall, false);
    WAIT_FOR(logged(phase->verdict) == 1);
    assert_logged_reason(phase->verdict, phase->reason);
    if (phase->then && delayed_ct() == 1)
        hasten();
    if (phase->then)
        WAIT_FOR(logged(phase->then) == 1 && is_all_done());
    ck_assert_uint_eq(noted("start-"), phase->starts);
    ck_assert_uint_eq(noted("hook "), phase->hooks);
}
END_TEST

START_TEST(an_idle_process_that_is_killed_costs_no_job_anything)
{
    pid_t idle;

    push("\"does\":\"pid\",\"tries\":1");
    scene_start(stage.scene);
    idle = process_of("pid-");
    WAIT_FOR(logged("event=job.done ") == 1);
    ck_assert_int_eq(kill(idle, SIGKILL), 0);
    push("\"does\":\"pid\",\"tries\":1");
    WAIT_FOR(logged("event=job.done ") == 2);
    ck_assert_uint_eq(noted("pid-"), 2);
    ck_assert_uint_eq(logged("event=job.released ") + logged("event=job.failed "), 0);
}
END_TEST

/* What Redis has not been told yet is the worker's to tell: PHP is not needed for it. */
START_TEST(a_job_is_done_before_redis_hears_of_it_if_only_php_dies_then)
{
    bool kills_worker = _i == 1;
    pid_t php;

    push("\"does\":\"ok\",\"tries\":1");
    stall("JobProcessed", true);
    scene_start(stage.scene);
    php = wait_for_stall("JobProcessed");
    freeReplyObject(php_stage_ask(&stage, "CLIENT PAUSE 600000 WRITE"));
    stall("JobProcessed", false);
    WAIT_FOR(logged("event=job.done ") == 1);
    if (kills_worker)
        php = (pid_t)scene_worker(stage.scene, 0, 0, "pid");
    ck_assert_int_eq(kill(php, SIGKILL), 0);
    WAIT_FOR(!process_exists(php));
    ck_assert_int_eq(php_stage_int(&stage, "ZCARD queues:default:reserved"), 1);
    freeReplyObject(php_stage_ask(&stage, "CLIENT UNPAUSE"));
    WAIT_FOR(is_all_done());
    ck_assert_uint_eq(noted("start-"), kills_worker ? 2 : 1);
    ck_assert_uint_eq(logged("event=job.failed "), 0);
}
END_TEST

START_TEST(a_killed_process_gives_its_job_back_at_once)
{
    scene_configure(stage.scene,
                    IN_NO_TIME "pools: ( { name = \"main\"; queues = [ \"default\" ]; "
                               "workers = 1; } );\n" RUNNER(""));
    push("\"does\":\"hang\"");
    scene_start(stage.scene);
    ck_assert_int_eq(kill(process_of("start-hang"), SIGKILL), 0);
    WAIT_FOR(noted("start-hang") == 2);
    ck_assert_uint_eq(logged("reason=\"runner killed by SIGKILL\""), 2);
}
END_TEST

/* Nor does an attempt go with it: it runs again though its tries are 1. */
START_TEST(a_killed_worker_takes_its_php_along_and_the_job_runs_again)
{
    pid_t php;

    scene_configure(stage.scene, IN_NO_TIME POOL RUNNER(""));
    push("\"does\":\"hang\",\"tries\":1");
    scene_start(stage.scene);
    php = process_of("start-hang");
    ck_assert_int_eq(kill((pid_t)scene_worker(stage.scene, 0, 0, "pid"), SIGKILL), 0);
    WAIT_FOR(noted("start-hang") == 2);
    ck_assert_int_eq(kill(php, 0), -1);
    ck_assert_uint_eq(noted("hook "), 0);
}
END_TEST

/* ---- a stop ---- */

START_TEST(a_job_that_is_deaf_to_a_stop_is_killed_and_given_back)
{
    char *payload;

    scene_configure(stage.scene, IN_NO_TIME POOL RUNNER(""));
    push("\"does\":\"freeze\",\"tries\":1");
    scene_start(stage.scene);
    (void)process_of("start-freeze");
    scene_stop(stage.scene);
    ck_assert_uint_eq(logged("event=job.returned "), 1);
    payload = php_stage_only(&stage, "queues:default");
    ck_assert_ptr_nonnull(strstr(payload, "\"attempts\":0"));
    ck_assert_uint_eq(noted("hook "), 0);
    free(payload);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_checked_fixture(tc, set_stage, clear_stage);
    tcase_add_loop_test(
        tc, a_job_that_ends_its_process_is_tried_again_and_then_fails_with_the_cause, 0,
        ARRAY_CT(deaths));
    tcase_add_loop_test(tc, what_a_process_says_that_it_must_not_is_not_believed, 0,
                        ARRAY_CT(faults));
    tcase_add_loop_test(tc, a_process_may_be_killed_in_any_phase, 0, ARRAY_CT(phases));
    tcase_add_test(tc, an_idle_process_that_is_killed_costs_no_job_anything);
    tcase_add_loop_test(tc, a_job_is_done_before_redis_hears_of_it_if_only_php_dies_then,
                        0, 2);
    tcase_add_test(tc, a_killed_process_gives_its_job_back_at_once);
    tcase_add_test(tc, a_killed_worker_takes_its_php_along_and_the_job_runs_again);
    tcase_add_test(tc, a_job_that_is_deaf_to_a_stop_is_killed_and_given_back);
}

int main(void)
{
    return run_suite("laravel_deaths", 300, add);
}
