/* What libpq itself can do: a bare program that sends the transactions that drover would,
 * row after row in pipeline mode, parsed once, on a few connections at once. The mark
 * that drover's SQL jobs are held against.
 *
 *     bench/libpq DSN ROWS BATCH CONNECTIONS [once]     prints rows per second
 *
 * With "once" each transaction notes its uuids first.
 */
#include <libpq-fe.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"

enum { CONNECTIONS_MAX = 64, WAIT_MS = 10000 };

static const char insert_sql[] =
    "INSERT INTO bench_rows (customer, note) VALUES ($1, $2)";

struct line {
    PGconn *conn;
    long expected; /* results that are still to come; 0: idle */
    long syncs;
};

struct load {
    long rows, batch, begun;
    bool once;
};

static void send_one(PGconn *conn, const char *sql, int ct, const char *const *values)
{
    MUST(PQsendQueryParams(conn, sql, ct, NULL, values, NULL, NULL, 0) == 1);
}

static void send_uuids(PGconn *conn, const struct load *load, long ct)
{
    struct buf uuids;
    const char *value;

    buf_init(&uuids, 0);
    for (long i = 0; i < ct; i++)
        (void)buf_addf(&uuids, "%c\"%08lx-0b3a-41d4-850c-f93781ac74c3\"", i ? ',' : '{',
                       load->begun + i);
    (void)buf_add_char(&uuids, '}');
    value = uuids.data;
    send_one(conn, "INSERT INTO drover_inbox (uuid) SELECT unnest($1::text[])", 1,
             &value);
    buf_free(&uuids);
}

static void send_transaction(struct line *line, struct load *load)
{
    static const char *const timeout = "60000";
    long ct =
        load->rows - load->begun < load->batch ? load->rows - load->begun : load->batch;
    PGconn *conn = line->conn;
    char number[24];
    const char *values[2] = {number, "a note of some length, as they are"};

    send_one(conn, "BEGIN", 0, NULL);
    send_one(conn, "SELECT set_config('statement_timeout', $1, true)", 1, &timeout);
    if (load->once)
        send_uuids(conn, load, ct);
    MUST(PQsendPrepare(conn, "", insert_sql, 0, NULL) == 1);
    for (long i = 0; i < ct; i++) {
        (void)snprintf(number, sizeof(number), "%ld", load->begun + i);
        MUST(PQsendQueryPrepared(conn, "", 2, values, NULL, NULL, 0) == 1);
    }
    MUST(PQpipelineSync(conn) == 1);
    send_one(conn, "COMMIT", 0, NULL);
    MUST(PQpipelineSync(conn) == 1);
    MUST(PQflush(conn) >= 0);
    load->begun += ct;
    line->syncs = 2;
}

/* True once the transaction is over. */
static bool take_answers(struct line *line)
{
    MUST(PQflush(line->conn) >= 0 && PQconsumeInput(line->conn) == 1);
    while (line->syncs > 0 && !PQisBusy(line->conn)) {
        PGresult *result = PQgetResult(line->conn);
        ExecStatusType status = PQresultStatus(result);

        if (result == NULL)
            continue;
        MUST(status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK ||
             status == PGRES_PIPELINE_SYNC);
        line->syncs -= status == PGRES_PIPELINE_SYNC;
        PQclear(result);
    }
    return line->syncs == 0;
}

static void run(struct line *lines, nfds_t ct, struct load *load)
{
    struct pollfd fds[CONNECTIONS_MAX];
    long under_way = 0;

    for (nfds_t i = 0; i < ct; i++) {
        fds[i] = (struct pollfd){.fd = PQsocket(lines[i].conn), .events = POLLIN};
        if (load->begun < load->rows) {
            send_transaction(&lines[i], load);
            under_way++;
        }
    }
    while (under_way > 0) {
        MUST(poll(fds, ct, WAIT_MS) > 0);
        for (nfds_t i = 0; i < ct; i++) {
            if (fds[i].revents == 0 || lines[i].syncs == 0 || !take_answers(&lines[i]))
                continue;
            if (load->begun < load->rows)
                send_transaction(&lines[i], load);
            else
                under_way--;
        }
    }
}

int main(int argc, char **argv)
{
    struct line lines[CONNECTIONS_MAX] = {0};
    struct load load = {0};
    int64_t start_us;
    long ct;

    if (argc < 5) {
        (void)fputs("usage: libpq DSN ROWS BATCH CONNECTIONS [once]\n", stderr);
        return 2;
    }
    load.rows = strtol(argv[2], NULL, 10);
    load.batch = strtol(argv[3], NULL, 10);
    load.once = argc > 5;
    ct = strtol(argv[4], NULL, 10);
    MUST(ct > 0 && ct <= CONNECTIONS_MAX && load.batch > 0);
    for (long i = 0; i < ct; i++) {
        lines[i].conn = PQconnectdb(argv[1]);
        MUST(PQstatus(lines[i].conn) == CONNECTION_OK);
        MUST(PQsetnonblocking(lines[i].conn, 1) == 0);
        MUST(PQenterPipelineMode(lines[i].conn) == 1);
    }
    start_us = clock_mono_us();
    run(lines, (nfds_t)ct, &load);
    printf("%.0f\n", (double)load.rows * 1e6 / (double)(clock_mono_us() - start_us));
    for (long i = 0; i < ct; i++)
        PQfinish(lines[i].conn);
    return 0;
}
