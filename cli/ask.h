/* How a subcommand asks the supervisor.
 */
#ifndef CLI_ASK_H
#define CLI_ASK_H

#include <jansson.h>

#include "cli/cli.h"

/* Sends `request` (taken) to the supervisor of `config`: its answer, a new reference, or
 * NULL with `err`. */
json_t *ask_supervisor(const struct config *config, json_t *request,
                       struct err *err) MUSTCHECK;

/* The exit code for an `err` of ask_supervisor(); `refused` where the supervisor answered
 * with an error. */
enum cli_exit ask_exit_code(const struct err *err, enum cli_exit refused);

/* Loads the configuration, as cli_config_usable(), and asks. On failure NULL, after
 * saying why, with *exit_code set: EXIT_NO_SUCH where no supervisor runs, `refused` where
 * it says no. */
json_t *ask_with(const struct cli_args *args, json_t *request, enum cli_exit refused,
                 int *exit_code) MUSTCHECK;

#endif
