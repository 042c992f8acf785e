/* Help texts, made from the table of commands.
 */
#ifndef CLI_HELP_H
#define CLI_HELP_H

#include <stdio.h>

#include "cli/cli.h"

void help_overview(FILE *out);                 /* `drover` and `drover help` */
void help_group(FILE *out, const char *group); /* `drover failed --help` */
void help_command(FILE *out, const struct cli_command *command);

/* For `drover --complete WORD..`: what the last word (maybe "") could become, one per
 * line on stdout. Hidden: only the shell's completion asks. */
void help_complete(size_t ct, char *const *words);

#endif
