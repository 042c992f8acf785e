/* Keys of a wrong type, rights that are missing, settings that endanger jobs: each is
 * said once, in words that tell what to do, and the work goes on as far as it safely can.
 */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "tests/support/world_fixture.h"

static void set_up(void)
{
    open_world(300);
    world_keep_log(&world);
}

static void open_quickly(unsigned slots)
{
    hand_open(&hand, slots);
    hand.queue->pace.beat_ms = 50;
    hand.queue->pace.inspect_ms = 100;
    hand.queue->pace.hold_ms = 100;
}

/* A stream is what none of our keys is. */
static void spoil(const char *key)
{
    (void)real_redis_int(&world.server, "DEL %s", key);
    ck_assert_int_eq(real_redis_try(&world.server, "XADD %s * a b", key),
                     REDIS_REPLY_STRING);
}

/* One job of each fate, up to where Redis has answered. */
static void run_all_verdicts(size_t first)
{
    char payload[64];

    for (size_t i = 0; i < 4; i++) {
        (void)snprintf(payload, sizeof(payload), "{\"uuid\":\"u-%zu\"}", first + i);
        world_push(&world, "default", payload);
    }
    UNTIL(&world, hand.job_ct == first + 4);
    hand_want(&hand, 0);
    hand_ack(&hand, first);
    hand_want(&hand, 0);
    hand_release(&hand, first + 1, "later", 60000);
    hand_want(&hand, 0);
    hand_give_back(&hand, first + 2);
    hand_want(&hand, 0);
    hand_settled(&hand);
    (void)real_redis_int(&world.server, "DEL queues:default queues:default:delayed");
}

/* ---- drover's own keys ---- */

static const struct {
    const char *key;
    bool goes_on; /* else the work waits until the key is mended */
} own_keys[] = {{"drover:beats", true},   {"drover:owners", true},
                {"drover:crashes", true}, {"drover:twins", true},
                {"drover:failed", true},  {"drover:open", false},
                {"drover:version", true}, {"drover:tag", true}};
enum { OWN_KEYS = ARRAY_CT(own_keys) };

static unsigned said(const char *key)
{
    char text[64];

    (void)snprintf(text, sizeof(text), "mend=\"DEL %s\"", key);
    return world_logged(&world, text);
}

/* Spoilt while a worker is at work. */
START_TEST(an_own_key_of_a_wrong_type_is_named_and_the_work_goes_on)
{
    const char *key = own_keys[_i].key;

    open_quickly(4);
    run_all_verdicts(0);
    spoil(key);
    UNTIL(&world, said(key) == 1);
    if (own_keys[_i].goes_on) {
        hand_want(&hand, 4);
        run_all_verdicts(4);
        ck_assert_int_eq(hand.queue->link, LINK_READY);
        ck_assert_uint_eq(world_logged(&world, "event=queue.down"), 0);
    }
    ALL_THE_WHILE(&world, 150, said(key) == 1);

    (void)real_redis_int(&world.server, "DEL %s", key);
    UNTIL(&world, world_logged(&world, "event=redis.mended") == 1);
    hand_want(&hand, 4);
    world_push(&world, "low", "after");
    UNTIL(&world, job_is(hand.jobs[hand.job_ct - 1], "after"));
    UNTIL(&world,
          world_len(&world, "drover:beats") == 1 || strcmp(key, "drover:beats") != 0);
    ck_assert_uint_eq(atomic_load(&hand.board->lost), 0);
    ck_assert_uint_eq(world_logged(&world, "level=error"), 1);
}
END_TEST

/* Spoilt before a worker comes: what needs the key to begin at all waits for it. */
START_TEST(a_worker_that_meets_a_wrong_type_at_its_start_says_so)
{
    static const char *const needed[] = {"drover:open", "drover:version", "drover:tag"};
    const char *key = own_keys[_i].key;
    bool waits = false;

    for (size_t i = 0; i < ARRAY_CT(needed); i++)
        waits |= strcmp(needed[i], key) == 0;
    spoil(key);
    world_push(&world, "default", "job");
    open_quickly(1);
    UNTIL(&world, said(key) == 1);
    if (waits)
        (void)real_redis_int(&world.server, "DEL %s", key);
    UNTIL(&world, hand.job_ct == 1);
    hand_ack(&hand, 0);
    hand_settled(&hand);
    ck_assert_uint_eq(said(key), 1);
    ck_assert_uint_eq(atomic_load(&hand.board->lost), 0);
}
END_TEST

