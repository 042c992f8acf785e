/* Pools of real processes that do what the test tells them to: starts, deaths, hangs,
 * drains, and what is left of a worker for its successor. */
#include <check.h>
#include <dirent.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "supervisor/fleet.h"
#include "tests/unit/fake_worker.h"
#include "tests/unit/suite.h"
#include "tests/unit/until.h"

enum { POOLS_MAX = 3, LONG_MS = 30000, SHORT_MS = 400 };

static struct loop *loop;
static struct reaper *reaper;
static struct fleet *fleet;
static struct config configs[2]; /* the one in use, and the one a reload brings */
static struct pool_config pools[2][POOLS_MAX];
static struct redis_endpoint endpoint;
static char pool_names[POOLS_MAX][8] = {"main", "mails", "slow"};
static unsigned changes;
static size_t fewest_running; /* since a reload */

static void fleet_changed(void *arg UNUSED)
{
    struct fleet_counts counts = fleet_count(fleet);

    changes++;
    if (counts.running < fewest_running)
        fewest_running = counts.running;
}

static void fill_config(size_t which, int64_t main_workers, int64_t mails_workers)
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

static void open_scene(void)
{
    struct err err = {0};
    struct fleet_options options = {.entry = fake_worker, .changed = fleet_changed};

    stage_open();
    ck_assert_int_eq(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    loop = loop_create(&err);
    reaper = reaper_create(loop, &err);
    ck_assert_ptr_nonnull(reaper);
    options.loop = loop;
    options.reaper = reaper;
    fleet = fleet_create(&options);
}

static bool is_empty(void *arg UNUSED)
{
    return fleet_is_empty(fleet);
}

static void close_scene(void)
{
    stage_all(ACT_WORK);
    fleet_kill(fleet);
    run_until(loop, is_empty, NULL);
    fleet_destroy(fleet);
    reaper_destroy(reaper);
    loop_destroy(loop);
    ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1); /* no child, dead or alive */
    ck_assert_int_eq(errno, ECHILD);
    stage_close();
}

static void start(int64_t main_workers, int64_t mails_workers)
{
    fill_config(0, main_workers, mails_workers);
    fleet_configure(fleet, &configs[0], &endpoint);
}

static void reload(int64_t main_workers, int64_t mails_workers)
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

static void await_all_running(void)
{
    run_until(loop, all_run, NULL);
}

static const struct worker_slot *slot_of(size_t pool, size_t slot)
{
    ck_assert_uint_lt(slot, fleet_pool(fleet, pool)->slot_ct);
    return fleet_pool(fleet, pool)->slots[slot];
}

static pid_t pid_of(size_t pool, size_t slot)
{
    return slot_of(pool, slot)->child.pid;
}

static enum slot_state awaited_state;

static bool first_is_in_state(void *arg UNUSED)
{
    return fleet_pool(fleet, 0)->slot_ct > 0 &&
           slot_of(0, 0)->child.slot.state == awaited_state;
}

static void await_state(enum slot_state state)
{
    awaited_state = state;
    run_until(loop, first_is_in_state, NULL);
}

static unsigned awaited_starts;

static bool first_has_started(void *arg UNUSED)
{
    return stage->starts[0] >= awaited_starts &&
           slot_of(0, 0)->child.slot.state == SLOT_RUNNING;
}

/* Until slot 0's worker number `starts` is running. */
static void await_start(unsigned starts)
{
    awaited_starts = starts;
    run_until(loop, first_has_started, NULL);
}

/* ---- starting ---- */

START_TEST(every_slot_gets_a_worker_in_a_group_of_its_own)
{
    start(2, 1);
    await_all_running();
    ck_assert_uint_eq(fleet_pool_ct(fleet), 2);
    ck_assert_uint_eq(fleet_count(fleet).running, 3);
    ck_assert_uint_eq(fleet_count(fleet).ran, 3);
    ck_assert_int_ne(pid_of(0, 0), pid_of(0, 1));
    for (size_t i = 0; i < 2; i++)
        ck_assert_int_eq(getpgid(pid_of(0, i)), pid_of(0, i));
}
END_TEST

