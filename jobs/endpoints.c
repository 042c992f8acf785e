/* Endpoints by name: a hash with chains. Payloads may choose hosts, so their number is
 * bounded.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/compat.h"
#include "base/must.h"
#include "jobs/http_target.h"

enum { CHAIN_CT = 256 };

struct entry {
    LIST_ENTRY(entry) link;
    struct endpoint endpoint;
    char name[];
};

struct endpoints {
    LIST_HEAD(, entry) chains[CHAIN_CT];
    size_t ct;
    struct endpoint shared; /* of those there is no room for */
};

struct endpoints *endpoints_create(void)
{
    struct endpoints *endpoints = must_alloc(sizeof(*endpoints));

    endpoint_init(&endpoints->shared);
    return endpoints;
}

static size_t chain_of(const char *name)
{
    uint32_t hash = 2166136261U; /* FNV-1a */

    for (; *name; name++)
        hash = (hash ^ (unsigned char)*name) * 16777619U;
    return hash % CHAIN_CT;
}

static void drop(struct endpoints *endpoints, struct entry *entry)
{
    LIST_REMOVE(entry, link);
    free(entry);
    endpoints->ct--;
}

static void forget_idle(struct endpoints *endpoints, bool all)
{
    for (size_t i = 0; i < CHAIN_CT; i++) {
        struct entry *entry = LIST_FIRST(&endpoints->chains[i]), *next;

        for (; entry != NULL; entry = next) {
            next = LIST_NEXT(entry, link);
            if (all || endpoint_is_idle(&entry->endpoint))
                drop(endpoints, entry);
        }
    }
}

static struct endpoint *add(struct endpoints *endpoints, const char *name)
{
    size_t bytes = strlen(name) + 1;
    struct entry *entry = must_alloc(sizeof(*entry) + bytes);

    memcpy(entry->name, name, bytes);
    endpoint_init(&entry->endpoint);
    LIST_INSERT_HEAD(&endpoints->chains[chain_of(name)], entry, link);
    endpoints->ct++;
    return &entry->endpoint;
}

struct endpoint *endpoints_get(struct endpoints *endpoints, const char *name)
{
    struct entry *entry;

    LIST_FOREACH(entry, &endpoints->chains[chain_of(name)], link)
    if (strcmp(entry->name, name) == 0)
        return &entry->endpoint;
    if (endpoints->ct == ENDPOINTS_MAX)
        forget_idle(endpoints, false);
    if (endpoints->ct == ENDPOINTS_MAX)
        return &endpoints->shared;
    return add(endpoints, name);
}

void endpoints_each_open(const struct endpoints *endpoints, endpoint_each_cb each,
                         void *arg)
{
    const struct entry *entry;

    for (size_t i = 0; i < CHAIN_CT; i++)
        LIST_FOREACH(entry, &endpoints->chains[i], link)
    if (entry->endpoint.open_ms > 0)
        each(arg, entry->name, &entry->endpoint);
}

void endpoints_destroy(struct endpoints *endpoints)
{
    if (endpoints == NULL)
        return;
    forget_idle(endpoints, true);
    free(endpoints);
}
