/* One event loop per process, on libevent, with timers in milliseconds and frees that
 * wait for the end of the turn.
 *
 * Callbacks run on the loop's own stack, one at a time. A forked child never touches
 * its parent's loop: it makes its own. An object that a callback on the stack may
 * still use is freed with loop_defer_free().
 */
#ifndef BASE_LOOP_H
#define BASE_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include <event2/event_struct.h>

#include "base/err.h"

struct event_base;
struct loop;

struct loop *loop_create(struct err *err) MUSTCHECK;
void loop_destroy(struct loop *loop); /* NULL is fine; timers must be stopped before */
struct event_base *loop_base(struct loop *loop);

void loop_run(struct loop *loop);  /* returns after loop_stop() */
void loop_stop(struct loop *loop); /* after this turn; before loop_run(): at once */
uint64_t loop_turns(const struct loop *loop);

/* For who does a part of what was ready in this turn: the rest is for the next one. And
 * for who would rather act once for all of it: whether this turn leaves any. */
void loop_leave_rest(struct loop *loop);
bool loop_has_rest(const struct loop *loop);

/* Calls release(ptr) after the callbacks of this turn have returned. */
void loop_defer_free(struct loop *loop, void *ptr, void (*release)(void *ptr));

/* For who has called off something of libevent's that tells it so in one of the next
 * turns, and holds memory until it has: loop_destroy() waits for the word, which comes at
 * once. */
void loop_await_word(struct loop *loop);
void loop_had_word(struct loop *loop);

/* A timer fires once per timer_set(). Setting a set timer moves it. Never fires from
 * inside timer_set(). */
typedef void (*timer_cb)(void *arg);
struct timer {
    struct event event; /* loop.c's; inside, for every job has timers */
    bool is_made;
    timer_cb cb;
    void *arg;
};
void timer_init(struct timer *timer, struct loop *loop, timer_cb cb, void *arg);
void timer_set(struct timer *timer, int64_t after_ms); /* below 0 counts as 0 */
void timer_set_us(struct timer *timer, int64_t after_us);
void timer_set_soon(struct timer *timer); /* as 0 ms, but without a look at the clock */
void timer_stop(struct timer *timer);
bool timer_is_set(const struct timer *timer);
void timer_free(struct timer *timer); /* safe inside its own callback, and twice */

/* Calls cb(signum, arg) from the loop: once for any number of the same signal that came
 * since the last turn. One callback per signal; unblocks the signal, so it may be blocked
 * until here. In a forked child, handlers of its parent's loop stay until the child's own
 * loop watches the signal: keep signals blocked that far. */
typedef void (*signal_cb)(int signum, void *arg);
int loop_on_signal(struct loop *loop, int signum, signal_cb cb, void *arg) MUSTCHECK;
void loop_off_signal(struct loop *loop,
                     int signum); /* back to the default; unknown: fine */

/* All of this process, until loop_on_signal() or sigprocmask() lets one through: before
 * its handlers stand, and before they go. */
void loop_block_signals(void);

#endif
