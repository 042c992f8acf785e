/* State directories that a killed `drover work` has left: swept by the next one, if they
 * are nobody's. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/must.h"
#include "cli/work_dir.h"
#include "tests/unit/suite.h"

static char top[64];

static void open_scene(void)
{
    (void)snprintf(top, sizeof(top), "/tmp/drover-sweep-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(top));
}

static void close_scene(void)
{
    char *command = must_format("exec rm -rf -- %s", top);

    ck_assert_int_eq(system(command), 0);
    free(command);
}

static void make(struct work_dir *dir)
{
    struct err err = {0};

    ck_assert_msg(work_dir_make(dir, top, &err) == 0, "%s", err.text);
}

static bool exists(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0;
}

/* A file in the directory; its descriptor. */
static int put(const char *path, const char *name)
{
    char *file = must_format("%s/%s", path, name);
    int fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    ck_assert_int_ge(fd, 0);
    free(file);
    return fd;
}

/* As a killed one leaves it. */
static char *leave(const char *name)
{
    char *path = must_format("%s/drover-work-%s", top, name);

    ck_assert_int_eq(mkdir(path, 0700), 0);
    (void)close(put(path, "lock"));
    (void)close(put(path, "control.sock"));
    return path;
}

START_TEST(a_directory_is_its_owners_and_goes_with_it)
{
    struct work_dir dir;
    struct stat st;
    char *path;

    make(&dir);
    path = must_strdup(dir.path);
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_int_eq(st.st_mode & 07777, 0700);
    (void)close(put(path, "lock"));
    work_dir_remove(&dir);
    ck_assert(!exists(path));
    work_dir_remove(&dir); /* nothing */
    free(path);
}
END_TEST

START_TEST(what_the_dead_have_left_is_swept)
{
    char *left = leave("aaaaaa"), *bare = must_format("%s/drover-work-bbbbbb", top);

    ck_assert_int_eq(mkdir(bare, 0700), 0); /* killed before there was a supervisor */
    work_dir_sweep(top);
    ck_assert(!exists(left));
    ck_assert(!exists(bare));
    free(left);
    free(bare);
}
END_TEST

/* Its supervisor is killed, and then its worker, which holds what it has inherited. */
START_TEST(what_somebody_alive_holds_stays_until_the_last_is_dead)
{
    struct work_dir dir;
    pid_t children[2];
    char *path;

    make(&dir);
    path = must_strdup(dir.path);
    for (int i = 0; i < 2; i++) {
        children[i] = fork();
        if (children[i] == 0) {
            (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
            for (;;)
                (void)pause();
        }
    }
    (void)close(dir.fd);
    free(dir.path);
    for (int i = 0; i < 2; i++) {
        work_dir_sweep(top);
        ck_assert(exists(path));
        ck_assert_int_eq(kill(children[i], SIGKILL), 0);
        ck_assert_int_eq(waitpid(children[i], NULL, 0), children[i]);
    }
    work_dir_sweep(top);
    ck_assert(!exists(path));
    free(path);
}
END_TEST

/* As by one that locks nothing but the file. */
START_TEST(a_lock_file_that_is_held_keeps_it)
{
    char *path = leave("cccccc");
    int fd = put(path, "lock");

    ck_assert_int_eq(flock(fd, LOCK_EX | LOCK_NB), 0);
    work_dir_sweep(top);
    ck_assert(exists(path));
    (void)close(fd);
    work_dir_sweep(top);
    ck_assert(!exists(path));
    free(path);
}
END_TEST

START_TEST(what_is_not_a_supervisors_own_stays)
{
    char *path = leave("dddddd"), *other = must_format("%s/drover-other", top);
    char *link_path = must_format("%s/drover-work-eeeeee", top);
    char *file = must_format("%s/kept", path);

    (void)close(put(path, "kept"));
    ck_assert_int_eq(mkdir(other, 0700), 0);
    ck_assert_int_eq(symlink(other, link_path), 0);
    work_dir_sweep(top);
    ck_assert(exists(file));
    ck_assert(exists(other));
    ck_assert(exists(link_path));
    free(path);
    free(other);
    free(link_path);
    free(file);
}
END_TEST

START_TEST(what_belongs_to_somebody_else_stays)
{
    char *path;

    if (geteuid() != 0)
        return; /* nobody else's can be made */
    path = leave("ffffff");
    ck_assert_int_eq(chown(path, 65534, 65534), 0);
    work_dir_sweep(top);
    ck_assert(exists(path));
    free(path);
}
END_TEST

START_TEST(a_parent_that_is_not_there_is_said)
{
    struct work_dir dir;
    struct err err = {0};

    work_dir_sweep("/nonexistent");
    ck_assert_int_eq(work_dir_make(&dir, "/nonexistent", &err), -1);
    ck_assert_str_eq(err.text,
                     "cannot make a directory in /nonexistent (--state-dir names "
                     "another): No such file or directory");
    work_dir_remove(&dir);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_checked_fixture(tc, open_scene, close_scene);
    tcase_add_test(tc, a_directory_is_its_owners_and_goes_with_it);
    tcase_add_test(tc, what_the_dead_have_left_is_swept);
    tcase_add_test(tc, what_somebody_alive_holds_stays_until_the_last_is_dead);
    tcase_add_test(tc, a_lock_file_that_is_held_keeps_it);
    tcase_add_test(tc, what_is_not_a_supervisors_own_stays);
    tcase_add_test(tc, what_belongs_to_somebody_else_stays);
    tcase_add_test(tc, a_parent_that_is_not_there_is_said);
}

int main(void)
{
    return run_suite("work_dir", 60, add);
}
