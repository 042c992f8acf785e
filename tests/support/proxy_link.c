/* One connection through the proxy. It knows bytes, messages and steps, not which of them
 * matter: rules do. Invariant: while `ended` is false the pipes' ends are open or NULL,
 * and `executing` has one entry for each request that the server got and has not
 * answered. */
#include "tests/support/proxy_link.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <stdlib.h>
#include <sys/socket.h>

/* ---- the end ---- */

static void free_exchanges(struct exchange_list *list)
{
    struct exchange *exchange;

    while ((exchange = TAILQ_FIRST(list)) != NULL) {
        TAILQ_REMOVE(list, exchange, next);
        free(exchange->bytes);
        free(exchange);
    }
}

static void close_end(struct bufferevent *end, enum proxy_end how)
{
    const struct linger reset = {.l_onoff = 1, .l_linger = 0};

    if (end == NULL)
        return;
    if (how == PROXY_RST)
        (void)setsockopt(bufferevent_getfd(end), SOL_SOCKET, SO_LINGER, &reset,
                         sizeof(reset));
    bufferevent_free(end);
}

void proxy_link_cut(struct proxy_link *link, enum proxy_end end)
{
    if (link->ended)
        return;
    link->ended = true;
    close_end(link->requests.from, end);
    close_end(link->requests.to, end);
    link->requests.from = link->requests.to = NULL;
    link->answers.from = link->answers.to = NULL;
    free_exchanges(&link->executing);
    free_exchanges(&link->delivering);
    buf_free(&link->requests.in);
    buf_free(&link->answers.in);
    evbuffer_free(link->requests.slow);
    evbuffer_free(link->answers.slow);
    proxy_free_link(link->proxy, link);
}

static bool is_flushed(const struct pipe *pipe)
{
    return evbuffer_get_length(pipe->slow) == 0 &&
           (pipe->to == NULL ||
            evbuffer_get_length(bufferevent_get_output(pipe->to)) == 0);
}

/* An end that went takes the link with it once what it sent has been passed on. */
static void end_if_done(struct pipe *pipe)
{
    bool is_over = pipe->from == NULL && (pipe->flow != PROXY_HOLD || pipe->in.len == 0);

    if (pipe->link->ended || pipe->link->forgotten)
        return;
    if ((is_over || pipe->left == 0) && is_flushed(pipe))
        proxy_link_cut(pipe->link, pipe->link->end);
}

static void close_client(struct proxy_link *link)
{
    if (link->requests.from)
        bufferevent_free(link->requests.from);
    link->requests.from = link->answers.to = NULL;
}

void link_forget_client(struct proxy_link *link)
{
    link->forgotten = true;
    close_client(link);
}

static void take_event(struct bufferevent *end, short what, void *arg)
{
    struct proxy_link *link = arg;
    bool is_client = end == link->requests.from;

    if (!(what & (BEV_EVENT_EOF | BEV_EVENT_ERROR)))
        return;
    if (is_client) {
        close_client(link);
    } else {
        bufferevent_free(end);
        link->requests.to = link->answers.from = NULL;
    }
    end_if_done(is_client ? &link->requests : &link->answers);
}

/* ---- steps ---- */

static void tell(struct proxy_link *link, const struct exchange *exchange,
                 enum proxy_step step, struct slice answer)
{
    struct proxy_request request = {.link = link,
                                    .nth = exchange->nth,
                                    .bytes = slice_of(exchange->bytes, exchange->len),
                                    .answer = answer};

    if (exchange->cb)
        exchange->cb(exchange->arg, step, &request);
}

static void tell_delivered(struct proxy_link *link)
{
    struct exchange *exchange;

    while (!link->ended && (exchange = TAILQ_FIRST(&link->delivering)) != NULL) {
        TAILQ_REMOVE(&link->delivering, exchange, next);
        tell(link, exchange, PROXY_DELIVERED, slice_of(NULL, 0));
        free(exchange->bytes);
        free(exchange);
    }
}

void link_forget_rules(struct proxy_link *link)
{
    struct exchange *exchange;

    TAILQ_FOREACH(exchange, &link->executing, next)
    exchange->cb = NULL;
    free_exchanges(&link->delivering);
}

