/* Co-processes that keep to the protocol, and those that do not: what becomes of the job,
 * with which cause, and that the next job finds a runner that works.
 */
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "jobs/coprocess.h"
#include "tests/support/wait.h"
#include "tests/unit/suite.h"
#include "tests/unit/trial.h"

enum { TRIALS = 4 };

static struct config config;
static struct job_config entry;
static struct policy policy;
static struct trial trials[TRIALS];
static char raw[TRIALS][128];
static char program[] = FAKE_RUNNER, no_program[] = "/nonexistent/php", good[] = "good",
            bridge[] = "/dev/null", app[] = "/tmp", trial_name[] = "trial";
static char *php[] = {program, good};
static unsigned gone_ct;

static void all_gone(void *arg UNUSED)
{
    gone_ct++;
}

static void set_stage(void)
{
    (void)signal(SIGPIPE, SIG_IGN);
    php[1] = good;
    entry = (struct job_config){
        .name = trial_name,
        .type = JOB_LARAVEL,
        .kill_grace_ms = 300,
        .laravel = {.app = app,
                    .php = {.items = php, .ct = 2},
                    .bridge = bridge,
                    .boot_timeout_ms = 20000},
    };
    config = (struct config){.jobs = &entry, .job_ct = 1};
    policy = (struct policy){.tries = 5, .backoff_ms = {1500, 20000}, .backoff_ct = 2};
    gone_ct = 0;
    open_env();
    env.coprocess = coprocess_open(&env, &config, all_gone, NULL);
    ck_assert_ptr_nonnull(env.coprocess);
}

static bool is_empty(void *arg UNUSED)
{
    return coprocess_is_empty(env.coprocess);
}

static void clear_stage(void)
{
    for (size_t i = 0; i < TRIALS; i++)
        clear(&trials[i]);
    memset(trials, 0, sizeof(trials));
    coprocess_drain(env.coprocess);
    run_until(env.loop, is_empty, NULL);
    coprocess_close(env.coprocess);
    close_env();
    ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1); /* nothing is left */
}

static struct trial *start_trial(size_t i, const char *does)
{
    struct trial *trial = &trials[i];

    clear(trial);
    (void)snprintf(raw[i], sizeof(raw[i]), "{\"job\":\"trial\",\"data\":\"%s\"}", does);
    set_up(trial, raw[i], NULL);
    trial->job.config = &entry;
    trial->job.policy = &policy;
    begin(trial, &laravel_handler);
    return trial;
}

static struct trial *try(const char *does)
{
    struct trial *trial = start_trial(0, does);

    if (trial->left)
        finish_trial(trial);
    return trial;
}

static void assert_starts_with(const struct trial *trial, const char *reason)
{
    ck_assert_msg(strncmp(trial->outcome.reason, reason, strlen(reason)) == 0,
                  "not \"%s\" but \"%s\"", reason, trial->outcome.reason);
}

/* ---- verdicts ---- */

START_TEST(what_the_runner_says_is_what_becomes_of_the_job)
{
    struct trial *trial;

    trial = try("work");
    assert_outcome(trial, OUTCOME_DONE, "");
    trial = try("release");
    assert_outcome(trial, OUTCOME_RETRY, "released by the job");
    ck_assert(trial->outcome.decided);
    ck_assert_int_eq(trial->outcome.wait_ms, 7250);
    trial = try("fail");
    assert_outcome(trial, OUTCOME_FAIL, "Broken: quite\\x07");
    trial = try("none");
    assert_outcome(trial, OUTCOME_RETRY,
                   "the job ended, and was neither deleted nor released nor failed");
    ck_assert(!trial->outcome.decided);
}
END_TEST

START_TEST(a_failure_brings_what_the_job_wrote_and_the_runners_text)
{
    struct trial *trial;

    (void)try("work");
    trial = try("talk");
    ck_assert_str_eq(trial->out, "on stdout\n");
    ck_assert_str_eq(trial->err, "on stderr\n");
    trial = try("fail");
    ck_assert_ptr_null(trial->err && trial->err[0] ? trial->err : NULL); /* its own */
}
END_TEST

