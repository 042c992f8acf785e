/* The state directory and its lock. The lock file is never removed: a name that can go
 * away can be locked twice. */
#include "supervisor/statedir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

enum { DIR_MODE = 0700, LOCK_MODE = 0600, PID_TEXT_BYTES = 16, LINE_BYTES = 256 };

int statedir_make(const char *path, uid_t owner, gid_t group, struct err *err)
{
    if (mkdir(path, DIR_MODE) != 0 && errno != EEXIST)
        return err_set_errno(err, errno, "cannot make state_dir %s", path);
    if (geteuid() == 0 && owner != 0 && chown(path, owner, group) != 0)
        return err_set_errno(err, errno, "cannot give state_dir %s to uid %u", path,
                             (unsigned)owner);
    return 0;
}

/* The pid in a lock that somebody else holds; 0: not (yet) written. */
static long read_holder(int fd)
{
    char text[PID_TEXT_BYTES];
    ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

    text[n > 0 ? n : 0] = '\0';
    return strtol(text, NULL, 10);
}

/* Taking the lock to find out would keep a supervisor from starting just then; the kernel
 * lists it. The pid must be the file's, for inodes of two file systems may be equal. */
static bool is_listed(long pid, ino_t inode)
{
    FILE *locks = fopen("/proc/locks", "re");
    char line[LINE_BYTES];
    bool found = false;

    while (locks && !found && fgets(line, sizeof(line), locks)) {
        long holder;
        unsigned long long its_inode;

        found = sscanf(line, "%*d: FLOCK %*s WRITE %ld %*x:%*x:%llu", &holder,
                       &its_inode) == 2 &&
                holder == pid && its_inode == inode;
    }
    if (locks)
        (void)fclose(locks);
    return found;
}

long statedir_holder(const char *path)
{
    char *file = must_format("%s/lock", path);
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    struct stat st;
    long pid = 0;

    free(file);
    if (fd < 0)
        return 0;
    if (fstat(fd, &st) == 0)
        pid = read_holder(fd);
    (void)close(fd);
    return pid > 0 && is_listed(pid, st.st_ino) ? pid : 0;
}

static int write_holder(int fd, const char *path, struct err *err)
{
    char text[PID_TEXT_BYTES];
    int len = snprintf(text, sizeof(text), "%d\n", (int)getpid());

    if (ftruncate(fd, 0) != 0 || pwrite(fd, text, (size_t)len, 0) != len)
        return err_set_errno(err, errno, "cannot write the lock of state_dir %s", path);
    return 0;
}

static int take_lock(int fd, const char *path, struct err *err)
{
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        return write_holder(fd, path, err);
    if (errno != EWOULDBLOCK)
        return err_set_errno(err, errno, "cannot lock state_dir %s", path);
    return err_set(err, ERR_CONFIG,
                   "another supervisor (pid %ld) runs in %s: use another state_dir or "
                   "stop it",
                   read_holder(fd), path);
}

static int open_lock(const char *path, struct err *err)
{
    char *file = must_format("%s/lock", path);
    int fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, LOCK_MODE);

    if (fd < 0)
        (void)err_set_errno(err, errno, "cannot write to state_dir: %s", file);
    free(file);
    return fd;
}

static void warn_of_others(const char *path)
{
    struct stat st;

    if (stat(path, &st) == 0 && (st.st_mode & (S_IWGRP | S_IWOTH)))
        log_warning("supervisor.state_dir_open", log_str("state_dir", path),
                    log_str("advice", "others can write to it: chmod go-w"));
}

int statedir_open(struct statedir *statedir, const char *path, struct err *err)
{
    char *absolute = realpath(path, NULL);
    int fd;

    *statedir = (struct statedir){.lock_fd = -1};
    if (absolute == NULL)
        return err_set_errno(err, errno, "cannot use state_dir %s", path);
    fd = open_lock(absolute, err);
    if (fd >= 0 && take_lock(fd, absolute, err) == 0) {
        warn_of_others(absolute);
        *statedir = (struct statedir){.path = absolute, .lock_fd = fd};
        return 0;
    }
    if (fd >= 0)
        (void)close(fd);
    free(absolute);
    return -1;
}

void statedir_close(struct statedir *statedir)
{
    if (statedir->lock_fd >= 0)
        (void)close(statedir->lock_fd);
    free(statedir->path);
    *statedir = (struct statedir){.lock_fd = -1};
}
