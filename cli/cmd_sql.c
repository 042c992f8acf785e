/* drover sql migrate: the table that jobs of type sql with `once` note themselves in. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/interrupt.h"
#include "cli/output.h"
#include "jobs/sql_inbox.h"

enum { CONNECT_MS = 10000, ANSWER_MS = 60000 };

struct migration {
    const struct cli_args *args;
    bool dry_run;
    struct output_array array;
    size_t ct; /* databases looked at */
};

static void tell(struct migration *migration, const char *name, bool there)
{
    if (migration->args->json) {
        output_array_add(&migration->array,
                         json_pack("{s:o, s:s, s:b, s:b}", "database",
                                   output_json_text(slice_text(name)), "table",
                                   "drover_inbox", "created", !there, "dry_run",
                                   migration->dry_run));
        return;
    }
    output_text(slice_text(name), 0);
    if (there)
        puts(": table drover_inbox is there and as it should be");
    else if (migration->dry_run)
        printf(": table drover_inbox would be made\n%s", sql_inbox_text);
    else
        puts(": table drover_inbox made");
}

static int migrate_one(struct migration *migration,
                       const struct database_config *database, struct err *err)
{
    struct postgres_endpoint endpoint;
    struct pg_ask_options options = {
        .endpoint = &endpoint, .connect_ms = CONNECT_MS, .answer_ms = ANSWER_MS};
    struct pg_ask *ask;
    bool there = false;
    int rc = -1;

    database_endpoint_resolve(database, &endpoint);
    ask = pg_ask_open(&options, err);
    if (ask) {
        rc = sql_inbox_look(ask, &there, err);
        if (rc == 0 && !there && !migration->dry_run)
            rc = sql_inbox_create(ask, err);
    }
    if (rc == 0)
        tell(migration, database->name, there);
    else
        (void)err_prefix(err, "%s", database->name);
    pg_ask_close(ask);
    postgres_endpoint_free(&endpoint);
    return rc;
}

/* All are tried. */
static int migrate_all(struct migration *migration, const struct config *config)
{
    const char *only = cli_value(migration->args, "--database");
    int exit_code = EXIT_DONE;
    struct err err = {0};

    for (size_t i = 0; i < config->database_ct; i++) {
        const struct database_config *database = &config->databases[i];

        if (only ? strcmp(only, database->name) != 0
                 : !config_has_inbox(config, database))
            continue;
        migration->ct++;
        if (migrate_one(migration, database, &err) != 0)
            exit_code = cli_fail(&err);
    }
    return exit_code;
}

static int run_migrate(const struct cli_args *args)
{
    struct migration migration = {.args = args, .dry_run = cli_flag(args, "--dry-run")};
    int exit_code = EXIT_DONE;
    struct config *config = cli_config(args, &exit_code);
    const char *only = cli_value(args, "--database");

    if (config == NULL)
        return exit_code;
    interrupt_watch();
    if (args->json)
        output_array_begin(&migration.array);
    exit_code = migrate_all(&migration, config);
    if (args->json) {
        output_array_end(&migration.array);
        putchar('\n');
    }
    config_free(config);
    if (migration.ct > 0)
        return exit_code;
    if (only) {
        output_note("there is no \"%s\" in databases", only);
        return EXIT_NO_SUCH;
    }
    output_note("no job has once = true: no table is needed");
    return EXIT_DONE;
}

static const struct cli_option migrate_options[] = {
    {"--database", "NAME", "only in this one, also where no job needs it yet"},
    {"--dry-run", NULL, "only say what would be done, with the SQL"},
    {NULL, NULL, NULL}};

const struct cli_command cmd_sql_migrate = {
    .words = "sql migrate",
    .summary = "Make the table that SQL jobs with once = true need",
    .examples = "drover sql migrate --dry-run\n"
                "drover sql migrate --database main",
    .options = migrate_options,
    .run = run_migrate};
