/* drover failed retry, forget, flush and prune: what changes the store of failed jobs.
 *
 * Each works on ids or on what a filter lets through, record by record or in batches, in
 * constant memory; interrupted or broken off, it says how many it has done.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli/failed_filter.h"
#include "cli/interrupt.h"
#include "cli/output.h"
#include "cli/redis.h"
#include "cli/when.h"

enum { BATCH = 500 };

/* One run of any of these commands. */
struct change {
    const struct cli_args *args;
    struct cli_session session;
    struct failed_filter filter;
    struct output_change said;
    struct progress progress;
    int64_t done;    /* retried or removed, or what would have been */
    int64_t late;    /* retried, but past their retryUntil */
    int64_t refused; /* could not be retried; the first reason is in `why` */
    struct err why;
    struct output_array ids; /* of a dry run in JSON */
    const char *batch[BATCH];
    char batch_uuids[BATCH][64];
    size_t batch_ct;
};

static bool go_on(struct change *change)
{
    progress_update(&change->progress, change->done);
    return change->why.code != ERR_CONN && change->why.code != ERR_DATABASE &&
           change->why.code != ERR_NO_TABLE && !interrupt_seen();
}

/* ---- by id ---- */

typedef int (*by_uuid_fn)(struct change *change, const char *uuid, struct err *err);

static int retry_uuid(struct change *change, const char *uuid, struct err *err)
{
    struct failed_retry retry;

    if (failed_store_retry(change->session.failed, uuid, &retry, err) != 0)
        return -1;
    if (!retry.done)
        return err_set(err, ERR_NOT_FOUND, "no failed job %s", uuid);
    change->done++;
    change->late += retry.late;
    return 0;
}

static int forget_uuid(struct change *change, const char *uuid, struct err *err)
{
    int64_t before = change->done;

    if (failed_store_forget(change->session.failed, &uuid, 1, &change->done, err) != 0)
        return -1;
    if (change->done == before)
        return err_set(err, ERR_NOT_FOUND, "no failed job %s", uuid);
    return 0;
}

static int count_uuid(struct change *change, const char *uuid, struct err *err)
{
    (void)err;
    if (!change->args->json)
        puts(uuid);
    else
        output_array_add(&change->ids, json_string(uuid));
    change->done++;
    return 0;
}

static int change_ids(struct change *change, by_uuid_fn apply)
{
    const struct cli_args *args = change->args;
    int exit_code = EXIT_DONE;

    for (size_t i = 0; i < args->operand_ct && exit_code != EXIT_NO_REDIS; i++) {
        struct err err = {0};
        char uuid[64];

        if (failed_store_resolve(change->session.failed, args->operands[i], uuid, &err) !=
                0 ||
            apply(change, uuid, &err) != 0)
            exit_code = cli_worst(exit_code, cli_fail(&err));
    }
    return exit_code;
}

/* ---- by filter ---- */

static bool count_each(void *arg, const struct fail_record *record)
{
    struct change *change = arg;

    (void)count_uuid(change, record->uuid, NULL);
    return output_ok() && go_on(change);
}

/* A job that cannot go back stays where it is, and the others go on. */
static bool retry_each(void *arg, const struct fail_record *record)
{
    struct change *change = arg;
    struct failed_retry retry;
    struct err err = {0};

    if (failed_store_retry(change->session.failed, record->uuid, &retry, &err) == 0) {
        change->done += retry.done;
        change->late += retry.late;
    } else {
        change->refused++;
        if (change->refused == 1 || err.code == ERR_CONN || err.code == ERR_DATABASE ||
            err.code == ERR_NO_TABLE)
            change->why = err;
    }
    return go_on(change);
}

static bool forget_batch(struct change *change)
{
    size_t ct = change->batch_ct;

    for (size_t i = 0; i < ct; i++)
        change->batch[i] = change->batch_uuids[i];
    change->batch_ct = 0;
    if (ct > 0 && failed_store_forget(change->session.failed, change->batch, ct,
                                      &change->done, &change->why) != 0)
        change->refused = (int64_t)ct;
    return change->why.code == ERR_NONE && go_on(change);
}

static bool forget_each(void *arg, const struct fail_record *record)
{
    struct change *change = arg;

    memcpy(change->batch_uuids[change->batch_ct++], record->uuid, sizeof(record->uuid));
    return change->batch_ct < BATCH || forget_batch(change);
}

