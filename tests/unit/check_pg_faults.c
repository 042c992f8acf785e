/* What can happen to a connection: crashes, silence, lost answers, hosts that are not
 * there. */
#include <check.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "tests/support/proxy.h"
#include "tests/unit/pg_scene.h"
#include "tests/unit/suite.h"

START_TEST(a_crash_of_the_server_leaves_it_unknown)
{
    static const struct pg_statement statements[] = {
        {.sql = "INSERT INTO t VALUES (1, 'x')"}, {.sql = "SELECT pg_sleep(60)"}};

    pg_open(pg.server.dsn, 1);
    (void)pg_start(PG_ALL, statements, 2, LONG_MS, 0);
    UNTIL(pg_sleeper_ct() == 1);
    postgres_process_stop(&pg.server, _i ? POSTGRES_FAST : POSTGRES_IMMEDIATE);
    UNTIL(pg.told[0].ct == 1);
    ck_assert_int_eq(pg.told[0].end, PG_UNKNOWN);
    ck_assert_str_ne(pg.told[0].why, "");
    postgres_process_start(&pg.server);
    ck_assert_int_eq(pg_row_ct(), 0);
    pg_run_sql(PG_ALL, "INSERT INTO t VALUES (1, 'x')");
    ck_assert_int_eq(pg.told[0].end, PG_DONE);
}
END_TEST

START_TEST(an_idle_connection_that_ended_is_not_used)
{
    pg_open(pg.server.dsn, 1);
    pg_run_sql(PG_ALL, "SELECT 1");
    postgres_process_restart(&pg.server, POSTGRES_FAST);
    pg_run_sql(PG_ALL, "INSERT INTO t VALUES (1, 'x')");
    ck_assert_int_eq(pg.told[0].end, PG_DONE);
    postgres_process_end_sessions(&pg.server);
    pg_run_sql(PG_ALL, "INSERT INTO t VALUES (2, 'x')");
    ck_assert_int_eq(pg.told[0].end, PG_DONE);
    ck_assert_int_eq(pg_row_ct(), 2);
}
END_TEST

/* Log lines from here on go to a file. */
static char *keep_log(void)
{
    char *path = must_format("%s/test.log", pg.server.dir);
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

    postgres_process_stop(&pg.server, POSTGRES_FAST);
    pg_open(pg.server.dsn, 2);
    for (size_t i = 0; i < 3; i++)
        (void)pg_start(PG_ALL, &pg_insert_one, 1, LONG_MS, i);
    (void)pg_start(PG_ALL, &pg_insert_one, 1, 400, 3);
    UNTIL(pg.told[3].ct == 1);
    ck_assert_int_eq(pg.told[3].end, PG_UNSENT);
    ck_assert_ptr_nonnull(strstr(pg.told[3].why, "no connection in time: "));
    ck_assert_ptr_nonnull(strstr(pg.told[3].why, pg.server.socket));
    ck_assert_uint_eq(pg.told[0].ct, 0);
    postgres_process_start(&pg.server);
    UNTIL(pg.told[0].ct + pg.told[1].ct + pg.told[2].ct == 3);
    ck_assert_int_eq(pg_row_ct(), 1);
    ck_assert_uint_eq(logged(log, "event=pg.down"), 1);
    ck_assert_uint_eq(logged(log, "event=pg.up"), 1);
    free(log);
}
END_TEST

static struct proxy *make_proxy(char *dsn, size_t size)
{
    char path[160];
    char *dir = must_format("%s/proxy", pg.server.dir);
    struct proxy *proxy;

    (void)mkdir(dir, 0755);
    (void)snprintf(path, sizeof(path), "%s/.s.PGSQL.5432", dir);
    (void)unlink(path);
    proxy = proxy_create(pg.loop, path, pg.server.socket);
    (void)snprintf(dsn, size, "host=%s port=5432 dbname=postgres user=postgres", dir);
    free(dir);
    return proxy;
}

