/* drover supervise: hands the configuration and the worker's entry to the supervisor. */
#include "base/log.h"
#include "cli/cli.h"
#include "cli/enter.h"
#include "cli/load.h"
#include "cli/output.h"
#include "supervisor/supervisor.h"

static int run(const struct cli_args *args)
{
    struct supervisor_options options = {.config_path = args->config_path,
                                         .load = cli_load_config,
                                         .worker = enter_worker};
    int exit_code;

    if (cli_flag(args, "--check"))
        return cmd_config_check.run(args);
    supervisor_hold_signals();
    options.config = cli_config(args, &exit_code);
    if (options.config == NULL)
        return exit_code;
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
