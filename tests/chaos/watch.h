/* Looking at the processes of a run from time to time: zombies that nobody reaps, and how
 * much the supervisors hold.
 */
#ifndef CHAOS_WATCH_H
#define CHAOS_WATCH_H

#include <stdint.h>

#include "tests/chaos/hosts.h"

enum { WATCH_ZOMBIES = 128 };

struct zombie {
    pid_t pid; /* 0: free */
    int64_t since_ns;
    int seen;
};

struct watch {
    struct zombie zombies[WATCH_ZOMBIES];
    unsigned zombie_ct; /* that stayed for too long */
    long zombie_max_ms;
    int64_t next_ns;
};

void watch_tick(struct watch *watch, struct host *hosts, int64_t now_ns);

#endif
