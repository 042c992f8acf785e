/* The control socket against clients of all kinds: garbage, floods, silence. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/must.h"
#include "supervisor/control.h"
#include "tests/unit/control_scene.h"
#include "tests/unit/suite.h"

enum { LOW_FD_LIMIT = 24, NOBODY = 65534 };

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

/* ---- the socket ---- */

static void look(int fd)
{
    say_text(fd, "{\"cmd\":\"look\"}\n");
    hear_ok(fd);
}

START_TEST(a_socket_that_was_removed_is_made_anew)
{
    struct stat before, after;
    int fd = dial();

    ck_assert_int_eq(lstat(path, &before), 0);
    look(fd);
    ck_assert_int_eq(lstat(path, &after), 0);
    ck_assert_uint_eq(after.st_ino, before.st_ino); /* it was there */
    ck_assert_int_eq(unlink(path), 0);
    look(fd); /* who is there stays */
    ck_assert_int_eq(lstat(path, &after), 0);
    ck_assert(S_ISSOCK(after.st_mode));
    ck_assert_uint_eq(after.st_mode & 0777, 0600);
    must_still_answer();
    (void)close(fd);
}
END_TEST

START_TEST(what_lies_in_its_place_is_left_alone)
{
    int fd = dial(), file;
    struct stat st;

    ck_assert_int_eq(unlink(path), 0);
    file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    ck_assert_int_ge(file, 0);
    (void)close(file);
    look(fd);
    ck_assert_int_eq(lstat(path, &st), 0);
    ck_assert(S_ISREG(st.st_mode));
    ck_assert_int_eq(unlink(path), 0);
    look(fd);
    must_still_answer();
    (void)close(fd);
}
END_TEST

START_TEST(another_who_listens_in_its_place_is_left_alone)
{
    pid_t first = server;
    int fd = dial();

    ck_assert_int_eq(unlink(path), 0);
    start_server();
    look(fd);
    say_text(fd, "{\"cmd\":\"x\"}\n");
    hear_ok(fd);
    ck_assert_int_eq(about("requests"), 1); /* is what the second one has heard */
    (void)close(fd);
    stop_server();
    server = first;
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

static void add_tests(TCase *tc)
{
    tcase_add_checked_fixture(tc, open_scene, close_scene);
    tcase_add_test(tc, each_line_is_answered_in_order);
    tcase_add_test(tc, a_line_may_come_byte_by_byte);
    tcase_add_test(tc, a_half_closed_client_gets_its_answer);
    tcase_add_loop_test(tc, garbage_is_answered_with_an_error_and_never_acted_on, 0,
                        ARRAY_CT(garbage));
    tcase_add_test(tc, a_line_nested_as_deep_as_it_can_be_is_survived);
    tcase_add_test(tc, the_longest_line_is_taken_and_one_byte_more_is_not);
    tcase_add_test(tc, a_flood_without_newline_is_cut_off);
    tcase_add_test(tc, half_a_request_is_none);
    tcase_add_test(tc, a_client_that_says_nothing_is_closed);
    tcase_add_test(tc, a_thousand_idle_clients_keep_nobody_out);
    tcase_add_test(tc, a_client_that_takes_no_answers_is_not_read_from);
    tcase_add_test(tc, a_slow_taker_gets_all_its_answers);
    tcase_add_test(tc, clients_that_hang_up_early_do_no_harm);
    tcase_add_test(tc, without_descriptors_it_waits_and_does_not_spin);
    tcase_add_test(tc, a_socket_that_was_removed_is_made_anew);
    tcase_add_test(tc, what_lies_in_its_place_is_left_alone);
    tcase_add_test(tc, another_who_listens_in_its_place_is_left_alone);
    tcase_add_test(tc, other_users_are_refused);
}

int main(void)
{
    return run_suite("control", 60, add_tests);
}
