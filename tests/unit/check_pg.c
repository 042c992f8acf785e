/* Batches on a real PostgreSQL: answers, refusals, deadlines, many at a time. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/pg_scene.h"
#include "tests/unit/suite.h"

/* ---- answers ---- */

START_TEST(values_come_back_as_they_went)
{
    static const struct {
        const char *sql;
        struct pg_param param;
        const char *value;
    } table[] = {
        {"SELECT $1::text", {.value = {"abc", 3}}, "abc"},
        {"SELECT $1::text", {.value = {"abcdef", 3}}, "abc"},
        {"SELECT $1::text", {.value = {"", 0}}, ""},
        {"SELECT $1::text", {.value = {NULL, 0}}, "NULL"},
        {"SELECT $1::int + 1", {.value = {"41", 2}}, "42"},
        {"SELECT $1::text", {.value = {"a\xc3\xa4", 3}, .binary = true}, "a\xc3\xa4"},
        {"SELECT $1::bytea", {.value = {"\0\xff", 2}, .binary = true}, "\\x00ff"},
    };

    pg_open(pg.server.dsn, 1);
    for (size_t i = 0; i < ARRAY_CT(table); i++) {
        const struct pg_statement statement = {
            .sql = table[i].sql, .params = &table[i].param, .param_ct = 1};

        pg_run(i % 2 ? PG_ALL : PG_ONE, &statement, 1);
        ck_assert_int_eq(pg.told[0].end, PG_DONE);
        ck_assert_str_eq(pg.told[0].value, table[i].value);
    }
}
END_TEST

START_TEST(affected_rows_are_counted)
{
    pg_open(pg.server.dsn, 1);
    pg_run_sql(PG_ONE, "INSERT INTO t SELECT generate_series(1, 7), 'x'");
    ck_assert_int_eq(pg.told[0].affected, 7);
    pg_run_sql(PG_ALL, "INSERT INTO t VALUES (3, 'x') ON CONFLICT DO NOTHING");
    ck_assert_int_eq(pg.told[0].end, PG_TURNED_DOWN); /* deferrable: no arbiter */
    pg_run_sql(PG_ALL, "DELETE FROM t WHERE id > 3");
    ck_assert_int_eq(pg.told[0].affected, 4);
    ck_assert_int_eq(pg_row_ct(), 3);
}
END_TEST

static const struct {
    enum pg_kind kind;
    size_t ct, same_ct;
    const char *sqls[3];
    enum pg_end end;
    enum pg_state last;
    const char *sqlstate; /* of the last */
} many_rows[] = {
    {PG_ONE, 1, 0, {"SELECT generate_series(1, 700)"}, PG_DONE, PG_OK, ""},
    {PG_ALL,
     3,
     0,
     {"SELECT generate_series(1, 700)",
      "INSERT INTO t SELECT generate_series(1, 700), 'x' RETURNING *",
      "UPDATE t SET note = 'y' WHERE id < 0 RETURNING id"},
     PG_DONE,
     PG_OK,
     ""},
    {PG_ALL,
     3,
     2,
     {"SELECT generate_series(1, 700)", "SELECT 1 UNION ALL SELECT 2",
      "SELECT 1 UNION ALL SELECT 2"},
     PG_DONE,
     PG_OK,
     ""},
    {PG_ALL,
     2,
     0,
     {"SELECT generate_series(1, 700)", "SELECT 6 / (500 - generate_series(1, 700))"},
     PG_TURNED_DOWN,
     PG_REFUSED,
     "22012"},
    {PG_EACH,
     2,
     0,
     {"SELECT generate_series(1, 700)", "SELECT 6 / (500 - generate_series(1, 700))"},
     PG_DONE,
     PG_REFUSED,
     "22012"},
};

START_TEST(rows_are_held_or_dropped)
{
    struct pg_statement statements[3];
    struct pg_batch batch = {.kind = many_rows[_i].kind,
                             .statements = statements,
                             .ct = many_rows[_i].ct,
                             .same_ct = many_rows[_i].same_ct,
                             .within_ms = LONG_MS};

    for (size_t i = 0; i < batch.ct; i++)
        statements[i] = (struct pg_statement){.sql = many_rows[_i].sqls[i]};
    pg_open(pg.server.dsn, 1);
    for (int drops = 0; drops < 2; drops++) {
        (void)postgres_process_do(&pg.server, "TRUNCATE t");
        batch.drops_rows = drops;
        pg_run_batch(&batch);
        ck_assert_int_eq(pg.told[0].end, many_rows[_i].end);
        ck_assert_int_eq(pg.told[0].affected, 700);
        ck_assert_uint_eq(pg.told[0].row_ct, drops ? 0 : 700);
        ck_assert_int_eq(pg.told[0].states[batch.ct - 1], many_rows[_i].last);
        ck_assert_str_eq(pg.told[0].sqlstates[batch.ct - 1], many_rows[_i].sqlstate);
    }
}
END_TEST

