/* What libpq itself can do: a bare program that writes the accounting entries of
 * bench/sql.sh, so many to a transaction, in pipeline mode, on a few connections at once.
 * The mark that drover's SQL jobs are held against.
 *
 *     bench/libpq DSN ROWS BATCH CONNECTIONS single|multi [once]
 *
 * prints rows per second and its own CPU time per row in microseconds. "single": each row
 * is a statement, parsed once in a transaction; "multi": one statement has all the rows.
 * With "once" each transaction notes its uuids first.
 */
#include <libpq-fe.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/buf.h"
#include "base/clock.h"

enum {
    CONNECTIONS_MAX = 64,
    BATCH_MAX = 1000,
    PARAM_CT = 4,
    TEXT_BYTES = 40,
    NOTE_BYTES = 300,
    WAIT_MS = 60000
};

static const char insert_sql[] =
    "INSERT INTO entries (reference, customer, amount, note) VALUES ";

struct line {
    PGconn *conn;
    bool busy;
};

struct load {
    long rows, batch, begun;
    bool multi, once;
    char note[NOTE_BYTES + 1];
};

/* One row's values, in the order of the columns. */
struct row {
    char texts[PARAM_CT - 1][TEXT_BYTES];
};

/* Scattered as random ones are, and different from each other. */
static void write_uuid(char *text, uint64_t number)
{
    uint64_t mixed = number;

    for (int i = 0; i < 2; i++)
        mixed = (mixed ^ (mixed >> 29)) * 0xbf58476d1ce4e5b9u;
    (void)snprintf(text, TEXT_BYTES, "%08x-%04x-4%03x-8%03x-%012llx",
                   (unsigned)(mixed >> 32), (unsigned)(mixed >> 16 & 0xffff),
                   (unsigned)(mixed >> 4 & 0xfff), (unsigned)(mixed >> 8 & 0xfff),
                   (unsigned long long)number);
}

static void write_row(struct row *row, const struct load *load, long at,
                      const char **values)
{
    long number = load->begun + at;

    write_uuid(row->texts[0], (uint64_t)number);
    (void)snprintf(row->texts[1], TEXT_BYTES, "%ld", number % 1000);
    (void)snprintf(row->texts[2], TEXT_BYTES, "%ld.%02ld", number % 5000, number % 100);
    for (int i = 0; i < PARAM_CT - 1; i++)
        values[i] = row->texts[i];
    values[PARAM_CT - 1] = load->note;
}

static void send_one(PGconn *conn, const char *sql, int ct, const char *const *values)
{
    MUST(PQsendQueryParams(conn, sql, ct, NULL, values, NULL, NULL, 0) == 1);
}

static void send_uuids(PGconn *conn, const struct load *load, long ct)
{
    struct buf uuids;
    const char *value;
    char text[TEXT_BYTES];

    buf_init(&uuids, 0);
    for (long i = 0; i < ct; i++) {
        write_uuid(text, (uint64_t)(load->begun + i));
        (void)buf_addf(&uuids, "%c\"%s\"", i ? ',' : '{', text);
    }
    (void)buf_add_char(&uuids, '}');
    value = uuids.data;
    send_one(conn, "INSERT INTO drover_inbox (uuid) SELECT unnest($1::text[])", 1,
             &value);
    buf_free(&uuids);
}

static void add_tuple(struct buf *sql, long at)
{
    (void)buf_addf(sql, "%s($%ld, $%ld, $%ld, $%ld)", at ? ", " : "", at * PARAM_CT + 1,
                   at * PARAM_CT + 2, at * PARAM_CT + 3, at * PARAM_CT + 4);
}

static void send_single(PGconn *conn, const struct load *load, long ct)
{
    const char *values[PARAM_CT];
    struct row row;
    struct buf sql;

    buf_init(&sql, 0);
    (void)buf_add_text(&sql, insert_sql);
    add_tuple(&sql, 0);
    MUST(PQsendPrepare(conn, "", sql.data, 0, NULL) == 1);
    for (long i = 0; i < ct; i++) {
        write_row(&row, load, i, values);
        MUST(PQsendQueryPrepared(conn, "", PARAM_CT, values, NULL, NULL, 0) == 1);
    }
    buf_free(&sql);
}

