/* Two payloads of equal bytes, and connections that break between a verdict's execution
 * and its answer: a verdict ends the copy that was run, and never the other.
 *
 * The first copy runs; its verdict is executed, and so is a reserve that takes the second
 * copy, or wants to; of both no answer comes. In the end the second one must run, too.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "jobs/payload.h"
#include "tests/support/world_fixture.h"

#define TWIN "{\"job\":\"note\",\"data\":{\"n\":1}}"
#define RELEASED "{\"job\":\"note\",\"data\":{\"n\":1},\"attempts\":1}"

enum { ACK, RELEASE, FAIL, GIVE_BACK, VERDICTS };
static const char *const verdict_scripts[] = {"ack", "release", "fail", "give_back"};

static unsigned struck; /* how often a rule was met that loses answers */

static void set_up(void)
{
    struck = 0;
    open_proxied_world(300);
}

/* ---- what is lost ---- */

/* From this answer on. */
static void lose_answers(void *arg, enum proxy_step step,
                         const struct proxy_request *request UNUSED)
{
    if (step != PROXY_EXECUTED)
        return;
    (*(unsigned *)arg)++;
    proxy_set(world.proxy, PROXY_ANSWERS, PROXY_LOSE);
}

static void lose_from(const char *script, const char *holds)
{
    proxy_on(world.proxy, &(struct proxy_rule){.script = script,
                                               .holds = holds,
                                               .nth = 1,
                                               .cb = lose_answers,
                                               .arg = &struck});
}

static void cut(void)
{
    proxy_cut(world.proxy, PROXY_FIN);
    proxy_set(world.proxy, PROXY_BOTH, PROXY_PASS);
}

static void come_back(void)
{
    cut();
    UNTIL(&world, hand.queue->link != LINK_READY);
    UNTIL(&world, hand.queue->link == LINK_READY);
}

/* ---- the jobs ---- */

static void give_verdict(int verdict)
{
    switch (verdict) {
    case ACK:
        hand_ack(&hand, 0);
        return;
    case RELEASE:
        hand_release(&hand, 0, RELEASED, 3600000);
        return;
    case FAIL:
        hand_fail(&hand, 0, "u-1", "exit status 1");
        return;
    default:
        hand_give_back(&hand, 0);
    }
}

static bool is_twin(const struct lease *lease)
{
    return lease && slice_is(payload_without_pad(lease->bytes), TWIN);
}

static void open_with_first(unsigned slots)
{
    world_push(&world, "default", TWIN);
    hand_open(&hand, slots);
    UNTIL(&world, hand.job_ct == 1);
}

/* What was given back comes again, beside its twin. */
static void expect_the_other_runs(int verdict)
{
    size_t ct = verdict == GIVE_BACK ? 3 : 2;

    if (hand.free_slots < ct)
        hand_want(&hand, (unsigned)ct);
    UNTIL(&world, hand.job_ct == ct);
    for (size_t i = 1; i < ct; i++) {
        ck_assert(is_twin(hand.jobs[i]));
        hand_ack(&hand, i);
    }
    hand_settled(&hand);
    world_expect(&world, "default", 0, verdict == RELEASE, 0);
    ck_assert_int_eq(world_len(&world, "drover:failed"), verdict == FAIL);
    ALL_THE_WHILE(&world, 100, hand.job_ct == ct && hand.lost_ct == 0);
    ck_assert_uint_eq(atomic_load(&hand.board->lost), 0);
}

/* ---- on one connection ---- */

START_TEST(a_reserve_that_takes_the_twin_of_what_it_acks)
{
    open_with_first(1);
    world_push(&world, "default", TWIN);
    lose_from("reserve", TWIN); /* the ack is in it */
    hand_ack(&hand, 0);
    UNTIL(&world, struck == 1);
    world_expect(&world, "default", 0, 0, 1);
    come_back();
    expect_the_other_runs(ACK);
}
END_TEST

START_TEST(a_reserve_that_takes_the_twin_of_what_was_settled_before_it)
{
    open_with_first(1);
    world_push(&world, "default", TWIN);
    if (_i == ACK) {
        hand.free_slots = 0; /* nothing is wanted yet: the ack goes alone */
        queue_ack(hand.queue, hand.jobs[0]);
        lose_from("ack", NULL);
        UNTIL(&world, struck == 1);
        hand_want(&hand, 1);
    } else {
        lose_from(verdict_scripts[_i], NULL);
        give_verdict(_i);
        UNTIL(&world, struck == 1);
    }
    UNTIL(&world, hand.queue->reserves_open > 0);
    UNTIL(&world, world_len(&world, "queues:default") == (_i == GIVE_BACK));
    come_back();
    expect_the_other_runs(_i);
}
END_TEST

