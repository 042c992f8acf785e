/* One connection on the loop.
 *
 * libpq may change its socket whenever it is polled while connecting, so the event is
 * freed before and made anew after each poll. Failures found inside a call of ours are
 * told from the loop. Once up the connection stays in pipeline mode, and between batches
 * listens, to learn of its end.
 */
#include "pg/conn.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "pg/exchange.h"

static const char read_only_sqlstate[] = "25006";

enum { LATE_MS = 1000 }; /* what the server has to say that it gave up */

enum conn_state {
    CONN_CLOSED,
    CONN_RESOLVING,
    CONN_CONNECTING,
    CONN_READY,
    CONN_BUSY,
    CONN_FAILING /* `why` is told from the loop */
};

struct pg_conn {
    struct pg_conn_options options;
    enum conn_state state;
    struct timer timer; /* of the attempt; of the batch; or for what is told later */
    struct target_route route;
    struct resolve *resolve;
    size_t resolving_ct; /* hosts of the target looked at so far */
    size_t first;        /* host that the next attempt starts with */
    PGconn *pg;          /* NULL: none */
    bool dismissed;      /* the server has said that it ends the session */
    struct event *event;
    struct exchange *exchange; /* BUSY */
    pg_answer_cb done;
    void *arg;
    int64_t within_ms;
    bool cancelled; /* the batch; the word may reach the server late */
    int64_t ready_at_ms;
    struct err why;
};

static void timer_fired(void *arg);
static void take_event(evutil_socket_t fd, short what, void *arg);

struct pg_conn *pg_conn_create(const struct pg_conn_options *options)
{
    struct pg_conn *conn = must_alloc(sizeof(*conn));

    conn->options = *options;
    timer_init(&conn->timer, options->loop, timer_fired, conn);
    return conn;
}

void pg_conn_destroy(struct pg_conn *conn)
{
    if (conn == NULL)
        return;
    pg_conn_close(conn);
    timer_free(&conn->timer);
    free(conn);
}

bool pg_conn_is_closed(const struct pg_conn *conn)
{
    return conn->state == CONN_CLOSED;
}

bool pg_conn_is_ready(const struct pg_conn *conn)
{
    return conn->state == CONN_READY;
}

bool pg_conn_is_connecting(const struct pg_conn *conn)
{
    return conn->state == CONN_RESOLVING || conn->state == CONN_CONNECTING;
}

bool pg_conn_was_up(const struct pg_conn *conn)
{
    return conn->ready_at_ms != 0;
}

int64_t pg_conn_ready_since_ms(const struct pg_conn *conn)
{
    return conn->ready_at_ms;
}

/* ---- events ---- */

static void stop_listening(struct pg_conn *conn)
{
    if (conn->event)
        event_free(conn->event);
    conn->event = NULL;
}

static void listen_for(struct pg_conn *conn, short what)
{
    stop_listening(conn);
    conn->event = event_new(loop_base(conn->options.loop), PQsocket(conn->pg),
                            (short)(what | EV_PERSIST), take_event, conn);
    MUST(conn->event != NULL && event_add(conn->event, NULL) == 0);
}

/* ---- the end ---- */

static void end_exchange(struct pg_conn *conn, const char *lost)
{
    struct exchange *exchange = conn->exchange;

    if (exchange == NULL)
        return;
    conn->exchange = NULL;
    conn->done(conn->arg, exchange_conclude(exchange, lost));
    exchange_free(exchange);
}

static void close_for(struct pg_conn *conn, const char *why)
{
    stop_listening(conn);
    PQfinish(conn->pg);
    conn->pg = NULL;
    resolve_cancel(conn->resolve);
    conn->resolve = NULL;
    target_route_free(&conn->route);
    timer_stop(&conn->timer);
    conn->state = CONN_CLOSED;
    end_exchange(conn, why);
}

void pg_conn_close(struct pg_conn *conn)
{
    close_for(conn, "connection closed");
}

/* `what` may be libpq's, which adds lines. */
static void fail(struct pg_conn *conn, const char *what)
{
    struct err why;

    (void)err_set(&why, ERR_CONN, "%.*s", (int)strcspn(what, "\n"), what);
    close_for(conn, why.text);
    conn->options.on_down(conn->options.arg, conn, &why);
}

/* `why` is set. */
static void fail_soon(struct pg_conn *conn)
{
    stop_listening(conn);
    conn->state = CONN_FAILING;
    timer_set_soon(&conn->timer);
}

