/* A batch: sent, answered, and where need be sent again in parts.
 *
 *   sent --committed--> done, all
 *        --the wide statement refused--> the same again, a statement for each
 *        --a statement refused--> that one over, the others in parts
 *        --noted in the inbox before--> looked up --> those done, the others again
 *        --no answer to COMMIT--> with once again, else over, all
 *        --no connection--> postponed, all
 *
 * Parts are batches of their own. Invariant: a task is in one batch, and told once. Knows
 * no lease, no retries and no statement.
 */
#include "jobs/sql_batch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "jobs/sql_form.h"
#include "jobs/sql_verdict.h"
#include "pg/sqlstate.h"

enum {
    REPEATS_MAX = 20, /* runs again that made no progress by themselves */
    UNKNOWN_MAX = 3,  /* the same, before lost connections are left to the retries */
    LATE_MS = 1000,   /* the worker's word on the time comes first */
    NO_LIMIT_MS = 1000 * 1000 * 1000
};

/* How a batch is run, if not for the first time. */
struct manner {
    unsigned repeats;
    bool narrow; /* not as one statement */
    bool doubts; /* that one was refused; if all goes well now, it was at fault */
};

struct sql_batch {
    const struct sql_entry *entry;
    struct sql_task **tasks;
    size_t ct;
    struct manner manner;
    struct pg_request *request; /* NULL: answered */
    bool withdrawn;             /* before it was sent, for one that was cancelled */
    struct sql_form form;
    struct pg_statement look;
};

static void start_batch(const struct sql_entry *entry, struct sql_task *const *tasks,
                        size_t ct, const struct manner *manner);

/* ---- telling ---- */

static void tell(struct sql_batch *batch, struct sql_task *task, struct outcome *outcome,
                 const struct pg_result *refused)
{
    struct buf detail;

    task->batch = NULL;
    buf_init(&detail, 0);
    sql_describe(&detail, batch->entry->config->database, task->values.search_path.data,
                 refused);
    outcome->detail = buf_slice(&detail);
    task->done(task, outcome);
    buf_free(&detail);
}

static void tell_done(struct sql_task *task, const struct outcome *done)
{
    task->batch = NULL;
    task->done(task, done);
}

static void tell_stopped(struct sql_batch *batch, struct sql_task *task)
{
    struct outcome outcome;

    sql_task_stopped(task, &outcome);
    tell(batch, task, &outcome, NULL);
}

void sql_task_stopped(const struct sql_task *task, struct outcome *outcome)
{
    if (task->why == CANCEL_TIMEOUT) {
        outcome_init(outcome, OUTCOME_RETRY, "%s", "timed out");
        outcome->timed_out = true;
        return;
    }
    outcome_init(outcome, OUTCOME_ABANDONED, "%s",
                 task->why == CANCEL_LOST ? "stopped: the lease is lost"
                                          : "stopped: the worker is leaving");
}

/* ---- again, and in parts ---- */

/* Those that were cancelled meanwhile end here. */
static void run_part(struct sql_batch *batch, size_t from, size_t to,
                     const struct manner *manner)
{
    struct sql_task **left = must_alloc((to - from + 1) * sizeof(*left));
    size_t ct = 0;

    for (size_t i = from; i < to; i++) {
        struct sql_task *task = batch->tasks[i];

        if (task == NULL)
            continue;
        if (task->cancelled)
            tell_stopped(batch, task);
        else
            left[ct++] = task;
    }
    if (ct > 0)
        start_batch(batch->entry, left, ct, manner);
    free(left);
}

static void run_halves(struct sql_batch *batch, size_t from, size_t to,
                       const struct manner *manner)
{
    size_t middle = from + (to - from) / 2;

    run_part(batch, from, middle, manner);
    run_part(batch, middle, to, manner);
}

static void run_again(struct sql_batch *batch)
{
    run_part(batch, 0, batch->ct, &batch->manner);
}

/* The same for all that have not been told; a cancelled one was stopped instead. */
static void tell_all(struct sql_batch *batch, const struct outcome *outcome,
                     const struct pg_result *refused)
{
    for (size_t i = 0; i < batch->ct; i++) {
        struct outcome copy = *outcome;

        if (batch->tasks[i] == NULL)
            continue;
        if (batch->tasks[i]->cancelled) {
            tell_stopped(batch, batch->tasks[i]);
            continue;
        }
        if (copy.kind == OUTCOME_POSTPONE)
            copy.wait_ms = sql_database_put_off(batch->entry->database);
        tell(batch, batch->tasks[i], &copy, refused);
    }
}

/* ---- the answers ---- */

static void take_unsent(struct sql_batch *batch, const struct pg_answer *answer)
{
    struct outcome outcome;
    struct buf line;

    if (batch->withdrawn) {
        run_again(batch);
        return;
    }
    buf_init(&line, OUTCOME_REASON_BYTES - 1);
    text_escape(&line, slice_text(answer->why.text));
    outcome_init(&outcome, OUTCOME_POSTPONE, "%s", line.data ? line.data : "");
    tell_all(batch, &outcome, NULL);
    buf_free(&line);
}

