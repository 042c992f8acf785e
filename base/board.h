/* The scoreboard: all that crosses the fork between supervisor and worker.
 *
 * The supervisor makes one board per start of a worker, in shared memory, and keeps it
 * until the worker is reaped and its jobs' process groups are gone. The worker writes,
 * the supervisor reads (`end` and `paused` go the other way); both may die at any
 * instruction, so every field stands alone (no locks, no pairs that must agree) and
 * readers take whatever they find with care: text is read through board_text(), numbers
 * are bounded by the reader.
 */
#ifndef BASE_BOARD_H
#define BASE_BOARD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

enum {
    BOARD_UUID_BYTES = 64,
    BOARD_NAME_BYTES = 96,
    BOARD_NOTE_BYTES = 128,
    BOARD_AWAY = 8, /* endpoints that can be told about */
    BOARD_DATABASES = 8,
    BOARD_HELD_QUEUES = 16,
    BOARD_ORPHANS = 16 /* tags a successor can be told about */
};

enum board_phase { BOARD_STARTING, BOARD_RUNNING, BOARD_DRAINING };
enum board_link { BOARD_LINK_DOWN, BOARD_LINK_UP };

/* Why the supervisor sends TERM; untold: it comes from somebody else. */
enum board_end { BOARD_END_UNTOLD, BOARD_END_STOP, BOARD_END_RELOAD, BOARD_END_SCALE };

/* One running job. A row is taken while `started_at_ms` != 0. */
struct board_job {
    _Atomic int64_t
        started_at_ms;   /* monotonic; written last on take, zeroed first on end */
    _Atomic pid_t group; /* process group of a shell job, 0: none */
    _Atomic int64_t attempt;
    char uuid[BOARD_UUID_BYTES];
    char name[BOARD_NAME_BYTES];
    char queue[BOARD_NAME_BYTES];
};

/* An owner tag left behind by an earlier worker of the slot, and how that one ended. */
struct board_orphan {
    _Atomic uint32_t tag; /* 0: free; the worker zeroes it once all is given back */
    char note[BOARD_NOTE_BYTES];
};

/* An endpoint of webhooks that the worker leaves alone for now. */
struct board_away {
    _Atomic int64_t failures; /* in a row; 0: free */
    char name[BOARD_NAME_BYTES];
};

/* A database of SQL jobs that cannot be used for now. */
struct board_database {
    _Atomic int64_t put_off_ct; /* runs that were put off for it; 0: free */
    char name[BOARD_NAME_BYTES];
    char why[BOARD_NOTE_BYTES];
};

/* A queue that the application lets the worker take no jobs from. */
struct board_held_queue {
    _Atomic int on;
    char name[BOARD_NAME_BYTES];
};

struct board {
    _Atomic int64_t beat; /* grows while the worker's loop turns */
    _Atomic int phase;    /* enum board_phase */
    _Atomic int end;      /* enum board_end; the supervisor writes it */
    _Atomic int paused;   /* 1: take no jobs; the supervisor writes it, or a signal
                             to the worker */
    _Atomic int resting;  /* 1: paused so, nothing runs, nothing is on its way */
    _Atomic int held;     /* 1: the application lets it take no jobs */
    _Atomic int link;     /* enum board_link: Redis */
    _Atomic int64_t link_since_ms; /* monotonic, of the last change of `link` */
    _Atomic uint32_t tag;          /* the worker's owner tag in Redis, 0: none yet */
    _Atomic uint32_t running;      /* jobs in flight */
    _Atomic uint64_t done;         /* jobs acked */
    _Atomic uint64_t released;     /* attempts that ended in a release */
    _Atomic uint64_t postponed;    /* runs that were put off before they were tried */
    _Atomic uint32_t away_ct;      /* endpoints left alone; `away` has the first */
    struct board_away away[BOARD_AWAY];
    struct board_database databases[BOARD_DATABASES];
    struct board_held_queue
        held_queues[BOARD_HELD_QUEUES]; /* the first few of the pool */
    _Atomic uint64_t failed;            /* jobs moved to the failed store */
    _Atomic uint64_t lost; /* leases that were no longer ours at settle or extend */
    struct board_orphan orphans[BOARD_ORPHANS];
    uint32_t next;           /* the worker's alone: where it looks for a free row first */
    struct board_job jobs[]; /* board_job_ct() rows */
};

struct board *board_create(uint32_t job_ct, struct err *err) MUSTCHECK;
void board_destroy(struct board *board); /* NULL is fine; unmaps in this process only */
uint32_t board_job_ct(const struct board *board); /* whatever the worker wrote */

/* For the worker. A taken row is borrowed from the board; NULL never: there are
 * rows enough. `now_ms` is monotonic. */
struct board_job *board_take(struct board *board, int64_t now_ms, const char *uuid,
                             const char *name, const char *queue, int64_t attempt);
void board_end(struct board_job *job);

/* For the worker: what is left alone now. Entry `at` of the list; failures 0: none. */
void board_set_away(struct board *board, size_t at, const char *name, int64_t failures);

/* Likewise for a database; put_off_ct 0: none. */
void board_set_database(struct board *board, size_t at, const char *name, const char *why,
                        int64_t put_off_ct);

/* Likewise for the pool's queue `at`; there is room for the first few, the others are not
 * told. */
void board_set_held_queue(struct board *board, size_t at, const char *name, bool on);

/* For the supervisor: copies at most size - 1 bytes, always NUL-terminated. */
void board_text(const char *field, size_t field_size, char *text, size_t size);

/* Kills (SIGKILL) the process groups of all rows; returns how many were signalled. */
unsigned board_kill_groups(struct board *board);

#endif
