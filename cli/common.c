/* What every command does the same way: fail, and load its configuration. */
#include <stdlib.h>

#include "base/text.h"
#include "cli/cli.h"
#include "cli/load.h"
#include "cli/output.h"

int cli_fail(const struct err *err)
{
    output_note("%s", err->text);
    switch (err->code) {
    case ERR_USAGE:
    case ERR_CONFIG:
        return EXIT_BAD_USAGE;
    case ERR_CONN:
        return EXIT_NO_REDIS;
    case ERR_NOT_FOUND:
    case ERR_NOT_RUNNING:
        return EXIT_NO_SUCH;
    case ERR_NONE:
    case ERR_SYSTEM:
    case ERR_REPLY:
    case ERR_BAD_INPUT:
    case ERR_LIMIT:
    case ERR_DATABASE:
    case ERR_NO_TABLE:
        break;
    }
    return EXIT_ERROR;
}

struct config *cli_config(const struct cli_args *args, int *exit_code)
{
    struct err err = {0};
    struct config *config = cli_load_config(args->config_path, &err);

    *exit_code = config ? EXIT_DONE : cli_fail(&err);
    return config;
}

struct config *cli_config_usable(const struct cli_args *args, int *exit_code)
{
    struct err err = {0}, broken = {0};
    struct config *config = config_load_usable(args->config_path, &broken, &err);

    *exit_code = config ? EXIT_DONE : cli_fail(&err);
    if (config && broken.code != ERR_NONE)
        output_note("warning: %s; going on with the rest of the file", broken.text);
    return config;
}

/* The queue that may be meant; NULL: none of them. Borrowed from the configuration. */
static const char *find_near(const struct config *config, const char *queue)
{
    const char **names = NULL, *near;
    size_t ct = 0;

    for (size_t i = 0; i < config->pool_ct; i++) {
        const struct text_list *queues = &config->pools[i].queues;

        names = must_realloc(names, ct + queues->ct + 1, sizeof(*names));
        for (size_t k = 0; k < queues->ct; k++)
            names[ct++] = queues->items[k];
    }
    near = text_nearest(queue, names, ct);
    free(names);
    return near;
}

void cli_warn_unread(const struct config *config, const char *queue)
{
    const char *near;

    if (config_reads_queue(config, queue))
        return;
    near = find_near(config, queue);
    output_note("warning: no pool in the configuration reads queue %s%s%s%s", queue,
                near ? ": did you mean " : "", near ? near : "", near ? "?" : "");
}
