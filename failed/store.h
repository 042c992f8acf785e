/* A store of failed jobs: one set of verbs, whatever keeps the records.
 *
 * Synchronous, for the command line. Every verb returns 0, or -1 with `err`; ERR_CONN
 * where Redis cannot be reached, ERR_DATABASE where PostgreSQL cannot be or refuses,
 * ERR_NO_TABLE where its table is not there, ERR_NOT_FOUND where an id is not there.
 * Removals and retries are safe to repeat: what is gone already is not counted.
 */
#ifndef FAILED_STORE_H
#define FAILED_STORE_H

#include "queue/client.h"

struct failed_store;

/* What became of a retry. */
struct failed_retry {
    bool done; /* false: the record was gone */
    bool late; /* the payload's retryUntil is past: the job will fail again, unrun */
};

/* What a kind of store provides; every row is needed. */
struct failed_store_ops {
    int (*count)(struct failed_store *store, int64_t *ct, struct err *err);
    int (*walk)(struct failed_store *store, const struct failed_walk *walk,
                failed_each_cb each, void *arg, struct err *err);
    int (*get)(struct failed_store *store, const char *uuid, failed_each_cb each,
               void *arg, struct err *err);
    int (*resolve)(struct failed_store *store, const char *prefix, char uuid[64],
                   struct err *err);
    int (*retry)(struct failed_store *store, const char *uuid, struct failed_retry *retry,
                 struct err *err);
    int (*forget)(struct failed_store *store, const char *const *uuids, size_t ct,
                  int64_t *removed, struct err *err);
    void (*close)(struct failed_store *store);
};

/* The base of every store; a kind puts it first in its own struct. */
struct failed_store {
    const struct failed_store_ops *ops;
};

struct failed_patience { /* with PostgreSQL */
    int64_t connect_ms, answer_ms;
};

/* The store that the configuration names. What is in Redis goes over `client`, which is
 * borrowed as `config` is; PostgreSQL is connected to when something is asked of it. */
struct failed_store *failed_store_open(const struct config *config, struct client *client,
                                       const struct failed_patience *patience) MUSTCHECK;

/* The store in PostgreSQL: the rows of the table, and before them the records that still
 * wait for it in Redis, marked as `waiting`. While the worker moves one it may be met
 * twice, but never be missed. */
struct failed_store *
failed_postgres_open(const struct config *config, struct client *client,
                     const struct failed_patience *patience) MUSTCHECK;

/* For `drover failed migrate`: the table of a store that is PostgreSQL's, connected; NULL
 * with `err`. Borrowed. */
struct failed_table;
struct failed_table *failed_postgres_table(struct failed_store *store,
                                           struct err *err) MUSTCHECK;

/* The store in Redis, over `client`, which is borrowed and must outlive it. */
struct failed_store *failed_redis_open(struct client *client) MUSTCHECK;
void failed_store_close(struct failed_store *store); /* NULL is fine */

int failed_store_count(struct failed_store *store, int64_t *ct,
                       struct err *err) MUSTCHECK;

/* As client_failed_walk(): constant memory, `each` stops it by returning false and may
 * use the store itself, also to remove the record it was given. */
int failed_store_walk(struct failed_store *store, const struct failed_walk *walk,
                      failed_each_cb each, void *arg, struct err *err) MUSTCHECK;

/* One whole record. */
int failed_store_get(struct failed_store *store, const char *uuid, failed_each_cb each,
                     void *arg, struct err *err) MUSTCHECK;

/* Completes a unique prefix to the uuid. */
int failed_store_resolve(struct failed_store *store, const char *prefix, char uuid[64],
                         struct err *err) MUSTCHECK;

/* Puts the job back on its queue with attempts 0 (bytes that are no payload go back as
 * they are) and drops the record, both or neither (from PostgreSQL: or the first alone,
 * where the connection breaks between the two). */
int failed_store_retry(struct failed_store *store, const char *uuid,
                       struct failed_retry *retry, struct err *err) MUSTCHECK;

int failed_store_forget(struct failed_store *store, const char *const *uuids, size_t ct,
                        int64_t *removed, struct err *err) MUSTCHECK;

/* Drops the records that failed before `before_ms` (0: all that are there at the start),
 * page by page; `each` (may be NULL) is told the number dropped so far and stops by
 * returning false. *removed is right also after -1. */
typedef bool (*failed_progress_cb)(void *arg, int64_t removed);
int failed_store_prune(struct failed_store *store, int64_t before_ms,
                       failed_progress_cb each, void *arg, int64_t *removed,
                       struct err *err) MUSTCHECK;

#endif
