/* The proxy as a whole: the listening socket, the rules, and what is said to all links.
 * What happens within a connection is proxy_link.c's. Invariant: `links` holds those that
 * have not ended. */
#include "tests/support/proxy.h"

#include <arpa/inet.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/compat.h"
#include "queue/scripts.h"
#include "tests/support/proxy_link.h"

enum { BACKLOG = 64 };

struct rule {
    STAILQ_ENTRY(rule) next;
    struct proxy_rule rule;
    unsigned met;
};

union address {
    struct sockaddr any;
    struct sockaddr_un local;
    struct sockaddr_in ip;
};

struct proxy {
    struct loop *loop;
    struct evconnlistener *listener; /* NULL: refuses */
    union address own, target;
    unsigned accepted;
    struct proxy_defaults defaults;
    LIST_HEAD(, proxy_link) links;
    STAILQ_HEAD(, rule) rules;
};

/* ---- listening ---- */

static int connect_target(const struct proxy *proxy)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    MUST(fd >= 0);
    if (connect(fd, &proxy->target.any, sizeof(proxy->target.local)) == 0)
        return fd;
    (void)close(fd);
    return -1;
}

static void accept_client(struct evconnlistener *listener UNUSED, evutil_socket_t fd,
                          struct sockaddr *address UNUSED, int len UNUSED, void *arg)
{
    struct proxy *proxy = arg;
    struct proxy_link *link;
    int server = connect_target(proxy);

    proxy->accepted++;
    if (server < 0) {
        (void)close(fd);
        return;
    }
    link = link_open(proxy, proxy->loop, fd, server, proxy->accepted, &proxy->defaults);
    LIST_INSERT_HEAD(&proxy->links, link, next);
}

static bool is_local(const struct proxy *proxy)
{
    return proxy->own.any.sa_family == AF_UNIX;
}

void proxy_admit(struct proxy *proxy)
{
    socklen_t len = is_local(proxy) ? sizeof(proxy->own.local) : sizeof(proxy->own.ip);

    if (proxy->listener)
        return;
    if (is_local(proxy))
        (void)unlink(proxy->own.local.sun_path);
    proxy->listener = evconnlistener_new_bind(
        loop_base(proxy->loop), accept_client, proxy,
        LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_REUSEABLE, BACKLOG,
        &proxy->own.any, (int)len);
    MUST(proxy->listener != NULL);
    MUST(getsockname(evconnlistener_get_fd(proxy->listener), &proxy->own.any, &len) == 0);
}

void proxy_refuse(struct proxy *proxy)
{
    if (proxy->listener)
        evconnlistener_free(proxy->listener);
    proxy->listener = NULL;
}

unsigned proxy_port(const struct proxy *proxy)
{
    return is_local(proxy) ? 0 : ntohs(proxy->own.ip.sin_port);
}

static void set_path(union address *address, const char *path)
{
    address->local.sun_family = AF_UNIX;
    MUST(strlen(path) < sizeof(address->local.sun_path));
    (void)snprintf(address->local.sun_path, sizeof(address->local.sun_path), "%s", path);
}

struct proxy *proxy_create(struct loop *loop, const char *path, const char *target)
{
    struct proxy *proxy = must_alloc(sizeof(*proxy));

    (void)signal(SIGPIPE, SIG_IGN);
    proxy->loop = loop;
    LIST_INIT(&proxy->links);
    STAILQ_INIT(&proxy->rules);
    proxy->defaults.requests_left = proxy->defaults.answers_left = -1;
    set_path(&proxy->target, target);
    if (path) {
        set_path(&proxy->own, path);
    } else {
        proxy->own.ip.sin_family = AF_INET;
        proxy->own.ip.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    }
    proxy_admit(proxy);
    return proxy;
}

void proxy_destroy(struct proxy *proxy)
{
    if (proxy == NULL)
        return;
    proxy_refuse(proxy);
    proxy_cut(proxy, PROXY_FIN);
    proxy_forget_rules(proxy);
    free(proxy);
}

unsigned proxy_accepted(const struct proxy *proxy)
{
    return proxy->accepted;
}

/* ---- links ---- */

void proxy_free_link(struct proxy *proxy, struct proxy_link *link)
{
    LIST_REMOVE(link, next);
    loop_defer_free(proxy->loop, link, free);
}

