/* A redis-server of a test's own: on a unix socket in a directory of its own, without
 * TCP, dying with the program that started it.
 *
 * For main() too, where Check's assertions cannot be: what goes wrong ends the program.
 */
#ifndef SUPPORT_REDIS_PROCESS_H
#define SUPPORT_REDIS_PROCESS_H

#include <sys/types.h>

enum redis_files { REDIS_IN_MEMORY, REDIS_ON_DISK }; /* on disk: an append-only file */

struct redis_process {
    char dir[64];
    char socket[96];
    enum redis_files files;
    const char *const *more; /* options for the next start, up to NULL; NULL: none */
    pid_t pid;               /* 0: not running */
};

/* Makes the directory and starts; returns once the server listens. */
void redis_process_begin(struct redis_process *process, enum redis_files files);
void redis_process_stop(struct redis_process *process);  /* TERM, waited for */
void redis_process_again(struct redis_process *process); /* on the same files */
/* Stops and removes the directory; ends the program where drover's user was denied
 * something (a test that wants that does ACL LOG RESET). */
void redis_process_end(struct redis_process *process);

#endif
