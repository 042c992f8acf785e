/* Asking PostgreSQL and waiting for the answer, with a deadline.
 *
 * libpq's own waiting calls know no deadline and go on after a signal, so this file uses
 * those that do not wait, and poll(). What statements mean is their caller's business.
 */
#include "pg/ask.h"

#include <errno.h>
#include <libpq-fe.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "pg/target.h"

struct pg_ask {
    PGconn *conn;
    int64_t answer_ms;
    bool lost;
    struct err why; /* of a lost one */
    char sqlstate[PG_SQLSTATE_BYTES];
};

struct pg_ask_rows {
    PGresult *result;
};

/* libpq's messages have several lines, indented. */
static void take_message(const char *message, char *text, size_t size)
{
    size_t len = 0;

    for (; *message && len + 1 < size; message++) {
        bool space = *message == '\n' || *message == '\t' || *message == ' ';

        if (!space)
            text[len++] = *message;
        else if (len > 0 && text[len - 1] != ' ')
            text[len++] = ' ';
    }
    while (len > 0 && text[len - 1] == ' ')
        len--;
    text[len] = '\0';
}

/* Waits for what `events` says until `until_ms` (monotonic). */
static int wait_for(const PGconn *conn, short events, int64_t until_ms, struct err *err)
{
    struct pollfd fd = {.fd = PQsocket(conn), .events = events};
    int64_t left_ms = until_ms - clock_mono_ms();
    int rc;

    if (fd.fd < 0)
        return err_set(err, ERR_DATABASE, "the connection is closed");
    rc = left_ms > 0 ? poll(&fd, 1, left_ms > INT32_MAX ? INT32_MAX : (int)left_ms) : 0;
    if (rc > 0)
        return 0;
    if (rc < 0 && errno == EINTR)
        return err_set(err, ERR_DATABASE, "interrupted");
    if (rc < 0)
        return err_set(err, ERR_DATABASE, "cannot wait: %s", strerror(errno));
    return err_set(err, ERR_DATABASE, "no answer in time");
}

/* ---- connecting ---- */

static void drop_notice(void *arg, const char *message)
{
    (void)arg;
    (void)message;
}

/* What stands before the dsn is overruled by it, what stands behind overrules it. */
static PGconn *start_connecting(const struct postgres_endpoint *endpoint)
{
    const char *names[5] = {"fallback_application_name", "client_encoding"};
    const char *values[5] = {"drover", "UTF8"};
    size_t ct = 2;

    if (endpoint->password) {
        names[ct] = "password";
        values[ct++] = endpoint->password;
    }
    names[ct] = "dbname";
    values[ct] = endpoint->dsn;
    return PQconnectStartParams(names, values, 1);
}

static int finish_connecting(PGconn *conn, int64_t until_ms, struct err *err)
{
    PostgresPollingStatusType step = PGRES_POLLING_WRITING;
    char message[384];

    while (PQstatus(conn) != CONNECTION_BAD && step != PGRES_POLLING_OK &&
           step != PGRES_POLLING_FAILED) {
        short events = step == PGRES_POLLING_READING ? POLLIN : POLLOUT;

        if (wait_for(conn, events, until_ms, err) != 0)
            return -1;
        step = PQconnectPoll(conn);
    }
    if (step == PGRES_POLLING_OK)
        return 0;
    take_message(PQerrorMessage(conn), message, sizeof(message));
    return err_set(err, ERR_DATABASE, "%s", message);
}

struct pg_ask *pg_ask_open(const struct pg_ask_options *options, struct err *err)
{
    char *where = postgres_endpoint_text(options->endpoint);
    struct err why = {0};
    struct pg_ask *ask = must_alloc(sizeof(*ask));
    int rc = target_check_dsn(options->endpoint->dsn, &why);

    ask->answer_ms = options->answer_ms;
    if (rc == 0) {
        ask->conn = start_connecting(options->endpoint);
        MUST(ask->conn != NULL);
        (void)PQsetNoticeProcessor(ask->conn, drop_notice, NULL);
        rc = finish_connecting(ask->conn, clock_mono_ms() + options->connect_ms, &why);
    }
    if (rc == 0 && PQsetnonblocking(ask->conn, 1) != 0)
        rc = err_set(&why, ERR_DATABASE, "the connection cannot be set up");
    if (rc != 0) {
        (void)err_set(err, ERR_DATABASE, "cannot reach PostgreSQL (%s): %s", where,
                      why.text);
        pg_ask_close(ask);
        ask = NULL;
    }
    free(where);
    return ask;
}

void pg_ask_close(struct pg_ask *ask)
{
    if (ask == NULL)
        return;
    PQfinish(ask->conn);
    free(ask);
}

/* ---- asking ---- */

static int lose(struct pg_ask *ask, const char *message, struct err *err)
{
    char text[384];

    take_message(message, text, sizeof(text));
    ask->lost = true;
    (void)err_set(&ask->why, ERR_DATABASE, "PostgreSQL: %s", text);
    return err_set(err, ERR_DATABASE, "%s", ask->why.text);
}

