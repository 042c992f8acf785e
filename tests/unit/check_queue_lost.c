/* Connections, answers and leases that are lost: every job goes on, none twice. */
#include <check.h>
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "queue/scripts.h"

#include "tests/support/world.h"
#include "tests/unit/suite.h"

static struct world world;
static struct hand hand;

static void set_up(void)
{
    world_start(&world);
    hand_init(&hand, &world);
    hand.pool.poll_interval_ms = 300;
}

static void tear_down(void)
{
    if (hand.queue)
        hand_close(&hand);
    world_end(&world);
}

static long long clients_named_drover(void)
{
    redisReply *list = real_redis_do(&world.server, "CLIENT LIST");
    long long ct = 0;

    for (const char *at = list->str; (at = strstr(at, " name=drover:")) != NULL; at++)
        ct++;
    freeReplyObject(list);
    return ct;
}

/* The scripts are loaded: an answer that is lost is not that of NOSCRIPT. */
static void open_through_proxy(unsigned slots)
{
    for (size_t i = 0; i < script_ct; i++)
        (void)real_redis_try(&world.server, "SCRIPT LOAD %s", script_table[i].text);
    world_use_proxy(&world);
    hand_open(&hand, slots);
    UNTIL(&world, hand.queue->link == LINK_READY);
}

static void come_back(void)
{
    proxy_cut(world.proxy, PROXY_FIN);
    proxy_set(world.proxy, PROXY_BOTH, PROXY_PASS);
    UNTIL(&world, hand.queue->link != LINK_READY);
    UNTIL(&world, hand.queue->link == LINK_READY);
}

/* ---- answers that are lost ---- */

START_TEST(a_job_whose_reserve_was_not_answered_comes_again)
{
    world_push(&world, "default", "job");
    open_through_proxy(0);
    proxy_set(world.proxy, PROXY_ANSWERS, PROXY_LOSE);
    hand_want(&hand, 4);
    UNTIL(&world, world_len(&world, "queues:default:reserved") == 1);
    ck_assert_uint_eq(hand.job_ct, 0);
    come_back();
    UNTIL(&world, hand.job_ct == 1);
    ck_assert(job_is(hand.jobs[0], "job"));
    ck_assert_uint_eq(hand.jobs[0]->crashes, 0);
    ck_assert_int_eq(world_len(&world, "drover:crashes"), 0);
    ALL_THE_WHILE(&world, 200, hand.job_ct == 1);
}
END_TEST

START_TEST(a_job_whose_wait_was_not_answered_comes_again)
{
    open_through_proxy(4);
    hand_rests(&hand);
    proxy_set(world.proxy, PROXY_ANSWERS, PROXY_LOSE);
    world_push(&world, "default", "job");
    UNTIL(&world, world_len(&world, "queues:default:reserved") == 1);
    come_back();
    UNTIL(&world, hand.job_ct == 1);
    ALL_THE_WHILE(&world, 200, hand.job_ct == 1);
}
END_TEST

START_TEST(a_verdict_whose_answer_was_lost_is_not_given_twice)
{
    world_push(&world, "default", "job");
    open_through_proxy(1);
    UNTIL(&world, hand.job_ct == 1);
    proxy_set(world.proxy, PROXY_ANSWERS, PROXY_LOSE);
    hand.free_slots = 0;
    if (_i == 0)
        queue_ack(hand.queue, hand.jobs[0]);
    else if (_i == 1)
        queue_release(hand.queue, hand.jobs[0], slice_text("job"), 60000, NULL);
    else if (_i == 2)
        hand_fail(&hand, 0, "u", "x"), hand_want(&hand, 0);
    else
        queue_give_back(hand.queue, hand.jobs[0]);
    UNTIL(&world, world_len(&world, "queues:default:reserved") == 0);
    come_back();
    hand_settled(&hand);
    ck_assert_uint_eq(atomic_load(&hand.board->lost), 0);
    ck_assert_int_eq(world_len(&world, "queues:default"), _i == 3);
    ck_assert_int_eq(world_len(&world, "queues:default:delayed"), _i == 1);
    ck_assert_int_eq(world_len(&world, "drover:failed"), _i == 2);
}
END_TEST

