/* Two reserves on their way at a time: one brings jobs while the other takes the next. No
 * more is reserved than there are slots, what is not wanted any more goes back in order,
 * and a broken link between them costs nobody a run.
 */
#include <check.h>
#include <event2/event.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "jobs/payload.h"
#include "tests/support/world_fixture.h"

#define TWIN "{\"job\":\"note\",\"data\":{\"n\":1}}"

static unsigned struck; /* how often a rule was met */

static void set_up(void)
{
    struck = 0;
    open_proxied_world(300);
}

static const char *payload(unsigned n)
{
    static char text[48];

    (void)snprintf(text, sizeof(text), "{\"uuid\":\"%u\"}", n);
    return text;
}

static void push_jobs(unsigned from, unsigned ct)
{
    for (unsigned i = from; i < from + ct; i++)
        world_push(&world, "default", payload(i));
}

static void expect_ready(unsigned from, unsigned ct)
{
    world_expect(&world, "default", ct, 0, 0);
    for (unsigned i = 0; i < ct; i++)
        ck_assert(real_redis_is(&world.server, payload(from + i),
                                "LINDEX queues:default %u", i));
}

/* One chunk runs, and the answer before this told that more is ready. */
static void open_with_chunk(unsigned ready)
{
    push_jobs(0, ready);
    hand_open(&hand, 0);
    UNTIL(&world, hand.queue->link == LINK_READY);
    hand_want(&hand, hand.queue->chunk);
    UNTIL(&world, hand.job_ct == hand.queue->chunk);
    ck_assert_uint_eq(hand.queue->backlog, ready - hand.queue->chunk);
}

/* ---- the slots ---- */

START_TEST(a_second_reserve_goes_while_the_first_is_unanswered)
{
    unsigned chunk;

    open_with_chunk(200);
    chunk = hand.queue->chunk;
    proxy_set(world.proxy, PROXY_ANSWERS, PROXY_HOLD);
    hand_want(&hand, 10 * chunk);
    UNTIL(&world, hand.queue->reserves_open == 2);
    UNTIL(&world, world_len(&world, "queues:default:reserved") == 3 * chunk);
    ALL_THE_WHILE(&world, 50, hand.queue->reserves_open == 2); /* and no third */
    world_expect(&world, "default", 200 - 3 * chunk, 0, 3 * chunk);
    proxy_set(world.proxy, PROXY_ANSWERS, PROXY_PASS);
    UNTIL(&world, hand.job_ct == 11 * chunk);
    for (unsigned i = 0; i < 11 * chunk; i++)
        ck_assert(job_is(hand.jobs[i], payload(i)));
    ck_assert_uint_eq(hand.queue->asked, 0);
}
END_TEST

/* Free slots less those that are asked for already. */
START_TEST(no_more_is_reserved_than_there_are_slots)
{
    unsigned chunk, slots;

    open_with_chunk(200);
    chunk = hand.queue->chunk;
    slots = chunk + chunk / 2 + 1;
    proxy_set(world.proxy, PROXY_ANSWERS, PROXY_HOLD);
    hand_want(&hand, slots);
    UNTIL(&world, world_len(&world, "queues:default:reserved") == chunk + slots);
    ck_assert_uint_eq(hand.queue->reserves_open, 2);
    ck_assert_uint_eq(hand.queue->asked, slots);
    proxy_set(world.proxy, PROXY_ANSWERS, PROXY_PASS);
    UNTIL(&world, hand.job_ct == chunk + slots);
    ALL_THE_WHILE(&world, 50, hand.job_ct == chunk + slots);
    world_expect(&world, "default", 200 - chunk - slots, 0, chunk + slots);
}
END_TEST

/* What the first takes leaves nothing: a second would be for nothing. */
START_TEST(a_second_reserve_needs_something_to_take)
{
    unsigned chunk;

    open_with_chunk(24);
    chunk = hand.queue->chunk;
    ck_assert_uint_gt(2 * chunk, 24);
    proxy_set(world.proxy, PROXY_ANSWERS, PROXY_HOLD);
    hand_want(&hand, 10 * chunk);
    UNTIL(&world, world_len(&world, "queues:default:reserved") == 24);
    ALL_THE_WHILE(&world, 50, hand.queue->reserves_open == 1);
    proxy_set(world.proxy, PROXY_ANSWERS, PROXY_PASS);
    UNTIL(&world, hand.job_ct == 24);
    hand_rests(&hand);
}
END_TEST

