/* Faults in the C library's calls of drover: a library that is loaded before all others
 * (preload.c), and one page that it shares with the test, which turns knobs while
 * everything runs.
 *
 * Jobs do not get it: their environment is built from nothing.
 */
#ifndef SUPPORT_FAULT_H
#define SUPPORT_FAULT_H

#include <stdatomic.h>
#include <stdint.h>

#define FAULT_VARIABLE "DROVER_TEST_FAULTS" /* path of the page */

struct fault {
    _Atomic int64_t clock_shift_s;    /* of the wall clock */
    _Atomic uint32_t fork_fail_ct;    /* so many forks more fail ... */
    _Atomic int fork_errno;           /* ... with this */
    _Atomic int spawn_errno;          /* != 0: no program can be started, for this */
    _Atomic uint32_t die_at_birth;    /* != 0: what is forked ends at once, status 1 */
    _Atomic uint32_t interrupt_every; /* each n-th call is EINTR; 0: none */
    _Atomic uint32_t shorten_every;   /* each n-th read or write does half; 0: none */
    _Atomic uint32_t hold_reads; /* != 0: who is about to read waits, and is counted */
    _Atomic int raise_at_close;  /* != 0: with each close this signal comes */
    _Atomic uint32_t turn_names; /* != 0: names that end in ".turning.example" have
                                    127.0.0.1 and 127.0.0.2 in turn, lookup by lookup */
    /* What came of it. */
    _Atomic uint32_t forked_ct, fork_failed_ct, interrupted_ct, shortened_ct, held_ct;
};

/* From now on what this process starts has it. The page is a file in `dir`. */
struct fault *fault_open(const char *dir);
void fault_hide(void); /* from now on what is started is without it */
void fault_close(struct fault *fault);

#endif
