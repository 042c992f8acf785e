/* The plan of a run, from its seed alone. Knows nothing of processes, clocks or Redis.
 * Jobs and each lane of faults draw from streams of their own, so that leaving faults out
 * changes no job. */
#include "tests/chaos/plan.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_FAULT_MS = 500, LANES = 2 * PLAN_HOSTS + 1 };

const char *const queue_names[3] = {"high", "default", "low"};

const char *const job_kind_names[JOB_KINDS] = {
    [JOB_QUICK] = "quick",       [JOB_SLOW] = "slow",     [JOB_NOOP] = "noop",
    [JOB_FLAKY] = "flaky",       [JOB_DOOMED] = "doomed", [JOB_DELAYED] = "delayed",
    [JOB_TWIN] = "twin",         [JOB_BAD] = "bad",       [JOB_POISON] = "poison",
    [JOB_STUBBORN] = "stubborn", [JOB_DAEMON] = "daemon", [JOB_BIG] = "big"};

/* Of a thousand jobs. */
static const unsigned job_shares[JOB_KINDS] = {
    [JOB_QUICK] = 480, [JOB_SLOW] = 12,     [JOB_NOOP] = 140,  [JOB_FLAKY] = 80,
    [JOB_DOOMED] = 40, [JOB_DELAYED] = 80,  [JOB_TWIN] = 60,   [JOB_BAD] = 40,
    [JOB_POISON] = 3,  [JOB_STUBBORN] = 15, [JOB_DAEMON] = 25, [JOB_BIG] = 25};

const struct fault_info fault_infos[FAULT_KINDS] = {
    [FAULT_KILL_WORKER] = {"kill-worker", LANE_HOST, HARM_HOLDER, 0, 0},
    [FAULT_KILL_ALL_WORKERS] = {"kill-all-workers", LANE_HOST, HARM_HOLDER, 0, 0},
    [FAULT_KILL_WORKER_TREE] = {"kill-worker-tree", LANE_HOST, HARM_HOLDER, 0, 0},
    [FAULT_STOP_WORKER] = {"stop-worker", LANE_HOST, HARM_HOLDER, 500, 8000},
    [FAULT_KILL_SUPER] = {"kill-super", LANE_HOST, HARM_ENDING, 0, 1500},
    [FAULT_STOP_SUPER] = {"stop-super", LANE_HOST, HARM_NONE, 500, 5000},
    [FAULT_TERM_SUPER] = {"term-super", LANE_HOST, HARM_ENDING, 0, 1500},
    [FAULT_KILL_HOST] = {"kill-host", LANE_HOST, HARM_HOLDER, 0, 5000},
    [FAULT_CLOCK] = {"clock", LANE_HOST, HARM_NONE, 1000, 6000},
    [FAULT_RELOAD] = {"reload", LANE_HOST, HARM_ENDING, 0, 0},
    [FAULT_RELOAD_BAD] = {"reload-bad", LANE_HOST, HARM_NONE, 300, 300},
    [FAULT_SCALE] = {"scale", LANE_HOST, HARM_ENDING, 1000, 4000},
    [FAULT_NET_CUT] = {"net-cut", LANE_NET, HARM_CUTOFF, 200, 1500},
    [FAULT_NET_FRAGMENT] = {"net-fragment", LANE_NET, HARM_NONE, 500, 2000},
    [FAULT_NET_RST] = {"net-rst", LANE_NET, HARM_NONE, 0, 0},
    [FAULT_NET_REFUSE] = {"net-refuse", LANE_NET, HARM_CUTOFF, 200, 4000},
    [FAULT_NET_BLACKHOLE] = {"net-blackhole", LANE_NET, HARM_CUTOFF, 500, 7000},
    [FAULT_NET_LOST_ACK] = {"net-lost-ack", LANE_NET, HARM_CUTOFF, 500, 2000},
    [FAULT_NET_LOST_ACK_REPLY] = {"net-lost-ack-reply", LANE_NET, HARM_CUTOFF, 500, 2000},
    [FAULT_NET_LOST_RESERVE] = {"net-lost-reserve", LANE_NET, HARM_CUTOFF, 500, 2000},
    [FAULT_REDIS_RESTART] = {"redis-restart", LANE_REDIS, HARM_CUTOFF, 100, 2500},
    [FAULT_REDIS_KILL] = {"redis-kill", LANE_REDIS, HARM_CUTOFF, 100, 2500},
    [FAULT_REDIS_STOP] = {"redis-stop", LANE_REDIS, HARM_CUTOFF, 1000, 4000},
    [FAULT_REDIS_LOADING] = {"redis-loading", LANE_REDIS, HARM_CUTOFF, 1000, 2500},
    [FAULT_REDIS_BUSY] = {"redis-busy", LANE_REDIS, HARM_CUTOFF, 500, 3000},
    [FAULT_REDIS_READONLY] = {"redis-readonly", LANE_REDIS, HARM_CUTOFF, 300, 3000},
    [FAULT_REDIS_OOM] = {"redis-oom", LANE_REDIS, HARM_NONE, 500, 4000},
    [FAULT_REDIS_MAXCLIENTS] = {"redis-maxclients", LANE_REDIS, HARM_CUTOFF, 300, 3000},
    [FAULT_SCRIPT_FLUSH] = {"script-flush", LANE_REDIS, HARM_NONE, 0, 0},
    [FAULT_CLIENT_KILL] = {"client-kill", LANE_REDIS, HARM_NONE, 0, 0}};