static int change_all(struct change *change, failed_each_cb each)
{
    struct err err = {0};
    int64_t total = 0;
    int rc;

    interrupt_watch();
    if (failed_filter_is_set(&change->filter) ||
        failed_store_count(change->session.failed, &total, NULL) != 0)
        total = 0; /* no bar, only a number */
    progress_begin(&change->progress, change->said.verb, total);
    rc = failed_filter_walk(&change->filter, change->session.failed, FAILED_OLDEST_FIRST,
                            FAILED_SUMMARY, each, change, &err);
    if (rc == 0)
        (void)forget_batch(change);
    progress_end(&change->progress);
    if (rc != 0)
        return cli_fail(&err);
    if (change->refused > 0) {
        err_prefix(&change->why, "%" PRId64 " could not be %s", change->refused,
                   change->said.verb);
        return cli_fail(&change->why);
    }
    if (interrupt_seen()) {
        output_note("interrupted");
        return EXIT_ERROR;
    }
    return EXIT_DONE;
}

/* ---- what the commands share ---- */

/* Ids or --all, not both and not neither; filters only with --all. */
static int check_choice(const struct change *change, struct err *err)
{
    const struct cli_args *args = change->args;
    bool all = cli_flag(args, "--all");

    if (all && args->operand_ct > 0)
        return err_set(err, ERR_USAGE, "give ids or --all, not both");
    if (!all && failed_filter_is_set(&change->filter))
        return err_set(err, ERR_USAGE, "filters go with --all");
    if (!all && args->operand_ct == 1 && strcmp(args->operands[0], "all") == 0)
        return err_set(err, ERR_USAGE, "all is no id: did you mean --all?");
    if (!all && args->operand_ct == 0)
        return err_set(err, ERR_USAGE, "%s needs ids or --all", args->command->words);
    return 0;
}

static void begin_dry_run(struct change *change)
{
    if (!change->args->json)
        return;
    fputs("{\"dry_run\":true,\"uuids\":", stdout);
    output_array_begin(&change->ids);
}

static void tell(struct change *change)
{
    if (change->said.dry_run && change->args->json) {
        output_array_end(&change->ids);
        printf(",\"%s\":%" PRId64 "}\n", change->said.verb, change->done);
    } else {
        output_change(&change->said, change->done);
    }
}

static struct change *create_change(const struct cli_args *args, const char *verb)
{
    struct change *change = must_alloc(sizeof(*change));

    change->args = args;
    change->said.verb = verb;
    change->said.json = args->json;
    change->said.dry_run = cli_flag(args, "--dry-run");
    return change;
}

static int run_choice(struct change *change, by_uuid_fn by_uuid, failed_each_cb each)
{
    bool all = cli_flag(change->args, "--all");
    int exit_code;

    if (change->said.dry_run) {
        begin_dry_run(change);
        exit_code = all ? change_all(change, count_each) : change_ids(change, count_uuid);
    } else {
        exit_code = all ? change_all(change, each) : change_ids(change, by_uuid);
    }
    tell(change);
    if (change->late > 0)
        output_note("%" PRId64 " of these jobs ha%s a retryUntil that is past: a worker "
                    "fails such a job without running it",
                    change->late, change->late == 1 ? "s" : "ve");
    return exit_code;
}

static bool count_quietly(void *arg, const struct fail_record *record)
{
    struct change *change = arg;

    (void)record;
    change->done++;
    return go_on(change);
}

/* The question names the number, so it has to be counted first. -1: not agreed. */
static int ask_first(struct change *change, struct err *err)
{
    bool yes = cli_flag(change->args, "--yes");
    char *question = NULL;
    bool agreed;

    if (change->said.dry_run)
        return 0;
    if (!yes && output_can_ask()) {
        if (failed_filter_walk(&change->filter, change->session.failed,
                               FAILED_NEWEST_FIRST, FAILED_SUMMARY, count_quietly, change,
                               err) != 0)
            return -1;
        question = must_format("Remove %" PRId64 " failed job%s for good?", change->done,
                               change->done == 1 ? "" : "s");
        change->done = 0;
    }
    agreed = output_agreed(question, yes, err);
    free(question);
    return agreed ? 0 : -1;
}

/* ---- retry and forget ---- */

/* Reads what ids or filters say, and runs `choice` with an open session. */
static int run_filtered(const struct cli_args *args, const char *verb,
                        int (*choice)(struct change *change))
{
    struct change *change = create_change(args, verb);
    struct err err = {0};
    int exit_code;

    if (failed_filter_read(&change->filter, args, clock_wall_ms(), &err) != 0 ||
        check_choice(change, &err) != 0) {
        exit_code = cli_fail(&err);
    } else {
        exit_code = cli_session_open(&change->session, args);
        if (exit_code == EXIT_DONE)
            exit_code = choice(change);
        cli_session_close(&change->session);
    }
    free(change);
    return exit_code;
}

static int retry_choice(struct change *change)
{
    return run_choice(change, retry_uuid, retry_each);
}

static int run_retry(const struct cli_args *args)
{
    return run_filtered(args, "retried", retry_choice);
}

