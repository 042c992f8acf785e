/* What a started program finds, and what is left of one that could not be started. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/spawn.h"
#include "tests/unit/suite.h"

#define ARGV(...) ((const char *const[]){__VA_ARGS__, NULL})

static const char *const no_env[] = {NULL};
static char dir[] = "/tmp/check_spawn.XXXXXX";

static void make_dir(void)
{
    ck_assert_ptr_nonnull(mkdtemp(dir));
    ck_assert_int_eq(chdir(dir), 0);
}

static void remove_dir(void)
{
    char *command = must_format("rm -rf %s", dir);

    ck_assert_int_eq(system(command), 0);
    free(command);
}

static void write_file(const char *name, const char *text, mode_t mode)
{
    FILE *file = fopen(name, "we");

    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(text, file), 0);
    ck_assert_int_eq(fclose(file), 0);
    ck_assert_int_eq(chmod(name, mode), 0);
}

static struct spawn spec_of(const char *const *argv)
{
    return (struct spawn){
        .file = argv[0], .argv = argv, .envp = no_env, .fds = {-1, -1, -1}};
}

static void wait_for(pid_t pid, int status)
{
    int got;

    ck_assert_int_eq(waitpid(pid, &got, 0), pid);
    ck_assert_int_eq(got, status);
}

/* Reads to the end; a test's timeout is its deadline. */
static void read_all(int fd, struct buf *out)
{
    char bytes[4096];
    ssize_t n;

    while ((n = read(fd, bytes, sizeof(bytes))) > 0)
        ck_assert_int_eq(buf_add(out, bytes, (size_t)n), 0);
    ck_assert_int_eq(n, 0);
    (void)close(fd);
}

/* Runs it to its end, which must be exit 0; what it wrote to stdout is in `out`. */
static void run(struct spawn *spec, struct buf *out)
{
    struct err err = {.code = ERR_NONE};
    int fds[2], exec_errno = -1;
    pid_t pid;

    buf_init(out, 0);
    ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
    spec->fds[1] = fds[1];
    pid = spawn_hook(spec, &exec_errno, &err);
    ck_assert_msg(pid > 0, "%s", err.text);
    ck_assert_int_eq(exec_errno, 0);
    (void)close(fds[1]);
    read_all(fds[0], out);
    wait_for(pid, 0);
}

static void assert_output(struct spawn *spec, const char *text)
{
    struct buf out;

    run(spec, &out);
    ck_assert_str_eq(out.len ? out.data : "", text);
    buf_free(&out);
}

START_TEST(the_environment_is_the_given_one)
{
    struct spawn spec = spec_of(ARGV("/usr/bin/env"));

    ck_assert_int_eq(setenv("SECRET", "x", 1), 0);
    spec.envp = ARGV("A=1", "B=two words");
    assert_output(&spec, "A=1\nB=two words\n");
    spec.envp = no_env;
    assert_output(&spec, "");
}
END_TEST

START_TEST(arguments_arrive_as_they_are)
{
    struct spawn spec =
        spec_of(ARGV("/usr/bin/printf", "%s|", "a b", "", "'; touch x; '", "$(id)", "*"));

    assert_output(&spec, "a b||'; touch x; '|$(id)|*|");
}
END_TEST

START_TEST(only_three_fds_are_open)
{
    struct spawn spec = spec_of(ARGV("/bin/ls", "/proc/self/fd"));
    int leak = open("/dev/null", O_RDONLY); /* no O_CLOEXEC */

    ck_assert_int_eq(dup2(leak, 3), 3);
    ck_assert_int_eq(dup2(leak, 200), 200);
    assert_output(&spec, "0\n1\n2\n3\n"); /* 3 is the directory ls reads */
}
END_TEST

START_TEST(further_fds_are_open_where_they_are_named)
{
    struct spawn spec =
        spec_of(ARGV("/bin/sh", "-c", "set -- /proc/$$/fd/*; echo $#; cat <&3"));
    int in[2], leak = open("/dev/null", O_RDONLY | O_CLOEXEC);

    ck_assert_int_eq(pipe2(in, O_CLOEXEC), 0);
    ck_assert_int_eq(write(in[1], "on 3\n", 5), 5);
    ck_assert_int_eq(close(in[1]), 0);
    ck_assert_int_eq(dup2(leak, 200), 200); /* no O_CLOEXEC */
    spec.fd_ct = 5;
    spec.fds[3] = in[0];
    spec.fds[4] = -1;
    assert_output(&spec, "6\non 3\n"); /* five, and the directory */
    (void)close(in[0]);
}
END_TEST

