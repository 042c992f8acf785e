/* The table of leases: a small hash table, sized once for the worker's concurrency.
 *
 * It must not know about Redis. A lease is one allocation: lease, private part, bytes.
 */
#include "queue/leases.h"

#include <stdlib.h>
#include <string.h>

enum { HASH_ENDS_BYTES = 256, BUCKETS_MAX = 4096 };

struct whole_lease {
    struct lease lease;
    struct lease_private priv;
    char bytes[];
};

static uint64_t hash_add(uint64_t hash, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ (unsigned char)bytes[i]) * 0x100000001b3u;
    return hash;
}

/* Length and both ends tell payloads apart well enough (uuid first, id last); the bytes
 * are compared anyway. */
static uint64_t hash_bytes(unsigned queue, struct slice bytes)
{
    size_t end = bytes.len < HASH_ENDS_BYTES ? bytes.len : HASH_ENDS_BYTES;
    uint64_t hash = 0xcbf29ce484222325u ^ bytes.len ^ ((uint64_t)queue << 48);

    hash = hash_add(hash, bytes.ptr, end);
    return hash_add(hash, bytes.ptr + bytes.len - end, end);
}

void leases_init(struct leases *leases, size_t expected)
{
    size_t ct = 16;

    while (ct < expected && ct < BUCKETS_MAX)
        ct *= 2;
    TAILQ_INIT(&leases->list);
    leases->buckets = must_alloc(ct * sizeof(*leases->buckets));
    leases->bucket_ct = ct;
    leases->ct = 0;
}

void leases_free(struct leases *leases)
{
    struct lease_private *priv;

    while ((priv = TAILQ_FIRST(&leases->list)) != NULL) {
        leases_remove(leases, priv->lease);
        lease_free(priv->lease);
    }
    free(leases->buckets);
    leases->buckets = NULL;
}

struct lease *lease_create(unsigned queue, struct slice bytes, uint32_t tag)
{
    struct whole_lease *whole = must_alloc(sizeof(*whole) + bytes.len);

    if (bytes.len)
        memcpy(whole->bytes, bytes.ptr, bytes.len);
    whole->lease.bytes = slice_of(whole->bytes, bytes.len);
    whole->lease.queue = queue;
    whole->lease.tag = tag;
    whole->lease.priv = &whole->priv;
    whole->priv.lease = &whole->lease;
    whole->priv.hash = hash_bytes(queue, whole->lease.bytes);
    return &whole->lease;
}

void lease_free(struct lease *lease)
{
    if (lease == NULL)
        return;
    free(lease->crash_note);
    free(lease);
}

static struct lease_bucket *bucket_of(const struct leases *leases, uint64_t hash)
{
    return &leases->buckets[(hash ^ (hash >> 32)) & (leases->bucket_ct - 1)];
}

void leases_add(struct leases *leases, struct lease *lease)
{
    LIST_INSERT_HEAD(bucket_of(leases, lease->priv->hash), lease->priv, bucket);
    TAILQ_INSERT_TAIL(&leases->list, lease->priv, all);
    leases->ct++;
}

void leases_remove(struct leases *leases, struct lease *lease)
{
    LIST_REMOVE(lease->priv, bucket);
    TAILQ_REMOVE(&leases->list, lease->priv, all);
    leases->ct--;
}

struct lease *leases_find(const struct leases *leases, unsigned queue, struct slice bytes)
{
    uint64_t hash = hash_bytes(queue, bytes);
    struct lease_private *priv;

    LIST_FOREACH(priv, bucket_of(leases, hash), bucket)
    if (priv->hash == hash && priv->lease->queue == queue &&
        slice_equal(priv->lease->bytes, bytes))
        return priv->lease;
    return NULL;
}