static void fail_later(struct pg_conn *conn)
{
    const char *what = PQerrorMessage(conn->pg);

    (void)err_set(&conn->why, ERR_CONN, "%.*s", (int)strcspn(what, "\n"), what);
    fail_soon(conn);
}

static void fail_late(struct pg_conn *conn)
{
    char what[64];

    (void)snprintf(what, sizeof(what), "no answer within %lld ms",
                   (long long)conn->within_ms);
    cancels_ask(conn->options.cancels, conn->pg);
    fail(conn, what);
}

static void timer_fired(void *arg)
{
    struct pg_conn *conn = arg;
    struct err why;

    switch (conn->state) {
    case CONN_RESOLVING:
        fail(conn, "host name not resolved in time");
        break;
    case CONN_CONNECTING:
        conn->first++; /* what stands still must not hide the other hosts */
        fail(conn, "no connection in time");
        break;
    case CONN_BUSY:
        fail_late(conn);
        break;
    case CONN_FAILING:
        why = conn->why;
        fail(conn, why.text);
        break;
    case CONN_CLOSED:
    case CONN_READY:
        break;
    }
}

/* ---- a batch ---- */

static void become_ready(struct pg_conn *conn)
{
    timer_stop(&conn->timer);
    conn->state = CONN_READY;
    conn->ready_at_ms = clock_mono_ms();
    listen_for(conn, EV_READ);
}

/* The next batch is sent before this one's answer is told: what is done about it may take
 * a while, and the server need not wait for that. */
static void finish_batch(struct pg_conn *conn)
{
    struct exchange *exchange = conn->exchange;
    pg_answer_cb done = conn->done;
    const struct pg_answer *answer;
    void *arg = conn->arg;

    if (PQtransactionStatus(conn->pg) != PQTRANS_IDLE) {
        fail(conn, "a transaction was left open");
        return;
    }
    answer = exchange_conclude(exchange, NULL);
    conn->exchange = NULL;
    become_ready(conn);
    if (conn->cancelled) /* or it would hit the next batch */
        fail(conn, "closed after a cancel");
    else if (strcmp(answer->sqlstate, read_only_sqlstate) == 0)
        fail(conn, "the server takes no writes");
    else
        conn->options.on_ready(conn->options.arg, conn);
    done(arg, answer); /* may be the end of the connection */
    exchange_free(exchange);
}

static bool flush(struct pg_conn *conn)
{
    int rc = PQflush(conn->pg);

    if (rc >= 0)
        listen_for(conn, rc == 1 ? EV_READ | EV_WRITE : EV_READ);
    return rc >= 0;
}

/* The server's last words may lie before the end of what can be read. */
static void turn_batch(struct pg_conn *conn, short what)
{
    bool is_up = PQconsumeInput(conn->pg) == 1;
    enum exchange_state state = exchange_take(conn->exchange, conn->pg);

    if (state == EXCHANGE_COMPLETE)
        finish_batch(conn);
    else if (state == EXCHANGE_BROKEN || !is_up)
        fail(conn, PQerrorMessage(conn->pg));
    else if ((what & EV_WRITE) && !flush(conn))
        fail(conn, PQerrorMessage(conn->pg));
}

void pg_conn_run(struct pg_conn *conn, const struct pg_batch *batch, int64_t within_ms,
                 pg_answer_cb done, void *arg)
{
    MUST(conn->state == CONN_READY);
    conn->state = CONN_BUSY;
    conn->exchange = exchange_create(batch);
    conn->done = done;
    conn->arg = arg;
    conn->within_ms = within_ms;
    conn->cancelled = false;
    timer_set(&conn->timer, within_ms + LATE_MS);
    if (!exchange_send(conn->exchange, conn->pg, within_ms) || !flush(conn))
        fail_later(conn);
}

void pg_conn_cancel(struct pg_conn *conn)
{
    if (conn->state != CONN_BUSY || conn->cancelled)
        return;
    conn->cancelled = true;
    cancels_ask(conn->options.cancels, conn->pg);
}

/* A server that ends a session says so first, and nobody has asked: libpq makes it a
 * notice. */
static void take_notice(void *arg, const PGresult *notice)
{
    struct pg_conn *conn = arg;
    const char *severity = PQresultErrorField(notice, PG_DIAG_SEVERITY_NONLOCALIZED);

    if (severity && (strcmp(severity, "FATAL") == 0 || strcmp(severity, "PANIC") == 0))
        conn->dismissed = true;
}

