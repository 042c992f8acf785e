/* drover import database: the waiting jobs of Laravel's database queue, moved to Redis.
 *
 * Options, counts and what is said of it; how a row is moved is import.c's. A signal is
 * heard between two batches.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/proctitle.h"
#include "base/text.h"
#include "cli/args.h"
#include "cli/import.h"
#include "cli/interrupt.h"
#include "cli/output.h"
#include "cli/redis.h"

enum {
    QUEUES_MAX = 256,
    RETRY_AFTER_S = 90, /* as in Laravel's config/queue.php */
    NOTES_MAX = 20,     /* rows that are named on stderr */
    ROWS_MAX = 1000,    /* rows that are named in JSON */
    ADDED_BYTES = 256   /* more than a payload grows by */
};

struct command {
    const struct cli_args *args;
    struct cli_session session;
    struct jobs_table *table;
    char *queues; /* what the filter's names lie in */
    const char *names[QUEUES_MAX];
    struct jobs_filter filter;
    int64_t limit;
    bool dry_run;
    struct import import;
    struct jobs_count sum; /* over all queues, as last counted */
    json_t *rows;          /* that stay */
    int64_t named_ct;
};

static const char *table_name(const struct command *command)
{
    const char *name = cli_value(command->args, "--table");

    return name ? name : "jobs";
}

/* ---- options ---- */

static int read_queues(struct command *command, struct err *err)
{
    const char *given = cli_value(command->args, "--queue");
    char *rest;

    if (given == NULL)
        return 0;
    rest = command->queues = must_strdup(given);
    while (rest) {
        char *name = strsep(&rest, ",");

        if (name[0] == '\0')
            return err_set(err, ERR_USAGE, "--queue: a name is empty");
        if (command->filter.queue_ct == QUEUES_MAX)
            return err_set(err, ERR_USAGE, "--queue: more than %d names", QUEUES_MAX);
        command->names[command->filter.queue_ct++] = name;
    }
    command->filter.queues = command->names;
    return 0;
}

static int read_options(struct command *command, struct err *err)
{
    const struct cli_args *args = command->args;
    const char *limit = cli_value(args, "--limit");
    const char *after = cli_value(args, "--retry-after");
    int64_t after_ms = RETRY_AFTER_S * 1000;

    if (cli_value(args, "--dsn") == NULL)
        return err_set(err, ERR_USAGE,
                       "import database needs --dsn, like \"host=db dbname=app "
                       "user=app\"");
    if (jobs_table_check(cli_value(args, "--dsn"), table_name(command), err) != 0)
        return -1;
    command->limit = INT64_MAX;
    if (limit && text_integer(limit, 1, INT64_MAX, &command->limit, err) != 0)
        return args_bad_value(err, "--limit");
    if (after && text_duration(after, &after_ms, err) != 0)
        return args_bad_value(err, "--retry-after");
    if (after && !cli_flag(args, "--include-reserved"))
        return err_set(err, ERR_USAGE, "--retry-after needs --include-reserved");
    command->filter.reserved_for_s =
        cli_flag(args, "--include-reserved") ? (after_ms + 999) / 1000 : -1;
    command->dry_run = cli_flag(args, "--dry-run");
    return read_queues(command, err);
}

/* ---- counting ---- */

static void add_count(void *arg, const struct jobs_count *count)
{
    struct jobs_count *sum = arg;

    sum->ready += count->ready;
    sum->delayed += count->delayed;
    sum->forgotten += count->forgotten;
    sum->reserved += count->reserved;
    sum->claimed += count->claimed;
}

static int count(struct command *command, struct err *err)
{
    command->sum = (struct jobs_count){.queue = NULL};
    return jobs_table_count(command->table, &command->filter, add_count, &command->sum,
                            err);
}

struct listing {
    struct command *command;
    struct table *table;
    json_t *array;
};

