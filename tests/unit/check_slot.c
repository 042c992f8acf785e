/* The slot's table: every pair of state and event, and what the numbers in a slot lead
 * to over a life of starts and ends. */
#include <stdio.h>

#include "base/must.h"
#include "supervisor/slot.h"
#include "tests/unit/suite.h"

enum {
    NOW = 1000000,
    MIDDLE = 20, /* random that leaves a delay as it is */
    N = SLOT_DO_NOTHING,
    S = SLOT_DO_SPAWN,
    T = SLOT_DO_TERM,
    A = SLOT_DO_ABORT,
    K = SLOT_DO_KILL,
    W = SLOT_DO_TIMER,
    C = SLOT_DO_CANCEL_TIMER
};

static const struct slot_times times = {
    .stop_ms = 36000, .abort_ms = 5000, .kill_ms = 1000, .healthy_ms = 60000};

static const char *const event_names[SLOT_EVENT_CT] = {
    [SLOT_START] = "start",
    [SLOT_SPAWN_FAILED] = "spawn failed",
    [SLOT_READY] = "ready",
    [SLOT_BEAT_LATE] = "beat late",
    [SLOT_EXIT_OK] = "exit ok",
    [SLOT_EXIT_BAD] = "exit bad",
    [SLOT_EXIT_CONFIG] = "exit config",
    [SLOT_STOP] = "stop",
    [SLOT_RECYCLE] = "recycle",
    [SLOT_KILL] = "kill",
    [SLOT_TIMER] = "timer",
    [SLOT_NEEDED] = "needed",
};

struct pair {
    enum slot_state state;
    enum slot_event event;
    enum slot_state next;
    unsigned actions;
};

