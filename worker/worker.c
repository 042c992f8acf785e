/* The worker process.
 *
 * A job's walk: the queue reserves it and calls on_jobs(); flight.c reads the payload,
 * finds the job's entry and hands it to its handler, or holds it until it is alone; the
 * handler calls back with an outcome; verdict.c decides and gives the lease back;
 * worker_settled_one() tells the queue that a slot is free. Meanwhile the queue extends
 * the leases.
 *
 * Draining: the gate is closed (queue_drain), running jobs may end within the grace, then
 * they are stopped and given back uncounted; when nothing runs and all verdicts are
 * answered, the worker takes its leave from Redis and ends. It never waits for Redis
 * longer than the grace and a margin: what could not be settled is still leased and is
 * taken back by others.
 */
#include "worker/worker.h"

#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/compat.h"
#include "base/log.h"
#include "jobs/coprocess.h"
#include "jobs/http.h"
#include "jobs/sql.h"
#include "worker/flight.h"
#include "worker/pausing.h"
#include "worker/report.h"
#include "worker/stint.h"
#include "worker/verdict.h"

enum {
    BEAT_MS = 1000,
    BIG_BLOCK_BYTES = 128 * 1024,
    LEAVE_MS = 1000,       /* what the last word to Redis may take */
    CANCEL_MARGIN_MS = 700 /* after the longest kill_grace, when the grace is over; less
                              than the supervisor leaves until its KILL (fleet.c) */
};

/* Not beside a suspect, not while paused, and not on the way out. */
static bool takes_jobs(const struct worker *worker)
{
    return worker->phase == WORKER_WORKING && worker->held_ct == 0 &&
           worker->alone == NULL && !pausing_is_on(worker) &&
           !timer_is_set(&worker->rest);
}

void worker_want(struct worker *worker)
{
    const struct pool_config *pool = worker->start->pool;
    int64_t want = pool->concurrency - worker->running_ct;
    int64_t left = pool->max_jobs - (int64_t)worker->ran_ct - worker->running_ct;

    if (pool->max_jobs > 0 && want > left)
        want = left;
    if (want < 0 || !takes_jobs(worker))
        want = 0;
    queue_want(worker->queue, (unsigned)want);
}

/* ---- the end ---- */

static void left(void *arg)
{
    struct worker *worker = arg;

    loop_stop(worker->loop);
}

static void leave_if_done(struct worker *worker)
{
    if (worker->phase != WORKER_DRAINING && worker->phase != WORKER_STOPPING)
        return;
    if (!worker->drained || worker->running_ct > 0 || !queue_idle(worker->queue) ||
        !coprocess_is_empty(worker->env.coprocess) || stint_keeps(worker))
        return;
    worker->phase = WORKER_LEAVING;
    queue_leave(worker->queue, LEAVE_MS, left, worker);
}

/* Last to first, so that each goes to the head before the one reserved after it. */
static void return_held(struct worker *worker)
{
    struct flight *flight;

    while ((flight = TAILQ_LAST(&worker->held, flight_list)) != NULL)
        verdict_return(flight);
}

/* A suspect that waits beside another would share its death: the others go back to the
 * head of their queues, uncounted, for other workers or for later. */
static void keep_one_suspect(struct worker *worker)
{
    struct flight *flight;

    while ((flight = TAILQ_LAST(&worker->held, flight_list)) !=
           TAILQ_FIRST(&worker->held))
        verdict_return(flight);
}

static void stop_jobs(struct worker *worker, enum cancel_reason why, int64_t within_ms)
{
    worker->phase = WORKER_STOPPING;
    timer_set(&worker->grace, within_ms);
    flight_cancel_all(worker, why);
    coprocess_hurry(worker->env.coprocess);
}

/* First the running jobs are stopped; when that, too, has taken too long, the worker
 * ends. */
static void grace_over(void *arg)
{
    struct worker *worker = arg;
    int64_t unsettled;

    if (worker->phase == WORKER_DRAINING) {
        stop_jobs(worker, CANCEL_STOP,
                  config_longest_kill_grace_ms(worker->start->config) + CANCEL_MARGIN_MS);
        return;
    }
    unsettled = (int64_t)queue_unsettled_ct(worker->queue);
    log_warning("worker.give_up", log_int("running", worker->running_ct),
                log_int("unsettled", unsettled),
                log_str("then", unsettled ? "Redis did not take the verdicts on the "
                                            "unsettled jobs: they will run again"
                                          : NULL));
    worker->exit_code = WORKER_EXIT_FAILURE;
    loop_stop(worker->loop);
}

void worker_drain(struct worker *worker, const char *why)
{
    if (worker->phase != WORKER_WORKING)
        return;
    log_info("worker.drain", log_str("why", why), log_int("running", worker->running_ct));
    worker->phase = WORKER_DRAINING;
    atomic_store(&worker->start->board->phase, BOARD_DRAINING);
    timer_set(&worker->grace, worker->start->grace_ms);
    return_held(worker);
    coprocess_drain(worker->env.coprocess);
    worker_want(worker);
    queue_drain(worker->queue);
}

