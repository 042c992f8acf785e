/* One co-process: a child that runs one job after the other, told of them in frames on
 * its fd 3 and answering in frames on its fd 4 (docs/coprocess.md).
 *
 *   BOOTING --hello--> UP --dismissed--> LEAVING --> gone
 *
 * Whatever the state, it is gone once it is reaped, and only then.
 */
#ifndef JOBS_RUNNER_H
#define JOBS_RUNNER_H

#include <sys/queue.h>

#include "jobs/frame.h"
#include "jobs/output.h"

enum runner_state { RUNNER_BOOTING, RUNNER_UP, RUNNER_LEAVING };

struct runner;
struct team;

/* How it ended. */
struct runner_end {
    char cause[OUTCOME_REASON_BYTES]; /* "runner killed by SIGSEGV" */
    int exit_status;                  /* -1: none */
    int signal;                       /* 0: none */
    int64_t cpu_ms;                   /* of its whole life */
    int64_t max_rss_kb;
};

/* All called from the loop, never from inside a call to the runner. */
struct runner_events {
    /* It said hello, and what its application is (borrowed). */
    void (*ready)(struct runner *runner, struct slice told);
    /* Any frame but hello; the callee may kill or dismiss the runner. */
    void (*said)(struct runner *runner, const struct frame *frame);
    /* Once. What it wrote is in out and err still; it is freed later in this turn. */
    void (*gone)(struct runner *runner, const struct runner_end *end);
};

struct runner {
    TAILQ_ENTRY(runner) link; /* the owner's, as are the next three */
    struct team *team;
    struct run *run; /* what it runs or boots for; NULL: nothing */
    int64_t job_ct;
    const struct runner_events *events;
    const struct job_config *config;
    struct handler_env env;
    pid_t pid; /* its process group too */
    enum runner_state state;
    bool tells_state;                 /* it can be asked how the application is */
    bool stale;                       /* it booted before a restart was asked for */
    bool killed;                      /* deaf to what it still says */
    char fault[OUTCOME_REASON_BYTES]; /* why it was killed, or is dying; "" */
    int64_t started_ms;               /* monotonic */
    int64_t boot_ms;
    int64_t memory_bytes; /* as last said */
    int to_fd, from_fd;   /* -1: closed */
    struct event *to_event, *from_event;
    struct buf to; /* written as far as to_at */
    size_t to_at;
    struct buf from;
    struct output out, err;
    struct timer timer; /* boot, leaving */
    const char *late;   /* what it is guilty of when the timer fires */
};

/* Starts one for a job's entry and greets it. `group` (may be NULL) is the scoreboard's
 * cell, written by the child. NULL: `err` says why. */
struct runner *runner_start(const struct handler_env *env,
                            const struct job_config *config,
                            const struct runner_events *events, _Atomic(pid_t) *group,
                            struct err *err) MUSTCHECK;

/* Sends what `frames` holds, now or as the runner reads it; one that has died is found
 * out by its end. */
void runner_send(struct runner *runner, struct slice frames);

/* It has ended, though nobody may have been told yet. */
bool runner_has_ended(const struct runner *runner);

/* What it writes from now on is another job's. */
void runner_restart_output(struct runner *runner);

/* Closes its fd 3, which asks it to end; kills it where that takes longer than the
 * entry's kill_grace. */
void runner_dismiss(struct runner *runner);

void runner_ask(struct runner *runner); /* SIGTERM to its process group */

/* SIGKILL to its process group; `fault` (may be NULL) then is the cause of its end. */
void runner_kill(struct runner *runner, const char *fault);

/* Kills and forgets it: no callback comes. For the end of the worker. */
void runner_destroy(struct runner *runner);

#endif
