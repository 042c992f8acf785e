/* The scoreboard: rows, text from shared memory, and whom it may kill. */
#include <check.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/board.h"
#include "tests/unit/suite.h"

enum { ROWS = 4 };

static struct board *board;

/* The linker puts this in kill()'s place: a missing guard must not reach the machine. */
static bool kills_are_held;
static unsigned held_kill_ct;
int __real_kill(pid_t pid, int signum);
int __wrap_kill(pid_t pid, int signum);

int __wrap_kill(pid_t pid, int signum)
{
    if (!kills_are_held)
        return __real_kill(pid, signum);
    held_kill_ct++;
    return 0;
}

static void make_board(void)
{
    struct err err;

    board = board_create(ROWS, &err);
    ck_assert_ptr_nonnull(board);
}

static void free_board(void)
{
    board_destroy(board);
}

START_TEST(a_board_starts_empty)
{
    ck_assert_uint_eq(board_job_ct(board), ROWS);
    ck_assert_int_eq(board->phase, BOARD_STARTING);
    ck_assert_int_eq(board->link, BOARD_LINK_DOWN);
    ck_assert_int_eq(board->beat, 0);
    for (uint32_t i = 0; i < ROWS; i++)
        ck_assert_int_eq(board->jobs[i].started_at_ms, 0);
    for (int i = 0; i < BOARD_ORPHANS; i++)
        ck_assert_uint_eq(board->orphans[i].tag, 0);
    board_destroy(NULL);
}
END_TEST

/* A worker that writes where it must not harms itself, not its supervisor. */
START_TEST(the_number_of_rows_is_nobodys_to_change)
{
    const struct rlimit no_core = {0, 0};
    pid_t pid = fork();
    int status;

    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        (void)setrlimit(RLIMIT_CORE, &no_core);
        (void)signal(SIGSEGV, SIG_DFL); /* a sanitizer need not report it */
        memset((char *)board - 64, 0xff, 64);
        memset((char *)board - sysconf(_SC_PAGESIZE), 0xff, 64);
        _exit(0);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(WTERMSIG(status), SIGSEGV);
    ck_assert_uint_eq(board_job_ct(board), ROWS);
}
END_TEST

START_TEST(a_taken_row_tells_of_its_job_until_the_end)
{
    struct board_job *job = board_take(board, 1, "u-1", "resize", "high", 3);

    ck_assert_int_gt(job->started_at_ms, 0);
    ck_assert_int_eq(job->attempt, 3);
    ck_assert_int_eq(job->group, 0);
    ck_assert_str_eq(job->uuid, "u-1");
    ck_assert_str_eq(job->name, "resize");
    ck_assert_str_eq(job->queue, "high");
    job->group = 4711;
    board_end(job);
    ck_assert_int_eq(job->started_at_ms, 0);
    ck_assert_int_eq(job->group, 0);
}
END_TEST

START_TEST(rows_are_taken_again_once_free)
{
    struct board_job *jobs[ROWS];

    for (int i = 0; i < ROWS; i++)
        jobs[i] = board_take(board, 1, "u", "n", "q", 1);
    for (int i = 0; i < ROWS; i++)
        for (int j = 0; j < i; j++)
            ck_assert_ptr_ne(jobs[i], jobs[j]);
    board_end(jobs[2]);
    ck_assert_ptr_eq(board_take(board, 1, "u", "n", "q", 1), jobs[2]);
}
END_TEST

START_TEST(more_jobs_than_rows_are_a_bug)
{
    for (int i = 0; i < ROWS; i++)
        (void)board_take(board, 1, "u", "n", "q", 1);
    (void)close(STDERR_FILENO);
    (void)board_take(board, 1, "u", "n", "q", 1);
}
END_TEST

START_TEST(long_names_are_cut_and_missing_ones_empty)
{
    char name[300];
    struct board_job *job;

    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    job = board_take(board, 1, name, name, NULL, 1);
    ck_assert_uint_eq(strlen(job->uuid), BOARD_UUID_BYTES - 1);
    ck_assert_uint_eq(strlen(job->name), BOARD_NAME_BYTES - 1);
    ck_assert_str_eq(job->queue, "");
}
END_TEST

START_TEST(text_is_read_within_field_and_target)
{
    char field[4] = {'a', 'b', 'c', 'd'}, text[8] = "xxxxxxx";

    board_text(field, sizeof(field), text, sizeof(text));
    ck_assert_str_eq(text, "abcd");
    board_text(field, sizeof(field), text, 3);
    ck_assert_str_eq(text, "ab");
    board_text(field, sizeof(field), text, 1);
    ck_assert_str_eq(text, "");
    field[1] = '\0';
    board_text(field, sizeof(field), text, sizeof(text));
    ck_assert_str_eq(text, "a");
}
END_TEST

