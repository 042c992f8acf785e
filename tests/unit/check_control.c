/* The control socket against clients of all kinds. The server runs in a process of its
 * own; its request callback echoes, and tells about itself when asked. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/must.h"
#include "supervisor/control.h"
#include "tests/unit/suite.h"

enum { WAIT_S = 20, BIG_ANSWER = 200000, LOW_FD_LIMIT = 24, NOBODY = 65534 };

static char dir[64];
static char path[96];
static pid_t server;

/* ---- the server ---- */

static struct loop *server_loop;
static unsigned requests;

static json_t *big_answer(void)
{
    char *text = must_alloc(BIG_ANSWER + 1);
    json_t *answer;

    memset(text, 'x', BIG_ANSWER);
    answer = json_pack("{s:b, s:s}", "ok", 1, "text", text);
    free(text);
    return answer;
}

static json_t *limit_descriptors(json_int_t limit)
{
    struct rlimit files = {.rlim_cur = (rlim_t)limit, .rlim_max = 1024};

    return json_pack("{s:b}", "ok", setrlimit(RLIMIT_NOFILE, &files) == 0);
}

static json_t *answer(void *arg, const json_t *request)
{
    const char *cmd = json_string_value(json_object_get(request, "cmd"));

    ck_assert_ptr_eq(arg, &requests);
    requests++;
    if (cmd == NULL)
        return control_error("no cmd");
    if (strcmp(cmd, "big") == 0)
        return big_answer();
    if (strcmp(cmd, "about") == 0)
        return json_pack("{s:b, s:I, s:I}", "ok", 1, "requests", (json_int_t)requests,
                         "turns", (json_int_t)loop_turns(server_loop));
    if (strcmp(cmd, "limit") == 0)
        return limit_descriptors(
            json_integer_value(json_object_get(request, "descriptors")));
    return json_pack("{s:b, s:s}", "ok", 1, "echo", cmd);
}

static void serve(int ready_fd)
{
    struct err err = {0};
    struct control *control;

    server_loop = loop_create(&err);
    control = control_create(server_loop, path, answer, &requests, &err);
    if (control == NULL) {
        (void)fprintf(stderr, "%s\n", err.text);
        _exit(1);
    }
    (void)!write(ready_fd, "r", 1);
    (void)close(ready_fd);
    loop_run(server_loop);
    _exit(0);
}

static void start_server(void)
{
    int ready[2];
    char byte;

    ck_assert_int_eq(pipe(ready), 0);
    server = fork();
    ck_assert_int_ge(server, 0);
    if (server == 0) {
        (void)close(ready[0]);
        serve(ready[1]);
    }
    (void)close(ready[1]);
    ck_assert_int_eq(read(ready[0], &byte, 1), 1);
    (void)close(ready[0]);
}

static void stop_server(void)
{
    int status;

    if (server == 0)
        return;
    ck_assert_int_eq(waitpid(server, &status, WNOHANG), 0); /* it lived through it all */
    ck_assert_int_eq(kill(server, SIGKILL), 0);
    ck_assert_int_eq(waitpid(server, &status, 0), server);
    server = 0;
}

static void open_dir(void)
{
    (void)snprintf(dir, sizeof(dir), "/tmp/drover-control-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    (void)snprintf(path, sizeof(path), "%s/control.sock", dir);
}

static void open_scene(void)
{
    open_dir();
    start_server();
}

static void close_scene(void)
{
    stop_server();
    (void)unlink(path);
    ck_assert_int_eq(rmdir(dir), 0);
}

/* ---- clients ---- */

static int dial(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct timeval patience = {.tv_sec = WAIT_S};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    ck_assert_int_ge(fd, 0);
    memcpy(address.sun_path, path, strlen(path) + 1);
    ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)),
                     0);
    ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)),
                     0);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

static void say(int fd, const char *bytes, size_t len)
{
    ck_assert_int_eq(send(fd, bytes, len, MSG_NOSIGNAL), (ssize_t)len);
}

static void say_text(int fd, const char *text)
{
    say(fd, text, strlen(text));
}

/* One line of the answer, without its newline. */
static json_t *hear(int fd)
{
    static char line[2 * BIG_ANSWER];
    const char *end = NULL;
    size_t len = 0;
    json_t *heard;

    while (end == NULL) { /* takes no more than the line */
        ssize_t n = recv(fd, line + len, sizeof(line) - len, MSG_PEEK);

        ck_assert_int_gt(n, 0);
        end = memchr(line + len, '\n', (size_t)n);
        if (end)
            n = end + 1 - (line + len);
        ck_assert_int_eq(recv(fd, line + len, (size_t)n, 0), n);
        len += (size_t)n;
    }
    heard = json_loadb(line, len, 0, NULL);
    ck_assert(json_is_object(heard));
    return heard;
}

