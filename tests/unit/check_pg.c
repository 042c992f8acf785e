/* Batches on connections to a real PostgreSQL: answers, refusals, and everything that can
 * happen to a connection. */
#include <check.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "pg/pool.h"
#include "tests/support/pgbouncer_process.h"
#include "tests/support/proxy.h"
#include "tests/unit/suite.h"

enum { ANSWERS_MAX = 32, DEADLINE_MS = 30000, LONG_MS = 30000 };

/* What was told of one request. */
struct told {
    unsigned ct;
    enum pg_end end;
    char why[512];
    char sqlstate[PG_SQLSTATE_BYTES];
    enum pg_state states[8];
    char sqlstates[8][PG_SQLSTATE_BYTES];
    char detail[256];
    long long affected;
    char value[64]; /* first of the first result; "NULL" */
};

static struct postgres_process server;
static struct loop *loop;
static struct timer stop_timer;
static struct pg_pool *pool;
static struct told told[ANSWERS_MAX];

static void stop_turn(void *arg)
{
    loop_stop(arg);
}

static void turn(void)
{
    timer_set(&stop_timer, 3);
    loop_run(loop);
}

#define UNTIL(condition)                                                                 \
    do {                                                                                 \
        int64_t until_ = clock_mono_ms() + DEADLINE_MS;                                  \
        while (!(condition)) {                                                           \
            ck_assert_msg(clock_mono_ms() < until_, "waited too long for %s",            \
                          #condition);                                                   \
            turn();                                                                      \
        }                                                                                \
    } while (0)

static void make_cluster(void)
{
    postgres_process_make(&server);
}

static void end_cluster(void)
{
    postgres_process_end(&server);
}

static void set_up(void)
{
    log_setup(LOG_ERROR, LOG_LOGFMT);
    (void)signal(SIGPIPE, SIG_IGN);
    postgres_process_start(&server);
    (void)postgres_process_do(&server, "SET client_min_messages = warning; DROP TABLE IF "
                                       "EXISTS t; CREATE TABLE t (id int "
                                       "PRIMARY KEY DEFERRABLE, note text)");
    loop = loop_create(NULL);
    timer_init(&stop_timer, loop, stop_turn, loop);
    memset(told, 0, sizeof(told));
}

static void tear_down(void)
{
    pg_pool_destroy(pool);
    pool = NULL;
    turn();
    timer_free(&stop_timer);
    loop_destroy(loop);
    postgres_process_stop(&server, POSTGRES_IMMEDIATE);
}

static void open_pool(const char *dsn, unsigned size)
{
    struct pg_pool_options options = {.loop = loop,
                                      .name = "test",
                                      .dsn = dsn,
                                      .size = size,
                                      .connect_within_ms = 2000,
                                      .idle_ms = 60000};
    struct err err = {0};

    pool = pg_pool_create(&options, &err);
    ck_assert_msg(pool != NULL, "%s", err.text);
}

static void take_answer(void *arg, const struct pg_answer *answer)
{
    struct told *to = arg;
    const struct pg_result *first = &answer->results[0];

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
    (void)snprintf(to->detail, sizeof(to->detail), "%s", first->detail);
    if (first->row_ct > 0) {
        struct slice value = pg_value(first, 0, 0);

        (void)snprintf(to->value, sizeof(to->value), "%s",
                       value.ptr ? value.ptr : "NULL");
    }
}

static struct pg_request *run_for(enum pg_kind kind,
                                  const struct pg_statement *statements, size_t ct,
                                  int64_t within_ms, size_t at)
{
    struct pg_batch batch = {
        .kind = kind, .statements = statements, .ct = ct, .within_ms = within_ms};

    return pg_pool_run(pool, &batch, take_answer, &told[at]);
}

static void run(enum pg_kind kind, const struct pg_statement *statements, size_t ct)
{
    (void)run_for(kind, statements, ct, LONG_MS, 0);
    ck_assert_uint_eq(told[0].ct, 0); /* later, never from inside */
    UNTIL(told[0].ct == 1);
}

static void run_sql(enum pg_kind kind, const char *sql)
{
    const struct pg_statement statement = {.sql = sql};

    told[0] = (struct told){0};
    run(kind, &statement, 1);
}

static long long row_ct(void)
{
    return postgres_process_int(&server, "SELECT count(*) FROM t");
}

static unsigned told_ct(void)
{
    unsigned ct = 0;

    for (size_t i = 0; i < ARRAY_CT(told); i++)
        ct += told[i].ct;
    return ct;
}

static const struct pg_statement insert_one = {.sql = "INSERT INTO t VALUES (1, 'x')"};
static const struct pg_statement sleep_long = {.sql = "SELECT pg_sleep(60)"};

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

    open_pool(server.dsn, 1);
    for (size_t i = 0; i < ARRAY_CT(table); i++) {
        const struct pg_statement statement = {
            .sql = table[i].sql, .params = &table[i].param, .param_ct = 1};

        told[0] = (struct told){0};
        run(i % 2 ? PG_ALL : PG_ONE, &statement, 1);
        ck_assert_int_eq(told[0].end, PG_DONE);
        ck_assert_str_eq(told[0].value, table[i].value);
    }
}
END_TEST

