/* Reading one command's arguments.
 */
#ifndef CLI_ARGS_H
#define CLI_ARGS_H

#include "cli/cli.h"

enum args_verdict {
    ARGS_RUN,
    ARGS_HELP, /* -h or --help was among them */
    ARGS_BAD   /* `err` is filled, ERR_USAGE */
};

/* Reads `argv` (what follows the command's words) into `args`, which is to be freed in
 * any case and borrows from argv and `command`. */
enum args_verdict args_parse(struct cli_args *args, const struct cli_command *command,
                             size_t argc, char *const *argv, struct err *err);
void args_free(struct cli_args *args);

/* For a value that does not fit: `err` becomes ERR_USAGE and names the option. -1. */
int args_bad_value(struct err *err, const char *option);

/* What every command understands besides its own options. */
extern const struct cli_option args_common[];

#endif
