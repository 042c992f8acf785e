/* Shell jobs, from real programs: verdicts, streams, and that nothing of them stays. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/spawn.h"
#include "jobs/output.h"
#include "tests/support/sanitized.h"
#include "tests/unit/scripts.h"
#include "tests/unit/suite.h"

/* ---- verdicts ---- */

static const struct {
    const char *script;
    enum outcome_kind kind;
    const char *reason;
    int exit_status, signal;
} endings[] = {
    {"exit 0", OUTCOME_DONE, "", 0, 0},
    {"exit 1", OUTCOME_RETRY, "exit status 1", 1, 0},
    {"exit 3", OUTCOME_RETRY, "exit status 3", 3, 0},
    {"exit 63", OUTCOME_RETRY, "exit status 63", 63, 0},
    {"exit 64", OUTCOME_FAIL, "exit status 64", 64, 0},
    {"exit 65", OUTCOME_FAIL, "exit status 65", 65, 0},
    {"exit 66", OUTCOME_RETRY, "exit status 66", 66, 0},
    {"exit 126", OUTCOME_FAIL, "exit status 126", 126, 0},
    {"nosuchcommand 2>&-", OUTCOME_FAIL, "exit status 127", 127, 0},
    {"exit 255", OUTCOME_RETRY, "exit status 255", 255, 0},
    {"kill -SEGV $$", OUTCOME_RETRY, "killed by SIGSEGV", -1, SIGSEGV},
    {"kill -KILL $$", OUTCOME_RETRY, "killed by SIGKILL", -1, SIGKILL},
    {"kill -TERM $$", OUTCOME_RETRY, "killed by SIGTERM", -1, SIGTERM},
};

START_TEST(the_exit_decides)
{
    struct trial trial;

    run_script(&trial, endings[_i].script);
    assert_outcome(&trial, endings[_i].kind, endings[_i].reason);
    ck_assert_int_eq(trial.outcome.exit_status, endings[_i].exit_status);
    ck_assert_int_eq(trial.outcome.signal, endings[_i].signal);
    clear(&trial);
}
END_TEST

static const struct {
    const char *program, *cwd;
    const char *reason;
    int exit_status;
} refusals[] = {
    {"/nonexistent/x", NULL, "command not found: /nonexistent/x", 127},
    {"nosuchcommand", NULL, "command not found: nosuchcommand", 127},
    {"/etc/passwd", NULL, "cannot run /etc/passwd: Permission denied", 126},
    {"/tmp", NULL, "cannot run /tmp: Permission denied", 126},
    {"/bin/true", "/nonexistent", "cannot enter /nonexistent: No such file or directory",
     126},
};

START_TEST(a_program_that_cannot_be_run_fails_at_once)
{
    struct trial trial;

    set_up(&trial, "{\"job\":\"s\"}", WORDS(refusals[_i].program));
    trial.config.cwd = (char *)(uintptr_t)refusals[_i].cwd;
    begin(&trial, &shell_handler);
    ck_assert_ptr_null(trial.run);
    assert_outcome(&trial, OUTCOME_FAIL, refusals[_i].reason);
    ck_assert_int_eq(trial.outcome.exit_status, refusals[_i].exit_status);
}
END_TEST

START_TEST(a_missing_value_fails_at_once)
{
    struct trial trial;

    set_up(&trial, DATA("{\"other\":1}"), WORDS("/bin/echo", "{data.file}"));
    begin(&trial, &shell_handler);
    ck_assert_ptr_null(trial.run);
    ck_assert_int_eq(trial.outcome.kind, OUTCOME_FAIL);
    ck_assert_ptr_nonnull(strstr(trial.outcome.reason, "data.file"));
}
END_TEST

static const struct failure {
    int errnum;
    bool at_exec; /* it came so far */
    enum outcome_kind kind;
} failures[] = {
    {EAGAIN, false, OUTCOME_POSTPONE}, {ENOMEM, false, OUTCOME_POSTPONE},
    {EMFILE, false, OUTCOME_POSTPONE}, {EPERM, false, OUTCOME_RETRY},
    {EAGAIN, true, OUTCOME_POSTPONE},  {ENOMEM, true, OUTCOME_POSTPONE},
    {ENFILE, true, OUTCOME_POSTPONE},  {ETXTBSY, true, OUTCOME_RETRY},
    {EIO, true, OUTCOME_RETRY},        {EACCES, true, OUTCOME_FAIL},
    {ENOEXEC, true, OUTCOME_FAIL},     {E2BIG, true, OUTCOME_FAIL},
    {ELOOP, true, OUTCOME_FAIL},
};
static const struct failure *refusal;

