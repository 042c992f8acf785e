/* Failed records from Redis to PostgreSQL: what arrives, and what becomes of those that
 * cannot. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "failed/raw.h"
#include "queue/client.h"
#include "tests/unit/mover_scene.h"
#include "tests/unit/suite.h"

static const char *ask(const char *what, const char *uuid)
{
    return postgres_process_do(
        &scene.server, "SELECT %s FROM failed_jobs WHERE uuid = '%s'", what, uuid);
}

START_TEST(a_record_arrives_as_laravel_would_have_written_it)
{
    static const char payload[] =
        "{\"uuid\":\"u-1\",\"job\":\"a\\u0000b\",\"data\":[1e400]}";

    scene_fail("u-1", slice_text(payload), "exit status 3\n\nattempt 1", 1700000000999);
    scene_open_mover(NULL);
    UNTIL(&scene.world, scene_is_moved());
    ck_assert_int_eq(scene_row_ct(), 1);
    ck_assert_str_eq(ask("payload", "u-1"), payload);
    ck_assert_str_eq(ask("connection || ' ' || queue", "u-1"), "redis default");
    ck_assert_str_eq(ask("exception", "u-1"), "exit status 3\n\nattempt 1");
    ck_assert_str_eq(ask("failed_at", "u-1"), "2023-11-14 22:13:20"); /* UTC */
    ck_assert_int_eq(real_redis_int(&scene.world.server, "EXISTS drover:failed:u-1"), 0);
}
END_TEST

/* From a job that a worker fails to the row. */
START_TEST(a_failed_job_is_moved_by_its_worker)
{
    struct hand *hand = &scene.hands[0];

    scene_open_mover(NULL);
    hand_want(hand, 1);
    world_push(&scene.world, "default", "{\"uuid\":\"u-1\",\"job\":\"x\"}");
    UNTIL(&scene.world, hand->job_ct == 1);
    hand_fail(hand, 0, "u-1", "exit status 3");
    hand_settled(hand);
    UNTIL(&scene.world, hand->outbox_ct > 0); /* the heartbeat tells */
    UNTIL(&scene.world, scene_is_moved());
    ck_assert_str_eq(ask("payload", "u-1"), "{\"uuid\":\"u-1\",\"job\":\"x\"}");
}
END_TEST

START_TEST(pages_are_moved_one_after_the_other)
{
    scene_fail_many("u", 230);
    scene_open_mover(NULL);
    UNTIL(&scene.world, scene_is_moved());
    scene_expect_once("u", 230);
    ck_assert_int_eq(postgres_process_int(&scene.server,
                                          "SELECT count(*) FROM (SELECT uuid, lag(uuid) "
                                          "OVER (ORDER BY id) AS before FROM "
                                          "failed_jobs) f WHERE before > uuid"),
                     0); /* the oldest first */
}
END_TEST

START_TEST(bytes_that_are_no_text_are_kept)
{
    static const struct slice payloads[] = {
        {"a\0b", 3}, {"\xff\xfe", 2}, {"{\"uuid\":\"u\",\"job\":\"\xff\"}", 22}, {"", 0}};
    char uuid[16];

    for (size_t i = 0; i < ARRAY_CT(payloads); i++) {
        (void)snprintf(uuid, sizeof(uuid), "u-%zu", i);
        scene_fail(uuid, payloads[i], "bad \xff bytes\n", 1700000000000);
    }
    scene_open_mover(NULL);
    UNTIL(&scene.world, scene_is_moved());
    for (size_t i = 0; i < ARRAY_CT(payloads); i++) {
        struct buf bytes;
        const char *stored;

        buf_init(&bytes, 0);
        (void)snprintf(uuid, sizeof(uuid), "u-%zu", i);
        ck_assert_str_eq(ask("exception", uuid), "bad \\xff bytes\n");
        stored = ask("payload", uuid);
        if (payloads[i].len > 0) {
            ck_assert(failed_raw_decode(slice_text(stored), &bytes));
            ck_assert(slice_equal(buf_slice(&bytes), payloads[i]));
        } else {
            ck_assert_str_eq(stored, "");
        }
        buf_free(&bytes);
    }
}
END_TEST

START_TEST(what_is_there_already_is_not_written_twice)
{
    scene_open_mover(NULL);
    for (int i = 0; i < 3; i++) {
        scene_fail_many("u", 3);
        UNTIL(&scene.world, scene_is_moved());
        scene_expect_once("u", 3);
        ck_assert_int_eq(scene_row_ct(), 3);
    }
}
END_TEST