START_TEST(a_lost_answer_to_commit_leaves_it_unknown)
{
    char dsn[256];
    struct proxy *proxy = make_proxy(dsn, sizeof(dsn));

    pg_open(dsn, 1);
    pg_run_sql(PG_ALL, "SELECT 1");
    proxy_set(proxy, PROXY_ANSWERS, PROXY_LOSE);
    (void)pg_start(_i ? PG_EACH : PG_ALL, &pg_insert_one, 1, LONG_MS, 1);
    UNTIL(pg_row_ct() == 1);
    ck_assert_uint_eq(pg.told[1].ct, 0);
    proxy_cut(proxy, PROXY_FIN);
    UNTIL(pg.told[1].ct == 1);
    ck_assert_int_eq(pg.told[1].end, PG_UNKNOWN);
    proxy_set(proxy, PROXY_BOTH, PROXY_PASS);
    pg_run_sql(PG_ALL, "SELECT 1");
    ck_assert_int_eq(pg.told[0].end, PG_DONE);
    proxy_destroy(proxy);
}
END_TEST

START_TEST(a_silent_connection_is_never_used_again)
{
    char dsn[256];
    struct proxy *proxy = make_proxy(dsn, sizeof(dsn));

    pg_open(dsn, 1);
    pg_run_sql(PG_ALL, "SELECT 1");
    ck_assert_uint_eq(proxy_accepted(proxy), 1);
    proxy_set(proxy, PROXY_BOTH, PROXY_LOSE);
    (void)pg_start(PG_ALL, &pg_insert_one, 1, 200, 1);
    UNTIL(pg.told[1].ct == 1);
    ck_assert_int_eq(pg.told[1].end, PG_UNKNOWN);
    (void)pg_start(PG_ALL, &pg_insert_one, 1, 300, 2); /* nobody greets */
    UNTIL(pg.told[2].ct == 1);
    ck_assert_int_eq(pg.told[2].end, PG_UNSENT);
    proxy_set(proxy, PROXY_BOTH, PROXY_PASS);
    (void)pg_start(PG_ALL, &pg_insert_one, 1, LONG_MS, 3);
    UNTIL(pg.told[3].ct == 1);
    ck_assert_int_eq(pg.told[3].end, PG_DONE);
    ck_assert_uint_ge(proxy_accepted(proxy), 3);
    ck_assert_int_eq(pg_row_ct(), 1);
    proxy_destroy(proxy);
}
END_TEST

START_TEST(a_pool_that_goes_tells_what_it_drops)
{
    pg_open(pg.server.dsn, 1);
    (void)pg_start(PG_ALL, &pg_sleep_long, 1, LONG_MS, 0);
    (void)pg_start(PG_ALL, &pg_insert_one, 1, LONG_MS, 1);
    UNTIL(pg_sleeper_ct() == 1);
    pg_close();
    ck_assert_int_eq(pg.told[0].end, PG_UNKNOWN);
    ck_assert_int_eq(pg.told[1].end, PG_UNSENT);
    ck_assert_uint_eq(pg.told[0].ct, 1);
    ck_assert_uint_eq(pg.told[1].ct, 1);
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

    postgres_process_stop(&pg.server, POSTGRES_IMMEDIATE);
    pg.server.tcp_port = free_port();
    postgres_process_start(&pg.server);
    for (size_t i = 0; i < ARRAY_CT(forms); i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        (void)snprintf(dsn, sizeof(dsn), forms[i], pg.server.tcp_port,
                       pg.server.tcp_port);
#pragma GCC diagnostic pop
        pg_open(dsn, 1);
        pg_run_sql(PG_ALL, "SELECT 1");
        ck_assert_msg(pg.told[0].end == PG_DONE, "%s: %s", dsn, pg.told[0].why);
        pg_close();
    }
}
END_TEST