/* What a worker finds around it, reported by its exit code: 0 all well, else a line. */
static int examine(const struct config *config, const struct pool_config *pool,
                   const struct redis_endpoint *where, unsigned slot, struct board *board)
{
    struct sigaction action;
    sigset_t blocked;
    int death_signal = 0;
    struct dirent *entry;
    DIR *fds;

    if (config != &configs[0] || pool != &configs[0].pools[0] || where != &endpoint ||
        slot != 0 || board->job_ct != 4)
        return 10;
    (void)sigprocmask(SIG_SETMASK, NULL, &blocked);
    for (int signum = 1; signum <= SIGSYS; signum++) {
        if (signum == SIGKILL || signum == SIGSTOP)
            continue;
        if (sigaction(signum, NULL, &action) != 0 || action.sa_handler != SIG_DFL)
            return 11;
        if (!sigismember(&blocked, signum))
            return 12;
    }
    if (prctl(PR_GET_PDEATHSIG, &death_signal) != 0 || death_signal != SIGTERM)
        return 13;
    fds = opendir("/proc/self/fd");
    while ((entry = readdir(fds)) != NULL)
        if (atoi(entry->d_name) > STDERR_FILENO && atoi(entry->d_name) != dirfd(fds))
            return 14;
    (void)closedir(fds);
    return 0;
}

static void note_status(pid_t pid UNUSED, int status, const struct rusage *usage UNUSED,
                        void *arg)
{
    *(int *)arg = status;
}

static bool is_known(void *status)
{
    return *(int *)status >= 0;
}

START_TEST(a_worker_begins_with_a_clean_slate)
{
    struct err err = {0};
    struct launch launch = {.entry = examine, .endpoint = &endpoint};
    int status = -1;
    pid_t pid;

    start(0, -1);
    (void)signal(SIGPIPE, SIG_IGN);
    launch.config = &configs[0];
    launch.pool = &configs[0].pools[0];
    launch.board = board_create(4, &err);
    ck_assert_ptr_nonnull(launch.board);
    pid = launch_worker(&launch, &err);
    ck_assert_int_gt(pid, 0);
    reaper_watch(reaper, pid, note_status, &status);
    run_until(loop, is_known, &status);
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), 0);
    board_destroy(launch.board);
}
END_TEST

static unsigned forks_to_fail;

static pid_t failing_fork(void)
{
    if (forks_to_fail == 0)
        return fork();
    forks_to_fail--;
    errno = EAGAIN;
    return -1;
}

START_TEST(a_fork_that_fails_is_retried)
{
    launch_fork_hook = failing_fork;
    forks_to_fail = 2; /* one of each slot */
    start(2, -1);
    ck_assert_uint_eq(fleet_count(fleet).backoff, 2);
    ck_assert_uint_eq(forks_to_fail, 0); /* not tried again at once */
    await_all_running();
    ck_assert_uint_eq(slot_of(0, 0)->child.slot.restarts, 0);
}
END_TEST

/* ---- dying ---- */

START_TEST(a_killed_worker_is_replaced_and_the_others_are_not)
{
    pid_t killed, other;

    start(2, -1);
    await_all_running();
    killed = pid_of(0, 0);
    other = pid_of(0, 1);
    ck_assert_int_eq(kill(killed, SIGKILL), 0);
    await_start(2);
    ck_assert_int_ne(pid_of(0, 0), killed);
    ck_assert_int_eq(pid_of(0, 1), other);
    ck_assert_uint_eq(slot_of(0, 0)->child.slot.restarts, 1);
    ck_assert_uint_eq(slot_of(0, 0)->child.slot.crash_ct, 1);
}
END_TEST

START_TEST(a_crash_loop_backs_off_and_leaves_the_others_alone)
{
    pid_t other;

    start(2, -1);
    await_all_running();
    other = pid_of(0, 1);
    stage->act[0] = ACT_FAIL;
    await_state(SLOT_BACKOFF);
    ck_assert_uint_eq(slot_of(0, 0)->child.slot.crash_ct, 2);
    ck_assert_uint_eq(stage->starts[0], 2);
    ck_assert_int_eq(pid_of(0, 0), 0);
    stage->act[0] = ACT_WORK;
    await_all_running();
    ck_assert_int_eq(pid_of(0, 1), other);
}
END_TEST

