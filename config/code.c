/* Which programs run a part of their command line as code, and which part that is.
 *
 * A guard against mistakes, not a proof: it knows the usual programs, by name, and how
 * their options are written; what a program of one's own does with its arguments it
 * cannot know. Where an option could be read in two ways the one with more code counts.
 */
#include "config/code.h"

#include <string.h>

#include "base/buf.h"

enum kind {
    INTERPRETER, /* [options] script [data] */
    SHELL,       /* the same, but with -c its code is where the script would be */
    WRAPPER,     /* [options] [its own words] program [arguments] */
    LOGIN,       /* [options] [-] user [arguments of a shell], options anywhere */
    REMOTE       /* all of it goes to a shell elsewhere */
};

/* With letters of options; NULL: none. */
struct program {
    const char *name;
    enum kind kind;
    const char *code;     /* code, or its file, is the next word or the rest of this */
    const char *operand;  /* something else is */
    const char *attached; /* the rest of this one is, if anything */
    bool goes_on;         /* behind the code there are options still */
    size_t own_ct;        /* of a wrapper: words of its own before the program */
    const char *verb;     /* and the first, if it is this one; NULL: none */
};

static const struct program programs[] = {
    {.name = "sh", .kind = SHELL},
    {.name = "ash", .kind = SHELL},
    {.name = "bash", .kind = SHELL},
    {.name = "dash", .kind = SHELL},
    {.name = "ksh", .kind = SHELL},
    {.name = "mksh", .kind = SHELL},
    {.name = "zsh", .kind = SHELL},

    {.name = "fish", .kind = INTERPRETER, .code = "cC", .operand = "dD", .goes_on = true},
    {.name = "node", .kind = INTERPRETER, .code = "ep", .operand = "Cr", .goes_on = true},
    {.name = "nodejs",
     .kind = INTERPRETER,
     .code = "ep",
     .operand = "Cr",
     .goes_on = true},
    {.name = "perl",
     .kind = INTERPRETER,
     .code = "eE",
     .operand = "I",
     .attached = "CDFMVimx0",
     .goes_on = true},
    {.name = "php",
     .kind = INTERPRETER,
     .code = "rBREFf",
     .operand = "cdtzS",
     .goes_on = true},
    {.name = "python", .kind = INTERPRETER, .code = "cm", .operand = "WX"},
    {.name = "ruby",
     .kind = INTERPRETER,
     .code = "e",
     .operand = "CEIr",
     .attached = "FKTWix0",
     .goes_on = true},

    {.name = "busybox", .kind = WRAPPER},
    {.name = "chroot", .kind = WRAPPER, .own_ct = 1},
    {.name = "chrt", .kind = WRAPPER, .operand = "DPT", .own_ct = 1},
    {.name = "doas", .kind = WRAPPER, .operand = "Cu"},
    {.name = "docker", .kind = WRAPPER, .operand = "euw", .own_ct = 1, .verb = "exec"},
    {.name = "env", .kind = WRAPPER, .code = "S", .operand = "Cu"},
    {.name = "flock", .kind = WRAPPER, .code = "c", .operand = "Ew", .own_ct = 1},
    {.name = "gosu", .kind = WRAPPER, .own_ct = 1},
    {.name = "ionice", .kind = WRAPPER, .operand = "cn"},
    {.name = "nice", .kind = WRAPPER, .operand = "n"},
    {.name = "nohup", .kind = WRAPPER},
    {.name = "podman", .kind = WRAPPER, .operand = "euw", .own_ct = 1, .verb = "exec"},
    {.name = "setpriv", .kind = WRAPPER},
    {.name = "setsid", .kind = WRAPPER},
    {.name = "stdbuf", .kind = WRAPPER, .operand = "eio"},
    {.name = "sudo", .kind = WRAPPER, .operand = "CDRTUghprtu"},
    {.name = "taskset", .kind = WRAPPER, .own_ct = 1},
    {.name = "time", .kind = WRAPPER, .operand = "fo"},
    {.name = "timeout", .kind = WRAPPER, .operand = "ks", .own_ct = 1},
    {.name = "xargs", .kind = WRAPPER, .operand = "EILPadns"},

    {.name = "runuser", .kind = WRAPPER, .operand = "Gg", .own_ct = 1, .verb = "-u"},
    {.name = "runuser", .kind = LOGIN, .code = "c", .operand = "Ggsuw"},
    {.name = "su", .kind = LOGIN, .code = "c", .operand = "Ggsw"},

    {.name = "ssh", .kind = REMOTE},
};

