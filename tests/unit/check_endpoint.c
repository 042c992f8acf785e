/* Window and breaker of an endpoint, driven without a clock. */
#include "jobs/endpoint.h"
#include "tests/unit/suite.h"

#include "base/must.h"

static const struct endpoint_rules rules = {.breaker_failures = 3};

static struct endpoint fresh(void)
{
    struct endpoint endpoint;

    endpoint_init(&endpoint);
    return endpoint;
}

static enum endpoint_pass admit(struct endpoint *endpoint, int64_t now_ms)
{
    int64_t wait_ms;

    return endpoint_admit(endpoint, &rules, now_ms, &wait_ms);
}

static int64_t wait_of(struct endpoint *endpoint, int64_t now_ms)
{
    int64_t wait_ms;

    ck_assert_int_ge(endpoint_admit(endpoint, &rules, now_ms, &wait_ms), ENDPOINT_FULL);
    return wait_ms;
}

static void one(struct endpoint *endpoint, enum endpoint_result result, int64_t now_ms)
{
    enum endpoint_pass pass = admit(endpoint, now_ms);

    ck_assert_int_lt(pass, ENDPOINT_FULL);
    endpoint_settle(endpoint, &rules, pass, result, 0, now_ms);
}

static void open_at(struct endpoint *endpoint, int64_t now_ms)
{
    for (int i = 0; i < 3; i++)
        one(endpoint, ENDPOINT_TROUBLE, now_ms);
    ck_assert_int_gt(endpoint->open_ms, 0);
}

START_TEST(an_unknown_endpoint_gets_few_slots)
{
    struct endpoint endpoint = fresh();

    for (int i = 0; i < ENDPOINT_WINDOW_FIRST; i++)
        ck_assert_int_eq(admit(&endpoint, 0), ENDPOINT_GO);
    ck_assert_int_eq(admit(&endpoint, 0), ENDPOINT_FULL);
    ck_assert_int_eq(wait_of(&endpoint, 0), ENDPOINT_FULL_WAIT_MIN_MS);
    ck_assert_int_eq(endpoint.in_flight, ENDPOINT_WINDOW_FIRST);
}
END_TEST

START_TEST(answers_open_the_window_and_troubles_halve_it)
{
    struct endpoint endpoint = fresh();

    for (int i = 0; i < 100; i++)
        one(&endpoint, ENDPOINT_ANSWERED, 0);
    ck_assert_int_eq(endpoint.window, ENDPOINT_WINDOW_FIRST + 100);
    one(&endpoint, ENDPOINT_TROUBLE, 0);
    ck_assert_int_eq(endpoint.window, (ENDPOINT_WINDOW_FIRST + 100) / 2);
    for (int i = 0; i < 20; i++) {
        one(&endpoint, ENDPOINT_TROUBLE, 0);
        endpoint.failures = 0;
    }
    ck_assert_int_eq(endpoint.window, 1);
}
END_TEST

/* 8 at a time, 1 s each: the 100th in the row has 12 rounds before it. */
START_TEST(who_is_turned_away_waits_for_those_before_it)
{
    struct endpoint endpoint = fresh();
    int64_t wait_ms = 0, longest_ms = 0;

    endpoint.took_ms = 1000;
    for (int i = 0; i < ENDPOINT_WINDOW_FIRST; i++)
        ck_assert_int_eq(admit(&endpoint, 0), ENDPOINT_GO);
    for (int i = 0; i < 100; i++) {
        wait_ms = wait_of(&endpoint, 0);
        ck_assert_int_ge(wait_ms, longest_ms);
        longest_ms = wait_ms;
    }
    ck_assert_int_eq(wait_ms, 13000);
    for (int i = 0; i < 10000; i++)
        wait_ms = wait_of(&endpoint, 0);
    ck_assert_int_eq(wait_ms, ENDPOINT_FULL_WAIT_MAX_MS);
    endpoint.took_ms = INT64_MAX / 2;
    ck_assert_int_eq(wait_of(&endpoint, 0), ENDPOINT_FULL_WAIT_MAX_MS);
}
END_TEST