/* What a slot that is wanted does on its first such event. */
static const struct pair pairs[] = {
    {SLOT_EMPTY, SLOT_START, SLOT_STARTING, S},
    {SLOT_EMPTY, SLOT_SPAWN_FAILED, SLOT_EMPTY, N},
    {SLOT_EMPTY, SLOT_READY, SLOT_EMPTY, N},
    {SLOT_EMPTY, SLOT_BEAT_LATE, SLOT_EMPTY, N},
    {SLOT_EMPTY, SLOT_EXIT_OK, SLOT_EMPTY, N},
    {SLOT_EMPTY, SLOT_EXIT_BAD, SLOT_EMPTY, N},
    {SLOT_EMPTY, SLOT_EXIT_CONFIG, SLOT_EMPTY, N},
    {SLOT_EMPTY, SLOT_STOP, SLOT_EMPTY, C},
    {SLOT_EMPTY, SLOT_RECYCLE, SLOT_EMPTY, N},
    {SLOT_EMPTY, SLOT_KILL, SLOT_EMPTY, C},
    {SLOT_EMPTY, SLOT_TIMER, SLOT_EMPTY, N},
    {SLOT_EMPTY, SLOT_NEEDED, SLOT_EMPTY, N},
    {SLOT_STARTING, SLOT_START, SLOT_STARTING, N},
    {SLOT_STARTING, SLOT_SPAWN_FAILED, SLOT_BACKOFF, W},
    {SLOT_STARTING, SLOT_READY, SLOT_RUNNING, N},
    {SLOT_STARTING, SLOT_BEAT_LATE, SLOT_KILLING, A | W},
    {SLOT_STARTING, SLOT_EXIT_OK, SLOT_STARTING, S | C},
    {SLOT_STARTING, SLOT_EXIT_BAD, SLOT_STARTING, S | C},
    {SLOT_STARTING, SLOT_EXIT_CONFIG, SLOT_FATAL, C},
    {SLOT_STARTING, SLOT_STOP, SLOT_STOPPING, T | W},
    {SLOT_STARTING, SLOT_RECYCLE, SLOT_STOPPING, T | W},
    {SLOT_STARTING, SLOT_KILL, SLOT_KILLING, T | W},
    {SLOT_STARTING, SLOT_TIMER, SLOT_STARTING, N},
    {SLOT_STARTING, SLOT_NEEDED, SLOT_STARTING, N},
    {SLOT_RUNNING, SLOT_START, SLOT_RUNNING, N},
    {SLOT_RUNNING, SLOT_SPAWN_FAILED, SLOT_RUNNING, N},
    {SLOT_RUNNING, SLOT_READY, SLOT_RUNNING, N},
    {SLOT_RUNNING, SLOT_BEAT_LATE, SLOT_KILLING, A | W},
    {SLOT_RUNNING, SLOT_EXIT_OK, SLOT_STARTING, S | C},
    {SLOT_RUNNING, SLOT_EXIT_BAD, SLOT_STARTING, S | C},
    {SLOT_RUNNING, SLOT_EXIT_CONFIG, SLOT_FATAL, C},
    {SLOT_RUNNING, SLOT_STOP, SLOT_STOPPING, T | W},
    {SLOT_RUNNING, SLOT_RECYCLE, SLOT_STOPPING, T | W},
    {SLOT_RUNNING, SLOT_KILL, SLOT_KILLING, T | W},
    {SLOT_RUNNING, SLOT_TIMER, SLOT_RUNNING, N},
    {SLOT_RUNNING, SLOT_NEEDED, SLOT_RUNNING, N},
    {SLOT_STOPPING, SLOT_START, SLOT_STOPPING, N},
    {SLOT_STOPPING, SLOT_SPAWN_FAILED, SLOT_STOPPING, N},
    {SLOT_STOPPING, SLOT_READY, SLOT_STOPPING, N},
    {SLOT_STOPPING, SLOT_BEAT_LATE, SLOT_KILLING, A | W},
    {SLOT_STOPPING, SLOT_EXIT_OK, SLOT_STARTING, S | C},
    {SLOT_STOPPING, SLOT_EXIT_BAD, SLOT_STARTING, S | C},
    {SLOT_STOPPING, SLOT_EXIT_CONFIG, SLOT_FATAL, C},
    {SLOT_STOPPING, SLOT_STOP, SLOT_STOPPING, N},
    {SLOT_STOPPING, SLOT_RECYCLE, SLOT_STOPPING, N},
    {SLOT_STOPPING, SLOT_KILL, SLOT_KILLING, T | W},
    {SLOT_STOPPING, SLOT_TIMER, SLOT_KILLING, K},
    {SLOT_STOPPING, SLOT_NEEDED, SLOT_STOPPING, N},
    {SLOT_KILLING, SLOT_START, SLOT_KILLING, N},
    {SLOT_KILLING, SLOT_SPAWN_FAILED, SLOT_KILLING, N},
    {SLOT_KILLING, SLOT_READY, SLOT_KILLING, N},
    {SLOT_KILLING, SLOT_BEAT_LATE, SLOT_KILLING, N},
    {SLOT_KILLING, SLOT_EXIT_OK, SLOT_STARTING, S | C},
    {SLOT_KILLING, SLOT_EXIT_BAD, SLOT_STARTING, S | C},
    {SLOT_KILLING, SLOT_EXIT_CONFIG, SLOT_STARTING, S | C},
    {SLOT_KILLING, SLOT_STOP, SLOT_KILLING, N},
    {SLOT_KILLING, SLOT_RECYCLE, SLOT_KILLING, N},
    {SLOT_KILLING, SLOT_KILL, SLOT_KILLING, K | C},
    {SLOT_KILLING, SLOT_TIMER, SLOT_KILLING, K},
    {SLOT_KILLING, SLOT_NEEDED, SLOT_KILLING, N},
    {SLOT_BACKOFF, SLOT_START, SLOT_BACKOFF, N},
    {SLOT_BACKOFF, SLOT_SPAWN_FAILED, SLOT_BACKOFF, N},
    {SLOT_BACKOFF, SLOT_READY, SLOT_BACKOFF, N},
    {SLOT_BACKOFF, SLOT_BEAT_LATE, SLOT_BACKOFF, N},
    {SLOT_BACKOFF, SLOT_EXIT_OK, SLOT_BACKOFF, N},
    {SLOT_BACKOFF, SLOT_EXIT_BAD, SLOT_BACKOFF, N},
    {SLOT_BACKOFF, SLOT_EXIT_CONFIG, SLOT_BACKOFF, N},
    {SLOT_BACKOFF, SLOT_STOP, SLOT_EMPTY, C},
    {SLOT_BACKOFF, SLOT_RECYCLE, SLOT_STARTING, S | C},
    {SLOT_BACKOFF, SLOT_KILL, SLOT_EMPTY, C},
    {SLOT_BACKOFF, SLOT_TIMER, SLOT_STARTING, S | C},
    {SLOT_BACKOFF, SLOT_NEEDED, SLOT_BACKOFF, N},
    {SLOT_FATAL, SLOT_START, SLOT_FATAL, N},
    {SLOT_FATAL, SLOT_SPAWN_FAILED, SLOT_FATAL, N},
    {SLOT_FATAL, SLOT_READY, SLOT_FATAL, N},
    {SLOT_FATAL, SLOT_BEAT_LATE, SLOT_FATAL, N},
    {SLOT_FATAL, SLOT_EXIT_OK, SLOT_FATAL, N},
    {SLOT_FATAL, SLOT_EXIT_BAD, SLOT_FATAL, N},
    {SLOT_FATAL, SLOT_EXIT_CONFIG, SLOT_FATAL, N},
    {SLOT_FATAL, SLOT_STOP, SLOT_EMPTY, C},
    {SLOT_FATAL, SLOT_RECYCLE, SLOT_STARTING, S},
    {SLOT_FATAL, SLOT_KILL, SLOT_EMPTY, C},
    {SLOT_FATAL, SLOT_TIMER, SLOT_FATAL, N},
    {SLOT_FATAL, SLOT_NEEDED, SLOT_FATAL, N},
};

