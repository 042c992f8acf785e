/* The table of leases: a small hash table, sized once for the worker's concurrency.
 *
 * It must not know about Redis. A lease is one allocation: lease, private part, bytes.
 * Payloads are outside input: the hash is keyed by a secret of this process and takes in
 * every byte, so that nobody can push jobs that all fall into one bucket.
 */
#include "queue/leases.h"

#include <stdlib.h>
#include <string.h>

#include "base/random.h"

enum { BUCKETS_MAX = 4096 };

struct whole_lease {
    struct lease lease;
    struct lease_private priv;
    char bytes[];
};

/* Both halves of the product: each bit of it depends on all of `a` and `b`. */
static uint64_t fold(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)a * b;

    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t load(const char *bytes)
{
    uint64_t word;

    memcpy(&word, bytes, sizeof(word));
    return word;
}

static uint64_t hash_bytes(const uint64_t secret[3], unsigned queue, struct slice bytes)
{
    const char *at = bytes.ptr;
    uint64_t hash = secret[0] ^ queue;
    char last[16] = {0};
    size_t left = bytes.len;

    for (; left >= sizeof(last); at += sizeof(last), left -= sizeof(last))
        hash = fold(load(at) ^ secret[1], load(at + 8) ^ hash);
    if (left)
        memcpy(last, at, left);
    hash = fold(load(last) ^ secret[1], load(last + 8) ^ hash);
    return fold(hash ^ secret[2], bytes.len ^ secret[1]);
}

void leases_init(struct leases *leases, size_t expected)
{
    size_t ct = 16;

    while (ct < expected && ct < BUCKETS_MAX)
        ct *= 2;
    TAILQ_INIT(&leases->list);
    random_bytes(leases->secret, sizeof(leases->secret));
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

struct lease_key leases_key(const struct leases *leases, unsigned queue,
                            struct slice bytes)
{
    return (struct lease_key){
        .queue = queue, .bytes = bytes, .hash = hash_bytes(leases->secret, queue, bytes)};
}

struct lease_key lease_key_of(const struct lease *lease)
{
    return (struct lease_key){
        .queue = lease->queue, .bytes = lease->bytes, .hash = lease->priv->hash};
}

struct lease *lease_create(const struct lease_key *key, uint32_t tag)
{
    struct whole_lease *whole = must_realloc(NULL, sizeof(*whole) + key->bytes.len, 1);

    memset(whole, 0, sizeof(*whole));
    if (key->bytes.len)
        memcpy(whole->bytes, key->bytes.ptr, key->bytes.len);
    whole->lease.bytes = slice_of(whole->bytes, key->bytes.len);
    whole->lease.queue = key->queue;
    whole->lease.tag = tag;
    whole->lease.priv = &whole->priv;
    whole->priv.lease = &whole->lease;
    whole->priv.hash = key->hash;
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

void leases_settle(struct leases *leases, struct lease *lease)
{
    TAILQ_REMOVE(&leases->list, lease->priv, all);
    leases->ct--;
    lease->priv->state = LEASE_SETTLED;
}

void leases_remove_settled(struct lease *lease)
{
    LIST_REMOVE(lease->priv, bucket);
}

static struct lease *find(const struct leases *leases, const struct lease_key *key,
                          bool settled)
{
    struct lease_private *priv;

    LIST_FOREACH(priv, bucket_of(leases, key->hash), bucket)
    if (priv->hash == key->hash && (priv->state == LEASE_SETTLED) == settled &&
        priv->lease->queue == key->queue && slice_equal(priv->lease->bytes, key->bytes))
        return priv->lease;
    return NULL;
}

struct lease *leases_find(const struct leases *leases, const struct lease_key *key)
{
    return find(leases, key, false);
}

struct lease *leases_find_settled(const struct leases *leases,
                                  const struct lease_key *key)
{
    return find(leases, key, true);
}
