/* The noop handler: what it is told is what comes out, later, from the loop. */
#include <check.h>

#include "tests/unit/suite.h"
#include "tests/unit/trial.h"

static const struct {
    const char *payload;
    enum outcome_kind kind;
    const char *reason;
} wishes[] = {
    /* attempt 2 */
    {"{\"job\":\"n\"}", OUTCOME_DONE, ""},
    {"{\"job\":\"n\",\"data\":{}}", OUTCOME_DONE, ""},
    {"{\"job\":\"n\",\"data\":[1]}", OUTCOME_DONE, ""},
    {"{\"job\":\"n\",\"data\":{\"sleep\":0.01}}", OUTCOME_DONE, ""},
    {"{\"job\":\"n\",\"data\":{\"sleep\":-5}}", OUTCOME_DONE, ""},
    {"{\"job\":\"n\",\"data\":{\"fail\":\"no luck\"}}", OUTCOME_RETRY, "no luck"},
    {"{\"job\":\"n\",\"data\":{\"fail\":\"a\\nb\"}}", OUTCOME_RETRY, "a\\x0ab"},
    {"{\"job\":\"n\",\"data\":{\"fail\":\"no luck\",\"fail_times\":1}}", OUTCOME_DONE,
     ""},
    {"{\"job\":\"n\",\"data\":{\"fail\":\"no luck\",\"fail_times\":2}}", OUTCOME_RETRY,
     "no luck"},
    {"{\"job\":\"n\",\"data\":{\"fail_times\":2}}", OUTCOME_RETRY, "told to fail"},
    {"{\"job\":\"n\",\"data\":{\"fail_times\":0}}", OUTCOME_DONE, ""},
    {"{\"job\":\"n\",\"data\":{\"fatal\":\"never\",\"fail_times\":9}}", OUTCOME_FAIL,
     "never"},
    {"{\"job\":\"n\",\"data\":{\"sleep\":0.01,\"fail\":\"late\"}}", OUTCOME_RETRY,
     "late"},
};

START_TEST(a_wish_comes_true_from_the_loop)
{
    struct trial trial;

    set_up(&trial, wishes[_i].payload, NULL);
    begin(&trial, &noop_handler);
    ck_assert_ptr_nonnull(trial.run);
    finish_trial(&trial);
    assert_outcome(&trial, wishes[_i].kind, wishes[_i].reason);
    ck_assert_int_eq(trial.outcome.exit_status, -1);
    ck_assert_int_eq(trial.outcome.cpu_ms, -1);
    clear(&trial);
}
END_TEST

static const struct {
    const char *payload, *reason;
} refusals[] = {
    {"{\"job\":\"n\",\"data\":{\"sleep\":\"1\"}}", "data.sleep must be a number"},
    {"{\"job\":\"n\",\"data\":{\"fail_times\":null}}",
     "data.fail_times must be a number"},
    {"{\"job\":\"n\",\"data\":{\"fail\":1}}", "data.fail must be a string"},
    {"{\"job\":\"n\",\"data\":{\"fatal\":[]}}", "data.fatal must be a string"},
};

START_TEST(a_wish_of_a_wrong_type_fails_at_once)
{
    struct trial trial;

    set_up(&trial, refusals[_i].payload, NULL);
    begin(&trial, &noop_handler);
    ck_assert_ptr_null(trial.run);
    assert_outcome(&trial, OUTCOME_FAIL, refusals[_i].reason);
}
END_TEST

START_TEST(a_sleep_lasts_as_long_as_told)
{
    struct trial trial;
    int64_t from_ms = clock_mono_ms();

    set_up(&trial, "{\"job\":\"n\",\"data\":{\"sleep\":0.12}}", NULL);
    begin(&trial, &noop_handler);
    finish_trial(&trial);
    ck_assert_int_ge(clock_mono_ms() - from_ms, 119);
    clear(&trial);
}
END_TEST

static const struct {
    enum cancel_reason first, second;
    enum outcome_kind kind;
} cancels[] = {
    {CANCEL_TIMEOUT, CANCEL_STOP, OUTCOME_RETRY},
    {CANCEL_LOST, CANCEL_LOST, OUTCOME_ABANDONED},
    {CANCEL_STOP, CANCEL_TIMEOUT, OUTCOME_ABANDONED},
    {CANCEL_NOW, CANCEL_NOW, OUTCOME_ABANDONED},
};

START_TEST(a_sleeper_is_woken_by_cancel)
{
    struct trial trial;

    set_up(&trial, "{\"job\":\"n\",\"data\":{\"sleep\":1000,\"fail\":\"x\"}}", NULL);
    begin(&trial, &noop_handler);
    noop_handler.cancel(trial.run, cancels[_i].first);
    ck_assert_uint_eq(trial.left, 1); /* not from inside cancel() either */
    noop_handler.cancel(trial.run, cancels[_i].second);
    finish_trial(&trial);
    ck_assert_int_eq(trial.outcome.kind, cancels[_i].kind);
    ck_assert(trial.outcome.timed_out == (cancels[_i].kind == OUTCOME_RETRY));
    if (trial.outcome.timed_out)
        ck_assert_int_eq(strncmp(trial.outcome.reason, "timed out after ", 16), 0);
    clear(&trial);
}
END_TEST

START_TEST(a_cancel_of_what_is_as_good_as_over_changes_nothing)
{
    struct trial trial;

    set_up(&trial, "{\"job\":\"n\"}", NULL);
    begin(&trial, &noop_handler);
    noop_handler.cancel(trial.run, CANCEL_STOP);
    finish_trial(&trial);
    assert_outcome(&trial, OUTCOME_DONE, "");
    clear(&trial);
}
END_TEST

enum { CROWD = 5000 };

static void count_down(void *arg, const struct outcome *outcome)
{
    ck_assert_int_eq(outcome->kind, OUTCOME_DONE);
    --*(unsigned *)arg;
}

/* Many at once take few turns of the loop: none costs one of its own. */
START_TEST(many_share_a_turn)
{
    struct trial trial;
    struct outcome outcome;
    unsigned left = CROWD;

    set_up(&trial, "{\"job\":\"n\",\"data\":{}}", NULL);
    for (int i = 0; i < CROWD; i++)
        ck_assert_ptr_nonnull(
            noop_handler.start(&env, &trial.job, count_down, &left, &outcome));
    ck_assert_uint_eq(left, CROWD);
    run_until_zero(env.loop, &left);
    ck_assert_uint_lt(loop_turns(env.loop), 50);
}
END_TEST

START_TEST(every_type_has_its_handler)
{
    ck_assert_str_eq(handler_of(JOB_SHELL)->name, "shell");
    ck_assert_str_eq(handler_of(JOB_NOOP)->name, "noop");
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_checked_fixture(tc, open_env, close_env);
    tcase_add_loop_test(tc, a_wish_comes_true_from_the_loop, 0, ARRAY_CT(wishes));
    tcase_add_loop_test(tc, a_wish_of_a_wrong_type_fails_at_once, 0, ARRAY_CT(refusals));
    tcase_add_test(tc, a_sleep_lasts_as_long_as_told);
    tcase_add_loop_test(tc, a_sleeper_is_woken_by_cancel, 0, ARRAY_CT(cancels));
    tcase_add_test(tc, a_cancel_of_what_is_as_good_as_over_changes_nothing);
    tcase_add_test(tc, many_share_a_turn);
    tcase_add_test(tc, every_type_has_its_handler);
}

int main(void)
{
    return run_suite("noop", 60, add_tests);
}