/* Leaves cleanly, and is not waited for. */
START_TEST(a_worker_drains_and_leaves_whatever_is_spoilt)
{
    open_quickly(1);
    hand_rests(&hand);
    spoil(own_keys[_i].key);
    queue_drain(hand.queue);
    UNTIL(&world, hand.drained_ct == 1 || !own_keys[_i].goes_on);
    if (!own_keys[_i].goes_on) {
        (void)real_redis_int(&world.server, "DEL %s", own_keys[_i].key);
        UNTIL(&world, hand.drained_ct == 1);
    }
}
END_TEST

START_TEST(a_job_that_cannot_be_recorded_stays_ours_until_it_can)
{
    hand.pool.lease_ms = 1000;
    open_quickly(2);
    world_push(&world, "default", "bad");
    UNTIL(&world, hand.job_ct == 1);
    spoil("drover:failed");
    hand_fail(&hand, 0, "u-1", "exit status 3");
    UNTIL(&world, world_logged(&world, "event=queue.fail_held") == 1);
    /* Longer than its lease, and good jobs run beside it. */
    world_push(&world, "default", "good");
    UNTIL(&world, hand.job_ct == 2);
    hand_ack(&hand, 1);
    ALL_THE_WHILE(&world, 1500,
                  world_len(&world, "queues:default:reserved") >= 1 && hand.job_ct == 2);
    ck_assert(!queue_idle(hand.queue));

    (void)real_redis_int(&world.server, "DEL drover:failed");
    hand_settled(&hand);
    ck_assert_int_eq(world_len(&world, "drover:failed"), 1);
    ck_assert(real_redis_is(&world.server, "bad", "HGET drover:failed:u-1 payload"));
    world_expect(&world, "default", 0, 0, 0);
    ck_assert_uint_eq(atomic_load(&hand.board->lost), 0);
    ck_assert_uint_eq(world_logged(&world, "event=queue.fail_held"), 1);
}
END_TEST

START_TEST(at_a_drain_what_cannot_be_recorded_goes_back_to_its_queue)
{
    open_quickly(1);
    world_push(&world, "default", "bad");
    UNTIL(&world, hand.job_ct == 1);
    spoil("drover:failed");
    hand_want(&hand, 0);
    hand_fail(&hand, 0, "u-1", "exit status 3");
    hand_want(&hand, 0);
    if (_i == 0) /* a drain while it is held; else one before it is tried */
        UNTIL(&world, hand.queue->held_ct == 1);
    queue_drain(hand.queue);
    hand_settled(&hand);
    world_expect(&world, "default", 1, 0, 0);
    ck_assert_uint_eq(hand.queue->held_ct, 0);
    ck_assert_uint_eq(hand.queue->held_bytes, 0);
}
END_TEST

START_TEST(a_record_of_a_wrong_type_is_stepped_aside_for)
{
    open_quickly(1);
    world_push(&world, "default", "bad");
    UNTIL(&world, hand.job_ct == 1);
    spoil("drover:failed:u-1");
    hand_fail(&hand, 0, "u-1", "exit status 3");
    hand_settled(&hand);
    ck_assert_int_eq(world_len(&world, "drover:failed"), 1);
    world_expect(&world, "default", 0, 0, 0);
}
END_TEST

START_TEST(too_big_a_payload_that_cannot_be_recorded_stops_its_queue_alone)
{
    char *big = must_alloc((1 << 20) + 1);

    memset(big, 'x', (1 << 20) + 1);
    (void)real_redis_int(&world.server, "RPUSH queues:high %b", big,
                         (size_t)(1 << 20) + 1);
    free(big);
    world_push(&world, "high", "behind");
    world_push(&world, "default", "beside");
    spoil("drover:failed");
    open_quickly(4);
    UNTIL(&world, hand.job_ct == 1);
    ck_assert(job_is(hand.jobs[0], "beside"));
    UNTIL(&world, world_logged(&world, "event=queue.bad") == 1);
    ck_assert_int_eq(world_len(&world, "queues:high"), 2);
    (void)real_redis_int(&world.server, "DEL drover:failed");
    UNTIL(&world, hand.job_ct == 2);
    ck_assert(job_is(hand.jobs[1], "behind"));
    ck_assert_int_eq(world_len(&world, "drover:failed"), 1);
}
END_TEST

