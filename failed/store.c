/* The verbs of every failed store, and those that are made of others.
 *
 * Which store it is stays behind the table of operations; nothing here knows Redis.
 */
#include "failed/store.h"

#include <stdlib.h>
#include <string.h>

struct failed_store *failed_store_open(const struct config *config, struct client *client,
                                       const struct failed_patience *patience)
{
    if (config->failed.store == FAILED_IN_POSTGRES)
        return failed_postgres_open(config, client, patience);
    return failed_redis_open(client);
}

void failed_store_close(struct failed_store *store)
{
    if (store)
        store->ops->close(store);
}

int failed_store_count(struct failed_store *store, int64_t *ct, struct err *err)
{
    return store->ops->count(store, ct, err);
}

int failed_store_walk(struct failed_store *store, const struct failed_walk *walk,
                      failed_each_cb each, void *arg, struct err *err)
{
    return store->ops->walk(store, walk, each, arg, err);
}

int failed_store_get(struct failed_store *store, const char *uuid, failed_each_cb each,
                     void *arg, struct err *err)
{
    return store->ops->get(store, uuid, each, arg, err);
}

int failed_store_resolve(struct failed_store *store, const char *prefix, char uuid[64],
                         struct err *err)
{
    return store->ops->resolve(store, prefix, uuid, err);
}

int failed_store_retry(struct failed_store *store, const char *uuid,
                       struct failed_retry *retry, struct err *err)
{
    *retry = (struct failed_retry){0};
    return store->ops->retry(store, uuid, retry, err);
}

int failed_store_forget(struct failed_store *store, const char *const *uuids, size_t ct,
                        int64_t *removed, struct err *err)
{
    return store->ops->forget(store, uuids, ct, removed, err);
}

/* ---- prune: a walk that forgets what it meets, in batches ---- */

enum { PRUNE_BATCH = 500 };

struct prune {
    struct failed_store *store;
    failed_progress_cb each;
    void *arg;
    int64_t *removed;
    struct err *err;
    char uuids[PRUNE_BATCH][sizeof(((struct fail_record *)NULL)->uuid)];
    size_t ct;
    int rc;
};

static bool forget_batch(struct prune *prune)
{
    const char *uuids[PRUNE_BATCH];
    size_t ct = prune->ct;

    for (size_t i = 0; i < ct; i++)
        uuids[i] = prune->uuids[i];
    prune->ct = 0;
    prune->rc = failed_store_forget(prune->store, uuids, ct, prune->removed, prune->err);
    return prune->rc == 0 &&
           (prune->each == NULL || prune->each(prune->arg, *prune->removed));
}

static bool add_to_batch(void *arg, const struct fail_record *record)
{
    struct prune *prune = arg;

    memcpy(prune->uuids[prune->ct++], record->uuid, sizeof(record->uuid));
    return prune->ct < PRUNE_BATCH || forget_batch(prune);
}

/* Newest first, so that what fails meanwhile is not met. */
int failed_store_prune(struct failed_store *store, int64_t before_ms,
                       failed_progress_cb each, void *arg, int64_t *removed,
                       struct err *err)
{
    const struct failed_walk walk = {.before_ms = before_ms, .fields = FAILED_SUMMARY};
    struct prune *prune = must_alloc(sizeof(*prune));
    int rc;

    *removed = 0;
    prune->store = store;
    prune->each = each;
    prune->arg = arg;
    prune->removed = removed;
    prune->err = err;
    rc = failed_store_walk(store, &walk, add_to_batch, prune, err);
    if (prune->rc != 0)
        rc = prune->rc;
    if (rc == 0 && prune->ct > 0) {
        forget_batch(prune);
        rc = prune->rc;
    }
    free(prune);
    return rc;
}