START_TEST(a_silent_redis_is_left_and_found_again)
{
    unsigned accepted;

    world_push(&world, "default", "job");
    open_through_proxy(1);
    UNTIL(&world, hand.job_ct == 1);
    hand.queue->pace.answer_ms = 200;
    accepted = proxy_accepted(world.proxy);
    proxy_set(world.proxy, PROXY_BOTH, PROXY_LOSE);
    hand_want(&hand, 0);
    hand_ack(&hand, 0);
    UNTIL(&world, hand.queue->link == LINK_DOWN);
    ck_assert_int_eq(atomic_load(&hand.board->link), BOARD_LINK_DOWN);
    ck_assert(!queue_idle(hand.queue));
    proxy_set(world.proxy, PROXY_BOTH, PROXY_PASS);
    hand_settled(&hand);
    ck_assert_uint_ge(proxy_accepted(world.proxy), accepted + 1); /* not the old socket */
    world_expect(&world, "default", 0, 0, 0);
    ck_assert_int_eq(atomic_load(&hand.board->link), BOARD_LINK_UP);
}
END_TEST

START_TEST(old_connections_are_ended_before_anything_is_given_back)
{
    open_through_proxy(4);
    hand_rests(&hand);
    proxy_forget(world.proxy); /* the server sees no end of the old ones */
    UNTIL(&world, hand.queue->link != LINK_READY);
    UNTIL(&world, hand.queue->link == LINK_READY);
    hand_rests(&hand);
    UNTIL(&world, clients_named_drover() == 2);
    world_push(&world, "default", "job");
    UNTIL(&world, hand.job_ct == 1);
}
END_TEST

START_TEST(connections_of_the_link_before_the_last_are_ended_too)
{
    struct err why = {.text = "gone again"};
    int64_t first_id;

    open_through_proxy(4);
    hand_rests(&hand);
    first_id = conn_id(hand.queue->main);
    proxy_forget(world.proxy);
    UNTIL(&world, hand.queue->link == LINK_DOWN);
    while (conn_id(hand.queue->main) == first_id)
        (void)event_base_loop(loop_base(world.loop), EVLOOP_ONCE | EVLOOP_NONBLOCK);
    link_lost(hand.queue, &why); /* greeted, and the old ones not ended yet */
    UNTIL(&world, hand.queue->link == LINK_READY);
    hand_rests(&hand);
    UNTIL(&world, clients_named_drover() == 2);
}
END_TEST

/* ---- Redis that goes and comes ---- */

START_TEST(a_restart_of_redis_loses_nothing)
{
    world_push(&world, "default", "running");
    world_push(&world, "default", "done");
    hand_open(&hand, 2);
    UNTIL(&world, hand.job_ct == 2);
    real_redis_stop(&world.server);
    UNTIL(&world, hand.queue->link != LINK_READY);
    hand_ack(&hand, 1);
    ck_assert(!queue_idle(hand.queue));
    real_redis_again(&world.server);
    hand_settled(&hand);
    ALL_THE_WHILE(&world, 100, hand.lost_ct == 0 && hand.job_ct == 2);
    world_expect(&world, "default", 0, 0, 1);
    hand_ack(&hand, 0);
    hand_settled(&hand);
    world_expect(&world, "default", 0, 0, 0);
    ck_assert_uint_eq(atomic_load(&hand.board->lost), 0);
    world_push(&world, "low", "next");
    UNTIL(&world, hand.job_ct == 3);
}
END_TEST

START_TEST(killed_clients_come_back)
{
    world_push(&world, "default", "a");
    hand_open(&hand, 4);
    UNTIL(&world, hand.job_ct == 1);
    for (size_t i = 1; i <= 3; i++) {
        hand_rests(&hand);
        (void)real_redis_int(&world.server, "CLIENT KILL TYPE normal SKIPME yes");
        world_push(&world, "default", "b");
        UNTIL(&world, hand.job_ct == i + 1);
    }
    ck_assert_uint_eq(hand.lost_ct, 0);
    hand_want(&hand, 0);
    for (size_t i = 0; i < 4; i++)
        hand_ack(&hand, i), hand_want(&hand, 0);
    hand_settled(&hand);
    world_expect(&world, "default", 0, 0, 0);
}
END_TEST

