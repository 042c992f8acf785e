/* Asking a Laravel application: which it is, what it tells when it has booted, and where
 * that says that its Redis and its failed jobs are. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/doctor_gather.h"
#include "cli/laravel_boot.h"

/* ---- which application ---- */

static bool is_project(const char *dir)
{
    char *artisan = must_format("%s/artisan", dir);
    char *bootstrap = must_format("%s/bootstrap/app.php", dir);
    bool is = access(artisan, F_OK) == 0 && access(bootstrap, F_OK) == 0;

    free(artisan);
    free(bootstrap);
    return is;
}

static const struct laravel_config *first_entry(const struct config *config)
{
    for (size_t i = 0; i < config->job_ct; i++)
        if (config->jobs[i].type == JOB_LARAVEL)
            return &config->jobs[i].laravel;
    return NULL;
}

/* ---- what it tells ---- */

static const char *text_of(const char *text, const char *otherwise)
{
    return text && text[0] ? text : otherwise;
}

/* phpredis takes a socket's path as the host. */
static void find_redis(const struct laravel_redis *redis, struct redis_endpoint *endpoint)
{
    enum { PORT = 6379 };
    const char *host = text_of(redis->host, "127.0.0.1");
    const char *path = host[0] == '/' ? host : NULL;

    if (redis->scheme && strcmp(redis->scheme, "unix") == 0)
        path = redis->path;
    *endpoint = (struct redis_endpoint){.unix_path = must_strdup(path),
                                        .host = path ? NULL : must_strdup(host),
                                        .port = redis->port > 0 ? (int)redis->port : PORT,
                                        .username = must_strdup(redis->username),
                                        .password = redis->password && redis->password[0]
                                                        ? must_strdup(redis->password)
                                                        : NULL,
                                        .db = redis->db > 0 ? (int)redis->db : 0};
}

static char *spell_url(const struct redis_endpoint *endpoint)
{
    const char *user = endpoint->username ? endpoint->username : "";
    bool is_ipv6 = endpoint->host && strchr(endpoint->host, ':');

    if (endpoint->unix_path)
        return must_format("unix://%s?db=%d", endpoint->unix_path, endpoint->db);
    return must_format("redis://%s%s%s%s%s:%d/%d", user, user[0] ? "@" : "",
                       is_ipv6 ? "[" : "", endpoint->host, is_ipv6 ? "]" : "",
                       endpoint->port, endpoint->db);
}

static void tell_redis(struct app_facts *facts,
                       const struct laravel_connection *connection,
                       struct redis_endpoint *endpoint)
{
    const struct laravel_redis *redis = &connection->redis;
    bool packed = redis->serializer || redis->compression;
    struct err err = {0};

    facts->client = must_strdup(redis->client);
    facts->serializer = must_strdup(redis->serializer);
    facts->compression = must_strdup(redis->compression);
    facts->prefix = must_strdup(text_of(redis->prefix, ""));
    facts->cluster = redis->cluster;
    if (redis->cluster)
        return;
    if (!packed && laravel_app_check(connection, &err) != 0) {
        facts->redis_trouble = must_strdup(err.text);
        return;
    }
    find_redis(redis, endpoint);
    facts->redis = redis_endpoint_text(endpoint);
    facts->redis_url = spell_url(endpoint);
    facts->has_secrets = facts->has_secrets || endpoint->password;
}

static void tell_connection(struct app_facts *facts, const struct laravel_app *app,
                            struct redis_endpoint *endpoint)
{
    struct err err = {0};
    const struct laravel_connection *connection = laravel_app_connection(app, NULL, &err);

    if (connection == NULL) {
        facts->connection = must_strdup(app->fallback);
        return;
    }
    facts->connection = must_strdup(connection->name);
    facts->driver = must_strdup(connection->driver);
    facts->queue = must_strdup(connection->queue);
    facts->retry_after_s = connection->retry_after_s;
    if (connection->driver && strcmp(connection->driver, "redis") == 0)
        tell_redis(facts, connection, endpoint);
}

/* ---- where its failed jobs are ---- */

/* Appends NAME='value' as libpq reads it. */
static void add_parameter(struct buf *dsn, const char *name, const char *value)
{
    if (value == NULL || value[0] == '\0')
        return;
    (void)buf_addf(dsn, "%s%s='", dsn->len ? " " : "", name);
    for (; *value; value++) {
        if (*value == '\'' || *value == '\\')
            (void)buf_add_char(dsn, '\\');
        (void)buf_add_char(dsn, *value);
    }
    (void)buf_add_char(dsn, '\'');
}

