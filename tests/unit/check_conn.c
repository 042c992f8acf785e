/* One connection: greeting, deadlines, what it says when it cannot. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <check.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/support/world.h"
#include "tests/unit/suite.h"

static struct world world;
static struct conn *conn;
static unsigned up_ct, down_ct, null_ct, reply_ct;
static struct err why;
static char answer[256];

static void on_up(void *arg UNUSED)
{
    up_ct++;
}

static void on_down(void *arg UNUSED, const struct err *err)
{
    down_ct++;
    why = *err;
    ck_assert(conn_is_closed(conn));
}

static void on_reply(void *arg UNUSED, const struct redisReply *reply)
{
    if (reply == NULL) {
        null_ct++;
        return;
    }
    reply_ct++;
    (void)snprintf(answer, sizeof(answer), "%s", reply->str ? reply->str : "");
}

static void set_up(void)
{
    world_start(&world);
    world_use_default_user(&world);
}

static void tear_down(void)
{
    conn_destroy(conn);
    world_turn(&world);
    world_end(&world);
}

static void open_conn(const struct redis_endpoint *endpoint, int64_t connect_ms)
{
    struct conn_options options = {.loop = world.loop,
                                   .endpoint = endpoint,
                                   .name = "drover:test",
                                   .connect_within_ms = connect_ms,
                                   .on_up = on_up,
                                   .on_down = on_down};

    conn = conn_create(&options);
    conn_open(conn);
    ck_assert_uint_eq(up_ct + down_ct, 0); /* later, never from inside */
}

static void ask(const char *a, const char *b, int64_t within_ms)
{
    struct slice words[] = {slice_text(a), slice_text(b)};

    conn_command(conn, words, b ? 2 : 1, within_ms, on_reply, NULL);
}

/* A TCP port of this redis-server. */
static int tcp_port(void)
{
    for (int port = 20000 + getpid() % 10000; port < 40000; port++) {
        if (real_redis_try(&world.server, "CONFIG SET port %d", port) !=
            REDIS_REPLY_ERROR)
            return port;
    }
    ck_abort_msg("no free port");
}

START_TEST(a_unix_socket_is_greeted_by_name)
{
    open_conn(&world.endpoint, 5000);
    UNTIL(&world, up_ct == 1);
    ask("CLIENT", "GETNAME", 5000);
    UNTIL(&world, reply_ct == 1);
    ck_assert_str_eq(answer, "drover:test");
    ck_assert_int_gt(conn_id(conn), 0);
}
END_TEST

START_TEST(hosts_are_addresses_or_names)
{
    static const char *const hosts[] = {"127.0.0.1", "localhost"};
    struct redis_endpoint endpoint = {.port = tcp_port()};

    endpoint.host = must_strdup(hosts[_i]);
    open_conn(&endpoint, 5000);
    UNTIL(&world, up_ct == 1 || down_ct == 1);
    ck_assert_msg(up_ct == 1, "%s", why.text);
    free(endpoint.host);
}
END_TEST

START_TEST(a_database_is_selected)
{
    world.endpoint.db = 3;
    open_conn(&world.endpoint, 5000);
    UNTIL(&world, up_ct == 1);
    (void)real_redis_try(&world.server, "SELECT 3");
    (void)real_redis_try(&world.server, "SET here yes");
    ask("GET", "here", 5000);
    UNTIL(&world, reply_ct == 1);
    ck_assert_str_eq(answer, "yes");
}
END_TEST

static const struct {
    const char *user, *password, *refusal; /* NULL: let in */
} logins[] = {{NULL, "secret", NULL},        {"worker", "pw", NULL},
              {NULL, "wrong", "WRONGPASS"},  {NULL, NULL, "NOAUTH"},
              {"nobody", "pw", "WRONGPASS"}, {"worker", "secret", "WRONGPASS"}};

START_TEST(passwords_are_given_and_refusals_told)
{
    struct redis_endpoint *endpoint = &world.endpoint;

    (void)real_redis_try(&world.server, "ACL SETUSER worker on >pw ~* &* +@all");
    (void)real_redis_try(&world.server, "CONFIG SET requirepass secret");
    endpoint->username = must_strdup(logins[_i].user);
    endpoint->password = must_strdup(logins[_i].password);
    open_conn(endpoint, 5000);
    UNTIL(&world, up_ct + down_ct == 1);
    ck_assert_uint_eq(up_ct, logins[_i].refusal == NULL);
    if (logins[_i].refusal)
        ck_assert_ptr_nonnull(strstr(why.text, logins[_i].refusal));
    free(endpoint->username);
    free(endpoint->password);
}
END_TEST

START_TEST(too_many_clients_are_told_as_such)
{
    (void)real_redis_try(&world.server, "CONFIG SET maxclients 1");
    open_conn(&world.endpoint, 5000);
    UNTIL(&world, down_ct == 1);
    ck_assert_ptr_nonnull(strstr(why.text, "max number of clients"));
}
END_TEST

static const struct {
    const char *path, *host, *text;
} nowhere[] = {{"/nonexistent/redis.sock", NULL, "No such file"},
               {NULL, "127.0.0.1", "refused"},
               {NULL, "name.invalid", "cannot resolve name.invalid"}};