static void list_queue(void *arg, const struct jobs_count *count)
{
    struct listing *listing = arg;

    add_count(&listing->command->sum, count);
    if (listing->array) {
        json_array_append_new(listing->array,
                              json_pack("{s:o, s:I, s:I, s:I, s:I, s:I}", "queue",
                                        output_json_text(slice_text(count->queue)),
                                        "ready", (json_int_t)count->ready, "delayed",
                                        (json_int_t)count->delayed, "forgotten",
                                        (json_int_t)count->forgotten, "reserved",
                                        (json_int_t)count->reserved, "claimed",
                                        (json_int_t)count->claimed));
        return;
    }
    table_cell_text(listing->table, count->queue);
    table_cell_number(listing->table, count->ready);
    table_cell_number(listing->table, count->delayed);
    table_cell_number(listing->table, count->forgotten);
    table_cell_number(listing->table, count->reserved);
    table_cell_number(listing->table, count->claimed);
    output_table_row(listing->table);
}

static int64_t total(const struct command *command)
{
    const struct jobs_count *sum = &command->sum;
    int64_t fresh = sum->ready + sum->delayed + sum->forgotten;

    return sum->claimed + (fresh < command->limit ? fresh : command->limit);
}

/* ---- what is said ---- */

static void note_bad(void *arg, int64_t id, const char *queue, const struct err *why)
{
    struct command *command = arg;

    command->named_ct++;
    if (command->named_ct <= NOTES_MAX)
        output_note("row %" PRId64 "%s%s%s stays in the table: %s", id,
                    queue ? " (queue " : "", queue ? queue : "", queue ? ")" : "",
                    why->text);
    else if (command->named_ct == NOTES_MAX + 1)
        output_note("and more of the kind");
    if (command->named_ct <= ROWS_MAX)
        json_array_append_new(command->rows,
                              json_pack("{s:I, s:o}", "id", (json_int_t)id, "reason",
                                        output_json_text(slice_text(why->text))));
}

static void say_left(int64_t ct, const char *what)
{
    if (ct > 0)
        printf("%" PRId64 " left in the table: %s\n", ct, what);
}

static void tell_text(const struct command *command, bool counted)
{
    const struct import_totals *totals = &command->import.totals;
    const struct jobs_count *sum = &command->sum;

    printf("%" PRId64 " %s moved\n", totals->moved, totals->moved == 1 ? "job" : "jobs");
    if (totals->before > 0)
        printf("%" PRId64 " more were in Redis already, from a run that did not end: "
               "taken from the table\n",
               totals->before);
    say_left(totals->bad, "no jobs that could run from Redis");
    say_left(totals->refused, "Redis does not take them");
    if (!counted)
        return;
    say_left(sum->reserved, "reserved by Laravel's workers");
    say_left(sum->claimed, "claimed by an import; run it again");
    say_left(sum->ready + sum->delayed + sum->forgotten - totals->bad + totals->doubt -
                 totals->refused,
             "waiting, beyond --limit or come meanwhile");
}

static void tell(struct command *command, bool counted)
{
    const struct import_totals *totals = &command->import.totals;
    const struct jobs_count *sum = &command->sum;
    json_t *result;

    if (!command->args->json) {
        tell_text(command, counted);
        return;
    }
    result = json_pack("{s:o, s:I, s:I, s:I, s:I, s:O}", "table",
                       output_json_text(slice_text(table_name(command))), "moved",
                       (json_int_t)totals->moved, "before", (json_int_t)totals->before,
                       "bad", (json_int_t)totals->bad, "refused",
                       (json_int_t)totals->refused, "rows", command->rows);
    if (counted)
        json_object_set_new(
            result, "left",
            json_pack("{s:I, s:I, s:I, s:I, s:I}", "ready", (json_int_t)sum->ready,
                      "delayed", (json_int_t)sum->delayed, "forgotten",
                      (json_int_t)sum->forgotten, "reserved", (json_int_t)sum->reserved,
                      "claimed", (json_int_t)sum->claimed));
    json_object_set_new(result, "dry_run", json_false());
    output_json(result);
}

