/* drover queue: how deep the queues are, what lies at their heads, and emptying them. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "cli/args.h"
#include "cli/jobs_view.h"
#include "cli/output.h"
#include "cli/redis.h"
#include "queue/client_pause.h"
#include "status/status.h"

/* ---- list ---- */

struct listing {
    const struct cli_args *args;
    char **names;
    size_t ct, cap;
    size_t asked_ct; /* the first of them; the others were found in Redis, each once */
    struct client_paused paused;
};

static void add_name(void *arg, const char *name)
{
    struct listing *listing = arg;

    for (size_t i = 0; i < listing->asked_ct; i++)
        if (strcmp(listing->names[i], name) == 0)
            return;
    if (listing->ct == listing->cap) {
        listing->cap = listing->cap ? listing->cap * 2 : 16;
        listing->names =
            must_realloc(listing->names, listing->cap, sizeof(*listing->names));
    }
    listing->names[listing->ct++] = must_strdup(name);
}

static void add_asked(struct listing *listing, const char *name)
{
    add_name(listing, name);
    listing->asked_ct = listing->ct;
}

/* The queues named; else the configured ones; with --all also those found in Redis. */
static int find_names(struct listing *listing, struct cli_session *session,
                      struct err *err)
{
    const struct cli_args *args = listing->args;
    const struct config *config = session->config;

    for (size_t i = 0; i < args->operand_ct; i++)
        add_asked(listing, args->operands[i]);
    for (size_t i = 0; args->operand_ct == 0 && i < config->pool_ct; i++)
        for (size_t k = 0; k < config->pools[i].queues.ct; k++)
            add_asked(listing, config->pools[i].queues.items[k]);
    if (!cli_flag(args, "--all"))
        return 0;
    return client_scan_queues(session->client, add_name, listing, err);
}

static json_t *number_or_null(int64_t number)
{
    return number >= 0 ? json_integer(number) : json_null();
}

static void show_queue_json(const struct listing *listing, struct output_array *array,
                            const char *name, const struct depths *depths)
{
    int64_t since_ms = client_paused_since(&listing->paused, name);
    json_t *object = json_pack(
        "{s:o, s:o, s:o, s:o, s:o}", "queue", output_json_text(slice_text(name)), "ready",
        number_or_null(depths->ready), "delayed", number_or_null(depths->delayed),
        "reserved", number_or_null(depths->reserved), "paused",
        since_ms < 0 ? json_null() : json_boolean(since_ms > 0));
    char since[CLOCK_TEXT_BYTES];

    if (since_ms > 0) {
        clock_format(since_ms, since, sizeof(since));
        json_object_set_new(object, "paused_since", json_string(since));
    }
    output_array_add(array, object);
}

static void add_paused_cell(const struct listing *listing, struct table *table,
                            const char *name)
{
    int64_t since_ms = client_paused_since(&listing->paused, name);
    char since[CLOCK_TEXT_BYTES];

    clock_format(since_ms, since, sizeof(since));
    table_cell_text(table, since_ms > 0 ? since : NULL);
}

static void show_queue(const struct listing *listing, struct table *table,
                       struct output_array *array, const char *name,
                       const struct depths *depths)
{
    if (listing->args->json) {
        show_queue_json(listing, array, name, depths);
        return;
    }
    table_cell_text(table, name);
    table_cell_number(table, depths->ready);
    table_cell_number(table, depths->delayed);
    table_cell_number(table, depths->reserved);
    if (listing->paused.ct > 0)
        add_paused_cell(listing, table, name);
    output_table_row(table);
}

static int show_queues(const struct listing *listing, struct client *client,
                       struct err *err)
{
    static const struct table_column columns[] = {{"QUEUE", TABLE_LEFT},
                                                  {"READY", TABLE_RIGHT},
                                                  {"DELAYED", TABLE_RIGHT},
                                                  {"RESERVED", TABLE_RIGHT},
                                                  {"PAUSED SINCE", TABLE_LEFT}};
    struct output_array array = {0};
    struct table *table = NULL;
    struct depths depths;
    int rc = 0;

    if (listing->args->json)
        output_array_begin(&array);
    else
        table =
            output_table_begin(columns, ARRAY_CT(columns) - (listing->paused.ct == 0));
    for (size_t i = 0; rc == 0 && i < listing->ct && output_ok(); i++) {
        rc = client_depths(client, listing->names[i], &depths, err);
        if (rc == 0)
            show_queue(listing, table, &array, listing->names[i], &depths);
    }
    if (listing->args->json) {
        output_array_end(&array);
        putchar('\n');
    } else {
        output_table_end(table, rc == 0 ? "no queues" : NULL);
    }
    return rc;
}

