/* Heartbeats: who stands still is found out, who stood still with the supervisor is not
 * condemned. */
#include "supervisor/beat.h"
#include "tests/unit/suite.h"

enum { TICK = 1000, LIMIT = 5000 };

START_TEST(a_beat_that_stands_still_for_the_limit_is_late)
{
    struct beat watch;

    beat_reset(&watch);
    ck_assert(!beat_is_late(&watch, 7, TICK, TICK, LIMIT)); /* noted */
    for (int i = 0; i < 4; i++)
        ck_assert(!beat_is_late(&watch, 7, TICK, TICK, LIMIT));
    ck_assert(beat_is_late(&watch, 7, TICK, TICK, LIMIT));
    ck_assert_int_eq(watch.still_ms, LIMIT);
}
END_TEST

START_TEST(a_beat_that_moves_is_never_late)
{
    struct beat watch;

    beat_reset(&watch);
    for (int64_t beat = 0; beat < 1000; beat++)
        ck_assert(!beat_is_late(&watch, beat, LIMIT - 1, TICK + LIMIT, LIMIT));
}
END_TEST

START_TEST(time_before_the_start_does_not_count)
{
    struct beat watch;

    beat_reset(&watch);
    ck_assert(!beat_is_late(&watch, 0, LIMIT, LIMIT, LIMIT));
}
END_TEST

START_TEST(a_supervisor_that_was_stopped_itself_counts_anew)
{
    struct beat watch;

    beat_reset(&watch);
    for (int i = 0; i < 5; i++)
        ck_assert(!beat_is_late(&watch, 7, TICK, TICK, LIMIT));
    ck_assert(!beat_is_late(&watch, 7, 3600000, TICK, LIMIT)); /* an hour of SIGSTOP */
    for (int i = 0; i < 4; i++)
        ck_assert(!beat_is_late(&watch, 7, TICK, TICK, LIMIT));
    ck_assert(beat_is_late(&watch, 7, TICK, TICK, LIMIT)); /* this one does hang */
}
END_TEST

START_TEST(a_tick_that_is_a_little_late_still_counts)
{
    struct beat watch;

    beat_reset(&watch);
    (void)beat_is_late(&watch, 7, TICK, TICK, LIMIT);
    ck_assert(!beat_is_late(&watch, 7, TICK + BEAT_TICK_LATE_MS, TICK, LIMIT));
    ck_assert(beat_is_late(&watch, 7, TICK + BEAT_TICK_LATE_MS, TICK, LIMIT));
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_test(tc, a_beat_that_stands_still_for_the_limit_is_late);
    tcase_add_test(tc, a_beat_that_moves_is_never_late);
    tcase_add_test(tc, time_before_the_start_does_not_count);
    tcase_add_test(tc, a_supervisor_that_was_stopped_itself_counts_anew);
    tcase_add_test(tc, a_tick_that_is_a_little_late_still_counts);
}

int main(void)
{
    return run_suite("beat", 10, add_tests);
}
