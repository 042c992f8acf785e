/* The tables of what differs, and the one walk over the words that applies them. Knows
 * Laravel's options, and of drover's commands only how theirs are spelled.
 */
#include "cli/artisan.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "cli/args.h"

enum { HOURS_MAX = 1000000 };

/* What becomes of an option. */
enum option_how {
    OPTION_DROPPED,      /* it changes nothing here */
    OPTION_RENAMED,      /* to `to`, with its value if it has one */
    OPTION_REFUSED,      /* `to` says why */
    OPTION_HOURS,        /* kept for the end: see add_hours() */
    OPTION_QUEUES,       /* its value is an operand, or several with commas between */
    OPTION_ALL_OF_QUEUE, /* --all --queue=VALUE */
    OPTION_KEPT
};

static const struct option_rule {
    const char *name; /* of the alias; NULL: of any */
    const char *option;
    bool has_value;
    enum option_how how;
    const char *to;
} option_rules[] = {
    {"queue:retry", "--queue", true, OPTION_ALL_OF_QUEUE, NULL},
    {"queue:retry", "--range", true, OPTION_REFUSED,
     "--range is for numbered jobs: drover's have uuids; `drover failed retry --all` has "
     "filters"},
    {"queue:flush", "--hours", true, OPTION_HOURS, NULL},
    {"queue:prune-failed", "--hours", true, OPTION_HOURS, NULL},
    {"queue:clear", "--queue", true, OPTION_QUEUES, NULL},
    {"queue:clear", "--force", false, OPTION_RENAMED, "--yes"},
    {"queue:monitor", "--max", true, OPTION_KEPT, NULL},
    /* Symfony's, which every command of Artisan's takes */
    {NULL, "--no-interaction", false, OPTION_DROPPED, NULL},
    {NULL, "-n", false, OPTION_DROPPED, NULL},
    {NULL, "--quiet", false, OPTION_DROPPED, NULL},
    {NULL, "-q", false, OPTION_DROPPED, NULL},
    {NULL, "--silent", false, OPTION_DROPPED, NULL},
    {NULL, "--ansi", false, OPTION_DROPPED, NULL},
    {NULL, "--no-ansi", false, OPTION_DROPPED, NULL},
    {NULL, "--verbose", false, OPTION_DROPPED, NULL},
    {NULL, "-v", false, OPTION_DROPPED, NULL},
    {NULL, "-vv", false, OPTION_DROPPED, NULL},
    {NULL, "-vvv", false, OPTION_DROPPED, NULL},
    {NULL, "--env", true, OPTION_DROPPED, NULL},
    /* drover's own */
    {NULL, "-c", true, OPTION_KEPT, NULL},
};

/* What becomes of operands. */
enum operand_how {
    OPERAND_KEPT,
    OPERAND_IDS,       /* "all" is --all */
    OPERAND_QUEUES,    /* [CONNECTION:]QUEUE, several with commas between */
    OPERAND_CONNECTION /* there is one Redis: dropped */
};

static const struct {
    const char *name;
    enum operand_how how;
} operand_rules[] = {
    {"queue:retry", OPERAND_IDS},      {"queue:clear", OPERAND_CONNECTION},
    {"queue:monitor", OPERAND_QUEUES}, {"queue:pause", OPERAND_QUEUES},
    {"queue:resume", OPERAND_QUEUES},  {"queue:continue", OPERAND_QUEUES}};

struct walk {
    const struct cli_alias *alias;
    struct artisan_line *line;
    const char *hours; /* borrowed; NULL: not given */
    bool named_queue;
    struct err *err;
};

static bool is_alias(const struct walk *walk, const char *name)
{
    return strcmp(walk->alias->name, name) == 0;
}

/* ---- the new line ---- */

static void add_owned(struct walk *walk, char *word)
{
    struct artisan_line *line = walk->line;

    line->words = must_realloc(line->words, line->ct + 1, sizeof(*line->words));
    line->words[line->ct++] = word;
}

static void add(struct walk *walk, const char *word)
{
    add_owned(walk, must_strdup(word));
}

/* Pieces between commas; of a queue without its connection. */
static void add_queues(struct walk *walk, const char *list, bool has_connections)
{
    for (const char *at = list; at;) {
        size_t len = strcspn(at, ",");
        const char *colon = has_connections ? memchr(at, ':', len) : NULL;
        const char *name = colon ? colon + 1 : at;

        add_owned(walk, must_strndup(name, len - (size_t)(name - at)));
        at = at[len] ? at + len + 1 : NULL;
    }
    walk->named_queue = true;
}

static void add_command(struct walk *walk, const char *words)
{
    size_t len = strcspn(words, " ");

    add_owned(walk, must_strndup(words, len));
    if (words[len])
        add(walk, words + len + 1);
}

