/* Shell jobs that are told to stop: who is asked, who is killed, and what it counts as.
 */
#include <check.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/scripts.h"
#include "tests/unit/suite.h"

static const struct polite {
    enum cancel_reason why;
    enum outcome_kind kind;
} polite[] = {{CANCEL_TIMEOUT, OUTCOME_RETRY}, {CANCEL_STOP, OUTCOME_ABANDONED}};

START_TEST(a_job_may_end_within_its_grace)
{
    struct trial trial;

    start_script(&trial, "trap 'echo bye; exit 0' TERM; touch up; "
                         "while :; do sleep 0.01; done");
    wait_for_file("up");
    cancel(&trial, polite[_i].why);
    finish_trial(&trial);
    ck_assert_int_eq(trial.outcome.kind, polite[_i].kind);
    ck_assert_int_eq(trial.outcome.exit_status, 0);
    ck_assert_str_eq(trial.out, "bye\n");
    ck_assert(trial.outcome.timed_out == (polite[_i].why == CANCEL_TIMEOUT));
    if (trial.outcome.timed_out)
        ck_assert_int_eq(strncmp(trial.outcome.reason, "timed out after ", 16), 0);
    clear(&trial);
}
END_TEST

static bool ignore_term_for(int64_t grace_ms, const struct polite *how)
{
    struct trial trial;
    int64_t from_ms;
    pid_t leader;
    bool said;

    set_up(&trial, "{\"job\":\"s\"}",
           SCRIPT("trap 'echo no' TERM; (trap '' TERM; echo $$ >pid; touch up; "
                  "while :; do sleep 1000; done) & while :; do wait; done"));
    trial.config.kill_grace_ms = grace_ms;
    begin(&trial, &shell_handler);
    leader = trial.group;
    wait_for_file("up");
    from_ms = clock_mono_ms();
    cancel(&trial, how->why);
    finish_trial(&trial);
    ck_assert_int_ge(clock_mono_ms() - from_ms, grace_ms - 1);
    ck_assert_int_eq(trial.outcome.kind, how->kind);
    ck_assert_int_eq(trial.outcome.signal, SIGKILL);
    wait_until_gone(leader);
    wait_until_gone(read_pid("pid"));
    said = strcmp(trial.out, "no\n") == 0;
    clear(&trial);
    (void)unlink("up");
    return said;
}

/* It was asked before, and says so where the grace is long enough for this machine. */
START_TEST(a_job_that_ignores_term_is_killed_with_its_children)
{
    int64_t grace_ms = 500;

    while (!ignore_term_for(grace_ms, &polite[_i])) {
        grace_ms *= 4;
        ck_assert_int_lt(grace_ms, UNTIL_DEADLINE_MS);
    }
}
END_TEST

/* The shell dies of TERM, its child needs longer than the linger to clean up. */
START_TEST(the_grace_is_for_the_whole_group)
{
    struct trial trial;

    set_up(&trial, "{\"job\":\"s\"}",
           SCRIPT("sh -c 'trap \"sleep 0.8; echo cleaned; exit\" TERM; touch up; "
                  "while :; do sleep 0.01; done' & trap - TERM; wait"));
    trial.config.kill_grace_ms = UNTIL_DEADLINE_MS;
    begin(&trial, &shell_handler);
    wait_for_file("up");
    cancel(&trial, CANCEL_TIMEOUT);
    finish_trial(&trial);
    ck_assert_int_eq(trial.outcome.signal, SIGTERM);
    ck_assert_str_eq(trial.out, "cleaned\n");
    clear(&trial);
}
END_TEST

START_TEST(and_ends_for_the_whole_group)
{
    struct trial trial;

    set_up(&trial, "{\"job\":\"s\"}",
           SCRIPT("(trap '' TERM; sh -c 'echo $$ >pid; exec sleep 1000') & "
                  "while [ ! -s pid ]; do sleep 0.01; done; touch up; wait"));
    trial.config.kill_grace_ms = 600;
    begin(&trial, &shell_handler);
    wait_for_file("up");
    cancel(&trial, CANCEL_TIMEOUT);
    finish_trial(&trial);
    ck_assert_int_eq(trial.outcome.signal, SIGTERM);
    wait_until_gone(read_pid("pid"));
    clear(&trial);
}
END_TEST

static bool leader_is_reaped(void *arg)
{
    siginfo_t info;

    return waitid(P_PID, *(id_t *)arg, &info, WEXITED | WNOHANG | WNOWAIT) != 0;
}

START_TEST(now_ends_the_grace_of_what_is_left)
{
    struct trial trial;
    id_t leader;

    set_up(&trial, "{\"job\":\"s\"}",
           SCRIPT("(trap '' TERM; sh -c 'echo $$ >pid; exec sleep 1000') & "
                  "while [ ! -s pid ]; do sleep 0.01; done; touch up; wait"));
    trial.config.kill_grace_ms = 3600000;
    begin(&trial, &shell_handler);
    leader = (id_t)trial.group;
    wait_for_file("up");
    cancel(&trial, CANCEL_TIMEOUT);
    run_until(env.loop, leader_is_reaped, &leader);
    cancel(&trial, CANCEL_NOW);
    finish_trial(&trial);
    ck_assert_int_eq(trial.outcome.kind, OUTCOME_RETRY);
    wait_until_gone(read_pid("pid"));
    clear(&trial);
}
END_TEST

START_TEST(a_stopped_job_hears_the_term)
{
    struct trial trial;
    siginfo_t info;

    set_up(&trial, "{\"job\":\"s\"}", SCRIPT("kill -STOP $$; exit 9"));
    trial.config.kill_grace_ms = 3600000;
    begin(&trial, &shell_handler);
    ck_assert_int_eq(waitid(P_PID, (id_t)trial.group, &info, WSTOPPED), 0);
    cancel(&trial, CANCEL_STOP);
    finish_trial(&trial);
    ck_assert_int_eq(trial.outcome.signal, SIGTERM);
    clear(&trial);
}
END_TEST

