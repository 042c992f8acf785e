/* The retry policy beside Laravel's numbers. */
#include <inttypes.h>
#include <stdio.h>

#include "jobs/policy.h"
#include "tests/unit/payloads.h"
#include "tests/unit/suite.h"

enum { NOW = 1767225600 }; /* 2026-01-01T00:00:00Z */

static int64_t pool_backoff[] = {1000, 5000};
static int64_t job_backoff[] = {7000};

static struct pool_config a_pool(void)
{
    return (struct pool_config){
        .tries = 3, .timeout_ms = 60000, .backoff = {pool_backoff, 2}};
}

static struct job_config a_job(void)
{
    return (struct job_config){
        .tries = 5, .timeout_ms = 9000, .backoff = {job_backoff, 1}};
}

static struct job_config unset_job(void)
{
    return (struct job_config){.tries = CONFIG_UNSET, .timeout_ms = CONFIG_UNSET};
}

static struct policy resolve(const char *text, const struct job_config *job)
{
    struct payload payload = good(text);
    struct pool_config pool = a_pool();
    struct policy policy;

    policy_resolve(&policy, &payload, job, &pool);
    return policy;
}

static struct outcome outcome_of(enum outcome_kind kind, const char *reason)
{
    struct outcome outcome = {.kind = kind};

    (void)snprintf(outcome.reason, sizeof(outcome.reason), "%s", reason);
    return outcome;
}

START_TEST(payload_comes_before_job_before_pool)
{
    struct job_config job = a_job(), unset = unset_job();
    static const char all[] = "{\"maxTries\":2,\"timeout\":4,\"backoff\":\"3\"}";
    const struct {
        const char *text;
        const struct job_config *job;
        int64_t tries, timeout_ms, first_backoff_ms;
        unsigned backoff_ct;
    } rows[] = {
        {"{}", NULL, 3, 60000, 1000, 2}, {"{}", &unset, 3, 60000, 1000, 2},
        {"{}", &job, 5, 9000, 7000, 1},  {all, &job, 2, 4000, 3000, 1},
        {all, NULL, 2, 4000, 3000, 1},
    };

    for (size_t i = 0; i < ARRAY_CT(rows); i++) {
        struct policy policy = resolve(rows[i].text, rows[i].job);

        ck_assert_int_eq(policy.tries, rows[i].tries);
        ck_assert_int_eq(policy.timeout_ms, rows[i].timeout_ms);
        ck_assert_int_eq(policy.backoff_ms[0], rows[i].first_backoff_ms);
        ck_assert_uint_eq(policy.backoff_ct, rows[i].backoff_ct);
        ck_assert_int_eq(policy.retry_until, -1);
    }
}
END_TEST

START_TEST(zero_is_a_setting_and_not_unset)
{
    struct job_config job = a_job();
    struct policy policy;

    policy = resolve("{\"maxTries\":0,\"timeout\":0,\"backoff\":0}", &job);
    ck_assert_int_eq(policy.tries, 0);
    ck_assert_int_eq(policy.timeout_ms, 0);
    ck_assert_uint_eq(policy.backoff_ct, 1);
    ck_assert_int_eq(policy.backoff_ms[0], 0);
    job.tries = 0;
    job.timeout_ms = 0;
    policy = resolve("{}", &job);
    ck_assert_int_eq(policy.tries, 0);
    ck_assert_int_eq(policy.timeout_ms, 0);
}
END_TEST

START_TEST(an_empty_backoff_is_no_delay_and_not_the_pools)
{
    static const char *const texts[] = {"{\"backoff\":\"\"}", "{\"backoff\":[]}",
                                        "{\"backoff\":{}}"};

    for (size_t i = 0; i < ARRAY_CT(texts); i++) {
        struct policy policy = resolve(texts[i], NULL);
        struct outcome outcome = outcome_of(OUTCOME_RETRY, "exit status 3");
        struct decision decision;

        policy_decide(&policy, 1, &outcome, NOW, &decision);
        ck_assert_int_eq(decision.verdict, VERDICT_RELEASE);
        ck_assert_int_eq(decision.delay_ms, 0);
    }
}
END_TEST

