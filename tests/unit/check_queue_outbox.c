/* Failed records on their way to PostgreSQL: in the outbox, read in pages, dropped. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/world_fixture.h"

static void set_up(void)
{
    open_world(1000);
    hand.to_outbox = true;
}

/* ---- what pages and drops said ---- */

struct heard {
    unsigned ct;
    bool null;
    char uuids[OUTBOX_PAGE_MAX][64];
    size_t uuid_ct;
    size_t payload_bytes;
    struct outbox_too_long too_long; /* the first of them */
    size_t too_long_ct;
    bool last;
    struct outbox_cursor cursor;
    char first[256]; /* of the first record: all fields in a line */
};

static void took_page(void *arg, const struct outbox_page *page)
{
    struct heard *heard = arg;

    heard->ct++;
    heard->null = page == NULL;
    heard->uuid_ct = 0;
    heard->payload_bytes = 0;
    for (size_t i = 0; page && i < page->ct; i++) {
        const struct fail_record *record = &page->records[i];

        if (i == 0)
            (void)snprintf(
                heard->first, sizeof(heard->first),
                "%s %s %s %s %lld %s %lld %.*s %.*s %s", record->uuid, record->connection,
                record->queue, record->job, (long long)record->attempts, record->reason,
                (long long)record->failed_at_ms, (int)record->exception.len,
                record->exception.ptr, (int)record->payload.len, record->payload.ptr,
                record->was_uuid ? record->was_uuid : "-");
        (void)snprintf(heard->uuids[heard->uuid_ct++], 64, "%s", record->uuid);
        heard->payload_bytes += record->payload.len;
    }
    if (page) {
        heard->too_long_ct = page->too_long_ct;
        if (page->too_long_ct > 0)
            heard->too_long = page->too_long[0];
        heard->last = page->last;
        heard->cursor = page->cursor;
    }
}

static struct heard read_page(const struct outbox_cursor *after, size_t max_ct)
{
    struct heard heard = {0};

    ck_assert(queue_outbox_read(hand.queue, after, max_ct, took_page, &heard));
    ck_assert_uint_eq(heard.ct, 0); /* never from inside the call */
    UNTIL(&world, heard.ct == 1);
    return heard;
}

struct dropped {
    unsigned ct;
    bool known;
    size_t kept[8], kept_ct;
};

static void took_drop(void *arg, bool known, const size_t *kept, size_t kept_ct)
{
    struct dropped *dropped = arg;

    dropped->ct++;
    dropped->known = known;
    dropped->kept_ct = kept_ct;
    for (size_t i = 0; i < kept_ct && i < 8; i++)
        dropped->kept[i] = kept[i];
}

static struct dropped drop(const struct outbox_mark *marks, size_t ct)
{
    struct dropped dropped = {0};

    ck_assert(queue_outbox_drop(hand.queue, marks, ct, took_drop, &dropped));
    UNTIL(&world, dropped.ct == 1);
    return dropped;
}

static void put(const char *uuid, long long at_ms)
{
    (void)real_redis_int(&world.server,
                         "HSET drover:failed:%s uuid %s connection redis queue q job j "
                         "attempts 2 reason r exception e failed_at_ms %lld payload p",
                         uuid, uuid, at_ms);
    (void)real_redis_int(&world.server, "ZADD drover:outbox %lld %s", at_ms, uuid);
}

static void open_hand(void)
{
    hand_open(&hand, 0);
    UNTIL(&world, hand.queue->link == LINK_READY);
}

static void fail_one(const char *payload, const char *uuid)
{
    world_push(&world, "default", payload);
    hand_want(&hand, 1);
    UNTIL(&world, hand.job_ct > 0 && hand.jobs[hand.job_ct - 1]);
    hand_want(&hand, 0);
    hand_fail(&hand, hand.job_ct - 1, uuid, "no luck");
    hand_settled(&hand);
}

static const struct outbox_cursor start;

/* ---- the way in ---- */