START_TEST(what_cannot_be_reached_is_told_once)
{
    struct redis_endpoint endpoint = {.port = 1};

    endpoint.unix_path = must_strdup(nowhere[_i].path);
    endpoint.host = must_strdup(nowhere[_i].host);
    open_conn(&endpoint, 3000);
    UNTIL(&world, down_ct == 1);
    if (_i != 2 || strstr(why.text, "in time") == NULL) /* a resolver may be silent */
        ck_assert_msg(strstr(why.text, nowhere[_i].text) != NULL, "%s", why.text);
    ALL_THE_WHILE(&world, 50, down_ct == 1 && up_ct == 0);
    free(endpoint.unix_path);
    free(endpoint.host);
}
END_TEST

/* It accepts, and says nothing. */
START_TEST(a_greeting_that_is_not_answered_ends_in_time)
{
    world_use_proxy(&world);
    proxy_set(world.proxy, PROXY_BOTH, PROXY_LOSE);
    open_conn(&world.endpoint, 100);
    UNTIL(&world, down_ct == 1);
    ck_assert_ptr_nonnull(strstr(why.text, "in time"));
}
END_TEST

START_TEST(a_late_answer_ends_the_connection_and_tells_all_that_wait)
{
    world_use_proxy(&world);
    open_conn(&world.endpoint, 5000);
    UNTIL(&world, up_ct == 1);
    proxy_set(world.proxy, PROXY_BOTH, PROXY_LOSE);
    ask("PING", NULL, 100);
    ask("PING", NULL, 20000);
    UNTIL(&world, down_ct == 1);
    ck_assert_uint_eq(null_ct, 2);
    ck_assert_uint_eq(reply_ct, 0);
    ck_assert_str_eq(why.text, "no answer within 100 ms");
    proxy_set(world.proxy, PROXY_BOTH, PROXY_PASS);
    conn_open(conn);
    UNTIL(&world, up_ct == 2);
}
END_TEST

START_TEST(an_idle_connection_is_not_late)
{
    open_conn(&world.endpoint, 5000);
    UNTIL(&world, up_ct == 1);
    ask("PING", NULL, 50);
    UNTIL(&world, reply_ct == 1);
    ALL_THE_WHILE(&world, 200, down_ct == 0);
}
END_TEST

static void close_inside(void *arg UNUSED, const struct redisReply *reply)
{
    if (reply) {
        reply_ct++;
        conn_close(conn);
    } else {
        null_ct++;
    }
}

START_TEST(closing_inside_a_callback_is_safe)
{
    struct slice ping = slice_text("PING");

    open_conn(&world.endpoint, 5000);
    UNTIL(&world, up_ct == 1);
    for (int i = 0; i < 3; i++)
        conn_command(conn, &ping, 1, 5000, close_inside, NULL);
    UNTIL(&world, null_ct == 2);
    ck_assert_uint_eq(reply_ct, 1);
    ck_assert_uint_eq(down_ct, 0);
    ck_assert(conn_is_closed(conn));
}
END_TEST

START_TEST(closing_while_connecting_is_safe)
{
    struct redis_endpoint endpoint = {.port = 1};

    endpoint.host = must_strdup(_i ? "name.invalid" : "127.0.0.1");
    open_conn(&endpoint, 5000);
    conn_close(conn);
    ALL_THE_WHILE(&world, 100, up_ct + down_ct == 0);
    free(endpoint.host);
}
END_TEST

/* The descriptor is gone in what is executed. */
START_TEST(sockets_are_not_inherited)
{
    unsigned seen = 0;

    open_conn(&world.endpoint, 5000);
    UNTIL(&world, up_ct == 1);
    for (int fd = 3; fd < 64; fd++) {
        struct sockaddr address;
        socklen_t len = sizeof(address);

        if (fd == world.server.redis->fd || getpeername(fd, &address, &len) != 0)
            continue;
        ck_assert_int_eq(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
        seen++;
    }
    ck_assert_uint_ge(seen, 1);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, a_unix_socket_is_greeted_by_name);
    tcase_add_loop_test(tc, hosts_are_addresses_or_names, 0, 2);
    tcase_add_test(tc, a_database_is_selected);
    tcase_add_loop_test(tc, passwords_are_given_and_refusals_told, 0,
                        (int)ARRAY_CT(logins));
    tcase_add_test(tc, too_many_clients_are_told_as_such);
    tcase_add_loop_test(tc, what_cannot_be_reached_is_told_once, 0,
                        (int)ARRAY_CT(nowhere));
    tcase_add_test(tc, a_greeting_that_is_not_answered_ends_in_time);
    tcase_add_test(tc, a_late_answer_ends_the_connection_and_tells_all_that_wait);
    tcase_add_test(tc, an_idle_connection_is_not_late);
    tcase_add_test(tc, closing_inside_a_callback_is_safe);
    tcase_add_loop_test(tc, closing_while_connecting_is_safe, 0, 2);
    tcase_add_test(tc, sockets_are_not_inherited);
}

int main(void)
{
    return run_suite("conn", 120, add);
}
