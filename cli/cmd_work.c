/* drover work: in place of `php artisan queue:work`. Boots the application once to hear
 * where its queues are, composes a configuration of that and the arguments, and runs it
 * under the same supervisor as drover supervise, which ends when the worker does. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/enter.h"
#include "cli/laravel_boot.h"
#include "cli/load.h"
#include "cli/output.h"
#include "cli/work_compose.h"
#include "cli/work_dir.h"
#include "config/build.h"
#include "queue/client.h"
#include "supervisor/supervisor.h"

struct working { /* all its own */
    struct work_flags flags;
    const char *config_path; /* -c alone: files that lie about are for drover supervise */
    char *directory, *bridge;
    struct work_dir state_dir; /* where --state-dir names none */
    struct laravel_app *app;
    const struct laravel_connection *connection;
    struct config *config;
};

/* ---- getting ready ---- */

static int make_state_dir(struct working *working, struct err *err)
{
    const char *runtime = getenv("XDG_RUNTIME_DIR"), *temporary = getenv("TMPDIR");
    const char *parent = runtime && *runtime       ? runtime
                         : temporary && *temporary ? temporary
                                                   : "/tmp";

    if (working->flags.state_dir)
        return 0;
    work_dir_sweep(parent);
    return work_dir_make(&working->state_dir, parent, err);
}

static int boot(struct working *working, struct err *err)
{
    const struct work_flags *flags = &working->flags;
    struct laravel_boot boot = {.php = flags->php,
                                .bootstrap = flags->bootstrap,
                                .environment = flags->environment};

    working->directory = laravel_find(flags->path, flags->bootstrap, err);
    if (working->directory)
        working->bridge = laravel_find_bridge(err);
    if (working->bridge == NULL)
        return -1;
    boot.app = working->directory;
    boot.bridge = working->bridge;
    working->app = laravel_boot(&boot, err);
    if (working->app == NULL)
        return -1;
    working->connection = laravel_app_connection(working->app, flags->connection, err);
    return working->connection ? laravel_app_check(working->connection, err) : -1;
}

static void print_notes(const struct buf *notes)
{
    for (const char *line = notes->data; line && *line; line += strcspn(line, "\n") + 1)
        output_note("%.*s", (int)strcspn(line, "\n"), line);
}

static int compose(struct working *working, struct err *err)
{
    struct work_setting setting = {.flags = &working->flags,
                                   .app = working->app,
                                   .connection = working->connection,
                                   .directory = working->directory,
                                   .bridge = working->bridge,
                                   .state_dir = working->flags.state_dir
                                                    ? working->flags.state_dir
                                                    : working->state_dir.path,
                                   .config_path = working->config_path,
                                   .terminal = isatty(STDOUT_FILENO) == 1};
    struct buf notes;

    buf_init(&notes, 0);
    working->config = work_compose(&setting, &notes, err);
    if (working->config)
        print_notes(&notes);
    buf_free(&notes);
    return working->config ? cli_check_config(working->config, err) : -1;
}

/* Where it is to end when there is nothing to do, it must not wait for a Redis that is
 * not there. */
static int check_redis(const struct config *config, struct err *err)
{
    struct redis_endpoint endpoint = {.host = NULL};
    struct client *client = NULL;

    if (!config->work.leaves_when_empty)
        return 0;
    if (redis_endpoint_resolve(config, &endpoint, err) == 0)
        client = client_open(&endpoint, config->redis.prefix, err);
    redis_endpoint_free(&endpoint);
    client_close(client);
    return client ? 0 : -1;
}

/* ---- working ---- */

static void greet(const struct config *config)
{
    const struct text_list *queues = &config->pools[0].queues;

    if (config->work.output == WORK_JSON || config->work.output == WORK_QUIET ||
        isatty(STDOUT_FILENO) != 1)
        return;
    (void)fputs("\n  Processing jobs from the [", stdout);
    for (size_t i = 0; i < queues->ct; i++) {
        (void)fputs(i ? "," : "", stdout);
        output_text(slice_text(queues->items[i]), 0);
    }
    (void)printf("] queue%s.\n\n", queues->ct > 1 ? "s" : "");
    (void)fflush(stdout); /* before the fork */
}

static int work(struct working *working)
{
    struct supervisor_options options = {.config = working->config,
                                         .worker = enter_worker};

    greet(working->config);
    working->config = NULL; /* taken */
    return supervisor_run(&options);
}

static int start(struct working *working)
{
    struct err err = {0};

    if (boot(working, &err) == 0 && make_state_dir(working, &err) == 0 &&
        compose(working, &err) == 0 && check_redis(working->config, &err) == 0)
        return work(working);
    if (err.code == ERR_NONE)
        return EXIT_DONE; /* a signal came while it booted */
    output_note("%s", err.text);
    return err.code == ERR_USAGE ? EXIT_BAD_USAGE : EXIT_ERROR;
}

/* What can be known to be wrong without the application. */
static int read_arguments(struct working *working, const struct cli_args *args,
                          struct buf *ignored, struct err *err)
{
    struct config *file;

    if (work_flags_read(&working->flags, args, ignored, err) != 0 ||
        work_check_flags(&working->flags, err) != 0)
        return -1;
    file = config_begin(working->config_path, err);
    config_free(file);
    return file ? 0 : -1;
}

static int run(const struct cli_args *args)
{
    struct working working = {.config_path = args->config_path};
    struct err err = {0};
    struct buf ignored;
    int exit_code;

    buf_init(&ignored, 0);
    if (read_arguments(&working, args, &ignored, &err) != 0) {
        exit_code = cli_fail(&err);
    } else {
        if (ignored.len > 0)
            output_note("ignored: %s", ignored.data);
        exit_code = start(&working);
    }
    work_dir_remove(&working.state_dir);
    buf_free(&ignored);
    config_free(working.config);
    laravel_app_free(working.app);
    free(working.directory);
    free(working.bridge);
    return exit_code;
}

const struct cli_command cmd_work = {
    .words = "work",
    .operands = "[CONNECTION]",
    .summary = "Run the queues of a Laravel project, as queue:work does",
    .examples = "drover work redis --queue=high,default,low --tries=3\n"
                "drover work --concurrency 4 --timeout=120\n"
                "drover work redis --stop-when-empty --path /var/www/html",
    .operand_max = 1,
    .options = work_options,
    .run = run};
