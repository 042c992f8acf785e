/* One connection to Redis, on hiredis.
 *
 * hiredis frees a context by itself after a failed connect and after a disconnect, and
 * must not be told to inside those two callbacks; inside a reply's callback it puts
 * redisAsyncFree() off until that has returned. So a context is let go of (`data` =
 * NULL) before anything else happens, and callbacks of a context without `data` do
 * nothing. Who waits for an answer is kept here, not in hiredis, and told before
 * on_down.
 */
#include "queue/conn.h"

#include <fcntl.h>
#include <hiredis/async.h>
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/resolve.h"
#include "queue/attach.h"

enum conn_state {
    CONN_CLOSED,
    CONN_RESOLVING,
    CONN_CONNECTING,
    CONN_GREETING,
    CONN_UP,
    CONN_FAILING /* `why` is told from the loop */
};

struct pending {
    STAILQ_ENTRY(pending) next;
    conn_reply_cb cb;
    void *arg;
    int64_t within_ms;
    int64_t deadline_ms;
};

struct conn {
    struct conn_options options;
    char *name;
    enum conn_state state;
    redisAsyncContext *ac; /* NULL: no socket */
    struct resolve *resolve;
    struct resolved found;
    unsigned at;        /* index of the address being tried */
    struct timer timer; /* until up: of the whole attempt; then: of the oldest command */
    STAILQ_HEAD(, pending) pending;
    size_t unread; /* bytes of an unfinished reply when the timer last looked */
    int64_t id;
    struct err why;
};

static void timer_fired(void *arg);

struct conn *conn_create(const struct conn_options *options)
{
    struct conn *conn = must_alloc(sizeof(*conn));

    conn->options = *options;
    conn->name = must_strdup(options->name);
    STAILQ_INIT(&conn->pending);
    timer_init(&conn->timer, options->loop, timer_fired, conn);
    return conn;
}

void conn_destroy(struct conn *conn)
{
    if (conn == NULL)
        return;
    conn_close(conn);
    timer_free(&conn->timer);
    free(conn->name);
    free(conn);
}

bool conn_is_up(const struct conn *conn)
{
    return conn->state == CONN_UP;
}

bool conn_is_closed(const struct conn *conn)
{
    return conn->state == CONN_CLOSED;
}

int64_t conn_id(const struct conn *conn)
{
    return conn->id;
}

/* ---- closing ---- */

static void drop_socket(struct conn *conn)
{
    redisAsyncContext *ac = conn->ac;

    if (ac == NULL)
        return;
    conn->ac = NULL;
    ac->data = NULL;
    redisAsyncFree(ac);
}

void conn_close(struct conn *conn)
{
    struct pending *pending;

    drop_socket(conn);
    resolve_cancel(conn->resolve);
    conn->resolve = NULL;
    timer_stop(&conn->timer);
    conn->state = CONN_CLOSED;
    while ((pending = STAILQ_FIRST(&conn->pending)) != NULL) {
        STAILQ_REMOVE_HEAD(&conn->pending, next);
        if (pending->cb)
            pending->cb(pending->arg, NULL);
        free(pending);
    }
}

static void fail(struct conn *conn, const char *what)
{
    struct err why;

    (void)err_set(&why, ERR_CONN, "%s", what);
    conn_close(conn);
    conn->options.on_down(conn->options.arg, &why);
}

/* For failures found inside a call of ours; `why` is set. */
static void fail_later(struct conn *conn)
{
    conn->state = CONN_FAILING;
    timer_set(&conn->timer, 0);
}

/* An unfinished reply that still grows is no reason to give up: on a slow line the same
 * big payload would never come through. */
static bool is_growing(struct conn *conn)
{
    size_t unread = conn->ac->c.reader->len;
    bool growing = unread != 0 && unread != conn->unread;

    conn->unread = unread;
    return growing;
}

static void check_oldest(struct conn *conn)
{
    struct pending *oldest = STAILQ_FIRST(&conn->pending);
    int64_t now = clock_mono_ms();
    char what[64];

    if (oldest == NULL)
        return;
    if (now >= oldest->deadline_ms) {
        if (!is_growing(conn)) {
            (void)snprintf(what, sizeof(what), "no answer within %lld ms",
                           (long long)oldest->within_ms);
            fail(conn, what);
            return;
        }
        oldest->deadline_ms = now + oldest->within_ms;
    }
    timer_set(&conn->timer, oldest->deadline_ms - now);
}

static void timer_fired(void *arg)
{
    static const char *const late[] = {
        [CONN_RESOLVING] = "host name not resolved in time",
        [CONN_CONNECTING] = "no connection in time",
        [CONN_GREETING] = "connected, but no answer in time",
    };
    struct conn *conn = arg;

    switch (conn->state) {
    case CONN_UP:
        check_oldest(conn);
        break;
    case CONN_FAILING:
        fail(conn, conn->why.text);
        break;
    case CONN_RESOLVING:
    case CONN_CONNECTING:
    case CONN_GREETING:
        fail(conn, late[conn->state]);
        break;
    case CONN_CLOSED:
        break;
    }
}