static int run_list(const struct cli_args *args)
{
    struct listing listing = {.args = args};
    struct cli_session session;
    struct err err = {0};
    int exit_code = cli_session_open(&session, args);

    if (exit_code != EXIT_DONE)
        return exit_code;
    if (find_names(&listing, &session, &err) != 0 ||
        client_paused_read(session.client, &listing.paused, &err) != 0 ||
        show_queues(&listing, session.client, &err) != 0)
        exit_code = cli_fail(&err);
    for (size_t i = 0; i < listing.ct; i++)
        free(listing.names[i]);
    free(listing.names);
    client_paused_free(&listing.paused);
    cli_session_close(&session);
    return exit_code;
}

static const struct cli_option list_options[] = {
    {"--all", NULL, "also queues that no pool reads but that Redis holds"},
    {NULL, NULL, NULL}};

const struct cli_command cmd_queue_list = {
    .words = "queue list",
    .operands = "[QUEUE..]",
    .summary = "Show how many jobs queues hold: those named, or configured",
    .examples = "drover queue list\n"
                "drover queue list high low --json\n"
                "drover queue list --all",
    .operand_max = SIZE_MAX,
    .options = list_options,
    .run = run_list};

/* ---- peek ---- */

enum { PEEK_DEFAULT = 10, PEEK_MAX = 1000000, PEEK_DATA_BYTES = 60 };

struct peek {
    const struct cli_args *args;
    const char *state;
    struct table *table;
    struct output_array array;
};

static void due_text(double due_at, char text[CLOCK_TEXT_BYTES])
{
    text[0] = '\0';
    if (due_at > 0 && due_at < 1e11)
        clock_format((int64_t)(due_at * 1000), text, CLOCK_TEXT_BYTES);
}

static json_t *text_or_null(const char *text)
{
    return text[0] ? output_json_text(slice_text(text)) : json_null();
}

static void show_job_json(struct peek *peek, const struct job_view *view, const char *due)
{
    json_t *object =
        json_pack("{s:o, s:o, s:o, s:s, s:o}", "uuid", text_or_null(view->uuid), "job",
                  text_or_null(view->name), "attempts", number_or_null(view->attempts),
                  "state", peek->state, "due_at", text_or_null(due));

    output_json_bytes(object, "payload", view->raw);
    output_array_add(&peek->array, object);
}

static void add_data_cell(struct table *table, struct slice data)
{
    struct buf cut;

    if (data.len <= PEEK_DATA_BYTES) {
        table_cell(table, data);
        return;
    }
    buf_init(&cut, 0);
    (void)buf_add(&cut, data.ptr, text_cut(data, PEEK_DATA_BYTES));
    (void)buf_add_text(&cut, "...");
    table_cell(table, buf_slice(&cut));
    buf_free(&cut);
}

static void show_job(void *arg, struct slice payload, double due_at)
{
    struct peek *peek = arg;
    struct job_view *view = must_alloc(sizeof(*view));
    char due[CLOCK_TEXT_BYTES];

    job_view(view, payload);
    due_text(due_at, due);
    if (peek->args->json) {
        show_job_json(peek, view, due);
    } else {
        table_cell_text(peek->table, view->uuid[0] ? view->uuid : NULL);
        table_cell_text(peek->table, view->name[0] ? view->name : NULL);
        table_cell_number(peek->table, view->attempts);
        table_cell_text(peek->table, due[0] ? due : NULL);
        add_data_cell(peek->table, view->readable ? view->data : view->raw);
        output_table_row(peek->table);
    }
    free(view);
}

static int read_peek(struct peek *peek, int64_t *ct, struct err *err)
{
    static const char *const states[] = {"ready", "delayed", "reserved"};
    const char *number = cli_value(peek->args, "-n");
    const char *state = cli_value(peek->args, "--state");

    *ct = PEEK_DEFAULT;
    if (number && text_integer(number, 1, PEEK_MAX, ct, err) != 0)
        return args_bad_value(err, "-n");
    peek->state = state ? state : "ready";
    for (size_t i = 0; i < ARRAY_CT(states); i++)
        if (strcmp(states[i], peek->state) == 0)
            return 0;
    return err_set(err, ERR_USAGE, "--state is ready, delayed or reserved, not %s",
                   peek->state);
}