/* ---- options ---- */

static const struct option_rule *find_rule(const struct walk *walk, const char *option,
                                           size_t len)
{
    for (size_t i = 0; i < ARRAY_CT(option_rules); i++) {
        const struct option_rule *rule = &option_rules[i];

        if ((rule->name == NULL || is_alias(walk, rule->name)) &&
            strlen(rule->option) == len && strncmp(rule->option, option, len) == 0)
            return rule;
    }
    return NULL;
}

static void add_option(struct walk *walk, const char *option, const char *value)
{
    add(walk, option);
    if (value)
        add(walk, value);
}

static int apply(struct walk *walk, const struct option_rule *rule, const char *value)
{
    switch (rule->how) {
    case OPTION_DROPPED:
        break;
    case OPTION_RENAMED:
        add_option(walk, rule->to, value);
        break;
    case OPTION_REFUSED:
        return err_set(walk->err, ERR_USAGE, "%s", rule->to);
    case OPTION_HOURS:
        walk->hours = value;
        break;
    case OPTION_QUEUES:
        add_queues(walk, value, false);
        break;
    case OPTION_ALL_OF_QUEUE:
        add(walk, "--all");
        add_option(walk, "--queue", value);
        break;
    case OPTION_KEPT:
        add_option(walk, rule->option, value);
        break;
    }
    return 0;
}

/* `next` is the word behind, NULL: none; *used: it was the value. */
static int take_option(struct walk *walk, const char *word, const char *next, bool *used)
{
    size_t len = strcspn(word, "=");
    const struct option_rule *rule = find_rule(walk, word, len);
    const char *value = word[len] ? word + len + 1 : NULL;

    if (rule == NULL) {
        add(walk, word);
        return 0;
    }
    if (!rule->has_value)
        return apply(walk, rule, NULL);
    *used = value == NULL;
    value = value ? value : next;
    if (value == NULL)
        return err_set(walk->err, ERR_USAGE, "%s needs a value", rule->option);
    return apply(walk, rule, value);
}

/* ---- operands ---- */

static void take_operand(struct walk *walk, const char *word)
{
    enum operand_how how = OPERAND_KEPT;

    for (size_t i = 0; i < ARRAY_CT(operand_rules); i++)
        if (is_alias(walk, operand_rules[i].name))
            how = operand_rules[i].how;
    if (how == OPERAND_QUEUES)
        add_queues(walk, word, true);
    else if (how == OPERAND_IDS && strcmp(word, "all") == 0)
        add(walk, "--all");
    else if (how != OPERAND_CONNECTION)
        add(walk, word);
}

/* ---- what only the whole line tells ---- */

/* --hours, or what stands for its absence; flush with hours is a prune. */
static int add_hours(struct walk *walk)
{
    bool flush = is_alias(walk, "queue:flush");
    const char *text = walk->hours ? walk->hours : flush ? "0" : "24";
    int64_t hours;

    if (text_integer(text, 0, HOURS_MAX, &hours, walk->err) != 0)
        return args_bad_value(walk->err, "--hours");
    if (flush && hours == 0) {
        add(walk, "--yes");
        return 0;
    }
    free(walk->line->words[1]);
    walk->line->words[1] = must_strdup("prune");
    add(walk, "--before");
    add_owned(walk, must_format("%lldh", (long long)hours));
    return 0;
}

static int finish(struct walk *walk)
{
    if (is_alias(walk, "queue:clear") && !walk->named_queue)
        add(walk, "default");
    if (is_alias(walk, "queue:flush") || is_alias(walk, "queue:prune-failed"))
        return add_hours(walk);
    return 0;
}

int artisan_translate(const struct cli_alias *alias, size_t ct, char *const *words,
                      struct artisan_line *line, struct err *err)
{
    struct walk walk = {.alias = alias, .line = line, .err = err};
    bool options_end = false;

    *line = (struct artisan_line){.ct = 0};
    add_command(&walk, alias->words);
    for (size_t i = 0; i < ct; i++) {
        const char *word = words[i];
        bool used = false;

        if (!options_end && strcmp(word, "--") == 0)
            options_end = true;
        else if (options_end || word[0] != '-' || word[1] == '\0')
            take_operand(&walk, word);
        else if (take_option(&walk, word, i + 1 < ct ? words[i + 1] : NULL, &used) != 0)
            return -1;
        i += used;
    }
    return finish(&walk);
}

void artisan_free(struct artisan_line *line)
{
    for (size_t i = 0; i < line->ct; i++)
        free(line->words[i]);
    free(line->words);
    *line = (struct artisan_line){.ct = 0};
}
