/* Looking up a host's addresses on the event loop.
 *
 * A resolver is made for each lookup, so that resolv.conf and hosts are read as they are
 * now, and freed once the answer is there and the stack has unwound. A cancelled lookup
 * keeps itself alive until then, without its owner.
 */
#include "base/resolve.h"

#include <arpa/inet.h>
#include <event2/dns.h>
#include <event2/util.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

struct resolve {
    struct loop *loop;
    struct evdns_base *dns;
    struct timer later; /* carries the result out of evdns' stack */
    struct resolved found;
    resolve_cb done; /* NULL: cancelled */
    void *arg;
};

bool resolve_is_address(const char *host)
{
    unsigned char address[sizeof(struct in6_addr)];

    return inet_pton(AF_INET, host, address) == 1 ||
           inet_pton(AF_INET6, host, address) == 1;
}

static void free_resolve(void *ptr)
{
    struct resolve *resolve = ptr;

    timer_free(&resolve->later);
    if (resolve->dns)
        evdns_base_free(resolve->dns, 0);
    free(resolve);
}

static void deliver(void *arg)
{
    struct resolve *resolve = arg;

    if (resolve->done)
        resolve->done(resolve->arg, &resolve->found);
    loop_defer_free(resolve->loop, resolve, free_resolve);
}

static void keep_address(struct resolved *found, const struct evutil_addrinfo *ai)
{
    char *text = found->address[found->ct];
    const void *bits = NULL;

    if (ai->ai_family == AF_INET)
        bits = &((const struct sockaddr_in *)(const void *)ai->ai_addr)->sin_addr;
    else if (ai->ai_family == AF_INET6)
        bits = &((const struct sockaddr_in6 *)(const void *)ai->ai_addr)->sin6_addr;
    if (bits && inet_ntop(ai->ai_family, bits, text, RESOLVE_TEXT_BYTES))
        found->ct++;
}

static void take_answer(int rc, struct evutil_addrinfo *list, void *arg)
{
    struct resolve *resolve = arg;

    if (rc != 0)
        resolve->found.why = evutil_gai_strerror(rc);
    for (const struct evutil_addrinfo *ai = list; ai && resolve->found.ct < RESOLVE_MAX;
         ai = ai->ai_next)
        keep_address(&resolve->found, ai);
    if (list)
        evutil_freeaddrinfo(list);
    if (resolve->found.ct == 0 && resolve->found.why == NULL)
        resolve->found.why = "no address";
    timer_set(&resolve->later, 0);
}

struct resolve *resolve_start(struct loop *loop, const char *host, resolve_cb done,
                              void *arg)
{
    static const struct evutil_addrinfo hints = {.ai_family = AF_UNSPEC,
                                                 .ai_socktype = SOCK_STREAM};
    struct resolve *resolve = must_alloc(sizeof(*resolve));

    resolve->loop = loop;
    resolve->done = done;
    resolve->arg = arg;
    timer_init(&resolve->later, loop, deliver, resolve);
    resolve->dns = evdns_base_new(loop_base(loop), EVDNS_BASE_INITIALIZE_NAMESERVERS |
                                                       EVDNS_BASE_DISABLE_WHEN_INACTIVE);
    if (resolve->dns) {
        (void)evdns_getaddrinfo(resolve->dns, host, NULL, &hints, take_answer, resolve);
    } else {
        resolve->found.why = "no resolver: /etc/resolv.conf cannot be used";
        timer_set(&resolve->later, 0);
    }
    return resolve;
}

void resolve_cancel(struct resolve *resolve)
{
    if (resolve)
        resolve->done = NULL;
}