START_TEST(a_read_only_redis_is_an_outage_that_ends)
{
    hand_open(&hand, 1);
    hand_rests(&hand);
    (void)real_redis_try(&world.server, "REPLICAOF 127.0.0.1 1");
    UNTIL(&world, hand.queue->link == LINK_DOWN);
    (void)real_redis_try(&world.server, "REPLICAOF NO ONE");
    world_push(&world, "default", "job");
    UNTIL(&world, hand.job_ct == 1);
}
END_TEST

START_TEST(a_busy_redis_is_an_outage_that_ends)
{
    redisContext *other = redisConnectUnix(world.server.process.socket);
    int done = 0;

    hand_open(&hand, 1);
    hand_rests(&hand);
    (void)real_redis_try(&world.server, "CONFIG SET busy-reply-threshold 50");
    ck_assert_int_eq(redisAppendCommand(other, "EVAL %s 0", "while true do end"),
                     REDIS_OK);
    while (!done)
        ck_assert_int_eq(redisBufferWrite(other, &done), REDIS_OK);
    UNTIL(&world, hand.queue->link == LINK_DOWN);
    ck_assert_int_eq(real_redis_try(&world.server, "SCRIPT KILL"), REDIS_REPLY_STATUS);
    UNTIL(&world, real_redis_try(&world.server, "GET x") != REDIS_REPLY_ERROR);
    world_push(&world, "default", "job");
    UNTIL(&world, hand.job_ct == 1);
    redisFree(other);
}
END_TEST

START_TEST(an_emptied_redis_is_served_anew)
{
    world_push(&world, "default", "gone");
    hand.pool.lease_ms = 1500;
    hand_open(&hand, 4);
    UNTIL(&world, hand.job_ct == 1);
    (void)real_redis_try(&world.server, "FLUSHALL");
    UNTIL(&world, hand.lost_ct == 1);
    queue_forget(hand.queue, hand.lost[0]);
    world_push(&world, "default", "new");
    UNTIL(&world, hand.job_ct == 2);
    ck_assert(job_is(hand.jobs[1], "new"));
}
END_TEST

START_TEST(an_outage_is_one_line_when_it_begins_and_one_when_it_ends)
{
    world_keep_log(&world);
    hand_open(&hand, 1);
    hand_rests(&hand);
    ck_assert_uint_eq(world_logged(&world, "queue.down"), 0);
    for (unsigned i = 1; i <= 2; i++) {
        real_redis_stop(&world.server);
        UNTIL(&world, hand.queue->attempt >= i * 3); /* several attempts */
        ck_assert_uint_eq(world_logged(&world, "event=queue.down"), i);
        ck_assert_uint_eq(world_logged(&world, "event=queue.up"), i - 1);
        real_redis_again(&world.server);
        UNTIL(&world, hand.queue->link == LINK_READY);
        ck_assert_uint_eq(world_logged(&world, "event=queue.down"), i);
        ck_assert_uint_eq(world_logged(&world, "event=queue.up"), i);
    }
}
END_TEST

START_TEST(an_embedded_server_may_come_up_later)
{
    bool in_time = _i == 0;

    world_keep_log(&world);
    real_redis_stop(&world.server);
    world.endpoint.embedded = true;
    hand_open(&hand, 1);
    hand.queue->pace.quiet_start_ms = in_time ? 60000 : 0;
    UNTIL(&world, hand.queue->attempt >= 4);
    real_redis_again(&world.server);
    UNTIL(&world, hand.queue->link == LINK_READY);
    ck_assert_uint_eq(world_logged(&world, "event=queue.down"), !in_time);
    ck_assert_uint_eq(world_logged(&world, "event=queue.up"), !in_time);
}
END_TEST

START_TEST(a_refused_password_is_said_again_from_time_to_time)
{
    world_keep_log(&world);
    world_use_default_user(&world);
    (void)real_redis_try(&world.server, "CONFIG SET requirepass secret");
    hand_open(&hand, 1);
    UNTIL(&world, hand.queue->attempt >= 3);
    ck_assert_uint_eq(world_logged(&world, "NOAUTH"), 1);
    hand.queue->pace.auth_remind_ms = 1;
    UNTIL(&world, world_logged(&world, "NOAUTH") >= 3);
    (void)real_redis_try(&world.server, "CONFIG SET requirepass \"\"");
}
END_TEST

/* ---- leases ---- */