START_TEST(affected_rows_are_counted)
{
    open_pool(server.dsn, 1);
    run_sql(PG_ONE, "INSERT INTO t SELECT generate_series(1, 7), 'x'");
    ck_assert_int_eq(told[0].affected, 7);
    run_sql(PG_ALL, "INSERT INTO t VALUES (3, 'x') ON CONFLICT DO NOTHING");
    ck_assert_int_eq(told[0].end, PG_TURNED_DOWN); /* deferrable: no arbiter */
    run_sql(PG_ALL, "DELETE FROM t WHERE id > 3");
    ck_assert_int_eq(told[0].affected, 4);
    ck_assert_int_eq(row_ct(), 3);
}
END_TEST

START_TEST(a_refusal_undoes_the_transaction)
{
    static const struct pg_statement statements[] = {
        {.sql = "INSERT INTO t VALUES (1, 'x')"},
        {.sql = "INSERT INTO t VALUES ('no number', 'x')"},
        {.sql = "INSERT INTO t VALUES (3, 'x')"},
    };

    open_pool(server.dsn, 1);
    run(PG_ALL, statements, 3);
    ck_assert_int_eq(told[0].end, PG_TURNED_DOWN);
    ck_assert_str_eq(told[0].sqlstate, "22P02");
    ck_assert_ptr_nonnull(strstr(told[0].why, "SQLSTATE 22P02: invalid input syntax"));
    ck_assert_int_eq(told[0].states[0], PG_OK);
    ck_assert_int_eq(told[0].states[1], PG_REFUSED);
    ck_assert_int_eq(told[0].states[2], PG_NOT_RUN);
    ck_assert_int_eq(row_ct(), 0);
    run_sql(PG_ALL, "INSERT INTO t VALUES (1, 'x')"); /* on the same connection */
    ck_assert_int_eq(told[0].end, PG_DONE);
}
END_TEST

/* Which of five are refused, as bits. */
START_TEST(with_savepoints_the_others_are_committed)
{
    struct pg_statement statements[5];
    unsigned refused = (unsigned)_i;
    long long good = 0;

    open_pool(server.dsn, 1);
    for (unsigned i = 0; i < 5; i++) {
        bool bad = refused >> i & 1;

        statements[i] = (struct pg_statement){
            .sql = bad ? "SELECT 1/0" : "INSERT INTO t SELECT count(*), 'x' FROM t"};
        good += !bad;
    }
    run(PG_EACH, statements, 5);
    ck_assert_int_eq(told[0].end, PG_DONE);
    for (unsigned i = 0; i < 5; i++) {
        bool bad = refused >> i & 1;

        ck_assert_int_eq(told[0].states[i], bad ? PG_REFUSED : PG_OK);
        ck_assert_str_eq(told[0].sqlstates[i], bad ? "22012" : "");
    }
    ck_assert_int_eq(row_ct(), good);
}
END_TEST