static struct slot slot_in(enum slot_state state)
{
    return (struct slot){
        .state = state, .wanted = true, .started = true, .started_at_ms = NOW - 5000};
}

START_TEST(every_pair_of_state_and_event_is_decided)
{
    const struct pair *pair = &pairs[_i];
    struct slot slot = slot_in(pair->state);
    unsigned actions = slot_event(&slot, pair->event, &times, NOW, MIDDLE);

    printf("%-8s + %-12s -> %-8s actions 0x%02x timer %lld ms\n",
           slot_state_name(pair->state), event_names[pair->event],
           slot_state_name(slot.state), actions,
           (long long)(actions & SLOT_DO_TIMER ? slot.timer_ms : 0));
    ck_assert_int_eq(pair->state * SLOT_EVENT_CT + pair->event, (unsigned)_i);
    ck_assert_str_eq(slot_state_name(slot.state), slot_state_name(pair->next));
    ck_assert_uint_eq(actions, pair->actions);
}
END_TEST

static const enum slot_state living[] = {SLOT_STARTING, SLOT_RUNNING, SLOT_STOPPING,
                                         SLOT_KILLING};

START_TEST(an_unwanted_slot_is_empty_however_its_worker_ends)
{
    static const enum slot_event exits[] = {SLOT_EXIT_OK, SLOT_EXIT_BAD,
                                            SLOT_EXIT_CONFIG};

    for (size_t i = 0; i < ARRAY_CT(exits); i++) {
        struct slot slot = slot_in(living[_i]);

        (void)slot_event(&slot, SLOT_STOP, &times, NOW, MIDDLE);
        ck_assert(!slot.wanted);
        ck_assert_uint_eq(slot_event(&slot, exits[i], &times, NOW, MIDDLE),
                          SLOT_DO_CANCEL_TIMER);
        ck_assert_int_eq(slot.state, SLOT_EMPTY);
    }
}
END_TEST

START_TEST(a_slot_wanted_again_while_it_drains_starts_again)
{
    struct slot slot = slot_in(living[_i]);

    (void)slot_event(&slot, SLOT_STOP, &times, NOW, MIDDLE);
    ck_assert_uint_eq(slot_event(&slot, SLOT_START, &times, NOW, MIDDLE),
                      SLOT_DO_NOTHING);
    ck_assert(slot_event(&slot, SLOT_EXIT_OK, &times, NOW, MIDDLE) & SLOT_DO_SPAWN);
    ck_assert_int_eq(slot.state, SLOT_STARTING);
}
END_TEST

