/* drover failed migrate: the table in PostgreSQL, and what the Redis store held before.
 *
 * The other way too: where the store is Redis again, what waits for PostgreSQL goes back.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/interrupt.h"
#include "cli/output.h"
#include "cli/redis.h"
#include "failed/migrate.h"

struct migration {
    const struct cli_args *args;
    struct cli_session session;
    struct client *outbox;
    bool dry_run;
    bool postgres; /* is the store now */
    bool created;  /* the table, or it would have been */
    int64_t moved; /* records, or would have been */
};

/* ---- the table ---- */

static int make_table(struct migration *migration, struct err *err)
{
    struct failed_table *table = failed_postgres_table(migration->session.failed, err);
    bool there;

    if (table == NULL || failed_migrate_look(table, &there, err) != 0)
        return -1;
    migration->created = !there;
    if (there || (migration->dry_run && migration->args->json))
        return 0;
    if (migration->dry_run) {
        char *sql = failed_migrate_sql(table);

        fputs(sql, stdout);
        free(sql);
        return 0;
    }
    return failed_migrate_create(table, err);
}

/* ---- the records ---- */

static int move_records(struct migration *migration, struct err *err)
{
    struct client *failed = migration->session.client;
    struct client *from = migration->postgres ? failed : migration->outbox;
    struct client *to = migration->postgres ? migration->outbox : failed;
    struct progress progress;
    int64_t total, moved = CLIENT_MOVE_MAX;
    int rc = client_failed_count(from, &total, err);

    if (rc != 0)
        return -1;
    if (migration->dry_run) {
        migration->moved = total;
        return 0;
    }
    progress_begin(&progress, "moved", total);
    while (rc == 0 && moved == CLIENT_MOVE_MAX && !interrupt_seen()) {
        rc = client_failed_move(from, to, CLIENT_MOVE_MAX, &moved, err);
        if (rc == 0)
            migration->moved += moved;
        progress_update(&progress, migration->moved);
    }
    progress_end(&progress);
    return rc;
}

/* ---- the command ---- */

static const char *records(int64_t ct)
{
    return ct == 1 ? "failed job" : "failed jobs";
}

static void tell_table(const struct migration *migration)
{
    const char *name = migration->session.config->failed.table;

    if (!migration->postgres)
        return;
    if (migration->created)
        printf("table %s %s\n", name, migration->dry_run ? "would be made" : "made");
    else
        printf("table %s is there and as it should be\n", name);
}

static void tell(const struct migration *migration)
{
    if (migration->args->json) {
        output_json(json_pack("{s:s, s:b, s:I, s:b}", "table",
                              migration->session.config->failed.table, "created",
                              migration->created, "moved", (json_int_t)migration->moved,
                              "dry_run", migration->dry_run));
        return;
    }
    tell_table(migration);
    if (migration->moved == 0)
        return;
    printf("%" PRId64 " %s %s from %s\n", migration->moved, records(migration->moved),
           migration->dry_run ? "would be moved" : "moved",
           migration->postgres ? "the Redis store; workers take them to the table"
                               : "the outbox back to the Redis store");
}

/* Redis is the store: there is no table to make, but there may be something to fetch
 * back. */
static int check_redis(struct migration *migration, struct err *err)
{
    int64_t waiting = 0;

    if (client_failed_count(migration->outbox, &waiting, err) != 0)
        return -1;
    if (waiting > 0)
        return 0;
    return err_set(err, ERR_CONFIG,
                   "failed.store is \"redis\", which needs no table: set it to "
                   "\"postgres\" and say where in failed.dsn");
}

static int migrate(struct migration *migration)
{
    struct err err = {0};
    int rc;

    interrupt_watch();
    migration->outbox = client_outbox(migration->session.client);
    migration->postgres = migration->session.config->failed.store == FAILED_IN_POSTGRES;
    rc = migration->postgres ? make_table(migration, &err) : check_redis(migration, &err);
    if (rc == 0)
        rc = move_records(migration, &err);
    client_close(migration->outbox);
    if (rc != 0)
        return cli_fail(&err);
    tell(migration);
    return interrupt_seen() ? EXIT_ERROR : EXIT_DONE;
}

static int run_migrate(const struct cli_args *args)
{
    struct migration migration = {.args = args, .dry_run = cli_flag(args, "--dry-run")};
    int exit_code = cli_session_open(&migration.session, args);

    if (exit_code != EXIT_DONE)
        return exit_code;
    exit_code = migrate(&migration);
    cli_session_close(&migration.session);
    return exit_code;
}

static const struct cli_option migrate_options[] = {
    {"--dry-run", NULL, "only say what would be done, with the SQL"}, {NULL, NULL, NULL}};

const struct cli_command cmd_failed_migrate = {
    .words = "failed migrate",
    .summary = "Make the table for failed jobs in PostgreSQL, or check it",
    .examples = "drover failed migrate --dry-run\n"
                "drover failed migrate",
    .options = migrate_options,
    .run = run_migrate};