static void take_unknown(struct sql_batch *batch, const struct pg_answer *answer)
{
    struct outcome outcome;
    struct buf line;

    if (batch->entry->config->once && batch->manner.repeats < UNKNOWN_MAX) {
        batch->manner.repeats++;
        run_again(batch);
        return;
    }
    buf_init(&line, OUTCOME_REASON_BYTES - 1);
    text_escape(&line, slice_text(answer->why.text));
    outcome_init(&outcome, OUTCOME_RETRY, "no answer to COMMIT, it may have worked: %s",
                 line.data ? line.data : "");
    tell_all(batch, &outcome, NULL);
    buf_free(&line);
}

static void take_found(struct sql_batch *batch, const struct pg_result *found)
{
    struct outcome done;
    size_t found_ct = 0;

    outcome_init(&done, OUTCOME_DONE, "%s", "");
    for (size_t i = 0; i < batch->ct; i++)
        for (size_t row = 0; row < found->row_ct; row++)
            if (slice_is(pg_value(found, row, 0), batch->tasks[i]->uuid)) {
                tell_done(batch->tasks[i], &done);
                batch->tasks[i] = NULL;
                found_ct++;
                break;
            }
    batch->manner.repeats++;
    /* None: two of the batch itself have the same uuid. */
    if (found_ct > 0 || batch->ct == 1)
        run_again(batch);
    else
        run_halves(batch, 0, batch->ct, &batch->manner);
}

static void free_batch(struct sql_batch *batch);

static void looked(void *arg, const struct pg_answer *answer)
{
    struct sql_batch *batch = arg;

    batch->request = NULL;
    if (sql_database_is_closing(batch->entry->database))
        ;
    else if (answer->end == PG_DONE)
        take_found(batch, &answer->results[0]);
    else if (answer->end == PG_UNSENT || answer->no_server)
        take_unsent(batch, answer);
    else
        take_unknown(batch, answer); /* runs it all again, which asks again */
    free_batch(batch);
}

static void look_into_inbox(struct sql_batch *batch)
{
    const struct pg_batch look = {
        .kind = PG_ONE, .statements = &batch->look, .ct = 1, .within_ms = LATE_MS * 30};

    batch->look = sql_form_look(&batch->form);
    batch->request = sql_database_run(batch->entry->database, &look, looked, batch);
}

static bool is_inbox(const struct sql_batch *batch, const struct pg_answer *answer)
{
    return batch->entry->config->once && answer->results[0].state == PG_REFUSED;
}

/* What is missing is the operator's to make, and no job is to suffer for it. */
static void take_no_inbox(struct sql_batch *batch, const struct pg_result *refused)
{
    struct outcome outcome;

    sql_database_no_inbox(batch->entry->database, refused->message);
    outcome_init(&outcome, OUTCOME_POSTPONE,
                 "drover_inbox cannot be written, see `drover sql migrate`: SQLSTATE %s",
                 refused->sqlstate);
    tell_all(batch, &outcome, refused);
}

static bool is_read_only(const struct sql_batch *batch)
{
    return sql_database_config(batch->entry->database)->read_only;
}

/* The refused statement's job is over, the others go on. */
static void take_bad_job(struct sql_batch *batch, size_t bad,
                         const struct pg_answer *answer)
{
    const struct pg_result *refused = &answer->results[batch->form.head_ct + bad];
    struct outcome outcome;

    sql_outcome_refused(&outcome, answer, refused, is_read_only(batch));
    tell(batch, batch->tasks[bad], &outcome, refused);
    batch->tasks[bad] = NULL;
    run_part(batch, 0, bad, &batch->manner);
    run_halves(batch, bad + 1, batch->ct, &batch->manner);
}

/* It does not say whose values they were. */
static void take_bad_wide(struct sql_batch *batch, const struct pg_answer *answer)
{
    batch->manner.narrow = true;
    batch->manner.doubts = sqlstate_judge(answer->sqlstate) == SQLSTATE_DATA;
    run_again(batch);
}

static void take_refusal(struct sql_batch *batch, const struct pg_answer *answer)
{
    bool theirs = sql_refusal_is_the_statements(answer->sqlstate, is_read_only(batch));
    struct outcome outcome;
    size_t at = 0;

    while (at < answer->ct && answer->results[at].state != PG_REFUSED)
        at++;
    batch->manner.doubts = false;
    if (theirs && at < answer->ct && at >= batch->form.head_ct && batch->form.wide) {
        take_bad_wide(batch, answer);
    } else if (theirs && at < answer->ct && at >= batch->form.head_ct) {
        take_bad_job(batch, at - batch->form.head_ct, answer);
    } else if (theirs && at == answer->ct && batch->ct > 1) { /* COMMIT itself */
        run_halves(batch, 0, batch->ct, &batch->manner);
    } else {
        sql_outcome_refused(&outcome, answer, NULL, is_read_only(batch));
        if (at < batch->form.head_ct) /* no job's doing */
            outcome.kind = OUTCOME_RETRY;
        tell_all(batch, &outcome, at < answer->ct ? &answer->results[at] : NULL);
    }
}

