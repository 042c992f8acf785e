/* Reading an application's description of itself: JSON of outside, each member looked at
 * and bounded; what is missing is unset, what is of another type is refused. Pure.
 *
 * Invariant: every member that is read has a row in one of the tables, by which it is
 * freed too.
 */
#include "cli/laravel_app.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

enum { TEXT_MAX_BYTES = 4096, NAMES_BYTES = 200 };

enum member_type { MEMBER_TEXT, MEMBER_NUMBER, MEMBER_FLAG };

struct member {
    const char *name;
    enum member_type type;
    size_t offset;
};

#define TEXT(type, field, name)                                                          \
    {                                                                                    \
        name, MEMBER_TEXT, offsetof(struct type, field)                                  \
    }
#define NUMBER(type, field, name)                                                        \
    {                                                                                    \
        name, MEMBER_NUMBER, offsetof(struct type, field)                                \
    }
#define FLAG(type, field, name)                                                          \
    {                                                                                    \
        name, MEMBER_FLAG, offsetof(struct type, field)                                  \
    }

static const struct member app_members[] = {
    TEXT(laravel_app, trouble, "trouble"),
    TEXT(laravel_app, php, "php"),
    TEXT(laravel_app, laravel, "laravel"),
    FLAG(laravel_app, has_pcntl, "pcntl"),
    FLAG(laravel_app, has_phpredis, "phpredis"),
    FLAG(laravel_app, has_horizon, "horizon"),
    FLAG(laravel_app, is_down, "down"),
    TEXT(laravel_app, environment, "environment"),
    TEXT(laravel_app, timezone, "timezone"),
    TEXT(laravel_app, fallback, "default"),
    {NULL, MEMBER_TEXT, 0},
};

static const struct member connection_members[] = {
    TEXT(laravel_connection, name, "name"),
    TEXT(laravel_connection, driver, "driver"),
    TEXT(laravel_connection, queue, "queue"),
    TEXT(laravel_connection, connection, "connection"),
    NUMBER(laravel_connection, retry_after_s, "retry_after"),
    {NULL, MEMBER_TEXT, 0},
};

static const struct member redis_members[] = {
    TEXT(laravel_redis, trouble, "trouble"),
    TEXT(laravel_redis, client, "client"),
    FLAG(laravel_redis, cluster, "cluster"),
    TEXT(laravel_redis, scheme, "scheme"),
    TEXT(laravel_redis, host, "host"),
    TEXT(laravel_redis, path, "path"),
    NUMBER(laravel_redis, port, "port"),
    NUMBER(laravel_redis, db, "db"),
    TEXT(laravel_redis, username, "username"),
    TEXT(laravel_redis, password, "password"),
    TEXT(laravel_redis, prefix, "prefix"),
    TEXT(laravel_redis, serializer, "serializer"),
    TEXT(laravel_redis, compression, "compression"),
    {NULL, MEMBER_TEXT, 0},
};

static const struct member failed_members[] = {
    TEXT(laravel_failed, trouble, "trouble"),
    TEXT(laravel_failed, driver, "driver"),
    TEXT(laravel_failed, table, "table"),
    TEXT(laravel_failed, connection, "connection"),
    {NULL, MEMBER_TEXT, 0},
};

static const struct member database_members[] = {
    TEXT(laravel_database, trouble, "trouble"),
    TEXT(laravel_database, driver, "driver"),
    TEXT(laravel_database, host, "host"),
    NUMBER(laravel_database, port, "port"),
    TEXT(laravel_database, database, "database"),
    TEXT(laravel_database, username, "username"),
    TEXT(laravel_database, password, "password"),
    TEXT(laravel_database, search_path, "search_path"),
    TEXT(laravel_database, sslmode, "sslmode"),
    TEXT(laravel_database, sslcert, "sslcert"),
    TEXT(laravel_database, sslkey, "sslkey"),
    TEXT(laravel_database, sslrootcert, "sslrootcert"),
    {NULL, MEMBER_TEXT, 0},
};

