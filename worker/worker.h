/* The worker process: reserve -> run -> settle, one event loop, `concurrency` jobs in
 * flight.
 */
#ifndef WORKER_WORKER_H
#define WORKER_WORKER_H

#include "base/board.h"
#include "config/config.h"

enum worker_exit {
    WORKER_EXIT_DRAINED = 0, /* asked to stop, or recycled: all jobs settled */
    WORKER_EXIT_FAILURE = 1,
    WORKER_EXIT_CONFIG = 2, /* restarting cannot help */
    WORKER_EXIT_MEMORY = 12 /* a co-process holds more than config->work allows */
};

struct worker_start {
    const struct config *config;
    const struct pool_config *pool;
    const struct redis_endpoint *endpoint;
    unsigned slot;       /* index within the pool */
    struct board *board; /* shared with the supervisor */
    int64_t grace_ms;    /* from a first TERM to the end: config's stop_grace */
    /* The worker drains and exits 0 when an application asks for a restart; otherwise
     * only its runners are replaced. */
    bool end_at_restart;
};

/* Runs in a process of its own, right after the fork, signals still blocked; returns the
 * exit code. TERM, INT and QUIT drain: running jobs may end within grace_ms, then they
 * are stopped and given back. A second one stops them at once. The death of the
 * supervisor arrives as TERM. */
int worker_main(const struct worker_start *start);

#endif
