/* A PostgreSQL server of a test's own: a cluster in a directory of its own, on a unix
 * socket in it, without TCP, dying with the program that started it. As root it runs as
 * the user postgres or nobody, for it refuses to be root's.
 *
 * Making a cluster takes a second or two: make one per program, in main() or an unchecked
 * fixture, and start and stop it per test. For main() too, where Check's assertions
 * cannot be: what goes wrong ends the program.
 */
#ifndef SUPPORT_POSTGRES_PROCESS_H
#define SUPPORT_POSTGRES_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/must.h"

enum postgres_stop {
    POSTGRES_FAST,     /* open transactions are rolled back, sessions ended */
    POSTGRES_IMMEDIATE /* as after a crash: recovers at the next start */
};

struct postgres_process {
    char dir[64];
    char socket[96]; /* the unix socket itself, as a proxy's target */
    char dsn[160];   /* as the superuser, database postgres */
    int tcp_port;    /* on 127.0.0.1 too, where it is set before a start; 0: no TCP */
    pid_t pid;       /* 0: not running */
};

/* Whether PostgreSQL's server is installed here. */
bool postgres_process_is_installed(void);

/* Makes the directory and the cluster, without starting it. */
void postgres_process_make(struct postgres_process *process);
void postgres_process_start(struct postgres_process *process); /* until it answers */
void postgres_process_stop(struct postgres_process *process, enum postgres_stop how);
void postgres_process_restart(struct postgres_process *process, enum postgres_stop how);
void postgres_process_end(struct postgres_process *process); /* removes the directory */

/* Runs statements as the superuser; they must succeed. The first value of the last
 * result, "" where there is none; borrowed until the next call. */
const char *postgres_process_do(struct postgres_process *process, const char *fmt, ...)
    PRINTF_LIKE(2, 3);
long long postgres_process_int(struct postgres_process *process, const char *fmt, ...)
    PRINTF_LIKE(2, 3);

/* What every transaction is from now on; in sessions that are open a moment later. */
void postgres_process_set_read_only(struct postgres_process *process, bool read_only);

/* Of sessions from now on: no file may be larger (bytes, or "unlimited"). A write that
 * reaches the limit is cut short there, which is what a full disk does; segments of the
 * log are 16 MiB. */
void postgres_process_limit_files(struct postgres_process *process, const char *bytes);

/* Ends all other sessions, as an administrator would. */
void postgres_process_end_sessions(struct postgres_process *process);

/* Runs `program` as the user that servers run as, with stdin at /dev/null and its output
 * in `log`; its pid. It gets `death_signal` when the caller dies. */
pid_t postgres_process_spawn(const char *log, int death_signal, const char *const *argv);

/* Gives `path` to that user. */
void postgres_process_own(const char *path);

#endif
