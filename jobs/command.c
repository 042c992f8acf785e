/* From a job's configuration and payload to what execve() takes. Nothing of this
 * process's own environment gets in, but where a co-process is to have it, and no byte of
 * the payload is looked at twice: a value stays the one argument it stands in. */
#include "jobs/command.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "jobs/template.h"

enum { OWN_VARIABLES = 10 };

static void free_texts(char **texts)
{
    for (size_t i = 0; texts && texts[i]; i++)
        free(texts[i]);
    free(texts);
}

void command_free(struct command *command)
{
    free_texts(command->argv);
    free_texts(command->envp);
    *command = (struct command){.argv = NULL};
}

static int expand_argument(char **argument, const char *text, const struct payload *from,
                           struct err *err)
{
    struct buf out;
    int rc;

    buf_init(&out, COMMAND_ARG_BYTES);
    rc = template_expand(text, TEMPLATE_ARG, from, &out, err);
    if (rc == 0)
        *argument = buf_take(&out);
    buf_free(&out);
    return rc;
}

static int build_argv(char **argv, const struct job *job, struct err *err)
{
    const struct text_list *texts = &job->config->command;
    const struct payload nothing = {.raw = slice_text("{}")};

    if (texts->ct == 0)
        return err_set(err, ERR_CONFIG, "the job's entry has no command");
    if (expand_argument(&argv[0], texts->items[0], &nothing, NULL) != 0)
        return err_set(err, ERR_CONFIG, "the program of a command takes no placeholder");
    for (size_t i = 1; i < texts->ct; i++)
        if (expand_argument(&argv[i], texts->items[i], job->payload, err) != 0)
            return -1;
    return 0;
}

/* Bytes of the name in NAME=value. */
static size_t name_bytes(const char *variable)
{
    return strcspn(variable, "=");
}

/* Takes the place of the variable of the same name, or the next free one. */
static void set_variable(char **envp, char *variable)
{
    size_t len = name_bytes(variable), i = 0;

    while (envp[i] &&
           (name_bytes(envp[i]) != len || strncmp(envp[i], variable, len) != 0))
        i++;
    free(envp[i]);
    envp[i] = variable;
}

static void build_envp(char **envp, const struct job *job)
{
    static const char *const prefixes[] = {"DROVER", "DROVER_JOB"};
    const struct text_list *own = &job->config->env;

    set_variable(envp, must_strdup("PATH=/usr/local/bin:/usr/bin:/bin"));
    set_variable(envp, must_strdup("LANG=C.UTF-8"));
    set_variable(envp, must_format("DROVER_JOB=%s", job->name));
    set_variable(envp, must_format("DROVER_JOB_UUID=%s", job->uuid));
    for (size_t i = 0; i < ARRAY_CT(prefixes); i++) {
        const char *prefix = prefixes[i];

        set_variable(envp, must_format("%s_QUEUE=%s", prefix, job->queue));
        set_variable(envp, must_format("%s_ATTEMPT=%" PRId64, prefix, job->attempt));
        set_variable(envp, must_format("%s_MAX_TRIES=%" PRId64, prefix, job->max_tries));
    }
    for (size_t i = 0; i < own->ct; i++)
        set_variable(envp, must_strdup(own->items[i]));
}

int command_build(struct command *command, const struct job *job, struct err *err)
{
    size_t arg_ct = job->config->command.ct, own_ct = job->config->env.ct;

    command->argv = must_alloc((arg_ct + 1) * sizeof(char *));
    command->envp = must_alloc((OWN_VARIABLES + own_ct + 1) * sizeof(char *));
    if (build_argv(command->argv, job, err) != 0) {
        command_free(command);
        return -1;
    }
    build_envp(command->envp, job);
    return 0;
}

static void build_runner_envp(char **envp, const struct job_config *config)
{
    set_variable(envp, must_strdup("PATH=/usr/local/bin:/usr/bin:/bin"));
    set_variable(envp, must_strdup("LANG=C.UTF-8"));
    for (char **own = environ; config->laravel.inherit_env && own && *own; own++)
        set_variable(envp, must_strdup(*own));
    for (size_t i = 0; i < config->env.ct; i++)
        set_variable(envp, must_strdup(config->env.items[i]));
}

static size_t environ_ct(void)
{
    size_t ct = 0;

    while (environ && environ[ct])
        ct++;
    return ct;
}

void command_build_runner(struct command *command, const struct job_config *config)
{
    const struct text_list *php = &config->laravel.php;
    size_t room = OWN_VARIABLES + environ_ct() + config->env.ct + 1;

    command->argv = must_alloc((php->ct + 2) * sizeof(char *));
    command->envp = must_alloc(room * sizeof(char *));
    for (size_t i = 0; i < php->ct; i++)
        command->argv[i] = must_strdup(php->items[i]);
    command->argv[php->ct] =
        must_strdup(config->laravel.bridge ? config->laravel.bridge : BRIDGE_PATH);
    build_runner_envp(command->envp, config);
}

const char *command_path(const struct command *command)
{
    for (char **variable = command->envp; *variable; variable++)
        if (strncmp(*variable, "PATH=", 5) == 0)
            return *variable + 5;
    return NULL;
}
