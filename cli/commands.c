/* The table of commands: the only place that lists them all. */
#include "cli/commands.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"

const struct cli_command *const commands_all[] = {
    /* a supervisor */
    &cmd_supervise, &cmd_work, &cmd_status, &cmd_scale, &cmd_reload, &cmd_drain,
    &cmd_stop,
    /* queues */
    &cmd_push, &cmd_pause, &cmd_resume, &cmd_queue_list, &cmd_queue_peek,
    &cmd_queue_clear, &cmd_queue_monitor,
    /* failed jobs */
    &cmd_failed_list, &cmd_failed_show, &cmd_failed_retry, &cmd_failed_forget,
    &cmd_failed_flush, &cmd_failed_prune, &cmd_failed_migrate,
    /* the surroundings */
    &cmd_sql_migrate, &cmd_import_database, &cmd_config_check, &cmd_config_show,
    &cmd_doctor};
const size_t commands_ct = ARRAY_CT(commands_all);

const struct cli_alias commands_aliases[] = {{"queue:work", "work"},
                                             {"horizon:work", "work"},
                                             {"queue:failed", "failed list"},
                                             {"queue:retry", "failed retry"},
                                             {"queue:forget", "failed forget"},
                                             {"queue:flush", "failed flush"},
                                             {"queue:prune-failed", "failed prune"},
                                             {"queue:clear", "queue clear"},
                                             {"queue:monitor", "queue monitor"},
                                             {"queue:pause", "pause"},
                                             {"queue:resume", "resume"},
                                             {"queue:continue", "resume"},
                                             {"queue:restart", "reload"}};
const size_t commands_alias_ct = ARRAY_CT(commands_aliases);

const struct cli_alias *commands_find_alias(const char *name)
{
    for (size_t i = 0; i < commands_alias_ct; i++)
        if (strcmp(commands_aliases[i].name, name) == 0)
            return &commands_aliases[i];
    return NULL;
}

static const struct cli_command *find_by_alias(const char *name)
{
    for (size_t i = 0; i < commands_alias_ct; i++)
        for (size_t j = 0; strcmp(commands_aliases[i].name, name) == 0 && j < commands_ct;
             j++)
            if (strcmp(commands_aliases[i].words, commands_all[j]->words) == 0)
                return commands_all[j];
    return NULL;
}

const struct cli_command *commands_find(size_t ct, char *const *words, size_t *taken)
{
    *taken = 1;
    if (ct >= 1 && find_by_alias(words[0]))
        return find_by_alias(words[0]);
    for (size_t i = 0; i < commands_ct; i++) {
        const char *name = commands_all[i]->words;
        const char *space = strchr(name, ' ');

        if (ct >= 1 && !space && strcmp(name, words[0]) == 0) {
            *taken = 1;
            return commands_all[i];
        }
        if (ct >= 2 && space && commands_in_group(commands_all[i], words[0]) &&
            strcmp(space + 1, words[1]) == 0) {
            *taken = 2;
            return commands_all[i];
        }
    }
    return NULL;
}

bool commands_in_group(const struct cli_command *command, const char *group)
{
    size_t len = strlen(group);

    return strncmp(command->words, group, len) == 0 && command->words[len] == ' ';
}

bool commands_is_group(const char *word)
{
    for (size_t i = 0; i < commands_ct; i++)
        if (commands_in_group(commands_all[i], word))
            return true;
    return false;
}

/* The words that may stand first, or behind `group`. Freed by the caller, items too. */
static char **list_names(const char *group, size_t *ct)
{
    char **names = must_alloc((commands_ct + commands_alias_ct) * sizeof(*names));

    *ct = 0;
    for (size_t i = 0; group == NULL && i < commands_alias_ct; i++)
        names[(*ct)++] = must_strdup(commands_aliases[i].name);
    for (size_t i = 0; i < commands_ct; i++) {
        const char *words = commands_all[i]->words;

        if (group == NULL)
            names[(*ct)++] = must_strndup(words, strcspn(words, " "));
        else if (commands_in_group(commands_all[i], group))
            names[(*ct)++] = must_strdup(strchr(words, ' ') + 1);
    }
    return names;
}

/* An option where a command is looked for: few stand there. */
static void set_unknown_option(const char *option, const char *group, struct err *err)
{
    static const char *const own[] = {"--help", "--version"};
    const char *near = group ? NULL : text_nearest(option, own, ARRAY_CT(own));

    if (strcmp(option, "-c") == 0)
        err_set(err, ERR_USAGE, "-c needs a value: -c FILE");
    else if (near)
        err_set(err, ERR_USAGE, "unknown option %s: did you mean %s?", option, near);
    else
        err_set(err, ERR_USAGE, "options go behind the command: drover%s%s COMMAND %s",
                group ? " " : "", group ? group : "", option);
}

void commands_set_unknown(size_t ct, char *const *words, struct err *err)
{
    const char *group = commands_is_group(words[0]) ? words[0] : NULL;
    const char *word = group && ct > 1 ? words[1] : words[0];
    size_t name_ct;
    char **names = list_names(group, &name_ct);
    const char *near = text_nearest(word, (const char *const *)names, name_ct);

    if (word[0] == '-')
        set_unknown_option(word, group, err);
    else if (near)
        err_set(err, ERR_USAGE, "no command `%s%s%s`: did you mean `%s%s%s`?",
                group ? group : "", group ? " " : "", word, group ? group : "",
                group ? " " : "", near);
    else
        err_set(err, ERR_USAGE, "no command `%s%s%s`", group ? group : "",
                group ? " " : "", word);
    for (size_t i = 0; i < name_ct; i++)
        free(names[i]);
    free(names);
}
