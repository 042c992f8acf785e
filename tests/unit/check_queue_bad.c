/* Bad input and a Redis in a bad way: nothing is lost, the rest goes on. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "jobs/payload.h"
#include "tests/support/world_fixture.h"

static void set_up(void)
{
    open_world(300);
}

static void ack_all(void)
{
    for (size_t i = 0; i < hand.job_ct; i++)
        if (hand.jobs[i])
            hand_ack(&hand, i);
}

/* ---- wrong types ---- */

START_TEST(a_queue_of_a_wrong_type_is_skipped_and_comes_back)
{
    static const char *const suffixes[] = {"", ":delayed", ":reserved"};
    const char *suffix = suffixes[_i];
    char *mend =
        must_format("mend=\"RENAMENX queues:high%s queues:high%s.bad\"", suffix, suffix);

    world_keep_log(&world);
    (void)real_redis_try(&world.server, "SET queues:high%s x", suffix);
    if (suffix[0])
        world_push(&world, "high", "waits");
    world_push(&world, "default", "d");
    hand_open(&hand, 3);
    UNTIL(&world, hand.job_ct == 1);
    ck_assert(job_is(hand.jobs[0], "d"));
    ck_assert_ptr_nonnull(hand.queue->queues[0].problem);
    ck_assert_ptr_nonnull(strstr(hand.queue->queues[0].problem, "WRONGTYPE"));
    ck_assert(real_redis_is(&world.server, "x", "GET queues:high%s", suffix));

    UNTIL(&world, world_logged(&world, mend) == 1);
    free(mend);

    (void)real_redis_int(&world.server, "RENAMENX queues:high%s queues:high%s.bad",
                         suffix, suffix);
    world_push(&world, "high", "h");
    UNTIL(&world, hand.job_ct == (suffix[0] ? 3 : 2));
    ck_assert(job_is(hand.jobs[1], suffix[0] ? "waits" : "h"));
    UNTIL(&world, hand.queue->queues[0].problem == NULL);
}
END_TEST

static long long script_calls(void)
{
    return real_redis_int(
        &world.server, "EVAL %s 0",
        "local s = redis.call('INFO', 'commandstats') "
        "return tonumber(string.match(s, 'cmdstat_evalsha:calls=(%d+)'))");
}

START_TEST(a_notify_of_a_wrong_type_makes_no_busy_loop)
{
    long long before;

    (void)real_redis_try(&world.server, "SET queues:high:notify x");
    hand_open(&hand, 4);
    hand_rests(&hand);
    before = script_calls();
    ALL_THE_WHILE(&world, 1000, hand.queue->link == LINK_READY);
    ck_assert_int_lt(script_calls() - before, 20);

    (void)real_redis_int(&world.server, "RPUSH queues:high h"); /* served by the poll */
    UNTIL(&world, hand.job_ct == 1);
    world_push(&world, "low", "l"); /* and the other tokens still wake */
    UNTIL(&world, hand.job_ct == 2);
    (void)real_redis_int(&world.server, "DEL queues:high:notify");
    UNTIL(&world, !hand.queue->queues[0].bad_notify);
}
END_TEST

START_TEST(without_any_good_notify_the_worker_polls)
{
    long long before;

    (void)real_redis_try(&world.server, "SET queues:high:notify x");
    (void)real_redis_try(&world.server, "SET queues:default:notify x");
    (void)real_redis_try(&world.server, "SET queues:low:notify x");
    hand_open(&hand, 4);
    UNTIL(&world, hand.queue->queues[2].bad_notify);
    before = script_calls();
    ALL_THE_WHILE(&world, 1000, !hand.queue->waiting);
    ck_assert_int_lt(script_calls() - before, 20);
    (void)real_redis_int(&world.server, "RPUSH queues:low l");
    UNTIL(&world, hand.job_ct == 1);
}
END_TEST

START_TEST(a_release_into_a_bad_delayed_waits_in_reserved)
{
    world_push(&world, "default", "one");
    hand_open(&hand, 1);
    UNTIL(&world, hand.job_ct == 1);
    (void)real_redis_try(&world.server, "SET queues:default:delayed x");
    hand_release(&hand, 0, "two", 0);
    hand_settled(&hand);
    ck_assert_int_gt(real_redis_int(&world.server, "ZSCORE queues:default:reserved two"),
                     0);
    (void)real_redis_int(&world.server, "DEL queues:default:delayed");
    UNTIL(&world, hand.job_ct == 2);
    ck_assert(job_is(hand.jobs[1], "two"));
    ck_assert_uint_eq(hand.jobs[1]->crashes, 0);
}
END_TEST

