/* What the proxy's two halves share: a link is two pipes, from client to server and back.
 */
#ifndef SUPPORT_PROXY_LINK_H
#define SUPPORT_PROXY_LINK_H

#include <sys/queue.h>

#include "tests/support/proxy.h"
#include "tests/support/resp.h"

struct bufferevent;
struct evbuffer;

/* A request that was passed on, until its answer has been. */
struct exchange {
    TAILQ_ENTRY(exchange) next;
    proxy_step_cb cb; /* NULL: no rule took it, and nothing of it is kept */
    void *arg;
    unsigned nth;
    char *bytes;
    size_t len;
};
TAILQ_HEAD(exchange_list, exchange);

struct pipe {
    struct proxy_link *link;
    enum proxy_way way;
    struct bufferevent *from, *to; /* NULL: that end is gone */
    enum proxy_flow flow;
    struct buf in;  /* what was not passed on */
    size_t scanned; /* bytes of its first message that `resp` has read */
    struct resp resp;
    bool whole;            /* the first message is all there */
    bool told;             /* and the rules know of it */
    bool running;          /* its messages are being passed on, further up the stack */
    struct evbuffer *slow; /* goes out byte by byte */
    int64_t left;          /* bytes until the cut; -1: none */
};

struct proxy_link {
    LIST_ENTRY(proxy_link) next;
    struct proxy *proxy;
    unsigned id;
    pid_t pid;
    bool raw;       /* not RESP: bytes pass as they come */
    bool forgotten; /* stays, without a client, until the proxy ends */
    bool ended;     /* about to be freed */
    enum proxy_end end;
    struct pipe requests, answers;
    struct exchange_list executing; /* in the order of their requests */
    struct exchange_list delivering;
};

struct proxy_defaults {
    enum proxy_flow requests, answers;
    int64_t requests_left, answers_left;
    enum proxy_end end;
};

struct proxy_link *link_open(struct proxy *proxy, struct loop *loop, int client,
                             int server, unsigned id,
                             const struct proxy_defaults *defaults);
void link_forget_client(struct proxy_link *link);
void link_forget_rules(struct proxy_link *link);

/* proxy.c */
/* Fills `exchange` where a rule takes the request. */
void proxy_take(struct proxy *proxy, const struct proxy_link *link, struct slice request,
                struct exchange *exchange);
void proxy_free_link(struct proxy *proxy, struct proxy_link *link); /* at turn's end */

#endif
