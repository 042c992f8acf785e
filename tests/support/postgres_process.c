/* Starting a PostgreSQL server for tests, and being sure that it goes. A socket's path
 * has to be short: the directory is a fresh one under /tmp. */
#include "tests/support/postgres_process.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <grp.h>
#include <libpq-fe.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "tests/support/wait.h"

enum { ARGV_MAX = 32 };

/* ---- whose process it is ---- */

static const struct passwd *server_user(void)
{
    const struct passwd *user = getpwnam("postgres");

    return user ? user : getpwnam("nobody");
}

static void become_server_user(void)
{
    const struct passwd *user;

    if (geteuid() != 0)
        return;
    user = server_user();
    if (user == NULL || setgroups(0, NULL) != 0 || setgid(user->pw_gid) != 0 ||
        setuid(user->pw_uid) != 0)
        _exit(126);
}

void postgres_process_own(const char *path)
{
    const struct passwd *user;

    if (geteuid() != 0)
        return;
    user = server_user();
    MUST(user != NULL && chown(path, user->pw_uid, user->pw_gid) == 0);
}

/* The death signal comes after the change of user, which forgets it. */
pid_t postgres_process_spawn(const char *log, int death_signal, const char *const *argv)
{
    int out = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    const char *args[ARGV_MAX] = {0};
    pid_t pid;

    for (size_t i = 0; argv[i] && i + 1 < ARGV_MAX; i++)
        args[i] = argv[i];
    pid = fork();
    MUST(out >= 0 && null >= 0 && pid >= 0);
    if (pid == 0) {
        (void)dup2(null, STDIN_FILENO);
        (void)dup2(out, STDOUT_FILENO);
        (void)dup2(out, STDERR_FILENO);
        become_server_user();
        (void)prctl(PR_SET_PDEATHSIG, death_signal);
        (void)setpgid(0, 0);
        if (chdir("/") == 0)
            (void)execv(args[0], (char *const *)(void *)args);
        _exit(127);
    }
    (void)close(out);
    (void)close(null);
    return pid;
}

static int wait_for(pid_t pid)
{
    int status = -1;

    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return status;
}

/* ---- the cluster ---- */

/* Debian keeps the servers out of PATH, a directory per version; the newest is the last.
 */
static bool find_program(const char *name, char *path, size_t size)
{
    char *pattern = must_format("/usr/lib/postgresql/*/bin/%s", name);
    glob_t found = {0};
    bool there = glob(pattern, 0, NULL, &found) == 0 && found.gl_pathc > 0;

    if (there)
        (void)snprintf(path, size, "%s", found.gl_pathv[found.gl_pathc - 1]);
    globfree(&found);
    free(pattern);
    return there;
}

bool postgres_process_is_installed(void)
{
    char path[256];

    return find_program("postgres", path, sizeof(path));
}

static void name_socket(struct postgres_process *process)
{
    int port = process->tcp_port ? process->tcp_port : 5432;

    (void)snprintf(process->socket, sizeof(process->socket), "%s/.s.PGSQL.%d",
                   process->dir, port);
    (void)snprintf(process->dsn, sizeof(process->dsn),
                   "host=%s port=%d dbname=postgres user=postgres", process->dir, port);
}

void postgres_process_make(struct postgres_process *process)
{
    char initdb[256], data[96], log[96];
    const char *const argv[] = {initdb,     "-D",    data, "-U",   "postgres",
                                "-A",       "trust", "-E", "UTF8", "--no-sync",
                                "--locale", "C",     NULL};

    *process = (struct postgres_process){0};
    (void)snprintf(process->dir, sizeof(process->dir), "/tmp/drover-pg-XXXXXX");
    MUST(find_program("initdb", initdb, sizeof(initdb)));
    MUST(mkdtemp(process->dir) != NULL && chmod(process->dir, 0755) == 0);
    postgres_process_own(process->dir);
    name_socket(process);
    (void)snprintf(data, sizeof(data), "%s/data", process->dir);
    (void)snprintf(log, sizeof(log), "%s/initdb.log", process->dir);
    MUST(wait_for(postgres_process_spawn(log, SIGKILL, argv)) == 0);
}

/* ---- running ---- */

static pid_t spawn_server(const struct postgres_process *process)
{
    char postgres[256], data[96], log[96], port[16];
    const char *const argv[] = {
        postgres,
        "-D",
        data,
        "-k",
        process->dir,
        "-p",
        port,
        "-F",
        "-c",
        process->tcp_port ? "listen_addresses=127.0.0.1" : "listen_addresses=",
        "-c",
        "shared_buffers=16MB",
        "-c",
        "max_connections=60",
        "-c",
        "autovacuum=off",
        "-c",
        "wal_level=minimal",
        "-c",
        "max_wal_senders=0",
        NULL};

    MUST(find_program("postgres", postgres, sizeof(postgres)));
    (void)snprintf(data, sizeof(data), "%s/data", process->dir);
    (void)snprintf(log, sizeof(log), "%s/server.log", process->dir);
    (void)snprintf(port, sizeof(port), "%s", strrchr(process->socket, '.') + 1);
    return postgres_process_spawn(log, SIGQUIT, argv);
}

