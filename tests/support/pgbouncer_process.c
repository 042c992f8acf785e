/* Starting a PgBouncer for tests, and being sure that it goes. */
#include "tests/support/pgbouncer_process.h"

#include <errno.h>
#include <libpq-fe.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/wait.h"

static const char program[] = "/usr/sbin/pgbouncer";

enum { BOUNCER_PORT = 6432 };

bool pgbouncer_process_is_installed(void)
{
    return access(program, X_OK) == 0;
}

static void write_settings(const struct postgres_process *postgres, const char *path,
                           unsigned pool_size)
{
    FILE *file = fopen(path, "we");

    MUST(file != NULL);
    (void)fprintf(
        file,
        "[databases]\npostgres = host=%s port=5432 dbname=postgres user=postgres\n"
        "[pgbouncer]\nlisten_addr =\nlisten_port = %d\nunix_socket_dir = %s\n"
        "auth_type = any\nadmin_users = postgres\npool_mode = transaction\n"
        "default_pool_size = %u\nmax_client_conn = 200\n"
        "server_login_retry = 1\n",
        postgres->dir, BOUNCER_PORT, postgres->dir, pool_size);
    MUST(fclose(file) == 0);
}

static bool is_answering(void *arg)
{
    const struct pgbouncer_process *process = arg;

    return PQping(process->console) == PQPING_OK;
}

void pgbouncer_process_begin(struct pgbouncer_process *process,
                             const struct postgres_process *postgres, unsigned pool_size)
{
    char settings[96], log[96];
    const char *const argv[] = {program, settings, NULL};

    *process = (struct pgbouncer_process){.postgres = postgres};
    (void)snprintf(settings, sizeof(settings), "%s/pgbouncer.ini", postgres->dir);
    (void)snprintf(log, sizeof(log), "%s/pgbouncer.log", postgres->dir);
    (void)snprintf(process->dsn, sizeof(process->dsn),
                   "host=%s port=%d dbname=postgres user=postgres", postgres->dir,
                   BOUNCER_PORT);
    (void)snprintf(process->console, sizeof(process->console),
                   "host=%s port=%d dbname=pgbouncer user=postgres", postgres->dir,
                   BOUNCER_PORT);
    write_settings(postgres, settings, pool_size);
    process->pid = postgres_process_spawn(log, SIGKILL, argv);
    MUST(wait_at_most(is_answering, process, WAIT_MS));
}

void pgbouncer_process_end(struct pgbouncer_process *process)
{
    if (process->pid == 0)
        return;
    (void)kill(process->pid, SIGKILL);
    while (waitpid(process->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    process->pid = 0;
}

void pgbouncer_process_do(struct pgbouncer_process *process, const char *command)
{
    PGconn *conn = PQconnectdb(process->console);
    PGresult *result = PQexec(conn, command);
    ExecStatusType status = PQresultStatus(result);

    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK)
        (void)fprintf(stderr, "%s: %s\n", command, PQerrorMessage(conn));
    MUST(status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK);
    PQclear(result);
    PQfinish(conn);
}
