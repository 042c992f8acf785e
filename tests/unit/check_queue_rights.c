/* A user of Redis who lacks a right, each of contrib/drover.acl in turn: whatever is
 * refused where, no job goes and none runs once more than it should. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "jobs/payload.h"
#include "tests/support/acl.h"
#include "tests/support/world.h"
#include "tests/unit/suite.h"

enum { NAMED_JOBS = 12, ROUND_JOBS = NAMED_JOBS + 3, REFUSED_MS = 300 };
enum { BIG_BYTES = HAND_MAX_PAYLOAD_BYTES + 1 };

static struct world world;
static struct hand hand;
static char *big;

static void set_up(void)
{
    world_start(&world);
    world_keep_log(&world);
    hand_init(&hand, &world);
    hand.pool.poll_interval_ms = 100;
    big = must_alloc(BIG_BYTES);
    memset(big, 'x', BIG_BYTES);
}

static void tear_down(void)
{
    if (hand.queue)
        hand_close(&hand);
    free(big);
    world_end(&world);
}

/* '+' or '-' and one right, or two of them. False: Redis 6.2 cannot take away half of a
 * command. */
static bool acl_set(char sign, const char *right, const char *second)
{
    char command[96];

    (void)snprintf(command, sizeof(command), "ACL SETUSER drover %c%s %c%s", sign, right,
                   sign, second ? second : right);
    return real_redis_try(&world.server, command) == REDIS_REPLY_STATUS;
}

/* ---- a round of jobs ---- */

/* Ready ones with twins and one too big among them, due ones, one whose lease ran out. */
static void strew_jobs(void)
{
    static const char *const add[] = {"RPUSH queues:high %s", "RPUSH queues:high %s",
                                      "RPUSH queues:low %s",
                                      "ZADD queues:default:delayed 1 %s"};
    char payload[64];

    (void)real_redis_int(&world.server, "RPUSH queues:high twin twin");
    for (size_t i = 0; i < NAMED_JOBS; i++) {
        (void)snprintf(payload, sizeof(payload), "{\"uuid\":\"u-%zu\"}", i);
        (void)real_redis_int(&world.server,
                             i + 1 < NAMED_JOBS ? add[i % ARRAY_CT(add)]
                                                : "ZADD queues:low:reserved 9.5 %s",
                             payload);
        if (i == NAMED_JOBS / 2)
            (void)real_redis_int(&world.server, "RPUSH queues:high %b", big,
                                 (size_t)BIG_BYTES);
    }
}

struct round {
    size_t from;           /* of the hand's jobs */
    unsigned fate;         /* the next one's */
    unsigned acked;        /* verdicts */
    bool seen[NAMED_JOBS]; /* has had its first verdict, and is acked next time */
};

static bool is_seen(struct round *round, const struct lease *lease)
{
    unsigned number;
    bool before;

    if (lease->bytes.ptr[0] != '{')
        return true;
    number = (unsigned)strtoul(lease->bytes.ptr + strlen("{\"uuid\":\"u-"), NULL, 10);
    ck_assert_uint_lt(number, NAMED_JOBS);
    before = round->seen[number];
    round->seen[number] = true;
    return before;
}

static void settle(struct round *round, size_t job)
{
    const struct lease *lease = hand.jobs[job];
    char uuid[16], bytes[128];

    (void)snprintf(uuid, sizeof(uuid), "u-%u", round->fate);
    (void)snprintf(bytes, sizeof(bytes), "%.*s", (int)lease->bytes.len, lease->bytes.ptr);
    if (is_seen(round, lease) || round->fate++ % 4 == 0) {
        round->acked++;
        hand_ack(&hand, job);
    } else if (round->fate % 4 == 1) {
        hand_release(&hand, job, bytes, 0);
    } else if (round->fate % 4 == 2) {
        hand_fail(&hand, job, uuid, "exit status 3");
    } else {
        hand_give_back(&hand, job);
    }
}

static void go_on(struct round *round)
{
    for (; round->from < hand.job_ct; round->from++)
        if (hand.jobs[round->from])
            settle(round, round->from);
    world_turn(&world);
}

static bool is_empty(void)
{
    static const char *const keys[] = {
        "queues:high",         "queues:default",       "queues:default:delayed",
        "queues:low",          "queues:high:reserved", "queues:default:reserved",
        "queues:low:reserved", "queues:high:delayed",  "queues:low:delayed"};

    for (size_t i = 0; i < ARRAY_CT(keys); i++)
        if (world_len(&world, keys[i]) != 0)
            return false;
    return queue_idle(hand.queue) && hand.queue->leases.ct == 0;
}

static void play_round(const char *right, const char *second)
{
    struct round round = {.from = hand.job_ct};
    int64_t until = clock_mono_ms() + REFUSED_MS;

    if (!acl_set('-', right, second)) {
        ck_assert_ptr_nonnull(strchr(right, '|'));
        return;
    }
    strew_jobs();
    while (clock_mono_ms() < until && !is_empty())
        go_on(&round);
    ck_assert(acl_set('+', right, second));
    for (until = clock_mono_ms() + WORLD_DEADLINE_MS; !is_empty();) {
        ck_assert_msg(clock_mono_ms() < until, "without %s: it does not end", right);
        go_on(&round);
    }
    ck_assert_msg(round.acked + world_len(&world, "drover:failed") == ROUND_JOBS,
                  "without %s: %u acked and %lld failed of %d", right, round.acked,
                  world_len(&world, "drover:failed"), ROUND_JOBS);
    (void)real_redis_int(&world.server, "EVAL %s 0",
                         "for _, key in ipairs(redis.call('KEYS', 'drover:failed*')) do "
                         "redis.call('DEL', key) end");
}

START_TEST(no_right_that_is_missing_costs_a_job)
{
    struct acl_words words;
    const char *argv[ACL_ARGS_MAX + 1] = {NULL};
    size_t ct = acl_add_server_args(&words, argv, 0);

    hand_open(&hand, 16);
    hand.queue->pace.retry_max_ms = 50;
    hand.queue->pace.hold_ms = 50;
    for (size_t i = 0; i < ct; i++)
        if (argv[i][0] == '+')
            play_round(argv[i] + 1, NULL);
    play_round("hset", "lpush");
    (void)real_redis_try(&world.server, "ACL LOG RESET");
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, no_right_that_is_missing_costs_a_job);
}

int main(void)
{
    return run_suite("queue_rights", 120, add);
}