START_TEST(a_failed_job_waits_in_the_outbox_alone)
{
    open_hand();
    fail_one("{\"job\":\"a\"}", "u-1");
    ck_assert_int_eq(world_len(&world, "drover:outbox"), 1);
    ck_assert_int_eq(world_len(&world, "drover:failed"), 0);
    ck_assert(real_redis_is(&world.server, "{\"job\":\"a\"}",
                            "HGET drover:failed:u-1 payload"));
}
END_TEST

START_TEST(a_record_of_before_leaves_the_other_index)
{
    (void)real_redis_int(&world.server, "HSET drover:failed:u-1 uuid u-1 payload %s",
                         "{\"job\":\"a\"}");
    (void)real_redis_int(&world.server, "ZADD drover:failed 5 u-1");
    open_hand();
    fail_one("{\"job\":\"a\"}", "u-1");
    ck_assert_int_eq(world_len(&world, "drover:outbox"), 1);
    ck_assert_int_eq(world_len(&world, "drover:failed"), 0);
}
END_TEST

START_TEST(a_payload_too_big_goes_to_the_outbox_too)
{
    char *big = must_alloc(2 * 1024 * 1024 + 1);

    memset(big, 'x', 2 * 1024 * 1024);
    (void)real_redis_int(&world.server, "RPUSH queues:default %s", big);
    free(big);
    hand_open(&hand, 1);
    UNTIL(&world, world_len(&world, "drover:outbox") == 1);
    ck_assert_int_eq(world_len(&world, "drover:failed"), 0);
}
END_TEST

START_TEST(the_size_comes_with_the_heartbeat)
{
    put("u-1", 1000);
    open_hand();
    UNTIL(&world, hand.outbox_ct == 1);
    put("u-2", 1000);
    UNTIL(&world, hand.outbox_ct == 2);
}
END_TEST

/* ---- pages ---- */

START_TEST(a_page_has_all_of_a_record)
{
    struct heard heard;

    put("u-1", 1700000000123);
    open_hand();
    heard = read_page(&start, 10);
    ck_assert_str_eq(heard.first, "u-1 redis q j 2 r 1700000000123 e p -");
    ck_assert(heard.last);
    (void)real_redis_int(&world.server, "HSET drover:failed:u-1 was_uuid w");
    heard = read_page(&start, 10);
    ck_assert_str_eq(heard.first, "u-1 redis q j 2 r 1700000000123 e p w");
    heard = read_page(&heard.cursor, 10);
    ck_assert_uint_eq(heard.uuid_ct, 0);
    ck_assert(heard.last);
}
END_TEST

START_TEST(a_payload_above_max_payload_is_passed_over)
{
    char *big = must_alloc(HAND_MAX_PAYLOAD_BYTES + 2);
    struct heard heard;

    memset(big, 'x', HAND_MAX_PAYLOAD_BYTES + 1);
    for (int i = 0; i < 3; i++) {
        char uuid[8];

        (void)snprintf(uuid, sizeof(uuid), "u-%d", i);
        put(uuid, 1000 + i);
    }
    (void)real_redis_int(&world.server, "HSET drover:failed:u-1 payload %s", big);
    free(big);
    open_hand();
    heard = read_page(&start, 3);
    ck_assert_uint_eq(heard.uuid_ct, 2);
    ck_assert_str_eq(heard.uuids[1], "u-2");
    ck_assert_uint_eq(heard.too_long_ct, 1);
    ck_assert_str_eq(heard.too_long.uuid, "u-1");
    ck_assert_int_eq(heard.too_long.payload_bytes, HAND_MAX_PAYLOAD_BYTES + 1);
    ck_assert_str_eq(heard.cursor.uuid, "u-2");
    ck_assert_int_eq(world_len(&world, "drover:outbox"), 3);
}
END_TEST

START_TEST(pages_go_on_behind_the_cursor_oldest_first)
{
    struct heard heard;

    for (int i = 0; i < 5; i++) {
        char uuid[8];

        (void)snprintf(uuid, sizeof(uuid), "u-%d", i);
        put(uuid, 1000 + i / 2); /* equal scores too */
    }
    open_hand();
    heard = read_page(&start, 2);
    ck_assert_uint_eq(heard.uuid_ct, 2);
    ck_assert_str_eq(heard.uuids[1], "u-1");
    ck_assert(!heard.last);
    heard = read_page(&heard.cursor, 2);
    ck_assert_str_eq(heard.uuids[0], "u-2");
    heard = read_page(&heard.cursor, 2);
    ck_assert_uint_eq(heard.uuid_ct, 1);
    ck_assert_str_eq(heard.uuids[0], "u-4");
    ck_assert(heard.last);
}
END_TEST