START_TEST(a_refusal_by_commit_is_one)
{
    static const struct pg_statement statements[] = {
        {.sql = "SET CONSTRAINTS ALL DEFERRED"},
        {.sql = "INSERT INTO t VALUES (1, 'x'), (1, 'y')"},
    };

    open_pool(server.dsn, 1);
    run(_i ? PG_EACH : PG_ALL, statements, 2);
    ck_assert_int_eq(told[0].end, PG_TURNED_DOWN);
    ck_assert_str_eq(told[0].sqlstate, "23505");
    ck_assert_int_eq(row_ct(), 0);
}
END_TEST

START_TEST(a_read_only_server_says_so)
{
    open_pool(server.dsn, 1);
    postgres_process_set_read_only(&server, true);
    run_sql(PG_ALL, "INSERT INTO t VALUES (1, 'x')");
    ck_assert_str_eq(told[0].sqlstate, "25006");
    postgres_process_set_read_only(&server, false);
    run_sql(PG_ALL, "INSERT INTO t VALUES (1, 'x')");
    ck_assert_int_eq(told[0].end, PG_DONE);
}
END_TEST

/* ---- time ---- */

START_TEST(the_server_gives_up_in_time)
{
    open_pool(server.dsn, 1);
    (void)run_for(PG_ALL, &sleep_long, 1, 300, 0);
    UNTIL(told[0].ct == 1);
    ck_assert_int_eq(told[0].end, PG_TURNED_DOWN);
    ck_assert_str_eq(told[0].sqlstate, "57014");
}
END_TEST

static long long sleeper_ct(void)
{
    return postgres_process_int(&server, "SELECT count(*) FROM pg_stat_activity WHERE "
                                         "wait_event = 'PgSleep'");
}

START_TEST(what_cannot_be_told_the_time_is_cancelled)
{
    open_pool(server.dsn, 1);
    (void)run_for(PG_ONE, &sleep_long, 1, 300, 0);
    UNTIL(told[0].ct == 1);
    ck_assert_int_eq(told[0].end, PG_UNKNOWN);
    ck_assert_ptr_nonnull(strstr(told[0].why, "no answer within"));
    UNTIL(sleeper_ct() == 0);
}
END_TEST

START_TEST(a_request_is_cancelled_where_it_is)
{
    struct pg_request *running, *waiting;

    open_pool(server.dsn, 1);
    running = run_for(PG_ALL, &sleep_long, 1, LONG_MS, 0);
    waiting = run_for(PG_ALL, &insert_one, 1, LONG_MS, 1);
    UNTIL(sleeper_ct() == 1);
    pg_request_cancel(waiting);
    UNTIL(told[1].ct == 1);
    ck_assert_int_eq(told[1].end, PG_UNSENT);
    ck_assert_uint_eq(told[0].ct, 0);
    pg_request_cancel(running);
    UNTIL(told[0].ct == 1);
    ck_assert_int_eq(told[0].end, PG_TURNED_DOWN);
    ck_assert_str_eq(told[0].sqlstate, "57014");
    run_sql(PG_ALL, "SELECT 1");
    ck_assert_int_eq(told[0].end, PG_DONE);
}
END_TEST

/* ---- many ---- */

START_TEST(requests_share_the_connections)
{
    static const struct pg_statement slow = {
        .sql = "SELECT count(*), pg_sleep(0.02) FROM pg_stat_activity WHERE "
               "backend_type = 'client backend'"};

    open_pool(server.dsn, 2);
    for (size_t i = 0; i < 8; i++)
        (void)run_for(PG_ALL, &slow, 1, LONG_MS, i);
    UNTIL(told_ct() == 8);
    for (size_t i = 0; i < 8; i++) {
        ck_assert_uint_eq(told[i].ct, 1);
        ck_assert_int_eq(told[i].end, PG_DONE);
        ck_assert_int_le(strtol(told[i].value, NULL, 10), 2);
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
        open_pool(pooler->dsn, 2);
        pools[i] = pool;
        for (size_t j = 0; j < 4; j++)
            (void)run_for(j % 2 ? PG_EACH : PG_ALL, statements, j % 2 ? 2 : 1, LONG_MS,
                          4 * i + j);
    }
    UNTIL(told_ct() == 16);
    for (size_t i = 0; i < ARRAY_CT(pools); i++)
        pg_pool_destroy(pools[i]);
    pool = NULL;
}