START_TEST(a_bad_configuration_is_not_tried_again_until_a_reload)
{
    stage->act[0] = ACT_REFUSE;
    start(1, -1);
    await_state(SLOT_FATAL);
    ck_assert_uint_eq(fleet_count(fleet).fatal, 1);
    ck_assert_uint_eq(stage->starts[0], 1);
    stage->act[0] = ACT_WORK;
    reload(1, -1);
    await_all_running();
    ck_assert_uint_eq(stage->starts[0], 2);
}
END_TEST

START_TEST(a_recycled_worker_is_replaced_at_once)
{
    start(1, -1);
    await_all_running();
    ck_assert_int_eq(kill(pid_of(0, 0), SIGTERM), 0); /* as if it had ended by itself */
    await_start(2);
    ck_assert_uint_eq(slot_of(0, 0)->child.slot.crash_ct, 0);
}
END_TEST

START_TEST(a_hung_worker_is_aborted_and_replaced)
{
    pid_t hung;

    stage->leaves_tag = 100;
    start(1, -1);
    await_all_running();
    configs[0].hang_timeout_ms = SHORT_MS;
    hung = pid_of(0, 0);
    stage->act[0] = ACT_HANG;
    await_start(2);
    configs[0].hang_timeout_ms = LONG_MS;
    ck_assert_int_eq(kill(hung, 0), -1);
    ck_assert_uint_eq(slot_of(0, 0)->child.slot.crash_ct, 1);
    ck_assert_str_eq(stage->seen_note,
                     "worker main/0: killed by SIGABRT after 0 s without a heartbeat");
}
END_TEST

START_TEST(a_worker_that_never_beats_is_hung)
{
    stage->act[0] = ACT_HANG;
    start(1, -1);
    configs[0].hang_timeout_ms = SHORT_MS;
    await_start(2);
    configs[0].hang_timeout_ms = LONG_MS;
    ck_assert_uint_eq(slot_of(0, 0)->child.slot.crash_ct, 1);
}
END_TEST

/* ---- what is left behind ---- */

START_TEST(the_jobs_of_a_dead_worker_are_gone_before_its_successor_starts)
{
    stage->holds_job = 1;
    start(1, -1);
    await_all_running();
    ck_assert_int_gt(stage->group, 0);
    ck_assert_int_eq(kill(-stage->group, 0), 0);
    for (unsigned i = 2; i < 5; i++) {
        ck_assert_int_eq(kill(pid_of(0, 0), SIGKILL), 0);
        stage->act[0] = ACT_WORK;
        if (i > 2)
            await_state(SLOT_BACKOFF);
        await_start(i);
        ck_assert_int_eq(stage->group_lived, 0);
        if (i == 3)
            break; /* one of each kind: at once, and after a backoff */
    }
}
END_TEST

START_TEST(a_successor_is_told_the_tag_and_the_end_of_the_dead)
{
    stage->leaves_tag = 100;
    start(1, -1);
    await_all_running();
    ck_assert_uint_eq(stage->seen_tags[0], 0);
    ck_assert_int_eq(kill(pid_of(0, 0), SIGKILL), 0);
    await_start(2);
    ck_assert_uint_eq(stage->seen_tags[0], 101);
    ck_assert_str_eq(stage->seen_note, "worker main/0: killed by SIGKILL");
}
END_TEST

START_TEST(tags_not_dealt_with_are_passed_on)
{
    stage->leaves_tag = 100;
    start(1, -1);
    await_all_running();
    ck_assert_int_eq(kill(pid_of(0, 0), SIGKILL), 0);
    await_start(2);
    ck_assert_int_eq(kill(pid_of(0, 0), SIGKILL), 0);
    await_start(3); /* after a backoff, with nobody else to hand them to */
    ck_assert_uint_eq(stage->seen_tags[0], 101);
    ck_assert_uint_eq(stage->seen_tags[1], 102);
    ck_assert_uint_eq(stage->seen_tags[2], 0);
}
END_TEST

static bool is_seen_by_sibling(void *arg UNUSED)
{
    return stage->seen_tags[0] == 101;
}

