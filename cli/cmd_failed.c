/* drover failed list and show: looking at failed jobs, in constant memory. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli/failed_filter.h"
#include "cli/output.h"
#include "cli/redis.h"

static void format_failed_at(const struct fail_record *record,
                             char text[CLOCK_TEXT_BYTES])
{
    clock_format(record->failed_at_ms, text, CLOCK_TEXT_BYTES);
}

static json_t *record_json(const struct fail_record *record)
{
    char failed_at[CLOCK_TEXT_BYTES];
    json_t *object;

    format_failed_at(record, failed_at);
    object =
        json_pack("{s:o, s:o, s:o, s:o, s:I, s:o, s:s}", "uuid",
                  output_json_text(slice_text(record->uuid)), "connection",
                  output_json_text(slice_text(record->connection)), "queue",
                  output_json_text(slice_text(record->queue)), "job",
                  output_json_text(slice_text(record->job)), "attempts",
                  (json_int_t)record->attempts, "reason",
                  output_json_text(slice_text(record->reason)), "failed_at", failed_at);
    if (record->was_uuid)
        json_object_set_new(object, "was_uuid",
                            output_json_text(slice_text(record->was_uuid)));
    if (record->waiting)
        json_object_set_new(object, "waiting", json_true());
    return object;
}

/* ---- list ---- */

struct list {
    const struct cli_args *args;
    bool payload;
    int64_t waiting; /* records that are not in PostgreSQL yet */
    struct table *table;
    struct output_array array;
};

static bool list_record(void *arg, const struct fail_record *record)
{
    struct list *list = arg;
    char failed_at[CLOCK_TEXT_BYTES];

    list->waiting += record->waiting;
    if (list->args->json) {
        json_t *object = record_json(record);

        if (list->payload)
            output_json_bytes(object, "payload", record->payload);
        output_array_add(&list->array, object);
        return output_ok();
    }
    format_failed_at(record, failed_at);
    table_cell_text(list->table, record->uuid);
    table_cell_text(list->table, failed_at);
    table_cell_text(list->table, record->queue);
    table_cell_text(list->table, record->job[0] ? record->job : NULL);
    table_cell_number(list->table, record->attempts);
    table_cell_text(list->table, record->reason);
    if (list->payload)
        table_cell(list->table, record->payload);
    output_table_row(list->table);
    return output_ok();
}

static void begin_table(struct list *list)
{
    static const struct table_column columns[] = {
        {"UUID", TABLE_LEFT},   {"FAILED AT", TABLE_LEFT}, {"QUEUE", TABLE_LEFT},
        {"JOB", TABLE_LEFT},    {"ATTEMPTS", TABLE_RIGHT}, {"REASON", TABLE_LEFT},
        {"PAYLOAD", TABLE_LEFT}};
    static const struct table_give gives[] = {{TABLE_CLIP, OUTPUT_ID_LEAST},
                                              {TABLE_CLIP, OUTPUT_TIME_LEAST},
                                              {TABLE_CUT_END, OUTPUT_TEXT_LEAST},
                                              {TABLE_CUT_START, OUTPUT_TEXT_LEAST},
                                              {TABLE_WHOLE, 0},
                                              {TABLE_CUT_END, OUTPUT_TEXT_LEAST},
                                              {TABLE_CUT_END, OUTPUT_TEXT_LEAST}};

    list->table =
        output_table_begin(columns, ARRAY_CT(columns) - (list->payload ? 0 : 1));
    output_table_fit(list->table, gives);
}

static int list_records(struct list *list, const struct failed_filter *filter,
                        struct failed_store *store, struct err *err)
{
    int rc;

    if (list->args->json)
        output_array_begin(&list->array);
    else
        begin_table(list);
    rc = failed_filter_walk(filter, store, FAILED_NEWEST_FIRST,
                            list->payload ? FAILED_WITH_PAYLOAD : FAILED_SUMMARY,
                            list_record, list, err);
    if (list->args->json) {
        output_array_end(&list->array);
        putchar('\n');
    } else {
        output_table_end(list->table, rc == 0 ? "no failed jobs" : NULL);
    }
    if (list->waiting > 0)
        output_note("%" PRId64 " of these jobs wait%s in Redis for PostgreSQL",
                    list->waiting, list->waiting == 1 ? "s" : "");
    return rc;
}

