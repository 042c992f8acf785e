/* Sending a batch and understanding the answers.
 *
 * Answers come in the order of the steps: for each its result and an end, and something
 * of its own for each synchronization point; steps that the server skipped have an
 * answer, too. "Committed" is believed only where COMMIT has said so and nothing was
 * refused; where the connection ends before, it is unknown, unless something was refused
 * that COMMIT cannot have survived. Where a pooler has no server for the batch it says so
 * before anything else is answered.
 *
 * libpq collects a statement's rows until it is told not to, which it can be only while
 * the next answer to come is that statement's, and nothing of it has been looked at.
 */
#include "pg/exchange.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pg/script.h"

enum {
    IDLE_LOOKS_MAX = 3,           /* ends without a result, in a row: no more is there */
    STATEMENT_MS_MAX = 2147483647 /* of statement_timeout: the server takes no more */
};

struct exchange {
    const struct pg_batch *batch;
    size_t step_ct, sync_ct;
    size_t at;      /* the step that the next result belongs to */
    bool got;       /* it has had one */
    size_t syncs;   /* points reached */
    bool committed; /* COMMIT said so */
    bool refused;   /* the batch as a whole */
    bool broken;
    bool no_server;  /* a pooler had no server for it */
    struct err lost; /* what the connection's end was told to be */
    struct pg_result *results;
    PGresult **held; /* what the results borrow from; NULL: nothing */
    struct pg_answer answer;
};

struct exchange *exchange_create(const struct pg_batch *batch)
{
    struct exchange *exchange = must_alloc(sizeof(*exchange));

    MUST(batch->ct > 0 && (!script_is_single(batch) || batch->ct == 1));
    exchange->batch = batch;
    exchange->step_ct = script_step_ct(batch);
    exchange->sync_ct = script_sync_ct(batch);
    exchange->results = must_alloc(batch->ct * sizeof(*exchange->results));
    exchange->held = must_alloc(batch->ct * sizeof(PGresult *));
    for (size_t i = 0; i < batch->ct; i++) {
        exchange->results[i].message = "";
        exchange->results[i].detail = "";
        exchange->results[i].hint = "";
    }
    return exchange;
}

void exchange_free(struct exchange *exchange)
{
    if (exchange == NULL)
        return;
    for (size_t i = 0; i < exchange->batch->ct; i++)
        PQclear(exchange->held[i]);
    free(exchange->held);
    free(exchange->results);
    free(exchange);
}

/* ---- sending ---- */

/* libpq's arrays for one statement's parameters. */
struct wire_params {
    size_t ct;
    char **values;
    int *lengths, *formats;
};

/* libpq reads a text up to its NUL. */
static char *wire_value(const struct pg_param *param)
{
    if (param->binary)
        return (char *)(uintptr_t)param->value.ptr;
    return param->value.ptr ? slice_dup(param->value) : NULL;
}

static void lay_out(struct wire_params *wire, const struct pg_param *params, size_t ct)
{
    wire->ct = ct;
    wire->values = must_alloc((ct + 1) * sizeof(*wire->values));
    wire->lengths = must_alloc((ct + 1) * sizeof(*wire->lengths));
    wire->formats = must_alloc((ct + 1) * sizeof(*wire->formats));
    for (size_t i = 0; i < ct; i++) {
        wire->values[i] = wire_value(&params[i]);
        wire->lengths[i] = (int)params[i].value.len;
        wire->formats[i] = params[i].binary;
    }
}

static void clear_away(struct wire_params *wire)
{
    for (size_t i = 0; i < wire->ct; i++)
        if (!wire->formats[i])
            free(wire->values[i]);
    free(wire->values);
    free(wire->lengths);
    free(wire->formats);
}

/* The statement that is parsed has no name: it lasts until the next one is, which with a
 * pooler, too, is in the same transaction. */
static bool send_query(PGconn *conn, const struct script_step *step)
{
    struct wire_params wire;
    const char *const *values;
    int ct = (int)step->param_ct, sent;

    if (step->parses)
        return PQsendPrepare(conn, "", step->sql, 0, NULL) == 1;
    if (step->describes)
        return PQsendDescribePrepared(conn, "") == 1;
    lay_out(&wire, step->params, step->param_ct);
    values = (const char *const *)wire.values;
    if (step->bound)
        sent = PQsendQueryPrepared(conn, "", ct, values, wire.lengths, wire.formats, 0);
    else
        sent = PQsendQueryParams(conn, step->sql, ct, NULL, values, wire.lengths,
                                 wire.formats, 0);
    clear_away(&wire);
    return sent == 1;
}

/* What comes between the last step and the end is about the last step. */
static void get_step(const struct exchange *exchange, struct script_step *step)
{
    script_step(exchange->batch,
                exchange->at < exchange->step_ct ? exchange->at : exchange->step_ct - 1,
                NULL, step);
}

