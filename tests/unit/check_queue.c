/* The main way: jobs come in order under leases, verdicts go out. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/world_fixture.h"

/* A poll that comes later than any test waits: it was something else. */
enum { BEYOND_ALL_MS = 2 * WORLD_DEADLINE_MS };

static void set_up(void)
{
    open_world(1000);
}

START_TEST(jobs_come_in_strict_queue_order_and_fifo_inside)
{
    static const char *const pushed[][2] = {{"low", "l1"},     {"default", "d1"},
                                            {"low", "l2"},     {"high", "h1"},
                                            {"default", "d2"}, {"high", "h2"}};
    static const char *const expected[] = {"h1", "h2", "d1", "d2", "l1", "l2"};

    for (size_t i = 0; i < ARRAY_CT(pushed); i++)
        world_push(&world, pushed[i][0], pushed[i][1]);
    hand_open(&hand, 1);
    for (size_t i = 0; i < ARRAY_CT(expected); i++) {
        UNTIL(&world, hand.job_ct == i + 1);
        ck_assert(job_is(hand.jobs[i], expected[i]));
        ck_assert_uint_eq(hand.jobs[i]->queue, i / 2);
        hand_ack(&hand, i);
    }
    hand_settled(&hand);
    world_expect(&world, "high", 0, 0, 0);
    world_expect(&world, "low", 0, 0, 0);
}
END_TEST

START_TEST(never_more_is_reserved_than_wanted)
{
    for (int i = 0; i < 10; i++)
        world_push(&world, "default", "{\"job\":\"x\"}");
    hand_open(&hand, 0);
    UNTIL(&world, hand.queue->link == LINK_READY);
    ALL_THE_WHILE(&world, 100, hand.job_ct == 0);
    hand_want(&hand, 3);
    UNTIL(&world, hand.job_ct == 3);
    ALL_THE_WHILE(&world, 100, hand.job_ct == 3);
    world_expect(&world, "default", 7, 0, 3);
}
END_TEST

START_TEST(a_lease_carries_the_owner_and_the_expiry)
{
    double now, score;
    redisReply *reply;

    world_push(&world, "default", "job");
    hand_open(&hand, 1);
    UNTIL(&world, hand.job_ct == 1);
    now = world_redis_now(&world);
    reply = real_redis_do(&world.server, "ZSCORE queues:default:reserved job");
    score = strtod(reply->str, NULL);
    freeReplyObject(reply);
    ck_assert(score > now + 89 && score < now + 92);
    ck_assert_uint_eq((uint32_t)((score - (double)(long long)score) * (1 << 20)),
                      hand.jobs[0]->tag);
    ck_assert_uint_ne(hand.jobs[0]->tag, 0);
    ck_assert_uint_eq(atomic_load(&hand.board->tag), hand.jobs[0]->tag);
    ck_assert_int_eq(atomic_load(&hand.board->link), BOARD_LINK_UP);
    ck_assert(
        real_redis_int(&world.server, "SISMEMBER drover:open %u", hand.jobs[0]->tag));
    ck_assert(real_redis_is(&world.server, "high\ndefault\nlow", "HGET drover:owners %u",
                            hand.jobs[0]->tag));
}
END_TEST

START_TEST(payloads_stay_byte_for_byte)
{
    static const char raw[] =
        "{\"a\":\"\0\xff\xfe\x80 \xc0\xaf\",\"n\":12345678901234567890}\r\n\t";
    struct slice bytes = slice_of(raw, sizeof(raw) - 1);

    (void)real_redis_int(&world.server, "RPUSH queues:default %b", bytes.ptr, bytes.len);
    (void)real_redis_int(&world.server, "RPUSH queues:default %s", "");
    hand_open(&hand, 2);
    UNTIL(&world, hand.job_ct == 2);
    ck_assert(slice_equal(hand.jobs[0]->bytes, bytes));
    ck_assert_uint_eq(hand.jobs[1]->bytes.len, 0);
    ck_assert_int_ne(real_redis_int(&world.server, "ZSCORE queues:default:reserved %b",
                                    bytes.ptr, bytes.len),
                     0);
    hand_give_back(&hand, 1);
    hand_give_back(&hand, 0);
    hand_want(&hand, 0);
    hand_settled(&hand);
    world_expect(&world, "default", 2, 0, 0);
}
END_TEST

