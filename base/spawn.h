/* Starting another program at the cost of vfork, whatever size this process has grown to.
 *
 * The child gets fds 0-2 (or more) as named and nothing else, default signal
 * dispositions, an empty signal mask, the given environment, its own process group, and
 * (with `death_signal`) dies with the process that started it. Nothing between vfork and
 * exec allocates or takes a lock.
 *
 * A start copies the descriptors as far up as those that the child gets. So what a
 * process opens by the thousand is moved above SPAWN_LOW_FDS, and numbers below are free.
 */
#ifndef BASE_SPAWN_H
#define BASE_SPAWN_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"

enum { SPAWN_FD_MAX = 5, SPAWN_LOW_FDS = 256 };

struct spawn {
    const char *file;        /* with a '/': as it is; else searched in `path` */
    const char *path;        /* colon-separated, e.g. the child's PATH; NULL: no search */
    const char *const *argv; /* NULL-terminated */
    const char *const *envp; /* NULL-terminated; the whole environment */
    const char *cwd;         /* NULL: unchanged */
    int fds[SPAWN_FD_MAX];   /* become 0, 1, 2 and so on; -1: /dev/null */
    unsigned fd_ct;          /* how many of them count; 0: 3 */
    int death_signal;        /* sent to the child when this process dies; 0: none */
    _Atomic(pid_t) *note_pid; /* written by the child itself before exec, so that a
                                 shared scoreboard never misses it; NULL: none */
};

/* Returns the pid, which is also its process group, or -1 with `err`. `exec_errno` (may
 * be NULL) gets errno of the failed chdir or exec, 0 where the failure was another: by it
 * a caller tells ENOENT (127) from EACCES (126). No child is left after -1. */
pid_t spawn_start(const struct spawn *spawn, int *exec_errno, struct err *err) MUSTCHECK;

/* Whether spawn_start() would find a program at `file` and `path`, as above, from here.
 */
bool spawn_finds(const char *file, const char *path);

/* Moves a descriptor out of the low numbers, where there is room; its new number. */
int spawn_raise_fd(int fd);

/* For a child between fork and whatever comes: every signal's default, and no fds but
 * those below `first`. Neither allocates nor takes a lock. */
void spawn_reset_signals(void);
void spawn_close_fds(unsigned first);

/* Test seam: replaced to inject failures. Points to spawn_start. */
extern pid_t (*spawn_hook)(const struct spawn *spawn, int *exec_errno, struct err *err);

#endif
