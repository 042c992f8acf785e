/* A worker's place: its states, the table of state x event, and the restart policy. Pure:
 * no process, no clock, no log; time comes in, actions come out.
 */
#ifndef SUPERVISOR_SLOT_H
#define SUPERVISOR_SLOT_H

#include <stdbool.h>
#include <stdint.h>

enum slot_state {
    SLOT_EMPTY,    /* not wanted, or not started yet */
    SLOT_STARTING, /* forked, its loop has not turned yet */
    SLOT_RUNNING,  /* its loop turns, Redis or not */
    SLOT_STOPPING, /* asked to drain */
    SLOT_KILLING,  /* must go: ABRT (it hung) or a second TERM sent, then KILL */
    SLOT_BACKOFF,  /* waits before the next start */
    SLOT_FATAL,    /* will not be restarted until a reload */
    SLOT_STATE_CT
};

enum slot_event {
    SLOT_START, /* wanted, start it */
    SLOT_SPAWN_FAILED,
    SLOT_READY,       /* first heartbeat */
    SLOT_BEAT_LATE,   /* no heartbeat for hang_timeout, or none after the start */
    SLOT_EXIT_OK,     /* exit status 0 */
    SLOT_EXIT_BAD,    /* other exit, or a signal */
    SLOT_EXIT_CONFIG, /* exit status 2 */
    SLOT_STOP,        /* drain it and leave the slot empty */
    SLOT_RECYCLE,     /* drain it and start anew (reload) */
    SLOT_KILL,        /* end it at once and leave the slot empty */
    SLOT_TIMER,       /* the timer this slot asked for has fired */
    SLOT_NEEDED,      /* its pool has no worker: do not wait long */
    SLOT_EVENT_CT
};

/* What the supervisor is to do, as bits; several may come together. */
enum slot_action {
    SLOT_DO_NOTHING = 0,
    SLOT_DO_SPAWN = 1 << 0,
    SLOT_DO_TERM = 1 << 1,
    SLOT_DO_ABORT = 1 << 2,
    SLOT_DO_KILL = 1 << 3,
    SLOT_DO_TIMER = 1 << 4, /* call back with SLOT_TIMER after timer_ms */
    SLOT_DO_CANCEL_TIMER = 1 << 5
};

struct slot {
    enum slot_state state;
    bool wanted;       /* start again once it has ended */
    bool started;      /* once at least */
    unsigned crash_ct; /* bad exits in a row */
    unsigned quick_ct; /* exits 0 in a row, each soon after its start */
    bool asked;        /* the worker ends because it was told to */
    bool counted;      /* the start in progress is one of the restarts */
    uint64_t restarts; /* starts after an end that nobody had asked for */
    int64_t started_at_ms;
    int64_t timer_ms;  /* for SLOT_DO_TIMER */
    int64_t due_at_ms; /* when that timer fires */
};

struct slot_times {
    int64_t stop_ms;    /* from TERM to KILL: grace and a margin */
    int64_t abort_ms;   /* from ABRT to KILL */
    int64_t kill_ms;    /* from the TERM of SLOT_KILL to KILL */
    int64_t healthy_ms; /* a run this long forgives earlier crashes */
};

void slot_init(struct slot *slot);
const char *slot_state_name(enum slot_state state); /* "running": as status prints it */

/* Moves the slot; returns slot_action bits. `random` (any number) gives the jitter. */
unsigned slot_event(struct slot *slot, enum slot_event event,
                    const struct slot_times *times, int64_t now_ms, uint32_t random);

/* Delay before start number `crash_ct` + 1 after that many bad exits in a row: 0 after
 * the first, then 1 s doubling to 60 s, +-20 %. */
int64_t slot_backoff_ms(unsigned crash_ct, uint32_t random);

/* However long a backoff has grown, the one slot of a pool that is to have a worker
 * again, because no other has (SLOT_NEEDED), waits no longer than this, +-20 %: what is
 * ready may be innocent. */
enum { SLOT_NEEDED_MS = 4000 };

#endif