START_TEST(acks_wait_for_the_reserve_under_way_and_ride_with_the_next)
{
    open_with_chunk(200);
    proxy_set(world.proxy, PROXY_ANSWERS, PROXY_HOLD);
    hand_want(&hand, 1);
    UNTIL(&world, hand.queue->reserves_open == 1);
    hand_ack(&hand, 0);
    UNTIL(&world, world_len(&world, "queues:default:reserved") == hand.queue->chunk + 1);
    ALL_THE_WHILE(&world, 50, !queue_idle(hand.queue));
    ck_assert_int_eq(world_len(&world, "queues:default:reserved"), hand.queue->chunk + 1);
    proxy_set(world.proxy, PROXY_ANSWERS, PROXY_PASS);
    hand_settled(&hand);
}
END_TEST

/* ---- a loop that has more to do ---- */

/* Always ready, and never done with what it has. */
struct busy {
    int fd;
    struct event *event;
    uint64_t seen_turn; /* in which a reserve was on its way; 0: none was yet */
};

static void be_busy(evutil_socket_t fd UNUSED, short events UNUSED, void *arg)
{
    struct busy *busy = arg;

    loop_leave_rest(world.loop);
    if (busy->seen_turn == 0 && hand.queue->reserves_open > 0)
        busy->seen_turn = loop_turns(world.loop);
}

static void start_busy(struct busy *busy)
{
    *busy = (struct busy){.fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK)};
    busy->event =
        event_new(loop_base(world.loop), busy->fd, EV_READ | EV_PERSIST, be_busy, busy);
    ck_assert_int_eq(event_add(busy->event, NULL), 0);
}

static void stop_busy(struct busy *busy)
{
    event_free(busy->event);
    (void)close(busy->fd);
}

/* A few slots wait for those that are about to be free, but not for ever; many do not. */
START_TEST(few_slots_wait_for_the_rest_of_the_turn)
{
    uint64_t start_turn, turns;
    struct busy busy;

    open_with_chunk(200);
    proxy_set(world.proxy, PROXY_ANSWERS, PROXY_HOLD);
    start_busy(&busy);
    start_turn = loop_turns(world.loop);
    hand_want(&hand, _i == 0 ? hand.queue->enough - 1 : hand.queue->enough);
    UNTIL(&world, busy.seen_turn > 0);
    turns = busy.seen_turn - start_turn;
    if (_i == 0)
        ck_assert_uint_gt(turns, WAIT_TURNS_MAX);
    ck_assert_uint_le(turns, _i == 0 ? WAIT_TURNS_MAX + 3 : 3);
    stop_busy(&busy);
    proxy_set(world.proxy, PROXY_ANSWERS, PROXY_PASS);
    UNTIL(&world, hand.free_slots == 0);
}
END_TEST

/* ---- a verdict behind a reserve that finds nothing ---- */

static void hold_request(void *arg UNUSED, enum proxy_step step,
                         const struct proxy_request *request)
{
    if (step != PROXY_ASKED)
        return;
    struck++;
    proxy_link_set(request->link, PROXY_REQUESTS, PROXY_HOLD);
}

static void hold_at(const char *script)
{
    proxy_on(world.proxy,
             &(struct proxy_rule){.script = script, .nth = 1, .cb = hold_request});
}

/* A job runs, and a reserve that finds nothing more is answered, but not heard. */
static void open_with_unheard_reserve(void)
{
    push_jobs(0, 1);
    hand_open(&hand, 0);
    UNTIL(&world, hand.queue->link == LINK_READY);
    hand_want(&hand, 1);
    UNTIL(&world, hand.job_ct == 1 && hand.queue->reserves_open == 0);
    proxy_set(world.proxy, PROXY_ANSWERS, PROXY_HOLD);
    hand_want(&hand, 1);
    UNTIL(&world, hand.queue->reserves_open == 1);
    ck_assert_uint_eq(hand.empty_ct, 0);
}

