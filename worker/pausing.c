/* The two reasons for a pause, the supervisor's and the application's, joined to one.
 *
 * Paused, the worker wants nothing; what was reserved before that is known goes back
 * uncounted, as do jobs that wait to run alone. Single queues are queue_hold()'s: of them
 * this file only passes on the application's word, to the queue and to the scoreboard.
 */
#include "worker/pausing.h"

#include "base/log.h"
#include "jobs/coprocess.h"
#include "worker/verdict.h"

bool pausing_is_on(const struct worker *worker)
{
    return worker->paused_by_supervisor || worker->paused_by_application != NULL;
}

static bool is_resting(const struct worker *worker)
{
    return worker->paused_by_supervisor && worker->running_ct == 0 &&
           queue_is_quiet(worker->queue);
}

static void change(struct worker *worker, bool was_on, const char *why)
{
    bool on = pausing_is_on(worker);
    struct flight *flight;

    atomic_store(&worker->start->board->held, worker->paused_by_application != NULL);
    if (on == was_on || worker->phase != WORKER_WORKING)
        return;
    log_info(on ? "worker.paused" : "worker.resumed", log_str("why", why),
             log_int("running", worker->running_ct));
    while (on && (flight = TAILQ_LAST(&worker->held, flight_list)) != NULL)
        verdict_return(flight);
    worker_settled_one(worker);
}

void pausing_look(struct worker *worker)
{
    struct board *board = worker->start->board;
    bool was_on = pausing_is_on(worker);
    bool wanted = atomic_load(&board->paused) != 0;

    if (wanted != worker->paused_by_supervisor) {
        worker->paused_by_supervisor = wanted;
        change(worker, was_on, "supervisor");
    }
    atomic_store(&board->resting, is_resting(worker));
}

/* ---- the applications' word ---- */

static void on_held(void *arg, const char *why)
{
    struct worker *worker = arg;
    bool was_on = pausing_is_on(worker);
    const char *named = why ? why : worker->paused_by_application;

    worker->paused_by_application = why;
    change(worker, was_on, named);
}

static void on_paused(void *arg, unsigned queue, bool on)
{
    struct worker *worker = arg;

    queue_hold(worker->queue, queue, on, "laravel");
    board_set_held_queue(worker->start->board, queue,
                         worker->start->pool->queues.items[queue], on);
}

static void on_restart(void *arg)
{
    struct worker *worker = arg;

    if (worker->start->end_at_restart)
        worker_drain(worker, "restart");
}

void pausing_watch(struct worker *worker)
{
    struct coprocess_watch watch = {.queues = &worker->start->pool->queues,
                                    .paused = on_paused,
                                    .held = on_held,
                                    .restart = on_restart,
                                    .arg = worker};

    coprocess_watch(worker->env.coprocess, &watch);
}
