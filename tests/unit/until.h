/* For tests that drive an event loop: turn it until something has come to be. */
#ifndef TESTS_UNTIL_H
#define TESTS_UNTIL_H

#include <check.h>

#include "base/clock.h"
#include "base/loop.h"

enum { UNTIL_LOOK_MS = 2, UNTIL_DEADLINE_MS = 60000 };

struct until {
    struct loop *loop;
    struct timer timer;
    bool (*holds)(void *arg);
    void *arg;
    int64_t deadline_ms;
};

static inline void until_look(void *arg)
{
    struct until *until = arg;

    if (until->holds(until->arg))
        loop_stop(until->loop);
    else if (clock_mono_ms() > until->deadline_ms)
        ck_abort_msg("waited too long");
    else
        timer_set(&until->timer, UNTIL_LOOK_MS);
}

/* Returns once holds(arg) is true, which it may be before the first turn. */
static inline void run_until(struct loop *loop, bool (*holds)(void *arg), void *arg)
{
    struct until until = {.loop = loop, .holds = holds, .arg = arg};

    until.deadline_ms = clock_mono_ms() + UNTIL_DEADLINE_MS;
    timer_init(&until.timer, loop, until_look, &until);
    timer_set(&until.timer, 0);
    loop_run(loop);
    timer_free(&until.timer);
}

static inline bool until_counted(void *arg)
{
    return *(unsigned *)arg == 0;
}

/* Returns once *left has come down to 0. */
static inline void run_until_zero(struct loop *loop, unsigned *left)
{
    run_until(loop, until_counted, left);
}

#endif