/* ---- random numbers: splitmix64 ---- */

uint64_t prng_next(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15U;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
}

uint32_t prng_between(uint64_t *state, uint32_t min, uint32_t max)
{
    return min + (uint32_t)(prng_next(state) % ((uint64_t)max - min + 1));
}

static uint64_t stream(uint64_t seed, uint64_t number)
{
    uint64_t state = seed ^ (number * 0xd1342543de82ef95U);

    (void)prng_next(&state);
    return prng_next(&state);
}

/* ---- jobs ---- */

static enum job_kind draw_kind(uint64_t *state)
{
    uint32_t at = prng_between(state, 0, 999);

    for (int kind = 0; kind < JOB_KINDS; kind++) {
        if (at < job_shares[kind])
            return (enum job_kind)kind;
        at -= job_shares[kind];
    }
    return JOB_QUICK;
}

static void draw_job(struct planned_job *job, uint32_t n, uint32_t run_ms,
                     uint64_t *state)
{
    *job = (struct planned_job){.n = n, .kind = (uint8_t)draw_kind(state)};
    job->at_ms = prng_between(state, 0, run_ms);
    job->queue = (uint8_t)prng_between(state, 0, 2);
    /* Most jobs are short: the square of a uniform number. */
    job->run_ms = prng_between(state, 0, 22);
    job->run_ms *= job->run_ms;
    if (job->kind == JOB_SLOW)
        job->run_ms = prng_between(state, 1500, PLAN_LEASE_MS + 2000);
    if (job->kind == JOB_DELAYED)
        job->delay_ms = prng_between(state, 100, 5000);
    if (job->kind == JOB_FLAKY)
        job->fails = prng_between(state, 1, PLAN_TRIES - 1);
    if (job->kind == JOB_DAEMON || job->kind == JOB_BAD)
        job->fails = prng_between(state, 0, 7); /* which variant */
}

static int by_time(const void *a, const void *b)
{
    const struct planned_job *x = a, *y = b;

    if (x->at_ms != y->at_ms)
        return x->at_ms < y->at_ms ? -1 : 1;
    return (x->n > y->n) - (x->n < y->n);
}

static void plan_jobs(struct plan *plan, uint32_t ct)
{
    uint64_t state = stream(plan->seed, 1);

    plan->jobs = must_alloc((ct + 1) * sizeof(plan->jobs[0]));
    while (plan->job_ct < ct) {
        struct planned_job *job = &plan->jobs[plan->job_ct];

        draw_job(job, (uint32_t)plan->job_ct, plan->run_ms, &state);
        plan->job_ct++;
        if (job->kind == JOB_TWIN && plan->job_ct < ct) {
            job[1] = job[0];
            job[1].at_ms += prng_between(&state, 0, 300);
            plan->job_ct++;
        }
    }
    qsort(plan->jobs, plan->job_ct, sizeof(plan->jobs[0]), by_time);
}

/* ---- faults ---- */

static bool may_come(const bool *faults, int kind, enum fault_lane lane)
{
    return fault_infos[kind].lane == lane && (faults == NULL || faults[kind]);
}