static void set_score(const char *queue, const char *payload, double expiry, unsigned tag)
{
    (void)real_redis_int(&world.server, "ZADD queues:%s:reserved %.17g %s", queue,
                         (double)(long long)expiry + tag / 1048576.0, payload);
}

START_TEST(a_lease_is_extended_for_as_long_as_the_job_runs)
{
    struct hand other;

    hand.pool.lease_ms = 1000;
    world_push(&world, "default", "long");
    hand_open(&hand, 1);
    UNTIL(&world, hand.job_ct == 1);
    hand_init(&other, &world);
    other.pool.poll_interval_ms = 100;
    hand_open(&other, 4);
    ALL_THE_WHILE(&world, 3500, other.job_ct == 0 && hand.lost_ct == 0);
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

START_TEST(a_verdict_not_yet_sent_is_forgotten_when_its_bytes_come_again)
{
    struct slice bytes = slice_text("job");

    world_push(&world, "default", "job");
    hand_open(&hand, 1);
    UNTIL(&world, hand.job_ct == 1);
    hand_ack(&hand, 0);
    hand.queue->batch++;
    arrive_job(hand.queue, 1, bytes, hand.queue->tag, 0);
    arrive_finish(hand.queue, hand.queue->batch, false);
    ck_assert(queue_idle(hand.queue));
    ck_assert_uint_eq(hand.job_ct, 2);
    ALL_THE_WHILE(&world, 50, world_len(&world, "queues:default:reserved") == 1);
}
END_TEST

START_TEST(where_the_verdict_was_on_its_way_redis_is_asked)
{
    struct slice bytes = slice_text("job");

    world_push(&world, "default", "job");
    hand_open(&hand, 1);
    UNTIL(&world, hand.job_ct == 1);
    ck_assert_int_eq(kill(world.server.process.pid, SIGSTOP), 0);
    hand.free_slots = 0;
    queue_ack(hand.queue, hand.jobs[0]);
    UNTIL(&world, TAILQ_FIRST(&hand.queue->settles)->in_flight);
    hand.queue->batch++;
    arrive_job(hand.queue, 1, bytes, hand.queue->tag, 0);
    arrive_finish(hand.queue, hand.queue->batch, false);
    ck_assert_int_eq(kill(world.server.process.pid, SIGCONT), 0);
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
    ck_assert_int_eq(kill(world.server.process.pid, SIGSTOP), 0);
    hand.free_slots = 1;
    hand.jobs[0]->tag = 77; /* so that this ack is not the new lease's */
    queue_ack(hand.queue, hand.jobs[0]);
    UNTIL(&world, TAILQ_FIRST(&hand.queue->settles)->in_flight);
    hand.queue->batch++;
    arrive_job(hand.queue, 1, slice_text("job"), hand.queue->tag, 0);
    arrive_finish(hand.queue, hand.queue->batch, false);
    ck_assert_int_eq(kill(world.server.process.pid, SIGCONT), 0);
    UNTIL(&world, hand.job_ct == 2);
    ck_assert(job_is(hand.jobs[1], "job"));
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, a_job_whose_reserve_was_not_answered_comes_again);
    tcase_add_test(tc, a_job_whose_wait_was_not_answered_comes_again);
    tcase_add_loop_test(tc, a_verdict_whose_answer_was_lost_is_not_given_twice, 0, 4);
    tcase_add_test(tc, a_silent_redis_is_left_and_found_again);
    tcase_add_test(tc, old_connections_are_ended_before_anything_is_given_back);
    tcase_add_test(tc, connections_of_the_link_before_the_last_are_ended_too);
    tcase_add_test(tc, a_restart_of_redis_loses_nothing);
    tcase_add_test(tc, killed_clients_come_back);
    tcase_add_test(tc, a_read_only_redis_is_an_outage_that_ends);
    tcase_add_test(tc, a_busy_redis_is_an_outage_that_ends);
    tcase_add_test(tc, an_outage_is_one_line_when_it_begins_and_one_when_it_ends);
    tcase_add_loop_test(tc, an_embedded_server_may_come_up_later, 0, 2);
    tcase_add_test(tc, a_refused_password_is_said_again_from_time_to_time);
    tcase_add_test(tc, an_emptied_redis_is_served_anew);
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
    return run_suite("queue_lost", 120, add);
}