/* The one that answers may still be an earlier one. */
static bool is_answering(const struct postgres_process *process)
{
    char *path = must_format("%s/data/postmaster.pid", process->dir);
    FILE *file = fopen(path, "re");
    int pid = 0;

    free(path);
    if (file == NULL)
        return false;
    if (fscanf(file, "%d", &pid) != 1)
        pid = 0;
    (void)fclose(file);
    return pid == process->pid && PQping(process->dsn) == PQPING_OK;
}

/* A server that a test left behind may still be on its way out, and hold the cluster. */
void postgres_process_start(struct postgres_process *process)
{
    int64_t end_ms = wait_now_ms() + WAIT_MS;

    name_socket(process);
    process->pid = spawn_server(process);
    while (waitpid(process->pid, NULL, WNOHANG) != 0 || !is_answering(process)) {
        MUST(wait_now_ms() < end_ms);
        wait_pause();
        if (kill(process->pid, 0) != 0)
            process->pid = spawn_server(process);
    }
}

void postgres_process_stop(struct postgres_process *process, enum postgres_stop how)
{
    if (process->pid == 0)
        return;
    (void)kill(process->pid, SIGCONT);
    (void)kill(process->pid, how == POSTGRES_FAST ? SIGINT : SIGQUIT);
    (void)wait_for(process->pid);
    process->pid = 0;
}

void postgres_process_restart(struct postgres_process *process, enum postgres_stop how)
{
    postgres_process_stop(process, how);
    postgres_process_start(process);
}

void postgres_process_end(struct postgres_process *process)
{
    char command[128];

    postgres_process_stop(process, POSTGRES_IMMEDIATE);
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", process->dir);
    MUST(system(command) == 0);
}

/* ---- statements ---- */

enum session { SESSION_WRITES, SESSION_AS_ANY };

static void run(struct postgres_process *process, enum session session, const char *sql,
                struct buf *value)
{
    char *dsn = must_format("%s%s", process->dsn,
                            session == SESSION_WRITES
                                ? " options='-c default_transaction_read_only=off'"
                                : "");
    PGconn *conn = PQconnectdb(dsn);
    PGresult *result = PQexec(conn, sql);
    ExecStatusType status = PQresultStatus(result);

    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK)
        (void)fprintf(stderr, "%s: %s\n", sql, PQerrorMessage(conn));
    MUST(status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK);
    buf_clear(value);
    (void)buf_add_text(value, PQntuples(result) > 0 ? PQgetvalue(result, 0, 0) : "");
    PQclear(result);
    PQfinish(conn);
    free(dsn);
}

const char *postgres_process_do(struct postgres_process *process, const char *fmt, ...)
{
    static struct buf value;
    char *sql = NULL;
    va_list args;

    va_start(args, fmt);
    MUST(vasprintf(&sql, fmt, args) >= 0);
    va_end(args);
    run(process, SESSION_WRITES, sql, &value);
    free(sql);
    return value.data;
}

long long postgres_process_int(struct postgres_process *process, const char *fmt, ...)
{
    struct buf value;
    char *sql = NULL;
    long long number;
    va_list args;

    va_start(args, fmt);
    MUST(vasprintf(&sql, fmt, args) >= 0);
    va_end(args);
    buf_init(&value, 0);
    run(process, SESSION_WRITES, sql, &value);
    number = strtoll(value.data, NULL, 10);
    buf_free(&value);
    free(sql);
    return number;
}

static bool is_read_only(struct postgres_process *process)
{
    struct buf value;
    bool is;

    buf_init(&value, 0);
    run(process, SESSION_AS_ANY, "SHOW default_transaction_read_only", &value);
    is = strcmp(value.data, "on") == 0;
    buf_free(&value);
    return is;
}

void postgres_process_set_read_only(struct postgres_process *process, bool read_only)
{
    const char *word = read_only ? "on" : "off";

    (void)postgres_process_do(
        process, "ALTER SYSTEM SET default_transaction_read_only = %s", word);
    (void)postgres_process_do(process, "SELECT pg_reload_conf()");
    WAIT_FOR(is_read_only(process) == read_only);
}

void postgres_process_limit_files(struct postgres_process *process, const char *bytes)
{
    char *pid = must_format("--pid=%d", (int)process->pid);
    char *limit = must_format("--fsize=%s:", bytes); /* the soft limit alone */
    char *log = must_format("%s/prlimit.log", process->dir);
    const char *const argv[] = {"/usr/bin/prlimit", pid, limit, NULL};

    MUST(wait_for(postgres_process_spawn(log, SIGKILL, argv)) == 0);
    free(pid);
    free(limit);
    free(log);
}

void postgres_process_end_sessions(struct postgres_process *process)
{
    (void)postgres_process_do(
        process, "SELECT pg_terminate_backend(pid, 30000) FROM pg_stat_activity "
                 "WHERE pid <> pg_backend_pid() AND "
                 "backend_type = 'client backend'");
}
