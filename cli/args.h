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

/* How many of `words`, which begin before the command, are "-c FILE" (or "-cFILE"); the
 * last FILE goes to *path, which is left alone where there is none. */
size_t args_skip_config(size_t ct, char *const *words, const char **path);

/* For a value that does not fit: `err` becomes ERR_USAGE and names the option. -1. */
int args_bad_value(struct err *err, const char *option);

/* What every command understands besides its own options. */
extern const struct cli_option args_common[];

#endif
