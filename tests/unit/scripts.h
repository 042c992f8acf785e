/* What the tests of shell jobs share: scripts put through the handler, and their traces.
 */
#ifndef TESTS_SCRIPTS_H
#define TESTS_SCRIPTS_H

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/wait.h"
#include "tests/unit/trial.h"

#define DATA(json) "{\"job\":\"s\",\"data\":" json "}"
#define SCRIPT(text) WORDS("/bin/sh", "-c", text)

static char dir[] = "/tmp/check_shell.XXXXXX";

static inline void open_test(void)
{
    struct rlimit none = {0, 0};

    ck_assert_int_eq(setrlimit(RLIMIT_CORE, &none), 0);
    ck_assert(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
    ck_assert_ptr_nonnull(mkdtemp(dir));
    ck_assert_int_eq(chdir(dir), 0);
    open_env();
}

static inline void close_test(void)
{
    char *command = must_format("rm -rf %s", dir);

    close_env();
    ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
    ck_assert_int_eq(errno, ECHILD);
    (void)signal(SIGCHLD, SIG_DFL);
    ck_assert_int_eq(system(command), 0);
    free(command);
}

static inline void start_script(struct trial *trial, const char *text)
{
    set_up(trial, "{\"job\":\"s\"}", SCRIPT(text));
    begin(trial, &shell_handler);
    ck_assert_msg(trial->run != NULL, "%s", trial->outcome.reason);
}

static inline void run_script(struct trial *trial, const char *text)
{
    start_script(trial, text);
    finish_trial(trial);
}

static inline void cancel(struct trial *trial, enum cancel_reason why)
{
    shell_handler.cancel(trial->run, why);
    ck_assert_uint_eq(trial->left, 1); /* never over from inside cancel() */
}

/* Scripts say where they are by making a file. */
static inline bool file_is_there(void *arg)
{
    return access(arg, F_OK) == 0;
}

static inline void wait_for_file(const char *name)
{
    run_until(env.loop, file_is_there, (void *)(uintptr_t)name);
}

static inline pid_t read_pid(const char *name)
{
    FILE *file = fopen(name, "re");
    int pid = 0;

    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(fscanf(file, "%d", &pid), 1);
    ck_assert_int_eq(fclose(file), 0);
    ck_assert_int_gt(pid, 1);
    return pid;
}

static inline void make_file(const char *name)
{
    ck_assert_int_eq(close(open(name, O_CREAT | O_WRONLY | O_CLOEXEC, 0600)), 0);
}

static inline bool process_is_gone(void *arg)
{
    return !process_exists(*(pid_t *)arg);
}

static inline void wait_until_gone(pid_t pid)
{
    run_until(env.loop, process_is_gone, &pid);
}

#endif
