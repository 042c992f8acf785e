/* The state directory: made for its owner alone, held by one at a time; and whom the
 * supervisor runs as. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/must.h"
#include "supervisor/privileges.h"
#include "supervisor/statedir.h"
#include "tests/unit/suite.h"

static char top[64];
static char dir[96];

static void open_scene(void)
{
    (void)snprintf(top, sizeof(top), "/tmp/drover-statedir-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(top));
    ck_assert_int_eq(chmod(top, 0755), 0);
    (void)snprintf(dir, sizeof(dir), "%s/state", top);
}

static void close_scene(void)
{
    char *lock = must_format("%s/lock", dir);

    (void)unlink(lock);
    free(lock);
    (void)rmdir(dir);
    ck_assert_int_eq(rmdir(top), 0);
}

static void must_make(void)
{
    struct err err = {0};

    ck_assert_msg(statedir_make(dir, geteuid(), getegid(), &err) == 0, "%s", err.text);
}

START_TEST(a_missing_directory_is_made_for_its_owner_alone)
{
    struct stat st;

    (void)umask(0);
    must_make();
    ck_assert_int_eq(stat(dir, &st), 0);
    ck_assert_int_eq(st.st_mode & 07777, 0700);
    must_make(); /* again: nothing */
}
END_TEST

START_TEST(a_directory_that_cannot_be_made_is_named)
{
    struct err err = {0};

    ck_assert_int_eq(statedir_make("/nonexistent/state", 0, 0, &err), -1);
    ck_assert_str_eq(err.text,
                     "cannot make state_dir /nonexistent/state: No such file or "
                     "directory");
    ck_assert_int_eq(close(open(dir, O_CREAT | O_WRONLY | O_CLOEXEC, 0600)), 0);
    {
        struct statedir statedir;

        ck_assert_int_eq(statedir_open(&statedir, dir, &err), -1);
        ck_assert_ptr_nonnull(strstr(err.text, "Not a directory"));
    }
    ck_assert_int_eq(unlink(dir), 0);
}
END_TEST

