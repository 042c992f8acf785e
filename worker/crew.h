/* What the files of worker/ share: the state of one worker process.
 *
 *   worker.c   the process: set-up, signals, heartbeat, drain, recycling
 *   flight.c   one job in flight: admitted -> (held) -> running -> settled
 *   stint.c    how long a worker of `drover work` stays, and its rests
 *   report.c   the line on stdout that `drover work` prints of each job
 *   verdict.c  what becomes of it: ack, release, fail or give back; the log line
 *   pausing.c  when it takes no jobs though it could
 *   record.c   the text of a failed record (pure)
 */
#ifndef WORKER_CREW_H
#define WORKER_CREW_H

#include <sys/queue.h>

#include "base/board.h"
#include "base/loop.h"
#include "base/reaper.h"
#include "config/config.h"
#include "failed/mover.h"
#include "jobs/handler.h"
#include "jobs/shortage.h"
#include "queue/queue.h"
#include "worker/worker.h"

TAILQ_HEAD(flight_list, flight);

enum worker_phase {
    WORKER_WORKING,
    WORKER_DRAINING, /* running jobs may still end by themselves */
    WORKER_STOPPING, /* they have been told to */
    WORKER_LEAVING   /* nothing is left but to say goodbye to Redis */
};

struct worker {
    const struct worker_start *start;
    struct loop *loop;
    struct handler_env env;
    struct shortage shortage;
    struct queue *queue;
    struct mover *mover; /* NULL: failed jobs stay in Redis */
    enum worker_phase phase;
    bool drained; /* no reserve is in flight and none will be */
    enum worker_exit exit_code;

    struct flight_list running;
    struct flight_list held; /* suspects, each to run alone; oldest first */
    unsigned running_ct;
    struct flight *alone;     /* the suspect that runs; nothing is started beside it */
    struct flight *announced; /* a held one that Redis is being told about */
    unsigned held_ct;
    uint64_t ran_ct; /* that were tried and have ended, as max_jobs counts them */
    bool paused_by_supervisor;
    const char *paused_by_application; /* why; NULL: it is not */

    struct timer beat;
    struct timer grace;    /* while draining: running jobs are stopped when it fires */
    struct timer lifetime; /* max_time */
    struct timer rest;     /* nothing is reserved while it is set */
    struct timer empty;    /* there has been no job since it was set */
    struct timer last;     /* the mover is looked at */
    int64_t last_until_ms; /* monotonic; 0: not yet */
    struct report *report; /* NULL: jobs are not reported */
};

/* Tells the queue how many jobs could start now. */
void worker_want(struct worker *worker);

/* After each end of a job: next suspect, recycling, the end of a drain. */
void worker_settled_one(struct worker *worker);

/* Begins a drain; `why` goes to the log. Again: nothing. */
void worker_drain(struct worker *worker, const char *why);

#endif
