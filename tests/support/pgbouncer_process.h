/* A PgBouncer of a test's own before a PostgreSQL of its own: pool_mode=transaction, on a
 * unix socket in the same directory, dying with the program that started it. */
#ifndef SUPPORT_PGBOUNCER_PROCESS_H
#define SUPPORT_PGBOUNCER_PROCESS_H

#include "tests/support/postgres_process.h"

struct pgbouncer_process {
    const struct postgres_process *postgres; /* borrowed */
    char dsn[160];     /* the database postgres through the pooler */
    char console[160]; /* its admin console */
    pid_t pid;         /* 0: not running */
};

bool pgbouncer_process_is_installed(void);

/* Starts it with so many connections to the server; returns once it answers. The
 * directory is the server's, and goes with it. */
void pgbouncer_process_begin(struct pgbouncer_process *process,
                             const struct postgres_process *postgres, unsigned pool_size);
void pgbouncer_process_end(struct pgbouncer_process *process);

/* PAUSE, RESUME, RECONNECT, SHOW ... on the admin console; must succeed. PAUSE returns
 * when the pool is idle. */
void pgbouncer_process_do(struct pgbouncer_process *process, const char *command);

#endif
