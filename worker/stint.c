/* When the worker of `drover work` leaves. It only ever begins a drain, so jobs that run
 * come to their end, and the supervisor ends with the worker.
 *
 * Empty means what it does to queue:work: a look at the queues found nothing, and no job
 * runs here. What is delayed does not count.
 */
#include "worker/stint.h"

#include "base/clock.h"

enum {
    MIB = 1024 * 1024,
    LAST_LOOK_MS = 20,
    LAST_MS = 5000 /* for PostgreSQL to take what this worker has for it */
};

static const struct work_config *terms(const struct worker *worker)
{
    return &worker->start->config->work;
}

static void rested(void *arg)
{
    worker_want(arg);
}

static void empty_long_enough(void *arg)
{
    worker_drain(arg, "no jobs");
}

static void look_at_mover(void *arg)
{
    worker_settled_one(arg);
}

void stint_open(struct worker *worker)
{
    timer_init(&worker->rest, worker->loop, rested, worker);
    timer_init(&worker->empty, worker->loop, empty_long_enough, worker);
    timer_init(&worker->last, worker->loop, look_at_mover, worker);
}

void stint_close(struct worker *worker)
{
    timer_free(&worker->rest);
    timer_free(&worker->empty);
    timer_free(&worker->last);
}

void stint_begun(struct worker *worker)
{
    timer_stop(&worker->empty);
}

void stint_ended(struct worker *worker, const struct outcome *outcome)
{
    const struct work_config *work = terms(worker);

    if (work->memory_mib > 0 && outcome->held_bytes / MIB >= work->memory_mib &&
        worker->phase == WORKER_WORKING) {
        worker->exit_code = WORKER_EXIT_MEMORY;
        worker_drain(worker, "memory");
    }
    if (work->rest_ms > 0)
        timer_set(&worker->rest, work->rest_ms);
}

void stint_empty(struct worker *worker)
{
    if (!terms(worker)->leaves_when_empty || worker->running_ct > 0 ||
        worker->held_ct > 0 || timer_is_set(&worker->empty))
        return;
    timer_set(&worker->empty, terms(worker)->empty_ms);
}

bool stint_keeps(struct worker *worker)
{
    if (!terms(worker)->on || worker->mover == NULL ||
        atomic_load(&worker->start->board->failed) == 0)
        return false;
    if (worker->last_until_ms == 0) {
        worker->last_until_ms = clock_mono_ms() + LAST_MS;
        mover_wake(worker->mover);
    }
    if (mover_is_idle(worker->mover) || clock_mono_ms() >= worker->last_until_ms)
        return false;
    timer_set(&worker->last, LAST_LOOK_MS);
    return true;
}
