/* Leases: how long they last, whose they are, and what becomes of the job when one is
 * lost. */
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "tests/support/world_fixture.h"

static void set_up(void)
{
    open_world(300);
}

static void set_score(const char *queue, const char *payload, double expiry, unsigned tag)
{
    (void)real_redis_int(&world.server, "ZADD queues:%s:reserved %.17g %s", queue,
                         (double)(long long)expiry + tag / 1048576.0, payload);
}

START_TEST(a_lease_is_extended_for_as_long_as_the_job_runs)
{
    struct hand other;
    double first_end;

    hand.pool.lease_ms = LONG_LEASE_MS;
    world_push(&world, "default", "long");
    hand_open(&hand, 1);
    UNTIL(&world, hand.job_ct == 1);
    first_end = world_redis_now(&world) + LONG_LEASE_MS / 1000.0;
    hand_init(&other, &world);
    other.pool.poll_interval_ms = 100;
    hand_open(&other, 4);
    UNTIL(&world, other.job_ct + hand.lost_ct > 0 || world_redis_now(&world) > first_end);
    ck_assert_uint_eq(other.job_ct + hand.lost_ct, 0);
    hand_ack(&hand, 0);
    hand_settled(&hand);
    ck_assert_uint_eq(atomic_load(&hand.board->lost), 0);
    hand_close(&other);
}
END_TEST

START_TEST(an_expired_lease_that_is_ours_goes_on_as_the_same_run)
{
    world_push(&world, "default", "slow");
    hand_open(&hand, 4);
    UNTIL(&world, hand.job_ct == 1);
    hand_rests(&hand);
    hand.jobs[0]->tag = 77; /* of before, say */
    set_score("default", "slow", world_redis_now(&world) - 5, 77);
    UNTIL(&world, real_redis_int(&world.server, "ZSCORE queues:default:reserved slow") >
                      (long long)world_redis_now(&world) + 60);
    ALL_THE_WHILE(&world, 100, hand.job_ct == 1 && hand.lost_ct == 0);
    ck_assert_int_eq(world_len(&world, "drover:crashes"), 0);
    hand_ack(&hand, 0);
    hand_settled(&hand);
    world_expect(&world, "default", 0, 0, 0);
    ck_assert_uint_eq(atomic_load(&hand.board->lost), 0);
}
END_TEST

START_TEST(an_expired_lease_of_another_drover_counts_a_crash)
{
    set_score("default", "{\"uuid\":\"u-1\"}", 1000, 77);
    set_score("default", "no json", 1000, 77);
    set_score("default", "of php", 1000, 0);
    hand_open(&hand, 4);
    UNTIL(&world, hand.job_ct == 3);
    for (size_t i = 0; i < 3; i++) {
        bool php = job_is(hand.jobs[i], "of php");

        ck_assert_uint_eq(hand.jobs[i]->crashes, php ? 0 : 1);
        ck_assert(php || strcmp(hand.jobs[i]->crash_note, "lease ran out") == 0);
    }
    ck_assert_int_eq(world_len(&world, "drover:crashes"), 2);
    ck_assert(real_redis_is(&world.server, "1 lease ran out", "HGET drover:crashes u-1"));
    for (size_t i = 0; i < 3; i++)
        hand_ack(&hand, i);
    hand_settled(&hand);
    ck_assert_int_eq(world_len(&world, "drover:crashes"), 0);
}
END_TEST

/* Redis was away for longer than the lease, say: the holder lives, the job is innocent.
 */
START_TEST(an_expired_lease_of_a_living_drover_counts_no_crash)
{
    struct hand holder;

    hand_init(&holder, &world);
    hand_open(&holder, 1);
    world_push(&world, "default", "job");
    UNTIL(&world, holder.job_ct == 1);
    set_score("default", "job", 1000, holder.jobs[0]->tag);
    hand_open(&hand, 1);
    UNTIL(&world, hand.job_ct == 1);
    ck_assert_uint_eq(hand.jobs[0]->crashes, 0);
    ck_assert_int_eq(world_len(&world, "drover:crashes"), 0);
    hand_ack(&holder, 0); /* too late, and without effect */
    hand_settled(&holder);
    ck_assert_uint_eq(atomic_load(&holder.board->lost), 1);
    world_expect(&world, "default", 0, 0, 1);
    hand_close(&holder);
}
END_TEST