/* Two workers may find the same maximum: what counts is that nothing is refused for
 * anything else. */
START_TEST(a_pooler_in_transaction_mode_is_no_obstacle)
{
    struct pgbouncer_process pooler;
    long long done = 0;

    pgbouncer_process_begin(&pooler, &server, 2);
    run_through_pooler(&pooler);
    for (size_t i = 0; i < 16; i++) {
        const char *sqlstate = i % 2 ? told[i].sqlstates[0] : told[i].sqlstate;

        ck_assert_msg(sqlstate[0] == '\0' || strcmp(sqlstate, "23505") == 0, "%zu: %s %s",
                      i, sqlstate, told[i].why);
        if (i % 2 || sqlstate[0] == '\0')
            ck_assert_msg(told[i].end == PG_DONE, "%zu: %s", i, told[i].why);
        done += sqlstate[0] == '\0';
    }
    ck_assert_int_eq(row_ct(), done);
    pgbouncer_process_end(&pooler);
}
END_TEST

START_TEST(a_paused_pooler_is_waited_for)
{
    struct pgbouncer_process pooler;

    pgbouncer_process_begin(&pooler, &server, 2);
    open_pool(pooler.dsn, 1);
    run_sql(PG_ALL, "SELECT 1");
    pgbouncer_process_do(&pooler, "PAUSE");
    (void)run_for(PG_ALL, &insert_one, 1, LONG_MS, 1);
    for (int i = 0; i < 20; i++)
        turn();
    ck_assert_uint_eq(told[1].ct, 0);
    pgbouncer_process_do(&pooler, "RESUME");
    UNTIL(told[1].ct == 1);
    ck_assert_int_eq(told[1].end, PG_DONE);
    pgbouncer_process_do(&pooler, "RECONNECT");
    run_sql(PG_ALL, "SELECT 1");
    ck_assert_int_eq(told[0].end, PG_DONE);
    pgbouncer_process_end(&pooler);
}
END_TEST

/* ---- faults ---- */

START_TEST(a_crash_of_the_server_leaves_it_unknown)
{
    static const struct pg_statement statements[] = {
        {.sql = "INSERT INTO t VALUES (1, 'x')"}, {.sql = "SELECT pg_sleep(60)"}};

    open_pool(server.dsn, 1);
    (void)run_for(PG_ALL, statements, 2, LONG_MS, 0);
    UNTIL(sleeper_ct() == 1);
    postgres_process_stop(&server, _i ? POSTGRES_FAST : POSTGRES_IMMEDIATE);
    UNTIL(told[0].ct == 1);
    ck_assert_int_eq(told[0].end, PG_UNKNOWN);
    ck_assert_str_ne(told[0].why, "");
    postgres_process_start(&server);
    ck_assert_int_eq(row_ct(), 0);
    run_sql(PG_ALL, "INSERT INTO t VALUES (1, 'x')");
    ck_assert_int_eq(told[0].end, PG_DONE);
}
END_TEST

START_TEST(an_idle_connection_that_ended_is_not_used)
{
    open_pool(server.dsn, 1);
    run_sql(PG_ALL, "SELECT 1");
    postgres_process_restart(&server, POSTGRES_FAST);
    run_sql(PG_ALL, "INSERT INTO t VALUES (1, 'x')");
    ck_assert_int_eq(told[0].end, PG_DONE);
    postgres_process_end_sessions(&server);
    run_sql(PG_ALL, "INSERT INTO t VALUES (2, 'x')");
    ck_assert_int_eq(told[0].end, PG_DONE);
    ck_assert_int_eq(row_ct(), 2);
}
END_TEST

/* Log lines from here on go to a file. */
static char *keep_log(void)
{
    char *path = must_format("%s/test.log", server.dir);
    int fd;

    (void)unlink(path);
    fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    ck_assert_int_ge(dup2(fd, STDERR_FILENO), 0);
    (void)close(fd);
    log_setup(LOG_INFO, LOG_LOGFMT);
    return path;
}