START_TEST(settling_in_a_reserved_of_a_wrong_type_ends)
{
    world_push(&world, "default", "a");
    world_push(&world, "default", "b");
    world_push(&world, "default", "c");
    world_push(&world, "default", "d");
    hand_open(&hand, 4);
    UNTIL(&world, hand.job_ct == 4);
    (void)real_redis_int(&world.server, "DEL queues:default:reserved");
    (void)real_redis_try(&world.server, "SET queues:default:reserved x");
    hand_ack(&hand, 0);
    hand_release(&hand, 1, "b", 0);
    hand_fail(&hand, 2, "0-0-0", "x");
    hand_give_back(&hand, 3);
    hand_settled(&hand);
    ck_assert_uint_eq(atomic_load(&hand.board->lost), 4);
    ck_assert_int_eq(world_len(&world, "drover:failed"), 0);
    ck_assert_int_eq(hand.queue->link, LINK_READY);
}
END_TEST

START_TEST(spoilt_crash_counts_do_not_stop_the_jobs)
{
    (void)real_redis_try(&world.server, "SET drover:crashes x");
    (void)real_redis_int(&world.server, "ZADD queues:default:reserved 1000.5 expired");
    hand_open(&hand, 2);
    UNTIL(&world, hand.job_ct == 1);
    ck_assert_uint_eq(hand.jobs[0]->crashes, 0);
    hand_ack(&hand, 0);
    hand_settled(&hand);
    ck_assert_int_eq(hand.queue->link, LINK_READY);
}
END_TEST

/* ---- twins ---- */

START_TEST(a_hundred_identical_payloads_all_run)
{
    static const char twin[] = "{\"job\":\"note\",\"data\":{\"n\":1}}";

    for (int i = 0; i < 100; i++)
        world_push(&world, "default", twin);
    hand.pool.concurrency = 100;
    hand_open(&hand, 100);
    UNTIL(&world, hand.job_ct == 100);
    world_expect(&world, "default", 0, 0, 100);
    for (size_t i = 0; i < 100; i++) {
        ck_assert(slice_is(payload_without_pad(hand.jobs[i]->bytes), twin));
        for (size_t j = 0; j < i; j++)
            ck_assert(!slice_equal(hand.jobs[i]->bytes, hand.jobs[j]->bytes));
    }
    ack_all();
    hand_settled(&hand);
    world_expect(&world, "default", 0, 0, 0);
    ck_assert_uint_eq(atomic_load(&hand.board->lost), 0);
}
END_TEST

START_TEST(a_twin_of_anothers_job_leaves_its_lease_alone)
{
    double expiry = (double)(long long)world_redis_now(&world) + 500;

    (void)real_redis_int(&world.server, "ZADD queues:default:reserved %.17g {}", expiry);
    (void)real_redis_int(&world.server, "ZADD queues:default:delayed %.17g {}", expiry);
    world_push(&world, "default", "{}");
    hand_open(&hand, 1);
    UNTIL(&world, hand.job_ct == 1);
    ck_assert_uint_eq(hand.jobs[0]->bytes.len, 2 + PAYLOAD_PAD_BYTES);
    hand_want(&hand, 0);
    hand_release(&hand, 0, "{}", 60000);
    hand_want(&hand, 0);
    hand_settled(&hand);
    world_expect(&world, "default", 0, 2, 1);
    ck_assert_int_eq(real_redis_int(&world.server, "ZSCORE queues:default:reserved {}"),
                     (long long)expiry);
    ck_assert_int_eq(real_redis_int(&world.server, "ZSCORE queues:default:delayed {}"),
                     (long long)expiry);
}
END_TEST

START_TEST(twins_survive_release_promotion_and_another_run)
{
    for (int i = 0; i < 10; i++)
        world_push(&world, "default", "{}");
    hand_open(&hand, 10);
    UNTIL(&world, hand.job_ct == 10);
    for (size_t round = 1; round <= 3; round++) {
        hand_want(&hand, 0);
        for (size_t i = 0; i < 10; i++)
            hand_release(&hand, (round - 1) * 10 + i, "{ }", 0);
        hand_settled(&hand);
        hand_want(&hand, 10);
        UNTIL(&world, hand.job_ct == (round + 1) * 10);
        world_expect(&world, "default", 0, 0, 10);
    }
    for (size_t i = 0; i < 10; i++) {
        struct slice bytes = hand.jobs[30 + i]->bytes;

        ck_assert(slice_is(payload_without_pad(bytes), "{ }"));
        ck_assert_uint_le(bytes.len, 3 + PAYLOAD_PAD_BYTES);
    }
}
END_TEST

