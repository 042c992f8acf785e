/* The fleet while it changes: scaled, reloaded, stopped. */
#include <check.h>
#include <poll.h>

#include "tests/unit/fleet_scene.h"
#include "tests/unit/suite.h"
#include "tests/unit/until.h"

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
    run_until(fleet_loop, has_slots, NULL);
    ck_assert_int_eq(pid_of(0, 0), first);
    for (size_t i = 1; i < 4; i++)
        ck_assert_uint_eq(stage->terms[i], 1);
    ck_assert_int_eq(fleet_scale(fleet, "main", 0, &was, &err), 0);
    awaited_slots = 0;
    run_until(fleet_loop, has_slots, NULL);
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
    run_until(fleet_loop, second_has_restarted, NULL);
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
    run_until(fleet_loop, has_one_pool, NULL);
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
    run_until(fleet_loop, is_empty, NULL);
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
    run_until(fleet_loop, is_empty, NULL);
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
    run_until(fleet_loop, is_empty, NULL);
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
    run_until(fleet_loop, is_empty, NULL);
}
END_TEST

START_TEST(a_stop_at_any_moment_of_the_start_leaves_nobody)
{
    start(4, 4);
    fleet_stop(fleet); /* before the loop has turned once */
    run_until(fleet_loop, is_empty, NULL);
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
    return run_suite("fleet_change", 60, add_tests);
}
