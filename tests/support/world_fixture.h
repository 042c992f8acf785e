/* What tests of the queue share: a world, and the one hand in it that most of them use.
 */
#ifndef TESTS_WORLD_FIXTURE_H
#define TESTS_WORLD_FIXTURE_H

#include "queue/scripts.h"
#include "tests/support/world.h"
#include "tests/unit/suite.h"

static struct world world;
static struct hand hand;

/* Nothing is opened yet. */
static inline void open_world(int64_t poll_interval_ms)
{
    world_start(&world);
    hand_init(&hand, &world);
    hand.pool.poll_interval_ms = poll_interval_ms;
}

static inline void close_world(void)
{
    if (hand.queue)
        hand_close(&hand);
    world_end(&world);
}

/* An answer that is lost is then not that of NOSCRIPT. */
static inline void load_scripts(void)
{
    for (size_t i = 0; i < script_ct; i++)
        (void)real_redis_try(&world.server, "SCRIPT LOAD %s", script_table[i].text);
}

/* open_world() behind a proxy, with the scripts loaded. */
static inline void open_proxied_world(int64_t poll_interval_ms)
{
    open_world(poll_interval_ms);
    load_scripts();
    world_use_proxy(&world);
}

#endif