/* "failed_jobs", "jobs.failed": each part quoted; NULL: it holds what needs more. */
static char *quote_table(const char *name)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                "0123456789_";
    size_t len = strspn(name, plain), rest;

    if (len > 0 && name[len] == '\0')
        return must_format("\"%s\"", name);
    rest = name[len] == '.' ? strspn(name + len + 1, plain) : 0;
    if (len == 0 || rest == 0 || name[len + 1 + rest] != '\0')
        return NULL;
    return must_format("\"%.*s\".\"%s\"", (int)len, name, name + len + 1);
}

static void find_failed(const struct laravel_failed *failed,
                        struct postgres_endpoint *endpoint)
{
    const struct laravel_database *database = &failed->database;
    char *options, port[24] = "";
    struct buf dsn;

    endpoint->table = quote_table(failed->table ? failed->table : "failed_jobs");
    if (endpoint->table == NULL)
        return;
    buf_init(&dsn, 0);
    if (database->port > 0)
        (void)snprintf(port, sizeof(port), "%" PRId64, database->port);
    options = database->search_path && strpbrk(database->search_path, " \\") == NULL
                  ? must_format("-csearch_path=%s", database->search_path)
                  : NULL;
    add_parameter(&dsn, "host", database->host);
    add_parameter(&dsn, "port", port);
    add_parameter(&dsn, "dbname", database->database);
    add_parameter(&dsn, "user", database->username);
    add_parameter(&dsn, "sslmode", database->sslmode);
    add_parameter(&dsn, "sslcert", database->sslcert);
    add_parameter(&dsn, "sslkey", database->sslkey);
    add_parameter(&dsn, "sslrootcert", database->sslrootcert);
    add_parameter(&dsn, "options", options);
    free(options);
    endpoint->dsn = buf_take(&dsn);
    endpoint->password = must_strdup(database->password);
}

static void tell_failed(struct app_facts *facts, const struct laravel_failed *failed,
                        struct postgres_endpoint *endpoint)
{
    const struct laravel_database *database = &failed->database;

    facts->failed_driver = must_strdup(failed->driver);
    facts->failed_table = must_strdup(failed->table);
    facts->failed_database = must_strdup(database->driver);
    if (failed->driver && strcmp(failed->driver, "database-uuids") == 0 &&
        database->driver && strcmp(database->driver, "pgsql") == 0)
        find_failed(failed, endpoint);
    facts->failed_dsn = must_strdup(endpoint->dsn);
    facts->has_secrets = facts->has_secrets || endpoint->password;
}

/* ---- all of it ---- */

static struct laravel_app *boot(const char *dir, const struct laravel_config *entry,
                                struct err *err)
{
    const struct laravel_boot how = {.app = dir,
                                     .php = entry ? entry->php.items[0] : NULL,
                                     .bridge = entry ? entry->bridge : NULL,
                                     .bootstrap = entry ? entry->bootstrap : NULL};
    struct laravel_app *app = laravel_boot(&how, err);
    sigset_t stops;

    sigemptyset(&stops);
    sigaddset(&stops, SIGTERM);
    sigaddset(&stops, SIGINT);
    sigaddset(&stops, SIGQUIT);
    sigprocmask(SIG_UNBLOCK, &stops, NULL);
    if (app == NULL && err->code == ERR_NONE)
        (void)err_set(err, ERR_SYSTEM, "it was interrupted while it booted");
    return app;
}

static void tell(struct facts *facts, const struct laravel_app *app,
                 struct redis_endpoint *redis, struct postgres_endpoint *failed)
{
    struct app_facts *told = &facts->app;

    told->laravel = must_strdup(app->laravel);
    told->php = must_strdup(app->php);
    told->has_pcntl = app->has_pcntl;
    told->has_phpredis = app->has_phpredis;
    told->has_horizon = app->has_horizon;
    told->is_down = app->is_down;
    tell_connection(told, app, redis);
    tell_failed(told, &app->failed, failed);
}

void doctor_ask_app(struct facts *facts, const char *path, struct redis_endpoint *redis,
                    struct postgres_endpoint *failed)
{
    const struct laravel_config *entry = first_entry(facts->config);
    struct laravel_app *app = NULL;
    struct err err = {0};
    char *dir;

    memset(redis, 0, sizeof(*redis));
    memset(failed, 0, sizeof(*failed));
    if (path == NULL && is_project("."))
        path = ".";
    if (path == NULL && entry)
        path = entry->app;
    if (path == NULL)
        return;
    dir = laravel_find(path, entry ? entry->bootstrap : NULL, &err);
    if (dir)
        app = boot(dir, entry, &err);
    facts->app.dir = dir ? dir : must_strdup(path);
    if (app)
        tell(facts, app, redis, failed);
    else
        facts->app.trouble = must_strdup(err.text);
    laravel_app_free(app);
}
