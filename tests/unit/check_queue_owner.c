/* Tags, heartbeats, and what the dead held. */
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/hands.h"
#include "tests/unit/suite.h"

/* ---- earlier workers of the slot ---- */

START_TEST(what_an_earlier_worker_held_is_given_back_before_the_first_reserve)
{
    struct board_orphan *orphan = &hands[1].board->orphans[3];
    uint32_t tag;

    push_jobs("default", 2);
    push_jobs("low", 1);
    hand_open(&hands[0], 3);
    UNTIL(&world, hands[0].job_ct == 3);
    tag = kill_hand(&hands[0]);
    world_expect(&world, "default", 0, 0, 2);

    atomic_store(&orphan->tag, tag);
    (void)snprintf(orphan->note, sizeof(orphan->note), "killed by SIGSEGV");
    hand_open(&hands[1], 8);
    UNTIL(&world, hands[1].job_ct == 3);
    for (size_t i = 0; i < 3; i++) {
        ck_assert_uint_eq(hands[1].jobs[i]->crashes, 1);
        ck_assert_str_eq(hands[1].jobs[i]->crash_note, "killed by SIGSEGV");
    }
    ck_assert_uint_eq(atomic_load(&orphan->tag), 0);
    ck_assert(is_gone(tag));
    ck_assert(real_redis_is(&world.server, "1 killed by SIGSEGV",
                            "HGET drover:crashes default-0"));
    for (size_t i = 0; i < 3; i++)
        hand_ack(&hands[1], i);
    hand_settled(&hands[1]);
    ck_assert_int_eq(world_len(&world, "drover:crashes"), 0);
}
END_TEST

START_TEST(what_is_put_on_the_board_of_a_running_worker_is_given_back)
{
    uint32_t tags[2];

    push_jobs("default", 2);
    push_jobs("low", 1);
    hand_open(&hands[0], 2);
    UNTIL(&world, hands[0].job_ct == 2);
    hand_open(&hands[1], 1);
    UNTIL(&world, hands[1].job_ct == 1);
    open_hurried(&hands[2], 8);
    hands[2].queue->pace.dead_after_ms = WORLD_DEADLINE_MS * 2; /* not by that */
    hand_rests(&hands[2]);
    for (unsigned i = 0; i < 2; i++) {
        tags[i] = kill_hand(&hands[i]);
        (void)snprintf(hands[2].board->orphans[i].note, BOARD_NOTE_BYTES, "killed");
        atomic_store(&hands[2].board->orphans[i].tag, tags[i]);
    }
    UNTIL(&world, hands[2].job_ct == 3);
    for (unsigned i = 0; i < 2; i++) {
        UNTIL(&world, atomic_load(&hands[2].board->orphans[i].tag) == 0);
        ck_assert(is_gone(tags[i]));
    }
    ck_assert_uint_eq(hands[2].jobs[0]->crashes, 1);
    ck_assert_str_eq(hands[2].jobs[0]->crash_note, "killed");
}
END_TEST

START_TEST(crashes_add_up_over_successors)
{
    static struct hand hand;
    uint32_t tag = 0;

    push_jobs("default", 1);
    for (unsigned crashes = 0; crashes < 4; crashes++) {
        hand_init(&hand, &world);
        atomic_store(&hand.board->orphans[0].tag, tag);
        hand_open(&hand, 1);
        UNTIL(&world, hand.job_ct == 1);
        ck_assert_uint_eq(hand.jobs[0]->crashes, crashes);
        tag = kill_hand(&hand);
    }
}
END_TEST

START_TEST(what_a_dead_tag_held_in_a_queue_of_another_pool_is_given_back_too)
{
    static char elsewhere[] = "elsewhere";
    char *names[] = {elsewhere};

    world_push(&world, "elsewhere", "job");
    hands[0].pool.queues = (struct text_list){.items = names, .ct = 1};
    hand_open(&hands[0], 1);
    UNTIL(&world, hands[0].job_ct == 1);
    atomic_store(&hands[1].board->orphans[0].tag, kill_hand(&hands[0]));
    hand_open(&hands[1], 1);
    hand_rests(&hands[1]);
    world_expect(&world, "elsewhere", 1, 0, 0);
    ck_assert_int_eq(world_len(&world, "queues:elsewhere:notify"), 1);
}
END_TEST