START_TEST(a_token_wakes_a_resting_worker_at_once)
{
    hand.pool.poll_interval_ms = BEYOND_ALL_MS;
    hand_open(&hand, 4);
    hand_rests(&hand);
    world_push(&world, "low", "one");
    UNTIL(&world, hand.job_ct == 1);
    hand_rests(&hand);
    ck_assert_uint_eq(hand.queue->want, 3);
}
END_TEST

START_TEST(a_bare_push_is_seen_by_the_poll)
{
    hand.pool.poll_interval_ms = 300;
    hand_open(&hand, 4);
    hand_rests(&hand);
    (void)real_redis_int(&world.server, "RPUSH queues:high {\"job\":\"note\"}");
    UNTIL(&world, hand.job_ct == 1);
}
END_TEST

START_TEST(delayed_jobs_run_when_they_are_due)
{
    enum { JOBS = 5 };
    double due[JOBS];

    hand.pool.poll_interval_ms = BEYOND_ALL_MS;
    hand_open(&hand, JOBS + 1);
    for (int i = 0; i < JOBS; i++) {
        due[i] = world_redis_now(&world) + 0.3 * (i + 1);
        (void)real_redis_int(&world.server, "ZADD queues:default:delayed %.17g job%d",
                             due[i], i);
    }
    for (size_t i = 0; i < JOBS; i++) {
        UNTIL(&world, hand.job_ct > i);
        ck_assert(world_redis_now(&world) >= due[i]);
    }
    /* Nor all to the BRPOP's timeout: Redis looks at that ten times a second only. */
    ck_assert_int_gt(real_redis_int(&world.server, "EVAL %s 0",
                                    "local s = redis.call('INFO', 'commandstats') "
                                    "local calls = string.match(s, "
                                    "'client|unblock:calls=(%d+)') " /* or all CLIENT */
                                    "or string.match(s, 'cmdstat_client:calls=(%d+)') "
                                    "return tonumber(calls or 0)"),
                     0);
}
END_TEST

START_TEST(a_released_job_comes_back_after_its_delay)
{
    static const int64_t delays_ms[] = {0, 300, 1000};

    hand.pool.poll_interval_ms = BEYOND_ALL_MS;
    world_push(&world, "default", "run 0");
    hand_open(&hand, 4);
    for (size_t i = 0; i < ARRAY_CT(delays_ms); i++) {
        char next[16];
        int64_t at;

        UNTIL(&world, hand.job_ct == i + 1);
        hand_rests(&hand);
        at = clock_mono_ms();
        (void)snprintf(next, sizeof(next), "run %zu", i + 1);
        hand_release(&hand, i, next, delays_ms[i]);
        UNTIL(&world, hand.job_ct == i + 2);
        ck_assert(job_is(hand.jobs[i + 1], next));
        ck_assert_int_ge(clock_mono_ms() - at, delays_ms[i]);
    }
    world_expect(&world, "default", 0, 0, 1);
}
END_TEST

START_TEST(a_failed_job_stands_in_the_store)
{
    const char *uuid = "01234567-89ab-4cde-8f01-23456789abcd";

    world_push(&world, "low", "{\"job\":\"note\"}");
    hand_open(&hand, 1);
    UNTIL(&world, hand.job_ct == 1);
    hand_fail(&hand, 0, uuid, "exit status 3");
    hand_settled(&hand);
    world_expect(&world, "low", 0, 0, 0);
#define FIELD(name, value)                                                               \
    ck_assert(real_redis_is(&world.server, value, "HGET drover:failed:%s %s", uuid, name))
    FIELD("uuid", uuid);
    FIELD("connection", "redis");
    FIELD("queue", "low");
    FIELD("job", "note");
    FIELD("attempts", "3");
    FIELD("reason", "exit status 3");
    FIELD("exception", "exit status 3\nstderr");
    FIELD("payload", "{\"job\":\"note\"}");
    ck_assert_int_eq(
        real_redis_int(&world.server, "ZSCORE drover:failed %s", uuid),
        real_redis_int(&world.server, "HGET drover:failed:%s failed_at_ms", uuid));
    ck_assert_int_eq(world_len(&world, "drover:failed"), 1);
}
END_TEST