static void hear_ok(int fd)
{
    json_t *heard = hear(fd);

    ck_assert(json_is_true(json_object_get(heard, "ok")));
    json_decref(heard);
}

static void hear_error(int fd, const char *part)
{
    json_t *heard = hear(fd);
    const char *error = json_string_value(json_object_get(heard, "error"));

    ck_assert(json_is_false(json_object_get(heard, "ok")));
    ck_assert_msg(error && strstr(error, part), "\"%s\" is not in \"%s\"", part, error);
    json_decref(heard);
}

/* The server has closed: end of file, or a reset where it had unread input. */
static void hear_end(int fd)
{
    char bytes[4096];
    ssize_t n;

    do
        n = recv(fd, bytes, sizeof(bytes), 0);
    while (n > 0);
    ck_assert(n == 0 || errno == ECONNRESET);
    (void)close(fd);
}

static json_int_t about(const char *what)
{
    int fd = dial();
    json_t *heard;
    json_int_t number;

    say_text(fd, "{\"cmd\":\"about\"}\n");
    heard = hear(fd);
    number = json_integer_value(json_object_get(heard, what));
    json_decref(heard);
    (void)close(fd);
    return number;
}

static void must_still_answer(void)
{
    int fd = dial();

    say_text(fd, "{\"cmd\":\"x\"}\n");
    hear_ok(fd);
    (void)close(fd);
}

/* ---- lines ---- */

START_TEST(each_line_is_answered_in_order)
{
    int fd = dial();

    for (int i = 0; i < 3; i++) {
        say_text(fd, "{\"cmd\":\"x\"}\n");
        hear_ok(fd);
    }
    say_text(fd, "{\"cmd\":\"a\"}\n{}\n{\"cmd\":\"b\"}\n");
    hear_ok(fd);
    hear_error(fd, "no cmd");
    hear_ok(fd);
    (void)close(fd);
}
END_TEST

START_TEST(a_line_may_come_byte_by_byte)
{
    const char *line = "{\"cmd\":\"x\"}\n";
    int fd = dial();

    for (size_t i = 0; i < strlen(line); i++)
        say(fd, line + i, 1);
    hear_ok(fd);
    (void)close(fd);
}
END_TEST

START_TEST(a_half_closed_client_gets_its_answer)
{
    int fd = dial();

    say_text(fd, "{\"cmd\":\"big\"}\n");
    ck_assert_int_eq(shutdown(fd, SHUT_WR), 0);
    hear_ok(fd);
    hear_end(fd);
}
END_TEST

#define TEXT(text)                                                                       \
    {                                                                                    \
        text, sizeof(text) - 1                                                           \
    }
static const struct {
    const char *bytes;
    size_t len;
} garbage[] = {
    TEXT("\n"),
    TEXT("x\n"),
    TEXT("null\n"),
    TEXT("7\n"),
    TEXT("[]\n"),
    TEXT("[{\"cmd\":\"x\"}]\n"),
    TEXT("{\"cmd\":\"x\"\n"),
    TEXT("{\"cmd\":\"x\"}}\n"),
    TEXT("{\"cmd\":\"x\",\"cmd\":\"y\"}\n"),
    TEXT("{\"cmd\":\"\0\"}\n"),
    TEXT("\0\n"),
    TEXT("{\"cmd\":\"\xff\xfe\"}\n"),
    TEXT("GET / HTTP/1.1\n"),
    TEXT("{\"cmd\":\"\\ud800\"}\n"),
    TEXT("{\"n\":1e99999}\n"),
};

START_TEST(garbage_is_answered_with_an_error_and_never_acted_on)
{
    int fd = dial();

    say(fd, garbage[_i].bytes, garbage[_i].len);
    hear_error(fd, "one JSON object");
    say_text(fd, "{\"cmd\":\"about\"}\n");
    {
        json_t *heard = hear(fd);

        ck_assert_int_eq(json_integer_value(json_object_get(heard, "requests")), 1);
        json_decref(heard);
    }
    (void)close(fd);
}
END_TEST