START_TEST(a_delay_at_push_is_the_backoff_of_a_job_without_one)
{
    ck_assert_int_eq(resolve("{\"delay\":30}", NULL).backoff_ms[0], 30000);
    ck_assert_int_eq(resolve("{\"delay\":0}", NULL).backoff_ms[0], 0);
    ck_assert_int_eq(resolve("{\"delay\":null}", NULL).backoff_ms[0], 1000);
    ck_assert_int_eq(resolve("{\"delay\":30,\"backoff\":\"2\"}", NULL).backoff_ms[0],
                     2000);
}
END_TEST

START_TEST(a_long_backoff_list_is_cut)
{
    char *text = repeat("{\"backoff\":\"9", ",8", 100, "\"}");
    struct policy policy = resolve(text, NULL);
    int64_t many[POLICY_BACKOFF_MAX + 1] = {6};
    struct job_config job = a_job();

    ck_assert_uint_eq(policy.backoff_ct, POLICY_BACKOFF_MAX);
    ck_assert_int_eq(policy.backoff_ms[0], 9000);
    ck_assert_int_eq(policy.backoff_ms[POLICY_BACKOFF_MAX - 1], 8000);
    free(text);
    job.backoff = (struct time_list){many, ARRAY_CT(many)};
    policy = resolve("{}", &job);
    ck_assert_uint_eq(policy.backoff_ct, POLICY_BACKOFF_MAX);
    ck_assert_int_eq(policy.backoff_ms[0], 6);
}
END_TEST

START_TEST(a_run_may_begin_while_attempts_or_time_remain)
{
    static const struct {
        int64_t tries, retry_until, attempt;
        const char *reason; /* NULL: it may run */
    } rows[] = {
        {1, -1, 1, NULL},
        {1, -1, 2, "already attempted 1 time, tries is 1"},
        {3, -1, 3, NULL},
        {3, -1, 4, "already attempted 3 times, tries is 3"},
        {3, -1, 9, "already attempted 8 times, tries is 3"},
        {0, -1, 1000000, NULL},
        {1, NOW, 9, NULL}, /* tries is not looked at, the second itself counts */
        {1, NOW + 1, 9, NULL},
        {0, NOW - 1, 1, "retryUntil 2025-12-31T23:59:59Z has passed"},
        {9, NOW - 1, 1, "retryUntil 2025-12-31T23:59:59Z has passed"},
        {9, 0, 1, "retryUntil 1970-01-01T00:00:00Z has passed"},
        {1, INT64_MAX, 9, NULL},
    };

    for (size_t i = 0; i < ARRAY_CT(rows); i++) {
        struct policy policy = {.tries = rows[i].tries,
                                .retry_until = rows[i].retry_until};
        struct decision decision = {.verdict = VERDICT_ACK, .delay_ms = 4};
        bool may = policy_may_run(&policy, rows[i].attempt, NOW, &decision);

        ck_assert_int_eq(may, rows[i].reason == NULL);
        if (may) {
            ck_assert_int_eq(decision.delay_ms, 4);
        } else {
            ck_assert_int_eq(decision.verdict, VERDICT_FAIL);
            ck_assert_str_eq(decision.reason, rows[i].reason);
        }
    }
}
END_TEST

START_TEST(a_time_no_calendar_has_is_told_in_seconds)
{
    struct policy policy = {.retry_until = INT64_MAX - 1};
    struct decision decision;

    ck_assert(!policy_may_run(&policy, 1, INT64_MAX, &decision));
    ck_assert_str_eq(decision.reason, "retryUntil 9223372036854775806 has passed");
}
END_TEST

