/* Artisan's queue commands in drover's words, so that scripts and cron lines need no more
 * changed than `php artisan`. Pure.
 */
#ifndef CLI_ARTISAN_H
#define CLI_ARTISAN_H

#include "cli/commands.h"

struct artisan_line {
    char **words; /* owned, each of them too */
    size_t ct;
};

/* Spells what stands behind an alias, command included: "queue:retry all --queue=mail" is
 * "failed retry --all --queue=mail". What neither Laravel nor this knows goes through as
 * it is. -1: `err` (ERR_USAGE) says what drover has no words for. `line` is to be freed
 * in either case. */
int artisan_translate(const struct cli_alias *alias, size_t ct, char *const *words,
                      struct artisan_line *line, struct err *err) MUSTCHECK;
void artisan_free(struct artisan_line *line);

#endif