START_TEST(an_unnamed_fd_is_dev_null)
{
    struct spawn spec =
        spec_of(ARGV("/bin/readlink", "/proc/self/fd/0", "/proc/self/fd/2"));

    assert_output(&spec, "/dev/null\n/dev/null\n");
}
END_TEST

/* All ways to lay f0, f1, f2, each open at 0, 1, 2 or 9, out to the child's 0, 1, 2. */
static const struct {
    int at[3]; /* where file i is open here; -1: nowhere, the child gets /dev/null */
} layouts[] = {
    {{0, 1, 2}}, {{0, 2, 1}}, {{1, 0, 2}},   {{1, 2, 0}},    {{2, 0, 1}},  {{2, 1, 0}},
    {{9, 0, 1}}, {{1, 9, 0}}, {{2, 2, 2}},   {{-1, 0, 1}},   {{1, -1, 0}}, {{2, 0, -1}},
    {{9, 9, 0}}, {{0, 0, 9}}, {{-1, -1, 0}}, {{-1, -1, -1}},
};

START_TEST(fds_find_their_places_also_where_they_collide)
{
    static const char script[] = "p=/proc/$$/fd; "
                                 "links=$(readlink $p/0 $p/1 $p/2); echo \"$links\" >out";
    struct spawn spec = spec_of(ARGV("/bin/sh", "-c", script));
    int out_fd, saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 100);
    struct buf out, want;
    pid_t pid;

    buf_init(&out, 0);
    buf_init(&want, 0);
    for (int fd = 0; fd < 3; fd++)
        (void)close(fd);
    for (int i = 0; i < 3; i++) {
        int at = layouts[_i].at[i];
        char name[] = {'f', (char)('0' + (at == 9 ? 9 : at)), '\0'};

        spec.fds[i] = at;
        (void)buf_addf(&want, at < 0 ? "/dev/null\n" : "%s/%s\n", dir, name);
        if (at >= 0 && fcntl(at, F_GETFD) < 0) {
            int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

            if (fd != at && (dup3(fd, at, O_CLOEXEC) != at || close(fd) != 0))
                _exit(99);
        }
    }
    pid = spawn_hook(&spec, NULL, NULL);
    for (int fd = 0; fd < 3; fd++)
        (void)dup2(saved, fd); /* what Check says must find its way */
    ck_assert_int_gt(pid, 0);
    wait_for(pid, 0);
    out_fd = open("out", O_RDONLY | O_CLOEXEC);
    ck_assert_int_ge(out_fd, 0);
    read_all(out_fd, &out);
    ck_assert_str_eq(out.data, want.data);
    buf_free(&out);
    buf_free(&want);
}
END_TEST

static void nothing(int signum UNUSED)
{
}

