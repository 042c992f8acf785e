/* The processes of this machine, as /proc shows them: a picture of one moment.
 */
#ifndef CHAOS_PROCS_H
#define CHAOS_PROCS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct proc {
    pid_t pid, parent;
    char state; /* as in proc(5) */
};

struct procs {
    struct proc *list;
    size_t ct;
};

void procs_read(struct procs *procs);
void procs_free(struct procs *procs);
const struct proc *procs_find(const struct procs *procs, pid_t pid); /* NULL: none */

/* Writes up to `max` pids; returns how many. */
size_t procs_workers(const struct procs *procs, pid_t supervisor, pid_t *pids,
                     size_t max);
size_t procs_descendants(const struct procs *procs, pid_t root, pid_t *pids, size_t max);
/* Those with `text` in their environment, but for this one. */
size_t procs_marked(const struct procs *procs, const char *text, pid_t *pids, size_t max);

long proc_fd_ct(pid_t pid);   /* -1: it is gone */
long proc_rss_kib(pid_t pid); /* resident and its own: without shared pages */
void proc_describe(pid_t pid, char *text, size_t size); /* its command line */

#endif