/* ---- commands ---- */

static void take_reply(redisAsyncContext *ac, void *reply, void *unused UNUSED)
{
    struct conn *conn = ac->data;
    struct pending *pending;
    conn_reply_cb cb;
    void *arg;

    if (conn == NULL || reply == NULL) /* let go of; take_end() tells the waiting */
        return;
    pending = STAILQ_FIRST(&conn->pending);
    MUST(pending != NULL);
    STAILQ_REMOVE_HEAD(&conn->pending, next);
    if (conn->state == CONN_UP && STAILQ_EMPTY(&conn->pending))
        timer_stop(&conn->timer);
    conn->unread = 0;
    cb = pending->cb;
    arg = pending->arg;
    free(pending);
    if (cb)
        cb(arg, reply);
}

static void send_bytes(struct conn *conn, const char *resp, size_t len, int64_t within_ms,
                       conn_reply_cb cb, void *arg)
{
    struct pending *pending = must_alloc(sizeof(*pending));
    bool first = STAILQ_EMPTY(&conn->pending);

    pending->cb = cb;
    pending->arg = arg;
    pending->within_ms = within_ms;
    pending->deadline_ms = clock_mono_ms() + within_ms;
    STAILQ_INSERT_TAIL(&conn->pending, pending, next);
    if (first && conn->state == CONN_UP)
        timer_set(&conn->timer, within_ms);
    if (redisAsyncFormattedCommand(conn->ac, take_reply, NULL, resp, len) != REDIS_OK) {
        (void)err_set(&conn->why, ERR_CONN, "cannot send");
        fail_later(conn);
    }
}

void conn_send(struct conn *conn, struct slice resp, int64_t within_ms, conn_reply_cb cb,
               void *arg)
{
    MUST(conn->state == CONN_UP || conn->state == CONN_FAILING);
    if (conn->state == CONN_UP) {
        send_bytes(conn, resp.ptr, resp.len, within_ms, cb, arg);
        return;
    }
    struct pending *pending = must_alloc(sizeof(*pending));

    pending->cb = cb;
    pending->arg = arg;
    STAILQ_INSERT_TAIL(&conn->pending, pending, next); /* told when the failure is */
}

static void format_words(struct buf *resp, const struct slice *argv, size_t argc)
{
    buf_init(resp, 0);
    (void)buf_addf(resp, "*%zu\r\n", argc);
    for (size_t i = 0; i < argc; i++) {
        (void)buf_addf(resp, "$%zu\r\n", argv[i].len);
        (void)buf_add(resp, argv[i].ptr, argv[i].len);
        (void)buf_add_text(resp, "\r\n");
    }
}

void conn_command(struct conn *conn, const struct slice *argv, size_t argc,
                  int64_t within_ms, conn_reply_cb cb, void *arg)
{
    struct buf resp;

    format_words(&resp, argv, argc);
    conn_send(conn, buf_slice(&resp), within_ms, cb, arg);
    buf_free(&resp);
}

/* ---- greeting ---- */

static void take_needed(void *arg, const redisReply *reply)
{
    struct conn *conn = arg;

    if (reply && reply->type == REDIS_REPLY_ERROR)
        fail(conn, reply->str);
}

/* A user without the right to CLIENT, or a server that does not know it, will do. */
static bool is_refusal(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_ERROR &&
           strncmp(reply->str, "NOPERM", strlen("NOPERM")) != 0 &&
           strncmp(reply->str, "ERR unknown", strlen("ERR unknown")) != 0;
}

static void take_nicety(void *arg, const redisReply *reply)
{
    struct conn *conn = arg;

    if (reply && is_refusal(reply))
        fail(conn, reply->str);
}

static void take_id(void *arg, const redisReply *reply)
{
    struct conn *conn = arg;

    if (reply == NULL)
        return;
    if (is_refusal(reply)) {
        fail(conn, reply->str);
        return;
    }
    conn->id = reply->type == REDIS_REPLY_INTEGER ? reply->integer : 0;
    timer_stop(&conn->timer);
    conn->state = CONN_UP;
    conn->options.on_up(conn->options.arg);
}

static void greet_with(struct conn *conn, conn_reply_cb cb, const char *a, const char *b,
                       const char *c)
{
    struct slice argv[3] = {slice_text(a), slice_text(b), slice_text(c)};
    struct buf resp;

    format_words(&resp, argv, c ? 3 : 2);
    send_bytes(conn, resp.data, resp.len, conn->options.connect_within_ms, cb, conn);
    buf_free(&resp);
}