START_TEST(a_runner_is_told_all_it_needs_to_decide)
{
    static const char *const members[] = {
        "{\"type\":\"job\",\"id\":1,\"uuid\":\"u-1\",\"name\":\"tri\\\"al\\u0001\"",
        "\"connection\":\"redis\",\"queue\":\"high\"",
        "\"attempt\":2,\"tries\":5,\"timeout\":61,\"backoff\":[2,20]"};
    struct trial *trial = &trials[0];

    policy.timeout_ms = 60001;
    set_up(trial, "{\"job\":\"trial\",\"data\":\"header\"}", NULL);
    trial->job.config = &entry;
    trial->job.policy = &policy;
    trial->job.name = "tri\"al\001";
    begin(trial, &laravel_handler);
    finish_trial(trial);
    for (size_t i = 0; i < ARRAY_CT(members); i++)
        ck_assert_msg(strstr(trial->err, members[i]) != NULL, "no %s in %s", members[i],
                      trial->err);
}
END_TEST

START_TEST(one_runner_serves_one_job_after_the_other)
{
    assert_outcome(try("show"), OUTCOME_RETRY, "job 1 of its process");
    assert_outcome(try("show"), OUTCOME_RETRY, "job 2 of its process");
    assert_outcome(try("show"), OUTCOME_RETRY, "job 3 of its process");
}
END_TEST

START_TEST(jobs_at_the_same_time_have_runners_of_their_own)
{
    for (size_t i = 0; i < TRIALS; i++)
        (void)start_trial(i, "show");
    for (size_t i = 0; i < TRIALS; i++) {
        finish_trial(&trials[i]);
        assert_outcome(&trials[i], OUTCOME_RETRY, "job 1 of its process");
    }
    assert_outcome(try("show"), OUTCOME_RETRY, "job 2 of its process");
}
END_TEST

START_TEST(a_large_payload_arrives_whole)
{
    struct trial *trial = &trials[0];
    struct buf text;

    buf_init(&text, 0);
    (void)buf_add_text(&text, "{\"job\":\"trial\",\"pad\":\"");
    for (int i = 0; i < 1024 * 1024; i++)
        (void)buf_add_text(&text, "........");
    (void)buf_add_text(&text, "\",\"data\":\"work\"}");
    set_up(trial, text.data, NULL);
    trial->job.config = &entry;
    begin(trial, &laravel_handler);
    finish_trial(trial);
    assert_outcome(trial, OUTCOME_DONE, "");
    buf_free(&text);
}
END_TEST

/* ---- runners that do what they must not ---- */

static const struct {
    const char *does;
    enum outcome_kind kind;
    const char *reason; /* its beginning */
} faults[] = {
    {"segv", OUTCOME_RETRY, "runner killed by SIGSEGV"},
    {"exit", OUTCOME_RETRY, "runner ended: exit status 4"},
    {"explain", OUTCOME_RETRY, "out of something"},
    {"rave", OUTCOME_RETRY, "runner broke the protocol: a frame of "},
    {"rave-in-json", OUTCOME_RETRY,
     "runner broke the protocol: a frame of no known type"},
    {"invent", OUTCOME_RETRY, "runner broke the protocol: a frame of no known type"},
    {"half", OUTCOME_RETRY, "runner ended: exit status 0"},
    {"much", OUTCOME_RETRY, "runner broke the protocol: a frame of 2 and 2147483647"},
    {"babble", OUTCOME_RETRY, "runner broke the protocol: header of a frame"},
    {"mix-up", OUTCOME_RETRY, "runner broke the protocol: it answered for another job"},
    {"fall-silent", OUTCOME_RETRY, "runner closed its descriptor 4"},
    {"delete-and-fall", OUTCOME_RETRY, "runner killed by SIGSEGV"},
    {"fail-and-fall", OUTCOME_FAIL, "Broken: quite"},
};

START_TEST(a_runner_that_misbehaves_costs_its_job_an_attempt)
{
    struct trial *trial = try(faults[_i].does);

    assert_starts_with(trial, faults[_i].reason);
    ck_assert_int_eq(trial->outcome.kind, faults[_i].kind);
    ck_assert(!trial->outcome.decided && !trial->outcome.timed_out);
    trial = try("show");
    ck_assert_int_eq(trial->outcome.kind, OUTCOME_RETRY);
    assert_starts_with(trial, faults[_i].kind == OUTCOME_FAIL ? "job 1 of its process"
                                                              : "job 2 of its process");
}
END_TEST

