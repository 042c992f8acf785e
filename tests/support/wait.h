/* Waiting for conditions in tests: polls until true, and fails the test with `what` when
 * the deadline passes. Deadlines are for broken code, not for slow machines: they are
 * long, and where each look takes its time so many looks are granted beyond them.
 */
#ifndef SUPPORT_WAIT_H
#define SUPPORT_WAIT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { WAIT_MS = 60000, WAIT_LOOKS = 500 };

typedef bool (*wait_cb)(void *arg);

void wait_until(wait_cb is_true, void *arg, const char *what);
bool wait_at_most(wait_cb is_true, void *arg, int64_t deadline_ms);

/* Polls a statement expression: WAIT_FOR(count(s) == 3). */
#define WAIT_FOR(condition)                                                              \
    do {                                                                                 \
        int64_t wait_since_ms_ = wait_now_ms();                                          \
        unsigned wait_looks_ = 0;                                                        \
        while (!(condition)) {                                                           \
            if (wait_is_over(wait_since_ms_, ++wait_looks_))                             \
                wait_failed(#condition, __FILE__, __LINE__);                             \
            wait_pause();                                                                \
        }                                                                                \
    } while (0)

int64_t wait_now_ms(void); /* monotonic */
/* Whether who waits since then, and has looked so often, is to give up. */
bool wait_is_over(int64_t since_ms, unsigned looks);
void wait_pause(void); /* a few milliseconds between two looks */

/* What is turned meanwhile, in place of sleeping: a few milliseconds a call. NULL:
 * nothing again. Waiting from inside of it only sleeps. */
void wait_set_turn(void (*turn)(void *arg), void *arg);
__attribute__((noreturn)) void wait_failed(const char *what, const char *file, int line);

bool process_exists(pid_t pid); /* a zombie does not count */
char process_state(pid_t pid);  /* as in proc(5): 'R', 'T' ...; 'X': there is none */

#endif