START_TEST(a_script_that_redis_forgot_while_the_verdict_overtook_it)
{
    open_with_first(1);
    hand_want(&hand, 0);
    world_push(&world, "default", TWIN);
    (void)real_redis_try(&world.server, "SCRIPT FLUSH");
    for (size_t i = 0; i < script_ct; i++)
        if (strcmp(script_table[i].name, "reserve") != 0)
            (void)real_redis_try(&world.server, "SCRIPT LOAD %s", script_table[i].text);
    /* NOSCRIPT is on its way; the verdict, given meanwhile, is executed; then the reserve
     * that is sent anew is. An ack waits, and rides with that one. */
    proxy_set(world.proxy, PROXY_ANSWERS, PROXY_HOLD);
    hand_want(&hand, 1);
    UNTIL(&world, hand.queue->reserves_open > 0);
    if (_i == ACK) {
        queue_ack(hand.queue, hand.jobs[0]);
        lose_from("reserve", TWIN);
        ALL_THE_WHILE(&world, 20, world_len(&world, "queues:default:reserved") == 1);
    } else {
        queue_release(hand.queue, hand.jobs[0], slice_text(RELEASED), 3600000, NULL);
        lose_from("release", NULL);
        UNTIL(&world, world_len(&world, "queues:default:reserved") == 0);
    }
    proxy_set(world.proxy, PROXY_ANSWERS, PROXY_PASS);
    UNTIL(&world, struck == 1);
    UNTIL(&world, world_len(&world, "queues:default:reserved") == 1);
    come_back();
    expect_the_other_runs(_i);
}
END_TEST

/* ---- on two connections ---- */

START_TEST(a_wait_that_takes_the_twin_of_what_was_settled_beside_it)
{
    open_with_first(2);
    hand_rests(&hand);
    lose_from(verdict_scripts[_i], NULL);
    give_verdict(_i);
    UNTIL(&world, struck == 1);
    world_push(&world, "default", TWIN);
    UNTIL(&world, world_len(&world, "queues:default:notify") == (_i == GIVE_BACK));
    ALL_THE_WHILE(&world, 50, true); /* what stands behind the token */
    come_back();
    expect_the_other_runs(_i);
}
END_TEST

/* What no job is beside waits with the reserve behind it: nothing can be settled then. */
START_TEST(a_reserve_stands_behind_the_token_only_where_nothing_is_held)
{
    hand_open(&hand, 3);
    hand_rests(&hand);
    ck_assert(hand.queue->reserve_waits);
    world_push(&world, "default", "first");
    UNTIL(&world, hand.job_ct == 1);
    hand_rests(&hand);
    ck_assert(!hand.queue->reserve_waits);
    world_push(&world, "default", "second");
    UNTIL(&world, hand.job_ct == 2);
    hand_ack(&hand, 0);
    hand_ack(&hand, 1);
    hand_settled(&hand);
    UNTIL(&world, hand_is_waiting(&hand) && hand.queue->reserve_waits);
}
END_TEST

/* ---- more than one cut, and ends ---- */

START_TEST(two_cuts_in_a_row)
{
    static const char *const scripts[] = {"held", "give_back", "beat", "extend"};

    open_with_first(2);
    world_push(&world, "low", "another");
    UNTIL(&world, hand.job_ct == 2); /* held all the while */
    world_push(&world, "default", TWIN);
    lose_from("reserve", TWIN);
    hand_ack(&hand, 0);
    UNTIL(&world, struck == 1);
    proxy_forget_rules(world.proxy);
    lose_from(scripts[_i], NULL);
    cut();
    UNTIL(&world, struck == 2);
    come_back();
    hand.jobs[0] = hand.jobs[1];
    hand_ack(&hand, 0);
    UNTIL(&world, hand.job_ct == 3);
    ck_assert(is_twin(hand.jobs[2]));
    hand_ack(&hand, 2);
    hand_settled(&hand);
    world_expect(&world, "default", 0, 0, 0);
    world_expect(&world, "low", 0, 0, 0);
}
END_TEST

