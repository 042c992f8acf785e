/* A scene for tests of pg/: one PostgreSQL, one loop, a pool, and what was told of each
 * request. */
#ifndef TESTS_PG_SCENE_H
#define TESTS_PG_SCENE_H

#include <check.h>

#include "base/clock.h"
#include "pg/pool.h"
#include "tests/support/pgbouncer_process.h"

enum { TOLD_MAX = 32, PG_DEADLINE_MS = 60000, LONG_MS = 30000 };

/* What was told of one request. */
struct told {
    unsigned ct;
    enum pg_end end;
    char why[512];
    char sqlstate[PG_SQLSTATE_BYTES];
    enum pg_state states[8];
    char sqlstates[8][PG_SQLSTATE_BYTES];
    long long affected;
    size_t row_ct;
    char value[64]; /* first of the first result; "NULL" */
};

struct pg_scene {
    struct postgres_process server;
    struct loop *loop;
    struct timer stop;
    struct pg_pool *pool; /* the last one opened; NULL: none */
    struct told told[TOLD_MAX];
};

extern struct pg_scene pg;

/* Fixtures: unchecked, then per test. The table t (id int primary key, note text) is
 * empty at the start of each. */
void pg_scene_make(void);
void pg_scene_end(void);
void pg_scene_set_up(void);
void pg_scene_tear_down(void);

void pg_turn(void); /* a few milliseconds of the loop */

#define UNTIL(condition)                                                                 \
    do {                                                                                 \
        int64_t until_ = clock_mono_ms() + PG_DEADLINE_MS;                               \
        while (!(condition)) {                                                           \
            ck_assert_msg(clock_mono_ms() < until_, "waited too long for %s",            \
                          #condition);                                                   \
            pg_turn();                                                                   \
        }                                                                                \
    } while (0)

void pg_open(const char *dsn, unsigned size);
void pg_close(void);

/* Starts a batch whose answer goes to told[at]. */
struct pg_request *pg_start(enum pg_kind kind, const struct pg_statement *statements,
                            size_t ct, int64_t within_ms, size_t at);
/* Runs one to its end, into told[0]. */
void pg_run(enum pg_kind kind, const struct pg_statement *statements, size_t ct);
void pg_run_batch(const struct pg_batch *batch);
void pg_run_sql(enum pg_kind kind, const char *sql);

long long pg_row_ct(void);     /* of t */
long long pg_sleeper_ct(void); /* sessions in pg_sleep() */
unsigned pg_told_ct(void);     /* answers, of all requests */

extern const struct pg_statement pg_insert_one, pg_sleep_long;

#endif
