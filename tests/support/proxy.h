/* A proxy between clients and a redis-server, to lose what a network loses, exactly where
 * a test says.
 *
 * It reads the protocol: requests and answers pass whole, one by one, and an answer
 * belongs to its request. So what is held or lost is always a whole message, and a rule
 * can call the test at each step of one request's life. What is not RESP passes as bytes.
 *
 * It lives on a loop and works while that turns: in a test of the queue that is the
 * world's, beside a built drover the scene's (scene_use_proxy()), which turns wherever a
 * test waits. Nothing blocks, and nothing is inherited by what is executed. A program
 * without Check may use it too: what goes wrong in the proxy itself ends the program.
 */
#ifndef SUPPORT_PROXY_H
#define SUPPORT_PROXY_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/loop.h"

struct proxy;
struct proxy_link; /* one client's connection and its connection to the server */

/* Listens on the unix socket `path`, or where that is NULL on 127.0.0.1, on a free port;
 * connects each client to the unix socket `target`. */
struct proxy *proxy_create(struct loop *loop, const char *path, const char *target);
void proxy_destroy(struct proxy *proxy); /* cuts; NULL is fine; not from a callback */
unsigned proxy_port(const struct proxy *proxy);
unsigned proxy_accepted(const struct proxy *proxy); /* connections, ever */

/* Closes the listening socket, so that connecting is refused; and opens it again, at the
 * same path or port. Connections that are there are left alone. */
void proxy_refuse(struct proxy *proxy);
void proxy_admit(struct proxy *proxy);

/* ---- what becomes of messages ---- */

enum proxy_way { PROXY_REQUESTS = 1, PROXY_ANSWERS = 2, PROXY_BOTH = 3 };

enum proxy_flow {
    PROXY_PASS,
    PROXY_HOLD,     /* kept, in order, until another flow is set */
    PROXY_LOSE,     /* read and thrown away: the connection stays open, and silent */
    PROXY_LOSE_ONE, /* the next one only; then PROXY_PASS. A client would take what comes
                       after a lost answer for it: for the last answer it waits for */
    PROXY_TRICKLE   /* byte by byte, each in a write of its own: for small messages */
};

/* RST sends a TCP client a reset; on a unix socket both are the end of the stream. */
enum proxy_end { PROXY_FIN, PROXY_RST };

/* Of all connections, and of those to come. */
void proxy_set(struct proxy *proxy, enum proxy_way ways, enum proxy_flow flow);
/* Each connection ends after so many more bytes that way, in the middle of a message if
 * that is where they end. Below 0: no more. */
void proxy_cut_after(struct proxy *proxy, enum proxy_way ways, int64_t bytes,
                     enum proxy_end end);
/* Ends all connections, at both ends; what was not passed on is lost. */
void proxy_cut(struct proxy *proxy, enum proxy_end end);
/* Closes the clients' ends only: the server learns of it when the proxy ends. */
void proxy_forget(struct proxy *proxy);

/* The same for one connection. A client that goes by itself takes the link with it as
 * soon as what it sent has been passed on: what is held then reaches the server when it
 * is let go, as a packet that was long on its way. */
void proxy_link_set(struct proxy_link *link, enum proxy_way ways, enum proxy_flow flow);
void proxy_link_cut_after(struct proxy_link *link, enum proxy_way ways, int64_t bytes,
                          enum proxy_end end);
void proxy_link_cut(struct proxy_link *link, enum proxy_end end);

/* Links that are there: a pointer is good until the loop turns. */
size_t proxy_link_ct(const struct proxy *proxy);
struct proxy_link *proxy_link_at(struct proxy *proxy, size_t index);  /* newest first */
struct proxy_link *proxy_link_find(struct proxy *proxy, unsigned id); /* NULL: gone */
unsigned proxy_link_id(const struct proxy_link *link);                /* from 1 */
pid_t proxy_link_pid(const struct proxy_link *link); /* who connected; TCP: 0 */

/* ---- at a request ---- */

enum proxy_step {
    PROXY_ASKED,    /* it came from the client, the server has not seen it */
    PROXY_EXECUTED, /* its answer came from the server, the client has not seen it */
    PROXY_DELIVERED /* its answer is with the client's kernel */
};

struct proxy_request {
    struct proxy_link *link;
    unsigned nth;        /* of those that its rule met, from 1 */
    struct slice bytes;  /* as it was sent */
    struct slice answer; /* at PROXY_EXECUTED; else absent */
};

/* Called at each step. What it sets for the link, or all, holds for this very message
 * already (the request at PROXY_ASKED, the answer at PROXY_EXECUTED): losing, holding,
 * cutting. Time stands still for all connections while it runs: it may kill a process
 * and wait until it is gone. */
typedef void (*proxy_step_cb)(void *arg, enum proxy_step step,
                              const struct proxy_request *request);

struct proxy_rule {
    const char *command; /* the first word, in any case; NULL: any */
    const char *script;  /* a script of queue/lua by name, as EVALSHA or EVAL */
    const char *holds;   /* text that is somewhere in the request */
    pid_t pid;           /* who asks; 0: anybody */
    unsigned nth;        /* the how many-th of these, from 1; 0: each */
    proxy_step_cb cb;
    void *arg;
};

/* Copied; its strings are borrowed. A request is taken by the first rule that it meets;
 * those in order of their coming. */
void proxy_on(struct proxy *proxy, const struct proxy_rule *rule);
void proxy_forget_rules(struct proxy *proxy); /* also for requests under way */

#endif