START_TEST(the_last_line_it_wrote_is_part_of_the_cause)
{
    struct trial *trial = try("segv");

    assert_outcome(trial, OUTCOME_RETRY, "runner killed by SIGSEGV: last words");
    ck_assert_str_eq(trial->err, "first words\nlast words\n\n");
    ck_assert_int_eq(trial->outcome.signal, SIGSEGV);
    ck_assert_int_ge(trial->outcome.max_rss_kb, 1);
}
END_TEST

START_TEST(a_runner_that_speaks_without_a_job_is_replaced)
{
    assert_outcome(try("chatter"), OUTCOME_DONE, "");
    run_until(env.loop, is_empty, NULL);
    assert_outcome(try("show"), OUTCOME_RETRY, "job 1 of its process");
}
END_TEST

/* ---- jobs whose runner died ---- */

START_TEST(another_runner_is_asked_what_becomes_of_the_job)
{
    struct trial *trial = try("segv after-fail");

    assert_outcome(trial, OUTCOME_FAIL, "runner killed by SIGSEGV: last words");
    ck_assert_int_eq(trial->outcome.signal, SIGSEGV);
    ck_assert_str_eq(trial->err, "first words\nlast words\n\n");
    trial = try("exit after-release");
    assert_starts_with(trial, "runner ended: exit status 4");
    ck_assert(trial->outcome.decided);
    ck_assert_int_eq(trial->outcome.wait_ms, 7250);
}
END_TEST

START_TEST(where_that_one_dies_too_the_policy_decides)
{
    struct trial *trial = try("exit after-crash");

    assert_starts_with(trial, "runner ended: exit status 4");
    ck_assert_int_eq(trial->outcome.kind, OUTCOME_RETRY);
    ck_assert(!trial->outcome.decided);
}
END_TEST

/* ---- time ---- */

START_TEST(a_job_beyond_its_time_and_grace_is_killed)
{
    struct trial *trial;

    policy.timeout_ms = 100;
    trial = try("hang after-fail");
    ck_assert_int_eq(trial->outcome.kind, OUTCOME_FAIL);
    ck_assert(trial->outcome.timed_out);
    ck_assert_int_eq(trial->outcome.signal, SIGKILL);
    trial = try("hang");
    ck_assert_int_eq(trial->outcome.kind, OUTCOME_RETRY);
    ck_assert(trial->outcome.timed_out);
}
END_TEST

START_TEST(a_runner_that_deals_with_the_timeout_itself_has_the_say)
{
    struct trial *trial = try("time-out-and-fail after-release");

    assert_outcome(trial, OUTCOME_FAIL, "Broken: quite\\x07");
    ck_assert(trial->outcome.timed_out);
    trial = try("time-out after-fail");
    ck_assert_int_eq(trial->outcome.kind, OUTCOME_RETRY); /* nobody else was asked */
    ck_assert(trial->outcome.timed_out);
}
END_TEST

/* ---- boot ---- */

static const struct {
    const char *how, *reason;
} boots[] = {
    {"dies", "runner ended: exit status 3: cannot boot"},
    {"garbage", "runner broke the protocol: "},
    {"old", "runner speaks protocol 0, not 1"},
    {"silent", "runner did not boot within boot_timeout"},
};

START_TEST(while_its_runners_do_not_boot_a_job_is_postponed)
{
    struct trial *trial;
    int64_t first_ms;
    char how[16];

    (void)snprintf(how, sizeof(how), "%s", boots[_i].how);
    php[1] = how;
    if (strcmp(php[1], "silent") == 0)
        entry.laravel.boot_timeout_ms = 200;
    trial = try("work");
    assert_starts_with(trial, boots[_i].reason);
    ck_assert_int_eq(trial->outcome.kind, OUTCOME_POSTPONE);
    first_ms = trial->outcome.wait_ms;
    ck_assert(first_ms > 0 && first_ms <= 1000);
    ck_assert_ptr_null(start_trial(0, "work")->run); /* no runner is started meanwhile */
    ck_assert_int_eq(trial->outcome.kind, OUTCOME_POSTPONE);
    assert_starts_with(trial, boots[_i].reason);
    ck_assert(coprocess_is_empty(env.coprocess));
}
END_TEST

