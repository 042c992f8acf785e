/* The status document: what the supervisor says and what Redis holds, in one place.
 *
 * Asking Redis is status_redis_read()'s; the rest is a pure function of what was found
 * out. It does not know how the supervisor was asked. A half that could not be reached is
 * null, never a guess.
 */
#include "status/status.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "failed/store.h"
#include "queue/client_pause.h"

/* ---- what Redis holds ---- */

static bool is_listed(const struct status_redis *redis, const char *name)
{
    for (size_t i = 0; i < redis->queue_ct; i++)
        if (strcmp(redis->queues[i].name, name) == 0)
            return true;
    return false;
}

static void list_queues(struct status_redis *redis, const struct config *config)
{
    size_t most = 0;

    for (size_t i = 0; i < config->pool_ct; i++)
        most += config->pools[i].queues.ct;
    redis->queues = must_alloc(most * sizeof(*redis->queues));
    for (size_t i = 0; i < config->pool_ct; i++)
        for (size_t k = 0; k < config->pools[i].queues.ct; k++)
            if (!is_listed(redis, config->pools[i].queues.items[k]))
                redis->queues[redis->queue_ct++] = (struct status_queue){
                    .name = config->pools[i].queues.items[k], .paused_since_ms = -1};
}

static int read_paused(struct status_redis *redis, struct client *client, struct err *err)
{
    struct client_paused paused;
    int rc = client_paused_read(client, &paused, err);

    for (size_t i = 0; rc == 0 && i < redis->queue_ct; i++)
        redis->queues[i].paused_since_ms =
            client_paused_since(&paused, redis->queues[i].name);
    client_paused_free(&paused);
    return rc;
}

/* Those that wait are Redis' to count, also when PostgreSQL is away. */
static int read_failed(struct status_redis *redis, const struct config *config,
                       struct client *client, struct err *err)
{
    static const struct failed_patience patience = {.connect_ms = 2000,
                                                    .answer_ms = 2000};
    struct failed_store *store;
    struct client *outbox;
    int rc = 0;

    if (config->failed.store == FAILED_IN_POSTGRES) {
        outbox = client_outbox(client);
        rc = client_failed_count(outbox, &redis->waiting, err);
        client_close(outbox);
    }
    if (rc != 0)
        return -1;
    store = failed_store_open(config, client, &patience);
    rc = failed_store_count(store, &redis->failed, err);
    if (rc != 0)
        redis->failed = -1;
    redis->no_table = rc != 0 && err->code == ERR_NO_TABLE;
    failed_store_close(store);
    return rc;
}

int status_redis_read(struct status_redis *redis, const struct config *config,
                      struct client *client, struct err *err)
{
    int rc = 0;

    memset(redis, 0, sizeof(*redis));
    redis->failed = -1;
    redis->waiting = -1;
    vitals_init(&redis->vitals);
    list_queues(redis, config);
    if (client == NULL)
        return 0;
    redis->reachable = true;
    rc = client_vitals(client, &redis->vitals, err);
    for (size_t i = 0; rc == 0 && i < redis->queue_ct; i++) {
        struct status_queue *queue = &redis->queues[i];

        rc = client_depths(client, queue->name, &queue->depths, err);
        queue->known = rc == 0;
    }
    if (rc != 0 || read_paused(redis, client, err) != 0)
        return -1;
    return read_failed(redis, config, client, err);
}

void status_redis_free(struct status_redis *redis)
{
    free(redis->queues);
    memset(redis, 0, sizeof(*redis));
}

/* ---- the document ---- */

/* A depth that is not known, or of a key of a wrong type, is null. */
static json_t *depth_json(const struct status_queue *queue, int64_t depth)
{
    return queue->known && depth >= 0 ? json_integer(depth) : json_null();
}

static void add_paused(json_t *object, int64_t since_ms)
{
    char since[CLOCK_TEXT_BYTES];

    json_object_set_new(object, "paused",
                        since_ms < 0 ? json_null() : json_boolean(since_ms > 0));
    if (since_ms <= 0)
        return;
    clock_format(since_ms, since, sizeof(since));
    json_object_set_new(object, "paused_since", json_string(since));
}

static json_t *queues_json(const struct status_redis *redis)
{
    json_t *array = json_array();

    for (size_t i = 0; i < redis->queue_ct; i++) {
        const struct status_queue *queue = &redis->queues[i];
        json_t *object = json_object();

        json_object_set_new(object, "name", json_string(queue->name));
        json_object_set_new(object, "ready", depth_json(queue, queue->depths.ready));
        json_object_set_new(object, "delayed", depth_json(queue, queue->depths.delayed));
        json_object_set_new(object, "reserved",
                            depth_json(queue, queue->depths.reserved));
        add_paused(object, queue->paused_since_ms);
        json_array_append_new(array, object);
    }
    return array;
}