static pid_t refuse_spawn(const struct spawn *spawn, int *exec_errno, struct err *err)
{
    ck_assert_int_eq(spawn->death_signal, SIGKILL);
    *exec_errno = refusal->at_exec ? refusal->errnum : 0;
    return err_set_errno(err, refusal->errnum, "cannot start it");
}

START_TEST(what_the_machine_lacks_spends_no_attempt_and_what_may_pass_is_tried_again)
{
    struct trial trial;
    char *reason = must_format("cannot start it: %s", strerror(failures[_i].errnum));

    refusal = &failures[_i];
    spawn_hook = refuse_spawn;
    set_up(&trial, DATA("{}"), WORDS("/bin/true"));
    begin(&trial, &shell_handler);
    assert_outcome(&trial, failures[_i].kind, reason);
    if (failures[_i].kind == OUTCOME_POSTPONE)
        ck_assert_int_ge(trial.outcome.wait_ms, 1000);
    free(reason);
}
END_TEST

static int count_fds(void)
{
    int ct = 0;

    for (int fd = 0; fd < 256; fd++)
        ct += fcntl(fd, F_GETFD) >= 0;
    return ct;
}

enum { FEW_FDS = 64, PIPE_FDS = 6, UNUSED_UID = 64997 };

START_TEST(without_fds_a_job_is_put_aside)
{
    struct rlimit few = {FEW_FDS, FEW_FDS};
    struct trial trial;
    int fd, last = -1, full_ct;

    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
    while ((fd = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
        last = fd;
    full_ct = count_fds();
    set_up(&trial, DATA("{}"), WORDS("/bin/true"));
    for (int room = 0; room < PIPE_FDS; room++) {
        begin(&trial, &shell_handler);
        ck_assert_ptr_null(trial.run);
        assert_outcome(&trial, OUTCOME_POSTPONE,
                       "cannot make a pipe: Too many open files");
        ck_assert_int_eq(count_fds(), full_ct - room);
        (void)close(last - room);
    }
    begin(&trial, &shell_handler);
    ck_assert_ptr_nonnull(trial.run);
    finish_trial(&trial);
    assert_outcome(&trial, OUTCOME_DONE, "");
    clear(&trial);
}
END_TEST

static bool may_fork(void)
{
    pid_t pid = fork();

    if (pid == 0)
        _exit(0);
    return pid > 0 && waitpid(pid, NULL, 0) == pid;
}

static void try_without_processes(const struct rlimit *limit)
{
    struct trial trial;

    set_up(&trial, DATA("{}"), WORDS("/bin/true"));
    begin(&trial, &shell_handler);
    assert_outcome(&trial, OUTCOME_POSTPONE,
                   "cannot start /bin/true: Resource temporarily unavailable");
    ck_assert_int_eq(setrlimit(RLIMIT_NPROC, limit), 0);
    begin(&trial, &shell_handler);
    ck_assert_ptr_nonnull(trial.run);
    finish_trial(&trial);
    assert_outcome(&trial, OUTCOME_DONE, "");
    clear(&trial);
}

/* The limit counts all of a user's processes, and root is above it. */
START_TEST(without_processes_a_job_is_put_aside_until_there_are)
{
    uid_t saved = geteuid(), uid = saved ? saved : UNUSED_UID;
    struct rlimit limit;

    ck_assert_int_eq(setresuid(uid, uid, saved), 0);
    ck_assert_int_eq(getrlimit(RLIMIT_NPROC, &limit), 0);
    ck_assert_int_eq(setrlimit(RLIMIT_NPROC, &(struct rlimit){0, limit.rlim_max}), 0);
    if (may_fork())
        printf("no limit of processes here: not tested\n");
    else
        try_without_processes(&limit);
    ck_assert_int_eq(setresuid(saved, saved, saved), 0);
}
END_TEST

/* ---- what the program finds ---- */

START_TEST(arguments_and_environment_arrive)
{
    struct trial trial;

    ck_assert_int_eq(setenv("SECRET", "canary", 1), 0);
    set_up(&trial, DATA("{\"v\":\"a b; $(id) '\\\"\"}"),
           WORDS("/bin/sh", "-c", "echo \"$1\"; env | sort; pwd", "x", "{data.v}"));
    trial.config.env = text_list_of(WORDS("HOME=/srv"));
    trial.config.cwd = dir;
    begin(&trial, &shell_handler);
    finish_trial(&trial);
    assert_outcome(&trial, OUTCOME_DONE, "");
    ck_assert_ptr_eq(strstr(trial.out, "a b; $(id) '\"\n"), trial.out);
    ck_assert_ptr_nonnull(strstr(trial.out, "\nDROVER_JOB_UUID=u-1\n"));
    ck_assert_ptr_nonnull(strstr(trial.out, "\nDROVER_ATTEMPT=2\n"));
    ck_assert_ptr_nonnull(strstr(trial.out, "\nHOME=/srv\n"));
    ck_assert_ptr_nonnull(strstr(trial.out, "\nPATH=/usr/local/bin:/usr/bin:/bin\n"));
    ck_assert_ptr_nonnull(strstr(trial.out, dir));
    ck_assert_ptr_null(strstr(trial.out, "canary"));
    clear(&trial);
}
END_TEST

START_TEST(the_program_is_looked_up_in_the_jobs_path)
{
    struct trial trial;
    char *path = must_format("PATH=%s", dir);

    ck_assert_int_eq(symlink("/bin/echo", "mytool"), 0);
    set_up(&trial, "{\"job\":\"s\"}", WORDS("mytool", "found"));
    trial.config.env = text_list_of(WORDS(path));
    begin(&trial, &shell_handler);
    finish_trial(&trial);
    ck_assert_str_eq(trial.out, "found\n");
    clear(&trial);
    free(path);
}
END_TEST

START_TEST(only_three_fds_are_open)
{
    struct trial trial;

    ck_assert_int_eq(dup2(STDERR_FILENO, 77), 77); /* no O_CLOEXEC */
    set_up(&trial, DATA("{}"), WORDS("/bin/ls", "/proc/self/fd"));
    begin(&trial, &shell_handler);
    finish_trial(&trial);
    ck_assert_str_eq(trial.out, "0\n1\n2\n3\n"); /* 3 is the directory ls reads */
    clear(&trial);
}
END_TEST

static const char *const inputs[] = {
    "{\"file\":\"a.png\", \"n\": 12345678901234567890}",
    "{}",
    "null",
    "\"text\\u0000\"",
    "[1,2]",
    "0",
};

START_TEST(data_is_stdin_to_the_byte)
{
    struct trial trial;
    char *raw = must_format("{\"data\": %s ,\"job\":\"s\"}", inputs[_i]);

    set_up(&trial, raw, WORDS("/bin/cat"));
    begin(&trial, &shell_handler);
    finish_trial(&trial);
    assert_outcome(&trial, OUTCOME_DONE, "");
    ck_assert_str_eq(trial.out, inputs[_i]);
    clear(&trial);
    free(raw);
}
END_TEST

START_TEST(without_data_stdin_is_empty)
{
    struct trial trial;

    run_script(&trial, "cat; echo end");
    ck_assert_str_eq(trial.out, "end\n");
    clear(&trial);
}
END_TEST

enum { BIG_BYTES = 3000000 };

static const struct {
    const char *script, *out;
} readers[] = {
    {"wc -c", "3000002\n"},
    {"exit 0", ""},
    {"while [ ! -e go ]; do sleep 0.01; done; echo gone", "gone\n"},
    {"exec 0<&-; echo no", "no\n"},
    {"head -c 5", "\"xxxx"},
    {"head -c 5; echo; sleep 0.1; wc -c", NULL}, /* takes its time; head read ahead */
};

START_TEST(a_job_reads_as_much_as_it_likes)
{
    struct trial trial;
    struct buf raw;

    buf_init(&raw, 0);
    (void)buf_add_text(&raw, "{\"job\":\"s\",\"data\":\"");
    for (int i = 0; i < BIG_BYTES; i++)
        (void)buf_add_char(&raw, 'x');
    (void)buf_add_text(&raw, "\"}");
    set_up(&trial, raw.data, SCRIPT(readers[_i].script));
    begin(&trial, &shell_handler);
    make_file("go"); /* start() has not waited for the job to read */
    finish_trial(&trial);
    assert_outcome(&trial, OUTCOME_DONE, "");
    if (readers[_i].out)
        ck_assert_str_eq(trial.out, readers[_i].out);
    clear(&trial);
    buf_free(&raw);
}
END_TEST

/* ---- what it leaves ---- */

START_TEST(the_group_is_noted_while_it_runs)
{
    struct trial trial;
    char *pid;

    start_script(&trial, "echo $$; touch up; while [ ! -e go ]; do sleep 0.01; done");
    ck_assert_int_gt(trial.group, 1);
    ck_assert_int_eq(getpgid(trial.group), trial.group);
    pid = must_format("%d\n", (int)trial.group);
    wait_for_file("up");
    make_file("go");
    finish_trial(&trial); /* trial_done() finds the cell at 0 */
    ck_assert_str_eq(trial.out, pid);
    clear(&trial);
    free(pid);
}
END_TEST

START_TEST(a_run_needs_no_cell_for_its_group)
{
    struct trial trial;

    set_up(&trial, DATA("{}"), SCRIPT("exit 4"));
    trial.job.group = NULL;
    begin(&trial, &shell_handler);
    finish_trial(&trial);
    assert_outcome(&trial, OUTCOME_RETRY, "exit status 4");
    clear(&trial);
}
END_TEST

START_TEST(both_streams_are_kept_apart)
{
    struct trial trial;

    run_script(&trial, "echo one; echo two >&2; echo three");
    ck_assert_str_eq(trial.out, "one\nthree\n");
    ck_assert_str_eq(trial.err, "two\n");
    ck_assert_uint_eq(trial.outcome.stdout_bytes, 10);
    ck_assert_uint_eq(trial.outcome.stderr_bytes, 4);
    clear(&trial);
}
END_TEST

START_TEST(the_last_16_kib_are_kept)
{
    struct trial trial;
    struct buf all;

    buf_init(&all, 0);
    for (int i = 1; i <= 50000; i++)
        (void)buf_addf(&all, "%d\n", i);
    run_script(&trial, "seq 50000 >&2; exec seq 50000");
    ck_assert_uint_eq(trial.outcome.stdout_bytes, all.len);
    ck_assert_uint_eq(trial.outcome.stderr_bytes, all.len);
    ck_assert_str_eq(trial.out, all.data + all.len - OUTPUT_KEEP_BYTES);
    ck_assert_str_eq(trial.err, all.data + all.len - OUTPUT_KEEP_BYTES);
    clear(&trial);
    buf_free(&all);
}
END_TEST

static int64_t rss_bytes(void)
{
    FILE *file = fopen("/proc/self/statm", "re");
    long long pages = 0;

    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(fscanf(file, "%*d %lld", &pages), 1);
    (void)fclose(file);
    return pages * sysconf(_SC_PAGESIZE);
}

START_TEST(much_output_takes_no_memory)
{
    struct trial trial;
    int64_t before, grown;

    run_script(&trial, "head -c 1000000 /dev/zero; head -c 1000000 /dev/zero >&2");
    clear(&trial);
    before = rss_bytes();
    run_script(&trial, "head -c 52428800 /dev/zero");
    grown = rss_bytes() - before;
    ck_assert_uint_eq(trial.outcome.stdout_bytes, 52428800);
    ck_assert_uint_eq(trial.outcome.stdout_tail.len, OUTPUT_KEEP_BYTES);
    if (!is_sanitized()) /* which keeps freed memory for a while */
        ck_assert_int_lt(grown, 2 * 1024 * 1024);
    clear(&trial);
}
END_TEST

START_TEST(a_chatty_job_leaves_room_for_others)
{
    struct trial chatty, quiet;

    start_script(&chatty, "touch up; exec yes");
    wait_for_file("up");
    run_script(&quiet, "echo hi");
    ck_assert_str_eq(quiet.out, "hi\n");
    ck_assert_uint_eq(chatty.left, 1);
    cancel(&chatty, CANCEL_NOW);
    finish_trial(&chatty);
    clear(&chatty);
    clear(&quiet);
}
END_TEST

START_TEST(usage_is_told)
{
    struct trial trial;

    run_script(&trial, "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done");
    ck_assert_int_gt(trial.outcome.cpu_ms, 0);
    ck_assert_int_gt(trial.outcome.max_rss_kb, 100);
    clear(&trial);
}
END_TEST

START_TEST(closed_streams_are_not_the_end)
{
    struct trial trial;

    run_script(&trial, "echo x; exec >&- 2>&-; sleep 0.1; exit 5");
    assert_outcome(&trial, OUTCOME_RETRY, "exit status 5");
    ck_assert_str_eq(trial.out, "x\n");
    clear(&trial);
}
END_TEST

START_TEST(output_after_the_exit_is_waited_for)
{
    struct trial trial;

    run_script(&trial, "(sleep 0.1; echo late) & exit 0");
    assert_outcome(&trial, OUTCOME_DONE, "");
    ck_assert_str_eq(trial.out, "late\n");
    clear(&trial);
}
END_TEST

/* Holding the pipes, holding none, both within the group. */
static const char *const daemons[] = {
    "sleep 1000 & echo $! >pid; echo out; exit 0",
    "sleep 1000 </dev/null >/dev/null 2>&1 & echo $! >pid; echo out; exit 0",
    "sh -c 'trap \"\" TERM HUP; sleep 1000' & echo $! >pid; echo out; exit 0",
};

START_TEST(a_daemon_ends_with_its_job)
{
    struct trial trial;

    run_script(&trial, daemons[_i]);
    assert_outcome(&trial, OUTCOME_DONE, "");
    ck_assert_str_eq(trial.out, "out\n");
    wait_until_gone(read_pid("pid"));
    clear(&trial);
}
END_TEST

/* Out of the group's reach, but its hold on the pipe does not hold the run. */
START_TEST(a_daemon_that_left_the_group_does_not_hold_the_run)
{
    struct trial trial;
    pid_t pid;

    run_script(&trial, "setsid sh -c 'echo $$ >pid; exec sleep 1000' & "
                       "while [ ! -s pid ]; do sleep 0.01; done; echo out");
    assert_outcome(&trial, OUTCOME_DONE, "");
    ck_assert_str_eq(trial.out, "out\n");
    pid = read_pid("pid");
    ck_assert_int_eq(kill(pid, SIGKILL), 0);
    wait_until_gone(pid);
    clear(&trial);
}
END_TEST

enum { CROWD = 40 };

START_TEST(many_run_side_by_side)
{
    static struct trial trials[CROWD];
    int fd_ct = count_fds();

    for (int i = 0; i < CROWD; i++) {
        set_up(&trials[i], DATA("{\"n\":1}"),
               SCRIPT("cat; echo; while [ ! -e go ]; do sleep 0.02; done; exit 7"));
        begin(&trials[i], &shell_handler);
        ck_assert_ptr_nonnull(trials[i].run);
    }
    make_file("go");
    for (int i = 0; i < CROWD; i++) {
        finish_trial(&trials[i]);
        assert_outcome(&trials[i], OUTCOME_RETRY, "exit status 7");
        ck_assert_str_eq(trials[i].out, "{\"n\":1}\n");
        clear(&trials[i]);
    }
    ck_assert_int_le(count_fds(), fd_ct + 2); /* the loop's own for its signals */
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_checked_fixture(tc, open_test, close_test);
    tcase_add_loop_test(tc, the_exit_decides, 0, ARRAY_CT(endings));
    tcase_add_loop_test(tc, a_program_that_cannot_be_run_fails_at_once, 0,
                        ARRAY_CT(refusals));
    tcase_add_test(tc, a_missing_value_fails_at_once);
    tcase_add_loop_test(
        tc, what_the_machine_lacks_spends_no_attempt_and_what_may_pass_is_tried_again, 0,
        ARRAY_CT(failures));
    tcase_add_test(tc, without_fds_a_job_is_put_aside);
    tcase_add_test(tc, without_processes_a_job_is_put_aside_until_there_are);
    tcase_add_test(tc, arguments_and_environment_arrive);
    tcase_add_test(tc, the_program_is_looked_up_in_the_jobs_path);
    tcase_add_test(tc, only_three_fds_are_open);
    tcase_add_loop_test(tc, data_is_stdin_to_the_byte, 0, ARRAY_CT(inputs));
    tcase_add_test(tc, without_data_stdin_is_empty);
    tcase_add_loop_test(tc, a_job_reads_as_much_as_it_likes, 0, ARRAY_CT(readers));
    tcase_add_test(tc, the_group_is_noted_while_it_runs);
    tcase_add_test(tc, a_run_needs_no_cell_for_its_group);
    tcase_add_test(tc, both_streams_are_kept_apart);
    tcase_add_test(tc, the_last_16_kib_are_kept);
    tcase_add_test(tc, much_output_takes_no_memory);
    tcase_add_test(tc, a_chatty_job_leaves_room_for_others);
    tcase_add_test(tc, usage_is_told);
    tcase_add_test(tc, closed_streams_are_not_the_end);
    tcase_add_test(tc, output_after_the_exit_is_waited_for);
    tcase_add_loop_test(tc, a_daemon_ends_with_its_job, 0, ARRAY_CT(daemons));
    tcase_add_test(tc, a_daemon_that_left_the_group_does_not_hold_the_run);
    tcase_add_test(tc, many_run_side_by_side);
}

int main(void)
{
    return run_suite("shell", 60, add_tests);
}