/* At the time for it, of the step that is answered next. */
static void refuse_rows(const struct exchange *exchange, PGconn *conn)
{
    struct script_step step;

    get_step(exchange, &step);
    if (exchange->batch->drops_rows && step.is_statement)
        (void)PQsetSingleRowMode(conn); /* not where the server skips it */
}

static bool send_step(PGconn *conn, const struct script_step *step)
{
    return send_query(conn, step) && (!step->sync || PQpipelineSync(conn) == 1);
}

/* What each statement is told. */
static int64_t bound_ms(const struct pg_batch *batch, int64_t within_ms)
{
    int64_t ms = within_ms > 1 ? within_ms : 1;

    if (batch->statement_ms > 0 && batch->statement_ms < ms)
        ms = batch->statement_ms;
    return ms < STATEMENT_MS_MAX ? ms : STATEMENT_MS_MAX;
}

bool exchange_send(struct exchange *exchange, PGconn *conn, int64_t within_ms)
{
    char text[24];
    struct pg_param timeout = {.value = slice_of(text, 0)};
    struct script_step step;

    (void)snprintf(text, sizeof(text), "%lld",
                   (long long)bound_ms(exchange->batch, within_ms));
    timeout.value.len = strlen(text);
    for (size_t i = 0; i < exchange->step_ct; i++) {
        script_step(exchange->batch, i, &timeout, &step);
        if (!send_step(conn, &step))
            return false;
    }
    refuse_rows(exchange, conn);
    return true;
}

/* ---- answers ---- */

static const char *field_of(const PGresult *result, int which)
{
    const char *text = PQresultErrorField(result, which);

    return text ? text : "";
}

static void copy_sqlstate(char to[PG_SQLSTATE_BYTES], const PGresult *result)
{
    (void)snprintf(to, PG_SQLSTATE_BYTES, "%s", field_of(result, PG_DIAG_SQLSTATE));
}

static void say_why(struct err *why, const PGresult *result)
{
    (void)err_set(why, ERR_REPLY, "SQLSTATE %s: %s", field_of(result, PG_DIAG_SQLSTATE),
                  field_of(result, PG_DIAG_MESSAGE_PRIMARY));
}

/* How PgBouncer sends a client away that waits for a server, and so has had none for what
 * it sent. It has the same SQLSTATE for a server that broke in the middle. */
static bool is_poolers_refusal(const PGresult *result)
{
    static const char *const words[] = {"server login has been failing",
                                        "server login failed",
                                        "pgbouncer cannot connect to server"};
    const char *said = field_of(result, PG_DIAG_MESSAGE_PRIMARY);

    if (strcmp(field_of(result, PG_DIAG_SQLSTATE), "08P01") != 0)
        return false;
    for (size_t i = 0; i < ARRAY_CT(words); i++)
        if (strncmp(said, words[i], strlen(words[i])) == 0)
            return true;
    return false;
}

/* The first that is told counts; the rest are consequences. */
static void break_off(struct exchange *exchange, const PGresult *result, const char *what)
{
    exchange->broken = true;
    if (exchange->lost.code != ERR_NONE)
        return;
    exchange->no_server =
        exchange->at == 0 && exchange->syncs == 0 && is_poolers_refusal(result);
    if (field_of(result, PG_DIAG_SQLSTATE)[0])
        say_why(&exchange->lost, result);
    else
        (void)err_set(&exchange->lost, ERR_CONN, "%.*s", (int)strcspn(what, "\n"), what);
}

static void keep_result(struct exchange *exchange, size_t index, PGresult *result)
{
    struct pg_result *kept = &exchange->results[index];

    PQclear(exchange->held[index]);
    exchange->held[index] = result;
    kept->rows = (const struct pg_rows *)(const void *)result;
    kept->row_ct = (size_t)PQntuples(result);
    kept->column_ct = (size_t)PQnfields(result);
}

static void take_refusal(struct exchange *exchange, const struct script_step *step,
                         PGresult *result)
{
    struct pg_answer *answer = &exchange->answer;

    if ((exchange->batch->kind != PG_EACH || step->statement < 0) && !exchange->refused) {
        exchange->refused = true;
        say_why(&answer->why, result);
        copy_sqlstate(answer->sqlstate, result);
    }
    if (step->statement < 0) {
        PQclear(result);
        return;
    }
    struct pg_result *kept = &exchange->results[step->statement];

    keep_result(exchange, (size_t)step->statement, result);
    kept->state = PG_REFUSED;
    kept->message = field_of(result, PG_DIAG_MESSAGE_PRIMARY);
    kept->detail = field_of(result, PG_DIAG_MESSAGE_DETAIL);
    kept->hint = field_of(result, PG_DIAG_MESSAGE_HINT);
    copy_sqlstate(kept->sqlstate, result);
}