START_TEST(stopping_goes_from_term_to_kill_after_its_time)
{
    struct slot slot = slot_in(SLOT_RUNNING);

    (void)slot_event(&slot, SLOT_STOP, &times, NOW, MIDDLE);
    ck_assert_int_eq(slot.timer_ms, times.stop_ms);
    ck_assert_uint_eq(slot_event(&slot, SLOT_TIMER, &times, NOW, MIDDLE), SLOT_DO_KILL);
}
END_TEST

START_TEST(a_second_stop_is_a_second_term_and_a_third_kills)
{
    struct slot slot = slot_in(SLOT_RUNNING);

    (void)slot_event(&slot, SLOT_STOP, &times, NOW, MIDDLE);
    ck_assert_uint_eq(slot_event(&slot, SLOT_KILL, &times, NOW, MIDDLE),
                      SLOT_DO_TERM | SLOT_DO_TIMER);
    ck_assert_int_eq(slot.timer_ms, times.kill_ms);
    ck_assert(slot_event(&slot, SLOT_KILL, &times, NOW, MIDDLE) & SLOT_DO_KILL);
}
END_TEST

START_TEST(a_hung_worker_is_aborted_then_killed_then_replaced)
{
    struct slot slot = slot_in(SLOT_RUNNING);

    ck_assert(slot_event(&slot, SLOT_BEAT_LATE, &times, NOW, MIDDLE) & SLOT_DO_ABORT);
    ck_assert_int_eq(slot.timer_ms, times.abort_ms);
    ck_assert(slot_event(&slot, SLOT_TIMER, &times, NOW, MIDDLE) & SLOT_DO_KILL);
    ck_assert(slot_event(&slot, SLOT_EXIT_BAD, &times, NOW, MIDDLE) & SLOT_DO_SPAWN);
    ck_assert_uint_eq(slot.crash_ct, 1);
}
END_TEST

/* Delays before the starts after 1, 2, 3 .. bad exits in a row. */
static const int64_t delays_ms[] = {0,     0,     1000,  2000,  4000, 8000,
                                    16000, 32000, 60000, 60000, 60000};

START_TEST(backoff_doubles_from_one_second_to_sixty)
{
    ck_assert_int_eq(slot_backoff_ms((unsigned)_i, MIDDLE), delays_ms[_i]);
    for (uint32_t random = 0; random < 1000; random++) {
        int64_t ms = slot_backoff_ms((unsigned)_i, random * 4294967);

        ck_assert_int_ge(ms, delays_ms[_i] * 8 / 10);
        ck_assert_int_le(ms, delays_ms[_i] * 12 / 10);
    }
    ck_assert_int_le(slot_backoff_ms(UINT32_MAX, MIDDLE), 60000);
}
END_TEST

START_TEST(backoff_is_spread_by_chance)
{
    ck_assert_int_eq(slot_backoff_ms(2, 0), 800);
    ck_assert_int_eq(slot_backoff_ms(2, 40), 1200);
    ck_assert_int_eq(slot_backoff_ms(2, 41), 800);
}
END_TEST

START_TEST(a_crash_loop_waits_longer_each_time)
{
    struct slot slot;
    int64_t now_ms = NOW;

    slot_init(&slot);
    (void)slot_event(&slot, SLOT_START, &times, now_ms, MIDDLE);
    for (unsigned crash = 1; crash < ARRAY_CT(delays_ms); crash++) {
        unsigned actions;

        (void)slot_event(&slot, SLOT_READY, &times, now_ms, MIDDLE);
        actions = slot_event(&slot, SLOT_EXIT_BAD, &times, now_ms + 10, MIDDLE);
        ck_assert_uint_eq(slot.crash_ct, crash);
        if (delays_ms[crash] == 0) {
            ck_assert(actions & SLOT_DO_SPAWN);
            continue;
        }
        ck_assert_int_eq(slot.state, SLOT_BACKOFF);
        ck_assert_int_eq(slot.timer_ms, delays_ms[crash]);
        ck_assert(!(actions & SLOT_DO_SPAWN));
        now_ms += slot.timer_ms;
        ck_assert(slot_event(&slot, SLOT_TIMER, &times, now_ms, MIDDLE) & SLOT_DO_SPAWN);
    }
    ck_assert_uint_eq(slot.restarts, ARRAY_CT(delays_ms) - 1);
}
END_TEST