void proxy_set(struct proxy *proxy, enum proxy_way ways, enum proxy_flow flow)
{
    struct proxy_link *link, *next;

    if (ways & PROXY_REQUESTS)
        proxy->defaults.requests = flow;
    if (ways & PROXY_ANSWERS)
        proxy->defaults.answers = flow;
    LIST_FOREACH_SAFE(link, &proxy->links, next, next)
    proxy_link_set(link, ways, flow);
}

void proxy_cut_after(struct proxy *proxy, enum proxy_way ways, int64_t bytes,
                     enum proxy_end end)
{
    struct proxy_link *link;

    proxy->defaults.end = end;
    if (ways & PROXY_REQUESTS)
        proxy->defaults.requests_left = bytes < 0 ? -1 : bytes;
    if (ways & PROXY_ANSWERS)
        proxy->defaults.answers_left = bytes < 0 ? -1 : bytes;
    LIST_FOREACH(link, &proxy->links, next)
    proxy_link_cut_after(link, ways, bytes, end);
}

void proxy_cut(struct proxy *proxy, enum proxy_end end)
{
    while (!LIST_EMPTY(&proxy->links))
        proxy_link_cut(LIST_FIRST(&proxy->links), end);
}

void proxy_forget(struct proxy *proxy)
{
    struct proxy_link *link;

    LIST_FOREACH(link, &proxy->links, next)
    link_forget_client(link);
}

size_t proxy_link_ct(const struct proxy *proxy)
{
    const struct proxy_link *link;
    size_t ct = 0;

    LIST_FOREACH(link, &proxy->links, next)
    ct++;
    return ct;
}

struct proxy_link *proxy_link_at(struct proxy *proxy, size_t index)
{
    struct proxy_link *link;

    LIST_FOREACH(link, &proxy->links, next)
    if (index-- == 0)
        return link;
    return NULL;
}

struct proxy_link *proxy_link_find(struct proxy *proxy, unsigned id)
{
    struct proxy_link *link;

    LIST_FOREACH(link, &proxy->links, next)
    if (link->id == id)
        return link;
    return NULL;
}

unsigned proxy_link_id(const struct proxy_link *link)
{
    return link->id;
}

pid_t proxy_link_pid(const struct proxy_link *link)
{
    return link->pid;
}

/* ---- rules ---- */

void proxy_on(struct proxy *proxy, const struct proxy_rule *rule)
{
    struct rule *copy = must_alloc(sizeof(*copy));

    copy->rule = *rule;
    STAILQ_INSERT_TAIL(&proxy->rules, copy, next);
}

void proxy_forget_rules(struct proxy *proxy)
{
    struct proxy_link *link;
    struct rule *rule;

    LIST_FOREACH(link, &proxy->links, next)
    link_forget_rules(link);
    while ((rule = STAILQ_FIRST(&proxy->rules)) != NULL) {
        STAILQ_REMOVE_HEAD(&proxy->rules, next);
        free(rule);
    }
}

static bool is_word(struct slice word, const char *text)
{
    return word.len == strlen(text) && strncasecmp(word.ptr, text, word.len) == 0;
}

static bool runs_script(const struct slice *words, size_t ct, const char *name)
{
    const struct script *script = script_named(name);

    if (ct < 2)
        return false;
    return (is_word(words[0], "EVALSHA") && slice_is(words[1], script->sha1)) ||
           (is_word(words[0], "EVAL") && slice_is(words[1], script->text));
}

static bool meets(const struct proxy_rule *rule, const struct proxy_link *link,
                  struct slice request)
{
    struct slice words[2];
    size_t ct = resp_words(request, words, ARRAY_CT(words));

    if (rule->pid && rule->pid != link->pid)
        return false;
    if (rule->command && (ct == 0 || !is_word(words[0], rule->command)))
        return false;
    if (rule->script && !runs_script(words, ct, rule->script))
        return false;
    return rule->holds == NULL ||
           memmem(request.ptr, request.len, rule->holds, strlen(rule->holds)) != NULL;
}

void proxy_take(struct proxy *proxy, const struct proxy_link *link, struct slice request,
                struct exchange *exchange)
{
    struct rule *rule;

    STAILQ_FOREACH(rule, &proxy->rules, next)
    {
        if (!meets(&rule->rule, link, request))
            continue;
        rule->met++;
        if (rule->rule.nth != 0 && rule->rule.nth != rule->met)
            continue;
        exchange->cb = rule->rule.cb;
        exchange->arg = rule->rule.arg;
        exchange->nth = rule->met;
        exchange->bytes = slice_dup(request);
        exchange->len = request.len;
        return;
    }
}
