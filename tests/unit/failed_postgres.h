/* For tests of drover failed where PostgreSQL keeps the jobs: real servers, reached
 * directly or through PgBouncer, the built drover and a shell. In the lines, $P is the
 * database's conninfo.
 */
#ifndef TESTS_FAILED_POSTGRES_H
#define TESTS_FAILED_POSTGRES_H

#include <stdlib.h>

#include "tests/support/pgbouncer_process.h"
#include "tests/support/postgres_fixture.h"
#include "tests/support/shell_json.h"

enum { DIRECT, POOLED, WAY_CT };

static struct pgbouncer_process pooler;

static inline void use_config(const char *name)
{
    char *path = must_format("%s/%s.conf", sh->dir, name);

    setenv("DROVER_CONFIG", path, 1);
    free(path);
}

static inline void go(int way)
{
    use_config(way == POOLED ? "pooled" : "drover");
}

/* An empty table. */
static inline void set_up(void)
{
    expect(0, "redis-cli -s $S FLUSHALL");
    (void)postgres_process_do(&server, FRESH_SCHEMA "DROP SCHEMA IF EXISTS jobs CASCADE");
    expect(0, "$D failed migrate");
}

/* A row as Laravel 13 writes it. */
#define LARAVEL_PAYLOAD                                                                  \
    "{\"uuid\":\"%s\",\"displayName\":\"App\\\\Jobs\\\\Mail\",\"job\":"                  \
    "\"Illuminate\\\\Queue\\\\CallQueuedHandler@call\",\"maxTries\":3,\"data\":{"        \
    "\"command\":\"O:1\"},\"id\":\"x\",\"attempts\":2,\"big\":12345678901234567890}"

static inline void put_row(const char *uuid, const char *queue, const char *failed_at)
{
    char *payload = must_format(LARAVEL_PAYLOAD, uuid);

    (void)postgres_process_do(
        &server,
        "INSERT INTO failed_jobs (uuid, connection, queue, payload, exception, "
        "failed_at) VALUES ('%s', 'redis', '%s', '%s', "
        "E'RuntimeException: no luck in /app/Mail.php:12\\nStack trace:\\n#0 {main}', "
        "'%s')",
        uuid, queue, payload, failed_at);
    free(payload);
}

static inline void write_pooled(void)
{
    MUST(shell_run(sh,
                   "sed 's|dsn = \".*\"|dsn = \"%s\"|' $T/drover.conf > $T/pooled.conf",
                   pooler.dsn) == 0);
}

/* For main(): the servers, and the suite on them. */
static inline int run_with_servers(const char *name, void (*add)(TCase *tc))
{
    char *settings;
    int status;

    MUST(postgres_process_is_installed() && pgbouncer_process_is_installed());
    postgres_process_make(&server);
    postgres_process_start(&server);
    pgbouncer_process_begin(&pooler, &server, 2);
    settings =
        must_format("failed: { store = \"postgres\"; dsn = \"%s\"; };", server.dsn);
    sh = shell_open(settings);
    free(settings);
    setenv("P", server.dsn, 1);
    write_pooled();
    status = run_suite(name, 240, add);
    shell_close(sh);
    pgbouncer_process_end(&pooler);
    postgres_process_end(&server);
    return status;
}

#endif