/* Another worker has reclaimed it, counted that, and we were the first to take it. */
START_TEST(a_regained_lease_takes_the_count_of_others_with_it)
{
    static const char payload[] = "{\"uuid\":\"u-2\"}";

    world_push(&world, "default", payload);
    hand_open(&hand, 4);
    UNTIL(&world, hand.job_ct == 1);
    hand_rests(&hand);
    hand.jobs[0]->tag = 77; /* of before, say */
    (void)real_redis_int(&world.server, "HSET drover:crashes u-2 %s", "1 lease ran out");
    ck_assert_int_eq(
        real_redis_int(&world.server, "ZREM queues:default:reserved %s", payload), 1);
    world_push(&world, "default", payload);
    UNTIL(&world, hand.jobs[0]->tag != 77);
    ck_assert_uint_eq(hand.job_ct, 1);
    hand_ack(&hand, 0);
    hand_settled(&hand);
    world_expect(&world, "default", 0, 0, 0);
    ck_assert_int_eq(world_len(&world, "drover:crashes"), 0);
}
END_TEST

/* Who reclaims a job counts it afterwards: somebody else may have it by then. */
START_TEST(a_count_that_came_after_the_job_goes_with_its_ack)
{
    world_push(&world, "default", "{\"uuid\":\"u-3\"}");
    hand_open(&hand, 4);
    UNTIL(&world, hand.job_ct == 1);
    ck_assert_uint_eq(hand.jobs[0]->crashes, 0);
    (void)real_redis_int(&world.server, "HSET drover:crashes u-3 %s", "1 lease ran out");
    UNTIL(&world, hand.queue->some_crashed);
    hand_ack(&hand, 0);
    hand_settled(&hand);
    ck_assert_int_eq(world_len(&world, "drover:crashes"), 0);
}
END_TEST

START_TEST(crashes_are_cleared_by_any_verdict_but_giving_back)
{
    set_score("default", "job", 1000, 77);
    hand_open(&hand, 1);
    UNTIL(&world, hand.job_ct == 1);
    ck_assert_uint_eq(hand.jobs[0]->crashes, 1);
    hand_want(&hand, 0);
    if (_i == 0)
        hand_release(&hand, 0, "job", 60000);
    else if (_i == 1)
        hand_fail(&hand, 0, "u", "x");
    else
        hand_give_back(&hand, 0);
    hand_want(&hand, 0);
    hand_settled(&hand);
    ck_assert_int_eq(world_len(&world, "drover:crashes"), _i == 2);
}
END_TEST

START_TEST(a_lease_that_somebody_took_is_told_once_at_the_next_extension)
{
    hand.pool.lease_ms = 1500;
    world_push(&world, "default", "job");
    hand_open(&hand, 1);
    UNTIL(&world, hand.job_ct == 1);
    set_score("default", "job", world_redis_now(&world) + 60, 77);
    UNTIL(&world, hand.lost_ct == 1);
    ck_assert_ptr_eq(hand.lost[0], hand.jobs[0]);
    ALL_THE_WHILE(&world, 700, hand.lost_ct == 1);
    queue_forget(hand.queue, hand.lost[0]);
    ck_assert(queue_idle(hand.queue));
    ck_assert_uint_eq(atomic_load(&hand.board->lost), 1);
    world_expect(&world, "default", 0, 0, 1);
}
END_TEST

START_TEST(a_lost_job_that_comes_again_waits_until_the_old_run_is_forgotten)
{
    hand.pool.lease_ms = 1500;
    world_push(&world, "default", "job");
    hand_open(&hand, 2);
    UNTIL(&world, hand.job_ct == 1);
    (void)real_redis_int(&world.server, "ZREM queues:default:reserved job");
    UNTIL(&world, hand.lost_ct == 1);
    world_push(&world, "default", "job");
    UNTIL(&world, world_len(&world, "queues:default:reserved") == 1);
    ALL_THE_WHILE(&world, 800, hand.job_ct == 1); /* an extension long */
    queue_forget(hand.queue, hand.lost[0]);
    UNTIL(&world, hand.job_ct == 2);
    hand_ack(&hand, 1);
    hand_settled(&hand);
    world_expect(&world, "default", 0, 0, 0);
}
END_TEST

