/* The supervisor: forks, watches, restarts, scales, reloads, stops. It opens no network
 * connection, touches no payload, and survives whatever its children do.
 */
#ifndef SUPERVISOR_SUPERVISOR_H
#define SUPERVISOR_SUPERVISOR_H

#include "base/board.h"
#include "config/config.h"

/* Exit codes of workers and of the supervisor itself. */
enum supervisor_exit {
    SUPERVISOR_EXIT_DONE = 0,
    SUPERVISOR_EXIT_FAILURE = 1,
    SUPERVISOR_EXIT_CONFIG = 2, /* starting it again cannot help */
    SUPERVISOR_EXIT_MEMORY = 12 /* a worker's only, as queue:work's */
};

/* A worker's life, run in the forked child; returns its exit code (0 drained or recycled,
 * 1 failure, 2 bad configuration: not restarted, 12 a co-process got too large). All
 * signals are blocked when called. */
typedef int (*worker_entry)(const struct config *config, const struct pool_config *pool,
                            const struct redis_endpoint *endpoint, unsigned slot,
                            struct board *board);

/* Reads and checks the configuration, as config_load() does. */
typedef struct config *(*config_loader)(const char *path, struct err *err);

/* The signal that has begun the stop, once more within so long, is the same word:
 * timeout(1) and many process managers signal their child, and then its whole group. */
enum { SUPERVISOR_REPEAT_MS = 100 };

struct supervisor_options {
    struct config *config;   /* taken: replaced and freed at a reload */
    const char *config_path; /* as given with -c; NULL: searched again at a reload */
    config_loader load;      /* for reloads; NULL: there is nothing to reload, and HUP
                                is an end as TERM is */
    worker_entry worker;
    int64_t repeat_ms; /* 0: SUPERVISOR_REPEAT_MS; tests change it */
};

/* Before the configuration is read: from now on a reload, a pause or a change of the pool
 * (HUP, USR1, USR2, TTIN, TTOU) waits until supervisor_run() hears it. A stop does not,
 * for nothing has been begun. */
void supervisor_hold_signals(void);

/* Runs until told to stop, or with config->work until a worker ends by itself without
 * having failed, or cannot help failing: with the worker's exit code then. Returns the
 * process's exit code (0 stopped, 1 failure, 2 config or another supervisor holds
 * state_dir). Logs its own errors. All signals are blocked when it returns, so that none
 * that comes late changes the exit: the process is to end. */
int supervisor_run(const struct supervisor_options *options);

#endif
