/* Paused queues: nothing is taken from them, everything else goes on. */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "tests/support/world_fixture.h"

static void set_up(void)
{
    open_world(20000); /* nothing below is left to the poll */
}

static void pause_queue(const char *queue)
{
    ck_assert_int_eq(real_redis_int(&world.server, "ZADD drover:paused NX 1 %s", queue),
                     1);
}

static void resume_queue(const char *queue)
{
    ck_assert_int_eq(real_redis_int(&world.server, "ZREM drover:paused %s", queue), 1);
}

static bool is_paused(unsigned index)
{
    return hand.queue->queues[index].paused;
}

/* It is seen, and the wait that began before it is over. */
static void see_pause(const char *queue, unsigned index)
{
    uint64_t before = hand.queue->batch;

    pause_queue(queue);
    UNTIL(&world, is_paused(index) && hand.queue->batch > before);
    hand_rests(&hand);
}

START_TEST(nothing_is_taken_from_a_queue_that_is_paused_before_the_start)
{
    pause_queue("high");
    world_push(&world, "high", "h");
    world_push(&world, "low", "l");
    hand_open(&hand, 4);
    UNTIL(&world, hand.job_ct == 1);
    ck_assert(job_is(hand.jobs[0], "l"));
    hand_rests(&hand);
    ck_assert_uint_eq(hand.job_ct, 1);
    world_expect(&world, "high", 1, 0, 0);
    ck_assert_int_eq(world_len(&world, "queues:high:notify"),
                     1); /* for who may take it */
}
END_TEST

START_TEST(a_pause_and_its_end_are_seen_by_a_resting_worker)
{
    hand_open(&hand, 4);
    hand_rests(&hand);
    see_pause("default", 1);
    world_push(&world, "default", "d");
    world_push(&world, "low", "l");
    UNTIL(&world, hand.job_ct == 1);
    ck_assert(job_is(hand.jobs[0], "l"));
    world_expect(&world, "default", 1, 0, 0);
    resume_queue("default");
    UNTIL(&world, hand.job_ct == 2);
    ck_assert(job_is(hand.jobs[1], "d"));
    hand_ack(&hand, 0);
    hand_ack(&hand, 1);
    hand_settled(&hand);
    world_expect(&world, "default", 0, 0, 0);
    ck_assert_uint_eq(atomic_load(&hand.board->lost), 0);
}
END_TEST

START_TEST(all_queues_can_be_paused_at_once)
{
    pause_queue("*");
    world_push(&world, "high", "h");
    world_push(&world, "low", "l");
    hand_open(&hand, 4);
    UNTIL(&world, hand.queue->link == LINK_READY);
    ck_assert(is_paused(0) && is_paused(1) && is_paused(2));
    ALL_THE_WHILE(&world, 300, hand.job_ct == 0);
    resume_queue("*");
    UNTIL(&world, hand.job_ct == 2);
}
END_TEST

/* What is due becomes ready, and what a dead worker held too: it is not held up. */
START_TEST(what_is_due_in_a_paused_queue_is_promoted_and_not_taken)
{
    pause_queue("default");
    (void)real_redis_int(&world.server, "ZADD queues:default:delayed %.17g later",
                         world_redis_now(&world) + 0.5);
    (void)real_redis_int(&world.server, "ZADD queues:default:reserved 1 expired");
    hand_open(&hand, 4);
    UNTIL(&world, world_len(&world, "queues:default") == 2);
    world_expect(&world, "default", 2, 0, 0);
    ck_assert_uint_eq(hand.job_ct, 0);
}
END_TEST

/* Ready jobs that may not be taken are no reason to look again and again. */
START_TEST(a_paused_queue_with_jobs_keeps_nobody_busy)
{
    long long before;

    pause_queue("*");
    for (int i = 0; i < 20; i++)
        world_push(&world, "high", "x");
    hand_open(&hand, 4);
    UNTIL(&world, hand.queue->link == LINK_READY);
    before = real_redis_int(&world.server, "EVAL %s 0",
                            "return tonumber(string.match(redis.call('INFO', "
                            "'commandstats'), 'evalsha:calls=(%d+)'))");
    ALL_THE_WHILE(&world, 700, hand.job_ct == 0);
    ck_assert_int_lt(real_redis_int(&world.server, "EVAL %s 0",
                                    "return tonumber(string.match(redis.call('INFO', "
                                    "'commandstats'), 'evalsha:calls=(%d+)'))") -
                         before,
                     20);
}
END_TEST

START_TEST(a_key_of_a_wrong_type_pauses_nothing)
{
    world_keep_log(&world);
    (void)real_redis_int(&world.server, "RPUSH drover:paused high");
    world_push(&world, "high", "h");
    hand_open(&hand, 4);
    UNTIL(&world, hand.job_ct == 1);
    UNTIL(&world, world_logged(&world, "event=redis.wrong_type") == 1);
}
END_TEST

START_TEST(a_queue_that_the_worker_holds_is_paused_for_it_alone)
{
    world_keep_log(&world);
    world_push(&world, "high", "h");
    hand_open(&hand, 0);
    queue_hold(hand.queue, 0, true, "laravel");
    queue_hold(hand.queue, 0, true, "laravel");
    hand_want(&hand, 4);
    hand_rests(&hand);
    ck_assert_uint_eq(hand.job_ct, 0);
    world_expect(&world, "high", 1, 0, 0);
    ck_assert_int_eq(world_len(&world, "drover:paused"), 0);
    queue_hold(hand.queue, 0, false, "laravel");
    UNTIL(&world, hand.job_ct == 1);
    ck_assert_uint_eq(world_logged(&world, "event=queue.paused"), 1);
    ck_assert_uint_eq(world_logged(&world, "event=queue.resumed"), 1);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_checked_fixture(tc, set_up, close_world);
    tcase_add_test(tc, nothing_is_taken_from_a_queue_that_is_paused_before_the_start);
    tcase_add_test(tc, a_pause_and_its_end_are_seen_by_a_resting_worker);
    tcase_add_test(tc, all_queues_can_be_paused_at_once);
    tcase_add_test(tc, what_is_due_in_a_paused_queue_is_promoted_and_not_taken);
    tcase_add_test(tc, a_paused_queue_with_jobs_keeps_nobody_busy);
    tcase_add_test(tc, a_key_of_a_wrong_type_pauses_nothing);
    tcase_add_test(tc, a_queue_that_the_worker_holds_is_paused_for_it_alone);
}

int main(void)
{
    return run_suite("queue_pause", 60, add);
}