START_TEST(the_tag_of_a_slot_that_goes_away_is_handed_to_a_sibling)
{
    struct err err = {0};

    start(2, -1);
    stage->leaves_tag = 100;
    stage->act[1] = ACT_STUBBORN;
    await_all_running();
    ck_assert_int_eq(kill(pid_of(0, 0), SIGKILL), 0); /* slot 0: a worker without a tag */
    stage->leaves_tag = 0;
    await_start(2);
    ck_assert_int_eq(fleet_scale(fleet, "main", 1, NULL, &err), 0);
    ck_assert_int_eq(kill(pid_of(0, 1), SIGKILL), 0);
    run_until(loop, is_seen_by_sibling, NULL);
    ck_assert_int_eq(strncmp(stage->seen_note, "worker main/", 12), 0);
}
END_TEST

START_TEST(counters_of_the_dead_stay_in_the_sums)
{
    stage->done_each = 7;
    start(1, -1);
    await_all_running();
    ck_assert_uint_eq(worker_slot_tally(slot_of(0, 0)).done, 7);
    ck_assert_int_eq(kill(pid_of(0, 0), SIGKILL), 0);
    await_start(2);
    ck_assert_uint_eq(worker_slot_tally(slot_of(0, 0)).done, 14);
}
END_TEST

/* ---- scaling ---- */

static size_t awaited_slots;

static bool has_slots(void *arg UNUSED)
{
    return fleet_pool(fleet, 0)->slot_ct == awaited_slots;
}

START_TEST(scaling_adds_slots_and_drains_the_highest)
{
    struct err err = {0};
    int64_t was = 0;
    pid_t first;

    start(1, -1);
    await_all_running();
    first = pid_of(0, 0);
    ck_assert_int_eq(fleet_scale(fleet, "main", 4, &was, &err), 0);
    ck_assert_int_eq(was, 1);
    await_all_running();
    ck_assert_uint_eq(fleet_pool(fleet, 0)->slot_ct, 4);
    ck_assert_int_eq(fleet_scale(fleet, "main", 1, &was, &err), 0);
    ck_assert_int_eq(was, 4);
    awaited_slots = 1;
    run_until(loop, has_slots, NULL);
    ck_assert_int_eq(pid_of(0, 0), first);
    for (size_t i = 1; i < 4; i++)
        ck_assert_uint_eq(stage->terms[i], 1);
    ck_assert_int_eq(fleet_scale(fleet, "main", 0, &was, &err), 0);
    awaited_slots = 0;
    run_until(loop, has_slots, NULL);
}
END_TEST

static bool second_has_restarted(void *arg UNUSED)
{
    return stage->starts[1] >= 2;
}

START_TEST(a_slot_wanted_again_while_it_drains_is_kept)
{
    struct err err = {0};

    stage->act[1] = ACT_STUBBORN;
    start(2, -1);
    await_all_running();
    ck_assert_int_eq(fleet_scale(fleet, "main", 1, NULL, &err), 0);
    ck_assert_int_eq(slot_of(0, 1)->child.slot.state, SLOT_STOPPING);
    ck_assert_int_eq(fleet_scale(fleet, "main", 2, NULL, &err), 0);
    stage->act[1] = ACT_LEAVE;
    run_until(loop, second_has_restarted, NULL);
    stage->act[1] = ACT_WORK;
    await_all_running();
    ck_assert_uint_eq(fleet_pool(fleet, 0)->slot_ct, 2);
}
END_TEST

START_TEST(what_cannot_be_scaled_is_said_so)
{
    static const int64_t bad[] = {-1, 257, INT64_MAX, INT64_MIN};
    struct err err = {0};

    start(1, 1);
    ck_assert_int_eq(fleet_scale(fleet, "x", 1, NULL, &err), -1);
    ck_assert_int_eq(err.code, ERR_NOT_FOUND);
    ck_assert_str_eq(err.text, "no pool named x (known: main, mails)");
    for (size_t i = 0; i < ARRAY_CT(bad); i++)
        ck_assert_int_eq(fleet_scale(fleet, "main", bad[i], NULL, &err), -1);
    ck_assert_uint_eq(fleet_pool(fleet, 0)->wanted_ct, 1);
}
END_TEST

/* ---- reload ---- */