START_TEST(a_drain_that_begins_while_the_link_is_down)
{
    open_with_first(1);
    world_push(&world, "default", TWIN);
    lose_from("reserve", TWIN);
    hand_ack(&hand, 0);
    UNTIL(&world, struck == 1);
    queue_drain(hand.queue);
    cut();
    UNTIL(&world, hand.drained_ct == 1 && queue_idle(hand.queue));
    UNTIL(&world, world_len(&world, "queues:default") == 1);
    world_expect(&world, "default", 1, 0, 0);
    ck_assert_uint_eq(hand.job_ct, 1);
}
END_TEST

/* ---- what was sent on a connection of before ---- */

static unsigned held_link;

static void hold_requests(void *arg UNUSED, enum proxy_step step,
                          const struct proxy_request *request)
{
    if (step != PROXY_ASKED)
        return;
    held_link = proxy_link_id(request->link);
    proxy_link_set(request->link, PROXY_REQUESTS, PROXY_HOLD);
}

static void lose_of_link(void *arg, enum proxy_step step,
                         const struct proxy_request *request)
{
    if (step != PROXY_EXECUTED)
        return;
    (*(unsigned *)arg)++;
    proxy_link_set(request->link, PROXY_ANSWERS, PROXY_LOSE);
}

/* The second link breaks before it could end the first one's connections: the third must
 * know of them still. */
START_TEST(a_verdict_of_the_link_before_the_last_comes_too_late)
{
    struct proxy_link *link;

    open_with_first(1);
    hand.queue->pace.answer_ms = 300;
    proxy_on(world.proxy,
             &(struct proxy_rule){.script = "ack", .nth = 1, .cb = hold_requests});
    if (_i)
        proxy_on(world.proxy, &(struct proxy_rule){.command = "CLIENT",
                                                   .holds = "LIST",
                                                   .nth = 1,
                                                   .cb = lose_of_link,
                                                   .arg = &struck});
    hand.free_slots = 0;
    queue_ack(hand.queue, hand.jobs[0]);
    UNTIL(&world, hand.queue->link != LINK_READY);
    if (_i)
        UNTIL(&world, struck == 1);
    UNTIL(&world, hand.queue->link == LINK_READY && queue_idle(hand.queue));
    world_expect(&world, "default", 0, 0, 0);
    world_push(&world, "default", TWIN);
    hand_want(&hand, 1);
    UNTIL(&world, hand.job_ct == 2);
    link = proxy_link_find(world.proxy, held_link);
    if (link)
        proxy_link_set(link, PROXY_REQUESTS, PROXY_PASS);
    ALL_THE_WHILE(&world, 200, world_len(&world, "queues:default:reserved") == 1);
    hand_ack(&hand, 1);
    hand_settled(&hand);
    ck_assert_uint_eq(atomic_load(&hand.board->lost), 0);
}
END_TEST

/* Of a payload that is as large as may be. */
START_TEST(a_pad_makes_no_payload_too_large)
{
    enum { MOST = 1 << 20 };
    char *payload = must_alloc(MOST + 1);

    memset(payload, 'x', MOST);
    for (int i = 0; i < 2; i++)
        world_push(&world, "default", payload);
    hand_open(&hand, 2);
    UNTIL(&world, hand.job_ct == 2);
    hand.free_slots = 0;
    for (size_t i = 2; i > 0; i--)
        queue_give_back(hand.queue, hand.jobs[i - 1]);
    hand_settled(&hand);
    hand_want(&hand, 2);
    UNTIL(&world, hand.job_ct == 4);
    ck_assert_int_eq(world_len(&world, "drover:failed"), 0);
    free(payload);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_checked_fixture(tc, set_up, close_world);
    tcase_add_test(tc, a_reserve_that_takes_the_twin_of_what_it_acks);
    tcase_add_loop_test(tc, a_reserve_that_takes_the_twin_of_what_was_settled_before_it,
                        0, VERDICTS);
    tcase_add_loop_test(tc, a_script_that_redis_forgot_while_the_verdict_overtook_it, 0,
                        2);
    tcase_add_loop_test(tc, a_wait_that_takes_the_twin_of_what_was_settled_beside_it, 0,
                        VERDICTS);
    tcase_add_test(tc, a_reserve_stands_behind_the_token_only_where_nothing_is_held);
    tcase_add_loop_test(tc, two_cuts_in_a_row, 0, 4);
    tcase_add_test(tc, a_pad_makes_no_payload_too_large);
    tcase_add_test(tc, a_drain_that_begins_while_the_link_is_down);
    tcase_add_loop_test(tc, a_verdict_of_the_link_before_the_last_comes_too_late, 0, 2);
}

int main(void)
{
    return run_suite("queue_twins", 120, add);
}
