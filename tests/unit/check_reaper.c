/* Deaths of children: each is told once, to whom it concerns. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/reaper.h"
#include "tests/unit/suite.h"
#include "tests/unit/until.h"

struct scene {
    struct loop *loop;
    struct reaper *reaper;
    unsigned left; /* deaths still expected */
    pid_t pid, other;
    int status;
    int64_t max_rss_kb;
    int gate[2]; /* children wait for the end of this pipe */
};

static struct scene scene;

static void open_scene(void)
{
    struct err err;

    scene = (struct scene){.loop = loop_create(&err)};
    ck_assert_ptr_nonnull(scene.loop);
    scene.reaper = reaper_create(scene.loop, &err);
    ck_assert_ptr_nonnull(scene.reaper);
    ck_assert_int_eq(pipe2(scene.gate, O_CLOEXEC), 0);
}

static void close_scene(void)
{
    reaper_destroy(scene.reaper);
    loop_destroy(scene.loop);
    ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
    ck_assert_int_eq(errno, ECHILD);
}

/* A child that ends with `code` at once, or once the gate is opened. */
static pid_t start_child(int code, bool gated)
{
    pid_t pid = fork();
    char byte;

    ck_assert_int_ge(pid, 0);
    if (pid > 0)
        return pid;
    (void)close(scene.gate[1]);
    if (gated)
        (void)!read(scene.gate[0], &byte, 1);
    _exit(code);
}

static void open_gate(void)
{
    (void)close(scene.gate[1]);
}

static void note(pid_t pid, int status, const struct rusage *usage, void *arg)
{
    ck_assert_ptr_eq(arg, &scene);
    scene.pid = pid;
    scene.status = status;
    scene.max_rss_kb = usage->ru_maxrss;
    ck_assert_uint_gt(scene.left, 0);
    scene.left--;
}

static void must_not_come(pid_t pid, int status UNUSED, const struct rusage *usage UNUSED,
                          void *arg UNUSED)
{
    ck_abort_msg("told of the death of %d", (int)pid);
}

START_TEST(a_death_is_told_with_status_and_usage)
{
    pid_t pid = start_child(3, false);

    scene.left = 1;
    reaper_watch(scene.reaper, pid, note, &scene);
    run_until_zero(scene.loop, &scene.left);
    ck_assert_int_eq(scene.pid, pid);
    ck_assert(WIFEXITED(scene.status));
    ck_assert_int_eq(WEXITSTATUS(scene.status), 3);
    ck_assert_int_gt(scene.max_rss_kb, 0);
}
END_TEST