static void send_multi(PGconn *conn, const struct load *load, long ct)
{
    static const char *values[BATCH_MAX * PARAM_CT];
    static struct row rows[BATCH_MAX];
    struct buf sql;

    buf_init(&sql, 0);
    (void)buf_add_text(&sql, insert_sql);
    for (long i = 0; i < ct; i++) {
        add_tuple(&sql, i);
        write_row(&rows[i], load, i, &values[i * PARAM_CT]);
    }
    send_one(conn, sql.data, (int)ct * PARAM_CT, values);
    buf_free(&sql);
}

static void send_transaction(struct line *line, struct load *load)
{
    long left = load->rows - load->begun;
    long ct = left < load->batch ? left : load->batch;
    PGconn *conn = line->conn;

    send_one(conn, "BEGIN", 0, NULL);
    if (load->once)
        send_uuids(conn, load, ct);
    if (load->multi)
        send_multi(conn, load, ct);
    else
        send_single(conn, load, ct);
    send_one(conn, "COMMIT", 0, NULL);
    MUST(PQpipelineSync(conn) == 1);
    MUST(PQflush(conn) >= 0);
    load->begun += ct;
    line->busy = true;
}

/* True once the transaction is over. */
static bool take_answers(struct line *line)
{
    MUST(PQflush(line->conn) >= 0 && PQconsumeInput(line->conn) == 1);
    while (line->busy && !PQisBusy(line->conn)) {
        PGresult *result = PQgetResult(line->conn);
        ExecStatusType status = PQresultStatus(result);

        if (result == NULL)
            continue;
        MUST(status == PGRES_COMMAND_OK || status == PGRES_PIPELINE_SYNC);
        line->busy = status != PGRES_PIPELINE_SYNC;
        PQclear(result);
    }
    return !line->busy;
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
        for (nfds_t i = 0; i < ct; i++)
            fds[i].events = (short)(POLLIN | (PQflush(lines[i].conn) > 0 ? POLLOUT : 0));
        MUST(poll(fds, ct, WAIT_MS) > 0);
        for (nfds_t i = 0; i < ct; i++) {
            if (fds[i].revents == 0 || !lines[i].busy || !take_answers(&lines[i]))
                continue;
            if (load->begun < load->rows)
                send_transaction(&lines[i], load);
            else
                under_way--;
        }
    }
}

static double cpu_us(void)
{
    struct rusage used;

    MUST(getrusage(RUSAGE_SELF, &used) == 0);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1e6 +
           (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
}

static void dial(struct line *line, const char *dsn)
{
    line->conn = PQconnectdb(dsn);
    MUST(PQstatus(line->conn) == CONNECTION_OK);
    MUST(PQsetnonblocking(line->conn, 1) == 0);
    MUST(PQenterPipelineMode(line->conn) == 1);
}

int main(int argc, char **argv)
{
    struct line lines[CONNECTIONS_MAX] = {0};
    struct load load = {0};
    int64_t start_us;
    double before_us, rows;
    long ct;

    if (argc < 6) {
        (void)fputs("usage: libpq DSN ROWS BATCH CONNECTIONS single|multi [once]\n",
                    stderr);
        return 2;
    }
    load.rows = strtol(argv[2], NULL, 10);
    load.batch = strtol(argv[3], NULL, 10);
    load.multi = strcmp(argv[5], "multi") == 0;
    load.once = argc > 6;
    memset(load.note, 'n', NOTE_BYTES);
    ct = strtol(argv[4], NULL, 10);
    MUST(ct > 0 && ct <= CONNECTIONS_MAX && load.batch > 0 && load.batch <= BATCH_MAX);
    for (long i = 0; i < ct; i++)
        dial(&lines[i], argv[1]);
    start_us = clock_mono_us();
    before_us = cpu_us();
    run(lines, (nfds_t)ct, &load);
    rows = (double)load.rows;
    printf("%.0f %.2f\n", rows * 1e6 / (double)(clock_mono_us() - start_us),
           (cpu_us() - before_us) / rows);
    for (long i = 0; i < ct; i++)
        PQfinish(lines[i].conn);
    return 0;
}
