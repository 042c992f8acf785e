/* A worker's slot: starts workers in it one after the other, watches their heartbeat, and
 * clears up after each before the next may start.
 *
 * The obituary of a dead worker, in this order: the process groups of its jobs are killed
 * until none is left; one log line says how it ended and what it held; its counters are
 * added up; its owner tag is kept for whoever is to give its jobs back (its successor,
 * and a sibling where no successor starts at once); then the slot moves on.
 */
#ifndef SUPERVISOR_WORKER_SLOT_H
#define SUPERVISOR_WORKER_SLOT_H

#include "base/board.h"
#include "supervisor/beat.h"
#include "supervisor/child.h"
#include "supervisor/launch.h"

struct tally { /* sums over all workers a slot has had */
    uint64_t done;
    uint64_t released;
    uint64_t postponed;
    uint64_t failed;
    uint64_t lost;
};

struct orphan { /* an owner tag to be handed on */
    uint32_t tag;
    bool handed; /* a sibling has been told too */
    char note[BOARD_NOTE_BYTES];
};

struct worker_slot_ops {
    const struct launch *(*launch)(void *arg); /* for the next start; slot and board are
                                                  filled in here */
    /* Its worker has ended without having been told to; before another is started. May
     * be NULL. */
    void (*ended)(void *arg, int status); /* from wait(2) */
    void (*changed)(void *arg);
};

struct worker_slot {
    struct child child;
    const char *pool; /* name, borrowed from the pool */
    unsigned index;
    const struct worker_slot_ops *ops;
    void *arg;
    struct board *board; /* of the worker that runs or has just died; NULL: none */
    struct beat beat;
    int64_t hung_ms;     /* it was aborted after so long without a heartbeat; 0: no */
    unsigned generation; /* of the configuration its worker was started with */
    bool ran;            /* has been RUNNING once */
    struct tally past;   /* of the dead */
    struct orphan orphans[BOARD_ORPHANS];
    size_t orphan_ct;
    /* While clearing up: */
    pid_t died_pid;
    int status; /* from wait(2) */
    unsigned held_ct;
    int64_t died_at_ms;
    int64_t look_ms;
    struct timer look;
};

struct worker_slot *worker_slot_create(struct loop *loop, struct reaper *reaper,
                                       const char *pool, unsigned index,
                                       const struct worker_slot_ops *ops,
                                       void *arg) MUSTCHECK;
void worker_slot_destroy(struct worker_slot *ws); /* its worker must be gone */

/* Looks at the heartbeat: `elapsed_ms`, `planned_ms` as in beat_is_late(). */
void worker_slot_tick(struct worker_slot *ws, int64_t elapsed_ms, int64_t planned_ms,
                      int64_t hang_timeout_ms);

/* Before it is told to end: lets its worker know why. Only the first reason counts. */
void worker_slot_tell_why(struct worker_slot *ws, enum board_end why);

/* Lets its worker take no jobs, or take them again. */
void worker_slot_pause(struct worker_slot *ws, bool paused);
/* No job runs in it, and none will before the pause is over. */
bool worker_slot_is_resting(const struct worker_slot *ws);

struct tally worker_slot_tally(const struct worker_slot *ws); /* dead and living */
uint32_t worker_slot_running(const struct worker_slot *ws);   /* jobs in flight */

/* Gives `orphan` to the running worker of this slot; false where it has no room. */
bool worker_slot_adopt(struct worker_slot *ws, const struct orphan *orphan);

#endif