START_TEST(a_page_ends_at_four_mebibytes)
{
    char *big = must_alloc(3 * 1024 * 1024 + 1);
    struct heard heard;

    memset(big, 'x', 3 * 1024 * 1024);
    for (int i = 0; i < 3; i++) {
        char uuid[8];

        (void)snprintf(uuid, sizeof(uuid), "u-%d", i);
        put(uuid, 1000 + i);
        (void)real_redis_int(&world.server, "HSET drover:failed:u-%d payload %s", i, big);
    }
    free(big);
    hand.max_payload_bytes = 4 * 1024 * 1024;
    open_hand();
    heard = read_page(&start, 10);
    ck_assert_uint_eq(heard.uuid_ct, 1);
    ck_assert(!heard.last);
    heard = read_page(&heard.cursor, 10);
    ck_assert_str_eq(heard.uuids[0], "u-1");
}
END_TEST

START_TEST(what_is_no_record_does_not_hold_up_the_others)
{
    static const char *const long_id =
        "0123456789012345678901234567890123456789012345678901234567890123456789";
    struct heard heard;

    (void)real_redis_int(&world.server, "ZADD drover:outbox 1 gone");
    (void)real_redis_int(&world.server, "ZADD drover:outbox 2 wrong");
    (void)real_redis_int(&world.server, "ZADD drover:outbox 3 %s", long_id);
    (void)real_redis_try(&world.server, "SET drover:failed:wrong x");
    put("u-1", 1000);
    open_hand();
    heard = read_page(&start, 10);
    ck_assert_uint_eq(heard.uuid_ct, 1);
    ck_assert_str_eq(heard.uuids[0], "u-1");
    UNTIL(&world, world_len(&world, "drover:outbox") == 2); /* tidied */
    ck_assert(real_redis_is(&world.server, "x", "GET drover:failed:wrong"));
}
END_TEST

START_TEST(an_outbox_of_a_wrong_type_is_said_and_ends_nothing)
{
    struct heard heard;

    open_hand();
    (void)real_redis_try(&world.server, "SET drover:outbox x");
    heard = read_page(&start, 10);
    ck_assert(heard.null);
    ck_assert_int_eq(hand.queue->link, LINK_READY);
}
END_TEST

/* ---- claims ---- */

static struct dropped claim(const struct outbox_mark *marks, size_t ct)
{
    struct dropped dropped = {0};

    ck_assert(queue_outbox_claim(hand.queue, marks, ct, took_drop, &dropped));
    UNTIL(&world, dropped.ct == 1);
    ck_assert(dropped.known);
    return dropped;
}

static bool is_marked(const char *uuid, const char *more)
{
    char mark[64];

    (void)snprintf(mark, sizeof(mark), "%u%s", hand.queue->tag, more);
    return real_redis_is(&world.server, mark, "HGET drover:failed:%s moving", uuid);
}

START_TEST(a_claim_leaves_what_another_living_worker_has_in_hand)
{
    const struct outbox_mark marks[] = {{"u-1", 1000}, {"u-2", 1000}, {"u-3", 1000}};
    struct dropped kept;

    put("u-1", 1000);
    put("u-2", 2000); /* failed again meanwhile */
    put("u-3", 1000);
    open_hand();
    (void)real_redis_int(&world.server, "HSET drover:beats 77 1");
    (void)real_redis_int(&world.server, "HSET drover:failed:u-3 moving 77");
    kept = claim(marks, ARRAY_CT(marks));
    ck_assert_uint_eq(kept.kept_ct, 2);
    ck_assert(kept.kept[0] == 1 && kept.kept[1] == 2);
    ck_assert(is_marked("u-1", ""));
    (void)real_redis_int(&world.server, "HDEL drover:beats 77"); /* it died */
    kept = claim(marks + 2, 1);
    ck_assert_uint_eq(kept.kept_ct, 0);
    ck_assert(is_marked("u-3", " unsure"));
}
END_TEST

