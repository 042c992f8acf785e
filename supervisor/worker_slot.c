/* One worker's slot: its starts, its heartbeat, its obituaries. Must not know how many
 * slots there are or why one is wanted.
 *
 * Invariant: the board of a dead worker stays mapped until the process groups it names
 * are gone; only then may its successor start, so no job runs beside its own remains. */
#include "supervisor/worker_slot.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/reaper.h"

enum {
    LOOK_FIRST_MS = 2,    /* between two looks for members of killed groups */
    LOOK_LIMIT_MS = 50,   /* ... doubling up to this */
    GROUP_WAIT_MS = 5000, /* a process that KILL cannot end (it hangs in the kernel) must
                             not hold the slot for ever */
    HELD_TEXT_BYTES = 512,
    RUNNING_MAX = 1 << 20 /* more jobs in flight than this: the board lies */
};

static const struct child_ops worker_ops;

static void look_for_groups(void *arg);

struct worker_slot *worker_slot_create(struct loop *loop, struct reaper *reaper,
                                       const char *pool, unsigned index,
                                       const struct worker_slot_ops *ops, void *arg)
{
    struct worker_slot *ws = must_alloc(sizeof(*ws));

    ws->pool = pool;
    ws->index = index;
    ws->ops = ops;
    ws->arg = arg;
    child_init(&ws->child, loop, reaper, &worker_ops, ws);
    timer_init(&ws->look, loop, look_for_groups, ws);
    return ws;
}

void worker_slot_destroy(struct worker_slot *ws)
{
    if (ws == NULL)
        return;
    child_free(&ws->child);
    timer_free(&ws->look);
    board_destroy(ws->board);
    free(ws);
}

/* ---- counters ---- */

static struct tally board_tally(struct board *board)
{
    return (struct tally){.done = atomic_load(&board->done),
                          .released = atomic_load(&board->released),
                          .postponed = atomic_load(&board->postponed),
                          .failed = atomic_load(&board->failed),
                          .lost = atomic_load(&board->lost)};
}

static void add_tally(struct tally *sum, struct tally more)
{
    sum->done += more.done;
    sum->released += more.released;
    sum->postponed += more.postponed;
    sum->failed += more.failed;
    sum->lost += more.lost;
}

struct tally worker_slot_tally(const struct worker_slot *ws)
{
    struct tally sum = ws->past;

    if (ws->board)
        add_tally(&sum, board_tally(ws->board));
    return sum;
}

uint32_t worker_slot_running(const struct worker_slot *ws)
{
    uint32_t running = 0;

    if (ws->board && child_is_alive(&ws->child))
        running = atomic_load(&ws->board->running);
    return running < RUNNING_MAX ? running : RUNNING_MAX;
}

void worker_slot_tell_why(struct worker_slot *ws, enum board_end why)
{
    int none = BOARD_END_UNTOLD;

    if (ws->board)
        (void)atomic_compare_exchange_strong(&ws->board->end, &none, (int)why);
}

/* The signal is for speed: the board is looked at with each heartbeat too. */
void worker_slot_pause(struct worker_slot *ws, bool paused)
{
    if (ws->board == NULL || !child_is_alive(&ws->child))
        return;
    atomic_store(&ws->board->resting, 0);
    atomic_store(&ws->board->paused, paused);
    (void)kill(ws->child.pid, paused ? SIGUSR2 : SIGCONT);
}

bool worker_slot_is_resting(const struct worker_slot *ws)
{
    return ws->board == NULL || !child_is_alive(&ws->child) ||
           atomic_load(&ws->board->resting) != 0;
}

/* ---- tags whose jobs somebody has to give back ---- */

static void keep_orphan(struct worker_slot *ws, uint32_t tag, const char *note)
{
    struct orphan *orphan = &ws->orphans[ws->orphan_ct];

    if (tag == 0 || ws->orphan_ct == ARRAY_CT(ws->orphans))
        return; /* too many: their heartbeat in Redis stands still, any worker will see */
    orphan->tag = tag;
    orphan->handed = false;
    (void)snprintf(orphan->note, sizeof(orphan->note), "%s", note);
    ws->orphan_ct++;
}

static void write_orphan(struct board_orphan *row, const struct orphan *orphan)
{
    memcpy(row->note, orphan->note, sizeof(row->note));
    atomic_store(&row->tag, orphan->tag); /* last: from here on the row counts */
}