static int peek_queue(struct peek *peek, struct client *client, int64_t ct,
                      struct err *err)
{
    static const struct table_column columns[] = {{"UUID", TABLE_LEFT},
                                                  {"JOB", TABLE_LEFT},
                                                  {"ATTEMPTS", TABLE_RIGHT},
                                                  {"DUE", TABLE_LEFT},
                                                  {"DATA", TABLE_LEFT}};
    static const struct table_give gives[] = {{TABLE_CLIP, OUTPUT_ID_LEAST},
                                              {TABLE_CUT_START, OUTPUT_TEXT_LEAST},
                                              {TABLE_WHOLE, 0},
                                              {TABLE_CLIP, OUTPUT_TIME_LEAST},
                                              {TABLE_CUT_END, OUTPUT_TEXT_LEAST}};
    int rc;

    if (peek->args->json) {
        output_array_begin(&peek->array);
    } else {
        peek->table = output_table_begin(columns, ARRAY_CT(columns));
        output_table_fit(peek->table, gives);
    }
    rc = client_peek(client, peek->args->operands[0], peek->state, (size_t)ct, show_job,
                     peek, err);
    if (peek->args->json) {
        output_array_end(&peek->array);
        putchar('\n');
    } else {
        output_table_end(peek->table, rc == 0 ? "no such jobs" : NULL);
    }
    return rc;
}

static int run_peek(const struct cli_args *args)
{
    struct peek peek = {.args = args};
    struct cli_session session;
    struct err err = {0};
    int64_t ct;
    int exit_code;

    if (queue_name_check(args->operands[0], &err) != 0 ||
        read_peek(&peek, &ct, &err) != 0)
        return cli_fail(&err);
    exit_code = cli_session_open(&session, args);
    if (exit_code != EXIT_DONE)
        return exit_code;
    if (peek_queue(&peek, session.client, ct, &err) != 0)
        exit_code = cli_fail(&err);
    cli_session_close(&session);
    return exit_code;
}

static const struct cli_option peek_options[] = {
    {"-n", "N", "how many jobs [10]"},
    {"--state", "STATE", "ready, delayed or reserved [ready]"},
    {NULL, NULL, NULL}};

const struct cli_command cmd_queue_peek = {
    .words = "queue peek",
    .operands = "QUEUE",
    .summary = "Show the next jobs of a queue without touching them",
    .examples = "drover queue peek default\n"
                "drover queue peek low -n 3 --state delayed\n"
                "drover queue peek high --json | jq -r '.[0].payload'",
    .operand_min = 1,
    .operand_max = 1,
    .options = peek_options,
    .run = run_peek};

/* ---- clear ---- */

static int count_jobs(struct client *client, const char *queue, bool reserved,
                      int64_t *ct, struct err *err)
{
    struct depths depths;

    if (client_depths(client, queue, &depths, err) != 0)
        return -1;
    *ct = (depths.ready > 0 ? depths.ready : 0) +
          (depths.delayed > 0 ? depths.delayed : 0) +
          (reserved && depths.reserved > 0 ? depths.reserved : 0);
    return 0;
}

static int clear_queue(const struct cli_args *args, struct client *client,
                       struct err *err)
{
    const char *queue = args->operands[0];
    bool reserved = cli_flag(args, "--reserved"), dry = cli_flag(args, "--dry-run");
    struct output_change change = {.verb = "removed", .json = args->json, .dry_run = dry};
    char *question;
    int64_t ct;
    bool yes;

    if (count_jobs(client, queue, reserved, &ct, err) != 0)
        return -1;
    if (!dry) {
        question = must_format("Remove %" PRId64 " job%s from queue %s?", ct,
                               ct == 1 ? "" : "s", queue);
        yes = output_agreed(question, cli_flag(args, "--yes"), err);
        free(question);
        if (!yes)
            return -1;
        if (client_clear(client, queue, reserved, &ct, err) != 0)
            return -1;
    }
    output_change(&change, ct);
    return 0;
}

static int run_clear(const struct cli_args *args)
{
    struct cli_session session;
    struct err err = {0};
    int exit_code;

    if (queue_name_check(args->operands[0], &err) != 0)
        return cli_fail(&err);
    exit_code = cli_session_open(&session, args);
    if (exit_code != EXIT_DONE)
        return exit_code;
    if (clear_queue(args, session.client, &err) != 0)
        exit_code = cli_fail(&err);
    cli_session_close(&session);
    return exit_code;
}

static const struct cli_option clear_options[] = {
    {"--reserved", NULL, "also what is running: how that ends will not count"},
    {"--dry-run", NULL, "only say how many jobs would go"},
    {"--yes", NULL, "do not ask"},
    {NULL, NULL, NULL}};

const struct cli_command cmd_queue_clear = {
    .words = "queue clear",
    .operands = "QUEUE",
    .summary = "Remove the ready and delayed jobs of a queue",
    .examples = "drover queue clear low --dry-run\n"
                "drover queue clear low --yes",
    .operand_min = 1,
    .operand_max = 1,
    .options = clear_options,
    .run = run_clear};