/* An error that the server did not send is libpq's word on the connection. */
static void take_error(struct exchange *exchange, const struct script_step *step,
                       PGresult *result)
{
    const char *severity = field_of(result, PG_DIAG_SEVERITY_NONLOCALIZED);

    if (field_of(result, PG_DIAG_SQLSTATE)[0] && strcmp(severity, "ERROR") == 0) {
        take_refusal(exchange, step, result);
        return;
    }
    break_off(exchange, result, PQresultErrorMessage(result));
    PQclear(result);
}

static void take_success(struct exchange *exchange, const struct script_step *step,
                         PGresult *result)
{
    bool rolled_back = strcmp(PQcmdStatus(result), "ROLLBACK") == 0;

    if (step->commits && !rolled_back)
        exchange->committed = true;
    if (step->is_statement) {
        exchange->results[step->statement].state = PG_OK;
        exchange->results[step->statement].affected =
            strtoll(PQcmdTuples(result), NULL, 10);
    }
    if (step->is_statement && !exchange->batch->drops_rows)
        keep_result(exchange, (size_t)step->statement, result);
    else
        PQclear(result);
}

/* What a statement must be that is answered so. */
static const char *stray_name(ExecStatusType status)
{
    if (status == PGRES_EMPTY_QUERY)
        return "the statement is empty";
    if (status == PGRES_COPY_IN || status == PGRES_COPY_OUT)
        return "the statement copies from or to a client, which no job is";
    return "an answer that is none to a statement";
}

static void take_result(struct exchange *exchange, PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);
    struct script_step step;

    if (status == PGRES_PIPELINE_SYNC) {
        exchange->syncs++;
        PQclear(result);
        return;
    }
    exchange->got = true;
    if (status == PGRES_SINGLE_TUPLE) {
        PQclear(result);
        return;
    }
    get_step(exchange, &step);
    if (status == PGRES_FATAL_ERROR) {
        take_error(exchange, &step, result);
    } else if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK) {
        take_success(exchange, &step, result);
    } else {
        if (status != PGRES_PIPELINE_ABORTED)
            break_off(exchange, result, stray_name(status));
        PQclear(result);
    }
}

enum exchange_state exchange_take(struct exchange *exchange, PGconn *conn)
{
    unsigned looks = 0;

    while (exchange->syncs < exchange->sync_ct && !exchange->broken && !PQisBusy(conn) &&
           looks < IDLE_LOOKS_MAX) {
        PGresult *result = PQgetResult(conn);

        if (result) {
            looks = 0;
            take_result(exchange, result);
        } else if (exchange->got) {
            exchange->got = false;
            exchange->at++;
            refuse_rows(exchange, conn);
        } else {
            looks++;
        }
    }
    if (exchange->broken)
        return EXCHANGE_BROKEN;
    return exchange->syncs == exchange->sync_ct ? EXCHANGE_COMPLETE : EXCHANGE_GOES_ON;
}

/* ---- the outcome ---- */

/* A single statement is committed by its synchronization point, a transaction by COMMIT.
 */
static bool is_committed(const struct exchange *exchange)
{
    return exchange->committed && !exchange->refused &&
           (!script_is_single(exchange->batch) || exchange->syncs == exchange->sync_ct);
}

const struct pg_answer *exchange_conclude(struct exchange *exchange, const char *lost)
{
    struct pg_answer *answer = &exchange->answer;

    answer->results = exchange->results;
    answer->ct = exchange->batch->ct;
    if (is_committed(exchange)) {
        answer->end = PG_DONE;
    } else if (exchange->refused) {
        answer->end = PG_TURNED_DOWN;
    } else if (lost == NULL && !exchange->broken) {
        answer->end = PG_TURNED_DOWN;
        (void)err_set(&answer->why, ERR_REPLY, "the server rolled back");
    } else {
        answer->end = PG_UNKNOWN;
        answer->no_server = exchange->no_server;
        if (exchange->lost.code != ERR_NONE)
            answer->why = exchange->lost;
        else
            (void)err_set(&answer->why, ERR_CONN, "%s", lost ? lost : "connection lost");
    }
    return answer;
}

struct slice pg_value(const struct pg_result *result, size_t row, size_t column)
{
    const PGresult *rows = (const PGresult *)(const void *)result->rows;

    MUST(row < result->row_ct && column < result->column_ct);
    if (PQgetisnull(rows, (int)row, (int)column))
        return slice_of(NULL, 0);
    return slice_of(PQgetvalue(rows, (int)row, (int)column),
                    (size_t)PQgetlength(rows, (int)row, (int)column));
}

static const PGresult *described(const struct pg_result *result)
{
    return (const PGresult *)(const void *)result->rows;
}

size_t pg_param_ct(const struct pg_result *result)
{
    return (size_t)PQnparams(described(result));
}

unsigned pg_param_type(const struct pg_result *result, size_t param)
{
    MUST(param < pg_param_ct(result));
    return PQparamtype(described(result), (int)param);
}