START_TEST(a_healthy_run_forgives_earlier_crashes)
{
    struct slot slot = slot_in(SLOT_RUNNING);

    slot.crash_ct = 5;
    slot.started_at_ms = NOW - times.healthy_ms + 1;
    (void)slot_event(&slot, SLOT_EXIT_BAD, &times, NOW, MIDDLE);
    ck_assert_int_eq(slot.state, SLOT_BACKOFF);

    slot = slot_in(SLOT_RUNNING);
    slot.crash_ct = 5;
    slot.started_at_ms = NOW - times.healthy_ms;
    (void)slot_event(&slot, SLOT_EXIT_BAD, &times, NOW, MIDDLE);
    ck_assert_int_eq(slot.state, SLOT_STARTING);
    ck_assert_uint_eq(slot.crash_ct, 1);
}
END_TEST

START_TEST(the_slot_a_pool_needs_does_not_wait_out_a_long_backoff)
{
    struct slot slot = slot_in(SLOT_RUNNING);

    slot.crash_ct = 8;
    (void)slot_event(&slot, SLOT_EXIT_BAD, &times, NOW, MIDDLE);
    ck_assert_int_eq(slot.timer_ms, 60000);
    ck_assert_uint_eq(slot_event(&slot, SLOT_NEEDED, &times, NOW + 10, MIDDLE),
                      SLOT_DO_TIMER);
    ck_assert_int_eq(slot.state, SLOT_BACKOFF);
    ck_assert_int_eq(slot.timer_ms, SLOT_NEEDED_MS);
    /* Asked again and again it is not put off. */
    ck_assert_uint_eq(slot_event(&slot, SLOT_NEEDED, &times, NOW + 20, MIDDLE),
                      SLOT_DO_NOTHING);
    ck_assert(slot_event(&slot, SLOT_TIMER, &times, NOW + 4010, MIDDLE) & SLOT_DO_SPAWN);
    ck_assert_uint_eq(slot.crash_ct, 9); /* nothing is forgiven */
}
END_TEST

START_TEST(an_asked_for_replacement_is_no_restart)
{
    struct slot slot = slot_in(SLOT_RUNNING);

    (void)slot_event(&slot, SLOT_RECYCLE, &times, NOW, MIDDLE); /* a reload */
    ck_assert(slot_event(&slot, SLOT_EXIT_OK, &times, NOW, MIDDLE) & SLOT_DO_SPAWN);
    ck_assert_uint_eq(slot.restarts, 0);
    (void)slot_event(&slot, SLOT_STOP, &times, NOW, MIDDLE); /* scaled down, and up */
    (void)slot_event(&slot, SLOT_START, &times, NOW, MIDDLE);
    ck_assert(slot_event(&slot, SLOT_EXIT_OK, &times, NOW, MIDDLE) & SLOT_DO_SPAWN);
    ck_assert_uint_eq(slot.restarts, 0);
    (void)slot_event(&slot, SLOT_EXIT_BAD, &times, NOW + 5000, MIDDLE);
    ck_assert_uint_eq(slot.restarts, 1);
}
END_TEST

START_TEST(a_recycled_worker_is_no_crash_and_starts_at_once)
{
    struct slot slot = slot_in(SLOT_RUNNING);

    for (int i = 0; i < 100; i++) { /* each ran for 5 s */
        slot.started_at_ms = NOW - 5000;
        ck_assert(slot_event(&slot, SLOT_EXIT_OK, &times, NOW, MIDDLE) & SLOT_DO_SPAWN);
    }
    ck_assert_uint_eq(slot.crash_ct, 0);
    ck_assert_uint_eq(slot.restarts, 100);
}
END_TEST

