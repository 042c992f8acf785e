/* A way to run jobs. Each handler is one file with one `struct handler`.
 *
 * Walk of one run: the worker calls start(); the handler returns a run and later, from
 * the loop, calls done() exactly once; before that the worker may call cancel() any
 * number of times. start() that returns NULL fills `outcome` instead (kind RETRY,
 * POSTPONE or FAIL) and never calls done(). The run frees itself after done() returns;
 * the worker must not touch it any more. Timeouts are the worker's: it calls
 * cancel(CANCEL_TIMEOUT).
 */
#ifndef JOBS_HANDLER_H
#define JOBS_HANDLER_H

#include <sys/types.h>

#include "base/loop.h"
#include "base/reaper.h"
#include "config/config.h"
#include "jobs/outcome.h"
#include "jobs/payload.h"
#include "jobs/policy.h"

struct coprocess;
struct http;
struct shortage;
struct sql;

/* What a handler may use of its process. */
struct handler_env {
    struct loop *loop;
    struct reaper *reaper;
    struct shortage *shortage;   /* of processes for jobs of type shell */
    struct http *http;           /* NULL: no job is of type http */
    struct coprocess *coprocess; /* NULL: no job is of type laravel */
    struct sql *sql;             /* NULL: no job is of type sql */
};

/* The job to run. Borrowed until done() returns or start() returned NULL. */
struct job {
    const struct payload *payload;
    const struct job_config *config;
    const char *uuid;
    const char *name;
    const char *queue;           /* logical name: "default" */
    int64_t attempt;             /* 1-based */
    int64_t max_tries;           /* 0: without limit */
    const struct policy *policy; /* what max_tries is from; NULL: of no interest */
    _Atomic(pid_t) *group;       /* scoreboard cell for a process group; may be NULL */
};

enum cancel_reason {
    CANCEL_TIMEOUT, /* outcome RETRY and timed_out; nothing if it had ended by itself */
    CANCEL_LOST,    /* the lease is gone: stop as fast as can be, outcome ABANDONED */
    CANCEL_STOP,    /* the worker must go: TERM, grace, KILL; outcome ABANDONED */
    CANCEL_NOW      /* at once: KILL; outcome ABANDONED unless already timed out */
};

struct run; /* each handler's own */
typedef void (*run_done_cb)(void *arg, const struct outcome *outcome);

struct handler {
    const char *name; /* "shell": the word in the configuration */
    /* Tries, retryUntil and timeouts are the handler's own business: a job that has none
     * left is started too, so that it can end as it should. */
    bool decides;
    struct run *(*start)(const struct handler_env *env, const struct job *job,
                         run_done_cb done, void *arg, struct outcome *outcome);
    void (*cancel)(struct run *run, enum cancel_reason why);
};

extern const struct handler shell_handler;
extern const struct handler noop_handler;
extern const struct handler http_handler;
extern const struct handler laravel_handler;
extern const struct handler sql_handler;

/* Laravel's name of the queue connection that jobs of the entry (may be NULL) come by. */
const char *job_connection(const struct job_config *config);

const struct handler *handler_of(int type); /* enum job_type; never NULL */

#endif