static bool is_alive(struct pg_conn *conn)
{
    if (PQconsumeInput(conn->pg) != 1)
        return false;
    (void)PQisBusy(conn->pg); /* reads what has come */
    return !conn->dismissed;
}

bool pg_conn_is_fresh(struct pg_conn *conn)
{
    MUST(conn->state == CONN_READY);
    if (is_alive(conn))
        return true;
    pg_conn_close(conn);
    return false;
}

static void listen_idle(struct pg_conn *conn)
{
    if (!is_alive(conn))
        fail(conn,
             conn->dismissed ? "the server ended the session" : PQerrorMessage(conn->pg));
}

/* ---- connecting ---- */

static void connected(struct pg_conn *conn)
{
    (void)PQsetNoticeReceiver(conn->pg, take_notice, conn);
    if (PQsetnonblocking(conn->pg, 1) != 0 || PQenterPipelineMode(conn->pg) != 1) {
        fail(conn, PQerrorMessage(conn->pg));
        return;
    }
    become_ready(conn);
    conn->options.on_ready(conn->options.arg, conn);
}

static void poll_connect(struct pg_conn *conn)
{
    stop_listening(conn);
    switch (PQconnectPoll(conn->pg)) {
    case PGRES_POLLING_READING:
        listen_for(conn, EV_READ);
        break;
    case PGRES_POLLING_WRITING:
        listen_for(conn, EV_WRITE);
        break;
    case PGRES_POLLING_OK:
        connected(conn);
        break;
    case PGRES_POLLING_FAILED:
    case PGRES_POLLING_ACTIVE:
    default:
        fail(conn, PQerrorMessage(conn->pg));
        break;
    }
}

static void take_event(evutil_socket_t fd UNUSED, short what, void *arg)
{
    struct pg_conn *conn = arg;

    switch (conn->state) {
    case CONN_CONNECTING:
        poll_connect(conn);
        break;
    case CONN_READY:
        listen_idle(conn);
        break;
    case CONN_BUSY:
        turn_batch(conn, what);
        break;
    case CONN_CLOSED:
    case CONN_RESOLVING:
    case CONN_FAILING:
        break;
    }
}

static void start_socket(struct pg_conn *conn)
{
    const char *keywords[TARGET_WORDS], *values[TARGET_WORDS];

    conn->state = CONN_CONNECTING;
    target_words(conn->options.target, &conn->route, keywords, values);
    conn->pg = PQconnectStartParams(keywords, values, 1);
    MUST(conn->pg != NULL);
    if (PQstatus(conn->pg) == CONNECTION_BAD)
        fail_later(conn);
    else
        listen_for(conn, EV_WRITE);
}

/* ---- names ---- */

static void look_at_hosts(struct pg_conn *conn);

static const struct target_host *host_at(const struct pg_conn *conn, size_t at)
{
    const struct target *target = conn->options.target;

    return &target->hosts[(conn->first + at) % target->host_ct];
}

static void take_addresses(void *arg, const struct resolved *found)
{
    struct pg_conn *conn = arg;
    const struct target_host *host = host_at(conn, conn->resolving_ct++);

    conn->resolve = NULL;
    for (unsigned i = 0; i < found->ct; i++)
        target_route_add(&conn->route, host, found->address[i]);
    if (found->ct == 0)
        (void)err_set(&conn->why, ERR_CONN, "cannot resolve %.64s: %.64s", host->host,
                      found->why);
    look_at_hosts(conn);
}

/* A name that cannot be resolved is one host less, as long as others are left. */
static void look_at_hosts(struct pg_conn *conn)
{
    const struct target_host *host;

    while (conn->resolving_ct < conn->options.target->host_ct) {
        host = host_at(conn, conn->resolving_ct);
        if (target_is_name(host)) {
            conn->resolve =
                resolve_start(conn->options.loop, host->host, take_addresses, conn);
            return;
        }
        target_route_add(&conn->route, host,
                         host->hostaddr[0] == '\0' && resolve_is_address(host->host)
                             ? host->host
                             : host->hostaddr);
        conn->resolving_ct++;
    }
    if (conn->route.ct > 0)
        start_socket(conn);
    else
        fail_soon(conn);
}

void pg_conn_open(struct pg_conn *conn)
{
    MUST(conn->state == CONN_CLOSED);
    conn->state = CONN_RESOLVING;
    conn->resolving_ct = 0;
    conn->ready_at_ms = 0;
    conn->dismissed = false;
    timer_set(&conn->timer, conn->options.connect_within_ms);
    look_at_hosts(conn);
}
