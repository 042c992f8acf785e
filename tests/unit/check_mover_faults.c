/* PostgreSQL, Redis or the worker in trouble while records are moved: they wait, and in
 * the end there is one row of each. */
#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/proxy.h"
#include "tests/unit/mover_scene.h"
#include "tests/unit/suite.h"

enum { RECORD_CT = 60 }; /* two pages */

static void expect_told_once(const char *event, const char *sqlstate)
{
    ck_assert_uint_eq(world_logged(&scene.world, event), 1);
    ck_assert_uint_eq(world_logged(&scene.world, sqlstate), 1);
}

/* Once this has been told, nothing is moved for a while, and nothing lost. */
static void hold_out(const char *told)
{
    int64_t end_ms;

    UNTIL(&scene.world, (scene_is_moved(), world_logged(&scene.world, told)) > 0);
    end_ms = clock_mono_ms() + 500;
    while (clock_mono_ms() < end_ms)
        ck_assert(!scene_is_moved());
    ck_assert_int_eq(scene_left_ct(), RECORD_CT);
}

START_TEST(a_server_that_is_away_is_waited_for)
{
    world_keep_log(&scene.world);
    postgres_process_stop(&scene.server, POSTGRES_FAST);
    scene_open_mover(NULL);
    scene_fail_many("u", RECORD_CT);
    hold_out("event=pg.down");
    postgres_process_start(&scene.server);
    UNTIL(&scene.world, scene_is_moved());
    scene_expect_once("u", RECORD_CT);
    ck_assert_uint_eq(world_logged(&scene.world, "event=pg.down"), 1);
    ck_assert_uint_eq(world_logged(&scene.world, "event=pg.up"), 1);
}
END_TEST

START_TEST(a_missing_table_is_told_once_and_waited_for)
{
    world_keep_log(&scene.world);
    (void)postgres_process_do(&scene.server, "DROP TABLE failed_jobs");
    scene_open_mover(NULL);
    scene_fail_many("u", RECORD_CT);
    hold_out("event=outbox.stuck");
    expect_told_once("event=outbox.stuck", "sqlstate=42P01");
    ck_assert_uint_eq(world_logged(&scene.world, "do=\"drover failed migrate\""), 1);
    scene_create_table();
    UNTIL(&scene.world, scene_is_moved());
    scene_expect_once("u", RECORD_CT);
    ck_assert_uint_eq(world_logged(&scene.world, "event=outbox.flows"), 1);
}
END_TEST

START_TEST(a_read_only_server_is_waited_for)
{
    world_keep_log(&scene.world);
    postgres_process_set_read_only(&scene.server, true);
    scene_open_mover(NULL);
    scene_fail_many("u", RECORD_CT);
    hold_out("event=outbox.stuck");
    postgres_process_set_read_only(&scene.server, false);
    UNTIL(&scene.world, scene_is_moved());
    scene_expect_once("u", RECORD_CT);
    expect_told_once("event=outbox.stuck", "sqlstate=25006");
}
END_TEST

/* Rows of a whole page each, so that none has room for another, until no more fit. */
static void fill_table(void)
{
    (void)postgres_process_do(
        &scene.server,
        "ALTER TABLE failed_jobs ALTER exception SET STORAGE PLAIN; "
        "DO $$ BEGIN FOR n IN 1..3000 LOOP BEGIN INSERT INTO failed_jobs (uuid, "
        "connection, queue, payload, exception) VALUES (n, '', '', '', repeat('x', "
        "8050)); EXCEPTION WHEN disk_full THEN EXIT; END; END LOOP; END $$");
    ck_assert_int_lt(scene_row_ct(), 3000);
}

START_TEST(a_full_disk_is_waited_for)
{
    world_keep_log(&scene.world);
    postgres_process_limit_files(&scene.server, "17829888");
    fill_table();
    scene_open_mover(NULL);
    scene_fail_many("u", RECORD_CT);
    hold_out("event=outbox.stuck");
    postgres_process_limit_files(&scene.server, "unlimited");
    postgres_process_end_sessions(&scene.server);
    UNTIL(&scene.world, scene_is_moved());
    scene_expect_once("u", RECORD_CT);
    expect_told_once("event=outbox.stuck", "sqlstate=53100");
}
END_TEST

START_TEST(every_kind_of_trouble_is_told)
{
    world_keep_log(&scene.world);
    postgres_process_set_read_only(&scene.server, true);
    scene_open_mover(NULL);
    scene_fail_many("u", RECORD_CT);
    hold_out("sqlstate=25006");
    (void)postgres_process_do(&scene.server, "DROP TABLE failed_jobs");
    hold_out("sqlstate=42P01");
    ck_assert_uint_eq(world_logged(&scene.world, "event=outbox.stuck"), 2);
    ck_assert_uint_eq(world_logged(&scene.world, "sqlstate=25006"), 1);
    ck_assert_uint_eq(world_logged(&scene.world, "sqlstate=42P01"), 1);
    scene_create_table();
    postgres_process_set_read_only(&scene.server, false);
    UNTIL(&scene.world, scene_is_moved());
    scene_expect_once("u", RECORD_CT);
}
END_TEST

static const struct {
    const char *sql, *event;
} odd_tables[] = {
    {"ALTER TABLE failed_jobs DROP COLUMN exception", "event=outbox.stuck"},
    {"ALTER TABLE failed_jobs ADD tenant int NOT NULL", "event=outbox.refused"},
};