static const enum cancel_reason rude[] = {CANCEL_LOST, CANCEL_NOW};

START_TEST(a_lost_lease_and_now_kill_without_asking)
{
    struct trial trial;

    start_script(&trial, "trap 'echo no' TERM; echo out; (trap '' TERM; echo $$ >pid; "
                         "touch up; sleep 1000) & while :; do wait; done");
    wait_for_file("up");
    cancel(&trial, rude[_i]);
    finish_trial(&trial);
    ck_assert_int_eq(trial.outcome.kind, OUTCOME_ABANDONED);
    ck_assert_int_eq(trial.outcome.signal, SIGKILL);
    ck_assert_str_eq(trial.out, "out\n");
    wait_until_gone(read_pid("pid"));
    clear(&trial);
}
END_TEST

static const struct {
    enum cancel_reason first, second, third;
    enum outcome_kind kind;
} orders[] = {
    /* each ends in one that kills */
    {CANCEL_STOP, CANCEL_STOP, CANCEL_NOW, OUTCOME_ABANDONED},
    {CANCEL_STOP, CANCEL_TIMEOUT, CANCEL_NOW, OUTCOME_ABANDONED},
    {CANCEL_TIMEOUT, CANCEL_STOP, CANCEL_NOW, OUTCOME_RETRY},
    {CANCEL_TIMEOUT, CANCEL_TIMEOUT, CANCEL_NOW, OUTCOME_RETRY},
    {CANCEL_TIMEOUT, CANCEL_STOP, CANCEL_LOST, OUTCOME_ABANDONED},
    {CANCEL_LOST, CANCEL_TIMEOUT, CANCEL_NOW, OUTCOME_ABANDONED},
};

START_TEST(a_later_cancel_can_only_hurry)
{
    struct trial trial;

    set_up(&trial, "{\"job\":\"s\"}",
           SCRIPT("trap 'echo term; touch heard' TERM; touch up; "
                  "while :; do touch tick; sleep 0.01; done"));
    trial.config.kill_grace_ms = 3600000;
    begin(&trial, &shell_handler);
    wait_for_file("up");
    cancel(&trial, orders[_i].first);
    if (orders[_i].first != CANCEL_LOST)
        wait_for_file("heard");
    cancel(&trial, orders[_i].second);
    for (int i = 0; i < 2 && orders[_i].first != CANCEL_LOST; i++) {
        (void)unlink("tick"); /* so long that it would have heard a second TERM */
        wait_for_file("tick");
    }
    cancel(&trial, orders[_i].third);
    finish_trial(&trial);
    ck_assert_int_eq(trial.outcome.kind, orders[_i].kind);
    ck_assert_int_eq(trial.outcome.signal, SIGKILL);
    if (orders[_i].first != CANCEL_LOST)
        ck_assert_str_eq(trial.out, "term\n"); /* one TERM, however often it was told */
    clear(&trial);
}
END_TEST

/* A cancel that comes when the process has ended already, told or not. */
START_TEST(what_ended_by_itself_has_its_own_verdict)
{
    struct trial trial;
    siginfo_t info;

    start_script(&trial, "sleep 1000 & echo $! >pid; exit 3");
    ck_assert_int_eq(waitid(P_PID, (id_t)trial.group, &info, WEXITED | WNOWAIT), 0);
    cancel(&trial, (enum cancel_reason)_i);
    finish_trial(&trial);
    assert_outcome(&trial, OUTCOME_RETRY, "exit status 3");
    ck_assert(!trial.outcome.timed_out); /* or its reason would become another */
    wait_until_gone(read_pid("pid"));
    clear(&trial);
}
END_TEST

START_TEST(now_ends_the_linger_too)
{
    struct trial trial;
    pid_t leader;

    start_script(&trial, "setsid sh -c 'echo $$ >pid; exec sleep 1000' & "
                         "while [ ! -s pid ]; do sleep 0.01; done; exit 0");
    leader = trial.group;
    wait_until_gone(leader); /* reaped or about to be: the pipe is held */
    if (trial.run)
        cancel(&trial, CANCEL_NOW);
    finish_trial(&trial);
    assert_outcome(&trial, OUTCOME_DONE, "");
    ck_assert_int_eq(kill(read_pid("pid"), SIGKILL), 0);
    clear(&trial);
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_checked_fixture(tc, open_test, close_test);
    tcase_add_loop_test(tc, a_job_may_end_within_its_grace, 0, ARRAY_CT(polite));
    tcase_add_loop_test(tc, a_job_that_ignores_term_is_killed_with_its_children, 0,
                        ARRAY_CT(polite));
    tcase_add_test(tc, the_grace_is_for_the_whole_group);
    tcase_add_test(tc, and_ends_for_the_whole_group);
    tcase_add_test(tc, now_ends_the_grace_of_what_is_left);
    tcase_add_test(tc, a_stopped_job_hears_the_term);
    tcase_add_loop_test(tc, a_lost_lease_and_now_kill_without_asking, 0, ARRAY_CT(rude));
    tcase_add_loop_test(tc, a_later_cancel_can_only_hurry, 0, ARRAY_CT(orders));
    tcase_add_loop_test(tc, what_ended_by_itself_has_its_own_verdict, CANCEL_TIMEOUT,
                        CANCEL_NOW + 1);
    tcase_add_test(tc, now_ends_the_linger_too);
}

int main(void)
{
    return run_suite("stop", 60, add_tests);
}