static bool is_time(void *arg)
{
    return clock_mono_ms() >= *(int64_t *)arg;
}

START_TEST(once_they_boot_again_jobs_run)
{
    char dies[] = "dies";
    int64_t at_ms;

    php[1] = dies;
    ck_assert_int_eq(try("work")->outcome.kind, OUTCOME_POSTPONE);
    php[1] = good;
    at_ms = clock_mono_ms() + trials[0].outcome.wait_ms;
    run_until(env.loop, is_time, &at_ms);
    assert_outcome(try("work"), OUTCOME_DONE, "");
    assert_outcome(try("work"), OUTCOME_DONE, "");
}
END_TEST

START_TEST(a_program_that_is_not_there_postpones_the_job)
{
    php[0] = no_program;
    assert_outcome(try("work"), OUTCOME_POSTPONE, "command not found: /nonexistent/php");
    php[0] = program;
}
END_TEST

START_TEST(a_machine_that_lets_no_runner_be_started_postpones_the_job)
{
    struct rlimit limit, none;
    int64_t at_ms;

    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    none = (struct rlimit){STDERR_FILENO + 1, limit.rlim_max};
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    assert_outcome(try("work"), OUTCOME_POSTPONE,
                   "cannot make a pipe: Too many open files");
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    at_ms = clock_mono_ms() + trials[0].outcome.wait_ms;
    run_until(env.loop, is_time, &at_ms);
    assert_outcome(try("work"), OUTCOME_DONE, "");
}
END_TEST

/* ---- recycling and the end ---- */

START_TEST(a_runner_that_is_worn_out_is_replaced)
{
    entry.laravel.max_jobs = 2;
    assert_outcome(try("show"), OUTCOME_RETRY, "job 1 of its process");
    assert_outcome(try("show"), OUTCOME_RETRY, "job 2 of its process");
    assert_outcome(try("show"), OUTCOME_RETRY, "job 1 of its process");
    entry.laravel.max_jobs = 0;
    entry.laravel.memory_mib = 100;
    assert_outcome(try("grow"), OUTCOME_DONE, "");
    assert_outcome(try("show"), OUTCOME_RETRY, "job 1 of its process");
    assert_outcome(try("want-to-go"), OUTCOME_DONE, "");
    assert_outcome(try("show"), OUTCOME_RETRY, "job 1 of its process");
}
END_TEST

/* Dead, but nobody has been told yet. */
static bool has_died(pid_t pid)
{
    siginfo_t info = {.si_pid = 0};

    return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           info.si_pid == pid;
}

START_TEST(an_idle_runner_that_was_killed_costs_no_job_anything)
{
    struct trial *trial = start_trial(0, "work");
    pid_t pid = trial->group;

    finish_trial(trial);
    ck_assert_int_eq(kill(pid, SIGKILL), 0);
    WAIT_FOR(has_died(pid));
    assert_outcome(try("show"), OUTCOME_RETRY, "job 1 of its process");
}
END_TEST

static const struct {
    enum cancel_reason why;
    const char *does, *reason;
} cancels[] = {
    {CANCEL_LOST, "hang after-fail", "stopped: the lease is lost"},
    {CANCEL_NOW, "hang after-fail", "stopped: the worker is leaving"},
    {CANCEL_STOP, "hang after-fail", "stopped: the worker is leaving"},
    {CANCEL_STOP, "obey after-fail", "stopped: the worker is leaving"},
};

/* Whether it still boots or runs already: the group's cell tells nothing of that. */
START_TEST(a_cancelled_job_is_abandoned)
{
    struct trial *trial = start_trial(0, cancels[_i].does);

    laravel_handler.cancel(trial->run, cancels[_i].why);
    finish_trial(trial);
    assert_outcome(trial, OUTCOME_ABANDONED, cancels[_i].reason);
    assert_outcome(try("work"), OUTCOME_DONE, "");
    trial = start_trial(0, cancels[_i].does); /* its runner is up: it runs now */
    laravel_handler.cancel(trial->run, cancels[_i].why);
    laravel_handler.cancel(trial->run, CANCEL_NOW);
    finish_trial(trial);
    assert_outcome(trial, OUTCOME_ABANDONED, trial->outcome.reason);
}
END_TEST