START_TEST(a_line_nested_as_deep_as_it_can_be_is_survived)
{
    char line[CONTROL_LINE_MAX];
    int fd = dial();

    memset(line, '[', sizeof(line) - 1);
    line[sizeof(line) - 1] = '\n';
    say(fd, line, sizeof(line));
    hear_error(fd, "one JSON object");
    (void)close(fd);
}
END_TEST

START_TEST(the_longest_line_is_taken_and_one_byte_more_is_not)
{
    char line[CONTROL_LINE_MAX + 1];
    int fd = dial();

    memset(line, ' ', sizeof(line));
    memcpy(line, "{\"cmd\":\"x\"}", 11);
    line[CONTROL_LINE_MAX - 1] = '\n';
    say(fd, line, CONTROL_LINE_MAX);
    hear_ok(fd);
    line[CONTROL_LINE_MAX - 1] = ' ';
    line[CONTROL_LINE_MAX] = '\n';
    say(fd, line, CONTROL_LINE_MAX + 1);
    hear_error(fd, "too long");
    hear_end(fd);
}
END_TEST

START_TEST(a_flood_without_newline_is_cut_off)
{
    char bytes[65536];
    int fd = dial();
    size_t sent = 0;
    ssize_t n;

    memset(bytes, 'x', sizeof(bytes));
    do {
        n = send(fd, bytes, sizeof(bytes), MSG_NOSIGNAL);
        sent += n > 0 ? (size_t)n : 0;
    } while (n > 0 && sent < ((size_t)1 << 30));
    ck_assert_int_lt(n, 0);
    ck_assert(errno == EPIPE || errno == ECONNRESET);
    ck_assert_uint_lt(sent, 8 << 20);
    (void)close(fd);
    must_still_answer();
}
END_TEST

START_TEST(half_a_request_is_none)
{
    int fd = dial();

    say_text(fd, "{\"cmd\":\"x\"}"); /* whole as JSON, but not as a line */
    ck_assert_int_eq(shutdown(fd, SHUT_WR), 0);
    hear_end(fd);
    ck_assert_int_eq(about("requests"), 1);
}
END_TEST

/* ---- clients that want too much, or nothing ---- */

START_TEST(a_client_that_says_nothing_is_closed)
{
    int64_t since_ms = clock_mono_ms();
    int silent = dial(), slow = dial(), busy = dial();

    say_text(slow, "{\"cmd\":");
    say_text(busy, "{\"cmd\":\"x\"}\n");
    hear_ok(busy);
    hear_end(silent);
    hear_end(slow);
    ck_assert_int_ge(clock_mono_ms() - since_ms, CONTROL_IDLE_MS - 100);
    hear_end(busy);
}
END_TEST

START_TEST(a_thousand_idle_clients_keep_nobody_out)
{
    static int idle[900];
    size_t closed = 0;

    for (size_t i = 0; i < ARRAY_CT(idle); i++)
        idle[i] = dial();
    must_still_answer();
    for (size_t i = 0; i < ARRAY_CT(idle); i++) {
        char byte;

        closed += recv(idle[i], &byte, 1, MSG_DONTWAIT) == 0;
        (void)close(idle[i]);
    }
    ck_assert_uint_ge(closed, ARRAY_CT(idle) - CONTROL_CLIENTS_MAX);
    must_still_answer();
}
END_TEST

START_TEST(a_client_that_takes_no_answers_is_not_read_from)
{
    const char *line = "{\"cmd\":\"big\"}\n";
    int fd = dial();
    unsigned sent = 0;

    while (sent < 100000 && send(fd, line, strlen(line), MSG_NOSIGNAL | MSG_DONTWAIT) ==
                                (ssize_t)strlen(line))
        sent++;
    must_still_answer();
    ck_assert_int_lt(about("requests"), 40); /* some fit into the socket's buffer */
    hear_end(fd);
}
END_TEST

START_TEST(a_slow_taker_gets_all_its_answers)
{
    int fd = dial();

    for (int i = 0; i < 20; i++)
        say_text(fd, "{\"cmd\":\"big\"}\n");
    for (int i = 0; i < 20; i++)
        hear_ok(fd);
    (void)close(fd);
}
END_TEST

START_TEST(clients_that_hang_up_early_do_no_harm)
{
    for (int i = 0; i < 50; i++) {
        int fd = dial();

        say_text(fd, "{\"cmd\":\"big\"}\n{\"cmd\":\"big\"}\n");
        (void)close(fd);
    }
    must_still_answer();
}
END_TEST

