/* Workers as real processes that do what the test tells them to: starts, deaths, hangs,
 * and what is left of a worker for its successor. */
#include <check.h>
#include <dirent.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "tests/unit/fleet_scene.h"
#include "tests/unit/suite.h"
#include "tests/unit/until.h"

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
        slot != 0 || board_job_ct(board) != 4)
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
    while ((entry = readdir(fds)) != NULL) {
        long fd = strtol(entry->d_name, NULL, 10);

        if (fd > STDERR_FILENO && fd != dirfd(fds))
            return 14;
    }
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
    run_until(fleet_loop, is_known, &status);
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

static bool one_runs(void *arg UNUSED)
{
    return fleet_count(fleet).running == 1;
}

static bool both_wait(void *arg UNUSED)
{
    return fleet_count(fleet).backoff == 2;
}

START_TEST(a_pool_whose_workers_all_crash_soon_tries_one_again)
{
    start(2, -1);
    await_all_running();
    for (size_t i = 0; i < 2; i++) { /* left to themselves they would wait a minute */
        fleet_pool(fleet, 0)->slots[i]->child.slot.crash_ct = 20;
        ck_assert_int_eq(kill(pid_of(0, i), SIGKILL), 0);
    }
    run_until(fleet_loop, both_wait, NULL);
    run_until(fleet_loop, one_runs, NULL);
    ck_assert_uint_eq(fleet_count(fleet).backoff, 1); /* the other has its time */
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

/* A successor slow to begin may have been judged by the same short time: each start but
 * the first follows exactly one crash. */
static void expect_a_crash_for_each_restart(void)
{
    await_state(SLOT_RUNNING);
    ck_assert_uint_eq(slot_of(0, 0)->child.slot.crash_ct, stage->starts[0] - 1);
}

START_TEST(a_hung_worker_is_aborted_and_replaced)
{
    unsigned silent_s;
    char rest;
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
    expect_a_crash_for_each_restart();
    ck_assert_int_eq(sscanf(stage->seen_note,
                            "worker main/0: killed by SIGABRT after %u s without a %c",
                            &silent_s, &rest),
                     2);
    ck_assert_int_eq(rest, 'h');
}
END_TEST

START_TEST(a_worker_that_never_beats_is_hung)
{
    stage->act[0] = ACT_HANG;
    start(1, -1);
    configs[0].hang_timeout_ms = SHORT_MS;
    await_start(2);
    configs[0].hang_timeout_ms = LONG_MS;
    expect_a_crash_for_each_restart();
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

/* Linked in place of the real one: some members take their time to die. */
static unsigned looks_with_members;
unsigned __real_board_kill_groups(struct board *board);
unsigned __wrap_board_kill_groups(struct board *board);

unsigned __wrap_board_kill_groups(struct board *board)
{
    if (looks_with_members == 0)
        return __real_board_kill_groups(board);
    ck_assert_uint_eq(stage->starts[0], 1);
    looks_with_members--;
    return 1;
}

START_TEST(a_successor_waits_until_no_process_of_a_job_is_left)
{
    start(1, -1);
    await_all_running();
    looks_with_members = 5;
    ck_assert_int_eq(kill(pid_of(0, 0), SIGKILL), 0);
    await_start(2);
    ck_assert_uint_eq(looks_with_members, 0);
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
    return stage->seen_tags[0] == 111;
}

START_TEST(the_tag_of_a_slot_that_goes_away_is_handed_to_a_sibling)
{
    struct err err = {0};

    stage->leaves_tag = 100;
    stage->act[1] = ACT_STUBBORN;
    start(2, -1);
    await_all_running();
    ck_assert_int_eq(fleet_scale(fleet, "main", 1, NULL, &err), 0);
    ck_assert_int_eq(kill(pid_of(0, 1), SIGKILL), 0);
    run_until(fleet_loop, is_seen_by_sibling, NULL);
    ck_assert_str_eq(stage->seen_note, "worker main/1: killed by SIGKILL");
    ck_assert_uint_eq(stage->starts[0], 1);
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

static void add_tests(TCase *tc)
{
    tcase_add_checked_fixture(tc, open_scene, close_scene);
    tcase_add_test(tc, every_slot_gets_a_worker_in_a_group_of_its_own);
    tcase_add_test(tc, a_worker_begins_with_a_clean_slate);
    tcase_add_test(tc, a_fork_that_fails_is_retried);
    tcase_add_test(tc, a_killed_worker_is_replaced_and_the_others_are_not);
    tcase_add_test(tc, a_crash_loop_backs_off_and_leaves_the_others_alone);
    tcase_add_test(tc, a_pool_whose_workers_all_crash_soon_tries_one_again);
    tcase_add_test(tc, a_bad_configuration_is_not_tried_again_until_a_reload);
    tcase_add_test(tc, a_recycled_worker_is_replaced_at_once);
    tcase_add_test(tc, a_hung_worker_is_aborted_and_replaced);
    tcase_add_test(tc, a_worker_that_never_beats_is_hung);
    tcase_add_test(tc, the_jobs_of_a_dead_worker_are_gone_before_its_successor_starts);
    tcase_add_test(tc, a_successor_waits_until_no_process_of_a_job_is_left);
    tcase_add_test(tc, a_successor_is_told_the_tag_and_the_end_of_the_dead);
    tcase_add_test(tc, tags_not_dealt_with_are_passed_on);
    tcase_add_test(tc, the_tag_of_a_slot_that_goes_away_is_handed_to_a_sibling);
    tcase_add_test(tc, counters_of_the_dead_stay_in_the_sums);
}

int main(void)
{
    return run_suite("fleet", 60, add_tests);
}