START_TEST(notes_of_a_wrong_type_are_named_and_the_job_goes_on)
{
    struct lease *lease;

    open_quickly(1);
    world_push(&world, "default", "{\"uuid\":\"u-1\"}");
    UNTIL(&world, hand.job_ct == 1);
    spoil("drover:notes:u-1");
    lease = hand.jobs[0];
    hand_want(&hand, 0);
    queue_release(hand.queue, lease, slice_text("{\"uuid\":\"u-1\"} "), 0, "failed\n");
    hand_settled(&hand);
    ck_assert_uint_eq(said("drover:notes:u-1"), 1);
    hand_want(&hand, 1);
    UNTIL(&world, hand.job_ct == 2);
    hand_fail(&hand, 1, "u-1", "x");
    hand_settled(&hand);
    ck_assert_int_eq(world_len(&world, "drover:failed"), 1);
    ck_assert_uint_eq(atomic_load(&hand.board->lost), 0);
}
END_TEST

/* ---- the keys of a queue ---- */

static const char *const suffixes[] = {"", ":delayed", ":reserved", ":notify"};
enum { VERBS = 5, SPOILT_CASES = (int)ARRAY_CT(suffixes) * VERBS };

/* Each of a queue's keys, at each verb: the queue next to it goes on. */
START_TEST(a_spoilt_queue_stops_nobody_else)
{
    const char *suffix = suffixes[_i / VERBS];
    char key[64];
    int verb = _i % VERBS;

    hand.pool.lease_ms = 1000;
    open_quickly(1);
    world_push(&world, "default", "job");
    UNTIL(&world, hand.job_ct == 1);
    (void)snprintf(key, sizeof(key), "queues:default%s", suffix);
    spoil(key);
    if (verb == 0)
        hand_ack(&hand, 0);
    else if (verb == 1)
        hand_release(&hand, 0, "again", 60000);
    else if (verb == 2)
        hand_fail(&hand, 0, "u-1", "x");
    else if (verb == 3)
        hand_give_back(&hand, 0);
    else /* extend, more than once */
        ALL_THE_WHILE(&world, 700, hand.queue->link == LINK_READY);
    if (verb < 4)
        hand_settled(&hand);
    if (hand.lost_ct)
        queue_forget(hand.queue, hand.lost[0]);
    hand_want(&hand, 2);
    world_push(&world, "low", "other");
    UNTIL(&world, hand.job_ct >= 2 && job_is(hand.jobs[hand.job_ct - 1], "other"));
    ck_assert_int_eq(hand.queue->link, LINK_READY);
    ck_assert_uint_eq(world_logged(&world, "event=queue.down"), 0);
}
END_TEST

/* ---- what Redis is set to ---- */

START_TEST(an_evicting_redis_is_said_when_it_changes)
{
    open_quickly(1);
    hand_rests(&hand);
    ck_assert_uint_eq(world_logged(&world, "event=redis.evicts"), 0);
    ck_assert_uint_eq(world_logged(&world, "event=redis.no_aof"), 0);
    (void)real_redis_try(&world.server, "CONFIG SET maxmemory-policy allkeys-lru");
    UNTIL(&world, world_logged(&world, "event=redis.evicts") == 1);
    ck_assert_uint_eq(world_logged(&world, "CONFIG SET maxmemory-policy noeviction"), 1);
    ALL_THE_WHILE(&world, 400, world_logged(&world, "event=redis.evicts") == 1);
    (void)real_redis_try(&world.server, "CONFIG SET maxmemory-policy volatile-lru");
    UNTIL(&world, world_logged(&world, "event=redis.evicts") == 2);
    (void)real_redis_try(&world.server, "CONFIG SET maxmemory-policy noeviction");
    UNTIL(&world, world_logged(&world, "event=redis.mended") == 1);
    (void)real_redis_try(&world.server, "CONFIG SET appendonly no");
    UNTIL(&world, world_logged(&world, "event=redis.no_aof") == 1);
    (void)real_redis_try(&world.server, "CONFIG SET appendonly yes");
    UNTIL(&world, world_logged(&world, "event=redis.mended") == 2);
}
END_TEST

/* ---- what the user may not do ---- */