START_TEST(many_jobs_of_a_dead_worker_come_back_in_pages)
{
    enum { JOBS = 700 };

    push_jobs("default", JOBS);
    hands[0].pool.concurrency = JOBS;
    hand_open(&hands[0], JOBS);
    UNTIL(&world, hands[0].job_ct == JOBS);
    atomic_store(&hands[1].board->orphans[0].tag, kill_hand(&hands[0]));
    hand_open(&hands[1], 0);
    UNTIL(&world, hands[1].queue->link == LINK_READY);
    world_expect(&world, "default", JOBS, 0, 0);
    ck_assert_int_le(world_len(&world, "queues:default:notify"), JOBS);
    ck_assert_int_eq(world_len(&world, "drover:crashes"), JOBS);
}
END_TEST

/* ---- heartbeats ---- */

START_TEST(a_heartbeat_that_stands_still_is_a_dead_workers)
{
    uint32_t tag;

    push_jobs("default", 2);
    hand_open(&hands[0], 2);
    UNTIL(&world, hands[0].job_ct == 2);
    open_hurried(&hands[1], 4);
    hand_rests(&hands[1]);
    tag = kill_hand(&hands[0]);
    UNTIL(&world, hands[1].job_ct == 2);
    ck_assert_uint_eq(hands[1].jobs[0]->crashes, 1);
    ck_assert_str_eq(hands[1].jobs[0]->crash_note, "worker or host lost");
    UNTIL(&world, is_gone(tag));
}
END_TEST

/* Counted in heartbeats of the one who judges: one for each tag would be too many. */
START_TEST(many_dead_tags_are_taken_back_one_after_the_other)
{
    enum { DEAD = 40 };
    double expiry = (double)(long long)world_redis_now(&world) + 1000;
    long long before;

    for (unsigned tag = 1; tag <= DEAD; tag++) {
        (void)real_redis_int(&world.server, "SADD drover:open %u", tag);
        (void)real_redis_int(&world.server, "HSET drover:owners %u default", tag);
        (void)real_redis_int(&world.server, "HSET drover:beats %u 7", tag);
        (void)real_redis_int(&world.server,
                             "ZADD queues:default:reserved %.17g {\"uuid\":\"u-%u\"}",
                             expiry + tag / 1048576.0, tag);
    }
    hand_open(&hands[0], 0);
    UNTIL(&world, hands[0].queue->peers.ct == DEAD);
    hurry(&hands[0]);
    hands[0].queue->pace.beat_ms = 1000; /* many answers fit in between */
    before = real_redis_int(&world.server, "HGET drover:beats %u", tag_of(&hands[0]));
    UNTIL(&world, world_len(&world, "queues:default") == DEAD);
    ck_assert_int_lt(
        real_redis_int(&world.server, "HGET drover:beats %u", tag_of(&hands[0])) - before,
        DEAD / 2);
    UNTIL(&world, world_len(&world, "drover:beats") == 1);
}
END_TEST

START_TEST(the_living_are_left_alone)
{
    push_jobs("default", 6);
    for (size_t i = 0; i < HANDS; i++)
        open_hurried(&hands[i], 2);
    UNTIL(&world, hands[0].job_ct + hands[1].job_ct + hands[2].job_ct == 6);
    ALL_THE_WHILE(&world, 1200, world_len(&world, "drover:open") == HANDS);
    for (size_t i = 0; i < HANDS; i++)
        ck_assert_uint_eq(hands[i].lost_ct, 0);
    world_expect(&world, "default", 0, 0, 6);
}
END_TEST

START_TEST(a_stall_of_redis_condemns_nobody)
{
    push_jobs("default", 2);
    open_hurried(&hands[0], 1);
    open_hurried(&hands[1], 1);
    UNTIL(&world, hands[0].job_ct + hands[1].job_ct == 2);
    UNTIL(&world, hands[0].queue->peers.ct == 1 && hands[1].queue->peers.ct == 1);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(kill(world.server.process.pid, SIGSTOP), 0);
        ALL_THE_WHILE(&world, 700, hands[0].lost_ct == 0); /* twice what kills */
        ck_assert_int_eq(kill(world.server.process.pid, SIGCONT), 0);
        ALL_THE_WHILE(&world, 150, world_len(&world, "drover:open") == 2);
    }
    ck_assert_uint_eq(hands[0].lost_ct + hands[1].lost_ct, 0);
}
END_TEST

