/* Timers, turns, deferred frees and signals of the loop. */
#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/loop.h"
#include "tests/unit/suite.h"
#include "tests/unit/until.h"

static struct loop *make_loop(void)
{
    struct err err;
    struct loop *loop = loop_create(&err);

    ck_assert_ptr_nonnull(loop);
    return loop;
}

static void count_down(void *arg)
{
    --*(unsigned *)arg;
}

struct step {
    struct timer timer;
    char name;
};

static char trace[16], *trace_end;

static void take_step(void *arg)
{
    *trace_end++ = ((struct step *)arg)->name;
}

START_TEST(timers_fire_in_order_and_once)
{
    struct loop *loop = make_loop();
    struct step steps[3] = {{.name = 'a'}, {.name = 'b'}, {.name = 'c'}};
    struct timer last;
    unsigned left = 1;

    trace_end = trace;
    for (int i = 0; i < 3; i++)
        timer_init(&steps[i].timer, loop, take_step, &steps[i]);
    timer_init(&last, loop, count_down, &left);
    timer_set(&steps[0].timer, 20);
    timer_set(&steps[1].timer, -5);
    timer_set_us(&steps[2].timer, 5000);
    timer_set(&last, 40);
    ck_assert(trace_end == trace);
    run_until_zero(loop, &left);
    *trace_end = '\0';
    ck_assert_str_eq(trace, "bca");
    for (int i = 0; i < 3; i++)
        timer_free(&steps[i].timer);
    timer_free(&last);
    loop_destroy(loop);
}
END_TEST

START_TEST(a_timer_can_be_moved_and_stopped)
{
    struct loop *loop = make_loop();
    struct timer moved, stopped, far;
    unsigned left = 1, never = 1, nor = 1;

    timer_init(&moved, loop, count_down, &left);
    timer_init(&stopped, loop, count_down, &never);
    timer_init(&far, loop, count_down, &nor);
    timer_set(&moved, 3600000);
    ck_assert(timer_is_set(&moved));
    timer_set(&moved, 10);
    timer_set(&stopped, 1);
    timer_stop(&stopped);
    timer_stop(&stopped);
    ck_assert(!timer_is_set(&stopped));
    timer_set(&far, INT64_MAX);
    run_until_zero(loop, &left);
    ck_assert(!timer_is_set(&moved));
    ck_assert(timer_is_set(&far));
    ck_assert_uint_eq(never, 1);
    ck_assert_uint_eq(nor, 1);
    timer_free(&moved);
    timer_free(&stopped);
    timer_free(&far);
    timer_free(&far);
    loop_destroy(loop);
}
END_TEST

static void free_self(void *arg)
{
    struct timer *timer = arg;

    timer_free(timer);
    timer_stop(timer);
    ck_assert(!timer_is_set(timer));
    free(timer);
}

static bool is_true(void *arg)
{
    return *(bool *)arg;
}

static void set_true(void *arg)
{
    *(bool *)arg = true;
}

START_TEST(a_timer_may_be_freed_in_its_own_callback)
{
    struct loop *loop = make_loop();
    struct timer *timer = must_alloc(sizeof(*timer));
    struct timer later;
    bool done = false;

    timer_init(timer, loop, free_self, timer);
    timer_set(timer, 0);
    timer_init(&later, loop, set_true, &done);
    timer_set(&later, 5);
    run_until(loop, is_true, &done);
    timer_free(&later);
    loop_destroy(loop);
}
END_TEST

struct scene {
    struct loop *loop;
    struct timer first, second;
    bool freed;
    bool second_ran;
};

static void mark_freed(void *ptr)
{
    *(bool *)ptr = true;
}

static void defer_and_stop(void *arg)
{
    struct scene *scene = arg;

    loop_defer_free(scene->loop, &scene->freed, mark_freed);
    ck_assert(!scene->freed);
    loop_stop(scene->loop);
}

static void see_not_freed(void *arg)
{
    struct scene *scene = arg;

    ck_assert(!scene->freed);
    scene->second_ran = true;
}

START_TEST(a_stop_and_a_deferred_free_wait_for_the_turn)
{
    struct scene scene = {.loop = make_loop()};

    timer_init(&scene.first, scene.loop, defer_and_stop, &scene);
    timer_init(&scene.second, scene.loop, see_not_freed, &scene);
    timer_set(&scene.first, 0);
    timer_set(&scene.second, 0);
    loop_run(scene.loop);
    ck_assert(scene.second_ran);
    ck_assert(scene.freed);
    ck_assert_uint_eq(loop_turns(scene.loop), 1);
    timer_free(&scene.first);
    timer_free(&scene.second);
    loop_destroy(scene.loop);
}
END_TEST

START_TEST(what_is_deferred_at_the_end_is_freed_with_the_loop)
{
    struct loop *loop = make_loop();
    bool freed = false;

    loop_defer_free(loop, &freed, mark_freed);
    loop_defer_free(loop, must_alloc(1), free);
    loop_destroy(loop);
    ck_assert(freed);
    loop_destroy(NULL);
}
END_TEST

START_TEST(a_stop_before_the_run_is_not_lost)
{
    struct loop *loop = make_loop();
    struct timer timer;
    bool ran = false;

    loop_stop(loop);
    loop_run(loop);
    ck_assert_uint_eq(loop_turns(loop), 0);
    timer_init(&timer, loop, set_true, &ran);
    timer_set(&timer, 0);
    run_until(loop, is_true, &ran); /* and it counts for one run */
    timer_free(&timer);
    loop_destroy(loop);
}
END_TEST

