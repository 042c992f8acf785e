/* PHP workers beside us on the same queues. The scripts below do to Redis what Laravel's
 * RedisQueue does (13.x): push, pop, migrate, and the plain ZREM of deleteReserved.
 */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/world_fixture.h"

static void set_up(void)
{
    open_world(200);
}

/* Attempts count up at pop, in a copy written anew by cjson; one token goes with it. */
static const char php_pop_lua[] = "local job = redis.call('LPOP', KEYS[1]) "
                                  "if not job then return {false, false} end "
                                  "local copy = cjson.decode(job) "
                                  "copy.attempts = copy.attempts + 1 "
                                  "copy = cjson.encode(copy) "
                                  "redis.call('ZADD', KEYS[2], ARGV[1], copy) "
                                  "redis.call('LPOP', KEYS[3]) "
                                  "return {job, copy}";

static const char php_migrate_lua[] =
    "local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1]) "
    "if #due > 0 then "
    "redis.call('ZREMRANGEBYRANK', KEYS[1], 0, #due - 1) "
    "for _, job in ipairs(due) do "
    "redis.call('RPUSH', KEYS[2], job) redis.call('RPUSH', KEYS[3], 1) end end "
    "return #due";

static void php_push(const char *uuid)
{
    char payload[200];

    (void)snprintf(
        payload, sizeof(payload),
        "{\"uuid\":\"%s\",\"displayName\":\"App\\\\Jobs\\\\Note\",\"job\":\"x\","
        "\"data\":{\"n\":[]},\"id\":\"%s\",\"attempts\":0}",
        uuid, uuid);
    world_push(&world, "default", payload);
}

/* The reserved copy, to be freed; NULL: nothing was ready. */
static char *php_pop(long long retry_after_s)
{
    long long expiry = (long long)world_redis_now(&world) + retry_after_s;
    redisReply *reply = real_redis_do(&world.server,
                                      "EVAL %s 3 queues:default queues:default:reserved "
                                      "queues:default:notify %lld",
                                      php_pop_lua, expiry);
    char *copy = reply->element[1]->type == REDIS_REPLY_STRING
                     ? must_strndup(reply->element[1]->str, reply->element[1]->len)
                     : NULL;

    freeReplyObject(reply);
    return copy;
}

static long long php_delete(char *copy)
{
    long long gone =
        real_redis_int(&world.server, "ZREM queues:default:reserved %s", copy);

    free(copy);
    return gone;
}

static long long php_migrate(const char *from, long long now)
{
    return real_redis_int(&world.server,
                          "EVAL %s 3 queues:default:%s queues:default "
                          "queues:default:notify %lld",
                          php_migrate_lua, from, now);
}

static void check_tokens(void)
{
    long long ready = world_len(&world, "queues:default");
    long long tokens = world_len(&world, "queues:default:notify");

    ck_assert_int_le(tokens, ready);
    ck_assert(ready == 0 || tokens > 0 || hand.queue->want > hand.queue->arriving);
}

START_TEST(both_drain_one_queue_and_each_job_runs_once)
{
    enum { JOBS = 120 };
    unsigned by_php = 0;
    char uuid[32];

    hand_open(&hand, 2);
    UNTIL(&world, hand.queue->link == LINK_READY);
    for (int i = 0; i < JOBS; i++) {
        (void)snprintf(uuid, sizeof(uuid), "u%d", i);
        php_push(uuid);
    }
    for (size_t acked = 0; by_php + acked < JOBS;) {
        char *copy = php_pop(60);

        if (copy) {
            ck_assert_ptr_nonnull(strstr(copy, "\"attempts\":1"));
            ck_assert_int_eq(php_delete(copy), 1);
            by_php++;
        }
        world_turn(&world);
        for (; acked < hand.job_ct; acked++)
            hand_ack(&hand, acked);
    }
    hand_settled(&hand);
    ck_assert_uint_gt(by_php, 0);
    ck_assert_uint_gt(hand.job_ct, 0);
    ck_assert_uint_eq(by_php + hand.job_ct, JOBS);
    ck_assert_uint_eq(atomic_load(&hand.board->lost), 0);
    hand_rests(&hand);
    world_expect(&world, "default", 0, 0, 0);
    check_tokens();
}
END_TEST

START_TEST(what_php_holds_is_left_alone_until_it_expires)
{
    char *copy;

    php_push("held");
    copy = php_pop(60);
    hand_open(&hand, 4);
    ALL_THE_WHILE(&world, 600, hand.job_ct == 0);
    (void)real_redis_int(&world.server, "ZADD queues:default:reserved XX %lld %s",
                         (long long)world_redis_now(&world), copy);
    UNTIL(&world, hand.job_ct == 1);
    ck_assert(job_is(hand.jobs[0], copy));
    ck_assert_uint_eq(hand.jobs[0]->crashes, 0);
    ck_assert_int_eq(world_len(&world, "drover:crashes"), 0);
    free(copy);
}
END_TEST

