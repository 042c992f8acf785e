/* What becomes of a slot: one table of state x event, a small handler for each kind of
 * move. Must not know of processes, clocks or logs; time and chance come in as numbers.
 *
 * Invariants: a slot has a process in STARTING, RUNNING, STOPPING and KILLING and in no
 * other state; only STOPPING, KILLING and BACKOFF have a timer; an unwanted slot that has
 * no process is EMPTY. */
#include "supervisor/slot.h"

#include "base/must.h"

enum {
    BACKOFF_FIRST_MS = 1000,
    BACKOFF_LIMIT_MS = 60000,
    JITTER_PERCENT = 20,
    QUICK_RUN_MS = 1000, /* exits 0 sooner than this ... */
    QUICK_RUNS_FREE = 3  /* ... are restarted at once so many times in a row */
};

struct move {
    struct slot *slot;
    const struct slot_times *times;
    int64_t now_ms;
    uint32_t random;
};

typedef unsigned (*move_cb)(const struct move *move);

void slot_init(struct slot *slot)
{
    *slot = (struct slot){.state = SLOT_EMPTY};
}

const char *slot_state_name(enum slot_state state)
{
    static const char *const names[SLOT_STATE_CT] = {
        [SLOT_EMPTY] = "empty",     [SLOT_STARTING] = "starting",
        [SLOT_RUNNING] = "running", [SLOT_STOPPING] = "stopping",
        [SLOT_KILLING] = "killing", [SLOT_BACKOFF] = "backoff",
        [SLOT_FATAL] = "fatal",
    };

    MUST(state < SLOT_STATE_CT);
    return names[state];
}

static int64_t jitter(int64_t ms, uint32_t random)
{
    return ms * (100 - JITTER_PERCENT + random % (2 * JITTER_PERCENT + 1)) / 100;
}

int64_t slot_backoff_ms(unsigned crash_ct, uint32_t random)
{
    int64_t delay_ms = BACKOFF_FIRST_MS;

    if (crash_ct < 2)
        return 0;
    for (unsigned i = 2; i < crash_ct && delay_ms < BACKOFF_LIMIT_MS; i++)
        delay_ms *= 2;
    if (delay_ms > BACKOFF_LIMIT_MS)
        delay_ms = BACKOFF_LIMIT_MS;
    return jitter(delay_ms, random);
}

/* The few ways on, used by the handlers below. */

static unsigned go_start(const struct move *move)
{
    struct slot *slot = move->slot;

    slot->counted = slot->started && !slot->asked;
    slot->restarts += slot->counted;
    slot->asked = false;
    slot->started = true;
    slot->started_at_ms = move->now_ms;
    slot->state = SLOT_STARTING;
    return SLOT_DO_SPAWN;
}

static unsigned go_wait(const struct move *move, enum slot_state state, int64_t timer_ms)
{
    move->slot->state = state;
    move->slot->timer_ms = timer_ms;
    move->slot->due_at_ms = move->now_ms + timer_ms;
    return SLOT_DO_TIMER;
}

static unsigned go_after(const struct move *move, int64_t delay_ms)
{
    if (delay_ms > 0)
        return go_wait(move, SLOT_BACKOFF, delay_ms);
    return go_start(move) | SLOT_DO_CANCEL_TIMER;
}

static unsigned go_rest(const struct move *move, enum slot_state state)
{
    move->slot->state = state;
    return SLOT_DO_CANCEL_TIMER;
}

/* The handlers. */

static unsigned ignore(const struct move *move UNUSED)
{
    return SLOT_DO_NOTHING;
}

static unsigned want(const struct move *move)
{
    move->slot->wanted = true;
    return SLOT_DO_NOTHING;
}

static unsigned unwant(const struct move *move)
{
    move->slot->wanted = false;
    return SLOT_DO_NOTHING;
}

static unsigned start(const struct move *move)
{
    move->slot->wanted = true;
    return go_start(move);
}

static unsigned retry(const struct move *move)
{
    return go_start(move) | SLOT_DO_CANCEL_TIMER;
}

static unsigned start_afresh(const struct move *move)
{
    move->slot->crash_ct = 0;
    return go_start(move);
}

/* No process came to be: not a restart, and what fork lacked will not be there at once.
 */
