/* Help and completion: the table of commands as text. Nothing here knows a command by
 * name but what the table says of it.
 */
#include "cli/help.h"

#include <ctype.h>
#include <string.h>

#include "cli/args.h"
#include "cli/commands.h"

enum { NAME_WIDTH = 17, OPTION_WIDTH = 20 };

static void print_line(FILE *out, const struct cli_command *command)
{
    fprintf(out, "  %-*s%c%s\n", NAME_WIDTH, command->words,
            toupper((unsigned char)command->summary[0]), command->summary + 1);
}

void help_overview(FILE *out)
{
    const char *group = "";
    size_t group_len = 0;

    fputs("usage: drover COMMAND [ARGUMENTS]\n\nA supervisor for job queues in Redis.\n\n"
          "commands:\n",
          out);
    for (size_t i = 0; i < commands_ct; i++) {
        const char *words = commands_all[i]->words;
        size_t len = strcspn(words, " ");
        bool grouped = words[len] == ' ';

        /* An empty line between the groups. */
        if (i > 0 && (grouped || group_len > 0) &&
            (len != group_len || strncmp(words, group, len) != 0))
            fputc('\n', out);
        group = words;
        group_len = grouped ? len : 0;
        print_line(out, commands_all[i]);
    }
    fputs("\n`drover COMMAND --help` tells more, with examples; drover(1) tells all.\n"
          "`drover --version` prints the version.\n",
          out);
}

void help_group(FILE *out, const char *group)
{
    fprintf(out, "usage: drover %s COMMAND [ARGUMENTS]\n\ncommands:\n", group);
    for (size_t i = 0; i < commands_ct; i++)
        if (commands_in_group(commands_all[i], group))
            print_line(out, commands_all[i]);
    fprintf(out, "\n`drover %s COMMAND --help` tells more, with examples.\n", group);
}

/* One indentation for all, whatever the table has. */
static void print_indented(FILE *out, const char *lines)
{
    while (*lines) {
        size_t len;

        lines += strspn(lines, " ");
        len = strcspn(lines, "\n");

        fprintf(out, "  %.*s\n", (int)len, lines);
        lines += len + (lines[len] == '\n');
    }
}

static void print_options(FILE *out, const struct cli_option *options)
{
    for (; options && options->name; options++) {
        char head[64];

        snprintf(head, sizeof(head), "%s%s%s", options->name, options->value ? " " : "",
                 options->value ? options->value : "");
        if (strlen(head) > OPTION_WIDTH)
            fprintf(out, "  %s\n  %*s  %s\n", head, OPTION_WIDTH, "", options->help);
        else
            fprintf(out, "  %-*s  %s\n", OPTION_WIDTH, head, options->help);
    }
}

void help_command(FILE *out, const struct cli_command *command)
{
    const char *operands = command->operands ? command->operands : "";

    fprintf(out, "usage: drover %s%s%s [OPTIONS]\n\n%c%s.\n", command->words,
            operands[0] ? " " : "", operands, toupper((unsigned char)command->summary[0]),
            command->summary + 1);
    if (command->examples) {
        fputs("\nexamples:\n", out);
        print_indented(out, command->examples);
    }
    fputs("\noptions:\n", out);
    print_options(out, command->options);
    print_options(out, args_common);
}

/* ---- completion ---- */

static void complete_option(const struct cli_option *options, const char *start)
{
    for (; options && options->name; options++)
        if (strncmp(options->name, start, strlen(start)) == 0)
            puts(options->name);
}

static bool takes_value(const struct cli_option *options, const char *word)
{
    for (; options && options->name; options++)
        if (options->value && strcmp(options->name, word) == 0)
            return true;
    return false;
}

/* Only for who has begun to spell one: they are no other commands. */
static void complete_aliases(const char *start)
{
    for (size_t i = 0; strchr(start, ':') && i < commands_alias_ct; i++)
        if (strncmp(commands_aliases[i].name, start, strlen(start)) == 0)
            puts(commands_aliases[i].name);
}

static void complete_words(size_t ct, char *const *words)
{
    const char *last_printed = "", *start = words[ct - 1];

    for (size_t i = 0; i < commands_ct; i++) {
        const char *name = commands_all[i]->words;
        size_t len = strcspn(name, " ");

        if (ct == 2) {
            if (commands_in_group(commands_all[i], words[0]) &&
                strncmp(name + len + 1, start, strlen(start)) == 0)
                puts(name + len + 1);
        } else if (strncmp(name, start, strlen(start)) == 0 &&
                   (strncmp(last_printed, name, len) != 0 ||
                    strcspn(last_printed, " ") != len)) {
            printf("%.*s\n", (int)len, name);
            last_printed = name;
        }
    }
}

void help_complete(size_t ct, char *const *words)
{
    const struct cli_command *command;
    const char *ignored = NULL;
    size_t taken = args_skip_config(ct, words, &ignored);

    ct -= taken;
    words += taken;
    if (ct == 0)
        return;
    command = commands_find(ct - 1, words, &taken);
    if (command == NULL) {
        if (ct <= 2)
            complete_words(ct, words);
        if (ct == 1)
            complete_aliases(words[0]);
        return;
    }
    if (ct - 1 > taken && (takes_value(command->options, words[ct - 2]) ||
                           takes_value(args_common, words[ct - 2])))
        return;
    if (words[ct - 1][0] != '-')
        return; /* an operand, or so it seems */
    complete_option(command->options, words[ct - 1]);
    complete_option(args_common, words[ct - 1]);
}