static void count_signal(int signum, void *arg)
{
    unsigned *counts = arg;

    counts[signum]++;
}

static bool both_came(void *arg)
{
    unsigned *counts = arg;

    return counts[SIGUSR1] > 0 && counts[SIGUSR2] > 0;
}

static bool second_came(void *arg)
{
    return ((unsigned *)arg)[SIGUSR2] > 0;
}

START_TEST(signals_come_through_the_loop_and_merge)
{
    struct loop *loop = make_loop();
    unsigned counts[NSIG] = {0};

    ck_assert_int_eq(loop_on_signal(loop, SIGUSR1, count_signal, counts), 0);
    ck_assert_int_eq(loop_on_signal(loop, SIGUSR2, count_signal, counts), 0);
    for (int i = 0; i < 1000; i++)
        ck_assert_int_eq(kill(getpid(), SIGUSR1), 0);
    ck_assert_int_eq(kill(getpid(), SIGUSR2), 0);
    ck_assert_uint_eq(counts[SIGUSR1], 0);
    run_until(loop, both_came, counts);
    ck_assert_uint_eq(counts[SIGUSR1], 1);
    ck_assert_uint_eq(counts[SIGUSR2], 1);
    loop_destroy(loop);
}
END_TEST

START_TEST(a_signal_that_was_blocked_is_delivered)
{
    struct loop *loop;
    unsigned counts[NSIG] = {[SIGUSR2] = 1};
    sigset_t all;

    (void)sigfillset(&all);
    ck_assert_int_eq(sigprocmask(SIG_SETMASK, &all, NULL), 0);
    ck_assert_int_eq(kill(getpid(), SIGUSR1), 0);
    loop = make_loop();
    ck_assert_int_eq(loop_on_signal(loop, SIGUSR1, count_signal, counts), 0);
    run_until(loop, both_came, counts);
    loop_destroy(loop);
}
END_TEST

START_TEST(an_unwatched_signal_is_back_at_its_default)
{
    struct loop *loop = make_loop();
    unsigned counts[NSIG] = {0};
    struct sigaction action;

    ck_assert_int_eq(loop_on_signal(loop, SIGUSR1, count_signal, counts), 0);
    ck_assert_int_eq(loop_on_signal(loop, SIGUSR2, count_signal, counts), 0);
    loop_off_signal(loop, SIGUSR1);
    loop_off_signal(loop, SIGUSR1);
    ck_assert_int_eq(sigaction(SIGUSR1, NULL, &action), 0);
    ck_assert(action.sa_handler == SIG_DFL);
    ck_assert_int_eq(loop_on_signal(loop, SIGUSR1, count_signal, counts), 0);
    loop_destroy(loop);
    ck_assert_int_eq(sigaction(SIGUSR2, NULL, &action), 0);
    ck_assert(action.sa_handler == SIG_DFL);
}
END_TEST

static int child_with_own_loop(void)
{
    unsigned counts[NSIG] = {0};
    struct loop *loop = make_loop();

    ck_assert_int_eq(loop_on_signal(loop, SIGUSR1, count_signal, counts), 0);
    ck_assert_int_eq(loop_on_signal(loop, SIGUSR2, count_signal, counts), 0);
    ck_assert_int_eq(kill(getpid(), SIGUSR2), 0);
    run_until(loop, second_came, counts);
    loop_destroy(loop);
    return counts[SIGUSR1] == 0 ? 0 : 1;
}

START_TEST(a_forked_child_has_signals_of_its_own)
{
    struct loop *loop = make_loop();
    unsigned counts[NSIG] = {[SIGUSR2] = 1};
    int status;
    pid_t pid;

    ck_assert_int_eq(loop_on_signal(loop, SIGUSR1, count_signal, counts), 0);
    ck_assert_int_eq(kill(getpid(), SIGUSR1), 0); /* not handled yet at the fork */
    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0)
        _exit(child_with_own_loop());
    while (waitpid(pid, &status, 0) < 0)
        ck_assert_int_eq(errno, EINTR);
    ck_assert_int_eq(status, 0);
    run_until(loop, both_came, counts);
    ck_assert_uint_eq(counts[SIGUSR1], 1);
    loop_destroy(loop);
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_test(tc, timers_fire_in_order_and_once);
    tcase_add_test(tc, a_timer_can_be_moved_and_stopped);
    tcase_add_test(tc, a_timer_may_be_freed_in_its_own_callback);
    tcase_add_test(tc, a_stop_and_a_deferred_free_wait_for_the_turn);
    tcase_add_test(tc, what_is_deferred_at_the_end_is_freed_with_the_loop);
    tcase_add_test(tc, a_stop_before_the_run_is_not_lost);
    tcase_add_test(tc, signals_come_through_the_loop_and_merge);
    tcase_add_test(tc, a_signal_that_was_blocked_is_delivered);
    tcase_add_test(tc, an_unwatched_signal_is_back_at_its_default);
    tcase_add_test(tc, a_forked_child_has_signals_of_its_own);
}

int main(void)
{
    return run_suite("loop", 60, add_tests);
}