struct looked {
    bool done;
    char sqlstate[PG_SQLSTATE_BYTES];
    struct buf types;
};

static void take_look(void *arg, const struct pg_answer *answer)
{
    struct looked *looked = arg;

    looked->done = true;
    memcpy(looked->sqlstate, answer->sqlstate, sizeof(looked->sqlstate));
    if (answer->end != PG_DONE)
        return;
    for (size_t i = 0; i < pg_param_ct(&answer->results[0]); i++)
        (void)buf_addf(&looked->types, "%u ", pg_param_type(&answer->results[0], i));
}

static const struct {
    const char *sql, *types, *sqlstate;
} looks[] = {
    {"INSERT INTO t VALUES ($1, $2)", "23 25 ", ""},
    {"DELETE FROM t WHERE note = $2::jsonb->>$1", "25 3802 ", ""},
    {"SELECT 1", "", ""},
    {"INSERT INTO none VALUES ($1)", "", "42P01"},
    {"INSERT INTO t VALUES (1, $2)", "", "42P18"},
};

START_TEST(a_look_tells_types_and_changes_nothing)
{
    const struct pg_statement statement = {.sql = looks[_i].sql};
    const struct pg_batch batch = {
        .kind = PG_LOOK, .statements = &statement, .ct = 1, .within_ms = LONG_MS};
    struct looked looked = {0};

    pg_open(pg.server.dsn, 1);
    pg_run_sql(PG_ONE, "INSERT INTO t VALUES (1, 'x')");
    (void)pg_pool_run(pg.pool, &batch, take_look, &looked);
    UNTIL(looked.done);
    ck_assert_str_eq(looked.types.data ? looked.types.data : "", looks[_i].types);
    ck_assert_str_eq(looked.sqlstate, looks[_i].sqlstate);
    ck_assert_int_eq(pg_row_ct(), 1);
    pg_run_sql(PG_ONE, "INSERT INTO t VALUES (2, 'x')"); /* the connection is well */
    ck_assert_int_eq(pg.told[0].end, PG_DONE);
    buf_free(&looked.types);
}
END_TEST

START_TEST(a_refusal_undoes_the_transaction)
{
    static const struct pg_statement statements[] = {
        {.sql = "INSERT INTO t VALUES (1, 'x')"},
        {.sql = "INSERT INTO t VALUES ('no number', 'x')"},
        {.sql = "INSERT INTO t VALUES (3, 'x')"},
    };

    pg_open(pg.server.dsn, 1);
    pg_run(PG_ALL, statements, 3);
    ck_assert_int_eq(pg.told[0].end, PG_TURNED_DOWN);
    ck_assert_str_eq(pg.told[0].sqlstate, "22P02");
    ck_assert_ptr_nonnull(strstr(pg.told[0].why, "SQLSTATE 22P02: invalid input syntax"));
    ck_assert_int_eq(pg.told[0].states[0], PG_OK);
    ck_assert_int_eq(pg.told[0].states[1], PG_REFUSED);
    ck_assert_int_eq(pg.told[0].states[2], PG_NOT_RUN);
    ck_assert_int_eq(pg_row_ct(), 0);
    pg_run_sql(PG_ALL, "INSERT INTO t VALUES (1, 'x')"); /* on the same connection */
    ck_assert_int_eq(pg.told[0].end, PG_DONE);
}
END_TEST

/* Which of five are refused, as bits. */
START_TEST(with_savepoints_the_others_are_committed)
{
    struct pg_statement statements[5];
    unsigned refused = (unsigned)_i;
    long long good = 0;

    pg_open(pg.server.dsn, 1);
    for (unsigned i = 0; i < 5; i++) {
        bool bad = refused >> i & 1;

        statements[i] = (struct pg_statement){
            .sql = bad ? "SELECT 1/0" : "INSERT INTO t SELECT count(*), 'x' FROM t"};
        good += !bad;
    }
    pg_run(PG_EACH, statements, 5);
    ck_assert_int_eq(pg.told[0].end, PG_DONE);
    for (unsigned i = 0; i < 5; i++) {
        bool bad = refused >> i & 1;

        ck_assert_int_eq(pg.told[0].states[i], bad ? PG_REFUSED : PG_OK);
        ck_assert_str_eq(pg.told[0].sqlstates[i], bad ? "22012" : "");
    }
    ck_assert_int_eq(pg_row_ct(), good);
}
END_TEST