START_TEST(php_reads_our_lease_as_any_other)
{
    long long now;
    char *copy;

    php_push("ours");
    hand_open(&hand, 1);
    UNTIL(&world, hand.job_ct == 1);
    now = (long long)world_redis_now(&world);
    ck_assert_int_eq(php_migrate("reserved", now + 80), 0);
    ck_assert_int_eq(php_migrate("reserved", now + 100), 1);
    hand_want(&hand, 0);
    hand_ack(&hand, 0); /* late: PHP has put it back */
    hand_want(&hand, 0);
    hand_settled(&hand);
    ck_assert_uint_eq(atomic_load(&hand.board->lost), 1);
    world_expect(&world, "default", 1, 0, 0);
    copy = php_pop(60);
    ck_assert_ptr_nonnull(strstr(copy, "\"attempts\":1")); /* the crash is no attempt */
    ck_assert_int_eq(php_delete(copy), 1);
}
END_TEST

START_TEST(what_php_released_is_promoted)
{
    char *copy;

    php_push("again");
    copy = php_pop(60);
    (void)real_redis_int(&world.server, "ZADD queues:default:delayed %lld %s",
                         (long long)world_redis_now(&world), copy);
    ck_assert_int_eq(php_delete(must_strdup(copy)), 1);
    hand_open(&hand, 1);
    UNTIL(&world, hand.job_ct == 1);
    ck_assert(job_is(hand.jobs[0], copy));
    free(copy);
}
END_TEST

START_TEST(what_we_release_php_migrates)
{
    char *copy;

    php_push("shared");
    hand_open(&hand, 1);
    UNTIL(&world, hand.job_ct == 1);
    hand_want(&hand, 0);
    hand.free_slots = 0;
    queue_release(hand.queue, hand.jobs[0], slice_text("{\"attempts\":1}"), 1500, NULL);
    hand_settled(&hand);
    ck_assert_int_eq(php_migrate("delayed", (long long)world_redis_now(&world)), 0);
    ck_assert_int_eq(php_migrate("delayed", (long long)world_redis_now(&world) + 3), 1);
    copy = php_pop(60);
    ck_assert_str_eq(copy, "{\"attempts\":2}");
    free(copy);
}
END_TEST

START_TEST(what_we_yield_is_theirs_at_once)
{
    php_push("theirs");
    hand_open(&hand, 1);
    UNTIL(&world, hand.job_ct == 1);
    hand_want(&hand, 0);
    queue_yield(hand.queue, hand.jobs[0]);
    hand_settled(&hand);
    world_expect(&world, "default", 0, 1, 0);
    hand_want(&hand, 4);
    ALL_THE_WHILE(&world, 600, hand.job_ct == 1);
    ck_assert_int_eq(php_migrate("delayed", (long long)world_redis_now(&world)), 1);
}
END_TEST

/* By how long ago it was left; what no worker can have written is anybody's. */
START_TEST(what_was_left_is_looked_at_again_in_a_minute)
{
    static const struct {
        const char *payload;
        double ago_s;
        bool comes;
    } left[] = {{"{\"n\":1}", 30, false},
                {"{\"n\":2}", 90, true},
                {"{\"n\":3}", 1e9, true},
                {"{\"n\":4}", -1000, true},
                {"{\"n\":5}", -INFINITY, true}};
    double now = world_redis_now(&world);

    for (size_t i = 0; i < ARRAY_CT(left); i++)
        (void)real_redis_int(&world.server, "ZADD queues:default:delayed %f %s",
                             left[i].ago_s - now, left[i].payload);
    hand_open(&hand, 16);
    UNTIL(&world, hand.job_ct == 4);
    ALL_THE_WHILE(&world, 300, hand.job_ct == 4);
    for (size_t i = 0; i < hand.job_ct; i++)
        ck_assert(!job_is(hand.jobs[i], left[0].payload));
}
END_TEST

START_TEST(drifting_tokens_are_set_right)
{
    for (int i = 0; i < 20; i++) { /* a BLPOP takes one, the pop behind it another */
        php_push("x");
        (void)real_redis_try(&world.server, "LPOP queues:default:notify");
        if (i % 2)
            free(php_pop(60));
    }
    ck_assert_int_eq(world_len(&world, "queues:default:notify"), 0);
    hand_open(&hand, 1);
    UNTIL(&world, hand.job_ct == 1);
    ck_assert_int_ge(world_len(&world, "queues:default:notify"), 1);
    check_tokens();
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_checked_fixture(tc, set_up, close_world);
    tcase_add_test(tc, both_drain_one_queue_and_each_job_runs_once);
    tcase_add_test(tc, what_php_holds_is_left_alone_until_it_expires);
    tcase_add_test(tc, php_reads_our_lease_as_any_other);
    tcase_add_test(tc, what_php_released_is_promoted);
    tcase_add_test(tc, what_we_release_php_migrates);
    tcase_add_test(tc, what_we_yield_is_theirs_at_once);
    tcase_add_test(tc, what_was_left_is_looked_at_again_in_a_minute);
    tcase_add_test(tc, drifting_tokens_are_set_right);
}

int main(void)
{
    return run_suite("queue_php", 120, add);
}
