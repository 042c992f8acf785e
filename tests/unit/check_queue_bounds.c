/* What one call does at most: payloads, reserves and promotions have their bounds in
 * bytes and in number, and what is above Lua's bound of arguments is done in groups.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/world_fixture.h"

static void set_up(void)
{
    open_world(300);
}

static void push_big(const char *queue, size_t len, char fill)
{
    char *payload = must_alloc(len);

    memset(payload, fill, len);
    (void)real_redis_int(&world.server, "RPUSH queues:%s %b", queue, payload, len);
    free(payload);
}

START_TEST(a_payload_above_max_payload_goes_to_the_failed_store)
{
    redisReply *uuids;
    size_t max = 1 << 20;

    world_push(&world, "default", "before");
    push_big("default", max + 1, 'x');
    push_big("default", max + 7, 'y');
    push_big("default", max, 'z');
    world_push(&world, "default", "after");
    hand_open(&hand, 8);
    UNTIL(&world, hand.job_ct == 3);
    ck_assert(job_is(hand.jobs[0], "before"));
    ck_assert_uint_eq(hand.jobs[1]->bytes.len, max);
    ck_assert(job_is(hand.jobs[2], "after"));

    uuids = real_redis_do(&world.server, "ZRANGE drover:failed 0 -1");
    ck_assert_uint_eq(uuids->elements, 2);
    for (size_t i = 0; i < 2; i++) {
        const char *uuid = uuids->element[i]->str;
        long long bytes =
            real_redis_int(&world.server, "HSTRLEN drover:failed:%s payload", uuid);
        char reason[128];

        ck_assert(bytes == (long long)max + 1 || bytes == (long long)max + 7);
        (void)snprintf(reason, sizeof(reason),
                       "payload of %lld bytes is above max_payload (%zu bytes)", bytes,
                       max);
        ck_assert(
            real_redis_is(&world.server, reason, "HGET drover:failed:%s reason", uuid));
        ck_assert(
            real_redis_is(&world.server, "default", "HGET drover:failed:%s queue", uuid));
        ck_assert(real_redis_is(&world.server, uuid, "HGET drover:failed:%s uuid", uuid));
    }
    freeReplyObject(uuids);
}
END_TEST

START_TEST(one_reserve_stops_at_four_mib)
{
    for (char c = 'a'; c < 'a' + 10; c++)
        push_big("default", 1000000, c);
    hand_open(&hand, 16);
    UNTIL(&world, hand.job_ct == 10);
    ck_assert_uint_eq(hand.first_batch_ct, 5); /* the fifth passes 4 MiB */
}
END_TEST

START_TEST(promotion_is_bounded_a_call)
{
    for (int i = 0; i < 250; i++)
        (void)real_redis_int(&world.server, "ZADD queues:default:delayed 1 job%d", i);
    hand_open(&hand, 1);
    UNTIL(&world, hand.job_ct == 1);
    world_expect(&world, "default", 99, 150, 1);
    hand.ack_at_once = true;
    hand_ack(&hand, 0);
    UNTIL(&world, hand.job_ct == 250);
}
END_TEST

START_TEST(promotion_of_big_payloads_is_bounded_by_bytes)
{
    char *payload = must_alloc(1000000);

    for (char c = 'a'; c < 'a' + 20; c++) {
        memset(payload, c, 1000000);
        (void)real_redis_int(&world.server, "ZADD queues:default:delayed 1 %b", payload,
                             (size_t)1000000);
    }
    free(payload);
    hand_open(&hand, 1);
    UNTIL(&world, hand.job_ct == 1);
    world_expect(&world, "default", 3, 16, 1);
}
END_TEST

/* ---- scripts by themselves ---- */

/* More than Lua can unpack at once, in groups of what it can; one in three not ours. */
START_TEST(acks_are_taken_in_bulk)
{
    enum {
        JOBS = 8500,
        GROUP = 1000,
        HEAD = 6,
        WORDS = HEAD + JOBS + (JOBS / GROUP + 1) * 3
    };
    const char **argv = must_alloc(WORDS * sizeof(*argv)), **at = argv + HEAD;
    char(*words)[16] = must_alloc(JOBS * sizeof(*words));
    redisReply *reply;
    double expiry = (double)(long long)world_redis_now(&world) + 60;

    argv[0] = "EVAL";
    argv[1] = script_named("ack")->text;
    argv[2] = "3";
    argv[3] = "drover:failed";
    argv[4] = "queues:default:reserved";
    argv[5] = "drover:crashes";
    for (int i = 0; i < JOBS; i++) {
        (void)snprintf(words[i], sizeof(words[i]), "job%d", i);
        redisAppendCommand(world.server.redis, "ZADD queues:default:reserved %.17g %s",
                           expiry + (i % 3 == 0 ? 6.0 : 5.0) / (1 << 20), words[i]);
        if (i % GROUP == 0) {
            *at++ = "5";
            *at++ = i < JOBS / GROUP * GROUP ? "1000" : "500";
            *at++ = "0";
        }
        *at++ = words[i];
    }
    for (int i = 0; i < JOBS; i++) {
        ck_assert_int_eq(redisGetReply(world.server.redis, (void **)&reply), REDIS_OK);
        freeReplyObject(reply);
    }
    reply = redisCommandArgv(world.server.redis, WORDS, argv, NULL);
    ck_assert_msg(reply->type == REDIS_REPLY_ARRAY, "%s", reply->str);
    ck_assert_uint_eq(reply->elements, (JOBS + 2) / 3);
    for (size_t i = 0; i < reply->elements; i++)
        ck_assert_int_eq(reply->element[i]->integer, (long long)i * 3 + 1);
    freeReplyObject(reply);
    ck_assert_int_eq(world_len(&world, "queues:default:reserved"), (JOBS + 2) / 3);
    free(words);
    free(argv);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_checked_fixture(tc, set_up, close_world);
    tcase_add_test(tc, a_payload_above_max_payload_goes_to_the_failed_store);
    tcase_add_test(tc, one_reserve_stops_at_four_mib);
    tcase_add_test(tc, promotion_is_bounded_a_call);
    tcase_add_test(tc, promotion_of_big_payloads_is_bounded_by_bytes);
    tcase_add_test(tc, acks_are_taken_in_bulk);
}

int main(void)
{
    return run_suite("queue_bounds", 120, add);
}
