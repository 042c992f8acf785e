/* Forking a worker: a process of its own that shares this one's memory pages, and
 * nothing else.
 */
#ifndef SUPERVISOR_LAUNCH_H
#define SUPERVISOR_LAUNCH_H

#include <sys/types.h>

#include "supervisor/supervisor.h"

struct launch {
    worker_entry entry;
    const struct config *config;
    const struct pool_config *pool;
    const struct redis_endpoint *endpoint;
    unsigned slot;       /* index within the pool */
    unsigned generation; /* of the configuration, for the caller's own use */
    bool paused;         /* it begins without taking jobs; likewise */
    struct board *board;
};

/* Returns the pid, which is also the process group, or -1 with `err`. In the child it
 * does not return: entry() runs with all signals blocked and set to their defaults, with
 * fds 0-2 alone, and is sent TERM when this process dies; its result is the exit code. */
pid_t launch_worker(const struct launch *launch, struct err *err) MUSTCHECK;

/* Test seam: replaced to make fork fail. Points to fork(). */
extern pid_t (*launch_fork_hook)(void);

#endif