/* Takes the lock in a process of its own, which keeps it until it is killed. */
static pid_t hold_elsewhere(void)
{
    int ready[2];
    char byte;
    pid_t pid;

    ck_assert_int_eq(pipe(ready), 0);
    pid = fork();
    if (pid == 0) {
        struct statedir statedir;
        struct err err;

        (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* ends with the test */
        if (statedir_open(&statedir, dir, &err) != 0)
            _exit(1);
        (void)!write(ready[1], "r", 1);
        for (;;)
            (void)pause();
    }
    (void)close(ready[1]);
    ck_assert_int_eq(read(ready[0], &byte, 1), 1);
    (void)close(ready[0]);
    return pid;
}

static void end_holder(pid_t pid)
{
    ck_assert_int_eq(kill(pid, SIGKILL), 0);
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
}

START_TEST(a_second_supervisor_is_told_who_holds_it)
{
    struct statedir statedir;
    struct err err = {0};
    char *expected;
    pid_t holder;

    must_make();
    holder = hold_elsewhere();
    expected =
        must_format("another supervisor (pid %d) runs in %s: use another state_dir "
                    "or stop it",
                    (int)holder, dir);
    ck_assert_int_eq(statedir_open(&statedir, dir, &err), -1);
    ck_assert_str_eq(err.text, expected);
    ck_assert_int_eq(err.code, ERR_CONFIG);
    free(expected);
    end_holder(holder);
}
END_TEST

START_TEST(the_lock_goes_with_its_holder_however_that_ends)
{
    struct statedir statedir;
    struct err err = {0};

    must_make();
    end_holder(hold_elsewhere());
    ck_assert_msg(statedir_open(&statedir, dir, &err) == 0, "%s", err.text);
    statedir_close(&statedir);
    statedir_close(&statedir);
    end_holder(hold_elsewhere()); /* free again */
}
END_TEST

START_TEST(the_lock_is_not_handed_to_other_programs)
{
    struct statedir statedir;
    struct err err = {0};

    must_make();
    ck_assert_int_eq(statedir_open(&statedir, dir, &err), 0);
    ck_assert_int_eq(fcntl(statedir.lock_fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    statedir_close(&statedir);
}
END_TEST

START_TEST(the_path_is_made_absolute)
{
    struct statedir statedir;
    struct err err = {0};

    must_make();
    ck_assert_int_eq(chdir(top), 0);
    ck_assert_int_eq(statedir_open(&statedir, "state/../state", &err), 0);
    ck_assert_str_eq(statedir.path, dir);
    statedir_close(&statedir);
    ck_assert_int_eq(chdir("/"), 0);
}
END_TEST

START_TEST(a_lock_that_is_a_symlink_is_not_followed)
{
    struct statedir statedir;
    struct err err = {0};
    char *lock = must_format("%s/lock", dir);
    char *target = must_format("%s/target", top);

    must_make();
    ck_assert_int_eq(symlink(target, lock), 0);
    ck_assert_int_eq(statedir_open(&statedir, dir, &err), -1);
    ck_assert_int_eq(access(target, F_OK), -1);
    free(lock);
    free(target);
}
END_TEST

/* ---- privileges: each in a child, for there is no way back ---- */

static void check_fails(const char *what)
{
    (void)fprintf(stderr, "%s\n", what);
    _exit(1);
}

#define HOLDS(x)                                                                         \
    do {                                                                                 \
        if (!(x))                                                                        \
            check_fails(#x);                                                             \
    } while (0)

static void run_in_child(void (*body)(void))
{
    int status;
    pid_t pid;

    if (geteuid() != 0)
        return; /* no privileges to drop */
    pid = fork();
    if (pid == 0) {
        body();
        _exit(0);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
}

static bool proc_status_has(const char *line)
{
    char text[4096];
    FILE *file = fopen("/proc/self/status", "re");
    size_t n = file ? fread(text, 1, sizeof(text) - 1, file) : 0;

    text[n] = '\0';
    if (file)
        (void)fclose(file);
    return strstr(text, line) != NULL;
}

static void become_nobody(void)
{
    struct statedir statedir;
    struct err err = {0};
    struct stat st;
    gid_t root_groups[] = {0, 4};

    HOLDS(setgroups(2, root_groups) == 0);
    HOLDS(privileges_settle("nobody", dir, &err) == 0);
    HOLDS(getuid() == 65534 && geteuid() == 65534);
    HOLDS(getgid() == 65534 && getegid() == 65534);
    HOLDS(proc_status_has("\nGroups:\t65534 \n"));
    HOLDS(proc_status_has("\nCapPrm:\t0000000000000000\n"));
    HOLDS(proc_status_has("\nCapEff:\t0000000000000000\n"));
    HOLDS(setuid(0) != 0 && seteuid(0) != 0);
    HOLDS(prctl(PR_GET_DUMPABLE) == 1);
    HOLDS(stat(dir, &st) == 0 && st.st_uid == 65534 && (st.st_mode & 0777) == 0700);
    HOLDS(statedir_open(&statedir, dir, &err) == 0);
    statedir_close(&statedir);
}

START_TEST(root_becomes_the_user_for_good)
{
    run_in_child(become_nobody);
}
END_TEST

static void refuse_unknown(void)
{
    struct err err = {0};

    HOLDS(privileges_settle("no-such-user", dir, &err) == -1);
    HOLDS(err.code == ERR_CONFIG);
    HOLDS(strcmp(err.text, "user: there is no user \"no-such-user\"") == 0);
    HOLDS(geteuid() == 0);
}

START_TEST(an_unknown_user_is_an_error_of_the_configuration)
{
    run_in_child(refuse_unknown);
}
END_TEST

static void refuse_other(void)
{
    struct err err = {0};

    HOLDS(chmod(top, 0777) == 0);
    HOLDS(setgid(65534) == 0 && setuid(65534) == 0);
    HOLDS(privileges_settle("root", dir, &err) == -1);
    HOLDS(err.code == ERR_CONFIG);
    HOLDS(privileges_settle("nobody", dir, &err) == 0); /* is that already */
    HOLDS(privileges_settle(NULL, dir, &err) == 0);
}

START_TEST(only_root_can_become_somebody_else)
{
    run_in_child(refuse_other);
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_checked_fixture(tc, open_scene, close_scene);
    tcase_add_test(tc, a_missing_directory_is_made_for_its_owner_alone);
    tcase_add_test(tc, a_directory_that_cannot_be_made_is_named);
    tcase_add_test(tc, a_second_supervisor_is_told_who_holds_it);
    tcase_add_test(tc, the_lock_goes_with_its_holder_however_that_ends);
    tcase_add_test(tc, the_lock_is_not_handed_to_other_programs);
    tcase_add_test(tc, the_path_is_made_absolute);
    tcase_add_test(tc, a_lock_that_is_a_symlink_is_not_followed);
    tcase_add_test(tc, root_becomes_the_user_for_good);
    tcase_add_test(tc, an_unknown_user_is_an_error_of_the_configuration);
    tcase_add_test(tc, only_root_can_become_somebody_else);
}

int main(void)
{
    return run_suite("statedir", 30, add_tests);
}