START_TEST(after_a_run_tries_or_time_decide)
{
    static const struct {
        int64_t tries, retry_until, attempt;
        enum verdict verdict;
    } rows[] = {
        {3, -1, 1, VERDICT_RELEASE},      {3, -1, 2, VERDICT_RELEASE},
        {3, -1, 3, VERDICT_FAIL},         {3, -1, 4, VERDICT_FAIL},
        {1, -1, 1, VERDICT_FAIL},         {0, -1, 1000000, VERDICT_RELEASE},
        {1, NOW + 1, 9, VERDICT_RELEASE}, /* retryUntil overrides tries */
        {9, NOW, 1, VERDICT_FAIL},        {0, NOW - 1, 1, VERDICT_FAIL},
        {9, 0, 1, VERDICT_FAIL},
    };
    struct outcome outcome = outcome_of(OUTCOME_RETRY, "exit status 3");

    for (size_t i = 0; i < ARRAY_CT(rows); i++) {
        struct policy policy = {.tries = rows[i].tries,
                                .retry_until = rows[i].retry_until};
        struct decision decision;

        policy_decide(&policy, rows[i].attempt, &outcome, NOW, &decision);
        ck_assert_msg(decision.verdict == rows[i].verdict, "row %zu", i);
        ck_assert_str_eq(decision.reason,
                         rows[i].verdict == VERDICT_FAIL ? "exit status 3" : "");
    }
}
END_TEST

START_TEST(done_is_acked_and_fail_fails_at_once)
{
    struct policy policy = {.tries = 0, .retry_until = NOW + 99};
    struct outcome outcome = outcome_of(OUTCOME_DONE, "");
    struct decision decision;

    policy_decide(&policy, 1, &outcome, NOW, &decision);
    ck_assert_int_eq(decision.verdict, VERDICT_ACK);
    ck_assert_str_eq(decision.reason, "");
    outcome = outcome_of(OUTCOME_FAIL, "exit status 65");
    policy_decide(&policy, 1, &outcome, NOW, &decision);
    ck_assert_int_eq(decision.verdict, VERDICT_FAIL);
    ck_assert_str_eq(decision.reason, "exit status 65");
}
END_TEST

START_TEST(the_last_backoff_repeats)
{
    static const struct {
        int64_t attempt, delay_ms;
    } rows[] = {{1, 1000}, {2, 5000}, {3, 5000}, {1000000, 5000}};
    struct policy policy = {
        .retry_until = -1, .backoff_ms = {1000, 5000}, .backoff_ct = 2};
    struct outcome outcome = outcome_of(OUTCOME_RETRY, "x");
    struct decision decision;

    for (size_t i = 0; i < ARRAY_CT(rows); i++) {
        policy_decide(&policy, rows[i].attempt, &outcome, NOW, &decision);
        ck_assert_int_eq(decision.delay_ms, rows[i].delay_ms);
    }
    policy.backoff_ct = 0;
    policy_decide(&policy, 1, &outcome, NOW, &decision);
    ck_assert_int_eq(decision.delay_ms, 0);
}
END_TEST

START_TEST(three_tries_are_three_runs)
{
    struct policy policy = resolve("{\"maxTries\":3,\"backoff\":\"0,1\"}", NULL);
    struct outcome outcome = outcome_of(OUTCOME_RETRY, "exit status 1");
    struct decision decision = {.verdict = VERDICT_RELEASE};
    int64_t runs = 0, waited_ms = 0;

    while (decision.verdict == VERDICT_RELEASE) {
        ck_assert(policy_may_run(&policy, runs + 1, NOW, &decision));
        runs++;
        policy_decide(&policy, runs, &outcome, NOW, &decision);
        waited_ms += decision.delay_ms;
    }
    ck_assert_int_eq(runs, 3);
    ck_assert_int_eq(waited_ms, 1000);
    ck_assert_int_eq(decision.verdict, VERDICT_FAIL);
}
END_TEST

