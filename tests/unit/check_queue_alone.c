/* The mark of a job that is about to run alone: it says that the next death is its own,
 * and goes when the run ends without one. */
#include <check.h>
#include <stdlib.h>

#include "tests/support/world.h"
#include "tests/unit/suite.h"

enum { HANDS = 3 };

static struct world world;
static struct hand hands[HANDS];

static void set_up(void)
{
    world_start(&world);
    for (size_t i = 0; i < HANDS; i++)
        hand_init(&hands[i], &world);
}

static void tear_down(void)
{
    for (size_t i = 0; i < HANDS; i++)
        hand_end(&hands[i]);
    world_end(&world);
}

/* As kill -9: what it held stays. */
static uint32_t kill_hand(struct hand *hand)
{
    uint32_t tag = atomic_load(&hand->board->tag);

    hand_close(hand);
    return tag;
}

static bool crash_is(const char *text)
{
    return real_redis_is(&world.server, text, "HGET drover:crashes u-1");
}

START_TEST(a_job_given_back_by_the_living_is_no_longer_marked_as_run_alone)
{
    world_push(&world, "default", "{\"uuid\":\"u-1\"}");
    (void)real_redis_int(&world.server, "HSET drover:crashes u-1 %s",
                         "3 killed by SIGSEGV");
    hand_open(&hands[0], 1);
    UNTIL(&world, hands[0].job_ct == 1);
    ck_assert(queue_alone(hands[0].queue, hands[0].jobs[0]));
    UNTIL(&world, crash_is("3 alone; killed by SIGSEGV"));
    hands[0].free_slots = 0;
    queue_give_back(hands[0].queue, hands[0].jobs[0]);
    hand_settled(&hands[0]);
    ck_assert(crash_is("3 killed by SIGSEGV"));

    (void)kill_hand(&hands[0]); /* it is merely held by the next, which dies */
    hand_open(&hands[1], 1);
    UNTIL(&world, hands[1].job_ct == 1);
    atomic_store(&hands[2].board->orphans[0].tag, kill_hand(&hands[1]));
    hand_open(&hands[2], 1);
    UNTIL(&world, hands[2].job_ct == 1);
    ck_assert_uint_eq(hands[2].jobs[0]->crashes, 4);
    ck_assert(!hands[2].jobs[0]->was_alone);
}
END_TEST

/* Who never started it says nothing about the run before. */
START_TEST(a_mark_of_before_stays_with_a_job_that_is_given_back_unstarted)
{
    world_push(&world, "default", "{\"uuid\":\"u-1\"}");
    (void)real_redis_int(&world.server, "HSET drover:crashes u-1 %s",
                         "4 alone; killed by SIGSEGV");
    hand_open(&hands[0], 1);
    UNTIL(&world, hands[0].job_ct == 1);
    ck_assert(hands[0].jobs[0]->was_alone);
    hands[0].free_slots = 0;
    queue_give_back(hands[0].queue, hands[0].jobs[0]);
    hand_settled(&hands[0]);
    ck_assert(crash_is("4 alone; killed by SIGSEGV"));
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, a_job_given_back_by_the_living_is_no_longer_marked_as_run_alone);
    tcase_add_test(tc, a_mark_of_before_stays_with_a_job_that_is_given_back_unstarted);
}

int main(void)
{
    return run_suite("queue_alone", 60, add);
}
