/* Asking runners how their application is: what a job that waits for the answer comes to,
 * and that nobody who does not answer holds anything up.
 */
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/must.h"
#include "jobs/coprocess.h"
#include "tests/support/wait.h"
#include "tests/unit/suite.h"
#include "tests/unit/trial.h"

static char program[] = FAKE_RUNNER, bridge[] = "", app[] = "/tmp", states[] = "states",
            name[] = "trial", path[] = "/tmp/check_inquiry.XXXXXX";
static char *php[] = {program, states, path};
static char *queue_names[] = {(char *)"high", (char *)"low"};
static const struct text_list queues = {.items = queue_names, .ct = 2};
static struct job_config entry;
static struct config config;
static struct policy policy;
static struct trial trial;

/* What the watch was told. */
static struct {
    bool paused[2];
    const char *held;
    unsigned restart_ct;
} told;

static void on_paused(void *arg UNUSED, unsigned queue, bool on)
{
    ck_assert_uint_lt(queue, 2);
    ck_assert(told.paused[queue] != on);
    told.paused[queue] = on;
}

static void on_held(void *arg UNUSED, const char *why)
{
    ck_assert((told.held == NULL) != (why == NULL));
    told.held = why;
}

static void on_restart(void *arg UNUSED)
{
    told.restart_ct++;
}

static void on_gone(void *arg UNUSED)
{
}

static void answer_with(const char *members)
{
    FILE *file = fopen(path, "we");

    ck_assert_ptr_nonnull(file);
    if (members)
        ck_assert_int_gt(fprintf(file, "{\"type\":\"state\"%s}", members), 0);
    ck_assert_int_eq(fclose(file), 0);
}

static void set_stage(void)
{
    static const struct coprocess_watch watch = {
        .queues = &queues, .paused = on_paused, .held = on_held, .restart = on_restart};
    int fd = mkstemp(path);

    (void)signal(SIGPIPE, SIG_IGN);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(close(fd), 0);
    /* The bridge is the last argument: here the empty one behind the path. */
    entry = (struct job_config){.name = name,
                                .type = JOB_LARAVEL,
                                .kill_grace_ms = 300,
                                .laravel = {.app = app,
                                            .php = {.items = php, .ct = 3},
                                            .bridge = bridge,
                                            .boot_timeout_ms = 20000}};
    config = (struct config){.jobs = &entry, .job_ct = 1};
    policy = (struct policy){.tries = 5, .backoff_ms = {1500}, .backoff_ct = 1};
    open_env();
    env.coprocess = coprocess_open(&env, &config, on_gone, NULL);
    coprocess_watch(env.coprocess, &watch);
}

static bool is_empty(void *arg UNUSED)
{
    return coprocess_is_empty(env.coprocess);
}

static void clear_stage(void)
{
    clear(&trial);
    coprocess_drain(env.coprocess);
    coprocess_hurry(env.coprocess);
    run_until(env.loop, is_empty, NULL);
    coprocess_close(env.coprocess);
    close_env();
    (void)unlink(path);
    ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1); /* nothing is left */
}

/* On the queue "high". */
static void try(const char *does)
{
    static char raw[128];

    clear(&trial);
    (void)snprintf(raw, sizeof(raw), "{\"job\":\"trial\",\"data\":\"%s\"}", does);
    set_up(&trial, raw, NULL);
    trial.job.config = &entry;
    trial.job.policy = &policy;
    begin(&trial, &laravel_handler);
    if (trial.left)
        finish_trial(&trial);
}

static bool is_held(void *arg)
{
    return (told.held != NULL) == *(bool *)arg;
}

static bool is_low_paused(void *arg)
{
    return told.paused[1] == *(bool *)arg;
}

static bool no = false;

