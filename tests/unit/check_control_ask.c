/* The control socket as a file, and the asking side. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/must.h"
#include "supervisor/control.h"
#include "tests/unit/control_scene.h"
#include "tests/unit/suite.h"

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
    json_t *heard;

    start_server();
    heard = control_ask(path, json_pack("{s:s}", "cmd", "big"), 10000, &err);
    ck_assert_msg(heard != NULL, "%s", err.text);
    ck_assert_uint_eq(json_string_length(json_object_get(heard, "text")), BIG_ANSWER);
    json_decref(heard);
}
END_TEST

START_TEST(ask_tells_the_supervisors_pid_as_it_is_seen_from_here)
{
    struct err err = {0};
    json_t *heard;

    start_server();
    heard = control_ask(path, json_pack("{s:s}", "cmd", "about"), 10000, &err);
    ck_assert_msg(heard != NULL, "%s", err.text);
    ck_assert_int_eq(json_integer_value(json_object_get(heard, "peer_pid")), server);
    json_decref(heard);
}
END_TEST

START_TEST(ask_hands_on_the_servers_error)
{
    struct err err = {0};

    start_server();
    ck_assert_ptr_null(control_ask(path, json_pack("{s:i}", "x", 1), 10000, &err));
    ck_assert_int_eq(err.code, ERR_REPLY);
    ck_assert_str_eq(err.text, "no cmd");
}
END_TEST

START_TEST(ask_knows_when_nothing_runs)
{
    struct err err = {0};

    start_server();
    stop_server(); /* the socket file is still there */
    ck_assert_ptr_null(control_ask(path, json_pack("{s:i}", "x", 1), 10000, &err));
    ck_assert_int_eq(err.code, ERR_NOT_RUNNING);
    ck_assert_int_eq(unlink(path), 0);
    err = (struct err){0};
    ck_assert_ptr_null(control_ask(path, json_pack("{s:i}", "x", 1), 10000, &err));
    ck_assert_int_eq(err.code, ERR_NOT_RUNNING);
}
END_TEST

START_TEST(ask_knows_who_may_not)
{
    uid_t own = geteuid(), nobody = 65534;
    struct err err = {0};

    start_server();
    ck_assert_int_eq(chmod(path, 0), 0);
    ck_assert_int_eq(seteuid(own == 0 ? nobody : own), 0);
    ck_assert_ptr_null(control_ask(path, json_pack("{s:i}", "x", 1), 10000, &err));
    ck_assert_int_eq(seteuid(own), 0);
    ck_assert_int_eq(err.code, ERR_SYSTEM);
    ck_assert_ptr_nonnull(strstr(err.text, "only its own user and root"));
}
END_TEST

START_TEST(ask_gives_up_on_a_server_that_stands_still)
{
    struct err err = {0};
    int64_t since_ms = clock_mono_ms();

    start_server();
    ck_assert_int_eq(kill(server, SIGSTOP), 0);
    ck_assert_ptr_null(control_ask(path, json_pack("{s:i}", "x", 1), 200, &err));
    ck_assert_int_eq(err.code, ERR_CONN);
    ck_assert_int_ge(clock_mono_ms() - since_ms, 200);
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_checked_fixture(tc, open_dir, close_scene);
    tcase_add_test(tc, the_socket_is_its_owners_alone_and_goes_away);
    tcase_add_test(tc, a_dead_socket_is_taken_over_and_a_live_one_is_not);
    tcase_add_test(tc, what_is_no_socket_is_left_alone);
    tcase_add_test(tc, a_path_that_cannot_be_bound_is_said_so);
    tcase_add_test(tc, ask_returns_the_answer);
    tcase_add_test(tc, ask_tells_the_supervisors_pid_as_it_is_seen_from_here);
    tcase_add_test(tc, ask_hands_on_the_servers_error);
    tcase_add_test(tc, ask_knows_when_nothing_runs);
    tcase_add_test(tc, ask_knows_who_may_not);
    tcase_add_test(tc, ask_gives_up_on_a_server_that_stands_still);
}

int main(void)
{
    return run_suite("control_ask", 60, add_tests);
}
