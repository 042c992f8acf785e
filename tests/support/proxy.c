/* Two bufferevents per connection, copying from one to the other unless told not to. */
#include "tests/support/proxy.h"

#include <check.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/un.h>

struct pair {
    LIST_ENTRY(pair) next;
    struct proxy *proxy;
    struct bufferevent *client, *server;
};

struct proxy {
    struct loop *loop;
    struct evconnlistener *listener;
    struct sockaddr_un target;
    enum proxy_mode mode;
    unsigned accepted;
    LIST_HEAD(, pair) pairs;
};

static void end_pair(struct pair *pair)
{
    LIST_REMOVE(pair, next);
    if (pair->client)
        bufferevent_free(pair->client);
    bufferevent_free(pair->server);
    free(pair);
}

static void take_request(struct bufferevent *from, void *arg)
{
    struct pair *pair = arg;

    if (pair->proxy->mode == PROXY_DROP_ALL)
        (void)evbuffer_drain(bufferevent_get_input(from), SIZE_MAX);
    else
        (void)bufferevent_write_buffer(pair->server, bufferevent_get_input(from));
}

static void take_answer(struct bufferevent *from, void *arg)
{
    struct pair *pair = arg;

    if (pair->proxy->mode != PROXY_PASS || pair->client == NULL)
        (void)evbuffer_drain(bufferevent_get_input(from), SIZE_MAX);
    else
        (void)bufferevent_write_buffer(pair->client, bufferevent_get_input(from));
}

static void take_event(struct bufferevent *from UNUSED, short what, void *arg)
{
    if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR))
        end_pair(arg);
}

static void accept_client(struct evconnlistener *listener UNUSED, evutil_socket_t fd,
                          struct sockaddr *address UNUSED, int len UNUSED, void *arg)
{
    struct proxy *proxy = arg;
    struct event_base *base = loop_base(proxy->loop);
    struct pair *pair = must_alloc(sizeof(*pair));

    proxy->accepted++;
    pair->proxy = proxy;
    pair->client = bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);
    pair->server = bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
    LIST_INSERT_HEAD(&proxy->pairs, pair, next);
    bufferevent_setcb(pair->client, take_request, NULL, take_event, pair);
    bufferevent_setcb(pair->server, take_answer, NULL, take_event, pair);
    (void)bufferevent_enable(pair->client, EV_READ | EV_WRITE);
    (void)bufferevent_enable(pair->server, EV_READ | EV_WRITE);
    (void)bufferevent_socket_connect(pair->server, (struct sockaddr *)&proxy->target,
                                     sizeof(proxy->target));
}

static struct sockaddr_un unix_address(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    ck_assert_uint_lt(strlen(path), sizeof(address.sun_path));
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    return address;
}

struct proxy *proxy_create(struct loop *loop, const char *path, const char *target)
{
    struct proxy *proxy = must_alloc(sizeof(*proxy));
    struct sockaddr_un address = unix_address(path);

    proxy->loop = loop;
    proxy->target = unix_address(target);
    LIST_INIT(&proxy->pairs);
    proxy->listener =
        evconnlistener_new_bind(loop_base(loop), accept_client, proxy,
                                LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 8,
                                (struct sockaddr *)&address, sizeof(address));
    ck_assert_ptr_nonnull(proxy->listener);
    return proxy;
}

void proxy_cut(struct proxy *proxy)
{
    while (!LIST_EMPTY(&proxy->pairs))
        end_pair(LIST_FIRST(&proxy->pairs));
}

void proxy_forget(struct proxy *proxy)
{
    struct pair *pair;

    LIST_FOREACH(pair, &proxy->pairs, next)
    {
        if (pair->client)
            bufferevent_free(pair->client);
        pair->client = NULL;
    }
}

void proxy_destroy(struct proxy *proxy)
{
    proxy_cut(proxy);
    evconnlistener_free(proxy->listener);
    free(proxy);
}

void proxy_set(struct proxy *proxy, enum proxy_mode mode)
{
    proxy->mode = mode;
}

unsigned proxy_accepted(const struct proxy *proxy)
{
    return proxy->accepted;
}
