/* Looking up a host's addresses on the event loop.
 *
 * A resolver is made for each lookup, so that resolv.conf and hosts are read as they are
 * now, and freed once the answer is there and the stack has unwound. A cancelled lookup
 * keeps itself alive, without its owner, until libevent has told that it is off.
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
    struct evdns_getaddrinfo_request *request; /* NULL: answered */
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

static void keep_answer(struct resolved *found, int rc,
                        const struct evutil_addrinfo *list)
{
    if (rc != 0)
        found->why = evutil_gai_strerror(rc);
    for (const struct evutil_addrinfo *ai = list; ai && found->ct < RESOLVE_MAX;
         ai = ai->ai_next)
        keep_address(found, ai);
    if (found->ct == 0 && found->why == NULL)
        found->why = "no address";
}

/* Comes for a cancelled lookup too. */
static void take_answer(int rc, struct evutil_addrinfo *list, void *arg)
{
    struct resolve *resolve = arg;

    resolve->request = NULL;
    if (resolve->done) {
        keep_answer(&resolve->found, rc, list);
        timer_set(&resolve->later, 0);
    } else {
        loop_had_word(resolve->loop);
        loop_defer_free(resolve->loop, resolve, free_resolve);
    }
    if (list)
        evutil_freeaddrinfo(list);
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
        resolve->request =
            evdns_getaddrinfo(resolve->dns, host, NULL, &hints, take_answer, resolve);
    } else {
        resolve->found.why = "no resolver: /etc/resolv.conf cannot be used";
        timer_set(&resolve->later, 0);
    }
    return resolve;
}

void resolve_cancel(struct resolve *resolve)
{
    if (resolve == NULL)
        return;
    resolve->done = NULL;
    if (resolve->request) {
        loop_await_word(resolve->loop);
        evdns_getaddrinfo_cancel(resolve->request);
    } else {
        timer_stop(&resolve->later);
        loop_defer_free(resolve->loop, resolve, free_resolve);
    }
}