static bool was_stopped(const struct sql_batch *batch, const struct pg_answer *answer)
{
    if (strcmp(answer->sqlstate, "57014") != 0)
        return false;
    for (size_t i = 0; i < batch->ct; i++)
        if (batch->tasks[i]->cancelled && batch->tasks[i]->why != CANCEL_LOST)
            return true;
    return false;
}

/* False: the batch is needed still. */
static bool take_turned_down(struct sql_batch *batch, const struct pg_answer *answer)
{
    if (was_stopped(batch, answer)) {
        run_again(batch);
    } else if (is_inbox(batch, answer) && strcmp(answer->sqlstate, "23505") == 0 &&
               batch->manner.repeats < REPEATS_MAX) {
        look_into_inbox(batch);
        return false;
    } else if (is_inbox(batch, answer) && strncmp(answer->sqlstate, "42", 2) == 0) {
        take_no_inbox(batch, &answer->results[0]);
    } else {
        take_refusal(batch, answer);
    }
    return true;
}

static void take_done(struct sql_batch *batch)
{
    struct outcome done;

    outcome_init(&done, OUTCOME_DONE, "%s", "");
    if (batch->manner.doubts)
        sql_wide_doubt(batch->entry->wide);
    if (batch->entry->config->once)
        sql_database_has_inbox(batch->entry->database);
    for (size_t i = 0; i < batch->ct; i++)
        tell_done(batch->tasks[i], &done);
}

static void answered(void *arg, const struct pg_answer *answer)
{
    struct sql_batch *batch = arg;

    batch->request = NULL;
    if (!sql_database_is_closing(batch->entry->database)) {
        switch (answer->end) {
        case PG_DONE:
            take_done(batch);
            break;
        case PG_UNSENT:
            take_unsent(batch, answer);
            break;
        case PG_UNKNOWN:
            if (answer->no_server)
                take_unsent(batch, answer);
            else
                take_unknown(batch, answer);
            break;
        case PG_TURNED_DOWN:
            if (!take_turned_down(batch, answer))
                return;
            break;
        }
    }
    free_batch(batch);
}

/* ---- the start ---- */

static void free_batch(struct sql_batch *batch)
{
    sql_form_free(batch->entry, &batch->form);
    free(batch->tasks);
    free(batch);
}

/* What the hastiest of them has left. */
static int64_t left_ms(const struct sql_batch *batch)
{
    int64_t least = INT64_MAX, left;

    for (size_t i = 0; i < batch->ct; i++)
        if (batch->tasks[i]->deadline_ms < least)
            least = batch->tasks[i]->deadline_ms;
    if (least == INT64_MAX)
        return NO_LIMIT_MS;
    left = least - clock_mono_ms();
    return left > 1 ? left : 1;
}

/* In company a statement has half the time, so that one that waits for a lock leaves the
 * others time to be run without it. */
static void send_batch(struct sql_batch *batch)
{
    int64_t left = left_ms(batch);
    const struct pg_batch send = {.kind = PG_ALL,
                                  .statements = batch->form.statements,
                                  .ct = batch->form.head_ct + batch->form.body_ct,
                                  .same_ct = batch->form.body_ct,
                                  .drops_rows = true,
                                  .statement_ms =
                                      batch->ct > 1 && left > 1 ? left / 2 : left,
                                  .within_ms = left + LATE_MS};

    batch->request = sql_database_run(batch->entry->database, &send, answered, batch);
}

static void start_batch(const struct sql_entry *entry, struct sql_task *const *tasks,
                        size_t ct, const struct manner *manner)
{
    struct sql_batch *batch = must_alloc(sizeof(*batch));

    batch->entry = entry;
    batch->tasks = must_alloc(ct * sizeof(struct sql_task *));
    batch->ct = ct;
    batch->manner = *manner;
    memcpy(batch->tasks, tasks, ct * sizeof(struct sql_task *));
    for (size_t i = 0; i < ct; i++)
        tasks[i]->batch = batch;
    sql_form_write(&batch->form, entry, batch->tasks, ct, manner->narrow);
    send_batch(batch);
    if (ct > 1)
        sql_wide_look(entry->wide);
}

void sql_batch_run(const struct sql_entry *entry, struct sql_task *const *tasks,
                   size_t ct)
{
    start_batch(entry, tasks, ct, &(const struct manner){0});
}

void sql_task_cancel(struct sql_task *task, enum cancel_reason why)
{
    struct sql_batch *batch = task->batch;

    if (!task->cancelled || why == CANCEL_LOST)
        task->why = why;
    task->cancelled = true;
    if (batch == NULL || batch->request == NULL)
        return;
    batch->withdrawn = batch->withdrawn || pg_request_is_waiting(batch->request);
    if (batch->withdrawn || why != CANCEL_LOST)
        pg_request_cancel(batch->request);
}