START_TEST(a_death_before_the_watch_is_told_too)
{
    pid_t pid = start_child(0, false);
    siginfo_t info;

    ck_assert_int_eq(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
    scene.left = 1;
    reaper_watch(scene.reaper, pid, note, &scene);
    run_until_zero(scene.loop, &scene.left);
    ck_assert_int_eq(scene.pid, pid);
}
END_TEST

START_TEST(a_stopped_child_is_not_dead)
{
    pid_t pid = start_child(0, true);
    siginfo_t info;

    reaper_watch(scene.reaper, pid, note, &scene); /* left is 0: note() would object */
    ck_assert_int_eq(kill(pid, SIGSTOP), 0);
    ck_assert_int_eq(waitid(P_PID, (id_t)pid, &info, WSTOPPED | WNOWAIT), 0);
    scene.left = 1;
    ck_assert_int_eq(kill(pid, SIGKILL), 0);
    run_until_zero(scene.loop, &scene.left);
    ck_assert(WIFSIGNALED(scene.status));
    ck_assert_int_eq(WTERMSIG(scene.status), SIGKILL);
}
END_TEST

enum { CROWD = 1000 };

START_TEST(a_thousand_deaths_at_once_are_all_told)
{
    scene.left = CROWD;
    for (int i = 0; i < CROWD; i++)
        reaper_watch(scene.reaper, start_child(0, true), note, &scene);
    open_gate();
    run_until_zero(scene.loop, &scene.left);
}
END_TEST

/* Of two that die together the first one told forgets the other, and starts a third. */
static void forget_other(pid_t pid, int status UNUSED, const struct rusage *usage UNUSED,
                         void *arg)
{
    pid_t *pair = arg;
    pid_t third = start_child(5, false);

    reaper_forget(scene.reaper, pid);
    reaper_forget(scene.reaper, pid == pair[0] ? pair[1] : pair[0]);
    reaper_watch(scene.reaper, third, note, &scene);
}

START_TEST(a_callback_may_watch_and_forget)
{
    pid_t pair[2];
    siginfo_t info;

    scene.left = 1; /* the third: more would be told to note(), which objects */
    for (int i = 0; i < 2; i++) {
        pair[i] = start_child(0, true);
        reaper_watch(scene.reaper, pair[i], forget_other, pair);
    }
    open_gate();
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(waitid(P_PID, (id_t)pair[i], &info, WEXITED | WNOWAIT), 0);
    run_until_zero(scene.loop, &scene.left);
    ck_assert_int_eq(WEXITSTATUS(scene.status), 5);
    ck_assert_int_eq(waitpid(pair[0], NULL, WNOHANG), -1);
    ck_assert_int_eq(waitpid(pair[1], NULL, WNOHANG), -1);
}
END_TEST

START_TEST(a_forgotten_child_is_reaped_and_goes_to_the_orphans)
{
    pid_t pid = start_child(7, true);

    reaper_watch(scene.reaper, pid, must_not_come, NULL);
    reaper_forget(scene.reaper, pid);
    reaper_forget(scene.reaper, pid);
    reaper_on_orphan(scene.reaper, note, &scene);
    scene.left = 1;
    open_gate();
    run_until_zero(scene.loop, &scene.left);
    ck_assert_int_eq(scene.pid, pid);
    ck_assert_int_eq(WEXITSTATUS(scene.status), 7);
}
END_TEST

static bool no_children_left(void *arg UNUSED)
{
    siginfo_t info;

    return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 && errno == ECHILD;
}

START_TEST(orphans_that_a_subreaper_inherits_are_reaped)
{
    pid_t pid;

    ck_assert_int_eq(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        (void)start_child(1, true);
        (void)start_child(2, true);
        _exit(0);
    }
    scene.left = 1;
    reaper_watch(scene.reaper, pid, note, &scene);
    run_until_zero(scene.loop, &scene.left);
    open_gate();
    run_until(scene.loop, no_children_left, NULL);
}
END_TEST

static void destroy_reaper(pid_t pid UNUSED, int status UNUSED,
                           const struct rusage *usage UNUSED, void *arg)
{
    reaper_destroy(scene.reaper);
    scene.reaper = NULL;
    --*(unsigned *)arg;
}

START_TEST(a_callback_may_destroy_the_reaper)
{
    unsigned left = 1;
    pid_t pids[2] = {start_child(0, true), start_child(0, true)};
    siginfo_t info;

    for (int i = 0; i < 2; i++)
        reaper_watch(scene.reaper, pids[i], destroy_reaper, &left);
    open_gate();
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(waitid(P_PID, (id_t)pids[i], &info, WEXITED | WNOWAIT), 0);
    run_until_zero(scene.loop, &left);
    ck_assert_int_gt(waitpid(-1, NULL, 0), 0); /* the other is left to who comes next */
}
END_TEST

START_TEST(watching_a_pid_twice_is_a_bug)
{
    reaper_watch(scene.reaper, 12345, note, &scene);
    (void)close(STDERR_FILENO);
    reaper_watch(scene.reaper, 12345, note, &scene);
}
END_TEST

static const struct {
    int status;
    const char *text;
} endings[] = {
    {0, "exit status 0"},
    {W_EXITCODE(3, 0), "exit status 3"},
    {W_EXITCODE(255, 0), "exit status 255"},
    {SIGSEGV, "killed by SIGSEGV"},
    {SIGSEGV | 0x80, "killed by SIGSEGV (core dumped)"},
    {SIGKILL, "killed by SIGKILL"},
    {64, "killed by SIGRTMIN+30"},
    {W_STOPCODE(SIGSTOP), "wait status 0x137f"},
};

START_TEST(endings_are_described)
{
    char text[REAPER_TEXT_BYTES];

    reaper_describe(endings[_i].status, text, sizeof(text));
    ck_assert_str_eq(text, endings[_i].text);
}
END_TEST

START_TEST(every_signal_has_a_name)
{
    for (int signum = 1; signum < SIGSYS; signum++)
        ck_assert_int_eq(strncmp(reaper_signal_name(signum), "SIG", 3), 0);
    ck_assert_str_eq(reaper_signal_name(SIGTERM), "SIGTERM");
    ck_assert_str_eq(reaper_signal_name(SIGRTMIN), "SIGRTMIN");
    ck_assert_str_eq(reaper_signal_name(SIGRTMIN + 3), "SIGRTMIN+3");
    ck_assert_str_eq(reaper_signal_name(77), "signal 77");
    ck_assert_str_eq(reaper_signal_name(127), "signal 127");
    ck_assert_str_eq(reaper_signal_name(0), "signal 0");
    ck_assert_str_eq(reaper_signal_name(-1), "unknown signal");
    ck_assert_str_eq(reaper_signal_name(100000), "unknown signal");
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_checked_fixture(tc, open_scene, close_scene);
    tcase_add_test(tc, a_death_is_told_with_status_and_usage);
    tcase_add_test(tc, a_death_before_the_watch_is_told_too);
    tcase_add_test(tc, a_stopped_child_is_not_dead);
    tcase_add_test(tc, a_thousand_deaths_at_once_are_all_told);
    tcase_add_test(tc, a_callback_may_watch_and_forget);
    tcase_add_test(tc, a_forgotten_child_is_reaped_and_goes_to_the_orphans);
    tcase_add_test(tc, orphans_that_a_subreaper_inherits_are_reaped);
    tcase_add_test(tc, a_callback_may_destroy_the_reaper);
    tcase_add_test_raise_signal(tc, watching_a_pid_twice_is_a_bug, SIGABRT);
    tcase_add_loop_test(tc, endings_are_described, 0, ARRAY_CT(endings));
    tcase_add_test(tc, every_signal_has_a_name);
}

int main(void)
{
    return run_suite("reaper", 60, add_tests);
}
