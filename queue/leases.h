/* The leases of a worker, those it holds and those whose verdict is under way, found by
 * what lies in Redis: queue and bytes.
 */
#ifndef QUEUE_LEASES_H
#define QUEUE_LEASES_H

#include "queue/queue.h"

/* Where a lease is on its way. */
enum lease_state {
    LEASE_ARRIVED, /* reserved, not yet handed to the worker */
    LEASE_OUT,     /* the worker's */
    LEASE_LOST,    /* no longer ours in Redis; on_lost() told or about to be */
    LEASE_SETTLED  /* given back, verdict under way: no longer in the list */
};

struct settle;

/* What a lease is known by. */
struct lease_key {
    unsigned queue;
    struct slice bytes;
    uint64_t hash; /* of both; means something in one table only */
};

struct lease_private {
    TAILQ_ENTRY(lease_private) all; /* of the table */
    LIST_ENTRY(lease_private) bucket;
    struct lease *lease;
    uint64_t hash;
    enum lease_state state;
    bool told;              /* on_lost() was called */
    bool alone;             /* queue_alone() was called */
    bool recheck;           /* ARRIVED: handed over if the next extension finds it ours */
    uint64_t batch;         /* ARRIVED: what it came with, 0 while something holds it */
    size_t place;           /* ARRIVED: its place in the question about crashes */
    struct lease **blocker; /* ARRIVED: where what holds it keeps it; NULL: nowhere */
    struct lease *again;    /* LOST: the same bytes, reserved anew, wait for forgetting */
    struct settle *settle;  /* SETTLED: its verdict */
    uint64_t extend_id;     /* the extension it is part of, and its place there */
    size_t extend_place;
};

TAILQ_HEAD(lease_list, lease_private);
LIST_HEAD(lease_bucket, lease_private);

struct leases {
    struct lease_list list; /* those held, in order of reservation */
    size_t ct;              /* of the list */
    struct lease_bucket *buckets;
    size_t bucket_ct;   /* a power of two */
    uint64_t secret[3]; /* of the hash: who pushes jobs cannot aim at a bucket */
};

void leases_init(struct leases *leases, size_t expected);
void leases_free(struct leases *leases); /* frees the leases in it, too */

struct lease_key leases_key(const struct leases *leases, unsigned queue,
                            struct slice bytes); /* borrows the bytes */
struct lease_key lease_key_of(const struct lease *lease);

/* A new lease with a copy of the key's bytes, in no table. */
struct lease *lease_create(const struct lease_key *key, uint32_t tag) MUSTCHECK;
void lease_free(struct lease *lease); /* NULL is fine; must be in no table */

void leases_add(struct leases *leases, struct lease *lease);
void leases_remove(struct leases *leases, struct lease *lease);
/* From held to settled: out of the list, and found by leases_find_settled() alone. */
void leases_settle(struct leases *leases, struct lease *lease);
void leases_remove_settled(struct lease *lease);

/* NULL: none */
struct lease *leases_find(const struct leases *leases, const struct lease_key *key);
struct lease *leases_find_settled(const struct leases *leases,
                                  const struct lease_key *key);

#endif