/* A Redis that may lose what it has taken is said before the table gives it away. */
static int warn_of_redis(struct command *command, struct err *err)
{
    struct vitals vitals;

    if (client_vitals(command->session.client, &vitals, err) != 0)
        return -1;
    if (vitals_evicts(&vitals) == VITAL_YES)
        output_note("warning: Redis has maxmemory-policy %s and may evict whole queues: "
                    "set it to noeviction",
                    vitals.policy);
    if (vitals.aof == VITAL_NO)
        output_note("warning: Redis has appendonly no: a restart loses what is moved");
    return 0;
}

/* ---- moving ---- */

static void progress(const struct command *command, struct progress *bar)
{
    const struct import_totals *totals = &command->import.totals;

    progress_update(bar, totals->moved + totals->before + totals->bad + totals->refused);
}

static int resume(struct command *command, struct progress *bar, struct err *err)
{
    int64_t after_id = 0;
    bool more = true;
    int rc = 0;

    while (rc == 0 && more && !interrupt_seen()) {
        interrupt_hold();
        rc = import_resume(&command->import, &after_id, &more, err);
        interrupt_allow();
        progress(command, bar);
    }
    return rc;
}

/* Up to the rows that were there at the start: producers may go on for ever. */
static int move(struct command *command, struct progress *bar, struct err *err)
{
    struct jobs_span span = {.after_id = 0};
    int64_t before = command->import.totals.moved;
    bool more = true;
    int rc = jobs_table_last_id(command->table, &span.last_id, err);

    while (rc == 0 && more && !interrupt_seen()) {
        int64_t left = command->limit - (command->import.totals.moved - before);

        if (left <= 0)
            break;
        span.max = left < JOBS_BATCH_ROWS ? (size_t)left : JOBS_BATCH_ROWS;
        interrupt_hold();
        rc = import_next(&command->import, &span, &more, err);
        interrupt_allow();
        progress(command, bar);
    }
    return rc;
}

static int move_all(struct command *command, struct err *err)
{
    struct progress bar;
    int rc = count(command, err);

    if (rc != 0)
        return -1;
    interrupt_watch();
    progress_begin(&bar, "moved", total(command));
    rc = resume(command, &bar, err);
    if (rc == 0)
        rc = move(command, &bar, err);
    if (rc == 0 && !interrupt_seen())
        rc = import_tidy(&command->import, err);
    progress_end(&bar);
    return rc;
}

/* ---- a dry run ---- */

static void tell_would(const struct command *command, json_t *queues)
{
    const struct import_totals *totals = &command->import.totals;

    if (queues) {
        output_json(json_pack("{s:o, s:o, s:I, s:I, s:I, s:O, s:b}", "table",
                              output_json_text(slice_text(table_name(command))), "queues",
                              queues, "moved", (json_int_t)totals->moved, "before",
                              (json_int_t)totals->before, "bad", (json_int_t)totals->bad,
                              "rows", command->rows, "dry_run", 1));
        return;
    }
    printf("%" PRId64 " %s would be moved\n", totals->moved,
           totals->moved == 1 ? "job" : "jobs");
    if (totals->before > 0)
        printf("%" PRId64 " more in Redis already, from a run that did not end: would be "
               "taken from the table\n",
               totals->before);
    if (totals->bad > 0)
        printf("%" PRId64 " would stay: no jobs that could run from Redis\n",
               totals->bad);
}

/* The same steps as those of a run, on rows that are only looked at. */
static int look_at_all(struct command *command, struct err *err)
{
    struct progress bar;
    int rc;

    progress_begin(&bar, "counted", total(command));
    rc = resume(command, &bar, err);
    if (rc == 0)
        rc = move(command, &bar, err);
    progress_end(&bar);
    return rc;
}