static unsigned spawn_failed(const struct move *move)
{
    struct slot *slot = move->slot;

    slot->restarts -= slot->counted;
    slot->asked = !slot->counted;
    slot->crash_ct = slot->crash_ct < 2 ? 2 : slot->crash_ct + 1;
    return go_after(move, slot_backoff_ms(slot->crash_ct, move->random));
}

static unsigned run(const struct move *move)
{
    move->slot->state = SLOT_RUNNING;
    return SLOT_DO_NOTHING;
}

static unsigned abort_hung(const struct move *move)
{
    return go_wait(move, SLOT_KILLING, move->times->abort_ms) | SLOT_DO_ABORT;
}

static unsigned recycle(const struct move *move)
{
    move->slot->asked = true;
    return go_wait(move, SLOT_STOPPING, move->times->stop_ms) | SLOT_DO_TERM;
}

static unsigned drain(const struct move *move)
{
    move->slot->wanted = false;
    return recycle(move);
}

/* A TERM more than it has had: workers take a second one as "at once". */
static unsigned hurry(const struct move *move)
{
    move->slot->wanted = false;
    return go_wait(move, SLOT_KILLING, move->times->kill_ms) | SLOT_DO_TERM;
}

static unsigned kill_late(const struct move *move)
{
    move->slot->state = SLOT_KILLING;
    return SLOT_DO_KILL;
}

static unsigned kill_now(const struct move *move)
{
    move->slot->wanted = false;
    return SLOT_DO_KILL | SLOT_DO_CANCEL_TIMER;
}

static unsigned come_soon(const struct move *move)
{
    int64_t most_ms = jitter(SLOT_NEEDED_MS, move->random);

    if (move->slot->due_at_ms - move->now_ms <= most_ms)
        return SLOT_DO_NOTHING;
    return go_wait(move, SLOT_BACKOFF, most_ms);
}

static unsigned leave(const struct move *move)
{
    move->slot->wanted = false;
    return go_rest(move, SLOT_EMPTY);
}

static int64_t ran_ms(const struct move *move)
{
    return move->now_ms - move->slot->started_at_ms;
}

/* Recycled: the next one starts at once, but a worker that has nothing better to do than
 * to exit must not make the supervisor spin. */
static unsigned exit_ok(const struct move *move)
{
    struct slot *slot = move->slot;

    if (!slot->wanted)
        return go_rest(move, SLOT_EMPTY);
    slot->quick_ct = ran_ms(move) < QUICK_RUN_MS ? slot->quick_ct + 1 : 0;
    return go_after(move, slot->quick_ct > QUICK_RUNS_FREE
                              ? jitter(BACKOFF_FIRST_MS, move->random)
                              : 0);
}

static unsigned exit_bad(const struct move *move)
{
    struct slot *slot = move->slot;

    if (!slot->wanted)
        return go_rest(move, SLOT_EMPTY);
    if (ran_ms(move) >= move->times->healthy_ms)
        slot->crash_ct = 0;
    slot->crash_ct++;
    return go_after(move, slot_backoff_ms(slot->crash_ct, move->random));
}

static unsigned exit_config(const struct move *move)
{
    return go_rest(move, move->slot->wanted ? SLOT_FATAL : SLOT_EMPTY);
}

