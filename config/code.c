/* Which programs run a part of their command line as code, and which part that is.
 *
 * A guard against mistakes, not a proof: it knows the usual interpreters, by name, and
 * how their options are written; what a program of one's own does with its arguments it
 * cannot know. Where an option could be read in two ways the one with more code counts.
 */
#include "config/code.h"

#include <string.h>

#include "base/buf.h"

/* Letters of options. */
struct interpreter {
    const char *name;
    const char *code;     /* code is the next word, or the rest of this one */
    const char *operand;  /* something else is */
    const char *attached; /* the rest of this one is, if anything */
    bool goes_on;         /* behind the code there are options still */
};

static const struct interpreter interpreters[] = {
    {"fish", "cC", "dD", "", true},         {"php", "rBRE", "cdz", "", true},
    {"python", "c", "WX", "", false},       {"perl", "eE", "I", "CDFMVimx0", true},
    {"ruby", "e", "CEIr", "FKTWix0", true}, {"node", "ep", "Cr", "", true},
    {"nodejs", "ep", "Cr", "", true},
};

/* Their code is the first word that is no option, if any of those was -c. */
static const char *const shells[] = {"sh", "bash", "dash", "ash", "ksh", "mksh", "zsh"};

static const char *const code_words[] = {
    "--command", "--eval",          "--init-command", "--print",
    "--run",     "--process-begin", "--process-code", "--process-end"};

static const char *const operand_words[] = {"--define",    "--import", "--init-file",
                                            "--loader",    "--rcfile", "--require",
                                            "--conditions"};

static bool is_one_of(struct slice word, const char *const *words, size_t ct)
{
    for (size_t i = 0; i < ct; i++)
        if (slice_is(word, words[i]))
            return true;
    return false;
}

/* Without the directory and the version: python3.11. */
static struct slice name_of(const char *program)
{
    const char *name = basename(program);

    return slice_of(name, strcspn(name, "0123456789."));
}

static const struct interpreter *find_interpreter(const char *program)
{
    for (size_t i = 0; i < ARRAY_CT(interpreters); i++)
        if (slice_is(name_of(program), interpreters[i].name))
            return &interpreters[i];
    return NULL;
}

static bool is_shell(const char *program)
{
    return is_one_of(name_of(program), shells, ARRAY_CT(shells));
}

/* Programs whose operands are another program and its arguments. */
static bool is_wrapper(const char *program)
{
    static const char *const names[] = {
        "busybox", "chrt",    "env",    "flock",  "ionice", "nice",    "nohup",
        "runuser", "setpriv", "setsid", "stdbuf", "sudo",   "taskset", "timeout"};

    return is_one_of(slice_text(basename(program)), names, ARRAY_CT(names));
}

static bool has_placeholder(const char *text)
{
    for (; *text; text++) {
        if (text[0] == '{' && text[1] != '{')
            return true;
        if (text[0] == '{')
            text++;
    }
    return false;
}

/* What a word that begins with '-' says of itself and of the next. */
enum reading { PLAIN, IS_CODE, CODE_FOLLOWS, OPERAND_FOLLOWS };

static enum reading read_long(const char *word)
{
    struct slice name = slice_of(word, strcspn(word, "="));
    bool whole = word[name.len] == '\0';

    if (is_one_of(name, code_words, ARRAY_CT(code_words)))
        return whole ? CODE_FOLLOWS : IS_CODE;
    if (whole && is_one_of(name, operand_words, ARRAY_CT(operand_words)))
        return OPERAND_FOLLOWS;
    return PLAIN;
}

/* Letters stand together ("-lane"): the last that takes something takes the next word. */
static enum reading read_letters(const struct interpreter *interpreter, const char *word)
{
    for (const char *at = word + 1; *at; at++) {
        if (*at == '{')
            return IS_CODE; /* any letter at all */
        if (strchr(interpreter->code, *at))
            return at[1] == '\0' ? CODE_FOLLOWS : IS_CODE;
        if (strchr(interpreter->operand, *at))
            return at[1] == '\0' ? OPERAND_FOLLOWS : PLAIN;
        if (strchr(interpreter->attached, *at))
            return PLAIN;
    }
    return PLAIN;
}

static size_t find_in_interpreter(const struct interpreter *interpreter,
                                  const struct text_list *command, size_t i)
{
    for (; i < command->ct && command->items[i][0] == '-'; i++) {
        const char *word = command->items[i];
        enum reading reading =
            word[1] == '-' ? read_long(word) : read_letters(interpreter, word);

        if (strcmp(word, "--") == 0)
            return 0;
        if (reading == IS_CODE && has_placeholder(word))
            return i;
        if (reading == CODE_FOLLOWS && i + 1 < command->ct &&
            has_placeholder(command->items[i + 1]))
            return i + 1;
        if ((reading == CODE_FOLLOWS || reading == IS_CODE) && !interpreter->goes_on)
            return 0;
        if (reading == CODE_FOLLOWS || reading == OPERAND_FOLLOWS)
            i++;
    }
    return 0; /* a file of code: what follows is data */
}

static bool is_option(const char *word)
{
    return word[0] == '-' || word[0] == '+';
}

static size_t find_in_shell(const struct text_list *command, size_t i)
{
    bool code = false, over = false;

    for (; i < command->ct && is_option(command->items[i]) && !over; i++) {
        const char *word = command->items[i];
        bool is_long = word[1] == '-';

        over = strcmp(word, "-") == 0 || strcmp(word, "--") == 0;
        if (is_long && read_long(word) == OPERAND_FOLLOWS)
            i++;
        if (over || is_long)
            continue;
        code = code || strchr(word, 'c') != NULL;
        if (strchr("oO", word[strlen(word) - 1])) /* bash -o pipefail */
            i++;
    }
    return code && i < command->ct && has_placeholder(command->items[i]) ? i : 0;
}

size_t code_find_placeholder(const struct text_list *command)
{
    bool wrapped = is_wrapper(command->items[0]);

    for (size_t i = 0; i < command->ct && (i == 0 || wrapped); i++) {
        const struct interpreter *interpreter = find_interpreter(command->items[i]);

        if (is_shell(command->items[i]))
            return find_in_shell(command, i + 1);
        if (interpreter)
            return find_in_interpreter(interpreter, command, i + 1);
    }
    return 0;
}
