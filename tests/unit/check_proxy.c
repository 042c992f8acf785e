/* The proxy that other tests lose things with: it has to lose exactly those. */
#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "queue/scripts.h"
#include "tests/support/resp.h"
#include "tests/support/world.h"
#include "tests/unit/suite.h"

static struct world world;
static struct proxy *proxy;

static void set_up(void)
{
    world_start(&world);
    world_use_proxy(&world);
    proxy = world.proxy;
}

static void tear_down(void)
{
    world_end(&world);
}

/* ---- a client of plain bytes ---- */

static int connect_local(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s",
                   world.endpoint.unix_path);
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0) {
        ck_assert_int_eq(errno, ECONNREFUSED);
        (void)close(fd);
        return -1;
    }
    return fd;
}

static int connect_port(unsigned port)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons((uint16_t)port);
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0) {
        ck_assert_int_eq(errno, ECONNREFUSED);
        (void)close(fd);
        return -1;
    }
    return fd;
}

static void say(int fd, const char *text)
{
    ck_assert_int_eq(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/* What comes within one piece is appended; false: the end, or an error in errno. */
static bool hear(int fd, struct buf *heard)
{
    char block[65536];
    ssize_t n = recv(fd, block, sizeof(block), MSG_DONTWAIT);

    if (n > 0)
        (void)buf_add(heard, block, (size_t)n);
    if (n == 0)
        errno = 0;
    return n > 0 || (n < 0 && errno == EAGAIN);
}

/* Turns the loop until exactly this was heard, and a little longer. */
static void expect(int fd, const char *text)
{
    struct buf heard;

    buf_init(&heard, 0);
    UNTIL(&world, hear(fd, &heard) && heard.len >= strlen(text));
    for (int i = 0; i < 5; i++) {
        world_turn(&world);
        (void)hear(fd, &heard);
    }
    ck_assert_str_eq(heard.data ? heard.data : "", text);
    buf_free(&heard);
}

static void expect_end(int fd, int error)
{
    struct buf rest;

    buf_init(&rest, 0);
    UNTIL(&world, !hear(fd, &rest));
    ck_assert_int_eq(errno, error);
    ck_assert_uint_eq(rest.len, 0);
    buf_free(&rest);
}

#define PING_A "*2\r\n$4\r\nPING\r\n$1\r\na\r\n"
#define PING_B "*2\r\n$4\r\nPING\r\n$1\r\nb\r\n"
#define PING_C "*2\r\n$4\r\nPING\r\n$1\r\nc\r\n"
#define SAYS_A "$1\r\na\r\n"
#define SAYS_B "$1\r\nb\r\n"
#define SAYS_C "$1\r\nc\r\n"

/* ---- RESP ---- */

static const struct {
    const char *bytes;
    size_t whole_ct; /* -1: no RESP */
} values[] = {
    {"+OK\r\n", 1},
    {"-ERR no\r\n:-5\r\n", 2},
    {"$3\r\na\nb\r\n$0\r\n\r\n$-1\r\n", 3},
    {"*-1\r\n*0\r\n", 2},
    {"*2\r\n*1\r\n$1\r\nx\r\n:1\r\n+next\r\n", 2},
    {"*2\r\n*0\r\n*2\r\n*0\r\n*-1\r\n", 1},
    {"*2\r\n$4\r\nPING\r\n$1\r\n", 0},
    {"*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n", 1},
    {"*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n", (size_t)-1},
    {"PING\r\n", (size_t)-1},
    {"$x\r\n", (size_t)-1},
    {"*99999999999\r\n", (size_t)-1},
};

/* Values in the bytes, if they come in pieces of this size; -1: no RESP. */
static size_t count_values(const char *bytes, size_t piece)
{
    struct resp resp = {.depth = 0};
    size_t len = strlen(bytes), at = 0, ct = 0;
    bool whole;

    while (at < len) {
        size_t n = len - at < piece ? len - at : piece;
        ssize_t read = resp_read(&resp, slice_of(bytes + at, n), &whole);

        if (read < 0)
            return (size_t)-1;
        ct += whole;
        at += (size_t)read;
    }
    return ct;
}

START_TEST(values_end_where_they_end_in_pieces_of_any_size)
{
    for (size_t i = 0; i < ARRAY_CT(values); i++)
        for (size_t piece = 1; piece <= strlen(values[i].bytes); piece++)
            ck_assert_uint_eq(count_values(values[i].bytes, piece), values[i].whole_ct);
}
END_TEST

START_TEST(a_request_has_words)
{
    struct slice words[3];

    ck_assert_uint_eq(resp_words(slice_text(PING_A), words, 3), 2);
    ck_assert(slice_is(words[0], "PING") && slice_is(words[1], "a"));
    ck_assert_uint_eq(resp_words(slice_text(PING_A), words, 1), 1);
    ck_assert_uint_eq(resp_words(slice_text("+OK\r\n"), words, 3), 0);
    ck_assert_uint_eq(resp_words(slice_text("*1\r\n:5\r\n"), words, 3), 0);
    ck_assert_uint_eq(resp_words(slice_text("*1\r\n$9\r\nab\r\n"), words, 3), 0);
}
END_TEST

/* ---- flows ---- */

START_TEST(what_is_said_arrives)
{
    static const enum proxy_flow flows[] = {PROXY_PASS, PROXY_TRICKLE};
    int fd = connect_local();

    proxy_set(proxy, PROXY_BOTH, flows[_i]);
    say(fd, PING_A PING_B "*1\r\n$4\r\nPI");
    expect(fd, SAYS_A SAYS_B);
    say(fd, "NG\r\n");
    expect(fd, "+PONG\r\n");
    ck_assert_uint_eq(proxy_link_ct(proxy), 1);
    ck_assert_int_eq(proxy_link_pid(proxy_link_at(proxy, 0)), getpid());
    (void)close(fd);
    UNTIL(&world, proxy_link_ct(proxy) == 0);
}
END_TEST

START_TEST(bytes_trickle_one_by_one)
{
    char block[64];
    int fd = connect_local();
    size_t pieces = 0;

    proxy_set(proxy, PROXY_ANSWERS, PROXY_TRICKLE);
    say(fd, PING_A);
    while (pieces < strlen(SAYS_A)) {
        ssize_t n = recv(fd, block, sizeof(block), MSG_DONTWAIT);

        ck_assert_int_le(n, 1);
        pieces += n == 1;
        timer_set_soon(&world.stop); /* one turn */
        loop_run(world.loop);
    }
    (void)close(fd);
}
END_TEST

START_TEST(what_is_not_resp_passes_as_bytes)
{
    int fd = connect_local();

    say(fd, "PING\r\nPING again\r\n");
    expect(fd, "+PONG\r\n$5\r\nagain\r\n");
    (void)close(fd);
}
END_TEST

START_TEST(what_is_held_comes_in_order_when_let_go)
{
    enum proxy_way way = _i ? PROXY_REQUESTS : PROXY_ANSWERS;
    int fd = connect_local();

    proxy_set(proxy, way, PROXY_HOLD);
    say(fd, PING_A);
    expect(fd, "");
    say(fd, PING_B);
    expect(fd, "");
    proxy_set(proxy, way, PROXY_PASS);
    expect(fd, SAYS_A SAYS_B);
    (void)close(fd);
}
END_TEST

START_TEST(what_is_held_is_let_go_after_its_client_went)
{
    int fd = connect_local();

    proxy_set(proxy, PROXY_REQUESTS, PROXY_HOLD);
    say(fd, "*2\r\n$4\r\nINCR\r\n$1\r\nn\r\n");
    UNTIL(&world, proxy_link_ct(proxy) == 1);
    (void)close(fd);
    ALL_THE_WHILE(&world, 50, real_redis_int(&world.server, "EXISTS n") == 0);
    ck_assert_uint_eq(proxy_link_ct(proxy), 1);
    proxy_set(proxy, PROXY_REQUESTS, PROXY_PASS);
    UNTIL(&world, real_redis_int(&world.server, "EXISTS n") == 1);
    UNTIL(&world, proxy_link_ct(proxy) == 0);
}
END_TEST

START_TEST(what_is_lost_is_lost_whole)
{
    enum proxy_way way = _i ? PROXY_REQUESTS : PROXY_ANSWERS;
    int fd = connect_local();

    proxy_set(proxy, way, PROXY_LOSE);
    say(fd, PING_A PING_B);
    expect(fd, "");
    proxy_set(proxy, way, PROXY_PASS);
    say(fd, PING_C);
    expect(fd, SAYS_C);
    proxy_set(proxy, way, PROXY_LOSE_ONE);
    say(fd, PING_A PING_B);
    expect(fd, SAYS_B);
    (void)close(fd);
}
END_TEST

/* ---- ends ---- */

START_TEST(a_connection_ends_after_so_many_bytes)
{
    int fd;

    proxy_cut_after(proxy, PROXY_ANSWERS, 9, PROXY_FIN);
    fd = connect_local();
    say(fd, PING_A PING_B);
    expect(fd, SAYS_A "$1");
    expect_end(fd, 0);
    (void)close(fd);
    proxy_cut_after(proxy, PROXY_ANSWERS, -1, PROXY_FIN);
    fd = connect_local();
    say(fd, PING_A PING_B);
    expect(fd, SAYS_A SAYS_B);
    (void)close(fd);
}
END_TEST

START_TEST(a_request_cut_in_its_middle_is_not_executed)
{
    int fd;

    proxy_cut_after(proxy, PROXY_REQUESTS, 20, PROXY_FIN);
    fd = connect_local();
    say(fd, "*2\r\n$4\r\nINCR\r\n$1\r\nn\r\n");
    expect_end(fd, 0);
    ck_assert_int_eq(real_redis_int(&world.server, "EXISTS n"), 0);
    (void)close(fd);
}
END_TEST

/* By TCP. */
START_TEST(connections_are_closed_or_reset)
{
    enum proxy_end end = _i ? PROXY_RST : PROXY_FIN;
    struct proxy *tcp = proxy_create(world.loop, NULL, world.server.process.socket);
    int fd = connect_port(proxy_port(tcp));

    say(fd, PING_A);
    expect(fd, SAYS_A);
    ck_assert_int_eq(proxy_link_pid(proxy_link_at(tcp, 0)), 0);
    proxy_cut(tcp, end);
    expect_end(fd, end == PROXY_RST ? ECONNRESET : 0);
    ck_assert_uint_eq(proxy_link_ct(tcp), 0);
    (void)close(fd);
    proxy_destroy(tcp);
}
END_TEST

START_TEST(connecting_is_refused_and_admitted_again)
{
    struct proxy *tcp = proxy_create(world.loop, NULL, world.server.process.socket);
    unsigned port = proxy_port(tcp);
    int before = connect_port(port), fd;

    UNTIL(&world, proxy_link_ct(tcp) == 1);
    proxy_refuse(tcp);
    proxy_refuse(proxy);
    ck_assert_int_lt(connect_port(port), 0);
    ck_assert_int_lt(connect_local(), 0);
    say(before, PING_A);
    expect(before, SAYS_A);
    proxy_admit(tcp);
    proxy_admit(proxy);
    fd = connect_port(port);
    say(fd, PING_B);
    expect(fd, SAYS_B);
    (void)close(fd);
    fd = connect_local();
    say(fd, PING_C);
    expect(fd, SAYS_C);
    (void)close(fd);
    (void)close(before);
    proxy_destroy(tcp);
}
END_TEST

/* ---- steps ---- */

static struct {
    unsigned calls[3];
    enum proxy_step act_at;
    void (*act)(struct proxy_link *link);
    char bytes[64], answer[64];
} seen;

static void copy_text(char *to, size_t size, struct slice text)
{
    (void)snprintf(to, size, "%.*s", (int)text.len, text.ptr ? text.ptr : "");
}

static void take_step(void *arg UNUSED, enum proxy_step step,
                      const struct proxy_request *request)
{
    seen.calls[step]++;
    copy_text(seen.bytes, sizeof(seen.bytes), request->bytes);
    if (step == PROXY_EXECUTED)
        copy_text(seen.answer, sizeof(seen.answer), request->answer);
    if (seen.act && step == seen.act_at)
        seen.act(request->link);
}

static void expect_calls(unsigned asked, unsigned executed, unsigned delivered)
{
    ck_assert_uint_eq(seen.calls[PROXY_ASKED], asked);
    ck_assert_uint_eq(seen.calls[PROXY_EXECUTED], executed);
    ck_assert_uint_eq(seen.calls[PROXY_DELIVERED], delivered);
}

static const struct proxy_rule second_incr = {
    .command = "incr", .nth = 2, .cb = take_step};

#define INCR(key) "*2\r\n$4\r\nINCR\r\n$1\r\n" key "\r\n"

START_TEST(a_rule_is_called_at_each_step_of_the_request_it_names)
{
    int fd = connect_local(), other = connect_local();

    proxy_on(proxy, &second_incr);
    say(fd, INCR("a"));
    expect(fd, ":1\r\n");
    say(other, PING_A INCR("b") INCR("c") PING_B);
    expect(other, SAYS_A ":1\r\n:1\r\n" SAYS_B);
    expect_calls(1, 1, 1);
    ck_assert_str_eq(seen.bytes, INCR("b"));
    ck_assert_str_eq(seen.answer, ":1\r\n");
    proxy_forget_rules(proxy);
    proxy_on(proxy, &(struct proxy_rule){.holds = "zz", .cb = take_step});
    say(fd, PING_A "*2\r\n$4\r\nPING\r\n$4\r\nyzzy\r\n");
    expect(fd, SAYS_A "$4\r\nyzzy\r\n");
    expect_calls(2, 2, 2);
    (void)close(fd);
    (void)close(other);
}
END_TEST

START_TEST(a_script_is_known_by_its_name)
{
    const struct script *script = script_named("held");
    redisContext *redis = redisConnectUnix(world.endpoint.unix_path);
    const char *command[] = {"EVALSHA %s 1 x 1 0 10", "EVAL %s 1 x 1 0 10",
                             "EVAL %s 1 x 1 0 10"};
    const char *word[] = {script->sha1, script->text, "return 1"};

    proxy_on(proxy, &(struct proxy_rule){.script = "held", .cb = take_step});
    ck_assert_int_eq(redisAppendCommand(redis, command[_i], word[_i]), REDIS_OK);
    ck_assert_int_eq(redisBufferWrite(redis, NULL), REDIS_OK);
    for (int i = 0; i < 20; i++)
        world_turn(&world);
    expect_calls(_i < 2, _i < 2, _i < 2);
    redisFree(redis);
}
END_TEST

static void lose_request(struct proxy_link *link)
{
    proxy_link_set(link, PROXY_REQUESTS, PROXY_LOSE);
}

static void lose_answer(struct proxy_link *link)
{
    proxy_link_set(link, PROXY_ANSWERS, PROXY_LOSE);
}

static void hold_request(struct proxy_link *link)
{
    proxy_link_set(link, PROXY_REQUESTS, PROXY_HOLD);
}

static void hold_answer(struct proxy_link *link)
{
    proxy_link_set(link, PROXY_ANSWERS, PROXY_HOLD);
}

static void hold_and_let_go(struct proxy_link *link)
{
    proxy_link_set(link, PROXY_BOTH, PROXY_HOLD);
    proxy_link_set(link, PROXY_BOTH, PROXY_PASS);
}

static void cut(struct proxy_link *link)
{
    proxy_link_cut(link, PROXY_FIN);
}

static const struct {
    enum proxy_step at;
    void (*act)(struct proxy_link *link);
    bool executed; /* Redis sees it */
    unsigned calls[3];
    const char *heard; /* by the client */
    bool ends;
} acts[] = {
    {PROXY_ASKED, lose_request, false, {1, 0, 0}, SAYS_A, false},
    {PROXY_ASKED, lose_answer, true, {1, 1, 0}, "", false},
    {PROXY_ASKED, hold_request, false, {1, 0, 0}, SAYS_A, false},
    {PROXY_ASKED, hold_and_let_go, true, {1, 1, 1}, SAYS_A ":1\r\n" SAYS_B, false},
    {PROXY_ASKED, cut, false, {1, 0, 0}, "", true},
    {PROXY_EXECUTED, lose_answer, true, {1, 1, 0}, SAYS_A, false},
    {PROXY_EXECUTED, hold_answer, true, {1, 1, 0}, SAYS_A, false},
    {PROXY_EXECUTED, hold_and_let_go, true, {1, 1, 1}, SAYS_A ":1\r\n" SAYS_B, false},
    {PROXY_EXECUTED, cut, true, {1, 1, 0}, "", true},
    {PROXY_DELIVERED, cut, true, {1, 1, 1}, SAYS_A ":1\r\n" SAYS_B, true},
};

/* A request between two others, all in one packet: what is done at a step holds for it
 * already. */
START_TEST(a_callback_decides_about_the_very_message)
{
    int fd = connect_local();

    seen.act = acts[_i].act;
    seen.act_at = acts[_i].at;
    proxy_on(proxy, &(struct proxy_rule){.command = "INCR", .cb = take_step});
    say(fd, PING_A INCR("n") PING_B);
    if (acts[_i].ends)
        UNTIL(&world, seen.calls[acts[_i].at] == 1 && proxy_link_ct(proxy) == 0);
    if (!acts[_i].ends || acts[_i].at == PROXY_DELIVERED)
        expect(fd, acts[_i].heard);
    if (acts[_i].ends)
        expect_end(fd, 0);
    expect_calls(acts[_i].calls[0], acts[_i].calls[1], acts[_i].calls[2]);
    ck_assert_int_eq(real_redis_int(&world.server, "EXISTS n"), acts[_i].executed);
    (void)close(fd);
}
END_TEST

START_TEST(what_a_callback_holds_goes_on_when_let_go_and_is_told_once)
{
    int fd = connect_local();
    struct proxy_link *link;

    seen.act = _i ? hold_answer : hold_request;
    seen.act_at = _i ? PROXY_EXECUTED : PROXY_ASKED;
    proxy_on(proxy, &(struct proxy_rule){.command = "INCR", .cb = take_step});
    say(fd, INCR("n") PING_B);
    UNTIL(&world, seen.calls[seen.act_at] == 1);
    expect(fd, "");
    link = proxy_link_find(proxy, 1);
    ck_assert_uint_eq(proxy_link_id(link), 1);
    ck_assert_ptr_null(proxy_link_find(proxy, 2));
    proxy_link_set(link, PROXY_BOTH, PROXY_PASS);
    expect(fd, ":1\r\n" SAYS_B);
    expect_calls(1, 1, 1);
    (void)close(fd);
}
END_TEST

START_TEST(a_request_to_a_server_that_is_gone_ends_the_connection)
{
    int fd;

    real_redis_stop(&world.server);
    fd = connect_local();
    expect_end(fd, 0);
    (void)close(fd);
    real_redis_again(&world.server);
    fd = connect_local();
    say(fd, PING_A);
    expect(fd, SAYS_A);
    (void)close(fd);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, values_end_where_they_end_in_pieces_of_any_size);
    tcase_add_test(tc, a_request_has_words);
    tcase_add_loop_test(tc, what_is_said_arrives, 0, 2);
    tcase_add_test(tc, bytes_trickle_one_by_one);
    tcase_add_test(tc, what_is_not_resp_passes_as_bytes);
    tcase_add_loop_test(tc, what_is_held_comes_in_order_when_let_go, 0, 2);
    tcase_add_test(tc, what_is_held_is_let_go_after_its_client_went);
    tcase_add_loop_test(tc, what_is_lost_is_lost_whole, 0, 2);
    tcase_add_test(tc, a_connection_ends_after_so_many_bytes);
    tcase_add_test(tc, a_request_cut_in_its_middle_is_not_executed);
    tcase_add_loop_test(tc, connections_are_closed_or_reset, 0, 2);
    tcase_add_test(tc, connecting_is_refused_and_admitted_again);
    tcase_add_test(tc, a_rule_is_called_at_each_step_of_the_request_it_names);
    tcase_add_loop_test(tc, a_script_is_known_by_its_name, 0, 3);
    tcase_add_loop_test(tc, a_callback_decides_about_the_very_message, 0,
                        (int)ARRAY_CT(acts));
    tcase_add_loop_test(tc, what_a_callback_holds_goes_on_when_let_go_and_is_told_once, 0,
                        2);
    tcase_add_test(tc, a_request_to_a_server_that_is_gone_ends_the_connection);
}

int main(void)
{
    return run_suite("proxy", 60, add);
}