START_TEST(a_refusal_by_commit_is_one)
{
    static const struct pg_statement statements[] = {
        {.sql = "SET CONSTRAINTS ALL DEFERRED"},
        {.sql = "INSERT INTO t VALUES (1, 'x'), (1, 'y')"},
    };

    pg_open(pg.server.dsn, 1);
    pg_run(_i ? PG_EACH : PG_ALL, statements, 2);
    ck_assert_int_eq(pg.told[0].end, PG_TURNED_DOWN);
    ck_assert_str_eq(pg.told[0].sqlstate, "23505");
    ck_assert_int_eq(pg_row_ct(), 0);
}
END_TEST

START_TEST(what_is_no_statement_for_a_job_is_named)
{
    static const struct {
        const char *sql, *why;
    } table[] = {
        {"COPY t FROM STDIN", "copies from or to a client"},
        {"COPY t TO STDOUT", "copies from or to a client"},
        {"-- nothing", "is empty"},
    };

    pg_open(pg.server.dsn, 1);
    for (size_t i = 0; i < ARRAY_CT(table); i++) {
        pg_run_sql(_i ? PG_EACH : PG_ALL, table[i].sql);
        ck_assert_int_eq(pg.told[0].end, PG_UNKNOWN);
        ck_assert_msg(strstr(pg.told[0].why, table[i].why), "%s: %s", table[i].sql,
                      pg.told[0].why);
    }
    pg_run_sql(PG_ALL, "INSERT INTO t VALUES (1, 'x')"); /* nobody is in its way */
    ck_assert_int_eq(pg.told[0].end, PG_DONE);
    ck_assert_int_eq(pg_row_ct(), 1);
}
END_TEST

START_TEST(a_read_only_server_says_so)
{
    pg_open(pg.server.dsn, 1);
    postgres_process_set_read_only(&pg.server, true);
    pg_run_sql(PG_ALL, "INSERT INTO t VALUES (1, 'x')");
    ck_assert_str_eq(pg.told[0].sqlstate, "25006");
    postgres_process_set_read_only(&pg.server, false);
    UNTIL((pg_run_sql(PG_ALL, "INSERT INTO t VALUES (1, 'x')"), pg.told[0].end) ==
          PG_DONE);
}
END_TEST

/* ---- time ---- */

START_TEST(the_server_gives_up_in_time)
{
    pg_open(pg.server.dsn, 1);
    (void)pg_start(PG_ALL, &pg_sleep_long, 1, 300, 0);
    UNTIL(pg.told[0].ct == 1);
    ck_assert_int_eq(pg.told[0].end, PG_TURNED_DOWN);
    ck_assert_str_eq(pg.told[0].sqlstate, "57014");
}
END_TEST

START_TEST(what_cannot_be_told_the_time_is_cancelled)
{
    pg_open(pg.server.dsn, 1);
    (void)pg_start(PG_ONE, &pg_sleep_long, 1, 300, 0);
    UNTIL(pg.told[0].ct == 1);
    ck_assert_int_eq(pg.told[0].end, PG_UNKNOWN);
    ck_assert_ptr_nonnull(strstr(pg.told[0].why, "no answer within"));
    UNTIL(pg_sleeper_ct() == 0);
}
END_TEST

START_TEST(a_request_is_cancelled_where_it_is)
{
    struct pg_request *running, *waiting;

    pg_open(pg.server.dsn, 1);
    running = pg_start(PG_ALL, &pg_sleep_long, 1, LONG_MS, 0);
    waiting = pg_start(PG_ALL, &pg_insert_one, 1, LONG_MS, 1);
    UNTIL(pg_sleeper_ct() == 1);
    pg_request_cancel(waiting);
    UNTIL(pg.told[1].ct == 1);
    ck_assert_int_eq(pg.told[1].end, PG_UNSENT);
    ck_assert_uint_eq(pg.told[0].ct, 0);
    pg_request_cancel(running);
    UNTIL(pg.told[0].ct == 1);
    ck_assert_int_eq(pg.told[0].end, PG_TURNED_DOWN);
    ck_assert_str_eq(pg.told[0].sqlstate, "57014");
    pg_run_sql(PG_ALL, "SELECT 1");
    ck_assert_int_eq(pg.told[0].end, PG_DONE);
}
END_TEST

/* ---- many ---- */

START_TEST(requests_share_the_connections)
{
    static const struct pg_statement slow = {
        .sql = "SELECT count(*), pg_sleep(0.02) FROM pg_stat_activity WHERE "
               "application_name = 'drover'"};

    pg_open(pg.server.dsn, 2);
    for (size_t i = 0; i < 8; i++)
        (void)pg_start(PG_ALL, &slow, 1, LONG_MS, i);
    UNTIL(pg_told_ct() == 8);
    for (size_t i = 0; i < 8; i++) {
        ck_assert_uint_eq(pg.told[i].ct, 1);
        ck_assert_int_eq(pg.told[i].end, PG_DONE);
        ck_assert_int_le(strtol(pg.told[i].value, NULL, 10), 2);
    }
}
END_TEST

