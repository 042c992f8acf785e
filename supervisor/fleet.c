/* The fleet: pools of worker slots. Says which slots are wanted; what then happens to
 * each is the slot's own table. Must not know why (a command, a signal, a reload).
 *
 * All that follows from a change (the next worker to be replaced, slots to be dropped,
 * tags to be handed over, telling the supervisor) is done in settle(), from a timer of
 * its own, so that no slot is freed or moved while one of its callbacks is running. */
#include "supervisor/fleet.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"

enum {
    TICK_MS = 1000,       /* the heartbeat is looked at so often */
    TICK_FIRST_MS = 20,   /* ... and after a start, doubling from this */
    TICKS_PER_HANG = 4,   /* ... and more often where hang_timeout is short */
    ABORT_MS = 5000,      /* from ABRT to KILL: time for a core file */
    KILL_MS = 1000,       /* from the second TERM to KILL */
    HEALTHY_MS = 60000,   /* a worker that ran so long has got over its crashes */
    STOP_MARGIN_MS = 1000 /* to settle the last jobs after their KILL, and to end */
};

struct fleet {
    struct fleet_options options;
    const struct config *config;
    const struct redis_endpoint *endpoint;
    struct slot_times times;
    struct pool **pools;
    size_t pool_ct;
    unsigned generation; /* of `config` */
    bool stopping;
    bool paused;
    struct launch launch; /* of the start in progress */
    struct timer settle;
    struct timer tick;
    int64_t ticked_at_ms;
    int64_t tick_ms; /* as planned */
};

static void settle(void *arg);
static void tick(void *arg);

struct fleet *fleet_create(const struct fleet_options *options)
{
    struct fleet *fleet = must_alloc(sizeof(*fleet));

    fleet->options = *options;
    timer_init(&fleet->settle, options->loop, settle, fleet);
    timer_init(&fleet->tick, options->loop, tick, fleet);
    return fleet;
}

static void pool_free(struct pool *pool)
{
    for (size_t i = 0; i < pool->slot_ct; i++)
        worker_slot_destroy(pool->slots[i]);
    free(pool->slots);
    free(pool->name);
    free(pool);
}

void fleet_destroy(struct fleet *fleet)
{
    if (fleet == NULL)
        return;
    for (size_t i = 0; i < fleet->pool_ct; i++)
        pool_free(fleet->pools[i]);
    free(fleet->pools);
    timer_free(&fleet->settle);
    timer_free(&fleet->tick);
    free(fleet);
}

size_t fleet_pool_ct(const struct fleet *fleet)
{
    return fleet->pool_ct;
}

const struct pool *fleet_pool(const struct fleet *fleet, size_t index)
{
    MUST(index < fleet->pool_ct);
    return fleet->pools[index];
}

/* ---- ticks ---- */

/* A start is looked at soon and then less and less; otherwise once a second. */
static void plan_tick(struct fleet *fleet, int64_t after_ms)
{
    int64_t most_ms = fleet->config->hang_timeout_ms / TICKS_PER_HANG;

    if (most_ms > TICK_MS)
        most_ms = TICK_MS;
    fleet->tick_ms = after_ms < most_ms ? after_ms : most_ms;
    timer_set(&fleet->tick, fleet->tick_ms);
}

static void tick(void *arg)
{
    struct fleet *fleet = arg;
    int64_t now_ms = clock_mono_ms();
    int64_t elapsed_ms = now_ms - fleet->ticked_at_ms;
    int64_t planned_ms = fleet->tick_ms;

    fleet->ticked_at_ms = now_ms;
    plan_tick(fleet, planned_ms * 2); /* before: a start below may want it sooner */
    for (size_t i = 0; i < fleet->pool_ct; i++)
        for (size_t j = 0; j < fleet->pools[i]->slot_ct; j++)
            worker_slot_tick(fleet->pools[i]->slots[j], elapsed_ms, planned_ms,
                             fleet->config->hang_timeout_ms);
    fleet->options.changed(fleet->options.arg);
}

/* ---- slots ---- */

static void slot_changed(void *arg)
{
    const struct pool *pool = arg;

    timer_set(&pool->fleet->settle, 0);
}

static void slot_ended(void *arg, int status)
{
    const struct pool *pool = arg;
    const struct fleet_options *options = &pool->fleet->options;

    if (options->ended)
        options->ended(options->arg, status);
}

static const struct launch *slot_launch(void *arg)
{
    const struct pool *pool = arg;
    struct fleet *fleet = pool->fleet;

    MUST(pool->settings != NULL);
    fleet->launch = (struct launch){.entry = fleet->options.entry,
                                    .config = fleet->config,
                                    .pool = pool->settings,
                                    .endpoint = fleet->endpoint,
                                    .generation = fleet->generation,
                                    .paused = fleet->paused};
    plan_tick(fleet, TICK_FIRST_MS);
    return &fleet->launch;
}