/* LeakSanitizer finds what is left, in a build that has it. */
START_TEST(a_worker_that_ends_forgets_its_runs_in_whatever_state)
{
    pid_t runners[3];

    for (size_t i = 0; i < ARRAY_CT(runners); i++) {
        struct trial *trial = start_trial(i, "hang");

        ck_assert_ptr_nonnull(trial->run);
        runners[i] = trial->group;
    }
    laravel_handler.cancel(trials[0].run, CANCEL_LOST); /* it is over in the next turn */
    laravel_handler.cancel(trials[1].run, CANCEL_STOP);
    coprocess_close(env.coprocess);
    for (size_t i = 0; i < ARRAY_CT(runners); i++) {
        ck_assert_uint_eq(trials[i].left, 1); /* nobody was told */
        ck_assert_int_eq(waitpid(runners[i], NULL, 0), runners[i]);
    }
    env.coprocess = coprocess_open(&env, &config, all_gone, NULL);
}
END_TEST

START_TEST(a_drain_ends_idle_runners_and_then_the_busy_ones)
{
    struct trial *busy;

    (void)start_trial(0, "work");
    busy = start_trial(1, "obey");
    finish_trial(&trials[0]);
    coprocess_drain(env.coprocess);
    ck_assert(!coprocess_is_empty(env.coprocess));
    laravel_handler.cancel(busy->run, CANCEL_STOP);
    finish_trial(busy);
    run_until(env.loop, is_empty, NULL);
    ck_assert_uint_eq(gone_ct, 1);
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_checked_fixture(tc, set_stage, clear_stage);
    tcase_add_test(tc, what_the_runner_says_is_what_becomes_of_the_job);
    tcase_add_test(tc, a_failure_brings_what_the_job_wrote_and_the_runners_text);
    tcase_add_test(tc, a_runner_is_told_all_it_needs_to_decide);
    tcase_add_test(tc, one_runner_serves_one_job_after_the_other);
    tcase_add_test(tc, jobs_at_the_same_time_have_runners_of_their_own);
    tcase_add_test(tc, a_large_payload_arrives_whole);
    tcase_add_loop_test(tc, a_runner_that_misbehaves_costs_its_job_an_attempt, 0,
                        ARRAY_CT(faults));
    tcase_add_test(tc, the_last_line_it_wrote_is_part_of_the_cause);
    tcase_add_test(tc, a_runner_that_speaks_without_a_job_is_replaced);
    tcase_add_test(tc, another_runner_is_asked_what_becomes_of_the_job);
    tcase_add_test(tc, where_that_one_dies_too_the_policy_decides);
    tcase_add_test(tc, a_job_beyond_its_time_and_grace_is_killed);
    tcase_add_test(tc, a_runner_that_deals_with_the_timeout_itself_has_the_say);
    tcase_add_loop_test(tc, while_its_runners_do_not_boot_a_job_is_postponed, 0,
                        ARRAY_CT(boots));
    tcase_add_test(tc, once_they_boot_again_jobs_run);
    tcase_add_test(tc, a_program_that_is_not_there_postpones_the_job);
    tcase_add_test(tc, a_machine_that_lets_no_runner_be_started_postpones_the_job);
    tcase_add_test(tc, a_runner_that_is_worn_out_is_replaced);
    tcase_add_test(tc, an_idle_runner_that_was_killed_costs_no_job_anything);
    tcase_add_loop_test(tc, a_cancelled_job_is_abandoned, 0, ARRAY_CT(cancels));
    tcase_add_test(tc, a_worker_that_ends_forgets_its_runs_in_whatever_state);
    tcase_add_test(tc, a_drain_ends_idle_runners_and_then_the_busy_ones);
}

int main(void)
{
    return run_suite("coprocess", 120, add_tests);
}