START_TEST(a_reload_replaces_workers_one_at_a_time)
{
    start(3, -1);
    await_all_running();
    fewest_running = SIZE_MAX;
    reload(3, -1);
    ck_assert_uint_eq(fleet_count(fleet).stale, 3);
    await_all_running();
    ck_assert_uint_eq(fewest_running, 2);
    for (size_t i = 0; i < 3; i++) {
        ck_assert_uint_eq(stage->starts[i], 2);
        ck_assert_uint_eq(slot_of(0, i)->child.slot.crash_ct, 0);
    }
}
END_TEST

START_TEST(a_reload_that_makes_workers_fail_stops_at_the_first)
{
    start(3, -1);
    await_all_running();
    stage->act[0] = ACT_STUBBORN; /* until it is replaced */
    reload(3, -1);
    await_state(SLOT_STOPPING);
    stage->act[0] = ACT_FAIL;
    await_state(SLOT_BACKOFF);
    ck_assert_uint_eq(fleet_count(fleet).running, 2);
    ck_assert_uint_eq(fleet_count(fleet).stale, 2);
    ck_assert_uint_eq(stage->starts[1] + stage->starts[2], 2);
    stage->act[0] = ACT_WORK;
    await_all_running();
    ck_assert_uint_eq(stage->starts[1] + stage->starts[2], 4);
}
END_TEST

START_TEST(a_second_reload_amid_the_first_ends_with_the_latest)
{
    start(2, -1);
    await_all_running();
    reload(2, -1);
    fleet_configure(fleet, &configs[0], &endpoint);
    await_all_running();
    ck_assert_uint_eq(stage->starts[0], 2);
}
END_TEST

static bool has_one_pool(void *arg UNUSED)
{
    return fleet_pool_ct(fleet) == 1;
}

START_TEST(pools_come_and_go_with_the_configuration)
{
    start(1, -1);
    await_all_running();
    reload(1, 2);
    await_all_running();
    ck_assert_uint_eq(fleet_pool_ct(fleet), 2);
    ck_assert_str_eq(fleet_pool(fleet, 1)->name, "mails");
    ck_assert_uint_eq(fleet_pool(fleet, 1)->slot_ct, 2);
    fill_config(0, 1, -1);
    fleet_configure(fleet, &configs[0], &endpoint);
    run_until(loop, has_one_pool, NULL);
    ck_assert_str_eq(fleet_pool(fleet, 0)->name, "main");
    await_all_running();
}
END_TEST

START_TEST(pools_stand_in_the_configurations_order)
{
    start(1, 1);
    await_all_running();
    fill_config(1, 1, 1);
    configs[1].pools[0].name = pool_names[2];
    configs[1].pools[1].name = pool_names[0];
    fleet_configure(fleet, &configs[1], &endpoint);
    ck_assert_uint_eq(fleet_pool_ct(fleet), 3);
    ck_assert_str_eq(fleet_pool(fleet, 0)->name, "slow");
    ck_assert_str_eq(fleet_pool(fleet, 1)->name, "main");
    ck_assert_str_eq(fleet_pool(fleet, 2)->name, "mails"); /* draining */
    ck_assert_ptr_null(fleet_pool(fleet, 2)->settings);
}
END_TEST

/* ---- stopping ---- */

START_TEST(a_stop_drains_and_starts_nobody)
{
    struct err err = {0};

    start(2, 1);
    await_all_running();
    fleet_stop(fleet);
    ck_assert_int_eq(fleet_scale(fleet, "main", 5, NULL, &err), -1);
    run_until(loop, is_empty, NULL);
    ck_assert_uint_eq(stage->terms[0] + stage->terms[1], 3);
    ck_assert_uint_eq(fleet_count(fleet).alive, 0);
}
END_TEST

START_TEST(who_takes_no_notice_is_killed_after_the_grace)
{
    stage_all(ACT_STUBBORN);
    fill_config(0, 2, -1);
    configs[0].stop_grace_ms = 100;
    fleet_configure(fleet, &configs[0], &endpoint);
    await_all_running();
    fleet_stop(fleet);
    run_until(loop, is_empty, NULL);
    ck_assert_uint_eq(stage->terms[0], 1);
}
END_TEST