START_TEST(a_queue_is_not_empty_while_a_job_is_on_its_way_back)
{
    uint64_t batch;

    open_with_unheard_reserve();
    hold_at(_i == 0 ? "release" : "give_back");
    if (_i == 0)
        hand_release(&hand, 0, "{\"uuid\":\"0\",\"attempts\":1}", 0);
    else
        hand_give_back(&hand, 0);
    UNTIL(&world, struck == 1);
    batch = hand.queue->batch;
    proxy_set(world.proxy, PROXY_ANSWERS, PROXY_PASS);
    UNTIL(&world, hand.queue->batch > batch);
    world_turn(&world);
    ck_assert_uint_eq(hand.empty_ct, 0);
    proxy_set(world.proxy, PROXY_REQUESTS, PROXY_PASS);
    UNTIL(&world, hand.job_ct == 2);
    ck_assert_uint_eq(hand.empty_ct, 0);
}
END_TEST

/* It does not come again at once: nothing but a look of its own will find that. */
START_TEST(a_queue_is_empty_once_a_job_that_waits_is_back)
{
    hand.pool.poll_interval_ms = 3600000;
    open_with_unheard_reserve();
    hand_release(&hand, 0, "{\"uuid\":\"0\",\"attempts\":1}", 3600000);
    proxy_set(world.proxy, PROXY_ANSWERS, PROXY_PASS);
    UNTIL(&world, hand.empty_ct > 0);
    world_expect(&world, "default", 0, 1, 0);
}
END_TEST

START_TEST(a_queue_is_empty_though_an_ack_is_not_answered)
{
    open_with_unheard_reserve();
    hand_ack(&hand, 0);
    hold_at("ack");
    proxy_set(world.proxy, PROXY_ANSWERS, PROXY_PASS);
    UNTIL(&world, hand.empty_ct == 1);
    ck_assert(!queue_idle(hand.queue));
}
END_TEST

/* ---- what is not wanted any more ---- */

/* Of the first answer some are, of the second one none is. */
START_TEST(what_is_not_wanted_any_more_goes_back_in_order)
{
    unsigned chunk;

    open_with_chunk(200);
    chunk = hand.queue->chunk;
    proxy_set(world.proxy, PROXY_ANSWERS, PROXY_HOLD);
    hand_want(&hand, 2 * chunk);
    UNTIL(&world, world_len(&world, "queues:default:reserved") == 3 * chunk);
    if (_i == 0)
        hand_want(&hand, 1);
    else
        queue_drain(hand.queue);
    world_turn(&world);
    proxy_set(world.proxy, PROXY_ANSWERS, PROXY_PASS);
    UNTIL(&world, hand.queue->arriving == 0 && hand.queue->reserves_open == 0);
    UNTIL(&world, _i == 0 || hand.drained_ct == 1);
    hand_settled(&hand);
    ck_assert_uint_eq(hand.job_ct, chunk + (_i == 0));
    for (size_t i = 0; i < hand.job_ct; i++)
        queue_ack(hand.queue, hand.jobs[i]);
    hand_settled(&hand);
    expect_ready((unsigned)hand.job_ct, 200 - (unsigned)hand.job_ct);
}
END_TEST

/* ---- the link between them ---- */

static void lose_answers(void *arg UNUSED, enum proxy_step step,
                         const struct proxy_request *request UNUSED)
{
    if (step != PROXY_EXECUTED)
        return;
    struck++;
    proxy_set(world.proxy, PROXY_ANSWERS, PROXY_LOSE);
}

static void lose_from_reserve(const char *holds)
{
    proxy_on(world.proxy,
             &(struct proxy_rule){
                 .script = "reserve", .holds = holds, .nth = 1, .cb = lose_answers});
}

static void come_back(void)
{
    proxy_cut(world.proxy, PROXY_FIN);
    proxy_set(world.proxy, PROXY_BOTH, PROXY_PASS);
    UNTIL(&world, hand.queue->link != LINK_READY);
    UNTIL(&world, hand.queue->link == LINK_READY);
}

static size_t count_twins(void)
{
    size_t ct = 0;

    for (size_t i = 0; i < hand.job_ct; i++)
        ct += slice_is(payload_without_pad(hand.jobs[i]->bytes), TWIN);
    return ct;
}

/* The ack of the first copy rides with a reserve whose slots others fill; the one behind
 * it takes the second copy. Of neither an answer comes. */
