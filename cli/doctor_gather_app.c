/* Asking a Laravel application: which it is, what it tells when it has booted, and what
 * `drover work` would make of that. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "cli/doctor_gather.h"
#include "cli/laravel_boot.h"
#include "cli/work_compose.h"

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

static void tell_redis(struct app_facts *facts, const struct laravel_redis *redis)
{
    facts->client = must_strdup(redis->client);
    facts->serializer = must_strdup(redis->serializer);
    facts->compression = must_strdup(redis->compression);
    facts->cluster = redis->cluster;
}

static const struct laravel_connection *tell_connection(struct app_facts *facts,
                                                        const struct laravel_app *app)
{
    const struct laravel_connection *connection = laravel_app_connection(app, NULL, NULL);

    facts->connection = must_strdup(connection ? connection->name : app->fallback);
    if (connection == NULL)
        return NULL;
    facts->driver = must_strdup(connection->driver);
    facts->queue = must_strdup(connection->queue);
    facts->retry_after_s = connection->retry_after_s;
    if (connection->driver && strcmp(connection->driver, "redis") == 0)
        tell_redis(facts, &connection->redis);
    return connection;
}

static void tell_failed(struct app_facts *facts, const struct laravel_failed *failed)
{
    facts->failed_driver = must_strdup(failed->driver);
    facts->failed_table = must_strdup(failed->table);
    facts->failed_database = must_strdup(failed->database.driver);
}

/* ---- what drover would make of it ---- */

/* As drover.conf has the address, without the password. */
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

static void tell_addresses(struct app_facts *facts, const struct config *composed)
{
    const struct failed_config *failed = &composed->failed;
    struct redis_endpoint endpoint = {0};

    facts->prefix = must_strdup(composed->redis.prefix);
    if (redis_endpoint_resolve(composed, &endpoint, NULL) == 0) {
        facts->redis = redis_endpoint_text(&endpoint);
        facts->redis_url = spell_url(&endpoint);
    }
    facts->has_secrets = endpoint.password || failed->password;
    redis_endpoint_free(&endpoint);
    if (failed->store == FAILED_IN_POSTGRES)
        facts->failed_dsn = must_strdup(failed->dsn);
}

/* The configuration of `drover work` without arguments. A serializer does not keep from
 * looking at the rest. NULL: there is none, said in the facts where it is not said yet.
 */
static struct config *compose(struct app_facts *facts, const struct laravel_app *app,
                              const struct laravel_connection *connection)
{
    static const struct work_flags flags = {.sleep_ms = CONFIG_UNSET,
                                            .rest_ms = CONFIG_UNSET,
                                            .empty_ms = CONFIG_UNSET,
                                            .level = LOG_WARNING};
    const struct work_setting setting = {.flags = &flags,
                                         .app = app,
                                         .connection = connection,
                                         .directory = facts->dir,
                                         .bridge = "/",
                                         .state_dir = "/"};
    bool packed = facts->serializer || facts->compression;
    struct config *composed = NULL;
    struct err err = {0};
    struct buf notes;

    if (facts->driver == NULL || strcmp(facts->driver, "redis") != 0 || facts->cluster)
        return NULL;
    buf_init(&notes, 0);
    if (packed || laravel_app_check(connection, &err) == 0)
        composed = work_compose(&setting, &notes, &err);
    buf_free(&notes);
    if (composed)
        tell_addresses(facts, composed);
    else
        facts->redis_trouble = must_strdup(err.text);
    return composed;
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

static struct config *tell(struct app_facts *facts, const struct laravel_app *app)
{
    const struct laravel_connection *connection;

    facts->laravel = must_strdup(app->laravel);
    facts->php = must_strdup(app->php);
    facts->environment = must_strdup(app->environment);
    facts->has_pcntl = app->has_pcntl;
    facts->has_phpredis = app->has_phpredis;
    facts->has_horizon = app->has_horizon;
    facts->is_down = app->is_down;
    tell_failed(facts, &app->failed);
    connection = tell_connection(facts, app);
    return compose(facts, app, connection);
}

/* A drover that is not installed is helped by its sources here, but not in a pool. */
static char *bridge_to_name(const struct laravel_config *entry)
{
    struct err err = {0};

    if (entry && entry->bridge)
        return must_strdup(entry->bridge);
    return access(BRIDGE_PATH, R_OK) == 0 ? NULL : laravel_find_bridge(&err);
}

struct config *doctor_ask_app(struct facts *facts, const char *path)
{
    const struct laravel_config *entry = first_entry(facts->config);
    struct config *composed = NULL;
    struct laravel_app *app = NULL;
    struct err err = {0};
    char *dir;

    if (path == NULL && is_project("."))
        path = ".";
    if (path == NULL && entry)
        path = entry->app;
    if (path == NULL)
        return NULL;
    dir = laravel_find(path, entry ? entry->bootstrap : NULL, &err);
    if (dir)
        app = boot(dir, entry, &err);
    facts->app.dir = dir ? dir : must_strdup(path);
    facts->app.bridge = bridge_to_name(entry);
    if (app)
        composed = tell(&facts->app, app);
    else
        facts->app.trouble = must_strdup(err.text);
    laravel_app_free(app);
    return composed;
}
