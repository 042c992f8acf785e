/* A world for tests of the queue: one redis-server, one loop, and any number of hands,
 * each a queue as a worker would have it, with what it was told written down.
 */
#ifndef SUPPORT_WORLD_H
#define SUPPORT_WORLD_H

#include "base/clock.h"
#include "queue/internal.h"
#include "tests/support/proxy.h"
#include "tests/support/real_redis.h"

enum {
    HAND_JOBS_MAX = 1024,
    HAND_MAX_PAYLOAD_BYTES = 1 << 20,
    LONG_LEASE_MS = 6000, /* a pause of the machine between two extensions may be long */
    WORLD_DEADLINE_MS = 60000,
    HAND_ANSWER_MS = 20000 /* else short leases would make short patience with Redis */
};

struct world {
    struct real_redis server;
    struct loop *loop;
    struct timer stop;
    struct redis_endpoint endpoint;
    struct proxy *proxy; /* NULL: none */
};

struct hand {
    struct world *world;
    struct queue *queue;
    struct board *board;
    struct pool_config pool;
    unsigned free_slots;
    struct lease *jobs[HAND_JOBS_MAX]; /* as they came; those that were settled stay */
    size_t job_ct;
    size_t first_batch_ct; /* that came together, at first */
    struct lease *lost[HAND_JOBS_MAX];
    size_t lost_ct;
    unsigned empty_ct; /* looks that found nothing */
    unsigned drained_ct, settled_ct, fatal_ct, left_ct;
    bool to_outbox;            /* set before the open */
    int64_t max_payload_bytes; /* likewise */
    int64_t outbox_ct;         /* as the last heartbeat told */
    bool ack_at_once;          /* each job as it comes, from inside on_jobs() */
};

void world_start(struct world *world);
void world_use_default_user(struct world *world); /* likewise: not drover's own user */
void world_use_proxy(struct world *world);        /* before the hands are made */
void world_end(struct world *world);
void world_keep_log(
    struct world *world); /* from now on, all levels, for world_logged() */
unsigned world_logged(struct world *world, const char *text); /* lines that hold it */
void world_turn(struct world *world); /* a few milliseconds of the loop */

/* Turns the loop until the condition holds. */
#define UNTIL(world, condition)                                                          \
    do {                                                                                 \
        int64_t until_ = clock_mono_ms() + WORLD_DEADLINE_MS;                            \
        while (!(condition)) {                                                           \
            ck_assert_msg(clock_mono_ms() < until_, "waited too long for %s",            \
                          #condition);                                                   \
            world_turn(world);                                                           \
        }                                                                                \
    } while (0)

/* Turns the loop for so long while the condition must hold. */
#define ALL_THE_WHILE(world, ms, condition)                                              \
    do {                                                                                 \
        int64_t while_ = clock_mono_ms() + (ms);                                         \
        do {                                                                             \
            ck_assert_msg(condition, "does not hold: %s", #condition);                   \
            world_turn(world);                                                           \
        } while (clock_mono_ms() < while_);                                              \
    } while (0)

/* Queues high, default, low; 90 s lease, 1 s poll, 16 slots, 1 MiB max_payload. Change
 * hand->pool between init and open; slots 0: wants nothing yet. */
void hand_init(struct hand *hand, struct world *world);
void hand_open(struct hand *hand, unsigned slots);
void hand_close(struct hand *hand); /* as kill -9 would */
void hand_end(struct hand *hand);   /* whatever became of it; at the end of a test */
void hand_want(struct hand *hand, unsigned free_slots);
void hand_ack(struct hand *hand, size_t job);
void hand_release(struct hand *hand, size_t job, const char *bytes, int64_t delay_ms);
void hand_fail(struct hand *hand, size_t job, const char *uuid, const char *reason);
void hand_give_back(struct hand *hand, size_t job);
void hand_settled(struct hand *hand); /* until all is answered */

/* The worker is up and waits in its BRPOP. */
void hand_rests(struct hand *hand);
bool hand_is_waiting(struct hand *hand);
bool job_is(const struct lease *lease, const char *bytes);

/* Pushes as a producer does: payload and token. */
void world_push(struct world *world, const char *queue, const char *payload);
long long world_len(struct world *world, const char *key); /* of a list or zset; or 0 */
void world_expect(struct world *world, const char *queue, long long ready,
                  long long delayed, long long reserved);
double world_redis_now(struct world *world);

#endif