static const struct {
    const char *rules; /* against the user's usual ones */
    const char *named; /* what the one line names; NULL: nothing is amiss */
} rights[] = {
    {"-info -config", "command=INFO"},
    {"-info +config|get", NULL}, /* the one or the other will do */
    {"-type", "command=TYPE"},
    {"-client", "command=CLIENT"},
    {"-brpop", "command=BRPOP"},
};
enum { RIGHTS_CT = ARRAY_CT(rights) };

static void acl_set_user(const char *rules)
{
    char command[128];

    (void)snprintf(command, sizeof(command), "ACL SETUSER drover %s", rules);
    ck_assert_int_eq(real_redis_try(&world.server, command), REDIS_REPLY_STATUS);
}

/* A job has gone through: what a fresh link asks has been answered. */
static void run_one_more(void)
{
    size_t job_ct = hand.job_ct;

    world_push(&world, "default", "after the break");
    hand_want(&hand, 1);
    UNTIL(&world, hand.job_ct == job_ct + 1);
}

START_TEST(a_user_without_a_right_degrades_and_says_so_once)
{
    acl_set_user(rights[_i].rules);
    open_quickly(4);
    run_all_verdicts(0);
    hand_want(&hand, 4);
    ALL_THE_WHILE(&world, 300, hand.queue->link == LINK_READY);
    world_push(&world, "default", "one more");
    UNTIL(&world, hand.job_ct == 5);
    ck_assert_uint_eq(world_logged(&world, "event=queue.down"), 0);
    ck_assert_uint_eq(world_logged(&world, "event=redis.no_permission"),
                      rights[_i].named != NULL);
    if (rights[_i].named)
        ck_assert_uint_eq(world_logged(&world, rights[_i].named), 1);
    ck_assert_uint_eq(world_logged(&world, "level=error"), 0);
    (void)real_redis_int(&world.server, "CLIENT KILL TYPE normal SKIPME yes");
    UNTIL(&world, world_logged(&world, "event=queue.up") == 1);
    run_one_more();
    ck_assert_uint_eq(world_logged(&world, "event=redis.no_permission"),
                      rights[_i].named != NULL);
    (void)real_redis_try(&world.server, "ACL LOG RESET");
}
END_TEST

static const char *const needed[] = {"evalsha", "zmscore", "zadd", "lrange",
                                     "ltrim",   "zrem",    "time"};
enum { NEEDED_CT = ARRAY_CT(needed) };

/* Without these nothing works: said once, and taken up when the right is given. */
START_TEST(a_right_that_is_needed_is_waited_for)
{
    char rules[32];

    (void)snprintf(rules, sizeof(rules), "-%s", needed[_i]);
    open_quickly(2);
    world_push(&world, "default", "before");
    UNTIL(&world, hand.job_ct == 1);
    hand_rests(&hand);
    acl_set_user(rules);
    hand_ack(&hand, 0);
    world_push(&world, "default", "after");
    UNTIL(&world, world_logged(&world, "event=queue.down") == 1);
    ALL_THE_WHILE(&world, 400, world_logged(&world, "event=queue.") <= 5);
    rules[0] = '+';
    acl_set_user(rules);
    UNTIL(&world, hand.job_ct == 2 && job_is(hand.jobs[1], "after"));
    hand_settled(&hand);
    ck_assert_uint_eq(atomic_load(&hand.board->lost), 0);
    world_expect(&world, "default", 0, 0, 1);
    (void)real_redis_try(&world.server, "ACL LOG RESET");
}
END_TEST

/* The reserve is refused before it has taken anything off the list. */
START_TEST(a_right_that_is_missing_costs_no_job)
{
    char rules[32];

    (void)snprintf(rules, sizeof(rules), "-%s", needed[_i]);
    open_quickly(2);
    hand_rests(&hand); /* nothing to ack: the job is what the script comes to first */
    acl_set_user(rules);
    world_push(&world, "default", "kept");
    UNTIL(&world, world_logged(&world, "event=queue.down") == 1);
    world_expect(&world, "default", 1, 0, 0);
    rules[0] = '+';
    acl_set_user(rules);
    UNTIL(&world, hand.job_ct == 1 && job_is(hand.jobs[0], "kept"));
    (void)real_redis_try(&world.server, "ACL LOG RESET");
}
END_TEST

/* ---- two payloads too big, of which a call records one ---- */

enum { SMALL_BYTES = 512, PAIR_JOBS = 12 };

static const char *const taking[] = {"lpush", "rpush", "ltrim",   "lrange", "zadd",
                                     "hset",  "zcard", "zmscore", "llen",   "lpop"};