/* A new worker finds all the tags its slot holds on its board. */
static void hand_to_board(struct worker_slot *ws)
{
    for (size_t i = 0; i < ws->orphan_ct; i++)
        write_orphan(&ws->board->orphans[i], &ws->orphans[i]);
}

bool worker_slot_adopt(struct worker_slot *ws, const struct orphan *orphan)
{
    if (ws->board == NULL || !child_is_alive(&ws->child) ||
        ws->child.slot.state != SLOT_RUNNING)
        return false;
    for (size_t i = 0; i < BOARD_ORPHANS; i++) {
        if (atomic_load(&ws->board->orphans[i].tag) != 0)
            continue;
        write_orphan(&ws->board->orphans[i], orphan);
        return true;
    }
    return false;
}

static void describe_end(const struct worker_slot *ws, char *text, size_t size)
{
    char reason[REAPER_TEXT_BYTES];

    reaper_describe(ws->status, reason, sizeof(reason));
    if (ws->hung_ms > 0)
        (void)snprintf(text, size, "%s after %lld s without a heartbeat", reason,
                       (long long)(ws->hung_ms / 1000));
    else
        (void)snprintf(text, size, "%s", reason);
}

static void collect_orphans(struct worker_slot *ws, const char *reason)
{
    char note[BOARD_NOTE_BYTES];
    char *own = must_format("worker %s/%u: %s", ws->pool, ws->index, reason);

    for (size_t i = 0; i < BOARD_ORPHANS; i++) {
        struct board_orphan *row = &ws->board->orphans[i];

        board_text(row->note, sizeof(row->note), note, sizeof(note));
        keep_orphan(ws, atomic_load(&row->tag), note);
    }
    keep_orphan(ws, atomic_load(&ws->board->tag), own);
    free(own);
}

/* ---- start ---- */

static pid_t spawn_worker(void *owner, struct err *err)
{
    struct worker_slot *ws = owner;
    struct launch launch = *ws->ops->launch(ws->arg);

    MUST(ws->board == NULL);
    ws->board = board_create((uint32_t)launch.pool->concurrency, err);
    if (ws->board == NULL)
        return -1;
    hand_to_board(ws);
    beat_reset(&ws->beat);
    ws->hung_ms = 0;
    ws->generation = launch.generation;
    atomic_store(&ws->board->paused, launch.paused);
    launch.slot = ws->index;
    launch.board = ws->board;
    return launch_worker(&launch, err);
}

static void worker_spawn_failed(void *owner, const struct err *err)
{
    struct worker_slot *ws = owner;

    board_destroy(ws->board);
    ws->board = NULL;
    log_error("worker.start_failed", log_str("pool", ws->pool),
              log_int("slot", ws->index), log_str("error", err->text),
              log_int("retry_ms", ws->child.slot.timer_ms));
}

static void worker_started(void *owner)
{
    struct worker_slot *ws = owner;

    ws->orphan_ct = 0; /* they are on the board now */
    log_info("worker.start", log_str("pool", ws->pool), log_int("slot", ws->index),
             log_int("pid", ws->child.pid),
             log_int("restarts", (int64_t)ws->child.slot.restarts));
}

/* ---- heartbeat ---- */

static void abort_hung(struct worker_slot *ws)
{
    ws->hung_ms = ws->beat.still_ms;
    log_error("worker.hung", log_str("pool", ws->pool), log_int("slot", ws->index),
              log_int("pid", ws->child.pid), log_int("still_ms", ws->hung_ms),
              log_int("running", worker_slot_running(ws)));
    child_event(&ws->child, SLOT_BEAT_LATE);
}

void worker_slot_tick(struct worker_slot *ws, int64_t elapsed_ms, int64_t planned_ms,
                      int64_t hang_timeout_ms)
{
    enum slot_state state = ws->child.slot.state;
    int64_t beat;

    if (!child_is_alive(&ws->child) || ws->board == NULL || state == SLOT_KILLING)
        return;
    beat = atomic_load(&ws->board->beat);
    if (state == SLOT_STARTING && beat != 0) {
        ws->ran = true;
        child_event(&ws->child, SLOT_READY);
    }
    if (beat_is_late(&ws->beat, beat, elapsed_ms, planned_ms, hang_timeout_ms))
        abort_hung(ws);
}

