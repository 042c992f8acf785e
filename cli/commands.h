/* The table of all commands, and what can be asked of it.
 */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

#include "cli/cli.h"

extern const struct cli_command *const commands_all[]; /* in the help's order */
extern const size_t commands_ct;

/* Another name of a command, one word: Artisan's, so that a container's command needs no
 * more than `php artisan` replaced. */
struct cli_alias {
    const char *name;  /* "queue:work" */
    const char *words; /* the command's: "work" */
};
extern const struct cli_alias commands_aliases[];
extern const size_t commands_alias_ct;

const struct cli_alias *commands_find_alias(const char *name); /* NULL: it is none */

/* The command that `words` begin with, and how many of them its name takes; NULL. */
const struct cli_command *commands_find(size_t ct, char *const *words, size_t *taken);

/* Whether `word` is the first of commands of two words, "failed". */
bool commands_is_group(const char *word);

/* Whether the command belongs to the group: "failed list" to "failed". */
bool commands_in_group(const struct cli_command *command, const char *group);

/* Fills `err` (ERR_USAGE) for words that are no command, with the nearest that is. */
void commands_set_unknown(size_t ct, char *const *words, struct err *err);

#endif