enum { TAKING_CT = ARRAY_CT(taking) };

/* The second and the fifth are too big. */
static void push_pair(void)
{
    char big[2 * SMALL_BYTES], payload[16];

    memset(big, 'x', sizeof(big));
    for (unsigned i = 0; i < PAIR_JOBS; i++) {
        (void)snprintf(payload, sizeof(payload), "j%u", i);
        if (i == 1 || i == 4)
            (void)real_redis_int(&world.server, "RPUSH queues:low %b", big,
                                 sizeof(big) - i);
        else
            (void)real_redis_int(&world.server, "RPUSH queues:low %s", payload);
    }
}

static void each_came_once(void)
{
    char payload[16];

    for (unsigned i = 0; i < PAIR_JOBS; i++) {
        size_t ct = 0;

        (void)snprintf(payload, sizeof(payload), "j%u", i);
        for (size_t k = 0; k < hand.job_ct; k++)
            ct += job_is(hand.jobs[k], payload);
        ck_assert_msg(ct == (i != 1 && i != 4), "%s came %zu times", payload, ct);
    }
}

/* Whatever the user may not do: all of it is there, and comes once it may. */
START_TEST(no_job_is_lost_or_doubled_behind_payloads_that_are_too_big)
{
    char rules[32];

    hand.max_payload_bytes = SMALL_BYTES;
    open_quickly(PAIR_JOBS);
    world_push(&world, "default", "small"); /* so that its size is known */
    UNTIL(&world, hand.job_ct == 1);
    hand_rests(&hand);
    (void)snprintf(rules, sizeof(rules), "-%s", taking[_i]);
    acl_set_user(rules);
    push_pair();
    UNTIL(&world, world_logged(&world, "event=queue.down") == 1 ||
                      world_logged(&world, "event=queue.bad") == 1 ||
                      (world_len(&world, "queues:low") == 0 &&
                       world_len(&world, "queues:low:reserved") == PAIR_JOBS - 2));
    rules[0] = '+';
    acl_set_user(rules);
    UNTIL(&world, hand.job_ct >= PAIR_JOBS - 1);
    UNTIL(&world, world_len(&world, "drover:failed") == 2);
    ALL_THE_WHILE(&world, 100, hand.job_ct == PAIR_JOBS - 1);
    each_came_once();
    world_expect(&world, "low", 0, 0, PAIR_JOBS - 2);
    (void)real_redis_try(&world.server, "ACL LOG RESET");
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_checked_fixture(tc, set_up, close_world);
    tcase_add_loop_test(tc, an_own_key_of_a_wrong_type_is_named_and_the_work_goes_on, 0,
                        OWN_KEYS);
    tcase_add_loop_test(tc, a_worker_that_meets_a_wrong_type_at_its_start_says_so, 0,
                        OWN_KEYS);
    tcase_add_loop_test(tc, a_worker_drains_and_leaves_whatever_is_spoilt, 0, OWN_KEYS);
    tcase_add_test(tc, a_job_that_cannot_be_recorded_stays_ours_until_it_can);
    tcase_add_loop_test(tc, at_a_drain_what_cannot_be_recorded_goes_back_to_its_queue, 0,
                        2);
    tcase_add_test(tc, a_record_of_a_wrong_type_is_stepped_aside_for);
    tcase_add_test(tc, too_big_a_payload_that_cannot_be_recorded_stops_its_queue_alone);
    tcase_add_test(tc, notes_of_a_wrong_type_are_named_and_the_job_goes_on);
    tcase_add_loop_test(tc, a_spoilt_queue_stops_nobody_else, 0, SPOILT_CASES);
    tcase_add_test(tc, an_evicting_redis_is_said_when_it_changes);
    tcase_add_loop_test(tc, a_user_without_a_right_degrades_and_says_so_once, 0,
                        RIGHTS_CT);
    tcase_add_loop_test(tc, a_right_that_is_needed_is_waited_for, 0, NEEDED_CT);
    tcase_add_loop_test(tc, a_right_that_is_missing_costs_no_job, 0, NEEDED_CT);
    tcase_add_loop_test(tc, no_job_is_lost_or_doubled_behind_payloads_that_are_too_big, 0,
                        TAKING_CT);
}

int main(void)
{
    return run_suite("queue_spoilt", 120, add);
}