START_TEST(another_job_of_the_same_uuid_gets_a_uuid_of_its_own)
{
    scene_open_mover(NULL);
    scene_fail("u-1", slice_text("{\"n\":1}"), "first\n", 1700000000000);
    UNTIL(&scene.world, scene_is_moved());
    for (int i = 0; i < 2; i++) { /* and once, however often it is tried */
        scene_fail("u-1", slice_text("{\"n\":2}"), "second\n", 1700000001000);
        UNTIL(&scene.world, scene_is_moved());
        ck_assert_int_eq(scene_row_ct(), 2);
    }
    ck_assert_str_eq(ask("payload", "u-1"), "{\"n\":1}");
    ck_assert_str_eq(postgres_process_do(&scene.server,
                                         "SELECT exception FROM failed_jobs "
                                         "WHERE payload = '{\"n\":2}'"),
                     "second\nuuid of the job: u-1, which another record has\n");
}
END_TEST

/* ---- retried or forgotten meanwhile ---- */

static struct client *open_outbox(struct client **client)
{
    *client = client_open(&scene.world.endpoint, "", NULL);
    ck_assert_ptr_nonnull(*client);
    return client_outbox(*client);
}

/* 0: retry, 1: forget; as the command line does. */
static int take_away(int how, const char *uuid, bool *done, struct err *err)
{
    struct client *client, *outbox = open_outbox(&client);
    int64_t removed = 0;
    int rc;

    if (how == 0) {
        rc = client_failed_retry(outbox, uuid, "default", slice_text("{}"), done, err);
    } else {
        rc = client_failed_forget(outbox, &uuid, 1, &removed, err);
        *done = removed == 1;
    }
    client_close(outbox);
    client_close(client);
    return rc;
}

START_TEST(what_is_being_inserted_is_neither_retried_nor_forgotten)
{
    struct err err = {0};
    bool done = false;

    scene_hold("u-0000");
    scene_fail_many("u", 1);
    scene_open_mover(NULL);
    UNTIL(&scene.world, (scene_is_moved(), scene_is_held()));
    ck_assert_int_eq(take_away(_i, "u-0000", &done, &err), -1);
    ck_assert_int_eq(err.code, ERR_DATABASE);
    ck_assert_ptr_nonnull(strstr(err.text, "on its way to PostgreSQL: try again"));
    ck_assert(!done);
    scene_let_go();
    UNTIL(&scene.world, scene_is_moved());
    scene_expect_once("u", 1);
    ck_assert_int_eq(world_len(&scene.world, "queues:default"), 0);
}
END_TEST

START_TEST(what_postgresql_has_refused_can_be_retried_and_forgotten)
{
    struct err err = {0};
    bool done = false;

    (void)postgres_process_do(&scene.server, "DROP TABLE failed_jobs");
    world_keep_log(&scene.world);
    scene_fail_many("u", 1);
    scene_open_mover(NULL);
    UNTIL(&scene.world,
          (scene_is_moved(), world_logged(&scene.world, "event=outbox.stuck") == 1));
    /* Not while it is tried again, which takes a moment each time. */
    UNTIL(&scene.world, take_away(_i, "u-0000", &done, &err) == 0);
    ck_assert(done);
    ck_assert_int_eq(scene_left_ct(), 0);
    scene_create_table();
    UNTIL(&scene.world, scene_is_moved());
    ck_assert_int_eq(scene_row_ct(), 0);
    ck_assert_int_eq(world_len(&scene.world, "queues:default"), _i == 0);
}
END_TEST

START_TEST(one_that_is_refused_hinders_no_other)
{
    (void)postgres_process_do(&scene.server, "ALTER TABLE failed_jobs ADD CONSTRAINT no3 "
                                             "CHECK (uuid NOT LIKE 'u-000_')");
    world_keep_log(&scene.world);
    scene_fail_many("u", 70); /* the first ten are refused */
    scene_open_mover(NULL);
    UNTIL(&scene.world, (scene_is_moved(), scene_left_ct()) == 10);
    scene_fail_many("v", 5); /* older than those before the cursor: found too */
    UNTIL(&scene.world,
          (scene_is_moved(), scene_left_ct()) == 10 && scene_row_ct() == 65);
    ck_assert_uint_ge(world_logged(&scene.world, "event=outbox.refused"), 10);
    ck_assert_uint_ge(world_logged(&scene.world, "sqlstate=23514"), 10);
    ck_assert_uint_eq(world_logged(&scene.world, "event=outbox.stuck"), 0);
    (void)postgres_process_do(&scene.server,
                              "ALTER TABLE failed_jobs DROP CONSTRAINT no3");
    UNTIL(&scene.world, scene_is_moved());
    scene_expect_once("u", 70);
    scene_expect_once("v", 5);
}
END_TEST