/* ---- its life ---- */

static void free_members(const struct member *members, void *object)
{
    for (; members->name; members++) {
        char *text;

        if (members->type != MEMBER_TEXT)
            continue;
        text = *(char **)(void *)((char *)object + members->offset);
        must_wipe(text);
    }
}

void laravel_app_free(struct laravel_app *app)
{
    if (app == NULL)
        return;
    for (size_t i = 0; i < app->connection_ct; i++) {
        free_members(redis_members, &app->connections[i].redis);
        free_members(connection_members, &app->connections[i]);
    }
    free(app->connections);
    free_members(database_members, &app->failed.database);
    free_members(failed_members, &app->failed);
    free_members(app_members, app);
    free(app);
}

/* ---- reading ---- */

static int read_text(const json_t *value, char **text, struct err *err)
{
    size_t len = json_string_length(value);

    if (!json_is_string(value))
        return err_set(err, ERR_REPLY, "is no text");
    if (len > TEXT_MAX_BYTES)
        return err_set(err, ERR_REPLY, "is longer than %d bytes", (int)TEXT_MAX_BYTES);
    if (strlen(json_string_value(value)) != len)
        return err_set(err, ERR_REPLY, "holds a NUL byte");
    *text = must_strdup(json_string_value(value));
    return 0;
}

static int read_member(const struct member *member, const json_t *value, void *field,
                       struct err *err)
{
    if (member->type == MEMBER_TEXT)
        return read_text(value, field, err);
    if (member->type == MEMBER_FLAG) {
        *(bool *)field = json_is_true(value);
        return json_is_boolean(value) ? 0 : err_set(err, ERR_REPLY, "is no flag");
    }
    if (!json_is_integer(value))
        return err_set(err, ERR_REPLY, "is no whole number");
    *(int64_t *)field = json_integer_value(value);
    return 0;
}

static int read_members(const struct member *members, const json_t *from, void *object,
                        struct err *err)
{
    for (; members->name; members++) {
        const json_t *value = json_object_get(from, members->name);
        void *field = (char *)object + members->offset;

        if (members->type == MEMBER_NUMBER)
            *(int64_t *)field = LARAVEL_UNSET;
        if (value == NULL || json_is_null(value))
            continue;
        if (read_member(members, value, field, err) != 0)
            return err_prefix(err, "%s", members->name);
    }
    return 0;
}

static int read_connection(const json_t *from, struct laravel_connection *connection,
                           struct err *err)
{
    const json_t *redis = json_object_get(from, "redis");

    if (read_members(connection_members, from, connection, err) != 0)
        return -1;
    if (connection->name == NULL)
        return err_set(err, ERR_REPLY, "has no name");
    return read_members(redis_members, redis, &connection->redis, err) == 0
               ? 0
               : err_prefix(err, "redis");
}

static int read_connections(const json_t *from, struct laravel_app *app, struct err *err)
{
    size_t ct = json_array_size(from);

    if (from && !json_is_array(from))
        return err_set(err, ERR_REPLY, "connections: is no array");
    if (ct > LARAVEL_CONNECTIONS_MAX)
        return err_set(err, ERR_REPLY, "connections: more than %d",
                       (int)LARAVEL_CONNECTIONS_MAX);
    app->connections = must_alloc((ct + 1) * sizeof(*app->connections));
    for (; app->connection_ct < ct; app->connection_ct++)
        if (read_connection(json_array_get(from, app->connection_ct),
                            &app->connections[app->connection_ct], err) != 0) {
            int rc = err_prefix(err, "connections[%zu]", app->connection_ct);

            app->connection_ct++; /* what there is of it is freed too */
            return rc;
        }
    return 0;
}

static int read_failed(const json_t *from, struct laravel_failed *failed, struct err *err)
{
    if (read_members(failed_members, from, failed, err) == 0 &&
        read_members(database_members, json_object_get(from, "database"),
                     &failed->database, err) == 0)
        return 0;
    return err_prefix(err, "failed");
}