START_TEST(what_a_child_wrote_outlives_it)
{
    pid_t pid = fork();
    int status;

    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        board->done = 17;
        board_take(board, 1, "u-2", "n", "q", 2)->group = getpid();
        (void)kill(getpid(), SIGKILL);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_uint_eq(board->done, 17);
    ck_assert_int_eq(board->jobs[0].group, pid);
    ck_assert_str_eq(board->jobs[0].uuid, "u-2");
}
END_TEST

/* Two processes in a group of their own, the first one noted; returns the read end of a
 * pipe that both hold open. */
static int start_group(pid_t *pid)
{
    int fds[2], ready[2];
    char bytes[2];

    ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
    ck_assert_int_eq(pipe2(ready, O_CLOEXEC), 0);
    *pid = fork();
    ck_assert_int_ge(*pid, 0);
    if (*pid == 0) {
        (void)setpgid(0, 0);
        (void)fork();
        (void)!write(ready[1], "x", 1);
        for (;;)
            (void)pause();
    }
    (void)close(fds[1]);
    (void)close(ready[1]);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(read(ready[0], &bytes[i], 1), 1);
    (void)close(ready[0]);
    return fds[0];
}

static void assert_ended(int fd)
{
    struct pollfd ended = {.fd = fd, .events = POLLIN};
    char byte;

    ck_assert_int_eq(poll(&ended, 1, 20000), 1);
    ck_assert_int_eq(read(fd, &byte, 1), 0);
    (void)close(fd);
}

START_TEST(the_groups_of_all_rows_are_killed)
{
    pid_t pids[2];
    int fds[2], status;

    for (int i = 0; i < 2; i++) {
        fds[i] = start_group(&pids[i]);
        (void)board_take(board, 1, "u", "none", "q", 1);
        board_take(board, 1, "u", "n", "q", 1)->group = pids[i];
    }
    ck_assert_uint_eq(board_kill_groups(board), 2);
    for (int i = 0; i < 2; i++) {
        assert_ended(fds[i]);
        ck_assert_int_eq(waitpid(pids[i], &status, 0), pids[i]);
        ck_assert_int_eq(WTERMSIG(status), SIGKILL);
    }
}
END_TEST

START_TEST(a_row_that_ended_kills_nobody)
{
    pid_t pid;
    int fd = start_group(&pid);

    board->jobs[0].group = pid; /* as a worker killed within board_end() leaves it */
    ck_assert_uint_eq(board_kill_groups(board), 0);
    ck_assert_int_eq(kill(-pid, 0), 0);
    ck_assert_int_eq(kill(-pid, SIGKILL), 0);
    assert_ended(fd);
}
END_TEST

START_TEST(the_guards_spare_the_caller_and_the_world)
{
    const pid_t groups[] = {0, 1, -1, -2, INT32_MIN, getpgrp(), getpid()};

    kills_are_held = true;
    for (size_t i = 0; i < ARRAY_CT(groups); i++) {
        struct board_job *job = board_take(board, 1, "u", "n", "q", 1);

        job->group = groups[i];
        ck_assert_uint_eq(board_kill_groups(board), 0);
        board_end(job);
    }
    ck_assert_uint_eq(held_kill_ct, 0);
    board_take(board, 1, "u", "n", "q", 1)->group = getpid() + 1;
    ck_assert_uint_eq(board_kill_groups(board), 1); /* else holding proves nothing */
    ck_assert_uint_eq(held_kill_ct, 1);
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_checked_fixture(tc, make_board, free_board);
    tcase_add_test(tc, a_board_starts_empty);
    tcase_add_test(tc, the_number_of_rows_is_nobodys_to_change);
    tcase_add_test(tc, a_taken_row_tells_of_its_job_until_the_end);
    tcase_add_test(tc, rows_are_taken_again_once_free);
    tcase_add_test_raise_signal(tc, more_jobs_than_rows_are_a_bug, SIGABRT);
    tcase_add_test(tc, long_names_are_cut_and_missing_ones_empty);
    tcase_add_test(tc, text_is_read_within_field_and_target);
    tcase_add_test(tc, what_a_child_wrote_outlives_it);
    tcase_add_test(tc, the_groups_of_all_rows_are_killed);
    tcase_add_test(tc, a_row_that_ended_kills_nobody);
    tcase_add_test(tc, the_guards_spare_the_caller_and_the_world);
}

int main(void)
{
    return run_suite("board", 60, add_tests);
}