/* Copies the named members that are there, in this order. */
static json_t *pick(const json_t *from, const char *const *names, size_t ct)
{
    json_t *object = json_object();

    for (size_t i = 0; i < ct; i++) {
        json_t *value = json_object_get(from, names[i]);

        json_object_set_new(object, names[i],
                            value ? json_deep_copy(value) : json_null());
    }
    return object;
}

static json_t *workers_json(const json_t *workers)
{
    static const char *const names[] = {"slot", "pid",       "state",    "running",
                                        "done", "failed",    "restarts", "postponed",
                                        "away", "databases", "paused",   "paused_queues"};
    json_t *array = json_array();

    for (size_t i = 0; i < json_array_size(workers); i++)
        json_array_append_new(array,
                              pick(json_array_get(workers, i), names, ARRAY_CT(names)));
    return array;
}

static const json_t *find_pool(const json_t *pools, const char *name)
{
    for (size_t i = 0; i < json_array_size(pools); i++) {
        const json_t *pool = json_array_get(pools, i);
        const char *its_name = json_string_value(json_object_get(pool, "name"));

        if (its_name && strcmp(its_name, name) == 0)
            return pool;
    }
    return NULL;
}

static void add_pool(json_t *array, const json_t *pool)
{
    json_t *object = json_object();

    json_object_set(object, "name", json_object_get(pool, "name"));
    json_object_set_new(object, "workers",
                        workers_json(json_object_get(pool, "workers")));
    json_array_append_new(array, object);
}

static bool is_configured(const struct config *config, const json_t *pool)
{
    const char *name = json_string_value(json_object_get(pool, "name"));

    for (size_t i = 0; name && i < config->pool_ct; i++)
        if (strcmp(config->pools[i].name, name) == 0)
            return true;
    return false;
}

/* The configuration's pools in its order, then those that only the supervisor knows: it
 * may run on an older file than the one just read. */
static json_t *pools_json(const struct config *config, const json_t *pools)
{
    json_t *array = json_array();

    for (size_t i = 0; i < config->pool_ct; i++) {
        const json_t *found = find_pool(pools, config->pools[i].name);

        if (found)
            add_pool(array, found);
    }
    for (size_t i = 0; i < json_array_size(pools); i++)
        if (!is_configured(config, json_array_get(pools, i)))
            add_pool(array, json_array_get(pools, i));
    return array;
}

static json_t *known_json(int64_t number)
{
    return number >= 0 ? json_integer(number) : json_null();
}

static json_t *redis_json(const json_t *link, const struct status_redis *redis)
{
    const struct vitals *vitals = &redis->vitals;
    const json_t *up = json_object_get(link, "up");
    json_t *object = json_object();

    json_object_set_new(object, "reachable", json_boolean(redis->reachable));
    json_object_set_new(object, "up", up ? json_deep_copy(up) : json_null());
    json_object_set_new(object, "maxmemory_policy",
                        vitals->policy[0] ? json_string(vitals->policy) : json_null());
    json_object_set_new(object, "aof",
                        vitals->aof == VITAL_UNKNOWN
                            ? json_null()
                            : json_boolean(vitals->aof == VITAL_YES));
    json_object_set_new(object, "used_memory", known_json(vitals->used_memory_bytes));
    json_object_set_new(object, "maxmemory", known_json(vitals->maxmemory_bytes));
    return object;
}

json_t *status_document(const struct config *config, const json_t *supervisor,
                        const struct status_redis *redis)
{
    static const char *const names[] = {"pid", "state", "uptime_s", "paused", "draining"};
    const json_t *itself = json_object_get(supervisor, "supervisor");
    const json_t *pools = json_object_get(supervisor, "pools");
    json_t *document = json_object();

    json_object_set_new(document, "supervisor",
                        itself ? pick(itself, names, ARRAY_CT(names)) : json_null());
    json_object_set_new(document, "pools",
                        pools ? pools_json(config, pools) : json_null());
    json_object_set_new(document, "queues", queues_json(redis));
    json_object_set_new(document, "failed", known_json(redis->failed));
    if (redis->waiting >= 0)
        json_object_set_new(document, "failed_waiting", json_integer(redis->waiting));
    if (redis->no_table)
        json_object_set_new(document, "failed_table_missing", json_true());
    json_object_set_new(document, "redis",
                        redis_json(json_object_get(supervisor, "redis"), redis));
    return document;
}