/* Nothing is known of how long it takes, but that it has taken so long already. */
START_TEST(who_waits_for_silence_waits_longer_as_it_lasts)
{
    struct endpoint endpoint = fresh();

    for (int i = 0; i < ENDPOINT_WINDOW_FIRST; i++)
        ck_assert_int_eq(admit(&endpoint, 1000), ENDPOINT_GO);
    ck_assert_int_eq(wait_of(&endpoint, 1010), ENDPOINT_FULL_WAIT_MIN_MS);
    ck_assert_int_eq(wait_of(&endpoint, 6000), 5000);
    for (int i = 0; i < 30; i++)
        (void)wait_of(&endpoint, 6000);
    ck_assert_int_eq(wait_of(&endpoint, 6000), 25000);
    endpoint_settle(&endpoint, &rules, ENDPOINT_GO, ENDPOINT_ANSWERED, 5000, 6000);
    ck_assert_int_eq(admit(&endpoint, 6000), ENDPOINT_GO);
}
END_TEST

START_TEST(who_is_let_go_leaves_the_row)
{
    struct endpoint endpoint = fresh();

    ck_assert_int_eq(admit(&endpoint, 0), ENDPOINT_GO);
    endpoint.turned_away = 3;
    one(&endpoint, ENDPOINT_ANSWERED, 0);
    ck_assert_int_eq(endpoint.turned_away, 2);
    endpoint_settle(&endpoint, &rules, ENDPOINT_GO, ENDPOINT_ANSWERED, 0, 0);
    ck_assert_int_eq(endpoint.turned_away, 0); /* nobody is before them any more */
}
END_TEST

START_TEST(how_long_requests_take_is_learned)
{
    struct endpoint endpoint = fresh();

    for (int i = 0; i < 100; i++)
        endpoint_settle(&endpoint, &rules, admit(&endpoint, 0), ENDPOINT_ANSWERED, 800,
                        0);
    ck_assert_int_ge(endpoint.took_ms, 780);
    ck_assert_int_le(endpoint.took_ms, 800);
    endpoint_settle(&endpoint, &rules, admit(&endpoint, 0), ENDPOINT_UNKNOWN, 1 << 30, 0);
    ck_assert_int_le(endpoint.took_ms, 800);
}
END_TEST

START_TEST(max_in_flight_bounds_an_open_window)
{
    struct endpoint_rules narrow = {.max_in_flight = 2};
    struct endpoint endpoint = fresh();
    int64_t wait_ms;

    ck_assert_int_eq(endpoint_admit(&endpoint, &narrow, 0, &wait_ms), ENDPOINT_GO);
    ck_assert_int_eq(endpoint_admit(&endpoint, &narrow, 0, &wait_ms), ENDPOINT_GO);
    ck_assert_int_eq(endpoint_admit(&endpoint, &narrow, 0, &wait_ms), ENDPOINT_FULL);
    endpoint_settle(&endpoint, &narrow, ENDPOINT_GO, ENDPOINT_UNKNOWN, 0, 0);
    ck_assert_int_eq(endpoint_admit(&endpoint, &narrow, 0, &wait_ms), ENDPOINT_GO);
}
END_TEST

START_TEST(troubles_in_a_row_open_the_breaker)
{
    struct endpoint endpoint = fresh();

    one(&endpoint, ENDPOINT_TROUBLE, 0);
    one(&endpoint, ENDPOINT_TROUBLE, 0);
    one(&endpoint, ENDPOINT_ANSWERED, 0); /* the row ends */
    one(&endpoint, ENDPOINT_TROUBLE, 0);
    one(&endpoint, ENDPOINT_TROUBLE, 0);
    ck_assert_int_eq(endpoint.open_ms, 0);
    one(&endpoint, ENDPOINT_UNKNOWN, 0); /* says nothing */
    one(&endpoint, ENDPOINT_TROUBLE, 0);
    ck_assert_int_eq(endpoint.open_ms, ENDPOINT_OPEN_FIRST_MS);
    ck_assert_int_eq(wait_of(&endpoint, 400), 600);
}
END_TEST

START_TEST(without_breaker_failures_it_never_opens)
{
    struct endpoint_rules lenient = {.breaker_failures = 0};
    struct endpoint endpoint = fresh();
    int64_t wait_ms;

    for (int i = 0; i < 1000; i++) {
        enum endpoint_pass pass = endpoint_admit(&endpoint, &lenient, 0, &wait_ms);

        ck_assert_int_eq(pass, ENDPOINT_GO);
        endpoint_settle(&endpoint, &lenient, pass, ENDPOINT_TROUBLE, 0, 0);
    }
}
END_TEST

