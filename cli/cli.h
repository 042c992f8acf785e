/* What the subcommands share: one table of commands, common options, exit codes, output.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "config/config.h"

enum cli_exit {
    EXIT_DONE = 0, /* an empty list too */
    EXIT_ERROR = 1,
    EXIT_BAD_USAGE = 2, /* or configuration */
    EXIT_NO_SUCH = 3,   /* no such id, or not running */
    EXIT_NO_REDIS = 6,
    EXIT_OVER = 10 /* queue monitor: too many jobs */
};

/* One option of a command. Options and operands mix; "--" ends options; "--x=v" and
 * "--x v" are the same. `-c FILE`, `--json` and `-h/--help` are understood everywhere. */
struct cli_option {
    const char *name;  /* "--queue"; NULL ends the list */
    const char *value; /* "NAME" in the help; NULL: a flag */
    const char *help;
};

/* A parsed command line; strings are borrowed from argv. */
struct cli_args {
    const char *config_path; /* -c; NULL: searched */
    bool json;
    const char *const *operands;
    size_t operand_ct;
    const struct cli_command *command;
    const char *const *values; /* parallel to command->options; flags: "" when given */
};

struct cli_command {
    const char *words;    /* "failed list" */
    const char *operands; /* "POOL N" */
    const char *summary;  /* one line */
    const char *examples; /* lines, shown first in the help */
    size_t operand_min, operand_max;
    const struct cli_option *options;
    int (*run)(const struct cli_args *args); /* returns cli_exit */
};

/* The value of an option; NULL: not given. A name not in the table is a bug. */
const char *cli_value(const struct cli_args *args, const char *option);
bool cli_flag(const struct cli_args *args, const char *option);

/* "drover: ..." on stderr; returns the exit code that fits err->code. */
int cli_fail(const struct err *err);

/* Loads the configuration that -c names or the search finds; NULL after cli_fail(), with
 * *exit_code set. */
struct config *cli_config(const struct cli_args *args, int *exit_code);

/* The same for commands that only talk to a running supervisor: a file with a mistake is
 * a warning, and what is well of it is used. */
struct config *cli_config_usable(const struct cli_args *args, int *exit_code);

/* "warning: no pool .. reads queue hgih: did you mean high?" on stderr, unless one does.
 */
void cli_warn_unread(const struct config *config, const char *queue);

bool cli_colour(void); /* stdout is a tty and NO_COLOR is not set */

/* The commands, each file with its own. */
extern const struct cli_command cmd_supervise, cmd_work, cmd_status, cmd_scale, cmd_stop,
    cmd_reload, cmd_drain, cmd_pause, cmd_resume;
extern const struct cli_command cmd_push, cmd_queue_list, cmd_queue_peek, cmd_queue_clear,
    cmd_queue_monitor;
extern const struct cli_command cmd_failed_list, cmd_failed_show, cmd_failed_retry,
    cmd_failed_forget, cmd_failed_flush, cmd_failed_prune, cmd_failed_migrate;
extern const struct cli_command cmd_sql_migrate, cmd_import_database;
extern const struct cli_command cmd_config_check, cmd_config_show;
extern const struct cli_command cmd_doctor;

#endif
