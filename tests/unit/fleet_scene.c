/* What the tests of the fleet share. */
#include "tests/unit/fleet_scene.h"

#include <check.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "tests/unit/until.h"

struct stage *stage;
static struct pool_config pools[2][POOLS_MAX];
struct loop *fleet_loop;
struct reaper *reaper;
struct fleet *fleet;
struct config configs[2]; /* the one in use, and the one a reload brings */
struct redis_endpoint endpoint;
char pool_names[POOLS_MAX][8] = {"main", "mails", "slow"};
size_t fewest_running; /* since a reload */

static void fleet_changed(void *arg UNUSED)
{
    struct fleet_counts counts = fleet_count(fleet);

    if (counts.running < fewest_running)
        fewest_running = counts.running;
}

void fill_config(size_t which, int64_t main_workers, int64_t mails_workers)
{
    int64_t workers[] = {main_workers, mails_workers};
    struct config *config = &configs[which];

    *config = (struct config){.pools = pools[which],
                              .pool_ct = mails_workers < 0 ? 1 : 2,
                              .stop_grace_ms = LONG_MS,
                              .hang_timeout_ms = LONG_MS};
    for (size_t i = 0; i < config->pool_ct; i++)
        config->pools[i] = (struct pool_config){
            .name = pool_names[i], .workers = workers[i], .concurrency = 4};
}

void open_scene(void)
{
    struct err err = {0};
    struct fleet_options options = {.entry = fake_worker, .changed = fleet_changed};

    stage_open();
    ck_assert_int_eq(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    fleet_loop = loop_create(&err);
    reaper = reaper_create(fleet_loop, &err);
    ck_assert_ptr_nonnull(reaper);
    options.loop = fleet_loop;
    options.reaper = reaper;
    fleet = fleet_create(&options);
}

bool is_empty(void *arg UNUSED)
{
    return fleet_is_empty(fleet);
}

void close_scene(void)
{
    stage_all(ACT_WORK);
    fleet_kill(fleet);
    run_until(fleet_loop, is_empty, NULL);
    fleet_destroy(fleet);
    reaper_destroy(reaper);
    loop_destroy(fleet_loop);
    ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1); /* no child, dead or alive */
    ck_assert_int_eq(errno, ECHILD);
    stage_close();
}

void start(int64_t main_workers, int64_t mails_workers)
{
    fill_config(0, main_workers, mails_workers);
    fleet_configure(fleet, &configs[0], &endpoint);
}

void reload(int64_t main_workers, int64_t mails_workers)
{
    fill_config(1, main_workers, mails_workers);
    fleet_configure(fleet, &configs[1], &endpoint);
}

static bool all_run(void *arg UNUSED)
{
    struct fleet_counts counts = fleet_count(fleet);

    return counts.running == counts.wanted && counts.alive == counts.wanted &&
           counts.stale == 0;
}

void await_all_running(void)
{
    run_until(fleet_loop, all_run, NULL);
}

const struct worker_slot *slot_of(size_t pool, size_t slot)
{
    ck_assert_uint_lt(slot, fleet_pool(fleet, pool)->slot_ct);
    return fleet_pool(fleet, pool)->slots[slot];
}

pid_t pid_of(size_t pool, size_t slot)
{
    return slot_of(pool, slot)->child.pid;
}

static enum slot_state awaited_state;

static bool first_is_in_state(void *arg UNUSED)
{
    return fleet_pool(fleet, 0)->slot_ct > 0 &&
           slot_of(0, 0)->child.slot.state == awaited_state;
}

void await_state(enum slot_state state)
{
    awaited_state = state;
    run_until(fleet_loop, first_is_in_state, NULL);
}

static unsigned awaited_starts;

static bool first_has_started(void *arg UNUSED)
{
    return stage->starts[0] >= awaited_starts &&
           slot_of(0, 0)->child.slot.state == SLOT_RUNNING;
}

/* Until slot 0's worker number `starts` is running. */
void await_start(unsigned starts)
{
    awaited_starts = starts;
    run_until(fleet_loop, first_has_started, NULL);
}