START_TEST(an_odd_table_is_told_with_what_explains_it)
{
    world_keep_log(&scene.world);
    (void)postgres_process_do(&scene.server, "%s", odd_tables[_i].sql);
    scene_open_mover(NULL);
    scene_fail_many("u", 1);
    UNTIL(&scene.world,
          (scene_is_moved(), world_logged(&scene.world, odd_tables[_i].event)) > 0);
    ck_assert_uint_ge(world_logged(&scene.world, "do=\"drover failed migrate tells"), 1);
    ck_assert_int_eq(scene_left_ct(), 1);
}
END_TEST

static struct proxy *make_proxy(char *dsn, size_t size)
{
    char path[160];
    char *dir = must_format("%s/proxy", scene.server.dir);
    struct proxy *proxy;

    (void)mkdir(dir, 0755);
    (void)snprintf(path, sizeof(path), "%s/.s.PGSQL.5432", dir);
    (void)unlink(path);
    proxy = proxy_create(scene.world.loop, path, scene.server.socket);
    (void)snprintf(dsn, size, "host=%s port=5432 dbname=postgres user=postgres", dir);
    free(dir);
    return proxy;
}

START_TEST(a_lost_answer_to_commit_leaves_one_row)
{
    char dsn[256];
    struct proxy *proxy = make_proxy(dsn, sizeof(dsn));

    world_keep_log(&scene.world);
    scene_open_mover(dsn);
    scene_fail_many("warm", 1);
    UNTIL(&scene.world, scene_is_moved()); /* connected */
    scene_hold("u-0000");
    scene_fail_many("u", 20);
    UNTIL(&scene.world, (scene_is_moved(), scene_is_held()));
    proxy_set(proxy, PROXY_ANSWERS, PROXY_LOSE);
    scene_let_go();
    UNTIL(&scene.world, (scene_is_moved(), scene_row_ct()) == 21);
    ck_assert_int_eq(scene_left_ct(), 20);
    proxy_cut(proxy, PROXY_FIN);
    proxy_set(proxy, PROXY_BOTH, PROXY_PASS);
    UNTIL(&scene.world, scene_is_moved());
    scene_expect_once("u", 20);
    ck_assert_int_eq(scene_row_ct(), 21);
    ck_assert_uint_eq(world_logged(&scene.world, "event=outbox.unsure"), 1);
    scene_close_mover(0);
    proxy_destroy(proxy);
}
END_TEST

START_TEST(a_crash_of_the_server_in_mid_page_leaves_one_row)
{
    scene_open_mover(NULL);
    scene_hold("u-0010");
    scene_fail_many("u", RECORD_CT);
    UNTIL(&scene.world, (scene_is_moved(), scene_is_held()));
    postgres_process_restart(&scene.server, POSTGRES_IMMEDIATE);
    ck_assert_int_eq(scene_row_ct(), 0);
    (void)postgres_process_do(&scene.server, "DROP TRIGGER hold ON failed_jobs");
    postgres_process_end_sessions(&scene.server);
    UNTIL(&scene.world, scene_is_moved());
    scene_expect_once("u", RECORD_CT);
}
END_TEST

/* Between COMMIT and the drop: Redis does not hear of the drop, or the worker ends. */
START_TEST(a_drop_that_never_came_leaves_one_row)
{
    world_use_proxy(&scene.world);
    scene_open_mover(NULL);
    scene_fail_many("v", 20);
    scene_hold("v-0010"); /* while Redis goes deaf */
    mover_wake(scene.movers[0]);
    UNTIL(&scene.world, scene_is_held());
    proxy_set(scene.world.proxy, PROXY_BOTH, PROXY_LOSE);
    scene_let_go();
    UNTIL(&scene.world, scene_row_ct() == 20);
    for (int i = 0; i < 20; i++)
        world_turn(&scene.world);
    ck_assert_int_eq(scene_left_ct(), 20);
    if (_i == 0) {
        proxy_cut(scene.world.proxy, PROXY_FIN);
    } else {
        scene_close_mover(0);
        proxy_set(scene.world.proxy, PROXY_BOTH, PROXY_PASS);
        scene_open_mover(NULL);
    }
    proxy_set(scene.world.proxy, PROXY_BOTH, PROXY_PASS);
    UNTIL(&scene.world, scene_is_moved());
    scene_expect_once("v", 20);
    ck_assert_int_eq(scene_row_ct(), 20);
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_unchecked_fixture(tc, mover_scene_make, mover_scene_end);
    tcase_add_checked_fixture(tc, mover_scene_set_up, mover_scene_tear_down);
    tcase_add_test(tc, a_server_that_is_away_is_waited_for);
    tcase_add_test(tc, a_missing_table_is_told_once_and_waited_for);
    tcase_add_test(tc, a_read_only_server_is_waited_for);
    tcase_add_test(tc, a_full_disk_is_waited_for);
    tcase_add_test(tc, every_kind_of_trouble_is_told);
    tcase_add_loop_test(tc, an_odd_table_is_told_with_what_explains_it, 0,
                        ARRAY_CT(odd_tables));
    tcase_add_test(tc, a_lost_answer_to_commit_leaves_one_row);
    tcase_add_test(tc, a_crash_of_the_server_in_mid_page_leaves_one_row);
    tcase_add_loop_test(tc, a_drop_that_never_came_leaves_one_row, 0, 2);
}

int main(void)
{
    if (!postgres_process_is_installed())
        return 77; /* skipped */
    return run_suite("mover_faults", 120, add_tests);
}