/* -1: none of this lane is wanted. */
static int draw_fault(const bool *faults, enum fault_lane lane, uint64_t *state)
{
    int kinds[FAULT_KINDS] = {0};
    uint32_t ct = 0;

    for (int kind = 0; kind < FAULT_KINDS; kind++)
        if (may_come(faults, kind, lane))
            kinds[ct++] = kind;
    return ct == 0 ? -1 : kinds[prng_between(state, 0, ct - 1)];
}

static void add_fault(struct plan *plan, struct planned_fault fault)
{
    plan->faults =
        must_realloc(plan->faults, plan->fault_ct + 1, sizeof(plan->faults[0]));
    plan->faults[plan->fault_ct++] = fault;
}

static void plan_lane(struct plan *plan, const bool *faults, enum fault_lane lane,
                      uint8_t host)
{
    static const uint32_t gaps_ms[] = {
        [LANE_HOST] = 4000, [LANE_NET] = 5000, [LANE_REDIS] = 7000};
    uint64_t state = stream(plan->seed, 16U + (uint64_t)lane * PLAN_HOSTS + host);
    uint32_t at_ms = prng_between(&state, FIRST_FAULT_MS, gaps_ms[lane]);

    while (at_ms < plan->run_ms) {
        int kind = draw_fault(faults, lane, &state);
        struct planned_fault fault = {
            .at_ms = at_ms, .kind = (uint8_t)kind, .host = host};

        if (kind < 0)
            return;
        fault.for_ms =
            prng_between(&state, fault_infos[kind].min_ms, fault_infos[kind].max_ms);
        fault.pick = (uint32_t)prng_next(&state);
        add_fault(plan, fault);
        at_ms += fault.for_ms + prng_between(&state, 500, gaps_ms[lane]);
    }
}

static int by_fault_time(const void *a, const void *b)
{
    const struct planned_fault *x = a, *y = b;

    if (x->at_ms != y->at_ms)
        return x->at_ms < y->at_ms ? -1 : 1;
    if (x->kind != y->kind)
        return x->kind < y->kind ? -1 : 1;
    return (int)x->host - (int)y->host;
}

void plan_make(struct plan *plan, const struct plan_options *options)
{
    *plan = (struct plan){.seed = options->seed, .run_ms = options->seconds * 1000};
    plan_jobs(plan, options->jobs);
    for (uint8_t host = 0; host < PLAN_HOSTS; host++) {
        plan_lane(plan, options->faults, LANE_HOST, host);
        plan_lane(plan, options->faults, LANE_NET, host);
    }
    plan_lane(plan, options->faults, LANE_REDIS, 0);
    if (plan->fault_ct > 0)
        qsort(plan->faults, plan->fault_ct, sizeof(plan->faults[0]), by_fault_time);
}

void plan_free(struct plan *plan)
{
    free(plan->jobs);
    free(plan->faults);
    *plan = (struct plan){0};
}

void plan_print(const struct plan *plan, FILE *out)
{
    for (size_t i = 0; i < plan->job_ct; i++) {
        const struct planned_job *job = &plan->jobs[i];

        (void)fprintf(out, "%6u job %-9s %-8s n=%u run_ms=%u delay_ms=%u fails=%u\n",
                      job->at_ms, job_kind_names[job->kind], queue_names[job->queue],
                      job->n, job->run_ms, job->delay_ms, job->fails);
    }
    for (size_t i = 0; i < plan->fault_ct; i++) {
        const struct planned_fault *fault = &plan->faults[i];

        (void)fprintf(out, "%6u fault %-18s host=%u for_ms=%u pick=%u\n", fault->at_ms,
                      fault_infos[fault->kind].name, fault->host, fault->for_ms,
                      fault->pick);
    }
}

static int find_fault(const char *name, size_t len)
{
    for (int kind = 0; kind < FAULT_KINDS; kind++)
        if (strlen(fault_infos[kind].name) == len &&
            strncmp(fault_infos[kind].name, name, len) == 0)
            return kind;
    return -1;
}

int plan_read_faults(const char *list, bool faults[FAULT_KINDS])
{
    memset(faults, 0, FAULT_KINDS * sizeof(faults[0]));
    if (strcmp(list, "none") == 0)
        return 0;
    for (;;) {
        size_t len = strcspn(list, ",");
        int kind = find_fault(list, len);

        if (kind < 0)
            return -1;
        faults[kind] = true;
        if (list[len] == '\0')
            return 0;
        list += len + 1;
    }
}
