/* drover pause and resume: which queues nothing is taken from, for every drover on this
 * Redis; or a supervisor here that lets its workers take nothing. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "cli/ask.h"
#include "cli/output.h"
#include "cli/redis.h"
#include "queue/client_pause.h"

/* The queues that are meant: borrowed from the arguments, the configuration, the list. */
struct pausing {
    const struct cli_args *args;
    enum client_pausing what;
    struct cli_session session;
    struct client_paused before, after;
    const char **names;
    size_t ct;
    bool *changed;
};

static void add_name(struct pausing *pausing, const char *name)
{
    for (size_t i = 0; i < pausing->ct; i++)
        if (strcmp(pausing->names[i], name) == 0)
            return;
    pausing->names =
        must_realloc(pausing->names, pausing->ct + 1, sizeof(*pausing->names));
    pausing->names[pausing->ct++] = name;
}

static int add_named(struct pausing *pausing, struct err *err)
{
    for (size_t i = 0; i < pausing->args->operand_ct; i++) {
        const char *name = pausing->args->operands[i];

        if (name[0] == '\0' || strcmp(name, CLIENT_PAUSE_ALL) == 0)
            return err_set(err, ERR_USAGE, "\"%s\" is no queue: --all means all of them",
                           name);
        if (queue_name_check(name, err) != 0)
            return -1;
        add_name(pausing, name);
    }
    return 0;
}

/* All there are and will be; what is to be resumed is whatever is paused. */
static int add_all(struct pausing *pausing, struct err *err)
{
    if (pausing->args->operand_ct > 0)
        return err_set(err, ERR_USAGE, "either queues or --all");
    if (pausing->what == CLIENT_PAUSE)
        add_name(pausing, CLIENT_PAUSE_ALL);
    for (size_t i = 0; pausing->what == CLIENT_RESUME && i < pausing->before.ct; i++)
        add_name(pausing, pausing->before.queues[i].name);
    return 0;
}

static int find_names(struct pausing *pausing, struct err *err)
{
    const struct config *config = pausing->session.config;

    if (cli_flag(pausing->args, "--all"))
        return add_all(pausing, err);
    if (pausing->args->operand_ct > 0)
        return add_named(pausing, err);
    for (size_t i = 0; i < config->pool_ct; i++)
        for (size_t k = 0; k < config->pools[i].queues.ct; k++)
            add_name(pausing, config->pools[i].queues.items[k]);
    return 0;
}

/* In as many calls as it takes. */
static int change_all(struct pausing *pausing, struct err *err)
{
    size_t step;

    pausing->changed = must_alloc((pausing->ct + 1) * sizeof(*pausing->changed));
    for (size_t at = 0; at < pausing->ct; at += step) {
        step = pausing->ct - at < CLIENT_PAUSE_MAX ? pausing->ct - at : CLIENT_PAUSE_MAX;
        if (client_pause(pausing->session.client, pausing->what, pausing->names + at,
                         step, pausing->changed + at, err) != 0)
            return -1;
    }
    return client_paused_read(pausing->session.client, &pausing->after, err);
}

static void show_json(const struct pausing *pausing)
{
    struct output_array array = {0};

    output_array_begin(&array);
    for (size_t i = 0; i < pausing->ct; i++) {
        const char *name = pausing->names[i];

        output_array_add(&array,
                         json_pack("{s:o, s:b, s:b}", "queue",
                                   output_json_text(slice_text(name)), "paused",
                                   (int)(client_paused_since(&pausing->after, name) > 0),
                                   "changed", (int)pausing->changed[i]));
    }
    output_array_end(&array);
    putchar('\n');
}

static void show_text(const struct pausing *pausing)
{
    static const char *const words[2][2] = {{"paused already", "paused"},
                                            {"was not paused", "resumed"}};

    for (size_t i = 0; i < pausing->ct; i++) {
        const char *name = pausing->names[i];
        bool all = strcmp(name, CLIENT_PAUSE_ALL) == 0;

        output_text(slice_text(all ? "all queues" : name), 0);
        printf(": %s\n", words[pausing->what == CLIENT_RESUME][pausing->changed[i]]);
    }
    if (pausing->ct == 0)
        output_note("nothing is paused");
}