START_TEST(the_reserve_behind_the_one_that_acks_its_twin)
{
    unsigned chunk, all;
    struct lease *first;

    world_push(&world, "default", TWIN);
    hand_open(&hand, 1);
    UNTIL(&world, hand.job_ct == 1);
    chunk = hand.queue->chunk;
    push_jobs(0, 2 * chunk);
    world_push(&world, "default", TWIN);
    push_jobs(2 * chunk, 4 * chunk);
    all = 6 * chunk + 2;
    hand_want(&hand, chunk);
    UNTIL(&world, hand.job_ct == 1 + chunk);

    lose_from_reserve(TWIN); /* the ack is in it */
    first = lease_create(&(struct lease_key){.bytes = hand.jobs[0]->bytes}, 0);
    queue_ack(hand.queue, hand.jobs[0]);
    hand.jobs[0] = first; /* to be counted at the end */
    hand_want(&hand, 2 * chunk);
    UNTIL(&world, struck == 1);
    UNTIL(&world, world_len(&world, "queues:default:reserved") == 3 * chunk);
    ck_assert_uint_eq(hand.queue->reserves_open, 2);
    come_back();
    hand_want(&hand, all);
    UNTIL(&world, hand.job_ct == all);
    ck_assert_uint_eq(count_twins(), 2);
    ck_assert_uint_eq(hand.lost_ct, 0);
    ck_assert_uint_eq(atomic_load(&hand.board->lost), 0);
    lease_free(first);
}
END_TEST

/* Nothing is known of what either took; all of it comes again, once. */
START_TEST(two_reserves_whose_answers_are_lost)
{
    unsigned chunk;

    open_with_chunk(200);
    chunk = hand.queue->chunk;
    lose_from_reserve(NULL);
    hand_want(&hand, 2 * chunk);
    UNTIL(&world, struck == 1);
    UNTIL(&world, world_len(&world, "queues:default:reserved") == 3 * chunk);
    come_back();
    hand_want(&hand, 200 - chunk);
    UNTIL(&world, hand.job_ct == 200);
    world_expect(&world, "default", 0, 0, 200);
    for (size_t i = 0; i < 200; i++)
        for (size_t k = 0; k < i; k++)
            ck_assert(!slice_equal(hand.jobs[i]->bytes, hand.jobs[k]->bytes));
}
END_TEST

/* Redis forgot the script: each of the two is spelled anew. */
START_TEST(two_reserves_that_redis_does_not_know)
{
    unsigned chunk;

    open_with_chunk(200);
    chunk = hand.queue->chunk;
    (void)real_redis_try(&world.server, "SCRIPT FLUSH");
    hand_want(&hand, 4 * chunk);
    UNTIL(&world, hand.job_ct == 5 * chunk);
    for (unsigned i = 0; i < 5 * chunk; i++)
        ck_assert(job_is(hand.jobs[i], payload(i)));
    UNTIL(&world, hand.queue->reserves_open == 0 && hand.queue->asked == 0);
    world_expect(&world, "default", 200 - 5 * chunk, 0, 5 * chunk);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_checked_fixture(tc, set_up, close_world);
    tcase_add_test(tc, a_second_reserve_goes_while_the_first_is_unanswered);
    tcase_add_test(tc, no_more_is_reserved_than_there_are_slots);
    tcase_add_test(tc, a_second_reserve_needs_something_to_take);
    tcase_add_test(tc, acks_wait_for_the_reserve_under_way_and_ride_with_the_next);
    tcase_add_loop_test(tc, few_slots_wait_for_the_rest_of_the_turn, 0, 2);
    tcase_add_loop_test(tc, a_queue_is_not_empty_while_a_job_is_on_its_way_back, 0, 2);
    tcase_add_test(tc, a_queue_is_empty_once_a_job_that_waits_is_back);
    tcase_add_test(tc, a_queue_is_empty_though_an_ack_is_not_answered);
    tcase_add_loop_test(tc, what_is_not_wanted_any_more_goes_back_in_order, 0, 2);
    tcase_add_test(tc, the_reserve_behind_the_one_that_acks_its_twin);
    tcase_add_test(tc, two_reserves_whose_answers_are_lost);
    tcase_add_test(tc, two_reserves_that_redis_does_not_know);
}

int main(void)
{
    return run_suite("queue_overlap", 120, add);
}