static int send_statement(struct pg_ask *ask, const struct pg_statement *statement)
{
    size_t ct = statement->param_ct ? statement->param_ct : 1;
    const char **values = must_alloc(ct * sizeof(*values));
    int *lens = must_alloc(ct * sizeof(*lens));
    int *formats = must_alloc(ct * sizeof(*formats));
    int sent;

    for (size_t i = 0; i < statement->param_ct; i++) {
        values[i] = statement->params[i].value.ptr;
        lens[i] = (int)statement->params[i].value.len;
        formats[i] = statement->params[i].binary;
    }
    sent = PQsendQueryParams(ask->conn, statement->sql, (int)statement->param_ct, NULL,
                             values, lens, formats, 0);
    free(values);
    free(lens);
    free(formats);
    return sent ? 0 : -1;
}

static int flush(struct pg_ask *ask, int64_t until_ms, struct err *err)
{
    int left;

    while ((left = PQflush(ask->conn)) == 1) {
        if (wait_for(ask->conn, POLLIN | POLLOUT, until_ms, err) != 0)
            return -1;
        if (!PQconsumeInput(ask->conn))
            break;
    }
    return left == 0 ? 0 : err_set(err, ERR_DATABASE, "%s", PQerrorMessage(ask->conn));
}

static int receive(struct pg_ask *ask, int64_t until_ms, PGresult **last, struct err *err)
{
    PGresult *result;

    for (;;) {
        while (PQisBusy(ask->conn)) {
            if (wait_for(ask->conn, POLLIN, until_ms, err) != 0)
                return -1;
            if (!PQconsumeInput(ask->conn))
                return err_set(err, ERR_DATABASE, "%s", PQerrorMessage(ask->conn));
        }
        result = PQgetResult(ask->conn);
        if (result == NULL)
            return 0;
        PQclear(*last);
        *last = result;
    }
}

/* Whether the server refused; else the connection is at fault. */
static int judge(struct pg_ask *ask, const PGresult *result, struct err *err)
{
    ExecStatusType status = PQresultStatus(result);
    const char *state, *message;
    char text[384];

    if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK)
        return 0;
    state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    if (state == NULL || PQstatus(ask->conn) != CONNECTION_OK)
        return lose(ask, message ? message : PQerrorMessage(ask->conn), err);
    (void)snprintf(ask->sqlstate, sizeof(ask->sqlstate), "%s", state);
    take_message(message ? message : "", text, sizeof(text));
    return err_set(err, ERR_DATABASE, "PostgreSQL: SQLSTATE %s: %s", state, text);
}

struct pg_ask_rows *pg_ask_run(struct pg_ask *ask, const struct pg_statement *statement,
                               struct err *err)
{
    int64_t until_ms = clock_mono_ms() + ask->answer_ms;
    struct pg_ask_rows *rows;
    PGresult *result = NULL;
    struct err why = {0};
    int rc;

    ask->sqlstate[0] = '\0';
    if (ask->lost) {
        (void)err_set(err, ERR_DATABASE, "%s", ask->why.text);
        return NULL;
    }
    if (send_statement(ask, statement) != 0)
        rc = lose(ask, PQerrorMessage(ask->conn), err);
    else if (flush(ask, until_ms, &why) != 0 ||
             receive(ask, until_ms, &result, &why) != 0)
        rc = lose(ask, why.text, err);
    else
        rc = judge(ask, result, err);
    if (rc != 0) {
        PQclear(result);
        return NULL;
    }
    rows = must_alloc(sizeof(*rows));
    rows->result = result;
    return rows;
}

int pg_ask_do(struct pg_ask *ask, const char *sql, struct err *err)
{
    const struct pg_statement statement = {.sql = sql};
    struct pg_ask_rows *rows = pg_ask_run(ask, &statement, err);

    pg_ask_free(rows);
    return rows ? 0 : -1;
}

void pg_ask_undo(struct pg_ask *ask)
{
    struct err why;

    if (pg_ask_do(ask, "ROLLBACK", &why) != 0 && !ask->lost)
        (void)lose(ask, why.text, NULL);
}

const char *pg_ask_sqlstate(const struct pg_ask *ask)
{
    return ask->sqlstate;
}

/* ---- answers ---- */

size_t pg_ask_row_ct(const struct pg_ask_rows *rows)
{
    return (size_t)PQntuples(rows->result);
}

int64_t pg_ask_affected(const struct pg_ask_rows *rows)
{
    return strtoll(PQcmdTuples(rows->result), NULL, 10);
}

struct slice pg_ask_value(const struct pg_ask_rows *rows, size_t row, size_t column)
{
    if (PQgetisnull(rows->result, (int)row, (int)column))
        return slice_of(NULL, 0);
    return slice_of(PQgetvalue(rows->result, (int)row, (int)column),
                    (size_t)PQgetlength(rows->result, (int)row, (int)column));
}

const char *pg_ask_text(const struct pg_ask_rows *rows, size_t row, size_t column)
{
    struct slice value = pg_ask_value(rows, row, column);

    return value.ptr ? value.ptr : "";
}

int64_t pg_ask_integer(const struct pg_ask_rows *rows, size_t row, size_t column)
{
    return strtoll(pg_ask_text(rows, row, column), NULL, 10);
}

void pg_ask_free(struct pg_ask_rows *rows)
{
    if (rows == NULL)
        return;
    PQclear(rows->result);
    free(rows);
}