/* What the store of before holds is in no list of this one. */
static void hint_at_redis(const struct cli_session *session)
{
    int64_t ct;

    if (session->config->failed.store != FAILED_IN_POSTGRES ||
        client_failed_count(session->client, &ct, NULL) != 0 || ct == 0)
        return;
    output_note("%" PRId64 " failed job%s in the Redis store of before: `drover failed "
                "migrate` moves %s",
                ct, ct == 1 ? " is" : "s are", ct == 1 ? "it" : "them");
}

static int run_list(const struct cli_args *args)
{
    struct list list = {.args = args, .payload = cli_flag(args, "--payload")};
    struct failed_filter filter;
    struct cli_session session;
    struct err err = {0};
    int exit_code;

    if (failed_filter_read(&filter, args, clock_wall_ms(), &err) != 0)
        return cli_fail(&err);
    exit_code = cli_session_open(&session, args);
    if (exit_code != EXIT_DONE)
        return exit_code;
    if (list_records(&list, &filter, session.failed, &err) != 0)
        exit_code = cli_fail(&err);
    else
        hint_at_redis(&session);
    cli_session_close(&session);
    return exit_code;
}

static const struct cli_option list_options[] = {
    FAILED_FILTER_OPTIONS,
    {"--payload", NULL, "with the payload (payload_base64 where it is not UTF-8)"},
    {NULL, NULL, NULL}};

const struct cli_command cmd_failed_list = {
    .words = "failed list",
    .summary = "List failed jobs, the newest first",
    .examples = "drover failed list --since 2h\n"
                "drover failed list --job 'App\\Jobs\\*' --limit 20\n"
                "drover failed list --json --payload > failed.json",
    .options = list_options,
    .run = run_list};

/* ---- show ---- */

static void show_line(const char *title, const char *text)
{
    printf("%-10s  ", title);
    output_text(slice_text(text), 0);
    putchar('\n');
}

static bool show_for_people(void *arg, const struct fail_record *record)
{
    bool *first = arg;
    char text[CLOCK_TEXT_BYTES];

    if (!*first)
        putchar('\n');
    *first = false;
    show_line("uuid", record->uuid);
    if (record->was_uuid)
        show_line("was uuid", record->was_uuid);
    if (record->waiting)
        show_line("waiting", "in Redis, for PostgreSQL");
    show_line("job", record->job[0] ? record->job : "-");
    show_line("queue", record->queue);
    show_line("connection", record->connection);
    snprintf(text, sizeof(text), "%" PRId64, record->attempts);
    show_line("attempts", text);
    format_failed_at(record, text);
    show_line("failed at", text);
    show_line("reason", record->reason);
    fputs("exception:\n", stdout);
    output_lines(record->exception);
    fputs("payload:\n", stdout);
    output_text(record->payload, 0);
    putchar('\n');
    return true;
}

static bool show_json(void *arg, const struct fail_record *record)
{
    json_t *object = record_json(record);

    (void)arg;
    json_object_set_new(object, "exception", output_json_text(record->exception));
    output_json_bytes(object, "payload", record->payload);
    output_json(object);
    return true;
}

/* An unknown id does not keep the others from being shown. */
static int run_show(const struct cli_args *args)
{
    struct cli_session session;
    bool first = true;
    int exit_code = cli_session_open(&session, args);

    if (exit_code != EXIT_DONE)
        return exit_code;
    for (size_t i = 0; i < args->operand_ct && exit_code != EXIT_NO_REDIS; i++) {
        struct err err = {0};
        char uuid[64];

        if (failed_store_resolve(session.failed, args->operands[i], uuid, &err) != 0 ||
            failed_store_get(session.failed, uuid,
                             args->json ? show_json : show_for_people, &first, &err) != 0)
            exit_code = cli_worst(exit_code, cli_fail(&err));
    }
    cli_session_close(&session);
    return exit_code;
}

const struct cli_command cmd_failed_show = {
    .words = "failed show",
    .operands = "ID..",
    .summary = "Show all that is known of failed jobs",
    .examples = "drover failed show 9f3a\n"
                "drover failed show 9f3a2c1e-5b7d-4e1f-8a6b-0c9d8e7f6a5b --json",
    .operand_min = 1,
    .operand_max = SIZE_MAX,
    .run = run_show};
