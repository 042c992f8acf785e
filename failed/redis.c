/* Failed jobs kept in Redis, beside the queues: the client's verbs under the store's
 * names, and what a payload needs before it runs again.
 */
#include "failed/store.h"

#include <stdlib.h>
#include <string.h>

#include "failed/again.h"

struct redis_store {
    struct failed_store base;
    struct client *client; /* borrowed */
};

static struct client *client_of(struct failed_store *store)
{
    return ((struct redis_store *)store)->client;
}

static int count_records(struct failed_store *store, int64_t *ct, struct err *err)
{
    return client_failed_count(client_of(store), ct, err);
}

static int walk_records(struct failed_store *store, const struct failed_walk *walk,
                        failed_each_cb each, void *arg, struct err *err)
{
    return client_failed_walk(client_of(store), walk, each, arg, err);
}

static int get_record(struct failed_store *store, const char *uuid, failed_each_cb each,
                      void *arg, struct err *err)
{
    return client_failed_get(client_of(store), uuid, each, arg, err);
}

static int resolve_uuid(struct failed_store *store, const char *prefix, char uuid[64],
                        struct err *err)
{
    return client_failed_resolve(client_of(store), prefix, uuid, err);
}

static int forget_records(struct failed_store *store, const char *const *uuids, size_t ct,
                          int64_t *removed, struct err *err)
{
    return client_failed_forget(client_of(store), uuids, ct, removed, err);
}

/* ---- retry ---- */

struct again {
    struct buf payload;
    char *queue;
    bool complete; /* the record has what a retry needs */
    bool late;
};

static bool take_payload(void *arg, const struct fail_record *record)
{
    struct again *again = arg;

    again->queue = must_strdup(record->queue);
    again->complete = record->queue[0] != '\0' && record->payload.ptr != NULL;
    if (again->complete)
        failed_again(record->payload, &again->payload, &again->late);
    return true;
}

static int retry_record(struct failed_store *store, const char *uuid,
                        struct failed_retry *retry, struct err *err)
{
    struct client *client = client_of(store);
    struct err missing = {0};
    struct again again = {0};
    int rc;

    buf_init(&again.payload, 0);
    rc = client_failed_get(client, uuid, take_payload, &again, &missing);
    if (rc == 0 && !again.complete)
        rc = err_set(err, ERR_BAD_INPUT, "the record of %s lacks its queue or payload",
                     uuid);
    else if (rc == 0)
        rc = client_failed_retry(client, uuid, again.queue, buf_slice(&again.payload),
                                 &retry->done, err);
    else if (missing.code == ERR_NOT_FOUND)
        rc = 0; /* somebody else has it: done stays false */
    else
        err_set(err, missing.code, "%s", missing.text);
    retry->late = retry->done && again.late;
    buf_free(&again.payload);
    free(again.queue);
    return rc;
}

static void close_store(struct failed_store *store)
{
    free(store);
}

static const struct failed_store_ops redis_ops = {
    .count = count_records,
    .walk = walk_records,
    .get = get_record,
    .resolve = resolve_uuid,
    .retry = retry_record,
    .forget = forget_records,
    .close = close_store,
};

struct failed_store *failed_redis_open(struct client *client)
{
    struct redis_store *store = must_alloc(sizeof(*store));

    store->base.ops = &redis_ops;
    store->client = client;
    return &store->base;
}