/* The message at the head of the pipe is whole, and nobody was told of it. */
static void tell_message(struct pipe *pipe, struct slice message)
{
    struct proxy_link *link = pipe->link;
    struct exchange *exchange;

    if (pipe->way == PROXY_REQUESTS) {
        exchange = must_alloc(sizeof(*exchange));
        proxy_take(link->proxy, link, message, exchange);
        TAILQ_INSERT_TAIL(&link->executing, exchange, next);
        tell(link, exchange, PROXY_ASKED, slice_of(NULL, 0));
    } else if ((exchange = TAILQ_FIRST(&link->executing)) != NULL) {
        tell(link, exchange, PROXY_EXECUTED, message);
    }
}

/* ---- passing on ---- */

static void send_slowly(struct pipe *pipe)
{
    char c;

    if (pipe->to && evbuffer_remove(pipe->slow, &c, 1) == 1)
        (void)bufferevent_write(pipe->to, &c, 1);
}

static void pass_bytes(struct pipe *pipe, struct slice bytes)
{
    if (pipe->to == NULL)
        return;
    if (pipe->left >= 0 && (int64_t)bytes.len > pipe->left)
        bytes.len = (size_t)pipe->left;
    if (pipe->left >= 0)
        pipe->left -= (int64_t)bytes.len;
    if (pipe->flow == PROXY_TRICKLE || evbuffer_get_length(pipe->slow) > 0) {
        (void)evbuffer_add(pipe->slow, bytes.ptr, bytes.len);
        if (evbuffer_get_length(bufferevent_get_output(pipe->to)) == 0)
            send_slowly(pipe);
    } else {
        (void)bufferevent_write(pipe->to, bytes.ptr, bytes.len);
    }
}

static void take_written(struct bufferevent *end, void *arg)
{
    struct proxy_link *link = arg;
    struct pipe *pipe = end == link->answers.to ? &link->answers : &link->requests;

    if (evbuffer_get_length(pipe->slow) > 0) {
        send_slowly(pipe);
        return;
    }
    if (pipe->way == PROXY_ANSWERS)
        tell_delivered(link);
    end_if_done(pipe);
}

/* An answer takes its request off the list. */
static void account_for(struct pipe *pipe, bool passed)
{
    struct proxy_link *link = pipe->link;
    struct exchange *exchange;

    if (pipe->way == PROXY_ANSWERS) {
        exchange = TAILQ_FIRST(&link->executing);
        if (exchange == NULL)
            return;
        TAILQ_REMOVE(&link->executing, exchange, next);
        if (passed && exchange->cb && pipe->to) {
            TAILQ_INSERT_TAIL(&link->delivering, exchange, next);
            return;
        }
    } else {
        if (passed)
            return;
        exchange = TAILQ_LAST(&link->executing, exchange_list);
        TAILQ_REMOVE(&link->executing, exchange, next);
    }
    free(exchange->bytes);
    free(exchange);
}

/* False: the message waits. */
static bool handle_message(struct pipe *pipe, struct slice message)
{
    bool passed;

    if (pipe->flow != PROXY_HOLD && !pipe->told) {
        pipe->told = true;
        tell_message(pipe, message);
    }
    if (pipe->link->ended || pipe->flow == PROXY_HOLD)
        return false;
    passed = pipe->flow != PROXY_LOSE && pipe->flow != PROXY_LOSE_ONE;
    if (passed)
        pass_bytes(pipe, message);
    else if (pipe->flow == PROXY_LOSE_ONE)
        pipe->flow = PROXY_PASS;
    account_for(pipe, passed);
    return true;
}

static void run_raw(struct pipe *pipe)
{
    if (pipe->flow == PROXY_HOLD)
        return;
    if (pipe->flow != PROXY_LOSE && pipe->in.len > 0)
        pass_bytes(pipe, buf_slice(&pipe->in));
    buf_clear(&pipe->in);
}

/* Looks for the end of the first message from `begin` on. */
static bool find_message(struct pipe *pipe, size_t begin)
{
    size_t at = begin + pipe->scanned;
    ssize_t n;

    if (pipe->whole)
        return true;
    n = resp_read(&pipe->resp, slice_of(pipe->in.data + at, pipe->in.len - at),
                  &pipe->whole);
    if (n < 0)
        pipe->link->raw = true;
    else
        pipe->scanned += (size_t)n;
    return pipe->whole;
}