START_TEST(without_descriptors_it_waits_and_does_not_spin)
{
    int keeper = dial(), clients[LOW_FD_LIMIT];
    json_int_t before;
    json_t *heard;

    say_text(keeper, "{\"cmd\":\"limit\",\"descriptors\":24}\n");
    hear_ok(keeper);
    for (size_t i = 0; i < ARRAY_CT(clients); i++)
        clients[i] = dial(); /* the kernel takes them into the backlog */
    say_text(keeper, "{\"cmd\":\"about\"}\n");
    heard = hear(keeper);
    before = json_integer_value(json_object_get(heard, "turns"));
    json_decref(heard);
    for (int i = 0; i < 3; i++) { /* some time passes: the server answers big ones */
        say_text(keeper, "{\"cmd\":\"big\"}\n");
        hear_ok(keeper);
    }
    say_text(keeper, "{\"cmd\":\"about\"}\n");
    heard = hear(keeper);
    ck_assert_int_lt(json_integer_value(json_object_get(heard, "turns")) - before, 60);
    json_decref(heard);
    for (size_t i = 0; i < ARRAY_CT(clients); i++)
        (void)close(clients[i]);
    must_still_answer();
    (void)close(keeper);
}
END_TEST

START_TEST(other_users_are_refused)
{
    int status;
    pid_t pid;

    if (geteuid() != 0)
        return; /* nobody to become */
    ck_assert_int_eq(chmod(dir, 0755), 0);
    ck_assert_int_eq(chmod(path, 0666), 0); /* past the mode, to the check behind it */
    pid = fork();
    if (pid == 0) {
        int fd;

        ck_assert_int_eq(setgid(NOBODY), 0);
        ck_assert_int_eq(setuid(NOBODY), 0);
        fd = dial();
        (void)send(fd, "{\"cmd\":\"x\"}\n", 12, MSG_NOSIGNAL);
        hear_error(fd, "only root");
        hear_end(fd);
        _exit(0);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
    ck_assert_int_eq(about("requests"), 1);
}
END_TEST

/* ---- the socket ---- */

static struct control *try_listen(struct loop *loop, const char *where, struct err *err)
{
    *err = (struct err){0};
    return control_create(loop, where, answer, &requests, err);
}

START_TEST(the_socket_is_its_owners_alone_and_goes_away)
{
    struct err err = {0};
    struct loop *loop = loop_create(&err);
    mode_t mask = umask(022);
    struct control *control = try_listen(loop, path, &err);
    struct stat st;

    ck_assert_ptr_nonnull(control);
    ck_assert_int_eq(umask(mask), 022);
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert(S_ISSOCK(st.st_mode));
    ck_assert_int_eq(st.st_mode & 0777, 0600);
    control_destroy(control);
    loop_destroy(loop);
    ck_assert_int_eq(stat(path, &st), -1);
}
END_TEST

START_TEST(a_dead_socket_is_taken_over_and_a_live_one_is_not)
{
    struct err err = {0};
    struct loop *loop = loop_create(&err);
    struct control *control;

    start_server();
    ck_assert_ptr_null(try_listen(loop, path, &err));
    ck_assert_ptr_nonnull(strstr(err.text, "somebody listens"));
    must_still_answer();
    stop_server(); /* by KILL: its socket stays */
    ck_assert_int_eq(access(path, F_OK), 0);
    control = try_listen(loop, path, &err);
    ck_assert_msg(control != NULL, "%s", err.text);
    control_destroy(control);
    loop_destroy(loop);
}
END_TEST

START_TEST(what_is_no_socket_is_left_alone)
{
    struct err err = {0};
    struct loop *loop = loop_create(&err);
    FILE *file = fopen(path, "we");

    ck_assert_ptr_nonnull(file);
    (void)fclose(file);
    ck_assert_ptr_null(try_listen(loop, path, &err));
    ck_assert_ptr_nonnull(strstr(err.text, "not a socket"));
    ck_assert_int_eq(access(path, F_OK), 0);
    loop_destroy(loop);
}
END_TEST

START_TEST(a_path_that_cannot_be_bound_is_said_so)
{
    struct err err = {0};
    struct loop *loop = loop_create(&err);
    char *deep = must_format("/tmp/%0200d/control.sock", 0);

    ck_assert_ptr_null(try_listen(loop, deep, &err));
    ck_assert_ptr_nonnull(strstr(err.text, "too long"));
    ck_assert_ptr_null(try_listen(loop, "/nonexistent/control.sock", &err));
    ck_assert_ptr_nonnull(strstr(err.text, "No such file"));
    free(deep);
    loop_destroy(loop);
}
END_TEST

/* ---- control_ask() ---- */

START_TEST(ask_returns_the_answer)
{
    struct err err = {0};
    json_t *heard = control_ask(path, json_pack("{s:s}", "cmd", "big"), 10000, &err);

    ck_assert_msg(heard != NULL, "%s", err.text);
    ck_assert_uint_eq(json_string_length(json_object_get(heard, "text")), BIG_ANSWER);
    json_decref(heard);
}
END_TEST

START_TEST(ask_hands_on_the_servers_error)
{
    struct err err = {0};

    ck_assert_ptr_null(control_ask(path, json_pack("{s:i}", "x", 1), 10000, &err));
    ck_assert_int_eq(err.code, ERR_REPLY);
    ck_assert_str_eq(err.text, "no cmd");
}
END_TEST

START_TEST(ask_knows_when_nothing_runs)
{
    struct err err = {0};

    stop_server(); /* the socket file is still there */
    ck_assert_ptr_null(control_ask(path, json_pack("{s:i}", "x", 1), 10000, &err));
    ck_assert_int_eq(err.code, ERR_NOT_RUNNING);
    ck_assert_int_eq(unlink(path), 0);
    err = (struct err){0};
    ck_assert_ptr_null(control_ask(path, json_pack("{s:i}", "x", 1), 10000, &err));
    ck_assert_int_eq(err.code, ERR_NOT_RUNNING);
}
END_TEST

START_TEST(ask_gives_up_on_a_server_that_stands_still)
{
    struct err err = {0};
    int64_t since_ms = clock_mono_ms();

    ck_assert_int_eq(kill(server, SIGSTOP), 0);
    ck_assert_ptr_null(control_ask(path, json_pack("{s:i}", "x", 1), 200, &err));
    ck_assert_int_eq(err.code, ERR_CONN);
    ck_assert_int_ge(clock_mono_ms() - since_ms, 200);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *lines = tcase_create("lines"), *sockets = tcase_create("sockets");

    tcase_set_timeout(lines, 60);
    tcase_add_checked_fixture(lines, open_scene, close_scene);
    tcase_add_test(lines, each_line_is_answered_in_order);
    tcase_add_test(lines, a_line_may_come_byte_by_byte);
    tcase_add_test(lines, a_half_closed_client_gets_its_answer);
    tcase_add_loop_test(lines, garbage_is_answered_with_an_error_and_never_acted_on, 0,
                        ARRAY_CT(garbage));
    tcase_add_test(lines, a_line_nested_as_deep_as_it_can_be_is_survived);
    tcase_add_test(lines, the_longest_line_is_taken_and_one_byte_more_is_not);
    tcase_add_test(lines, a_flood_without_newline_is_cut_off);
    tcase_add_test(lines, half_a_request_is_none);
    tcase_add_test(lines, a_client_that_says_nothing_is_closed);
    tcase_add_test(lines, a_thousand_idle_clients_keep_nobody_out);
    tcase_add_test(lines, a_client_that_takes_no_answers_is_not_read_from);
    tcase_add_test(lines, a_slow_taker_gets_all_its_answers);
    tcase_add_test(lines, clients_that_hang_up_early_do_no_harm);
    tcase_add_test(lines, without_descriptors_it_waits_and_does_not_spin);
    tcase_add_test(lines, other_users_are_refused);
    tcase_add_test(lines, ask_returns_the_answer);
    tcase_add_test(lines, ask_hands_on_the_servers_error);
    tcase_add_test(lines, ask_knows_when_nothing_runs);
    tcase_add_test(lines, ask_gives_up_on_a_server_that_stands_still);
    suite_add_tcase(suite, lines);

    tcase_set_timeout(sockets, 60);
    tcase_add_checked_fixture(sockets, open_dir, close_scene);
    tcase_add_test(sockets, the_socket_is_its_owners_alone_and_goes_away);
    tcase_add_test(sockets, a_dead_socket_is_taken_over_and_a_live_one_is_not);
    tcase_add_test(sockets, what_is_no_socket_is_left_alone);
    tcase_add_test(sockets, a_path_that_cannot_be_bound_is_said_so);
    suite_add_tcase(suite, sockets);
}

int main(void)
{
    Suite *suite = suite_create("control");
    SRunner *runner = srunner_create(suite);
    int failed;

    add_cases(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
