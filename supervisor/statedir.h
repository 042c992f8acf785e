/* The state directory: made where it is missing, and held by one supervisor at a time.
 */
#ifndef SUPERVISOR_STATEDIR_H
#define SUPERVISOR_STATEDIR_H

#include <sys/types.h>

#include "base/err.h"

struct statedir {
    char *path;  /* absolute */
    int lock_fd; /* holds the lock; -1: not open */
};

/* Makes `path` (0700; its parent must exist) and, as root, gives it to `owner` and
 * `group`. One that exists keeps its mode. */
int statedir_make(const char *path, uid_t owner, gid_t group, struct err *err) MUSTCHECK;

/* Takes the lock, STATE_DIR/lock, with our pid in it; where another process has it, -1
 * and `err` says which. The lock goes with this process, however it ends. */
int statedir_open(struct statedir *statedir, const char *path, struct err *err) MUSTCHECK;
/* Who has the lock, without touching it; 0: nobody, or none that is to be seen here. */
long statedir_holder(const char *path);
void statedir_close(struct statedir *statedir); /* safe twice */

#endif