START_TEST(a_second_stop_reminds_and_then_kills)
{
    stage_all(ACT_STUBBORN);
    start(2, -1);
    await_all_running();
    fleet_stop(fleet);
    while (stage->terms[0] + stage->terms[1] < 2) /* two TERMs at once would be one */
        (void)poll(NULL, 0, 1);
    fleet_kill(fleet);
    run_until(loop, is_empty, NULL);
    ck_assert_uint_eq(stage->terms[0], 2);
}
END_TEST

START_TEST(a_third_stop_kills_at_once)
{
    stage_all(ACT_STUBBORN);
    start(1, -1);
    await_all_running();
    fleet_stop(fleet);
    fleet_kill(fleet);
    fleet_kill(fleet);
    run_until(loop, is_empty, NULL);
}
END_TEST

START_TEST(a_stop_at_any_moment_of_the_start_leaves_nobody)
{
    start(4, 4);
    fleet_stop(fleet); /* before the loop has turned once */
    run_until(loop, is_empty, NULL);
}
END_TEST

/* ---- Redis as the workers see it ---- */

START_TEST(redis_is_up_as_soon_as_one_worker_has_it)
{
    start(0, -1);
    ck_assert_int_eq(fleet_redis_link(fleet).link, FLEET_LINK_UNKNOWN);
    stage->link_down = 1;
    {
        struct err err = {0};

        ck_assert_int_eq(fleet_scale(fleet, "main", 1, NULL, &err), 0);
        await_all_running();
        ck_assert_int_eq(fleet_redis_link(fleet).link, FLEET_LINK_DOWN);
        stage->link_down = 0;
        ck_assert_int_eq(fleet_scale(fleet, "main", 2, NULL, &err), 0);
        await_all_running();
        ck_assert_int_eq(fleet_redis_link(fleet).link, FLEET_LINK_UP);
    }
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_checked_fixture(tc, open_scene, close_scene);
    tcase_add_test(tc, every_slot_gets_a_worker_in_a_group_of_its_own);
    tcase_add_test(tc, a_worker_begins_with_a_clean_slate);
    tcase_add_test(tc, a_fork_that_fails_is_retried);
    tcase_add_test(tc, a_killed_worker_is_replaced_and_the_others_are_not);
    tcase_add_test(tc, a_crash_loop_backs_off_and_leaves_the_others_alone);
    tcase_add_test(tc, a_bad_configuration_is_not_tried_again_until_a_reload);
    tcase_add_test(tc, a_recycled_worker_is_replaced_at_once);
    tcase_add_test(tc, a_hung_worker_is_aborted_and_replaced);
    tcase_add_test(tc, a_worker_that_never_beats_is_hung);
    tcase_add_test(tc, the_jobs_of_a_dead_worker_are_gone_before_its_successor_starts);
    tcase_add_test(tc, a_successor_is_told_the_tag_and_the_end_of_the_dead);
    tcase_add_test(tc, tags_not_dealt_with_are_passed_on);
    tcase_add_test(tc, the_tag_of_a_slot_that_goes_away_is_handed_to_a_sibling);
    tcase_add_test(tc, counters_of_the_dead_stay_in_the_sums);
    tcase_add_test(tc, scaling_adds_slots_and_drains_the_highest);
    tcase_add_test(tc, a_slot_wanted_again_while_it_drains_is_kept);
    tcase_add_test(tc, what_cannot_be_scaled_is_said_so);
    tcase_add_test(tc, a_reload_replaces_workers_one_at_a_time);
    tcase_add_test(tc, a_reload_that_makes_workers_fail_stops_at_the_first);
    tcase_add_test(tc, a_second_reload_amid_the_first_ends_with_the_latest);
    tcase_add_test(tc, pools_come_and_go_with_the_configuration);
    tcase_add_test(tc, pools_stand_in_the_configurations_order);
    tcase_add_test(tc, a_stop_drains_and_starts_nobody);
    tcase_add_test(tc, who_takes_no_notice_is_killed_after_the_grace);
    tcase_add_test(tc, a_second_stop_reminds_and_then_kills);
    tcase_add_test(tc, a_third_stop_kills_at_once);
    tcase_add_test(tc, a_stop_at_any_moment_of_the_start_leaves_nobody);
    tcase_add_test(tc, redis_is_up_as_soon_as_one_worker_has_it);
}

int main(void)
{
    return run_suite("fleet", 60, add_tests);
}
