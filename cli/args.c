/* The parser of command lines: a table of options in, values and operands out.
 *
 * Pure but for memory: it prints nothing and asks nothing. Options and operands mix, "--"
 * ends options, the last of a repeated option counts.
 */
#include "cli/args.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"

const struct cli_option args_common[] = {
    {"-c", "FILE", "the configuration file [searched for, see drover(1)]"},
    {"--json", NULL, "print JSON, for programs"},
    {"--help", NULL, "print this help"},
    {NULL, NULL, NULL}};

struct parser {
    struct cli_args *args;
    const struct cli_command *command;
    size_t argc, at;
    char *const *argv;
    const char **operands; /* args->operands while they grow */
    const char **values;
    bool help;
    struct err *err;
};

static size_t count_options(const struct cli_option *options)
{
    size_t ct = 0;

    while (options && options[ct].name)
        ct++;
    return ct;
}

static const struct cli_option *find_option(const struct cli_option *options,
                                            const char *name, size_t len)
{
    for (; options && options->name; options++)
        if (strlen(options->name) == len && strncmp(options->name, name, len) == 0)
            return options;
    return NULL;
}

static int set_unknown(const struct parser *parser, const char *word, size_t len)
{
    size_t own = count_options(parser->command->options), ct = 0;
    const char **names = must_alloc((own + count_options(args_common)) * sizeof(*names));
    char *name = must_strndup(word, len);
    const char *near;

    for (size_t i = 0; i < own; i++)
        names[ct++] = parser->command->options[i].name;
    for (const struct cli_option *option = args_common; option->name; option++)
        names[ct++] = option->name;
    near = len > 2 ? text_nearest(name, names, ct) : NULL;
    if (near)
        err_set(parser->err, ERR_USAGE, "unknown option %s: did you mean %s?", name,
                near);
    else
        err_set(parser->err, ERR_USAGE, "unknown option %s", name);
    free(name);
    free(names);
    return -1;
}

/* Stores what was said of `option`; "" for a flag. */
static void store(struct parser *parser, const struct cli_option *option,
                  const char *value)
{
    if (option == &args_common[0])
        parser->args->config_path = value;
    else if (option == &args_common[1])
        parser->args->json = true;
    else if (option == &args_common[2])
        parser->help = true;
    else
        parser->values[option - parser->command->options] = value;
}

/* The value behind "=" or glued to a short option, else the next argument. */
static int take_value(struct parser *parser, const struct cli_option *option,
                      const char *attached)
{
    if (attached == NULL) {
        if (parser->at == parser->argc)
            return err_set(parser->err, ERR_USAGE, "%s needs a value: %s %s",
                           option->name, option->name, option->value);
        attached = parser->argv[parser->at++];
    }
    store(parser, option, attached);
    return 0;
}

static int read_option(struct parser *parser, const char *word)
{
    bool is_long = word[1] == '-';
    const char *attached = is_long ? strchr(word, '=') : word[2] ? word + 2 : NULL;
    size_t len = is_long ? (attached ? (size_t)(attached - word) : strlen(word)) : 2;
    const struct cli_option *option =
        find_option(parser->command->options, word, is_long ? len : strlen(word));

    if (option && !is_long)
        attached = NULL; /* "-vv" is an option itself, where the command has it */
    if (option == NULL)
        option = find_option(parser->command->options, word, len);

    if (option == NULL)
        option = find_option(args_common, word, len);
    if (option == NULL && strcmp(word, "-h") == 0)
        option = &args_common[2];
    if (option == NULL)
        return set_unknown(parser, word, is_long ? len : strlen(word));
    if (attached && is_long)
        attached++;
    if (option->value)
        return take_value(parser, option, attached);
    if (attached)
        return err_set(parser->err, ERR_USAGE, "%s takes no value", option->name);
    store(parser, option, "");
    return 0;
}

static int check_operands(const struct parser *parser)
{
    const struct cli_command *command = parser->command;
    size_t ct = parser->args->operand_ct;

    if (ct < command->operand_min)
        return err_set(parser->err, ERR_USAGE, "%s needs %s", command->words,
                       command->operands);
    if (ct <= command->operand_max)
        return 0;
    if (command->operand_max == 0)
        return err_set(parser->err, ERR_USAGE, "%s takes no operands: %s", command->words,
                       parser->operands[0]);
    return err_set(parser->err, ERR_USAGE, "%s: one operand too many: %s", command->words,
                   parser->operands[command->operand_max]);
}

static int read_words(struct parser *parser)
{
    bool options_end = false;

    while (parser->at < parser->argc) {
        const char *word = parser->argv[parser->at++];

        if (options_end || word[0] != '-' || word[1] == '\0') {
            parser->operands[parser->args->operand_ct++] = word;
        } else if (strcmp(word, "--") == 0) {
            options_end = true;
        } else if (read_option(parser, word) != 0) {
            return -1;
        }
    }
    return parser->help ? 0 : check_operands(parser);
}

enum args_verdict args_parse(struct cli_args *args, const struct cli_command *command,
                             size_t argc, char *const *argv, struct err *err)
{
    struct parser parser = {
        .args = args, .command = command, .argc = argc, .argv = argv, .err = err};
    int rc;

    memset(args, 0, sizeof(*args));
    parser.operands = must_alloc((argc + 1) * sizeof(*parser.operands));
    parser.values =
        must_alloc((count_options(command->options) + 1) * sizeof(*parser.values));
    args->command = command;
    args->operands = parser.operands;
    args->values = parser.values;
    rc = read_words(&parser);
    if (parser.help)
        return ARGS_HELP;
    return rc == 0 ? ARGS_RUN : ARGS_BAD;
}

size_t args_skip_config(size_t ct, char *const *words, const char **path)
{
    size_t at = 0;

    while (at < ct && strncmp(words[at], "-c", 2) == 0) {
        if (words[at][2] == '\0' && at + 1 == ct)
            break;
        *path = words[at][2] ? words[at] + 2 : words[at + 1];
        at += words[at][2] ? 1 : 2;
    }
    return at;
}

void args_free(struct cli_args *args)
{
    free((void *)args->operands);
    free((void *)args->values);
    memset(args, 0, sizeof(*args));
}

int args_bad_value(struct err *err, const char *option)
{
    err->code = ERR_USAGE;
    return err_prefix(err, "%s", option);
}

const char *cli_value(const struct cli_args *args, const char *option)
{
    const struct cli_option *options = args->command->options;
    const struct cli_option *found = find_option(options, option, strlen(option));

    MUST(found != NULL);
    return args->values[found - options];
}

bool cli_flag(const struct cli_args *args, const char *option)
{
    return cli_value(args, option) != NULL;
}