START_TEST(an_old_pad_is_replaced_not_added_to)
{
    char padded[64];

    world_push(&world, "default", "{}");
    world_push(&world, "default", "{}");
    hand_open(&hand, 2);
    UNTIL(&world, hand.job_ct == 2);
    ck_assert_uint_eq(hand.jobs[1]->bytes.len, 2 + PAYLOAD_PAD_BYTES);
    (void)snprintf(padded, sizeof(padded), "%.*s", (int)hand.jobs[1]->bytes.len,
                   hand.jobs[1]->bytes.ptr);
    world_push(&world, "default", padded);
    hand_want(&hand, 1);
    UNTIL(&world, hand.job_ct == 3);
    ck_assert_uint_eq(hand.jobs[2]->bytes.len, 2 + PAYLOAD_PAD_BYTES);
    ck_assert(!slice_equal(hand.jobs[2]->bytes, hand.jobs[1]->bytes));
}
END_TEST

START_TEST(twins_run_even_where_the_counter_is_spoilt)
{
    (void)real_redis_try(&world.server, "HSET drover:twins a b");
    for (int i = 0; i < 5; i++)
        world_push(&world, "default", "same");
    hand_open(&hand, 5);
    UNTIL(&world, hand.job_ct == 5);
    world_expect(&world, "default", 0, 0, 5);
}
END_TEST

/* ---- a full or forgetful Redis ---- */

static void fill_redis(void)
{
    (void)real_redis_try(&world.server, "CONFIG SET maxmemory-policy noeviction");
    (void)real_redis_try(&world.server, "CONFIG SET maxmemory 1");
    ck_assert_int_eq(real_redis_try(&world.server, "SET proof x"), REDIS_REPLY_ERROR);
}

START_TEST(a_full_redis_is_drained_and_settled)
{
    char payload[8];

    for (int i = 0; i < 6; i++) {
        (void)snprintf(payload, sizeof(payload), "j%d", i);
        world_push(&world, "default", payload);
    }
    (void)real_redis_int(&world.server, "ZADD queues:default:delayed 1 due");
    fill_redis();
    hand.pool.lease_ms = 1000;
    hand_open(&hand, 7); /* open, beat, reserve, promote */
    hand.queue->pace.beat_ms = 50;
    UNTIL(&world, hand.job_ct == 7);
    ALL_THE_WHILE(&world, 700, hand.queue->link == LINK_READY && hand.lost_ct == 0);
    hand_want(&hand, 0);
    hand_ack(&hand, 0);
    hand_want(&hand, 0);
    hand_release(&hand, 1, "j1 again", 30000);
    hand_want(&hand, 0);
    hand_fail(&hand, 2, "0-0-0", "x");
    hand_want(&hand, 0);
    hand_give_back(&hand, 3);
    hand_want(&hand, 0);
    hand_settled(&hand);
    ck_assert_uint_eq(atomic_load(&hand.board->lost), 0);
    ck_assert_int_eq(world_len(&world, "drover:failed"), 1);
    world_expect(&world, "default", 1, 1, 3);
}
END_TEST

START_TEST(a_flushed_script_is_sent_again)
{
    hand_open(&hand, 4);
    for (size_t i = 0; i < 4; i++) {
        world_push(&world, "default", "job");
        UNTIL(&world, hand.job_ct == i + 1);
        (void)real_redis_try(&world.server, "SCRIPT FLUSH");
        if (i == 0)
            hand_ack(&hand, i);
        else if (i == 1)
            hand_release(&hand, i, "later", 60000);
        else if (i == 2)
            hand_fail(&hand, i, "0-0-0", "x");
        else
            hand_want(&hand, 0), hand_give_back(&hand, i), hand_want(&hand, 0);
        hand_settled(&hand);
    }
    /* A reserve that was under way may have taken the last one again, and gives it back.
     */
    UNTIL(&world, world_len(&world, "queues:default") == 1);
    world_expect(&world, "default", 1, 1, 0);
    ck_assert_uint_eq(atomic_load(&hand.board->lost), 0);
    ck_assert_int_eq(hand.queue->link, LINK_READY);
}
END_TEST

/* ---- tokens ---- */

static const struct {
    int ready, tokens;
} token_counts[] = {{0, 0}, {0, 9}, {1, 0}, {1, 5}, {4, 0}, {4, 2}, {4, 4}, {4, 900}};

START_TEST(tokens_are_set_right_by_each_reserve)
{
    long long ready, tokens;

    for (int i = 0; i < token_counts[_i].ready; i++)
        (void)real_redis_int(&world.server, "RPUSH queues:default j%d", i);
    for (int i = 0; i < token_counts[_i].tokens; i++)
        (void)real_redis_int(&world.server, "RPUSH queues:default:notify 1");
    hand_open(&hand, 1);
    if (token_counts[_i].ready)
        UNTIL(&world, hand.job_ct == 1);
    else
        hand_rests(&hand);
    ready = world_len(&world, "queues:default");
    tokens = world_len(&world, "queues:default:notify");
    ck_assert_int_eq(ready, token_counts[_i].ready ? token_counts[_i].ready - 1 : 0);
    ck_assert_int_le(tokens, ready);
    ck_assert_int_eq(tokens > 0, ready > 0);
}
END_TEST