static void run_through_pooler(const struct pgbouncer_process *pooler)
{
    static const struct pg_statement statements[] = {
        {.sql = "INSERT INTO t SELECT coalesce(max(id), 0) + 1, 'x' FROM t"},
        {.sql = "SELECT 1/0"},
    };
    struct pg_pool *pools[4];

    for (size_t i = 0; i < ARRAY_CT(pools); i++) {
        pg_open(pooler->dsn, 2);
        pools[i] = pg.pool;
        for (size_t j = 0; j < 4; j++)
            (void)pg_start(j % 2 ? PG_EACH : PG_ALL, statements, j % 2 ? 2 : 1, LONG_MS,
                           4 * i + j);
    }
    UNTIL(pg_told_ct() == 16);
    for (size_t i = 0; i < ARRAY_CT(pools); i++)
        pg_pool_destroy(pools[i]);
    pg.pool = NULL;
}

/* Two workers may find the same maximum: what counts is that nothing is refused for
 * anything else. */
START_TEST(a_pooler_in_transaction_mode_is_no_obstacle)
{
    struct pgbouncer_process pooler;
    long long done = 0;

    pgbouncer_process_begin(&pooler, &pg.server, 2);
    run_through_pooler(&pooler);
    for (size_t i = 0; i < 16; i++) {
        const char *sqlstate = i % 2 ? pg.told[i].sqlstates[0] : pg.told[i].sqlstate;

        ck_assert_msg(sqlstate[0] == '\0' || strcmp(sqlstate, "23505") == 0, "%zu: %s %s",
                      i, sqlstate, pg.told[i].why);
        if (i % 2 || sqlstate[0] == '\0')
            ck_assert_msg(pg.told[i].end == PG_DONE, "%zu: %s", i, pg.told[i].why);
        done += sqlstate[0] == '\0';
    }
    ck_assert_int_eq(pg_row_ct(), done);
    pgbouncer_process_end(&pooler);
}
END_TEST

START_TEST(a_paused_pooler_is_waited_for)
{
    struct pgbouncer_process pooler;

    pgbouncer_process_begin(&pooler, &pg.server, 2);
    pg_open(pooler.dsn, 1);
    pg_run_sql(PG_ALL, "SELECT 1");
    pgbouncer_process_do(&pooler, "PAUSE");
    (void)pg_start(PG_ALL, &pg_insert_one, 1, LONG_MS, 1);
    for (int i = 0; i < 20; i++)
        pg_turn();
    ck_assert_uint_eq(pg.told[1].ct, 0);
    pgbouncer_process_do(&pooler, "RESUME");
    UNTIL(pg.told[1].ct == 1);
    ck_assert_int_eq(pg.told[1].end, PG_DONE);
    pgbouncer_process_do(&pooler, "RECONNECT");
    pg_run_sql(PG_ALL, "SELECT 1");
    ck_assert_int_eq(pg.told[0].end, PG_DONE);
    pgbouncer_process_end(&pooler);
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_unchecked_fixture(tc, pg_scene_make, pg_scene_end);
    tcase_add_checked_fixture(tc, pg_scene_set_up, pg_scene_tear_down);
    tcase_add_test(tc, values_come_back_as_they_went);
    tcase_add_test(tc, affected_rows_are_counted);
    tcase_add_loop_test(tc, rows_are_held_or_dropped, 0, ARRAY_CT(many_rows));
    tcase_add_loop_test(tc, a_look_tells_types_and_changes_nothing, 0, ARRAY_CT(looks));
    tcase_add_test(tc, a_refusal_undoes_the_transaction);
    tcase_add_loop_test(tc, with_savepoints_the_others_are_committed, 0, 1);
    tcase_add_loop_test(tc, with_savepoints_the_others_are_committed, 0x15, 0x16);
    tcase_add_loop_test(tc, with_savepoints_the_others_are_committed, 0x0b, 0x0c);
    tcase_add_loop_test(tc, with_savepoints_the_others_are_committed, 0x1f, 0x20);
    tcase_add_loop_test(tc, a_refusal_by_commit_is_one, 0, 2);
    tcase_add_loop_test(tc, what_is_no_statement_for_a_job_is_named, 0, 2);
    tcase_add_test(tc, a_read_only_server_says_so);
    tcase_add_test(tc, the_server_gives_up_in_time);
    tcase_add_test(tc, what_cannot_be_told_the_time_is_cancelled);
    tcase_add_test(tc, a_request_is_cancelled_where_it_is);
    tcase_add_test(tc, requests_share_the_connections);
    tcase_add_test(tc, a_pooler_in_transaction_mode_is_no_obstacle);
    tcase_add_test(tc, a_paused_pooler_is_waited_for);
}

int main(void)
{
    if (!postgres_process_is_installed() || !pgbouncer_process_is_installed())
        return 77; /* skipped */
    return run_suite("pg", 120, add_tests);
}