START_TEST(two_who_take_back_the_same_tag_do_no_harm)
{
    push_jobs("default", 20);
    hand_open(&hands[0], 20);
    UNTIL(&world, hands[0].job_ct == 20);
    atomic_store(&hands[1].board->orphans[0].tag, tag_of(&hands[0]));
    atomic_store(&hands[2].board->orphans[0].tag, tag_of(&hands[0]));
    (void)kill_hand(&hands[0]);
    hand_open(&hands[1], 16);
    hand_open(&hands[2], 16);
    UNTIL(&world, hands[1].job_ct + hands[2].job_ct == 20);
    ALL_THE_WHILE(&world, 200, hands[1].job_ct + hands[2].job_ct == 20);
    for (size_t h = 1; h < HANDS; h++)
        for (size_t i = 0; i < hands[h].job_ct; i++)
            ck_assert_uint_eq(hands[h].jobs[i]->crashes, 1);
}
END_TEST

/* Counted in heartbeats of the one who judges. */
START_TEST(a_gate_shut_by_a_drain_does_not_put_the_judgement_off)
{
    push_jobs("default", 1);
    hand_open(&hands[0], 1);
    UNTIL(&world, hands[0].job_ct == 1);
    queue_drain(hands[0].queue);
    UNTIL(&world, hands[0].drained_ct == 1);
    open_hurried(&hands[1], 1);
    hand_rests(&hands[1]);
    (void)kill_hand(&hands[0]);
    UNTIL(&world, hands[1].job_ct == 1);
    ck_assert_int_lt(
        real_redis_int(&world.server, "HGET drover:beats %u", tag_of(&hands[1])), 100);
}
END_TEST

START_TEST(who_claimed_a_dead_tag_and_died_too_is_followed_by_another)
{
    uint32_t tag;

    push_jobs("default", 1);
    hand_open(&hands[0], 1);
    UNTIL(&world, hands[0].job_ct == 1);
    tag = kill_hand(&hands[0]);
    (void)real_redis_int(&world.server, "SREM drover:open %u", tag);
    (void)real_redis_int(&world.server, "HINCRBY drover:beats %u 1", tag);
    open_hurried(&hands[1], 1);
    UNTIL(&world, hands[1].job_ct == 1);
    UNTIL(&world, is_gone(tag));
}
END_TEST

/* ---- tag and gate ---- */

START_TEST(a_worker_refused_by_the_gate_takes_a_new_tag_and_keeps_its_jobs)
{
    uint32_t before;

    push_jobs("default", 1);
    hand_open(&hands[0], 2);
    UNTIL(&world, hands[0].job_ct == 1);
    before = tag_of(&hands[0]);
    (void)real_redis_int(&world.server, "SREM drover:open %u", before);
    push_jobs("high", 1);
    UNTIL(&world, hands[0].job_ct == 2);
    ck_assert_uint_ne(tag_of(&hands[0]), before);
    ck_assert_uint_eq(hands[0].jobs[0]->tag, tag_of(&hands[0]));
    ck_assert_uint_eq(hands[0].lost_ct, 0);
    hand_ack(&hands[0], 0);
    hand_ack(&hands[0], 1);
    hand_settled(&hands[0]);
    ck_assert_uint_eq(atomic_load(&hands[0].board->lost), 0);
    world_expect(&world, "default", 0, 0, 0);
}
END_TEST

START_TEST(a_condemned_worker_loses_what_was_given_back)
{
    push_jobs("default", 2);
    hand_open(&hands[0], 2);
    UNTIL(&world, hands[0].job_ct == 2);
    atomic_store(&hands[1].board->orphans[0].tag, tag_of(&hands[0]));
    hand_open(&hands[1], 2);
    UNTIL(&world, hands[1].job_ct == 2 && hands[0].lost_ct == 2);
    for (size_t i = 0; i < 2; i++)
        queue_forget(hands[0].queue, hands[0].lost[i]);
    for (size_t i = 0; i < 2; i++)
        hand_ack(&hands[1], i);
    hand_settled(&hands[1]);
    world_expect(&world, "default", 0, 0, 0);
}
END_TEST

/* By a worker that drains, say: its BRPOP pops the token, its reserve may take nothing.
 * The loop does not turn, so nobody else looks. */