/* ---- the fence ---- */

/* As if the lease had expired and somebody else had taken the job. */
static void take_away(const char *payload)
{
    double score = world_redis_now(&world) + 60;

    (void)real_redis_int(&world.server, "ZADD queues:default:reserved XX %.17g %s",
                         (double)(long long)score + 77.0 / (1 << 20), payload);
}

START_TEST(a_settle_after_the_lease_was_lost_changes_nothing)
{
    world_push(&world, "default", "job");
    hand_open(&hand, 1);
    UNTIL(&world, hand.job_ct == 1);
    take_away("job");
    if (_i == 0)
        hand_ack(&hand, 0);
    else if (_i == 1)
        hand_release(&hand, 0, "again", 0);
    else if (_i == 2)
        hand_fail(&hand, 0, "0-0-0", "x");
    else
        hand_give_back(&hand, 0);
    hand_settled(&hand);
    world_expect(&world, "default", 0, 0, 1);
    ck_assert_int_gt(real_redis_int(&world.server, "ZSCORE queues:default:reserved job"),
                     0);
    ck_assert_int_eq(world_len(&world, "drover:failed"), 0);
    ck_assert_uint_eq(atomic_load(&hand.board->lost), 1);
    ck_assert_uint_eq(hand.job_ct, 1);
}
END_TEST

START_TEST(the_same_uuid_with_another_payload_gets_its_own_record)
{
    redisReply *uuids;
    const char *other;

    world_push(&world, "default", "first");
    world_push(&world, "default", "second");
    world_push(&world, "low", "first");
    hand_open(&hand, 3);
    UNTIL(&world, hand.job_ct == 3);
    hand_fail(&hand, 0, "u", "one");
    hand_settled(&hand);
    hand_fail(&hand, 1, "u", "two");
    hand_settled(&hand);
    hand_fail(&hand, 2, "u", "three"); /* the same payload: the same record */
    hand_settled(&hand);
    ck_assert(real_redis_is(&world.server, "three", "HGET drover:failed:u reason"));
    ck_assert(real_redis_is(&world.server, "first", "HGET drover:failed:u payload"));
    uuids = real_redis_do(&world.server, "ZRANGE drover:failed 0 -1");
    ck_assert_uint_eq(uuids->elements, 2);
    other = uuids->element[strcmp(uuids->element[0]->str, "u") == 0]->str;
    ck_assert(real_redis_is(&world.server, "u", "HGET drover:failed:%s was_uuid", other));
    ck_assert(real_redis_is(&world.server, other, "HGET drover:failed:%s uuid", other));
    ck_assert(
        real_redis_is(&world.server, "second", "HGET drover:failed:%s payload", other));
    freeReplyObject(uuids);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_checked_fixture(tc, set_up, close_world);
    tcase_add_loop_test(tc, a_queue_of_a_wrong_type_is_skipped_and_comes_back, 0, 3);
    tcase_add_test(tc, a_notify_of_a_wrong_type_makes_no_busy_loop);
    tcase_add_test(tc, without_any_good_notify_the_worker_polls);
    tcase_add_test(tc, a_release_into_a_bad_delayed_waits_in_reserved);
    tcase_add_test(tc, settling_in_a_reserved_of_a_wrong_type_ends);
    tcase_add_test(tc, spoilt_crash_counts_do_not_stop_the_jobs);
    tcase_add_test(tc, a_hundred_identical_payloads_all_run);
    tcase_add_test(tc, a_twin_of_anothers_job_leaves_its_lease_alone);
    tcase_add_test(tc, twins_survive_release_promotion_and_another_run);
    tcase_add_test(tc, an_old_pad_is_replaced_not_added_to);
    tcase_add_test(tc, twins_run_even_where_the_counter_is_spoilt);
    tcase_add_test(tc, a_full_redis_is_drained_and_settled);
    tcase_add_test(tc, a_flushed_script_is_sent_again);
    tcase_add_loop_test(tc, tokens_are_set_right_by_each_reserve, 0,
                        (int)ARRAY_CT(token_counts));
    tcase_add_loop_test(tc, a_settle_after_the_lease_was_lost_changes_nothing, 0, 4);
    tcase_add_test(tc, the_same_uuid_with_another_payload_gets_its_own_record);
}

int main(void)
{
    return run_suite("queue_bad", 120, add);
}
