/* The state directory that `drover work` makes for itself, and those that earlier ones
 * have left behind because they were killed.
 *
 * Whoever lives holds a lock on its directory, as do the workers that it has forked: the
 * lock goes with the last of them. So what is not locked is nobody's.
 */
#ifndef CLI_WORK_DIR_H
#define CLI_WORK_DIR_H

#include "base/err.h"

struct work_dir {
    char *path; /* NULL: there is none */
    int fd;     /* holds the lock; not inherited by what is executed */
};

/* Makes PARENT/drover-work-XXXXXX, 0700, and locks it. `dir` may be removed in any case.
 */
int work_dir_make(struct work_dir *dir, const char *parent, struct err *err) MUSTCHECK;

/* Removes the directory, as far as there is nothing in it but a supervisor's own; frees.
 */
void work_dir_remove(struct work_dir *dir);

/* Removes those below `parent` that belong to this user and that nobody holds. What goes
 * wrong is left to the next one. */
void work_dir_sweep(const char *parent);

#endif
