/* The names of everything drover keeps in Redis. Laravel's layout (RedisQueue, 8.x
 * to 13.x) for queues, `<prefix>drover:` for our own. The one place that spells a key.
 */
#ifndef QUEUE_KEYS_H
#define QUEUE_KEYS_H

#include "base/buf.h"

enum { LAYOUT_VERSION = 1 };

/* The four keys of a queue; each string is owned. */
struct queue_keys {
    char *ready;    /* <prefix>queues:Q            list, RPUSH in, LPOP out */
    char *delayed;  /* <prefix>queues:Q:delayed    zset, score = unix second when due */
    char *reserved; /* <prefix>queues:Q:reserved   zset, score = expiry second + tag /
                       2^20 */
    char *notify;   /* <prefix>queues:Q:notify     list of wake-up tokens */
};

/* Our own keys; each string is owned. */
struct own_keys {
    char *version; /* string: LAYOUT_VERSION of who wrote first */
    char *tag;     /* string: the last owner tag given out */
    char *open;    /* set of tags that may reserve */
    char *beats;   /* hash tag -> heartbeat counter; its fields are the live tags */
    char *owners;  /* hash tag -> what the tag may hold: its queues' names, one a line */
    char *crashes; /* hash job key -> "count note" */
    char *twins;   /* string: counter for pads */
    char *failed;  /* zset of failed uuids, score = failed_at in milliseconds */
    char *outbox;  /* the same of those that wait for PostgreSQL */
    char *paused;  /* zset of queues, or *: nothing is taken from; score = since when */
    char *notes;   /* "<prefix>drover:notes:", the uuid follows: how earlier attempts
                      ended, a line each; they expire */
    char *failed_record; /* "<prefix>drover:failed:", the uuid follows */
    char *import; /* "<prefix>drover:import:", the source follows: zset of marks, score =
                     the row's id; and with ":token" behind it the token that counts */
};

void queue_keys_init(struct queue_keys *keys, const char *prefix, const char *queue);
void queue_keys_free(struct queue_keys *keys);

/* What follows "<prefix>queues:" in one of a queue's keys, as the queue's name. */
struct slice queue_keys_name(struct slice rest);

void own_keys_init(struct own_keys *keys, const char *prefix);
void own_keys_free(struct own_keys *keys);

#endif