/* Who resumes one queue may not know that all of them are paused. */
static void warn_of_all(const struct pausing *pausing)
{
    if (pausing->what == CLIENT_RESUME &&
        client_paused_since(&pausing->after, CLIENT_PAUSE_ALL) > 0)
        output_note("all queues are paused, these too: `drover resume --all` ends that");
}

/* Somebody else may read a queue that no pool here does; or its name is misspelt. */
static void warn_of_unread(const struct pausing *pausing)
{
    for (size_t i = 0; i < pausing->args->operand_ct; i++)
        if (pausing->what == CLIENT_PAUSE)
            cli_warn_unread(pausing->session.config, pausing->args->operands[i]);
}

static int run_in_redis(struct pausing *pausing)
{
    struct err err = {0};
    int exit_code = cli_session_open(&pausing->session, pausing->args);

    if (exit_code != EXIT_DONE)
        return exit_code;
    if (client_paused_read(pausing->session.client, &pausing->before, &err) != 0 ||
        find_names(pausing, &err) != 0 || change_all(pausing, &err) != 0) {
        exit_code = cli_fail(&err);
    } else {
        (pausing->args->json ? show_json : show_text)(pausing);
        warn_of_unread(pausing);
        warn_of_all(pausing);
    }
    client_paused_free(&pausing->before);
    client_paused_free(&pausing->after);
    free(pausing->names);
    free(pausing->changed);
    cli_session_close(&pausing->session);
    return exit_code;
}

/* ---- the supervisor here ---- */

static int run_here(const struct cli_args *args, const char *cmd)
{
    struct err err = {0};
    int exit_code = EXIT_DONE;
    json_t *answer;

    if (args->operand_ct > 0 || cli_flag(args, "--all")) {
        err_set(&err, ERR_USAGE,
                "--local is about all the supervisor's workers: it takes "
                "neither queues nor --all");
        return cli_fail(&err);
    }
    answer = ask_with(args, json_pack("{s:s}", "cmd", cmd), EXIT_NO_SUCH, &exit_code);
    if (answer && args->json)
        output_json(json_pack("{s:b}", "paused", (int)(strcmp(cmd, "pause") == 0)));
    json_decref(answer);
    return exit_code;
}

/* ---- the commands ---- */

static int run_pause(const struct cli_args *args)
{
    struct pausing pausing = {.args = args, .what = CLIENT_PAUSE};

    return cli_flag(args, "--local") ? run_here(args, "pause") : run_in_redis(&pausing);
}

static int run_resume(const struct cli_args *args)
{
    struct pausing pausing = {.args = args, .what = CLIENT_RESUME};

    return cli_flag(args, "--local") ? run_here(args, "resume") : run_in_redis(&pausing);
}

static const struct cli_option pause_options[] = {
    {"--all", NULL, "all queues there are and will be, of other pools too"},
    {"--local", NULL, "all workers of the supervisor here, and of no other"},
    {NULL, NULL, NULL}};

const struct cli_command cmd_pause = {
    .words = "pause",
    .operands = "[QUEUE..]",
    .summary = "Let no drover on this Redis take jobs from queues, for now",
    .examples = "drover pause mail\n"
                "drover pause           # the queues of the configuration's pools\n"
                "drover pause --all\n"
                "drover pause --local   # as SIGUSR2 to the supervisor",
    .operand_max = SIZE_MAX,
    .options = pause_options,
    .run = run_pause};

static const struct cli_option resume_options[] = {
    {"--all", NULL, "whatever is paused"},
    {"--local", NULL, "the workers of the supervisor here; a drain ends, too"},
    {NULL, NULL, NULL}};

const struct cli_command cmd_resume = {
    .words = "resume",
    .operands = "[QUEUE..]",
    .summary = "Take jobs from paused queues again",
    .examples = "drover resume mail\n"
                "drover resume          # the queues of the configuration's pools\n"
                "drover resume --all\n"
                "drover resume --local  # as SIGCONT to the supervisor",
    .operand_max = SIZE_MAX,
    .options = resume_options,
    .run = run_resume};