START_TEST(a_job_waits_for_the_first_answer_and_goes_back_in_maintenance)
{
    answer_with(",\"down\":true");
    try("work");
    assert_outcome(&trial, OUTCOME_ABANDONED, "returned: maintenance");
    ck_assert_str_eq(told.held, "maintenance");
    answer_with(",\"down\":false");
    run_until(env.loop, is_held, &no); /* it is asked on */
    try("show");
    assert_outcome(&trial, OUTCOME_RETRY, "job 1 of its process");
}
END_TEST

START_TEST(a_forced_entry_runs_the_job)
{
    entry.laravel.force = true;
    answer_with(",\"down\":true");
    try("work");
    assert_outcome(&trial, OUTCOME_DONE, "");
    ck_assert_ptr_null(told.held);
}
END_TEST

START_TEST(a_job_of_another_queue_than_the_paused_one_runs)
{
    answer_with(",\"paused\":[\"low\"]");
    try("show");
    assert_outcome(&trial, OUTCOME_RETRY, "job 1 of its process");
    ck_assert(told.paused[1] && !told.paused[0]);
    answer_with(",\"paused\":[\"high\"]");
    run_until(env.loop, is_low_paused, &no);
    ck_assert(told.paused[0]);
}
END_TEST

/* With no runner left nobody could say that it is over. */
START_TEST(where_something_is_held_a_runner_is_started_to_be_asked)
{
    answer_with(",\"hold\":true");
    try("work");
    ck_assert_str_eq(told.held, "listener");
    answer_with(",\"hold\":7"); /* for which it is killed */
    run_until(env.loop, is_empty, NULL);
    answer_with(",\"hold\":false");
    run_until(env.loop, is_held, &no);
}
END_TEST

static bool is_restarted(void *arg UNUSED)
{
    return told.restart_ct == 1;
}

START_TEST(a_restart_is_told_once_and_the_next_job_has_a_new_runner)
{
    answer_with(",\"restart\":\"\"");
    try("show");
    try("show");
    assert_outcome(&trial, OUTCOME_RETRY, "job 2 of its process");
    answer_with(",\"restart\":\"7\"");
    run_until(env.loop, is_restarted, NULL);
    try("show");
    assert_outcome(&trial, OUTCOME_RETRY, "job 1 of its process");
    ck_assert_uint_eq(told.restart_ct, 1);
}
END_TEST

START_TEST(who_does_not_answer_is_killed_and_the_job_put_off)
{
    answer_with(NULL);
    try("work");
    assert_outcome(&trial, OUTCOME_POSTPONE,
                   "the application did not tell its state within 10 s");
    try("show"); /* it is left alone for a while */
    assert_outcome(&trial, OUTCOME_RETRY, "job 1 of its process");
}
END_TEST

START_TEST(who_answers_unasked_breaks_the_protocol)
{
    answer_with("");
    try("volunteer");
    assert_outcome(&trial, OUTCOME_RETRY,
                   "runner broke the protocol: nobody asked for its state");
}
END_TEST

START_TEST(who_cannot_be_asked_is_given_its_job)
{
    static char good[] = "good";

    php[1] = good;
    answer_with(NULL);
    try("show");
    assert_outcome(&trial, OUTCOME_RETRY, "job 1 of its process");
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_checked_fixture(tc, set_stage, clear_stage);
    tcase_add_test(tc, a_job_waits_for_the_first_answer_and_goes_back_in_maintenance);
    tcase_add_test(tc, a_forced_entry_runs_the_job);
    tcase_add_test(tc, a_job_of_another_queue_than_the_paused_one_runs);
    tcase_add_test(tc, where_something_is_held_a_runner_is_started_to_be_asked);
    tcase_add_test(tc, a_restart_is_told_once_and_the_next_job_has_a_new_runner);
    tcase_add_test(tc, who_does_not_answer_is_killed_and_the_job_put_off);
    tcase_add_test(tc, who_answers_unasked_breaks_the_protocol);
    tcase_add_test(tc, who_cannot_be_asked_is_given_its_job);
}

int main(void)
{
    return run_suite("inquiry", 90, add);
}