static void greet(struct conn *conn)
{
    const struct redis_endpoint *endpoint = conn->options.endpoint;
    char db[16];

    conn->state = CONN_GREETING;
    if (endpoint->password && endpoint->username)
        greet_with(conn, take_needed, "AUTH", endpoint->username, endpoint->password);
    else if (endpoint->password)
        greet_with(conn, take_needed, "AUTH", endpoint->password, NULL);
    if (endpoint->db != 0) {
        (void)snprintf(db, sizeof(db), "%d", endpoint->db);
        greet_with(conn, take_needed, "SELECT", db, NULL);
    }
    greet_with(conn, take_nicety, "CLIENT", "SETNAME", conn->name);
    greet_with(conn, take_id, "CLIENT", "ID", NULL);
}

/* ---- connecting ---- */

static void start_socket(struct conn *conn);

static bool try_next_address(struct conn *conn)
{
    if (conn->options.endpoint->unix_path || conn->at + 1 >= conn->found.ct)
        return false;
    conn->at++;
    start_socket(conn);
    return true;
}

static void take_connect(const redisAsyncContext *const_ac, int status)
{
    struct conn *conn = const_ac->data;
    char what[sizeof(const_ac->c.errstr)];

    if (conn == NULL)
        return;
    if (status == REDIS_OK) {
        greet(conn);
        return;
    }
    (void)snprintf(what, sizeof(what), "%s", const_ac->c.errstr);
    conn->ac->data = NULL;
    conn->ac = NULL; /* hiredis frees it when this returns */
    if (!try_next_address(conn))
        fail(conn, what);
}

/* A server that takes no more clients says so and closes: where our greeting then meets a
 * broken pipe, its words are still there to be read. */
static bool read_last_words(int fd, char *words, size_t size)
{
    ssize_t len = recv(fd, words, size - 1, MSG_DONTWAIT);

    words[len > 0 ? len : 0] = '\0';
    words[strcspn(words, "\r\n")] = '\0';
    if (words[0] != '-')
        return false;
    memmove(words, words + 1, strlen(words));
    return true;
}

static void take_end(const redisAsyncContext *const_ac, int status UNUSED)
{
    struct conn *conn = const_ac->data;
    char what[sizeof(const_ac->c.errstr)];

    /* An answer for which there was no memory: another connection would get it again. In
     * another process there may be room. */
    if (const_ac->err == REDIS_ERR_OOM)
        must_have_memory(NULL);
    if (conn == NULL)
        return;
    if (conn->state != CONN_GREETING ||
        !read_last_words(const_ac->c.fd, what, sizeof(what)))
        (void)snprintf(what, sizeof(what), "%s",
                       const_ac->errstr && const_ac->errstr[0] ? const_ac->errstr
                                                               : "connection closed");
    conn->ac->data = NULL;
    conn->ac = NULL;
    fail(conn, what);
}

static redisAsyncContext *open_socket(struct conn *conn)
{
    const struct redis_endpoint *endpoint = conn->options.endpoint;

    if (endpoint->unix_path)
        return redisAsyncConnectUnix(endpoint->unix_path);
    return redisAsyncConnect(conn->found.address[conn->at], endpoint->port);
}

static void start_socket(struct conn *conn)
{
    redisAsyncContext *ac = open_socket(conn);

    conn->state = CONN_CONNECTING;
    MUST(ac != NULL);
    if (ac->err) {
        (void)err_set(&conn->why, ERR_CONN, "%s", ac->errstr);
        redisAsyncFree(ac);
        if (!try_next_address(conn))
            fail_later(conn);
        return;
    }
    (void)fcntl(ac->c.fd, F_SETFD, FD_CLOEXEC);
    if (conn->options.endpoint->unix_path == NULL)
        (void)redisEnableKeepAlive(&ac->c);
    ac->data = conn;
    conn->ac = ac;
    MUST(attach_to_loop(ac, loop_base(conn->options.loop)) == 0);
    MUST(redisAsyncSetDisconnectCallback(ac, take_end) == REDIS_OK);
    MUST(redisAsyncSetConnectCallback(ac, take_connect) == REDIS_OK);
}

static void take_addresses(void *arg, const struct resolved *found)
{
    struct conn *conn = arg;
    char what[160];

    conn->resolve = NULL;
    if (found->ct == 0) {
        (void)snprintf(what, sizeof(what), "cannot resolve %.64s: %.64s",
                       conn->options.endpoint->host, found->why);
        fail(conn, what);
        return;
    }
    conn->found = *found;
    start_socket(conn);
}

void conn_open(struct conn *conn)
{
    const struct redis_endpoint *endpoint = conn->options.endpoint;

    MUST(conn->state == CONN_CLOSED);
    conn->at = 0;
    conn->unread = 0;
    timer_set(&conn->timer, conn->options.connect_within_ms);
    if (endpoint->unix_path || resolve_is_address(endpoint->host)) {
        conn->found.ct = 1;
        (void)snprintf(conn->found.address[0], RESOLVE_TEXT_BYTES, "%s",
                       endpoint->host ? endpoint->host : "");
        start_socket(conn);
        return;
    }
    conn->state = CONN_RESOLVING;
    conn->resolve =
        resolve_start(conn->options.loop, endpoint->host, take_addresses, conn);
}