static unsigned logged(const char *path, const char *text)
{
    FILE *file = fopen(path, "re");
    char line[2048];
    unsigned ct = 0;

    ck_assert_ptr_nonnull(file);
    while (fgets(line, sizeof(line), file))
        ct += strstr(line, text) != NULL;
    (void)fclose(file);
    return ct;
}

START_TEST(requests_wait_for_the_server_and_the_log_says_so_once)
{
    char *log = keep_log();

    postgres_process_stop(&server, POSTGRES_FAST);
    open_pool(server.dsn, 2);
    for (size_t i = 0; i < 3; i++)
        (void)run_for(PG_ALL, &insert_one, 1, LONG_MS, i);
    (void)run_for(PG_ALL, &insert_one, 1, 400, 3);
    UNTIL(told[3].ct == 1);
    ck_assert_int_eq(told[3].end, PG_UNSENT);
    ck_assert_ptr_nonnull(strstr(told[3].why, "no connection in time: "));
    ck_assert_ptr_nonnull(strstr(told[3].why, server.socket));
    ck_assert_uint_eq(told[0].ct, 0);
    postgres_process_start(&server);
    UNTIL(told[0].ct + told[1].ct + told[2].ct == 3);
    ck_assert_int_eq(row_ct(), 1);
    ck_assert_uint_eq(logged(log, "event=pg.down"), 1);
    ck_assert_uint_eq(logged(log, "event=pg.up"), 1);
    free(log);
}
END_TEST

static struct proxy *make_proxy(char *dsn, size_t size)
{
    char path[160];
    char *dir = must_format("%s/proxy", server.dir);
    struct proxy *proxy;

    (void)mkdir(dir, 0755);
    (void)snprintf(path, sizeof(path), "%s/.s.PGSQL.5432", dir);
    (void)unlink(path);
    proxy = proxy_create(loop, path, server.socket);
    (void)snprintf(dsn, size, "host=%s port=5432 dbname=postgres user=postgres", dir);
    free(dir);
    return proxy;
}

START_TEST(a_lost_answer_to_commit_leaves_it_unknown)
{
    char dsn[256];
    struct proxy *proxy = make_proxy(dsn, sizeof(dsn));

    open_pool(dsn, 1);
    run_sql(PG_ALL, "SELECT 1");
    proxy_set(proxy, PROXY_DROP_ANSWERS);
    (void)run_for(_i ? PG_EACH : PG_ALL, &insert_one, 1, LONG_MS, 1);
    UNTIL(row_ct() == 1);
    ck_assert_uint_eq(told[1].ct, 0);
    proxy_cut(proxy);
    UNTIL(told[1].ct == 1);
    ck_assert_int_eq(told[1].end, PG_UNKNOWN);
    proxy_set(proxy, PROXY_PASS);
    run_sql(PG_ALL, "SELECT 1");
    ck_assert_int_eq(told[0].end, PG_DONE);
    proxy_destroy(proxy);
}
END_TEST

START_TEST(a_silent_connection_is_never_used_again)
{
    char dsn[256];
    struct proxy *proxy = make_proxy(dsn, sizeof(dsn));

    open_pool(dsn, 1);
    run_sql(PG_ALL, "SELECT 1");
    ck_assert_uint_eq(proxy_accepted(proxy), 1);
    proxy_set(proxy, PROXY_DROP_ALL);
    (void)run_for(PG_ALL, &insert_one, 1, 200, 1);
    UNTIL(told[1].ct == 1);
    ck_assert_int_eq(told[1].end, PG_UNKNOWN);
    (void)run_for(PG_ALL, &insert_one, 1, 300, 2); /* nobody greets */
    UNTIL(told[2].ct == 1);
    ck_assert_int_eq(told[2].end, PG_UNSENT);
    proxy_set(proxy, PROXY_PASS);
    (void)run_for(PG_ALL, &insert_one, 1, LONG_MS, 3);
    UNTIL(told[3].ct == 1);
    ck_assert_int_eq(told[3].end, PG_DONE);
    ck_assert_uint_ge(proxy_accepted(proxy), 3);
    ck_assert_int_eq(row_ct(), 1);
    proxy_destroy(proxy);
}
END_TEST

