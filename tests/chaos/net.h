/* The network between one host and Redis: a proxy in a process of its own, told by a pipe
 * what to do.
 */
#ifndef CHAOS_NET_H
#define CHAOS_NET_H

#include <sys/types.h>

#include "tests/chaos/plan.h"

struct net {
    pid_t pid;
    int pipe;      /* orders go in here */
    unsigned port; /* on 127.0.0.1, where the host connects to */
};

/* `target` is Redis' unix socket. Returns when the proxy listens. */
void net_start(struct net *net, const char *target);
void net_begin(struct net *net, const struct planned_fault *fault);
void net_finish(struct net *net, const struct planned_fault *fault);
void net_stop(struct net *net); /* waits for its end */

#endif