static void run_pipe(struct pipe *pipe)
{
    struct proxy_link *link = pipe->link;
    size_t begin = 0;

    if (pipe->running) /* a callback lets go of what it is told of */
        return;
    pipe->running = true;
    while (begin < pipe->in.len && !link->raw && find_message(pipe, begin)) {
        if (!handle_message(pipe, slice_of(pipe->in.data + begin, pipe->scanned)))
            break;
        begin += pipe->scanned;
        pipe->scanned = 0;
        pipe->whole = pipe->told = false;
    }
    pipe->running = false;
    if (link->ended)
        return;
    buf_drop_front(&pipe->in, begin);
    if (link->raw)
        run_raw(pipe);
    end_if_done(pipe);
}

static void take_bytes(struct bufferevent *end, void *arg)
{
    struct proxy_link *link = arg;
    struct pipe *pipe = end == link->requests.from ? &link->requests : &link->answers;
    struct evbuffer *input = bufferevent_get_input(end);
    size_t len = evbuffer_get_length(input);

    (void)buf_add(&pipe->in, evbuffer_pullup(input, -1), len);
    (void)evbuffer_drain(input, len);
    run_pipe(pipe);
}

/* ---- setting ---- */

static void set_pipe(struct pipe *pipe, enum proxy_flow flow)
{
    bool was_held = pipe->flow == PROXY_HOLD;

    pipe->flow = flow;
    if (was_held && flow != PROXY_HOLD)
        run_pipe(pipe);
}

void proxy_link_set(struct proxy_link *link, enum proxy_way ways, enum proxy_flow flow)
{
    if (!link->ended && (ways & PROXY_REQUESTS))
        set_pipe(&link->requests, flow);
    if (!link->ended && (ways & PROXY_ANSWERS))
        set_pipe(&link->answers, flow);
}

void proxy_link_cut_after(struct proxy_link *link, enum proxy_way ways, int64_t bytes,
                          enum proxy_end end)
{
    link->end = end;
    if (ways & PROXY_REQUESTS)
        link->requests.left = bytes < 0 ? -1 : bytes;
    if (ways & PROXY_ANSWERS)
        link->answers.left = bytes < 0 ? -1 : bytes;
}

/* ---- the beginning ---- */

static pid_t peer_of(int fd)
{
    struct ucred peer = {.pid = 0};
    socklen_t len = sizeof(peer);

    (void)getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len);
    return peer.pid;
}

static struct bufferevent *open_end(struct proxy_link *link, struct loop *loop, int fd)
{
    struct bufferevent *end =
        bufferevent_socket_new(loop_base(loop), fd, BEV_OPT_CLOSE_ON_FREE);

    MUST(end != NULL);
    bufferevent_setcb(end, take_bytes, take_written, take_event, link);
    (void)bufferevent_enable(end, EV_READ | EV_WRITE);
    return end;
}

static void open_pipe(struct pipe *pipe, struct proxy_link *link, enum proxy_way way,
                      enum proxy_flow flow, int64_t left)
{
    pipe->link = link;
    pipe->way = way;
    pipe->flow = flow;
    pipe->left = left;
    buf_init(&pipe->in, 0);
    pipe->slow = evbuffer_new();
    MUST(pipe->slow != NULL);
}

struct proxy_link *link_open(struct proxy *proxy, struct loop *loop, int client,
                             int server, unsigned id,
                             const struct proxy_defaults *defaults)
{
    struct proxy_link *link = must_alloc(sizeof(*link));

    link->proxy = proxy;
    link->id = id;
    link->end = defaults->end;
    link->pid = peer_of(client);
    TAILQ_INIT(&link->executing);
    TAILQ_INIT(&link->delivering);
    open_pipe(&link->requests, link, PROXY_REQUESTS, defaults->requests,
              defaults->requests_left);
    open_pipe(&link->answers, link, PROXY_ANSWERS, defaults->answers,
              defaults->answers_left);
    link->requests.from = link->answers.to = open_end(link, loop, client);
    link->requests.to = link->answers.from = open_end(link, loop, server);
    return link;
}