static const struct worker_slot_ops slot_ops = {
    .launch = slot_launch, .ended = slot_ended, .changed = slot_changed};

static void add_slot(struct pool *pool)
{
    struct fleet *fleet = pool->fleet;
    struct worker_slot *ws =
        worker_slot_create(fleet->options.loop, fleet->options.reaper, pool->name,
                           (unsigned)pool->slot_ct, &slot_ops, pool);

    pool->slots = must_realloc(pool->slots, pool->slot_ct + 1, sizeof(*pool->slots));
    pool->slots[pool->slot_ct++] = ws;
}

/* Wakes the slots below `wanted_ct` and drains those above, the highest first. */
static void want_slots(struct pool *pool, size_t wanted_ct, enum board_end why)
{
    pool->wanted_ct = wanted_ct;
    while (pool->slot_ct < wanted_ct)
        add_slot(pool);
    for (size_t i = pool->slot_ct; i-- > wanted_ct;) {
        worker_slot_tell_why(pool->slots[i], why);
        child_event(&pool->slots[i]->child, SLOT_STOP);
    }
    for (size_t i = 0; i < wanted_ct; i++) {
        pool->slots[i]->child.times = pool->fleet->times;
        child_event(&pool->slots[i]->child, SLOT_START);
    }
}

/* ---- what follows from a change ---- */

static bool is_stale(const struct worker_slot *ws, unsigned generation)
{
    return child_is_alive(&ws->child) && ws->generation != generation;
}

/* The one slot whose worker is to be replaced now; NULL: none, or not yet. While any
 * wanted slot is without a running worker no other is taken away, so a configuration that
 * makes workers fail stops at the first. */
static struct worker_slot *next_stale(const struct pool *pool)
{
    struct worker_slot *next = NULL;

    for (size_t i = pool->wanted_ct; i-- > 0;) {
        struct worker_slot *ws = pool->slots[i];

        if (ws->child.slot.state != SLOT_RUNNING)
            return NULL;
        if (is_stale(ws, pool->fleet->generation))
            next = ws;
    }
    return next;
}

static void replace_next(const struct pool *pool)
{
    struct worker_slot *ws = pool->fleet->stopping ? NULL : next_stale(pool);

    if (ws == NULL)
        return;
    log_info("worker.stop", log_str("pool", pool->name), log_int("slot", ws->index),
             log_int("pid", ws->child.pid), log_str("why", "reload"));
    worker_slot_tell_why(ws, BOARD_END_RELOAD);
    child_event(&ws->child, SLOT_RECYCLE);
}

static void offer(const struct pool *pool, struct orphan *orphan)
{
    for (size_t i = 0; i < pool->slot_ct && !orphan->handed; i++)
        orphan->handed = worker_slot_adopt(pool->slots[i], orphan);
}

/* Tags whose slot will not start a worker at once are told to a sibling, so that their
 * jobs need not wait; where none runs, for the next one or the heartbeat rule in Redis.
 * Giving back the same tag twice does no harm. */
static void hand_over(const struct pool *pool, struct worker_slot *from)
{
    enum slot_state state = from->child.slot.state;

    if (state != SLOT_EMPTY && state != SLOT_BACKOFF && state != SLOT_FATAL)
        return;
    for (size_t i = 0; i < from->orphan_ct; i++)
        offer(pool, &from->orphans[i]);
}

/* Where every worker of a pool has crashed and waits, the first to come back is not kept
 * waiting long: the jobs that are ready may have nothing to do with it. */
static void hasten_first(const struct pool *pool)
{
    struct worker_slot *first = NULL;

    for (size_t i = 0; i < pool->slot_ct; i++) {
        struct worker_slot *ws = pool->slots[i];

        if (child_is_alive(&ws->child))
            return;
        if (ws->child.slot.state == SLOT_BACKOFF &&
            (!first || ws->child.slot.due_at_ms < first->child.slot.due_at_ms))
            first = ws;
    }
    if (first)
        child_event(&first->child, SLOT_NEEDED);
}

static void drop_empty_slots(struct pool *pool)
{
    while (pool->slot_ct > pool->wanted_ct &&
           pool->slots[pool->slot_ct - 1]->child.slot.state == SLOT_EMPTY)
        worker_slot_destroy(pool->slots[--pool->slot_ct]);
}