static const struct cli_option retry_options[] = {
    {"--all", NULL, "all failed jobs, or those that the filters let through"},
    FAILED_FILTER_OPTIONS,
    {"--dry-run", NULL, "only say which jobs, and how many"},
    {NULL, NULL, NULL}};

const struct cli_command cmd_failed_retry = {
    .words = "failed retry",
    .operands = "ID..|--all",
    .summary = "Put failed jobs back on their queues, with attempts 0",
    .examples = "drover failed retry 9f3a\n"
                "drover failed retry --all --queue high --since 2h --dry-run\n"
                "drover failed retry --all --job 'App\\Jobs\\Mail*'",
    .operand_max = SIZE_MAX,
    .options = retry_options,
    .run = run_retry};

static int forget_choice(struct change *change)
{
    struct err err = {0};

    if (cli_flag(change->args, "--all") && ask_first(change, &err) != 0)
        return cli_fail(&err);
    return run_choice(change, forget_uuid, forget_each);
}

static int run_forget(const struct cli_args *args)
{
    return run_filtered(args, "removed", forget_choice);
}

static const struct cli_option forget_options[] = {
    {"--all", NULL, "all failed jobs, or those that the filters let through"},
    FAILED_FILTER_OPTIONS,
    {"--dry-run", NULL, "only say which jobs, and how many"},
    {"--yes", NULL, "do not ask"},
    {NULL, NULL, NULL}};

const struct cli_command cmd_failed_forget = {
    .words = "failed forget",
    .operands = "ID..|--all",
    .summary = "Remove failed jobs for good",
    .examples = "drover failed forget 9f3a 77b0\n"
                "drover failed forget --all --queue low --before 7d --dry-run",
    .operand_max = SIZE_MAX,
    .options = forget_options,
    .run = run_forget};

/* ---- flush and prune ---- */

static bool tell_progress(void *arg, int64_t removed)
{
    struct change *change = arg;

    change->done = removed;
    return go_on(change);
}

static int prune(struct change *change)
{
    struct err err = {0};
    int64_t removed;
    int rc;

    if (change->said.dry_run)
        return change_all(change, count_quietly);
    interrupt_watch();
    progress_begin(&change->progress, change->said.verb, 0);
    rc = failed_store_prune(change->session.failed, change->filter.before_ms,
                            tell_progress, change, &removed, &err);
    progress_end(&change->progress);
    change->done = removed;
    if (rc != 0)
        return cli_fail(&err);
    return interrupt_seen() ? EXIT_ERROR : EXIT_DONE;
}

/* The dry run of these counts only: all or "older than" needs no list. */
static int run_prune_session(struct change *change,
                             int (*allow)(struct change *change, struct err *err))
{
    struct err err = {0};
    int exit_code = cli_session_open(&change->session, change->args);

    if (exit_code != EXIT_DONE)
        return exit_code;
    if (allow && allow(change, &err) != 0) {
        exit_code = cli_fail(&err);
    } else {
        exit_code = prune(change);
        output_change(&change->said, change->done);
    }
    cli_session_close(&change->session);
    return exit_code;
}

static int run_flush(const struct cli_args *args)
{
    struct change *change = create_change(args, "removed");
    int exit_code = run_prune_session(change, ask_first);

    free(change);
    return exit_code;
}

static const struct cli_option flush_options[] = {
    {"--dry-run", NULL, "only say how many jobs would go"},
    {"--yes", NULL, "do not ask"},
    {NULL, NULL, NULL}};

const struct cli_command cmd_failed_flush = {.words = "failed flush",
                                             .summary = "Remove all failed jobs for good",
                                             .examples = "drover failed flush --dry-run\n"
                                                         "drover failed flush --yes",
                                             .options = flush_options,
                                             .run = run_flush};

static int run_prune(const struct cli_args *args)
{
    struct change *change = create_change(args, "removed");
    const char *before = cli_value(args, "--before");
    struct err err = {0};
    int exit_code, rc;

    if (before == NULL)
        rc = err_set(&err, ERR_USAGE, "failed prune needs --before, like 30d");
    else
        rc = when_parse(before, clock_wall_ms(), &change->filter.before_ms, &err);
    exit_code = rc == 0 ? run_prune_session(change, NULL) : cli_fail(&err);
    free(change);
    return exit_code;
}

static const struct cli_option prune_options[] = {
    {"--before", "WHEN", "failed before: 30d (ago), 2026-11-01, a time of RFC 3339"},
    {"--dry-run", NULL, "only say how many jobs would go"},
    {NULL, NULL, NULL}};

const struct cli_command cmd_failed_prune = {
    .words = "failed prune",
    .summary = "Remove old failed jobs for good; made for a timer",
    .examples = "drover failed prune --before 30d\n"
                "drover failed prune --before 2026-11-01 --dry-run",
    .options = prune_options,
    .run = run_prune};
