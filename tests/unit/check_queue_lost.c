/* Connections and answers that are lost: every job goes on, none twice. */
#include <check.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/world_fixture.h"

static void set_up(void)
{
    open_world(300);
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

static void open_through_proxy(unsigned slots)
{
    load_scripts();
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

/* Runs a script without end on a connection of its own, which is returned. */
static redisContext *make_busy(void)
{
    redisContext *other = redisConnectUnix(world.server.process.socket);
    int done = 0;

    ck_assert(other && other->err == 0);
    (void)real_redis_try(&world.server, "CONFIG SET lua-time-limit 50");
    ck_assert_int_eq(redisAppendCommand(other, "EVAL %s 0", "while true do end"),
                     REDIS_OK);
    while (!done)
        ck_assert_int_eq(redisBufferWrite(other, &done), REDIS_OK);
    return other;
}

static void end_busy(redisContext *other)
{
    ck_assert_int_eq(real_redis_try(&world.server, "SCRIPT KILL"), REDIS_REPLY_STATUS);
    redisFree(other);
}

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
    redisContext *other;

    hand_open(&hand, 1);
    hand_rests(&hand);
    other = make_busy();
    UNTIL(&world, hand.queue->link == LINK_DOWN);
    end_busy(other);
    UNTIL(&world, real_redis_try(&world.server, "GET x") != REDIS_REPLY_ERROR);
    world_push(&world, "default", "job");
    UNTIL(&world, hand.job_ct == 1);
}
END_TEST

/* For just this one request. */
static void be_busy(void *arg, enum proxy_step step, const struct proxy_request *request)
{
    redisContext **other = arg;

    if (step == PROXY_ASKED) {
        *other = make_busy();
        while (real_redis_try(&world.server, "GET x") != REDIS_REPLY_ERROR)
            ;
    } else if (step == PROXY_EXECUTED) {
        ck_assert(request->answer.len > 5);
        ck_assert(memcmp(request->answer.ptr, "-BUSY", 5) == 0);
        end_busy(*other);
    }
}

/* It says nothing about them: what was sent on them could still be executed. */
START_TEST(who_is_told_that_redis_is_busy_asks_again_about_old_connections)
{
    static const char *const asks[] = {"LIST", "KILL"};
    redisContext *other = NULL;

    open_through_proxy(4);
    hand_rests(&hand);
    proxy_on(world.proxy, &(struct proxy_rule){.command = "CLIENT",
                                               .holds = asks[_i],
                                               .nth = 1,
                                               .cb = be_busy,
                                               .arg = &other});
    proxy_forget(world.proxy); /* the server sees no end of the old ones */
    UNTIL(&world, hand.queue->link != LINK_READY);
    UNTIL(&world, hand.queue->link == LINK_READY);
    ck_assert_ptr_nonnull(other);
    hand_rests(&hand);
    UNTIL(&world, clients_named_drover() == 2);
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

static void add(TCase *tc)
{
    tcase_add_checked_fixture(tc, set_up, close_world);
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
    tcase_add_loop_test(
        tc, who_is_told_that_redis_is_busy_asks_again_about_old_connections, 0, 2);
    tcase_add_test(tc, an_outage_is_one_line_when_it_begins_and_one_when_it_ends);
    tcase_add_loop_test(tc, an_embedded_server_may_come_up_later, 0, 2);
    tcase_add_test(tc, a_refused_password_is_said_again_from_time_to_time);
    tcase_add_test(tc, an_emptied_redis_is_served_anew);
}

int main(void)
{
    return run_suite("queue_lost", 120, add);
}
