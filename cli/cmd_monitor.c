/* drover queue monitor: whether queues are longer than they should be, for cron and
 * probes.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "cli/args.h"
#include "cli/output.h"
#include "cli/redis.h"

enum { MAX_DEFAULT = 1000 };

/* One queue, and how long it may be. */
struct bound {
    char *queue;
    int64_t max;
};

struct monitor {
    const struct cli_args *args;
    struct cli_session session;
    struct bound *bounds;
    size_t ct;
    int64_t max; /* of those that name none */
    bool over;   /* one of them is */
    struct table *table;
    struct output_array array;
};

static void add_bound(struct monitor *monitor, const char *queue, size_t len, int64_t max)
{
    for (size_t i = 0; i < monitor->ct; i++)
        if (strlen(monitor->bounds[i].queue) == len &&
            strncmp(monitor->bounds[i].queue, queue, len) == 0)
            return;
    monitor->bounds =
        must_realloc(monitor->bounds, monitor->ct + 1, sizeof(*monitor->bounds));
    monitor->bounds[monitor->ct++] =
        (struct bound){.queue = must_strndup(queue, len), .max = max};
}

/* "mail:500"; a colon with anything else behind it is part of the name. */
static int add_operand(struct monitor *monitor, const char *operand, struct err *err)
{
    const char *colon = strrchr(operand, ':');
    size_t len = strlen(operand);
    int64_t max = monitor->max;

    if (colon && text_integer(colon + 1, 0, INT64_MAX, &max, NULL) == 0)
        len = (size_t)(colon - operand);
    if (len == 0)
        return err_set(err, ERR_USAGE, "\"%s\" names no queue", operand);
    add_bound(monitor, operand, len, max);
    return 0;
}

static int read_bounds(struct monitor *monitor, struct err *err)
{
    const struct cli_args *args = monitor->args;
    const struct config *config = monitor->session.config;
    const char *max = cli_value(args, "--max");

    monitor->max = MAX_DEFAULT;
    if (max && text_integer(max, 0, INT64_MAX, &monitor->max, err) != 0)
        return args_bad_value(err, "--max");
    for (size_t i = 0; i < args->operand_ct; i++)
        if (add_operand(monitor, args->operands[i], err) != 0)
            return -1;
    for (size_t i = 0; args->operand_ct == 0 && i < config->pool_ct; i++)
        for (size_t k = 0; k < config->pools[i].queues.ct; k++)
            add_bound(monitor, config->pools[i].queues.items[k],
                      strlen(config->pools[i].queues.items[k]), monitor->max);
    return 0;
}

/* Nobody is known to read it, and nothing is in it: a name that is misspelt is never too
 * long. Without a file nobody has said which queues there are. */
static void warn_of_nothing(const struct monitor *monitor, const char *queue,
                            const struct depths *depths)
{
    if (monitor->session.config->path && depths->ready == 0 && depths->delayed == 0 &&
        depths->reserved == 0)
        cli_warn_unread(monitor->session.config, queue);
}

static int64_t whole(int64_t depth)
{
    return depth > 0 ? depth : 0;
}

/* All jobs of a queue count, as in Laravel. */
static void show(struct monitor *monitor, const struct bound *bound,
                 const struct depths *depths)
{
    int64_t size =
        whole(depths->ready) + whole(depths->delayed) + whole(depths->reserved);
    bool over = size >= bound->max;

    monitor->over |= over;
    if (monitor->args->json) {
        output_array_add(
            &monitor->array,
            json_pack("{s:o, s:I, s:I, s:I, s:I, s:I, s:s}", "queue",
                      output_json_text(slice_text(bound->queue)), "size",
                      (json_int_t)size, "ready", (json_int_t)whole(depths->ready),
                      "delayed", (json_int_t)whole(depths->delayed), "reserved",
                      (json_int_t)whole(depths->reserved), "max", (json_int_t)bound->max,
                      "status", over ? "ALERT" : "OK"));
        return;
    }
    table_cell_text(monitor->table, bound->queue);
    table_cell_number(monitor->table, size);
    table_cell_number(monitor->table, bound->max);
    table_cell_text(monitor->table, over ? "ALERT" : "OK");
    output_table_row(monitor->table);
}

static int show_all(struct monitor *monitor, struct err *err)
{
    static const struct table_column columns[] = {{"QUEUE", TABLE_LEFT},
                                                  {"SIZE", TABLE_RIGHT},
                                                  {"MAX", TABLE_RIGHT},
                                                  {"STATUS", TABLE_LEFT}};
    struct depths depths;
    int rc = 0;

    if (monitor->args->json)
        output_array_begin(&monitor->array);
    else
        monitor->table = output_table_begin(columns, ARRAY_CT(columns));
    for (size_t i = 0; rc == 0 && i < monitor->ct && output_ok(); i++) {
        rc = client_depths(monitor->session.client, monitor->bounds[i].queue, &depths,
                           err);
        if (rc != 0)
            break;
        warn_of_nothing(monitor, monitor->bounds[i].queue, &depths);
        show(monitor, &monitor->bounds[i], &depths);
    }
    if (monitor->args->json) {
        output_array_end(&monitor->array);
        putchar('\n');
    } else {
        output_table_end(monitor->table, rc == 0 ? "no queues" : NULL);
    }
    return rc;
}

static int run_monitor(const struct cli_args *args)
{
    struct monitor monitor = {.args = args};
    struct err err = {0};
    int exit_code = cli_session_open(&monitor.session, args);

    if (exit_code != EXIT_DONE)
        return exit_code;
    if (read_bounds(&monitor, &err) != 0 || show_all(&monitor, &err) != 0)
        exit_code = cli_fail(&err);
    else if (monitor.over)
        exit_code = EXIT_OVER;
    for (size_t i = 0; i < monitor.ct; i++)
        free(monitor.bounds[i].queue);
    free(monitor.bounds);
    cli_session_close(&monitor.session);
    return exit_code;
}

static const struct cli_option options[] = {
    {"--max", "N", "too many jobs, where a queue names no number [1000]"},
    {NULL, NULL, NULL}};

const struct cli_command cmd_queue_monitor = {
    .words = "queue monitor",
    .operands = "[QUEUE[:MAX]..]",
    .summary = "Exit with 10 where a queue has too many jobs",
    .examples = "drover queue monitor mail:500 default\n"
                "drover queue monitor --max 100 || mail -s 'queues' ops@example.org",
    .operand_max = SIZE_MAX,
    .options = options,
    .run = run_monitor};
