/* State directories of `drover work`: made, removed, swept.
 *
 * Two processes never mistake each other's: the maker locks the directory and then looks
 * whether it is still there; who sweeps locks it first, and removes it under the lock. A
 * sweep that comes between the making and the lock costs the maker another try.
 *
 * The parent may be /tmp: nothing is followed that is a link, and nothing is touched that
 * belongs to somebody else.
 */
#include "cli/work_dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"

#define NAME "drover-work-"

enum { TRIES = 100, DIR_FLAGS = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC };

static const char lock_name[] = "lock"; /* the supervisor's, which it locks too */
static const char *const own_names[] = {lock_name, "control.sock"};

/* False: somebody sweeps it. Where there are no locks there is no sweep. */
static bool hold(const struct work_dir *dir)
{
    struct stat here, there;

    return (flock(dir->fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) &&
           fstat(dir->fd, &here) == 0 && lstat(dir->path, &there) == 0 &&
           here.st_ino == there.st_ino && here.st_dev == there.st_dev;
}

static void give_up(struct work_dir *dir)
{
    if (dir->fd >= 0)
        (void)close(dir->fd);
    free(dir->path);
    *dir = (struct work_dir){.fd = -1};
}

int work_dir_make(struct work_dir *dir, const char *parent, struct err *err)
{
    *dir = (struct work_dir){.fd = -1};
    for (unsigned i = 0; i < TRIES; i++) {
        dir->path = must_format("%s/" NAME "XXXXXX", parent);
        if (mkdtemp(dir->path) == NULL)
            break;
        dir->fd = open(dir->path, DIR_FLAGS);
        if (dir->fd >= 0 && hold(dir))
            return 0;
        give_up(dir);
    }
    (void)err_set_errno(
        err, errno, "cannot make a directory in %s (--state-dir names another)", parent);
    give_up(dir);
    return -1;
}

static void empty(int fd)
{
    for (size_t i = 0; i < ARRAY_CT(own_names); i++)
        (void)unlinkat(fd, own_names[i], 0);
}

void work_dir_remove(struct work_dir *dir)
{
    if (dir->path == NULL)
        return;
    empty(dir->fd);
    (void)rmdir(dir->path);
    give_up(dir);
}

/* ---- what others have left ---- */

static bool is_ours(int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 && st.st_uid == geteuid();
}

/* The lock of a supervisor; where there is none, nobody has it. */
static bool is_free(int dir_fd)
{
    int fd = openat(dir_fd, lock_name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    bool free_now = fd < 0 ? errno == ENOENT : flock(fd, LOCK_EX | LOCK_NB) == 0;

    if (fd >= 0)
        (void)close(fd);
    return free_now;
}

static void sweep_one(int parent_fd, const char *name)
{
    int fd = openat(parent_fd, name, DIR_FLAGS);

    if (fd < 0)
        return;
    if (is_ours(fd) && flock(fd, LOCK_EX | LOCK_NB) == 0 && is_free(fd)) {
        empty(fd);
        (void)unlinkat(parent_fd, name, AT_REMOVEDIR);
    }
    (void)close(fd);
}

void work_dir_sweep(const char *parent)
{
    DIR *entries = opendir(parent);
    const struct dirent *entry;

    if (entries == NULL)
        return;
    while ((entry = readdir(entries)) != NULL)
        if (strncmp(entry->d_name, NAME, strlen(NAME)) == 0)
            sweep_one(dirfd(entries), entry->d_name);
    (void)closedir(entries);
}