static int dry_run(struct command *command, struct err *err)
{
    static const struct table_column columns[] = {
        {"QUEUE", TABLE_LEFT},      {"READY", TABLE_RIGHT},    {"DELAYED", TABLE_RIGHT},
        {"FORGOTTEN", TABLE_RIGHT}, {"RESERVED", TABLE_RIGHT}, {"CLAIMED", TABLE_RIGHT}};
    struct listing listing = {.command = command};
    int rc;

    if (command->args->json)
        listing.array = json_array();
    else
        listing.table = output_table_begin(columns, ARRAY_CT(columns));
    rc = jobs_table_count(command->table, &command->filter, list_queue, &listing, err);
    if (listing.table)
        output_table_end(listing.table, NULL);
    if (rc == 0)
        rc = look_at_all(command, err);
    if (rc == 0)
        tell_would(command, listing.array);
    else
        json_decref(listing.array);
    return rc;
}

static int import_rows(struct command *command)
{
    struct import_totals *totals = &command->import.totals;
    struct err err = {0}, ignored;
    bool stopped;
    int rc;

    rc = move_all(command, &err);
    stopped = interrupt_seen();
    tell(command, rc == 0 && !stopped && count(command, &ignored) == 0);
    if (rc != 0) {
        output_note("nothing is lost: run it again, and it goes on from here");
        return cli_fail(&err);
    }
    if (stopped)
        output_note("interrupted: run it again, and it goes on from here");
    return stopped || totals->bad > 0 || totals->refused > 0 ? EXIT_ERROR : EXIT_DONE;
}

static int run_connected(struct command *command)
{
    const char *dsn = cli_value(command->args, "--dsn");
    struct err err = {0};
    int exit_code = EXIT_DONE;

    command->table = jobs_table_open(dsn, table_name(command), &err);
    if (command->table == NULL)
        return cli_fail(&err);
    command->import = (struct import){
        .table = command->table,
        .client = command->session.client,
        .filter = &command->filter,
        .max_payload_bytes =
            (size_t)command->session.config->max_payload_mib * 1024 * 1024 - ADDED_BYTES,
        .on_bad = note_bad,
        .arg = command,
        .dry_run = command->dry_run};
    if (warn_of_redis(command, &err) != 0 ||
        (command->dry_run && dry_run(command, &err) != 0))
        exit_code = cli_fail(&err);
    else if (!command->dry_run)
        exit_code = import_rows(command);
    jobs_table_close(command->table);
    return exit_code;
}

static int run(const struct cli_args *args)
{
    struct command *command = must_alloc(sizeof(*command));
    struct err err = {0};
    int exit_code;

    proctitle_set("import database"); /* the dsn may hold a password */
    command->args = args;
    command->rows = json_array();
    if (read_options(command, &err) != 0) {
        exit_code = cli_fail(&err);
    } else {
        exit_code = cli_session_open(&command->session, args);
        if (exit_code == EXIT_DONE) {
            exit_code = run_connected(command);
            cli_session_close(&command->session);
        }
    }
    json_decref(command->rows);
    free(command->queues);
    free(command);
    return exit_code;
}

static const struct cli_option options[] = {
    {"--dsn", "DSN", "where the table is: \"host=db dbname=app\" or a URI"},
    {"--table", "NAME", "the table; another schema and a dot before it [jobs]"},
    {"--queue", "A,B", "only the jobs of these queues [all]"},
    {"--limit", "N", "at most so many jobs"},
    {"--include-reserved", NULL, "also jobs whose worker seems to have died"},
    {"--retry-after", "S", "reserved for so long they count as such [90]"},
    {"--dry-run", NULL, "only show how many jobs there are, and would be moved"},
    {NULL, NULL, NULL}};

const struct cli_command cmd_import_database = {
    .words = "import database",
    .summary = "Move waiting jobs of Laravel's database queue to Redis",
    .examples =
        "drover import database --dsn 'host=db dbname=app user=app' --dry-run\n"
        "drover import database --dsn postgresql://app@db/app --queue high,default\n"
        "PGPASSFILE=/etc/app.pgpass drover import database --dsn 'host=db dbname=app'",
    .options = options,
    .run = run};
