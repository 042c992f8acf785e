/* What a chaos run will do: its jobs and its faults, all from the seed.
 *
 * Pure: the same options give the same plan, on every machine. Which process a fault hits
 * is only known when it strikes (`pick` chooses among those that are there).
 */
#ifndef CHAOS_PLAN_H
#define CHAOS_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/buf.h"

enum { PLAN_HOSTS = 2, PLAN_WORKERS = 3, PLAN_TRIES = 3, PLAN_LEASE_MS = 5000 };

enum job_kind {
    JOB_QUICK,
    JOB_SLOW, /* longer than a lease at times */
    JOB_NOOP,
    JOB_FLAKY, /* fails a few times, then goes well */
    JOB_DOOMED,
    JOB_DELAYED,
    JOB_TWIN, /* the same bytes twice */
    JOB_BAD,  /* no payload at all */
    JOB_POISON,
    JOB_STUBBORN, /* runs into its timeout and ignores TERM */
    JOB_DAEMON,
    JOB_BIG,
    JOB_KINDS
};

enum fault_kind {
    FAULT_KILL_WORKER,
    FAULT_KILL_ALL_WORKERS,
    FAULT_KILL_WORKER_TREE,
    FAULT_STOP_WORKER,
    FAULT_KILL_SUPER,
    FAULT_STOP_SUPER,
    FAULT_TERM_SUPER,
    FAULT_KILL_HOST,
    FAULT_CLOCK,
    FAULT_RELOAD,
    FAULT_RELOAD_BAD,
    FAULT_SCALE,
    FAULT_NET_CUT,
    FAULT_NET_FRAGMENT,
    FAULT_NET_RST,
    FAULT_NET_REFUSE,
    FAULT_NET_BLACKHOLE,
    FAULT_NET_LOST_ACK,
    FAULT_NET_LOST_ACK_REPLY,
    FAULT_NET_LOST_RESERVE,
    FAULT_REDIS_RESTART,
    FAULT_REDIS_KILL,
    FAULT_REDIS_STOP,
    FAULT_REDIS_LOADING,
    FAULT_REDIS_BUSY,
    FAULT_REDIS_READONLY,
    FAULT_REDIS_OOM,
    FAULT_REDIS_MAXCLIENTS,
    FAULT_SCRIPT_FLUSH,
    FAULT_CLIENT_KILL,
    FAULT_KINDS
};

/* Faults of one lane never overlap; those of different lanes do. */
enum fault_lane { LANE_HOST, LANE_NET, LANE_REDIS };

/* What a fault may cost beyond time: the only ways a job may run more often than its
 * attempts. */
enum fault_harm {
    HARM_NONE,   /* no second run, ever */
    HARM_HOLDER, /* the processes it hits: their jobs run again */
    HARM_CUTOFF, /* a holder cut off for long enough to lose its lease */
    HARM_ENDING  /* runs that are cut short are given back and run again */
};

struct fault_info {
    const char *name;
    enum fault_lane lane;
    enum fault_harm harm;
    uint32_t min_ms, max_ms;
};

struct planned_job {
    uint32_t n;     /* its number, in its uuid; a twin has its elder's */
    uint32_t at_ms; /* from the start of the run */
    uint32_t run_ms;
    uint32_t delay_ms;
    uint32_t fails; /* attempts that fail before one goes well */
    uint8_t queue;  /* 0 high, 1 default, 2 low */
    uint8_t kind;   /* enum job_kind */
};

struct planned_fault {
    uint32_t at_ms, for_ms;
    uint32_t pick; /* a random number to choose a victim by */
    uint8_t kind;  /* enum fault_kind */
    uint8_t host;  /* 0 for Redis */
};

struct plan {
    uint64_t seed;
    uint32_t run_ms; /* jobs and faults begin within */
    struct planned_job *jobs;
    size_t job_ct;
    struct planned_fault *faults; /* by time */
    size_t fault_ct;
};

struct plan_options {
    uint64_t seed;
    uint32_t seconds;
    uint32_t jobs;
    const bool *faults; /* by enum fault_kind: which may come; NULL: all */
};

extern const struct fault_info fault_infos[FAULT_KINDS];
extern const char *const job_kind_names[JOB_KINDS];
extern const char *const queue_names[3];

void plan_make(struct plan *plan, const struct plan_options *options);
void plan_free(struct plan *plan);
void plan_print(const struct plan *plan, FILE *out);

/* "a,b,c" into flags by fault_kind; -1: there is no such name. */
int plan_read_faults(const char *list, bool faults[FAULT_KINDS]) MUSTCHECK;

/* The bytes of a job as they are pushed. */
void plan_payload(const struct planned_job *job, uint64_t seed, struct buf *out);

/* The number of a job by its payload or its uuid; -1: none of ours. */
long plan_find_number(struct slice payload);
void plan_uuid(uint32_t n, char text[37]);

/* Random numbers, the same everywhere. */
uint64_t prng_next(uint64_t *state);
uint32_t prng_between(uint64_t *state, uint32_t min, uint32_t max); /* both included */

#endif