START_TEST(a_pool_that_goes_tells_what_it_drops)
{
    open_pool(server.dsn, 1);
    (void)run_for(PG_ALL, &sleep_long, 1, LONG_MS, 0);
    (void)run_for(PG_ALL, &insert_one, 1, LONG_MS, 1);
    UNTIL(sleeper_ct() == 1);
    pg_pool_destroy(pool);
    pool = NULL;
    ck_assert_int_eq(told[0].end, PG_UNKNOWN);
    ck_assert_int_eq(told[1].end, PG_UNSENT);
    ck_assert_uint_eq(told[0].ct, 1);
    ck_assert_uint_eq(told[1].ct, 1);
}
END_TEST

/* ---- hosts ---- */

static int free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, len), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    (void)close(fd);
    return ntohs(address.sin_port);
}

START_TEST(hosts_are_tried_in_turn_and_names_resolved)
{
    static const char *const forms[] = {
        "host=localhost port=%d dbname=postgres user=postgres",
        "host=no-such-host.invalid,127.0.0.1 port=%d dbname=postgres user=postgres",
        "host=/nonexistent,localhost port=%d,%d dbname=postgres user=postgres",
        "postgresql://postgres@localhost:%d/postgres?target_session_attrs=read-write",
        "postgres://postgres@no-such-host.invalid:1,127.0.0.1:%d/postgres",
        "hostaddr=127.0.0.1 port=%d dbname=postgres user=postgres",
    };
    char dsn[256];

    postgres_process_stop(&server, POSTGRES_IMMEDIATE);
    server.tcp_port = free_port();
    postgres_process_start(&server);
    for (size_t i = 0; i < ARRAY_CT(forms); i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        (void)snprintf(dsn, sizeof(dsn), forms[i], server.tcp_port, server.tcp_port);
#pragma GCC diagnostic pop
        open_pool(dsn, 1);
        run_sql(PG_ALL, "SELECT 1");
        ck_assert_msg(told[0].end == PG_DONE, "%s: %s", dsn, told[0].why);
        pg_pool_destroy(pool);
        pool = NULL;
    }
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_unchecked_fixture(tc, make_cluster, end_cluster);
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, values_come_back_as_they_went);
    tcase_add_test(tc, affected_rows_are_counted);
    tcase_add_test(tc, a_refusal_undoes_the_transaction);
    tcase_add_loop_test(tc, with_savepoints_the_others_are_committed, 0, 1);
    tcase_add_loop_test(tc, with_savepoints_the_others_are_committed, 0x15, 0x16);
    tcase_add_loop_test(tc, with_savepoints_the_others_are_committed, 0x0b, 0x0c);
    tcase_add_loop_test(tc, with_savepoints_the_others_are_committed, 0x1f, 0x20);
    tcase_add_loop_test(tc, a_refusal_by_commit_is_one, 0, 2);
    tcase_add_test(tc, a_read_only_server_says_so);
    tcase_add_test(tc, the_server_gives_up_in_time);
    tcase_add_test(tc, what_cannot_be_told_the_time_is_cancelled);
    tcase_add_test(tc, a_request_is_cancelled_where_it_is);
    tcase_add_test(tc, requests_share_the_connections);
    tcase_add_test(tc, a_pooler_in_transaction_mode_is_no_obstacle);
    tcase_add_test(tc, a_paused_pooler_is_waited_for);
    tcase_add_loop_test(tc, a_crash_of_the_server_leaves_it_unknown, 0, 2);
    tcase_add_test(tc, an_idle_connection_that_ended_is_not_used);
    tcase_add_test(tc, requests_wait_for_the_server_and_the_log_says_so_once);
    tcase_add_loop_test(tc, a_lost_answer_to_commit_leaves_it_unknown, 0, 2);
    tcase_add_test(tc, a_silent_connection_is_never_used_again);
    tcase_add_test(tc, a_pool_that_goes_tells_what_it_drops);
    tcase_add_test(tc, hosts_are_tried_in_turn_and_names_resolved);
}

int main(void)
{
    return run_suite("pg", 120, add_tests);
}