START_TEST(one_probe_at_a_time_and_later_each_time)
{
    static const int64_t open_ms[] = {1000,  2000,   4000,   8000,   16000, 32000,
                                      64000, 128000, 256000, 300000, 300000};
    struct endpoint endpoint = fresh();
    int64_t now_ms = 5000;

    open_at(&endpoint, now_ms);
    for (size_t i = 0; i < ARRAY_CT(open_ms); i++) {
        ck_assert_int_eq(wait_of(&endpoint, now_ms), open_ms[i]);
        now_ms += open_ms[i];
        ck_assert_int_eq(admit(&endpoint, now_ms), ENDPOINT_PROBE);
        ck_assert_int_eq(admit(&endpoint, now_ms), ENDPOINT_OPEN); /* only the one */
        endpoint_settle(&endpoint, &rules, ENDPOINT_PROBE, ENDPOINT_TROUBLE, 0, now_ms);
    }
    ck_assert_int_eq(endpoint.in_flight, 0);
}
END_TEST

START_TEST(an_answered_probe_closes_the_breaker)
{
    struct endpoint endpoint = fresh();

    open_at(&endpoint, 0);
    ck_assert_int_eq(admit(&endpoint, 1000), ENDPOINT_PROBE);
    endpoint_settle(&endpoint, &rules, ENDPOINT_PROBE, ENDPOINT_ANSWERED, 0, 1100);
    ck_assert_int_eq(admit(&endpoint, 1100), ENDPOINT_GO);
    endpoint_settle(&endpoint, &rules, ENDPOINT_GO, ENDPOINT_ANSWERED, 0, 1100);
    ck_assert(endpoint_is_idle(&endpoint));
    open_at(&endpoint, 2000);
    ck_assert_int_eq(endpoint.open_ms, ENDPOINT_OPEN_FIRST_MS); /* from the start again */
}
END_TEST

START_TEST(a_probe_that_says_nothing_leaves_the_next_one_free)
{
    struct endpoint endpoint = fresh();

    open_at(&endpoint, 0);
    ck_assert_int_eq(admit(&endpoint, 1000), ENDPOINT_PROBE);
    endpoint_settle(&endpoint, &rules, ENDPOINT_PROBE, ENDPOINT_UNKNOWN, 0, 1100);
    ck_assert_int_eq(admit(&endpoint, 1100), ENDPOINT_PROBE);
}
END_TEST

START_TEST(late_troubles_do_not_keep_it_open_longer)
{
    struct endpoint endpoint = fresh();

    for (int i = 0; i < 8; i++)
        ck_assert_int_eq(admit(&endpoint, 0), ENDPOINT_GO);
    for (int i = 0; i < 8; i++)
        endpoint_settle(&endpoint, &rules, ENDPOINT_GO, ENDPOINT_TROUBLE, 0, 100 + i);
    ck_assert_int_eq(endpoint.open_ms, ENDPOINT_OPEN_FIRST_MS);
    ck_assert_int_eq(endpoint.open_until_ms, 102 + ENDPOINT_OPEN_FIRST_MS);
    ck_assert_int_eq(endpoint.in_flight, 0);
    ck_assert(!endpoint_is_idle(&endpoint));
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_test(tc, an_unknown_endpoint_gets_few_slots);
    tcase_add_test(tc, answers_open_the_window_and_troubles_halve_it);
    tcase_add_test(tc, who_is_turned_away_waits_for_those_before_it);
    tcase_add_test(tc, who_waits_for_silence_waits_longer_as_it_lasts);
    tcase_add_test(tc, who_is_let_go_leaves_the_row);
    tcase_add_test(tc, how_long_requests_take_is_learned);
    tcase_add_test(tc, max_in_flight_bounds_an_open_window);
    tcase_add_test(tc, troubles_in_a_row_open_the_breaker);
    tcase_add_test(tc, without_breaker_failures_it_never_opens);
    tcase_add_test(tc, one_probe_at_a_time_and_later_each_time);
    tcase_add_test(tc, an_answered_probe_closes_the_breaker);
    tcase_add_test(tc, a_probe_that_says_nothing_leaves_the_next_one_free);
    tcase_add_test(tc, late_troubles_do_not_keep_it_open_longer);
}

int main(void)
{
    return run_suite("endpoint", 60, add_tests);
}
