/* A scene for tests of the mover: a world (one Redis, one loop, workers' hands), one
 * PostgreSQL with Laravel's table, and a mover per hand. */
#ifndef TESTS_MOVER_SCENE_H
#define TESTS_MOVER_SCENE_H

#include <check.h>

#include "failed/mover.h"
#include "tests/support/pgbouncer_process.h"
#include "tests/support/world.h"

enum { MOVERS_MAX = 8 };

struct mover_scene {
    struct world world;
    struct postgres_process server;
    struct hand hands[MOVERS_MAX];
    struct mover *movers[MOVERS_MAX];
    size_t mover_ct;
};

extern struct mover_scene scene;

/* Fixtures: unchecked, then per test. */
void mover_scene_make(void);
void mover_scene_end(void);
void mover_scene_set_up(void);
void mover_scene_tear_down(void);

void scene_create_table(void); /* as Laravel's migration does */

/* The insert of this one waits, and scene_is_held() then, until all are let go. */
void scene_hold(const char *uuid);
bool scene_is_held(void);
void scene_let_go(void);

/* A worker with its mover, connected to Redis; `dsn` NULL: straight to the server. */
void scene_open_mover(const char *dsn);
void scene_close_mover(size_t at); /* as kill -9 would */

/* What a job's failure leaves in Redis. */
void scene_fail(const char *uuid, struct slice payload, const char *exception,
                int64_t failed_at_ms);
/* `ct` of them: uuids PREFIX-0000..., payload {"uuid":...}, a millisecond apart. */
void scene_fail_many(const char *prefix, unsigned ct);

/* Tells the movers that there is something, and takes a turn of the loop. */
bool scene_is_moved(void); /* nothing is left in the outbox, nobody is at work */
long long scene_row_ct(void);
long long scene_left_ct(void); /* in the outbox */

/* Whether there is exactly one row of each, and in Redis nothing. */
void scene_expect_once(const char *prefix, unsigned ct);

#endif