static void drop_empty_pools(struct fleet *fleet)
{
    size_t kept = 0;

    for (size_t i = 0; i < fleet->pool_ct; i++) {
        if (fleet->pools[i]->settings == NULL && fleet->pools[i]->slot_ct == 0)
            pool_free(fleet->pools[i]);
        else
            fleet->pools[kept++] = fleet->pools[i];
    }
    fleet->pool_ct = kept;
}

static void settle(void *arg)
{
    struct fleet *fleet = arg;

    for (size_t i = 0; i < fleet->pool_ct; i++) {
        struct pool *pool = fleet->pools[i];

        for (size_t j = 0; j < pool->slot_ct; j++)
            hand_over(pool, pool->slots[j]);
        drop_empty_slots(pool);
        hasten_first(pool);
        replace_next(pool);
    }
    drop_empty_pools(fleet);
    fleet->options.changed(fleet->options.arg);
}

/* ---- configuration ---- */

static struct pool *find_pool(const struct fleet *fleet, const char *name)
{
    for (size_t i = 0; i < fleet->pool_ct; i++)
        if (strcmp(fleet->pools[i]->name, name) == 0)
            return fleet->pools[i];
    return NULL;
}

static struct pool *add_pool(struct fleet *fleet, const char *name)
{
    struct pool *pool = must_alloc(sizeof(*pool));

    pool->fleet = fleet;
    pool->name = must_strdup(name);
    fleet->pools = must_realloc(fleet->pools, fleet->pool_ct + 1, sizeof(*fleet->pools));
    fleet->pools[fleet->pool_ct++] = pool;
    return pool;
}

static struct slot_times times_of(const struct config *config)
{
    return (struct slot_times){.stop_ms = config->stop_grace_ms +
                                          config_longest_kill_grace_ms(config) +
                                          STOP_MARGIN_MS,
                               .abort_ms = ABORT_MS,
                               .kill_ms = KILL_MS,
                               .healthy_ms = HEALTHY_MS};
}

/* Pools in the configuration's order, removed ones behind them. */
static void order_pools(struct fleet *fleet, const struct config *config)
{
    for (size_t i = 0; i < config->pool_ct; i++) {
        struct pool *pool = find_pool(fleet, config->pools[i].name);
        size_t at = i;

        if (pool == NULL)
            pool = add_pool(fleet, config->pools[i].name);
        while (at < fleet->pool_ct && fleet->pools[at] != pool)
            at++;
        MUST(at < fleet->pool_ct); /* config_load() refuses a name given twice */
        memmove(&fleet->pools[i + 1], &fleet->pools[i],
                (at - i) * sizeof(fleet->pools[i]));
        fleet->pools[i] = pool;
        pool->settings = &config->pools[i];
    }
}

/* BACKOFF and FATAL are tried again at once, with what has changed. Not so the slots from
 * `known_ct` on, whose first start may just have failed. */
static void retry_failed(const struct pool *pool, size_t known_ct)
{
    for (size_t i = 0; i < pool->wanted_ct && i < known_ct; i++) {
        enum slot_state state = pool->slots[i]->child.slot.state;

        if (state == SLOT_BACKOFF || state == SLOT_FATAL)
            child_event(&pool->slots[i]->child, SLOT_RECYCLE);
    }
}

void fleet_configure(struct fleet *fleet, const struct config *config,
                     const struct redis_endpoint *endpoint)
{
    fleet->config = config;
    fleet->endpoint = endpoint;
    fleet->times = times_of(config);
    fleet->generation++;
    if (fleet->ticked_at_ms == 0)
        fleet->ticked_at_ms = clock_mono_ms();
    plan_tick(fleet, TICK_FIRST_MS);
    for (size_t i = 0; i < fleet->pool_ct; i++)
        fleet->pools[i]->settings = NULL;
    order_pools(fleet, config);
    for (size_t i = 0; i < fleet->pool_ct; i++) {
        struct pool *pool = fleet->pools[i];
        size_t known_ct = pool->slot_ct;

        want_slots(pool, pool->settings ? (size_t)pool->settings->workers : 0,
                   BOARD_END_RELOAD);
        retry_failed(pool, known_ct);
    }
    timer_set(&fleet->settle, 0);
}

/* ---- scale and stop ---- */

static int no_such_pool(const struct fleet *fleet, const char *name, struct err *err)
{
    struct buf known;
    int rc;

    buf_init(&known, sizeof(err->text) / 2);
    for (size_t i = 0; i < fleet->pool_ct; i++)
        (void)buf_addf(&known, i ? ", %s" : "%s", fleet->pools[i]->name);
    rc = err_set(err, ERR_NOT_FOUND, "no pool named %.64s (known: %s)", name,
                 known.data ? known.data : "none");
    buf_free(&known);
    return rc;
}

int fleet_scale(struct fleet *fleet, const char *name, int64_t workers, int64_t *was,
                struct err *err)
{
    struct pool *pool = find_pool(fleet, name);