/* A TERM looks the same for a stop, a reload and a smaller pool. */
static const char *why_to_end(struct board *board, int signum)
{
    switch ((enum board_end)atomic_load(&board->end)) {
    case BOARD_END_STOP:
        return "stop";
    case BOARD_END_RELOAD:
        return "reload";
    case BOARD_END_SCALE:
        return "scale";
    case BOARD_END_UNTOLD:
        break;
    }
    return reaper_signal_name(signum);
}

static void asked_to_stop(int signum, void *arg)
{
    struct worker *worker = arg;

    if (worker->phase == WORKER_WORKING)
        worker_drain(worker, why_to_end(worker->start->board, signum));
    else if (worker->phase != WORKER_LEAVING)
        stop_jobs(worker, CANCEL_NOW, CANCEL_MARGIN_MS);
}

/* From the supervisor, which has written it on the board too, or from anybody. */
static void asked_to_pause(int signum, void *arg)
{
    struct worker *worker = arg;

    atomic_store(&worker->start->board->paused, signum == SIGUSR2);
    pausing_look(worker);
}

/* ---- events of the queue ---- */

static void on_jobs(void *arg, struct lease *const *leases, size_t ct)
{
    struct worker *worker = arg;

    if (!takes_jobs(worker)) { /* promised before; last to first keeps their order */
        while (ct-- > 0)
            queue_give_back(worker->queue, leases[ct]);
        return;
    }
    for (size_t i = 0; i < ct; i++)
        flight_admit(worker, leases[i]);
    keep_one_suspect(worker);
    worker_settled_one(worker);
}

static void on_lost(void *arg, struct lease *lease)
{
    (void)arg;
    flight_lose(lease->user);
}

static void on_drained(void *arg)
{
    struct worker *worker = arg;

    worker->drained = true;
    leave_if_done(worker);
}

static void on_settled(void *arg)
{
    leave_if_done(arg);
}

static void on_runners_gone(void *arg)
{
    leave_if_done(arg);
}

static void on_quiet(void *arg)
{
    flight_announce_suspect(arg);
    worker_settled_one(arg); /* one that could not even start */
}

static void on_alone(void *arg)
{
    flight_start_suspect(arg);
    worker_settled_one(arg);
}

static void on_fatal(void *arg, enum queue_fatal why, const struct err *err)
{
    struct worker *worker = arg;

    MUST(why == QUEUE_LAYOUT_NEWER);
    log_error("worker.fatal", log_str("reason", err->text));
    worker->exit_code = WORKER_EXIT_CONFIG;
    loop_stop(worker->loop);
}

static void on_empty(void *arg)
{
    stint_empty(arg);
}

static void on_outbox(void *arg, int64_t ct UNUSED)
{
    struct worker *worker = arg;

    if (worker->mover)
        mover_wake(worker->mover);
}

static const struct queue_events queue_events = {
    .on_jobs = on_jobs,
    .on_lost = on_lost,
    .on_drained = on_drained,
    .on_settled = on_settled,
    .on_quiet = on_quiet,
    .on_alone = on_alone,
    .on_fatal = on_fatal,
    .on_empty = on_empty,
    .on_outbox = on_outbox,
};

void worker_settled_one(struct worker *worker)
{
    const struct pool_config *pool = worker->start->pool;

    if (worker->held_ct > 0 && worker->running_ct == 0 && worker->announced == NULL)
        queue_hush(worker->queue);
    if (pool->max_jobs > 0 && (int64_t)worker->ran_ct >= pool->max_jobs)
        worker_drain(worker, "max_jobs");
    worker_want(worker);
    leave_if_done(worker);
}

/* ---- heartbeat and recycling ---- */

static int64_t resident_mib(void)
{
    FILE *file = fopen("/proc/self/statm", "re");
    long long pages = 0;

    if (file == NULL)
        return 0;
    if (fscanf(file, "%*s %lld", &pages) != 1)
        pages = 0;
    (void)fclose(file);
    return pages * sysconf(_SC_PAGESIZE) / (1024 * 1024);
}

static void beat(void *arg)
{
    struct worker *worker = arg;
    struct board *board = worker->start->board;
    int64_t limit_mib = worker->start->pool->memory_mib;

    if (atomic_fetch_add(&board->beat, 1) == 0)
        atomic_store(&board->phase, BOARD_RUNNING);
    if (limit_mib > 0 && resident_mib() > limit_mib)
        worker_drain(worker, "memory");
    if (worker->env.http != NULL)
        http_tell_board(worker->env.http, board);
    if (worker->env.sql != NULL)
        sql_tell_board(worker->env.sql, board, clock_mono_ms());
    pausing_look(worker);
    if (pausing_is_on(worker))
        stint_empty(worker);
    timer_set(&worker->beat, BEAT_MS);
}

static void lifetime_over(void *arg)
{
    worker_drain(arg, "max_time");
}

/* ---- the process ---- */