START_TEST(a_token_that_a_shut_gate_swallowed_is_there_again)
{
    static const char *const add[] = {
        "redis.call('RPUSH', 'queues:default', 'job')",
        "redis.call('ZADD', 'queues:default:delayed', 1, 'job')"};
    char *script = must_format("redis.call('SREM', 'drover:open', ARGV[1]) %s "
                               "return redis.call('RPUSH', 'queues:default:notify', 1)",
                               add[_i]);

    hand_open(&hands[0], 4);
    hands[0].pool.poll_interval_ms = 20000;
    hand_rests(&hands[0]);
    hand_rests(&hands[0]);
    ck_assert_int_eq(
        real_redis_int(&world.server, "EVAL %s 0 %u", script, tag_of(&hands[0])), 1);
    ck_assert_int_eq(world_len(&world, "queues:default:notify"), 1);
    ck_assert_int_eq(world_len(&world, "queues:default:reserved"), 0);
    UNTIL(&world, hands[0].job_ct == 1);
    free(script);
}
END_TEST

START_TEST(acks_are_taken_though_the_gate_is_shut)
{
    push_jobs("default", 1);
    hand_open(&hands[0], 1);
    UNTIL(&world, hands[0].job_ct == 1);
    (void)real_redis_int(&world.server, "SREM drover:open %u", tag_of(&hands[0]));
    hand_ack(&hands[0], 0); /* rides with a reserve */
    hand_settled(&hands[0]);
    ck_assert_uint_eq(atomic_load(&hands[0].board->lost), 0);
    world_expect(&world, "default", 0, 0, 0);
}
END_TEST

START_TEST(tags_skip_those_that_live)
{
    (void)real_redis_try(&world.server, "SET drover:tag 41");
    (void)real_redis_try(&world.server, "HSET drover:beats 43 0 44 0");
    hand_open(&hands[0], 1);
    UNTIL(&world, tag_of(&hands[0]) != 0);
    ck_assert_uint_eq(tag_of(&hands[0]), 45);
}
END_TEST

START_TEST(tags_stay_within_twenty_bits)
{
    (void)real_redis_try(&world.server, "SET drover:tag 1048574");
    hand_open(&hands[0], 1);
    UNTIL(&world, tag_of(&hands[0]) != 0);
    ck_assert_uint_eq(tag_of(&hands[0]), 1);
}
END_TEST

START_TEST(a_newer_layout_is_left_alone)
{
    (void)real_redis_try(&world.server, "SET drover:version 2");
    world_push(&world, "default", "job");
    hand_open(&hands[0], 1);
    UNTIL(&world, hands[0].fatal_ct == 1);
    ALL_THE_WHILE(&world, 200, hands[0].job_ct == 0 && hands[0].fatal_ct == 1);
    world_expect(&world, "default", 1, 0, 0);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_checked_fixture(tc, open_hands, close_hands);
    tcase_add_test(tc,
                   what_an_earlier_worker_held_is_given_back_before_the_first_reserve);
    tcase_add_test(tc, what_is_put_on_the_board_of_a_running_worker_is_given_back);
    tcase_add_test(tc, crashes_add_up_over_successors);
    tcase_add_test(tc, what_a_dead_tag_held_in_a_queue_of_another_pool_is_given_back_too);
    tcase_add_test(tc, many_jobs_of_a_dead_worker_come_back_in_pages);
    tcase_add_test(tc, a_heartbeat_that_stands_still_is_a_dead_workers);
    tcase_add_test(tc, many_dead_tags_are_taken_back_one_after_the_other);
    tcase_add_test(tc, the_living_are_left_alone);
    tcase_add_test(tc, a_stall_of_redis_condemns_nobody);
    tcase_add_test(tc, two_who_take_back_the_same_tag_do_no_harm);
    tcase_add_test(tc, a_gate_shut_by_a_drain_does_not_put_the_judgement_off);
    tcase_add_test(tc, who_claimed_a_dead_tag_and_died_too_is_followed_by_another);
    tcase_add_test(tc, a_worker_refused_by_the_gate_takes_a_new_tag_and_keeps_its_jobs);
    tcase_add_test(tc, a_condemned_worker_loses_what_was_given_back);
    tcase_add_loop_test(tc, a_token_that_a_shut_gate_swallowed_is_there_again, 0, 2);
    tcase_add_test(tc, acks_are_taken_though_the_gate_is_shut);
    tcase_add_test(tc, tags_skip_those_that_live);
    tcase_add_test(tc, tags_stay_within_twenty_bits);
    tcase_add_test(tc, a_newer_layout_is_left_alone);
}

int main(void)
{
    return run_suite("queue_owner", 120, add);
}