START_TEST(given_back_in_reverse_keeps_the_order)
{
    for (int i = 0; i < 5; i++) {
        char payload[8];

        (void)snprintf(payload, sizeof(payload), "j%d", i);
        world_push(&world, "default", payload);
    }
    hand_open(&hand, 3);
    UNTIL(&world, hand.job_ct == 3);
    hand.free_slots = 0;
    for (size_t i = 3; i > 0; i--)
        queue_give_back(hand.queue, hand.jobs[i - 1]);
    hand_settled(&hand);
    for (int i = 0; i < 5; i++) {
        char payload[8];

        (void)snprintf(payload, sizeof(payload), "j%d", i);
        ck_assert(real_redis_is(&world.server, payload, "LINDEX queues:default %d", i));
    }
    ck_assert_int_gt(world_len(&world, "queues:default:notify"), 0);
}
END_TEST

START_TEST(a_look_that_finds_nothing_is_told)
{
    world_push(&world, "default", "{\"job\":\"a\"}");
    world_push(&world, "low", "{\"job\":\"b\"}");
    hand_open(&hand, 1);
    UNTIL(&world, hand.job_ct == 1);
    ck_assert_uint_eq(hand.empty_ct, 0);
    hand_release(&hand, 0, "{\"job\":\"a\",\"attempts\":1}", 60000);
    UNTIL(&world, hand.job_ct == 2);
    ck_assert_uint_eq(hand.empty_ct, 0);
    hand_ack(&hand, 1);
    UNTIL(&world, hand.empty_ct > 0); /* what is due in a minute does not count */
    world_expect(&world, "default", 0, 1, 0);
}
END_TEST

START_TEST(jobs_acked_at_once_flow_in_batches)
{
    for (int i = 0; i < 200; i++) {
        char payload[8];

        (void)snprintf(payload, sizeof(payload), "j%d", i);
        world_push(&world, "default", payload);
    }
    hand.ack_at_once = true;
    hand_open(&hand, 16);
    UNTIL(&world, hand.job_ct == 200);
    hand_settled(&hand);
    world_expect(&world, "default", 0, 0, 0);
    ck_assert_uint_ge(hand.settled_ct, 1);
    ck_assert_uint_eq(atomic_load(&hand.board->lost), 0);
}
END_TEST

START_TEST(queues_under_laravels_usual_prefix_are_pointed_at)
{
    world_keep_log(&world);
    world_use_default_user(&world);
    if (_i < 2)
        (void)real_redis_int(&world.server, "RPUSH %s%s x",
                             _i ? "laravel-database-" : "laravel_database_",
                             "queues:default");
    hand_open(&hand, 1);
    hand_rests(&hand);
    hand_rests(&hand);
    ck_assert_uint_eq(world_logged(&world, "event=queue.prefix"), _i < 2);
    if (_i < 2)
        ck_assert_uint_eq(world_logged(&world, _i ? "\\\"laravel-database-\\\""
                                                  : "\\\"laravel_database_\\\""),
                          1);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_checked_fixture(tc, set_up, close_world);
    tcase_add_test(tc, jobs_come_in_strict_queue_order_and_fifo_inside);
    tcase_add_test(tc, never_more_is_reserved_than_wanted);
    tcase_add_loop_test(tc, queues_under_laravels_usual_prefix_are_pointed_at, 0, 3);
    tcase_add_test(tc, a_lease_carries_the_owner_and_the_expiry);
    tcase_add_test(tc, payloads_stay_byte_for_byte);
    tcase_add_test(tc, a_token_wakes_a_resting_worker_at_once);
    tcase_add_test(tc, a_bare_push_is_seen_by_the_poll);
    tcase_add_test(tc, delayed_jobs_run_when_they_are_due);
    tcase_add_test(tc, a_released_job_comes_back_after_its_delay);
    tcase_add_test(tc, a_failed_job_stands_in_the_store);
    tcase_add_test(tc, given_back_in_reverse_keeps_the_order);
    tcase_add_test(tc, a_look_that_finds_nothing_is_told);
    tcase_add_test(tc, jobs_acked_at_once_flow_in_batches);
}

int main(void)
{
    return run_suite("queue", 120, add);
}