static int open_queue(struct worker *worker, struct err *err)
{
    const struct worker_start *start = worker->start;
    struct queue_options options = {
        .loop = worker->loop,
        .endpoint = start->endpoint,
        .prefix = start->config->redis.prefix,
        .pool = start->pool,
        .to_outbox = start->config->failed.store == FAILED_IN_POSTGRES,
        .max_payload_bytes = start->config->max_payload_mib * 1024 * 1024,
        .board = start->board,
        .events = &queue_events,
        .arg = worker,
    };

    worker->queue = queue_create(&options, err);
    return worker->queue ? 0 : -1;
}

static int open_mover(struct worker *worker, struct err *err)
{
    const struct config *config = worker->start->config;
    struct postgres_endpoint endpoint = {0};
    struct mover_options options = {
        .loop = worker->loop, .queue = worker->queue, .endpoint = &endpoint};

    if (config->failed.store != FAILED_IN_POSTGRES)
        return 0;
    if (postgres_endpoint_resolve(config, &endpoint, err) == 0)
        worker->mover = mover_create(&options, err);
    postgres_endpoint_free(&endpoint);
    return worker->mover ? 0 : -1;
}

static int watch_signals(struct worker *worker, struct err *err)
{
    static const struct {
        int signum;
        signal_cb cb;
    } watched[] = {{SIGTERM, asked_to_stop},
                   {SIGINT, asked_to_stop},
                   {SIGQUIT, asked_to_stop},
                   {SIGUSR2, asked_to_pause},
                   {SIGCONT, asked_to_pause}};
    sigset_t none;

    for (size_t i = 0; i < ARRAY_CT(watched); i++)
        if (loop_on_signal(worker->loop, watched[i].signum, watched[i].cb, worker) != 0)
            return err_set(err, ERR_SYSTEM, "cannot watch signals");
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGXFSZ, SIG_IGN); /* a full log file is no reason to end */
    (void)signal(SIGHUP, SIG_IGN);  /* a terminal's end is the supervisor's business */
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    return 0;
}

static int worker_open(struct worker *worker, struct err *err)
{
    int64_t max_time_ms = worker->start->pool->max_time_ms;

    TAILQ_INIT(&worker->running);
    TAILQ_INIT(&worker->held);
    worker->loop = loop_create(err);
    if (worker->loop == NULL)
        return -1;
    timer_init(&worker->beat, worker->loop, beat, worker);
    timer_init(&worker->grace, worker->loop, grace_over, worker);
    timer_init(&worker->lifetime, worker->loop, lifetime_over, worker);
    stint_open(worker);
    worker->report = report_create(&worker->start->config->work, worker->loop);
    worker->env.loop = worker->loop;
    worker->env.shortage = &worker->shortage;
    worker->env.reaper = reaper_create(worker->loop, err);
    if (worker->env.reaper == NULL || watch_signals(worker, err) != 0 ||
        http_open(worker->loop, worker->start->config, &worker->env.http, err) != 0 ||
        sql_open(worker->loop, worker->start->config, &worker->env.sql, err) != 0 ||
        open_queue(worker, err) != 0 || open_mover(worker, err) != 0)
        return -1;
    worker->env.coprocess =
        coprocess_open(&worker->env, worker->start->config, on_runners_gone, worker);
    pausing_watch(worker);
    pausing_look(worker);
    timer_set(&worker->beat, 0);
    if (max_time_ms > 0)
        timer_set(&worker->lifetime, max_time_ms);
    worker_want(worker);
    return 0;
}

static void worker_close(struct worker *worker)
{
    struct flight *flight, *next;

    worker->phase = WORKER_LEAVING; /* nothing is started by what is told below */
    TAILQ_FOREACH_SAFE(flight, &worker->running, link, next)
    flight_free(flight); /* the supervisor kills what is left of their processes */
    TAILQ_FOREACH_SAFE(flight, &worker->held, link, next)
    flight_free(flight);
    if (worker->queue)
        queue_destroy(worker->queue); /* tells the mover what will not come */
    mover_destroy(worker->mover);
    coprocess_close(worker->env.coprocess);
    reaper_destroy(worker->env.reaper);
    http_close(worker->env.http);
    sql_close(worker->env.sql);
    if (worker->loop) {
        timer_free(&worker->beat);
        timer_free(&worker->grace);
        timer_free(&worker->lifetime);
        stint_close(worker);
        report_destroy(worker->report);
    }
    loop_destroy(worker->loop);
}

/* Left to itself, malloc raises the bound above which memory comes from the system, and
 * goes back there, with every big block freed: one big payload, and a worker stays big.
 */
static void keep_small(void)
{
    (void)mallopt(M_MMAP_THRESHOLD, BIG_BLOCK_BYTES);
    (void)mallopt(M_TRIM_THRESHOLD, BIG_BLOCK_BYTES);
}

int worker_main(const struct worker_start *start)
{
    struct worker worker = {.start = start};
    struct err err;

    keep_small();
    if (worker_open(&worker, &err) != 0) {
        log_error("worker.fatal", log_str("reason", err.text));
        worker.exit_code =
            err.code == ERR_CONFIG ? WORKER_EXIT_CONFIG : WORKER_EXIT_FAILURE;
    } else {
        loop_run(worker.loop);
    }
    /* A stop that comes now has been heeded already, and must not look like a crash. */
    loop_block_signals();
    worker_close(&worker);
    return (int)worker.exit_code;
}