/* Every pair is decided here; one left out is a bug that check_slot finds. */
static const move_cb moves[SLOT_STATE_CT][SLOT_EVENT_CT] = {
    [SLOT_EMPTY] =
        {
            [SLOT_START] = start,
            [SLOT_SPAWN_FAILED] = ignore,
            [SLOT_READY] = ignore,
            [SLOT_BEAT_LATE] = ignore,
            [SLOT_EXIT_OK] = ignore,
            [SLOT_EXIT_BAD] = ignore,
            [SLOT_EXIT_CONFIG] = ignore,
            [SLOT_STOP] = leave,
            [SLOT_RECYCLE] = ignore,
            [SLOT_KILL] = leave,
            [SLOT_TIMER] = ignore,
            [SLOT_NEEDED] = ignore,
        },
    [SLOT_STARTING] =
        {
            [SLOT_START] = want,
            [SLOT_SPAWN_FAILED] = spawn_failed,
            [SLOT_READY] = run,
            [SLOT_BEAT_LATE] = abort_hung,
            [SLOT_EXIT_OK] = exit_ok,
            [SLOT_EXIT_BAD] = exit_bad,
            [SLOT_EXIT_CONFIG] = exit_config,
            [SLOT_STOP] = drain,
            [SLOT_RECYCLE] = recycle,
            [SLOT_KILL] = hurry,
            [SLOT_TIMER] = ignore,
            [SLOT_NEEDED] = ignore,
        },
    [SLOT_RUNNING] =
        {
            [SLOT_START] = want,
            [SLOT_SPAWN_FAILED] = ignore,
            [SLOT_READY] = ignore,
            [SLOT_BEAT_LATE] = abort_hung,
            [SLOT_EXIT_OK] = exit_ok,
            [SLOT_EXIT_BAD] = exit_bad,
            [SLOT_EXIT_CONFIG] = exit_config,
            [SLOT_STOP] = drain,
            [SLOT_RECYCLE] = recycle,
            [SLOT_KILL] = hurry,
            [SLOT_TIMER] = ignore,
            [SLOT_NEEDED] = ignore,
        },
    [SLOT_STOPPING] =
        {
            [SLOT_START] = want,
            [SLOT_SPAWN_FAILED] = ignore,
            [SLOT_READY] = ignore,
            [SLOT_BEAT_LATE] = abort_hung,
            [SLOT_EXIT_OK] = exit_ok,
            [SLOT_EXIT_BAD] = exit_bad,
            [SLOT_EXIT_CONFIG] = exit_config,
            [SLOT_STOP] = unwant,
            [SLOT_RECYCLE] = ignore,
            [SLOT_KILL] = hurry,
            [SLOT_TIMER] = kill_late,
            [SLOT_NEEDED] = ignore,
        },
    [SLOT_KILLING] =
        {
            [SLOT_START] = want,
            [SLOT_SPAWN_FAILED] = ignore,
            [SLOT_READY] = ignore,
            [SLOT_BEAT_LATE] = ignore,
            [SLOT_EXIT_OK] = exit_bad, /* whatever it says now: it had to be killed */
            [SLOT_EXIT_BAD] = exit_bad,
            [SLOT_EXIT_CONFIG] = exit_bad,
            [SLOT_STOP] = unwant,
            [SLOT_RECYCLE] = ignore,
            [SLOT_KILL] = kill_now,
            [SLOT_TIMER] = kill_late,
            [SLOT_NEEDED] = ignore,
        },
    [SLOT_BACKOFF] =
        {
            [SLOT_START] = want,
            [SLOT_SPAWN_FAILED] = ignore,
            [SLOT_READY] = ignore,
            [SLOT_BEAT_LATE] = ignore,
            [SLOT_EXIT_OK] = ignore,
            [SLOT_EXIT_BAD] = ignore,
            [SLOT_EXIT_CONFIG] = ignore,
            [SLOT_STOP] = leave,
            [SLOT_RECYCLE] = retry,
            [SLOT_KILL] = leave,
            [SLOT_TIMER] = retry,
            [SLOT_NEEDED] = come_soon,
        },
    [SLOT_FATAL] =
        {
            [SLOT_START] = want,
            [SLOT_SPAWN_FAILED] = ignore,
            [SLOT_READY] = ignore,
            [SLOT_BEAT_LATE] = ignore,
            [SLOT_EXIT_OK] = ignore,
            [SLOT_EXIT_BAD] = ignore,
            [SLOT_EXIT_CONFIG] = ignore,
            [SLOT_STOP] = leave,
            [SLOT_RECYCLE] = start_afresh,
            [SLOT_KILL] = leave,
            [SLOT_TIMER] = ignore,
            [SLOT_NEEDED] = ignore,
        },
};

unsigned slot_event(struct slot *slot, enum slot_event event,
                    const struct slot_times *times, int64_t now_ms, uint32_t random)
{
    struct move move = {.slot = slot, .times = times, .now_ms = now_ms, .random = random};

    MUST(slot->state < SLOT_STATE_CT && event < SLOT_EVENT_CT);
    MUST(moves[slot->state][event] != NULL);
    return moves[slot->state][event](&move);
}
