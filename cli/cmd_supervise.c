/* drover supervise: hands the configuration and the worker's entry to the supervisor. The
 * only place where supervisor/ and worker/ meet. */
#include "base/log.h"
#include "cli/cli.h"
#include "cli/load.h"
#include "cli/output.h"
#include "supervisor/supervisor.h"
#include "worker/worker.h"

static int enter_worker(const struct config *config, const struct pool_config *pool,
                        const struct redis_endpoint *endpoint, unsigned slot,
                        struct board *board)
{
    struct worker_start start = {.config = config,
                                 .pool = pool,
                                 .endpoint = endpoint,
                                 .slot = slot,
                                 .board = board,
                                 .grace_ms = config->stop_grace_ms};

    return worker_main(&start);
}

static int run(const struct cli_args *args)
{
    struct supervisor_options options = {.config_path = args->config_path,
                                         .load = cli_load_config,
                                         .worker = enter_worker};
    int exit_code;

    options.config = cli_config(args, &exit_code);
    if (options.config == NULL)
        return exit_code;
    if (cli_flag(args, "--check")) {
        output_note("%s: the configuration is good",
                    options.config->path ? options.config->path : "built-in defaults");
        config_free(options.config);
        return EXIT_DONE;
    }
    return supervisor_run(&options);
}

static const struct cli_option options[] = {
    {"--check", NULL, "check the configuration and start nothing"}, {NULL, NULL, NULL}};

const struct cli_command cmd_supervise = {
    .words = "supervise",
    .operands = "",
    .summary = "Run the supervisor and its workers, in the foreground",
    .examples = "drover supervise -c /etc/drover/drover.conf\n"
                "drover supervise --check",
    .options = options,
    .run = run};