START_TEST(a_worker_that_only_exits_does_not_make_the_supervisor_spin)
{
    struct slot slot = slot_in(SLOT_STARTING);
    unsigned at_once = 0;

    slot.started_at_ms = NOW;
    for (int i = 0; i < 50; i++) {
        unsigned actions = slot_event(&slot, SLOT_EXIT_OK, &times, NOW, MIDDLE);

        if (actions & SLOT_DO_SPAWN) {
            at_once++;
            continue;
        }
        ck_assert_int_eq(slot.state, SLOT_BACKOFF);
        ck_assert_int_eq(slot.timer_ms, 1000);
        (void)slot_event(&slot, SLOT_TIMER, &times, NOW, MIDDLE);
    }
    ck_assert_uint_eq(at_once, 3);
    ck_assert_uint_eq(slot.crash_ct, 0);
}
END_TEST

START_TEST(a_start_that_failed_is_retried_later_and_is_no_restart)
{
    struct slot slot;

    slot_init(&slot);
    (void)slot_event(&slot, SLOT_START, &times, NOW, MIDDLE);
    for (int i = 2; i < 8; i++) {
        ck_assert_uint_eq(slot_event(&slot, SLOT_SPAWN_FAILED, &times, NOW, MIDDLE),
                          SLOT_DO_TIMER);
        ck_assert_int_eq(slot.timer_ms, delays_ms[i]);
        ck_assert(slot_event(&slot, SLOT_TIMER, &times, NOW, MIDDLE) & SLOT_DO_SPAWN);
    }
    ck_assert_uint_eq(slot.restarts, 0);
    (void)slot_event(&slot, SLOT_EXIT_OK, &times, NOW + 5000, MIDDLE);
    ck_assert_uint_eq(slot.restarts, 1);
}
END_TEST

START_TEST(a_bad_configuration_is_not_restarted_until_a_reload)
{
    struct slot slot = slot_in(SLOT_RUNNING);

    slot.crash_ct = 4;
    (void)slot_event(&slot, SLOT_EXIT_CONFIG, &times, NOW, MIDDLE);
    ck_assert_int_eq(slot.state, SLOT_FATAL);
    ck_assert_uint_eq(slot_event(&slot, SLOT_START, &times, NOW, MIDDLE),
                      SLOT_DO_NOTHING);
    ck_assert(slot_event(&slot, SLOT_RECYCLE, &times, NOW, MIDDLE) & SLOT_DO_SPAWN);
    ck_assert_uint_eq(slot.crash_ct, 0);
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_loop_test(tc, every_pair_of_state_and_event_is_decided, 0,
                        SLOT_STATE_CT * SLOT_EVENT_CT);
    tcase_add_loop_test(tc, an_unwanted_slot_is_empty_however_its_worker_ends, 0,
                        ARRAY_CT(living));
    tcase_add_loop_test(tc, a_slot_wanted_again_while_it_drains_starts_again, 0,
                        ARRAY_CT(living));
    tcase_add_test(tc, stopping_goes_from_term_to_kill_after_its_time);
    tcase_add_test(tc, a_second_stop_is_a_second_term_and_a_third_kills);
    tcase_add_test(tc, a_hung_worker_is_aborted_then_killed_then_replaced);
    tcase_add_loop_test(tc, backoff_doubles_from_one_second_to_sixty, 0,
                        ARRAY_CT(delays_ms));
    tcase_add_test(tc, backoff_is_spread_by_chance);
    tcase_add_test(tc, a_crash_loop_waits_longer_each_time);
    tcase_add_test(tc, a_healthy_run_forgives_earlier_crashes);
    tcase_add_test(tc, the_slot_a_pool_needs_does_not_wait_out_a_long_backoff);
    tcase_add_test(tc, an_asked_for_replacement_is_no_restart);
    tcase_add_test(tc, a_recycled_worker_is_no_crash_and_starts_at_once);
    tcase_add_test(tc, a_worker_that_only_exits_does_not_make_the_supervisor_spin);
    tcase_add_test(tc, a_start_that_failed_is_retried_later_and_is_no_restart);
    tcase_add_test(tc, a_bad_configuration_is_not_restarted_until_a_reload);
}

int main(void)
{
    return run_suite("slot", 10, add_tests);
}