static int read_app(const json_t *from, struct laravel_app *app, struct err *err)
{
    if (!json_is_object(from))
        return err_set(err, ERR_REPLY, "it says nothing of itself");
    if (read_members(app_members, from, app, err) != 0)
        return -1;
    if (app->trouble)
        return err_set(err, ERR_REPLY, "%s", app->trouble);
    if (read_connections(json_object_get(from, "connections"), app, err) != 0)
        return -1;
    return read_failed(json_object_get(from, "failed"), &app->failed, err);
}

struct laravel_app *laravel_app_read(struct slice told, struct err *err)
{
    struct laravel_app *app = must_alloc(sizeof(*app));
    json_t *root = json_loadb(told.ptr ? told.ptr : "", told.len, 0, NULL);
    int rc = read_app(root, app, err);

    json_decref(root);
    if (rc == 0)
        return app;
    (void)err_prefix(err, "the application cannot tell its configuration");
    laravel_app_free(app);
    return NULL;
}

/* ---- what it means ---- */

static void list_connections(const struct laravel_app *app, struct buf *names)
{
    for (size_t i = 0; i < app->connection_ct; i++)
        (void)buf_addf(names, "%s%s", i ? ", " : "", app->connections[i].name);
}

const struct laravel_connection *laravel_app_connection(const struct laravel_app *app,
                                                        const char *name, struct err *err)
{
    struct buf names;

    if (name == NULL)
        name = app->fallback ? app->fallback : "";
    for (size_t i = 0; i < app->connection_ct; i++)
        if (strcmp(app->connections[i].name, name) == 0)
            return &app->connections[i];
    buf_init(&names, NAMES_BYTES);
    list_connections(app, &names);
    (void)err_set(err, ERR_CONFIG,
                  "the application has no queue connection \"%.64s\" (config/queue.php "
                  "has: %s)",
                  name, names.len ? names.data : "none");
    buf_free(&names);
    return NULL;
}

static int check_packing(const struct laravel_connection *connection, struct err *err)
{
    const struct laravel_redis *redis = &connection->redis;
    const char *option = redis->serializer ? "serializer" : "compression";
    const char *value = redis->serializer ? redis->serializer : redis->compression;

    if (value == NULL)
        return 0;
    return err_set(err, ERR_CONFIG,
                   "Redis connection \"%.64s\" has the %s \"%.32s\": with it Laravel's "
                   "own finished jobs stay reserved and run again; give the queue a "
                   "connection without it in config/database.php, and name that in "
                   "queue.connections.%.64s.connection",
                   connection->connection, option, value, connection->name);
}

int laravel_app_check(const struct laravel_connection *connection, struct err *err)
{
    const struct laravel_redis *redis = &connection->redis;
    const char *driver = connection->driver ? connection->driver : "";

    if (strcmp(driver, "redis") != 0)
        return err_set(
            err, ERR_CONFIG,
            "queue connection \"%.64s\" has the driver \"%.64s\": drover works "
            "on those of driver redis; name one, as in `drover work redis`",
            connection->name, driver);
    if (redis->trouble)
        return err_set(
            err, ERR_CONFIG,
            "queue connection \"%.64s\": the application cannot tell where its "
            "Redis is: %.256s",
            connection->name, redis->trouble);
    if (redis->cluster)
        return err_set(err, ERR_CONFIG,
                       "Redis connection \"%.64s\" is a cluster, which drover cannot "
                       "work on: give the queue a connection to a single server",
                       connection->connection);
    if (redis->scheme && strcmp(redis->scheme, "tls") == 0)
        return err_set(err, ERR_CONFIG,
                       "Redis connection \"%.64s\" uses TLS (scheme tls), which this "
                       "drover cannot do: a proxy such as stunnel beside it can",
                       connection->connection);
    return check_packing(connection, err);
}