    if (pool == NULL || pool->settings == NULL)
        return no_such_pool(fleet, name, err);
    if (fleet->stopping)
        return err_set(err, ERR_NOT_RUNNING, "the supervisor is stopping");
    if (workers < 0 || workers > FLEET_WORKERS_MAX)
        return err_set(err, ERR_BAD_INPUT, "a pool has 0 to %d workers, not %lld",
                       FLEET_WORKERS_MAX, (long long)workers);
    if (was)
        *was = (int64_t)pool->wanted_ct;
    want_slots(pool, (size_t)workers, BOARD_END_SCALE);
    return 0;
}

void fleet_pause(struct fleet *fleet, bool paused)
{
    fleet->paused = paused;
    for (size_t i = 0; i < fleet->pool_ct; i++)
        for (size_t j = 0; j < fleet->pools[i]->slot_ct; j++)
            worker_slot_pause(fleet->pools[i]->slots[j], paused);
}

bool fleet_is_resting(const struct fleet *fleet)
{
    for (size_t i = 0; i < fleet->pool_ct; i++)
        for (size_t j = 0; j < fleet->pools[i]->slot_ct; j++)
            if (!worker_slot_is_resting(fleet->pools[i]->slots[j]))
                return false;
    return fleet->paused;
}

static void end_slot(struct worker_slot *ws, enum slot_event event)
{
    worker_slot_tell_why(ws, BOARD_END_STOP);
    child_event(&ws->child, event);
}

static void end_all(struct fleet *fleet, enum slot_event event)
{
    fleet->stopping = true;
    for (size_t i = 0; i < fleet->pool_ct; i++) {
        struct pool *pool = fleet->pools[i];

        pool->wanted_ct = 0;
        for (size_t j = 0; j < pool->slot_ct; j++)
            end_slot(pool->slots[j], event);
    }
    timer_set(&fleet->settle, 0);
}

void fleet_stop(struct fleet *fleet)
{
    end_all(fleet, SLOT_STOP);
}

void fleet_kill(struct fleet *fleet)
{
    end_all(fleet, SLOT_KILL);
}

bool fleet_is_empty(const struct fleet *fleet)
{
    for (size_t i = 0; i < fleet->pool_ct; i++)
        if (fleet->pools[i]->slot_ct > 0)
            return false;
    return true;
}

/* ---- what is asked about ---- */

static void count_slot(struct fleet_counts *counts, const struct pool *pool,
                       const struct worker_slot *ws)
{
    bool wanted = ws->index < pool->wanted_ct;

    counts->wanted += wanted;
    counts->alive += child_is_alive(&ws->child);
    counts->running += ws->child.slot.state == SLOT_RUNNING;
    counts->backoff += ws->child.slot.state == SLOT_BACKOFF;
    counts->fatal += ws->child.slot.state == SLOT_FATAL;
    counts->ran += wanted && ws->ran;
    counts->stale += wanted && is_stale(ws, pool->fleet->generation);
}

struct fleet_counts fleet_count(const struct fleet *fleet)
{
    struct fleet_counts counts = {0};

    for (size_t i = 0; i < fleet->pool_ct; i++)
        for (size_t j = 0; j < fleet->pools[i]->slot_ct; j++)
            count_slot(&counts, fleet->pools[i], fleet->pools[i]->slots[j]);
    return counts;
}

/* Up as soon as one worker has a connection; down since the last of them lost its own. */
static void see_link(struct fleet_redis *redis, const struct worker_slot *ws)
{
    enum fleet_link link;
    int64_t since_ms;

    if (ws->child.slot.state != SLOT_RUNNING || ws->board == NULL)
        return;
    link =
        atomic_load(&ws->board->link) == BOARD_LINK_UP ? FLEET_LINK_UP : FLEET_LINK_DOWN;
    since_ms = atomic_load(&ws->board->link_since_ms);
    if (redis->link == FLEET_LINK_UP && link == FLEET_LINK_DOWN)
        return;
    if (link != redis->link)
        *redis = (struct fleet_redis){.link = link, .since_ms = since_ms};
    else if (link == FLEET_LINK_UP ? since_ms < redis->since_ms
                                   : since_ms > redis->since_ms)
        redis->since_ms = since_ms;
}

struct fleet_redis fleet_redis_link(const struct fleet *fleet)
{
    struct fleet_redis redis = {.link = FLEET_LINK_UNKNOWN};

    for (size_t i = 0; i < fleet->pool_ct; i++)
        for (size_t j = 0; j < fleet->pools[i]->slot_ct; j++)
            see_link(&redis, fleet->pools[i]->slots[j]);
    return redis;
}