/* A refused record is looked at again only when it has rested. */
START_TEST(refused_records_are_not_tried_in_a_tight_loop)
{
    int64_t since_ms;
    unsigned told;

    (void)postgres_process_do(&scene.server, "ALTER TABLE failed_jobs ADD CHECK (false)");
    world_keep_log(&scene.world);
    scene_fail_many("u", 1);
    scene_open_mover(NULL);
    UNTIL(&scene.world,
          (scene_is_moved(), world_logged(&scene.world, "event=outbox.refused")) > 0);
    since_ms = clock_mono_ms();
    ALL_THE_WHILE(&scene.world, 1000, !scene_is_moved());
    told = world_logged(&scene.world, "event=outbox.refused");
    ck_assert_int_le(told, 2 + (clock_mono_ms() - since_ms) / 150); /* they rest */
}
END_TEST

/* Beyond what a worker may be given: it waits in Redis, and hinders no other. */
START_TEST(one_above_max_payload_stays_unread_and_is_told_once)
{
    char *big = must_alloc(HAND_MAX_PAYLOAD_BYTES + 1);

    memset(big, 'x', HAND_MAX_PAYLOAD_BYTES + 1);
    world_keep_log(&scene.world);
    scene_fail("big", slice_of(big, HAND_MAX_PAYLOAD_BYTES + 1), "e", 1);
    scene_fail("fits", slice_of(big, HAND_MAX_PAYLOAD_BYTES), "e", 2);
    free(big);
    scene_open_mover(NULL);
    UNTIL(&scene.world, (scene_is_moved(), scene_left_ct()) == 1);
    scene_fail_many("u", 60); /* behind it, and found when it has rested */
    UNTIL(&scene.world, (scene_is_moved(), scene_left_ct()) == 1);
    ALL_THE_WHILE(&scene.world, 1000, !scene_is_moved());
    ck_assert_int_eq(scene_row_ct(), 61);
    ck_assert_int_eq(world_len(&scene.world, "drover:outbox"), 1);
    ck_assert_uint_eq(world_logged(&scene.world, "event=outbox.too_long uuid=big"), 1);
    ck_assert_uint_eq(world_logged(&scene.world, "event=outbox.too_long"), 1);
}
END_TEST

START_TEST(eight_movers_through_a_pooler_of_two_move_each_once)
{
    struct pgbouncer_process pooler;

    pgbouncer_process_begin(&pooler, &scene.server, 2);
    for (int i = 0; i < 8; i++)
        scene_open_mover(pooler.dsn);
    world_keep_log(&scene.world);
    scene_fail_many("u", 300);
    UNTIL(&scene.world, scene_is_moved());
    scene_expect_once("u", 300);
    ck_assert_int_eq(scene_row_ct(), 300);
    ck_assert_uint_eq(world_logged(&scene.world, "outbox.stuck"), 0);
    ck_assert_uint_eq(world_logged(&scene.world, "outbox.refused"), 0);
    pgbouncer_process_end(&pooler);
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_unchecked_fixture(tc, mover_scene_make, mover_scene_end);
    tcase_add_checked_fixture(tc, mover_scene_set_up, mover_scene_tear_down);
    tcase_add_test(tc, a_record_arrives_as_laravel_would_have_written_it);
    tcase_add_test(tc, a_failed_job_is_moved_by_its_worker);
    tcase_add_test(tc, pages_are_moved_one_after_the_other);
    tcase_add_test(tc, bytes_that_are_no_text_are_kept);
    tcase_add_test(tc, what_is_there_already_is_not_written_twice);
    tcase_add_test(tc, another_job_of_the_same_uuid_gets_a_uuid_of_its_own);
    tcase_add_loop_test(tc, what_is_being_inserted_is_neither_retried_nor_forgotten, 0,
                        2);
    tcase_add_loop_test(tc, what_postgresql_has_refused_can_be_retried_and_forgotten, 0,
                        2);
    tcase_add_test(tc, one_that_is_refused_hinders_no_other);
    tcase_add_test(tc, refused_records_are_not_tried_in_a_tight_loop);
    tcase_add_test(tc, one_above_max_payload_stays_unread_and_is_told_once);
    tcase_add_test(tc, eight_movers_through_a_pooler_of_two_move_each_once);
}

int main(void)
{
    if (!postgres_process_is_installed() || !pgbouncer_process_is_installed())
        return 77; /* skipped */
    return run_suite("mover", 120, add_tests);
}
