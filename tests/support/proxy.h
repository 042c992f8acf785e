/* A proxy on the test's own loop between a client and a unix socket, to lose what a
 * network loses.
 */
#ifndef SUPPORT_PROXY_H
#define SUPPORT_PROXY_H

#include "base/loop.h"

struct proxy;

enum proxy_mode {
    PROXY_PASS,
    PROXY_DROP_ANSWERS, /* what the server says is read and thrown away */
    PROXY_DROP_ALL      /* nothing arrives anywhere; connections stay open */
};

/* Listens on `path`, connects each client to `target`. */
struct proxy *proxy_create(struct loop *loop, const char *path, const char *target);
void proxy_destroy(struct proxy *proxy);
void proxy_set(struct proxy *proxy, enum proxy_mode mode); /* of all connections */
void proxy_cut(struct proxy *proxy);                       /* closes all connections */
void proxy_forget(struct proxy *proxy); /* closes the clients' ends only, until the end */
unsigned proxy_accepted(const struct proxy *proxy); /* ever */

#endif
