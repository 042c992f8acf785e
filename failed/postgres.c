/* Failed jobs kept in PostgreSQL: the rows of the table, and what still waits in Redis.
 *
 * A record is in Redis first, always; the worker takes it to the table. So each verb
 * looks at the outbox before the table: what is moved meanwhile is met in the second at
 * the latest. Redis alone is enough for what only concerns the outbox.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "failed/again.h"
#include "failed/raw.h"
#include "failed/store.h"
#include "failed/table.h"

struct postgres_store {
    struct failed_store base;
    struct client *client;        /* borrowed */
    struct client *outbox;        /* the same connection */
    struct failed_store *waiting; /* the records in the outbox, as a store */
    struct postgres_endpoint endpoint;
    struct failed_patience patience;
    struct failed_table table; /* ask is NULL: not connected */
    struct err why;            /* of a connect that failed: it is not tried again */
};

static struct postgres_store *store_of(struct failed_store *store)
{
    return (struct postgres_store *)store;
}

/* Which jobs are safe all the same is what one wants to know first. */
static int tell_away(struct postgres_store *store, struct err *err)
{
    int64_t ct = 0;

    if (failed_store_count(store->waiting, &ct, NULL) != 0 || ct == 0)
        return err_set(err, ERR_DATABASE, "%.400s; check failed.dsn and the server",
                       store->why.text);
    return err_set(err, ERR_DATABASE,
                   "%.400s; check failed.dsn and the server: %" PRId64
                   " failed job%s in Redis until it is back",
                   store->why.text, ct, ct == 1 ? " waits" : "s wait");
}

static struct failed_table *open_table(struct postgres_store *store, struct err *err)
{
    const struct pg_ask_options options = {.endpoint = &store->endpoint,
                                           .connect_ms = store->patience.connect_ms,
                                           .answer_ms = store->patience.answer_ms};

    if (store->table.ask == NULL && store->why.code == ERR_NONE)
        store->table.ask = pg_ask_open(&options, &store->why);
    if (store->table.ask)
        return &store->table;
    (void)tell_away(store, err);
    return NULL;
}

static int count_records(struct failed_store *base, int64_t *ct, struct err *err)
{
    struct postgres_store *store = store_of(base);
    struct failed_table *table = open_table(store, err);
    int64_t waiting = 0;

    if (table == NULL || failed_store_count(store->waiting, &waiting, err) != 0 ||
        failed_table_count(table, ct, err) != 0)
        return -1;
    *ct += waiting;
    return 0;
}

/* ---- walk ---- */

struct marking {
    failed_each_cb each;
    void *arg;
    bool stopped;
};

static bool mark_waiting(void *arg, const struct fail_record *record)
{
    struct marking *marking = arg;
    struct fail_record marked = *record;
    struct buf raw;

    buf_init(&raw, 0);
    marked.waiting = true;
    if (record->payload.ptr && failed_raw_decode(record->payload, &raw))
        marked.payload = buf_slice(&raw); /* as it is shown once it is a row */
    marking->stopped = !marking->each(marking->arg, &marked);
    buf_free(&raw);
    return !marking->stopped;
}

static int walk_records(struct failed_store *base, const struct failed_walk *walk,
                        failed_each_cb each, void *arg, struct err *err)
{
    struct postgres_store *store = store_of(base);
    struct marking marking = {.each = each, .arg = arg};
    struct failed_table *table = open_table(store, NULL);
    struct failed_moment start;
    bool bounded = false;

    /* What fails again while it is retried must not be met a second time. */
    if (table && walk->oldest_first)
        bounded = failed_table_now(table, &start, NULL) == 0;
    if (failed_store_walk(store->waiting, walk, mark_waiting, &marking, err) != 0)
        return -1;
    if (marking.stopped)
        return 0;
    table = open_table(store, err);
    return table ? failed_table_walk(table, walk, bounded ? &start : NULL, each, arg, err)
                 : -1;
}

/* ---- one record ---- */

static int get_record(struct failed_store *base, const char *uuid, failed_each_cb each,
                      void *arg, struct err *err)
{
    struct postgres_store *store = store_of(base);
    struct marking marking = {.each = each, .arg = arg};
    struct failed_table *table;
    struct err why = {0};

    if (failed_store_get(store->waiting, uuid, mark_waiting, &marking, &why) == 0)
        return 0;
    if (why.code != ERR_NOT_FOUND)
        return err_set(err, why.code, "%s", why.text);
    table = open_table(store, err);
    return table ? failed_table_get(table, uuid, each, arg, err) : -1;
}

