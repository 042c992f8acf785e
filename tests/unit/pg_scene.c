/* The scene, and how it runs batches. */
#include "tests/unit/pg_scene.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"

struct pg_scene pg;

const struct pg_statement pg_insert_one = {.sql = "INSERT INTO t VALUES (1, 'x')"};
const struct pg_statement pg_sleep_long = {.sql = "SELECT pg_sleep(60)"};

void pg_scene_make(void)
{
    postgres_process_make(&pg.server);
}

void pg_scene_end(void)
{
    postgres_process_end(&pg.server);
}

static void stop_turn(void *arg)
{
    loop_stop(arg);
}

void pg_turn(void)
{
    timer_set(&pg.stop, 3);
    loop_run(pg.loop);
}

void pg_scene_set_up(void)
{
    log_setup(LOG_ERROR, LOG_LOGFMT);
    (void)signal(SIGPIPE, SIG_IGN);
    postgres_process_start(&pg.server);
    (void)postgres_process_do(
        &pg.server, "SET client_min_messages = warning; DROP TABLE IF EXISTS t; "
                    "CREATE TABLE t (id int PRIMARY KEY DEFERRABLE, note text)");
    pg.loop = loop_create(NULL);
    timer_init(&pg.stop, pg.loop, stop_turn, pg.loop);
}

void pg_close(void)
{
    pg_pool_destroy(pg.pool);
    pg.pool = NULL;
}

void pg_scene_tear_down(void)
{
    pg_close();
    pg_turn();
    timer_free(&pg.stop);
    loop_destroy(pg.loop);
    postgres_process_stop(&pg.server, POSTGRES_IMMEDIATE);
}

void pg_open(const char *dsn, unsigned size)
{
    struct pg_pool_options options = {.loop = pg.loop,
                                      .name = "test",
                                      .dsn = dsn,
                                      .size = size,
                                      .connect_within_ms = 5000,
                                      .idle_ms = 60000};
    struct err err = {0};

    pg.pool = pg_pool_create(&options, &err);
    ck_assert_msg(pg.pool != NULL, "%s", err.text);
}

static void take_answer(void *arg, const struct pg_answer *answer)
{
    struct told *to = arg;
    const struct pg_result *first = answer->results;

    to->ct++;
    to->end = answer->end;
    (void)snprintf(to->why, sizeof(to->why), "%s", answer->why.text);
    (void)snprintf(to->sqlstate, sizeof(to->sqlstate), "%s", answer->sqlstate);
    for (size_t i = 0; i < answer->ct && i < ARRAY_CT(to->states); i++) {
        to->states[i] = answer->results[i].state;
        memcpy(to->sqlstates[i], answer->results[i].sqlstate, PG_SQLSTATE_BYTES);
    }
    if (answer->ct == 0)
        return;
    to->affected = first->affected;
    to->row_ct = first->row_ct;
    if (first->row_ct > 0) {
        struct slice value = pg_value(first, 0, 0);

        (void)snprintf(to->value, sizeof(to->value), "%s",
                       value.ptr ? value.ptr : "NULL");
    }
}

struct pg_request *pg_start(enum pg_kind kind, const struct pg_statement *statements,
                            size_t ct, int64_t within_ms, size_t at)
{
    struct pg_batch batch = {
        .kind = kind, .statements = statements, .ct = ct, .within_ms = within_ms};

    return pg_pool_run(pg.pool, &batch, take_answer, &pg.told[at]);
}

void pg_run_batch(const struct pg_batch *batch)
{
    pg.told[0] = (struct told){0};
    (void)pg_pool_run(pg.pool, batch, take_answer, &pg.told[0]);
    ck_assert_uint_eq(pg.told[0].ct, 0); /* later, never from inside */
    UNTIL(pg.told[0].ct == 1);
}

void pg_run(enum pg_kind kind, const struct pg_statement *statements, size_t ct)
{
    pg_run_batch(&(const struct pg_batch){
        .kind = kind, .statements = statements, .ct = ct, .within_ms = LONG_MS});
}

void pg_run_sql(enum pg_kind kind, const char *sql)
{
    const struct pg_statement statement = {.sql = sql};

    pg_run(kind, &statement, 1);
}

long long pg_row_ct(void)
{
    return postgres_process_int(&pg.server, "SELECT count(*) FROM t");
}

long long pg_sleeper_ct(void)
{
    return postgres_process_int(&pg.server, "SELECT count(*) FROM pg_stat_activity WHERE "
                                            "wait_event = 'PgSleep'");
}

unsigned pg_told_ct(void)
{
    unsigned ct = 0;

    for (size_t i = 0; i < ARRAY_CT(pg.told); i++)
        ct += pg.told[i].ct;
    return ct;
}
