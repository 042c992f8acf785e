/* The line of jobs ahead. How long jobs take is an average in which the last ones count
 * most; it begins high, so that nothing is ahead until jobs have been short for a while,
 * and is high again once the line has stood still.
 *
 * Invariant: while the line is not empty its timer is set.
 */
#include "worker/ahead.h"

#include "base/log.h"
#include "worker/flight.h"
#include "worker/verdict.h"

enum {
    AHEAD_US = 5 * 1000,   /* how long before its turn a job is reserved */
    AHEAD_MOST = 8,        /* for each slot */
    LONG_US = 1000 * 1000, /* what a job is taken to last at first */
    STANDSTILL_MS = 100,   /* until the line is given up */
    WEIGHT = 4             /* of the jobs before in the average, to one of the last */
};

static void stands_still(void *arg)
{
    struct worker *worker = arg;

    log_debug("ahead.returned", log_int("jobs", worker->ahead_ct));
    worker->run_us = LONG_US;
    ahead_return(worker);
    worker_want(worker);
}

void ahead_open(struct worker *worker)
{
    TAILQ_INIT(&worker->ahead);
    timer_init(&worker->standstill, worker->loop, stands_still, worker);
    worker->run_us = LONG_US;
}

void ahead_close(struct worker *worker)
{
    struct flight *flight;

    while ((flight = TAILQ_FIRST(&worker->ahead)) != NULL)
        flight_free(flight);
    timer_free(&worker->standstill);
}

unsigned ahead_room(unsigned concurrency, int64_t run_us)
{
    int64_t each = run_us > 0 ? AHEAD_US / run_us : AHEAD_MOST;

    return concurrency * (unsigned)(each < AHEAD_MOST ? each : AHEAD_MOST);
}

unsigned ahead_wanted(const struct worker *worker)
{
    const struct worker_start *start = worker->start;

    if (worker->env.coprocess == NULL || start->config->work.rest_ms > 0)
        return 0;
    return ahead_room((unsigned)start->pool->concurrency, worker->run_us);
}

void ahead_note_run(struct worker *worker, int64_t run_us)
{
    if (run_us > LONG_US)
        run_us = LONG_US;
    worker->run_us = (worker->run_us * (WEIGHT - 1) + run_us) / WEIGHT;
}

void ahead_add(struct worker *worker, struct lease *lease)
{
    if (TAILQ_EMPTY(&worker->ahead))
        timer_set(&worker->standstill, STANDSTILL_MS);
    flight_wait(worker, lease);
}

void ahead_start(struct worker *worker)
{
    bool started = false;

    while (!TAILQ_EMPTY(&worker->ahead) && worker->held_ct == 0 &&
           worker->running_ct < worker->start->pool->concurrency) {
        flight_admit_next(worker);
        started = true;
    }
    if (TAILQ_EMPTY(&worker->ahead))
        timer_stop(&worker->standstill);
    else if (started)
        timer_set(&worker->standstill, STANDSTILL_MS);
}

void ahead_return(struct worker *worker)
{
    struct flight *flight;

    while ((flight = TAILQ_LAST(&worker->ahead, flight_list)) != NULL)
        verdict_return(flight);
    timer_stop(&worker->standstill);
}