/* ---- the same bytes, reserved while a verdict is on its way ---- */

/* As if a reserve had brought them. */
static void bring_job_again(void)
{
    hand.queue->batch++;
    arrive_job(hand.queue, 1, slice_text("job"), hand.queue->tag, 0);
    arrive_finish(hand.queue, hand.queue->batch, false);
}

/* And while Redis stands still, so that it has not answered the ack. */
static void bring_job_again_during_ack(unsigned free_slots)
{
    ck_assert_int_eq(kill(world.server.process.pid, SIGSTOP), 0);
    hand.free_slots = free_slots;
    queue_ack(hand.queue, hand.jobs[0]);
    UNTIL(&world, TAILQ_FIRST(&hand.queue->settles)->in_flight);
    bring_job_again();
    ck_assert_int_eq(kill(world.server.process.pid, SIGCONT), 0);
}

START_TEST(a_verdict_not_yet_sent_is_forgotten_when_its_bytes_come_again)
{
    world_push(&world, "default", "job");
    hand_open(&hand, 1);
    UNTIL(&world, hand.job_ct == 1);
    hand_ack(&hand, 0);
    bring_job_again();
    ck_assert(queue_idle(hand.queue));
    ck_assert_uint_eq(hand.job_ct, 2);
    ALL_THE_WHILE(&world, 50, world_len(&world, "queues:default:reserved") == 1);
}
END_TEST

START_TEST(where_the_verdict_was_on_its_way_redis_is_asked)
{
    world_push(&world, "default", "job");
    hand_open(&hand, 1);
    UNTIL(&world, hand.job_ct == 1);
    bring_job_again_during_ack(0);
    hand_settled(&hand);
    UNTIL(&world, hand.queue->arriving == 0);
    ck_assert_uint_eq(hand.job_ct, 1); /* the ack had acked it */
    ck_assert_uint_eq(hand.lost_ct, 0);
    ck_assert_uint_eq(hand.queue->leases.ct, 0);
}
END_TEST

START_TEST(and_if_it_is_ours_still_it_is_handed_over)
{
    world_push(&world, "default", "job");
    hand_open(&hand, 2);
    UNTIL(&world, hand.job_ct == 1);
    hand_rests(&hand);
    /* Let go by somebody, and reserved again by the wait while the ack is away. */
    hand.jobs[0]->tag = 77; /* so that this ack is not the new lease's */
    bring_job_again_during_ack(1);
    UNTIL(&world, hand.job_ct == 2);
    ck_assert(job_is(hand.jobs[1], "job"));
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_checked_fixture(tc, set_up, close_world);
    tcase_add_test(tc, a_lease_is_extended_for_as_long_as_the_job_runs);
    tcase_add_test(tc, an_expired_lease_that_is_ours_goes_on_as_the_same_run);
    tcase_add_test(tc, an_expired_lease_of_another_drover_counts_a_crash);
    tcase_add_test(tc, an_expired_lease_of_a_living_drover_counts_no_crash);
    tcase_add_test(tc, a_count_that_came_after_the_job_goes_with_its_ack);
    tcase_add_test(tc, a_regained_lease_takes_the_count_of_others_with_it);
    tcase_add_loop_test(tc, crashes_are_cleared_by_any_verdict_but_giving_back, 0, 3);
    tcase_add_test(tc, a_lease_that_somebody_took_is_told_once_at_the_next_extension);
    tcase_add_test(tc, a_lost_job_that_comes_again_waits_until_the_old_run_is_forgotten);
    tcase_add_test(tc, a_verdict_not_yet_sent_is_forgotten_when_its_bytes_come_again);
    tcase_add_test(tc, where_the_verdict_was_on_its_way_redis_is_asked);
    tcase_add_test(tc, and_if_it_is_ours_still_it_is_handed_over);
}

int main(void)
{
    return run_suite("queue_leases", 120, add);
}