/* What a claim of before has sent may get there still. */
START_TEST(what_was_claimed_twice_is_not_let_go)
{
    const struct outbox_mark marks[] = {{"u-1", 1000}, {"u-2", 1000}};

    put("u-1", 1000);
    put("u-2", 1000);
    open_hand();
    ck_assert_uint_eq(claim(marks, 2).kept_ct, 0);
    ck_assert_uint_eq(claim(marks + 1, 1).kept_ct, 0);
    queue_outbox_let_go(hand.queue, marks, 2);
    UNTIL(&world, real_redis_int(&world.server, "HEXISTS drover:failed:u-1 moving") == 0);
    ck_assert(is_marked("u-2", " unsure"));
}
END_TEST

/* ---- drops ---- */

START_TEST(a_drop_takes_only_what_was_read)
{
    const struct outbox_mark marks[] = {{"u-1", 1000}, {"u-2", 1000}, {"u-3", 1000}};
    struct dropped dropped;

    put("u-1", 1000);
    put("u-2", 2000); /* failed again meanwhile */
    open_hand();      /* u-3 was retried */
    for (int twice = 0; twice < 2; twice++) {
        dropped = drop(marks, ARRAY_CT(marks));
        ck_assert(dropped.known);
        ck_assert_uint_eq(dropped.kept_ct, twice ? 3 : 2);
        ck_assert_uint_eq(dropped.kept[0], twice ? 0 : 1);
        ck_assert_int_eq(world_len(&world, "drover:outbox"), 1);
        ck_assert_int_eq(real_redis_int(&world.server, "EXISTS drover:failed:u-2"), 1);
        ck_assert_int_eq(real_redis_int(&world.server, "EXISTS drover:failed:u-1"), 0);
    }
}
END_TEST

START_TEST(a_lost_link_is_told_once)
{
    const struct outbox_mark mark = {"u-1", 1000};
    struct heard heard = {0};
    struct dropped dropped = {0};

    put("u-1", 1000);
    open_hand();
    real_redis_stop(&world.server);
    ck_assert(queue_outbox_read(hand.queue, &start, 1, took_page, &heard));
    ck_assert(queue_outbox_drop(hand.queue, &mark, 1, took_drop, &dropped));
    UNTIL(&world, heard.ct == 1 && dropped.ct == 1);
    ck_assert(heard.null);
    ck_assert(!dropped.known);
    UNTIL(&world, hand.queue->link != LINK_READY);
    ck_assert(!queue_outbox_read(hand.queue, &start, 1, took_page, &heard));
    ck_assert(!queue_outbox_drop(hand.queue, &mark, 1, took_drop, &dropped));
    ALL_THE_WHILE(&world, 100, heard.ct == 1 && dropped.ct == 1);
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_checked_fixture(tc, set_up, close_world);
    tcase_add_test(tc, a_failed_job_waits_in_the_outbox_alone);
    tcase_add_test(tc, a_record_of_before_leaves_the_other_index);
    tcase_add_test(tc, a_payload_too_big_goes_to_the_outbox_too);
    tcase_add_test(tc, the_size_comes_with_the_heartbeat);
    tcase_add_test(tc, a_page_has_all_of_a_record);
    tcase_add_test(tc, pages_go_on_behind_the_cursor_oldest_first);
    tcase_add_test(tc, a_page_ends_at_four_mebibytes);
    tcase_add_test(tc, a_payload_above_max_payload_is_passed_over);
    tcase_add_test(tc, what_is_no_record_does_not_hold_up_the_others);
    tcase_add_test(tc, an_outbox_of_a_wrong_type_is_said_and_ends_nothing);
    tcase_add_test(tc, a_claim_leaves_what_another_living_worker_has_in_hand);
    tcase_add_test(tc, what_was_claimed_twice_is_not_let_go);
    tcase_add_test(tc, a_drop_takes_only_what_was_read);
    tcase_add_test(tc, a_lost_link_is_told_once);
}

int main(void)
{
    return run_suite("queue outbox", 120, add_tests);
}