START_TEST(a_retry_waits_as_long_as_it_was_told)
{
    struct policy policy = resolve("{}", NULL); /* backoff 1 s, 5 s */
    static const struct {
        int64_t attempt, wait_ms, delay_ms;
    } rows[] = {{1, 0, 1000}, {1, 999, 1000}, {1, 60000, 60000}, {2, 4000, 5000}};

    for (size_t i = 0; i < ARRAY_CT(rows); i++) {
        struct outcome outcome = outcome_of(OUTCOME_RETRY, "HTTP 503");
        struct decision decision;

        outcome.wait_ms = rows[i].wait_ms;
        policy_decide(&policy, rows[i].attempt, &outcome, NOW, &decision);
        ck_assert_int_eq(decision.verdict, VERDICT_RELEASE);
        ck_assert_int_eq(decision.delay_ms, rows[i].delay_ms);
    }
}
END_TEST

START_TEST(a_handler_that_decides_by_itself_is_obeyed)
{
    struct outcome outcome = outcome_of(OUTCOME_RETRY, "released by the job");
    struct policy policy = resolve("{\"maxTries\":1,\"backoff\":60}", NULL);
    struct decision decision;

    outcome.decided = true;
    outcome.wait_ms = 7000;
    policy_decide(&policy, 9, &outcome, NOW, &decision);
    ck_assert_int_eq(decision.verdict, VERDICT_RELEASE);
    ck_assert_int_eq(decision.delay_ms, 7000);
    policy.retry_until = NOW - 1;
    policy_decide(&policy, 9, &outcome, NOW, &decision);
    ck_assert_int_eq(decision.verdict, VERDICT_RELEASE);
}
END_TEST

START_TEST(what_was_not_tried_is_postponed_whatever_the_tries)
{
    struct outcome outcome = outcome_of(OUTCOME_POSTPONE, "endpoint away");
    struct policy policy = resolve("{\"maxTries\":1}", NULL);
    struct decision decision;

    outcome.wait_ms = 2500;
    policy_decide(&policy, 1, &outcome, NOW, &decision);
    ck_assert_int_eq(decision.verdict, VERDICT_POSTPONE);
    ck_assert_int_eq(decision.delay_ms, 2500);
    policy.retry_until = NOW + 1;
    policy_decide(&policy, 1, &outcome, NOW, &decision);
    ck_assert_int_eq(decision.verdict, VERDICT_POSTPONE);
    policy.retry_until = NOW;
    policy_decide(&policy, 1, &outcome, NOW, &decision);
    ck_assert_int_eq(decision.verdict, VERDICT_FAIL);
    ck_assert_str_eq(decision.reason, "endpoint away");
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_test(tc, payload_comes_before_job_before_pool);
    tcase_add_test(tc, zero_is_a_setting_and_not_unset);
    tcase_add_test(tc, an_empty_backoff_is_no_delay_and_not_the_pools);
    tcase_add_test(tc, a_delay_at_push_is_the_backoff_of_a_job_without_one);
    tcase_add_test(tc, a_long_backoff_list_is_cut);
    tcase_add_test(tc, a_run_may_begin_while_attempts_or_time_remain);
    tcase_add_test(tc, a_time_no_calendar_has_is_told_in_seconds);
    tcase_add_test(tc, after_a_run_tries_or_time_decide);
    tcase_add_test(tc, done_is_acked_and_fail_fails_at_once);
    tcase_add_test(tc, the_last_backoff_repeats);
    tcase_add_test(tc, three_tries_are_three_runs);
    tcase_add_test(tc, a_retry_waits_as_long_as_it_was_told);
    tcase_add_test(tc, a_handler_that_decides_by_itself_is_obeyed);
    tcase_add_test(tc, what_was_not_tried_is_postponed_whatever_the_tries);
}

int main(void)
{
    return run_suite("policy", 60, add_tests);
}