static const char *const code_words[] = {
    "--command",       "--eval",         "--init-command", "--print",
    "--process-begin", "--process-code", "--process-end",  "--process-file",
    "--run",           "--file",         "--split-string", "--session-command"};

static const char *const operand_words[] = {
    /* of interpreters */
    "--conditions", "--define", "--import", "--init-file", "--loader", "--rcfile",
    "--require",
    /* of wrappers */
    "--adjustment", "--ambient-caps", "--bounding-set", "--chdir", "--chroot", "--class",
    "--classdata", "--close-from", "--conflict-exit-code", "--env", "--error", "--format",
    "--group", "--groups", "--host", "--inh-caps", "--input", "--kill-after", "--output",
    "--pdeathsig", "--prompt", "--regid", "--reuid", "--role", "--securebits", "--shell",
    "--signal", "--supp-group", "--timeout", "--type", "--unset", "--user", "--userspec",
    "--whitelist-environment", "--workdir"};

/* ---- what is said ---- */

static const char in_code[] =
    "a placeholder in code would let a payload run anything: "
    "give the value as an argument of its own behind it, like "
    "\"sh\", \"-c\", \"wc \\\"$1\\\"\", \"sh\", \"{data.file}\"";
static const char in_script[] =
    "a placeholder for the script would let a payload run any file: "
    "name the script and give the value as an argument of its own behind it, like "
    "\"sh\", \"/opt/run.sh\", \"{data.file}\"";
static const char in_option[] =
    "a placeholder before the script or the code could become an option that runs "
    "anything: name them first and give the value as an argument of its own behind them";
static const char like_option[] =
    "a value that begins with \"-\" would be read as an option, which can run anything: "
    "put \"--\" in front of it";
static const char in_program[] =
    "the program takes no placeholder, only its arguments do";
static const char on_stdin[] =
    "without a script it would run what is on standard input, the payload's data: "
    "name the script behind it";
static const char in_remote[] =
    "a placeholder would be code: ssh hands its arguments to a shell on the other side. "
    "Let the command there read the payload's data, as JSON on standard input";

/* ---- words ---- */

static bool is_one_of(struct slice word, const char *const *words, size_t ct)
{
    for (size_t i = 0; i < ct; i++)
        if (slice_is(word, words[i]))
            return true;
    return false;
}

/* With a version behind it, where there is one: python3.11. */
static bool is_name(const char *file, const char *name)
{
    size_t len = strlen(name);

    return strncmp(file, name, len) == 0 &&
           file[len + strspn(file + len, "0123456789.")] == '\0';
}

static bool has_verb(const struct program *program, const char *next)
{
    return program->verb == NULL || (next && strcmp(next, program->verb) == 0);
}