/* ---- death ---- */

/* The uuids of the jobs a dead worker held, for its obituary. */
static void list_held(struct worker_slot *ws, char *text, size_t size)
{
    char uuid[BOARD_UUID_BYTES];
    uint32_t job_ct = board_job_ct(ws->board);
    size_t len = 0;

    text[0] = '\0';
    ws->held_ct = 0;
    for (uint32_t i = 0; i < job_ct; i++) {
        struct board_job *job = &ws->board->jobs[i];

        if (atomic_load(&job->started_at_ms) == 0)
            continue;
        board_text(job->uuid, sizeof(job->uuid), uuid, sizeof(uuid));
        if (len + strlen(uuid) + 2 <= size)
            len += (size_t)snprintf(text + len, size - len, "%s%s", len ? "," : "", uuid);
        ws->held_ct++;
    }
}

static void log_exit(struct worker_slot *ws, const char *reason)
{
    bool clean = WIFEXITED(ws->status) && WEXITSTATUS(ws->status) == 0;
    int64_t ran_ms = ws->died_at_ms - ws->child.slot.started_at_ms;
    char held[HELD_TEXT_BYTES];

    list_held(ws, held, sizeof(held));
    log_at(clean ? LOG_INFO : LOG_WARNING, "worker.exit", log_str("pool", ws->pool),
           log_int("slot", ws->index), log_int("pid", ws->died_pid),
           log_str("reason", reason), log_int("ran_ms", ran_ms),
           log_int("held", ws->held_ct), log_str("jobs", ws->held_ct ? held : NULL),
           log_int("done", (int64_t)atomic_load(&ws->board->done)),
           log_int("failed", (int64_t)atomic_load(&ws->board->failed)));
}

static void tell_end(const struct worker_slot *ws)
{
    enum slot_state state = ws->child.slot.state;

    if (ws->ops->ended && (state == SLOT_RUNNING || state == SLOT_STARTING))
        ws->ops->ended(ws->arg, ws->status);
}

static void finish_obituary(struct worker_slot *ws)
{
    char reason[BOARD_NOTE_BYTES];

    describe_end(ws, reason, sizeof(reason));
    log_exit(ws, reason);
    add_tally(&ws->past, board_tally(ws->board));
    collect_orphans(ws, reason);
    board_destroy(ws->board);
    ws->board = NULL;
    tell_end(ws);
    child_bury(&ws->child, child_exit_event(ws->status));
    if (ws->child.slot.state == SLOT_FATAL)
        log_error("worker.not_restarted", log_str("pool", ws->pool),
                  log_int("slot", ws->index),
                  log_str("reason", "bad configuration: not restarted until a reload"));
}

static void look_for_groups(void *arg)
{
    struct worker_slot *ws = arg;
    bool given_up = clock_mono_ms() - ws->died_at_ms > GROUP_WAIT_MS;

    if (board_kill_groups(ws->board) > 0 && !given_up) {
        timer_set(&ws->look, ws->look_ms);
        ws->look_ms = ws->look_ms * 2 < LOOK_LIMIT_MS ? ws->look_ms * 2 : LOOK_LIMIT_MS;
        return;
    }
    if (given_up)
        log_error("worker.jobs_unkillable", log_str("pool", ws->pool),
                  log_int("slot", ws->index), log_int("waited_ms", GROUP_WAIT_MS));
    finish_obituary(ws);
}

static void worker_died(void *owner, pid_t pid, int status)
{
    struct worker_slot *ws = owner;

    ws->died_pid = pid;
    ws->status = status;
    ws->died_at_ms = clock_mono_ms();
    ws->look_ms = LOOK_FIRST_MS;
    look_for_groups(ws);
}

static void worker_kill_sent(void *owner)
{
    struct worker_slot *ws = owner;

    log_warning("worker.kill", log_str("pool", ws->pool), log_int("slot", ws->index),
                log_int("pid", ws->child.pid));
}

static void worker_changed(void *owner)
{
    struct worker_slot *ws = owner;

    ws->ops->changed(ws->arg);
}

static const struct child_ops worker_ops = {.spawn = spawn_worker,
                                            .spawn_failed = worker_spawn_failed,
                                            .started = worker_started,
                                            .died = worker_died,
                                            .kill_sent = worker_kill_sent,
                                            .changed = worker_changed};
