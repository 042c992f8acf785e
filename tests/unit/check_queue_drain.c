/* The two ways to end: a drain, after which nothing is taken, and the leave. */
#include <check.h>
#include <signal.h>
#include <stdio.h>

#include "tests/unit/hands.h"
#include "tests/unit/suite.h"

START_TEST(a_drain_ends_where_the_layout_is_newer)
{
    (void)real_redis_try(&world.server, "SET drover:version 2");
    hand_open(&hands[0], 1);
    UNTIL(&world, hands[0].fatal_ct == 1);
    queue_drain(hands[0].queue);
    UNTIL(&world, hands[0].drained_ct == 1);
}
END_TEST

START_TEST(after_a_drain_nothing_is_taken)
{
    hands[0].pool.poll_interval_ms = 20000;
    hand_open(&hands[0], 4);
    if (_i == 0)
        hand_rests(&hands[0]);
    else
        UNTIL(&world, hands[0].queue->link == LINK_READY);
    queue_drain(hands[0].queue);
    UNTIL(&world, hands[0].drained_ct == 1);
    ck_assert(
        !real_redis_int(&world.server, "SISMEMBER drover:open %u", tag_of(&hands[0])));
    push_jobs("default", 3);
    ALL_THE_WHILE(&world, 200, hands[0].job_ct == 0 && hands[0].drained_ct == 1);
    world_expect(&world, "default", 3, 0, 0);
}
END_TEST

START_TEST(jobs_that_come_while_draining_go_back_in_order)
{
    push_jobs("default", 4);
    hand_open(&hands[0], 0);
    UNTIL(&world, hands[0].queue->link == LINK_READY);
    ck_assert_int_eq(kill(world.server.process.pid, SIGSTOP), 0);
    hand_want(&hands[0], 3);
    while (hands[0].queue->reserves_open == 0)
        world_turn(&world);
    queue_drain(hands[0].queue);
    world_turn(&world);
    ck_assert_uint_eq(hands[0].drained_ct, 0);
    ck_assert_int_eq(kill(world.server.process.pid, SIGCONT), 0);
    UNTIL(&world, hands[0].drained_ct == 1);
    hand_settled(&hands[0]);
    ck_assert_uint_eq(hands[0].job_ct, 0);
    world_expect(&world, "default", 4, 0, 0);
    for (int i = 0; i < 4; i++) {
        char payload[48];

        (void)snprintf(payload, sizeof(payload), "{\"uuid\":\"default-%d\"}", i);
        ck_assert(real_redis_is(&world.server, payload, "LINDEX queues:default %d", i));
    }
    ck_assert_int_eq(world_len(&world, "drover:crashes"), 0);
}
END_TEST

START_TEST(a_draining_worker_keeps_its_jobs)
{
    double first_end;

    hands[0].pool.lease_ms = LONG_LEASE_MS;
    push_jobs("default", 1);
    hand_open(&hands[0], 2);
    UNTIL(&world, hands[0].job_ct == 1);
    first_end = world_redis_now(&world) + LONG_LEASE_MS / 1000.0;
    hurry(&hands[0]);
    open_hurried(&hands[1], 2);
    queue_drain(hands[0].queue);
    UNTIL(&world, hands[0].drained_ct == 1);
    UNTIL(&world,
          hands[1].job_ct + hands[0].lost_ct > 0 || world_redis_now(&world) > first_end);
    ck_assert_uint_eq(hands[1].job_ct + hands[0].lost_ct, 0);
    hand_ack(&hands[0], 0);
    hand_settled(&hands[0]);
    world_expect(&world, "default", 0, 0, 0);
}
END_TEST

START_TEST(a_drain_without_redis_ends_and_holds_when_redis_is_back)
{
    hand_open(&hands[0], 4);
    hand_rests(&hands[0]);
    real_redis_stop(&world.server);
    UNTIL(&world, hands[0].queue->link != LINK_READY);
    queue_drain(hands[0].queue);
    UNTIL(&world, hands[0].drained_ct == 1);
    real_redis_again(&world.server);
    push_jobs("default", 1);
    UNTIL(&world, hands[0].queue->link == LINK_READY);
    ALL_THE_WHILE(&world, 300, hands[0].job_ct == 0 && hands[0].drained_ct == 1);
    ck_assert(
        !real_redis_int(&world.server, "SISMEMBER drover:open %u", tag_of(&hands[0])));
}
END_TEST

static void count_left(void *arg)
{
    ((struct hand *)arg)->left_ct++;
}

START_TEST(who_leaves_leaves_no_heartbeat)
{
    hand_open(&hands[0], 4);
    hand_rests(&hands[0]);
    queue_drain(hands[0].queue);
    UNTIL(&world, hands[0].drained_ct == 1);
    queue_leave(hands[0].queue, 20000, count_left, &hands[0]);
    ck_assert_uint_eq(hands[0].left_ct, 0); /* later, never from inside */
    UNTIL(&world, hands[0].left_ct == 1);
    ck_assert(is_gone(tag_of(&hands[0])));
    ALL_THE_WHILE(&world, 100, hands[0].left_ct == 1);
}
END_TEST

START_TEST(who_cannot_leave_is_let_go_in_time)
{
    hand_open(&hands[0], 4);
    hand_rests(&hands[0]);
    real_redis_stop(&world.server);
    queue_drain(hands[0].queue);
    UNTIL(&world, hands[0].drained_ct == 1);
    queue_leave(hands[0].queue, 100, count_left, &hands[0]);
    UNTIL(&world, hands[0].left_ct == 1);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_checked_fixture(tc, open_hands, close_hands);
    tcase_add_test(tc, a_drain_ends_where_the_layout_is_newer);
    tcase_add_loop_test(tc, after_a_drain_nothing_is_taken, 0, 2);
    tcase_add_test(tc, jobs_that_come_while_draining_go_back_in_order);
    tcase_add_test(tc, a_draining_worker_keeps_its_jobs);
    tcase_add_test(tc, a_drain_without_redis_ends_and_holds_when_redis_is_back);
    tcase_add_test(tc, who_leaves_leaves_no_heartbeat);
    tcase_add_test(tc, who_cannot_leave_is_let_go_in_time);
}

int main(void)
{
    return run_suite("queue_drain", 120, add);
}