START_TEST(a_dsn_that_cannot_be_understood_is_refused)
{
    static const char *const table[][2] = {
        {"hst", "libpq cannot make sense of it"}, /* may all be a password */
        {"postgresql://u:100%zcanary@a", "libpq cannot make sense of it"},
        {"host=a password=canary sslmode=canary", "libpq cannot make sense of it"},
        {"host=a colour=red", "invalid connection option"},
        {"postgresql://[::1", "IPv6"},
        {"host=a,b,c port=1,2", "match 2 port"},
        {"host=a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q", "more than 16 hosts"},
        {"sslmode=perhaps", "invalid sslmode"},
        {"service=no-such-service", "service"},
    };

    for (size_t i = 0; i < ARRAY_CT(table); i++) {
        struct pg_pool_options options = {
            .loop = pg.loop, .name = "test", .dsn = table[i][0], .size = 1};
        struct err err = {0};

        ck_assert_ptr_null(pg_pool_create(&options, &err));
        ck_assert_int_eq(err.code, ERR_CONFIG);
        ck_assert_msg(strstr(err.text, table[i][1]) != NULL, "%s: %s", table[i][0],
                      err.text);
        ck_assert_ptr_null(strstr(err.text, "canary"));
    }
}
END_TEST

static void demand_password(void)
{
    char *path = must_format("%s/data/pg_hba.conf", pg.server.dir);
    FILE *file = fopen(path, "we");

    ck_assert_ptr_nonnull(file);
    (void)fputs("local all guest scram-sha-256\nlocal all all trust\n"
                "host all all 127.0.0.1/32 trust\n",
                file);
    ck_assert_int_eq(fclose(file), 0);
    free(path);
    (void)postgres_process_do(
        &pg.server,
        "SET client_min_messages = warning; DROP ROLE IF EXISTS guest; CREATE ROLE guest "
        "LOGIN PASSWORD 'secret'; SELECT "
        "pg_reload_conf()");
}

START_TEST(a_password_beside_the_dsn_counts)
{
    static const struct {
        const char *in_dsn, *beside;
        enum pg_end end;
    } table[] = {{"", "secret", PG_DONE},
                 {"password=wrong", "secret", PG_DONE},
                 {"password=secret", NULL, PG_DONE},
                 {"password=secret", "wrong", PG_UNSENT}};

    demand_password();
    for (size_t i = 0; i < ARRAY_CT(table); i++) {
        char *dsn = must_format("host=%s port=5432 dbname=postgres user=guest %s",
                                pg.server.dir, table[i].in_dsn);
        struct pg_pool_options options = {.loop = pg.loop,
                                          .name = "test",
                                          .dsn = dsn,
                                          .password = table[i].beside,
                                          .size = 1,
                                          .connect_within_ms = 5000,
                                          .idle_ms = 60000};
        static const struct pg_statement one = {.sql = "SELECT 1"};

        pg.pool = pg_pool_create(&options, NULL);
        ck_assert_ptr_nonnull(pg.pool);
        pg.told[0] = (struct told){0};
        (void)pg_start(PG_ONE, &one, 1, table[i].end == PG_DONE ? LONG_MS : 700, 0);
        UNTIL(pg.told[0].ct == 1);
        ck_assert_msg(pg.told[0].end == table[i].end, "%zu: %s", i, pg.told[0].why);
        pg_close();
        free(dsn);
    }
    ck_assert_ptr_nonnull(strstr(pg.told[0].why, "password authentication failed"));
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_unchecked_fixture(tc, pg_scene_make, pg_scene_end);
    tcase_add_checked_fixture(tc, pg_scene_set_up, pg_scene_tear_down);
    tcase_add_loop_test(tc, a_crash_of_the_server_leaves_it_unknown, 0, 2);
    tcase_add_test(tc, an_idle_connection_that_ended_is_not_used);
    tcase_add_test(tc, requests_wait_for_the_server_and_the_log_says_so_once);
    tcase_add_loop_test(tc, a_lost_answer_to_commit_leaves_it_unknown, 0, 2);
    tcase_add_test(tc, a_silent_connection_is_never_used_again);
    tcase_add_test(tc, a_pool_that_goes_tells_what_it_drops);
    tcase_add_test(tc, a_dsn_that_cannot_be_understood_is_refused);
    tcase_add_test(tc, a_password_beside_the_dsn_counts);
    tcase_add_test(tc, hosts_are_tried_in_turn_and_names_resolved);
}

int main(void)
{
    if (!postgres_process_is_installed() || !pgbouncer_process_is_installed())
        return 77; /* skipped */
    return run_suite("pg_faults", 120, add_tests);
}
