/* For tests of several workers on one Redis: three hands in a world. */
#ifndef TESTS_HANDS_H
#define TESTS_HANDS_H

#include <stdio.h>

#include "tests/support/world.h"

enum { HANDS = 3 };

static struct world world;
static struct hand hands[HANDS];

static inline void open_hands(void)
{
    world_start(&world);
    for (size_t i = 0; i < HANDS; i++) {
        hand_init(&hands[i], &world);
        hands[i].pool.poll_interval_ms = 200;
    }
}

static inline void close_hands(void)
{
    for (size_t i = 0; i < HANDS; i++)
        hand_end(&hands[i]);
    world_end(&world);
}

/* A short life: heartbeats of 30 ms, dead after 300 ms. */
static inline void hurry(struct hand *hand)
{
    hand->queue->pace.beat_ms = 30;
    hand->queue->pace.dead_after_ms = 300;
    hand->queue->pace.dead_jitter_ms = 0;
    if (timer_is_set(&hand->queue->beat))
        timer_set(&hand->queue->beat, 0);
}

static inline void open_hurried(struct hand *hand, unsigned slots)
{
    hand_open(hand, slots);
    hurry(hand);
}

static inline uint32_t tag_of(const struct hand *hand)
{
    return atomic_load(&hand->board->tag);
}

/* As kill -9: what it held stays. */
static inline uint32_t kill_hand(struct hand *hand)
{
    uint32_t tag = tag_of(hand);

    hand_close(hand);
    return tag;
}

static inline void push_jobs(const char *queue, int ct)
{
    char payload[48];

    for (int i = 0; i < ct; i++) {
        (void)snprintf(payload, sizeof(payload), "{\"uuid\":\"%s-%d\"}", queue, i);
        world_push(&world, queue, payload);
    }
}

static inline bool is_gone(uint32_t tag)
{
    return real_redis_int(&world.server, "SISMEMBER drover:open %u", tag) == 0 &&
           real_redis_int(&world.server, "HEXISTS drover:beats %u", tag) == 0 &&
           real_redis_int(&world.server, "HEXISTS drover:owners %u", tag) == 0;
}

#endif