START_TEST(signals_are_as_after_a_login)
{
    static const char *const masks[] = {"\nSigBlk:\t0000000000000000\n",
                                        "\nSigIgn:\t0000000000000000\n",
                                        "\nSigCgt:\t0000000000000000\n"};
    struct spawn spec = spec_of(ARGV("/bin/cat", "/proc/self/status"));
    sigset_t some, before, after;
    struct buf out;

    ck_assert(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
    ck_assert(signal(SIGRTMIN, SIG_IGN) != SIG_ERR);
    ck_assert(signal(SIGTERM, nothing) != SIG_ERR);
    (void)sigemptyset(&some);
    (void)sigaddset(&some, SIGUSR1);
    (void)sigaddset(&some, SIGCHLD);
    ck_assert_int_eq(sigprocmask(SIG_SETMASK, &some, NULL), 0);
    (void)sigprocmask(SIG_BLOCK, NULL, &before);
    run(&spec, &out);
    (void)sigprocmask(SIG_BLOCK, NULL, &after);
    for (int i = 1; i < NSIG; i++)
        ck_assert_int_eq(sigismember(&before, i), sigismember(&after, i));
    for (size_t i = 0; i < ARRAY_CT(masks); i++)
        ck_assert_msg(strstr(out.data, masks[i]) != NULL, "%s", out.data);
    ck_assert(signal(SIGPIPE, SIG_DFL) == SIG_IGN);
    buf_free(&out);
}
END_TEST

START_TEST(the_child_leads_a_group_and_is_noted)
{
    struct spawn spec = spec_of(ARGV("/bin/cat"));
    _Atomic(pid_t) noted = 0;
    int fds[2];
    pid_t pid;

    ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
    spec.fds[0] = fds[0];
    spec.note_pid = &noted;
    pid = spawn_hook(&spec, NULL, NULL);
    ck_assert_int_gt(pid, 0);
    ck_assert_int_eq(noted, pid);
    ck_assert_int_eq(getpgid(pid), pid);
    ck_assert_int_ne(getpgrp(), pid);
    (void)close(fds[0]);
    (void)close(fds[1]);
    wait_for(pid, 0);
}
END_TEST

/* Lives between this test and the program; says its pid and is then killed. */
static NORETURN void stand_between(int say_fd, int hold_fd)
{
    struct spawn spec = spec_of(ARGV("/bin/sleep", "1000"));
    pid_t pid;

    spec.fds[1] = hold_fd;
    spec.death_signal = SIGKILL;
    pid = spawn_hook(&spec, NULL, NULL);
    (void)!write(say_fd, &pid, sizeof(pid));
    for (;;)
        (void)pause();
}

START_TEST(the_child_dies_with_its_parent)
{
    int say[2], hold[2];
    struct pollfd ended;
    pid_t between, pid = -1;
    char byte;

    ck_assert_int_eq(pipe2(say, O_CLOEXEC), 0);
    ck_assert_int_eq(pipe2(hold, O_CLOEXEC), 0);
    between = fork();
    ck_assert_int_ge(between, 0);
    if (between == 0)
        stand_between(say[1], hold[1]);
    (void)close(hold[1]);
    ck_assert_int_eq(read(say[0], &pid, sizeof(pid)), sizeof(pid));
    ck_assert_int_gt(pid, 0);
    ck_assert_int_eq(kill(between, SIGKILL), 0);
    wait_for(between, SIGKILL);
    ended = (struct pollfd){.fd = hold[0], .events = POLLIN};
    if (poll(&ended, 1, 20000) != 1) { /* it still holds the other end */
        (void)kill(pid, SIGKILL);
        ck_abort_msg("the child has outlived its parent");
    }
    ck_assert_int_eq(read(hold[0], &byte, 1), 0);
}
END_TEST

static const struct {
    const char *file, *path, *cwd;
    int errnum;
    enum err_code code;
    const char *reason;
} refusals[] = {
    {"/nonexistent/x", NULL, NULL, ENOENT, ERR_NOT_FOUND,
     "command not found: /nonexistent/x"},
    {"nosuch", "/bin:/usr/bin", NULL, ENOENT, ERR_NOT_FOUND, "command not found: nosuch"},
    {"nosuch", NULL, NULL, ENOENT, ERR_NOT_FOUND, "command not found: nosuch"},
    {"", "/bin", NULL, EACCES, ERR_SYSTEM, "cannot run : Permission denied"},
    {"./plain", NULL, NULL, EACCES, ERR_SYSTEM, "cannot run ./plain: Permission denied"},
    {"plain", "a:.:/bin", NULL, EACCES, ERR_SYSTEM,
     "cannot run plain: Permission denied"},
    {"/tmp", NULL, NULL, EACCES, ERR_SYSTEM, "cannot run /tmp: Permission denied"},
    {"./text", NULL, NULL, ENOEXEC, ERR_SYSTEM, "cannot run ./text: Exec format error"},
    {"./plain/x", NULL, NULL, ENOTDIR, ERR_SYSTEM,
     "cannot run ./plain/x: Not a directory"},
    {"/bin/true", NULL, "/nonexistent", ENOENT, ERR_SYSTEM,
     "cannot enter /nonexistent: No such file or directory"},
    {"/bin/true", NULL, "/bin/true", ENOTDIR, ERR_SYSTEM,
     "cannot enter /bin/true: Not a directory"},
};

START_TEST(a_failed_start_says_why_and_leaves_no_child)
{
    struct spawn spec = spec_of(ARGV(refusals[_i].file));
    struct err err = {.code = ERR_NONE};
    _Atomic(pid_t) noted = 4711;
    int exec_errno = 0;

    write_file("plain", "#!/bin/sh\n", 0644);
    write_file("text", "echo never\n", 0755);
    spec.path = refusals[_i].path;
    spec.cwd = refusals[_i].cwd;
    spec.note_pid = &noted;
    ck_assert_int_eq(spawn_hook(&spec, &exec_errno, &err), -1);
    ck_assert_int_eq(exec_errno, refusals[_i].errnum);
    ck_assert_int_eq(err.code, refusals[_i].code);
    ck_assert_str_eq(err.text, refusals[_i].reason);
    ck_assert_int_eq(noted, 0);
    ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
    ck_assert_int_eq(errno, ECHILD);
}
END_TEST

START_TEST(a_missing_interpreter_is_not_a_missing_command)
{
    char *file = must_format("%s/script", dir);
    char *reason = must_format("interpreter of %s not found", file);
    struct spawn spec = spec_of(ARGV(file));
    struct err err;

    write_file("script", "#!/nonexistent/interpreter\n", 0755);
    ck_assert_int_eq(spawn_hook(&spec, NULL, &err), -1);
    ck_assert_str_eq(err.text, reason);
    free(file);
    free(reason);
}
END_TEST

START_TEST(bad_fds_are_refused)
{
    struct spawn spec = spec_of(ARGV("/bin/true"));
    struct err err;
    int exec_errno = -1;

    spec.fds[1] = 77;
    ck_assert_int_eq(spawn_hook(&spec, &exec_errno, &err), -1);
    ck_assert_int_eq(exec_errno, 0);
    ck_assert_str_eq(err.text, "cannot set up the descriptors: Bad file descriptor");
}
END_TEST

static const struct {
    const char *file, *path, *cwd, *output;
} searches[] = {
    {"tool", "one:two", NULL, "two"},        /* one/tool is not executable */
    {"tool", "none:plain:two", NULL, "two"}, /* plain is no directory */
    {"tool", "two:three", NULL, "two"},      {"tool", "three:two", NULL, "three"},
    {"two/tool", "three", NULL, "two"},      {"tool", ":three", "two", "two"},
    {"tool", "three:", "two", "two"},        {"./tool", "three", "two", "two"},
    {"tool", ".", "three", "three"},         {"two/tool", NULL, NULL, "two"},
};

START_TEST(the_path_is_searched_in_the_childs_directory)
{
    struct spawn spec = spec_of(ARGV(searches[_i].file));

    ck_assert_int_eq(mkdir("one", 0755), 0);
    ck_assert_int_eq(mkdir("two", 0755), 0);
    ck_assert_int_eq(mkdir("three", 0755), 0);
    write_file("plain", "", 0644);
    write_file("one/tool", "#!/bin/sh\nprintf one", 0644);
    write_file("two/tool", "#!/bin/sh\nprintf two", 0755);
    write_file("three/tool", "#!/bin/sh\nprintf three", 0755);
    spec.path = searches[_i].path;
    spec.cwd = searches[_i].cwd;
    assert_output(&spec, searches[_i].output);
}
END_TEST

START_TEST(a_program_is_found_before_it_is_started)
{
    write_file("tool", "#!/bin/sh\n", 0700);
    write_file("text", "", 0600);
    ck_assert(spawn_finds("tool", "/nonexistent:"));
    ck_assert(spawn_finds("tool", "."));
    ck_assert(spawn_finds("./tool", NULL));
    ck_assert(spawn_finds("tool", dir));
    ck_assert(!spawn_finds("tool", "/nonexistent"));
    ck_assert(!spawn_finds("/tool", dir));
    ck_assert(!spawn_finds("text", dir));
}
END_TEST

START_TEST(the_child_starts_where_it_is_told)
{
    struct spawn spec = spec_of(ARGV("/bin/pwd"));

    spec.cwd = "/usr";
    assert_output(&spec, "/usr\n");
}
END_TEST

/* They are the parent's for a while: what the child does to them is the child's alone. */
START_TEST(the_parents_fds_stay_as_they_are)
{
    struct spawn spec = spec_of(ARGV("/bin/sh", "-c", "set -- /proc/$$/fd/*; echo $#"));
    int low = open("/dev/null", O_RDONLY | O_CLOEXEC), raised[300];

    for (size_t i = 0; i < ARRAY_CT(raised); i++) {
        raised[i] = spawn_raise_fd(fcntl(low, F_DUPFD_CLOEXEC, 0));
        ck_assert_int_ge(raised[i], SPAWN_LOW_FDS);
    }
    ck_assert_int_eq(fcntl(low, F_DUPFD_CLOEXEC, low), low + 1); /* numbers are free */
    spec.fds[2] = raised[299];
    assert_output(&spec, "4\n"); /* three, and the directory */
    for (size_t i = 0; i < ARRAY_CT(raised); i++)
        ck_assert_int_eq(fcntl(raised[i], F_GETFD), FD_CLOEXEC);
    ck_assert_int_eq(fcntl(low, F_GETFD), FD_CLOEXEC);
    ck_assert_int_eq(fcntl(low + 2, F_GETFD), -1);
}
END_TEST

START_TEST(without_room_above_an_fd_stays_where_it_is)
{
    struct rlimit few = {.rlim_cur = SPAWN_LOW_FDS, .rlim_max = SPAWN_LOW_FDS};
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
    ck_assert_int_eq(spawn_raise_fd(fd), fd);
    ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
}
END_TEST

/* As in a sandbox that does not know it. */
static void forbid_close_range(void)
{
    struct sock_filter steps[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_close_range, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog filter = {.len = ARRAY_CT(steps), .filter = steps};

    ck_assert_int_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    ck_assert_int_eq(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter), 0);
}

START_TEST(without_close_range_the_child_has_its_fds_too)
{
    struct spawn spec = spec_of(ARGV("/bin/ls", "/proc/self/fd"));
    int leak = open("/dev/null", O_RDONLY); /* no O_CLOEXEC */

    forbid_close_range();
    ck_assert_int_eq(dup2(leak, 200), 200);
    assert_output(&spec, "0\n1\n2\n3\n");
    ck_assert_int_eq(fcntl(leak, F_GETFD), 0);
}
END_TEST

/* Started often from one frame: nothing of the child's may stay in it. */
START_TEST(starts_do_not_disturb_their_caller)
{
    struct spawn good = spec_of(ARGV("/bin/true"));
    struct spawn bad = spec_of(ARGV("/nonexistent"));

    for (int i = 0; i < 50; i++) {
        pid_t pid = spawn_hook(&good, NULL, NULL);

        ck_assert_int_gt(pid, 0);
        ck_assert_int_eq(spawn_hook(&bad, NULL, NULL), -1);
        wait_for(pid, 0);
    }
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_checked_fixture(tc, make_dir, remove_dir);
    tcase_add_test(tc, the_environment_is_the_given_one);
    tcase_add_test(tc, arguments_arrive_as_they_are);
    tcase_add_test(tc, only_three_fds_are_open);
    tcase_add_test(tc, further_fds_are_open_where_they_are_named);
    tcase_add_test(tc, an_unnamed_fd_is_dev_null);
    tcase_add_loop_test(tc, fds_find_their_places_also_where_they_collide, 0,
                        ARRAY_CT(layouts));
    tcase_add_test(tc, signals_are_as_after_a_login);
    tcase_add_test(tc, the_child_leads_a_group_and_is_noted);
    tcase_add_test(tc, the_child_dies_with_its_parent);
    tcase_add_loop_test(tc, a_failed_start_says_why_and_leaves_no_child, 0,
                        ARRAY_CT(refusals));
    tcase_add_test(tc, a_missing_interpreter_is_not_a_missing_command);
    tcase_add_test(tc, bad_fds_are_refused);
    tcase_add_test(tc, a_program_is_found_before_it_is_started);
    tcase_add_loop_test(tc, the_path_is_searched_in_the_childs_directory, 0,
                        ARRAY_CT(searches));
    tcase_add_test(tc, the_child_starts_where_it_is_told);
    tcase_add_test(tc, the_parents_fds_stay_as_they_are);
    tcase_add_test(tc, without_close_range_the_child_has_its_fds_too);
    tcase_add_test(tc, without_room_above_an_fd_stays_where_it_is);
    tcase_add_test(tc, starts_do_not_disturb_their_caller);
}

int main(void)
{
    return run_suite("spawn", 60, add_tests);
}