static const struct program *find_program(const char *path, const char *next)
{
    for (size_t i = 0; i < ARRAY_CT(programs); i++)
        if (is_name(basename(path), programs[i].name) && has_verb(&programs[i], next))
            return &programs[i];
    return NULL;
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

static bool is_assignment(const char *word)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_"
                                  "0123456789";
    size_t len = strspn(word, letters);

    return len > 0 && word[len] == '=';
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

static bool is_letter_of(const char *letters, char c)
{
    return letters && c && strchr(letters, c);
}

/* Letters stand together ("-lane"): the last that takes something takes the next word. */
static enum reading read_letters(const struct program *program, const char *word)
{
    for (const char *at = word + 1; *at; at++) {
        if (*at == '{')
            return IS_CODE; /* any letter at all */
        if (is_letter_of(program->code, *at) && is_letter_of(program->code, at[1]))
            continue; /* node -pe */
        if (is_letter_of(program->code, *at))
            return at[1] == '\0' ? CODE_FOLLOWS : IS_CODE;
        if (is_letter_of(program->operand, *at))
            return at[1] == '\0' ? OPERAND_FOLLOWS : PLAIN;
        if (is_letter_of(program->attached, *at))
            return PLAIN;
    }
    return PLAIN;
}

/* ---- commands ---- */

/* Behind a program's name. */
struct walk {
    const struct text_list *command;
    const struct program *program;
    size_t name_at; /* where it stands */
    size_t at;
    bool has_code; /* and so no script */
    bool is_stdin; /* a shell's -s */
    bool is_over;  /* of the options: "--" has been passed */
};

static bool is_done(const struct walk *walk)
{
    return walk->at >= walk->command->ct;
}

static const char *word_of(const struct walk *walk)
{
    return walk->command->items[walk->at];
}

static bool is_risky(const struct walk *walk)
{
    return !is_done(walk) && has_placeholder(word_of(walk));
}

static bool is_at_option(const struct walk *walk)
{
    return !is_done(walk) && !walk->is_over &&
           (word_of(walk)[0] == '-' ||
            (walk->program->kind == SHELL && word_of(walk)[0] == '+'));
}

static enum reading read_shell_option(struct walk *walk, const char *word)
{
    if (word[1] == '-')
        return read_long(word);
    walk->has_code = walk->has_code || strchr(word, 'c') != NULL;
    walk->is_stdin = walk->is_stdin || strchr(word, 's') != NULL;
    return strchr("oO", word[strlen(word) - 1]) ? OPERAND_FOLLOWS /* -o pipefail */
                                                : PLAIN;
}

static enum reading read_option(struct walk *walk, const char *word)
{
    enum reading reading;

    if (walk->program->kind == SHELL)
        return read_shell_option(walk, word);
    reading = word[1] == '-' ? read_long(word) : read_letters(walk->program, word);
    walk->has_code = walk->has_code || reading == CODE_FOLLOWS || reading == IS_CODE;
    return reading;
}

/* Passes one option with what belongs to it. The operands of a wrapper's are data. */
static const char *pass_option(struct walk *walk)
{
    bool runs_code = walk->program->kind != WRAPPER;
    enum reading reading = read_option(walk, word_of(walk));

    walk->is_over = strcmp(word_of(walk), "--") == 0;
    if (is_risky(walk) && (runs_code || reading == IS_CODE))
        return reading == IS_CODE ? in_code : in_option;
    walk->at++;
    if (reading != CODE_FOLLOWS && reading != OPERAND_FOLLOWS)
        return NULL;
    if (is_risky(walk) && (runs_code || reading == CODE_FOLLOWS))
        return reading == CODE_FOLLOWS ? in_code : in_option;
    walk->at++;
    return NULL;
}

/* `may_ask`: without one it may just tell something of itself. */
static const char *check_script(struct walk *walk, bool may_ask)
{
    bool is_named = !is_done(walk) && strcmp(word_of(walk), "-") != 0;

    if (is_risky(walk))
        return in_script;
    if ((is_named || (is_done(walk) && may_ask)) && !walk->is_stdin)
        return NULL;
    walk->at = walk->name_at;
    return on_stdin;
}

static const char *check_interpreter(struct walk *walk)
{
    bool goes_on = walk->program->goes_on;
    const char *risk = NULL;

    while (!risk && is_at_option(walk) && word_of(walk)[1] &&
           (goes_on || !walk->has_code))
        risk = pass_option(walk);
    if (risk)
        return risk;
    if (!walk->has_code) /* "php -v" runs nothing */
        return check_script(walk, walk->at > walk->name_at + 1);
    if (walk->is_over || !goes_on || !is_risky(walk))
        return NULL;
    return word_of(walk)[0] == '{' ? like_option : NULL;
}

static const char *check_shell(struct walk *walk)
{
    const char *risk = NULL;
    bool may_ask = false; /* "--version" */

    while (!risk && is_at_option(walk)) {
        may_ask = may_ask || (word_of(walk)[1] == '-' && word_of(walk)[2]);
        walk->is_over = strcmp(word_of(walk), "-") == 0; /* its other "--" */
        if (walk->is_over)
            walk->at++;
        else
            risk = pass_option(walk);
    }
    if (risk)
        return risk;
    if (walk->has_code)
        return is_risky(walk) ? in_code : NULL;
    return check_script(walk, may_ask);
}

/* Its arguments, too, become options where they look like some, up to "--". */
static const char *check_login(struct walk *walk)
{
    const char *risk = NULL;
    size_t operand_ct = 0; /* the user, the script */

    while (!risk && !is_done(walk)) {
        if (strcmp(word_of(walk), "-") == 0) {
            walk->at++;
        } else if (is_at_option(walk)) {
            risk = pass_option(walk);
        } else if (is_risky(walk) && !walk->is_over) {
            risk = like_option;
        } else if (is_risky(walk) && operand_ct == 1 && !walk->has_code) {
            risk = in_script;
        } else {
            operand_ct++;
            walk->at++;
        }
    }
    if (risk || walk->has_code || operand_ct > 1)
        return risk;
    return check_script(walk, operand_ct == 0);
}

static const char *check_remote(struct walk *walk)
{
    while (!is_done(walk) && !is_risky(walk))
        walk->at++;
    return is_done(walk) ? NULL : in_remote;
}

/* To its program, or to the end. */
static const char *pass_wrapper(struct walk *walk)
{
    size_t own_ct = walk->program->own_ct;
    const char *risk = NULL;

    while (!risk && !is_done(walk)) {
        bool is_open = word_of(walk)[0] == '{' && is_risky(walk) && !walk->is_over;

        if (is_at_option(walk)) {
            risk = pass_option(walk);
        } else if (walk->has_code) {
            walk->at = walk->command->ct;
        } else if (own_ct > 0 && is_open) {
            risk = like_option;
        } else if (own_ct > 0) {
            own_ct--;
            walk->at++;
        } else if (is_assignment(word_of(walk))) {
            walk->at++;
        } else {
            return is_risky(walk) ? in_program : NULL;
        }
    }
    return risk;
}

static const char *check_program(struct walk *walk)
{
    switch (walk->program->kind) {
    case INTERPRETER:
        return check_interpreter(walk);
    case SHELL:
        return check_shell(walk);
    case WRAPPER:
        return pass_wrapper(walk);
    case LOGIN:
        return check_login(walk);
    case REMOTE:
        break;
    }
    return check_remote(walk);
}

static const char *item_of(const struct text_list *list, size_t at)
{
    return at < list->ct ? list->items[at] : NULL;
}

const char *code_find_risk(const struct text_list *command, size_t *at)
{
    const char *risk = NULL;
    struct walk walk = {.command = command};

    *at = 0;
    if (strchr(command->items[0], '{'))
        return in_program;
    do {
        walk = (struct walk){.command = command, .name_at = walk.at, .at = walk.at + 1};
        walk.program =
            find_program(item_of(command, walk.name_at), item_of(command, walk.at));
        if (walk.program == NULL)
            return NULL;
        walk.at += walk.program->verb != NULL;
        risk = check_program(&walk);
    } while (!risk && walk.program->kind == WRAPPER && !is_done(&walk));
    *at = walk.at;
    return risk;
}