static int resolve_uuid(struct failed_store *base, const char *prefix, char uuid[64],
                        struct err *err)
{
    struct postgres_store *store = store_of(base);
    struct failed_table *table;
    struct err why = {0};
    char rows[2][64];
    size_t ct;
    int rc = failed_store_resolve(store->waiting, prefix, uuid, &why);

    if (rc == 0 && strcmp(uuid, prefix) == 0)
        return 0;
    if (rc != 0 && why.code != ERR_NOT_FOUND && why.code != ERR_USAGE)
        return err_set(err, why.code, "%s", why.text);
    table = open_table(store, err);
    if (table == NULL || failed_table_find(table, prefix, rows, &ct, err) != 0)
        return -1;
    if (ct == 1 && (strcmp(rows[0], prefix) == 0 ||
                    (rc != 0 && why.code != ERR_USAGE && uuid[0] == '\0'))) {
        memcpy(uuid, rows[0], sizeof(rows[0]));
        return 0;
    }
    if (rc == 0 && (ct == 0 || (ct == 1 && strcmp(rows[0], uuid) == 0)))
        return 0;
    if (why.code == ERR_USAGE || (rc != 0 && (ct == 0 || uuid[0] != '\0')))
        return err_set(err, why.code, "%s", why.text);
    return err_set(err, ERR_NOT_FOUND, "%s begins the id of more than one failed job",
                   prefix);
}

/* ---- retry ---- */

struct pushing {
    struct postgres_store *store;
    struct failed_retry *retry;
};

static int push_again(void *arg, const struct fail_record *record, struct err *err)
{
    struct pushing *pushing = arg;
    struct slice payload;
    struct buf bytes;
    int rc;

    if (record->queue[0] == '\0' || record->payload.ptr == NULL)
        return err_set(err, ERR_BAD_INPUT, "the record of %s lacks its queue or payload",
                       record->uuid);
    buf_init(&bytes, 0);
    failed_again(record->payload, &bytes, &pushing->retry->late);
    payload = buf_slice(&bytes);
    rc = client_push(pushing->store->client, record->queue, &payload, 1, 0, err);
    buf_free(&bytes);
    return rc;
}

static int retry_record(struct failed_store *base, const char *uuid,
                        struct failed_retry *retry, struct err *err)
{
    struct postgres_store *store = store_of(base);
    struct pushing pushing = {.store = store, .retry = retry};
    struct failed_table *table;

    if (failed_store_retry(store->waiting, uuid, retry, err) != 0)
        return -1;
    if (retry->done)
        return 0;
    table = open_table(store, err);
    return table ? failed_table_take(table, uuid, push_again, &pushing, &retry->done, err)
                 : -1;
}

/* What is all in the outbox needs no PostgreSQL. */
static int forget_records(struct failed_store *base, const char *const *uuids, size_t ct,
                          int64_t *removed, struct err *err)
{
    struct postgres_store *store = store_of(base);
    struct failed_table *table;
    int64_t before = *removed;

    if (failed_store_forget(store->waiting, uuids, ct, removed, err) != 0)
        return -1;
    if (*removed - before == (int64_t)ct)
        return 0;
    table = open_table(store, err);
    return table ? failed_table_forget(table, uuids, ct, removed, err) : -1;
}

/* ---- opening ---- */

struct failed_table *failed_postgres_table(struct failed_store *base, struct err *err)
{
    return open_table(store_of(base), err);
}

static void close_store(struct failed_store *base)
{
    struct postgres_store *store = store_of(base);

    pg_ask_close(store->table.ask);
    failed_store_close(store->waiting);
    client_close(store->outbox);
    postgres_endpoint_free(&store->endpoint);
    free(store);
}

static const struct failed_store_ops postgres_ops = {
    .count = count_records,
    .walk = walk_records,
    .get = get_record,
    .resolve = resolve_uuid,
    .retry = retry_record,
    .forget = forget_records,
    .close = close_store,
};

struct failed_store *failed_postgres_open(const struct config *config,
                                          struct client *client,
                                          const struct failed_patience *patience)
{
    struct postgres_store *store = must_alloc(sizeof(*store));

    store->base.ops = &postgres_ops;
    store->client = client;
    store->outbox = client_outbox(client);
    store->waiting = failed_redis_open(store->outbox);
    store->patience = *patience;
    MUST(postgres_endpoint_resolve(config, &store->endpoint, NULL) == 0);
    store->table.name = store->endpoint.table;
    return &store->base;
}
