/* From arguments, environment and application to settings, each checked by its own row of
 * the table of settings.
 *
 * REDIS_* are what config/database.php reads for the Redis connection named default, and
 * REDIS_QUEUE what config/queue.php reads for the queue connection named redis; for any
 * other they mean nothing. There they outweigh what the application says, which differs
 * from them only where its configuration was cached.
 */
#include "cli/work_compose.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "config/build.h"
#include "config/check.h"
#include "config/dsn.h"
#include "config/origin.h"
#include "config/value.h"

enum {
    MS_PER_S = 1000,
    NUMBER_BYTES = 24,
    GRACE_MARGIN_MS = 10 * MS_PER_S, /* above the timeout of a job */
    GRACE_MAX_MS = 24 * 3600 * MS_PER_S,
    POLL_MIN_MS = 10,
    POLL_MAX_MS = 60 * MS_PER_S,
    ONCE_EMPTY_MS = 3 * MS_PER_S /* queue:work's --sleep */
};

struct composing {
    const struct work_setting *setting;
    struct config *config;
    struct buf *notes;
    struct err *err;
};

/* ---- giving a setting its value ---- */

/* The value itself: of the jobs' settings the one of the entry for all. */
static struct config_value value_of(const struct composing *c, enum section_id section,
                                    const char *name)
{
    return config_value_named(c->config, section, name,
                              section == SECTION_JOBS ? c->config->job_ct - 1 : 0);
}

static bool is_in_file(const struct composing *c, enum section_id section,
                       const char *name)
{
    return value_of(c, section, name).origin->kind == ORIGIN_FILE;
}

/* `whose`: what the text came from, for the error. */
static int set(const struct composing *c, enum section_id section, const char *name,
               const char *text, const char *whose)
{
    struct config_value value = value_of(c, section, name);

    if (text == NULL)
        return 0;
    value.origin->kind = ORIGIN_GIVEN;
    if (value_set_from_text(value.setting, value.base, text, c->err) == 0)
        return 0;
    return err_prefix(c->err, "%s", whose);
}

/* What the application said, or follows from other things. */
static int give(const struct composing *c, enum section_id section, const char *name,
                const char *text)
{
    const char *group = sections[section].name[0] ? sections[section].name : "own";
    char *whose;
    int rc;

    if (is_in_file(c, section, name))
        return 0;
    whose = must_format("the application's %s.%s", group, name);
    rc = set(c, section, name, text, whose);
    free(whose);
    return rc;
}

static int give_number(const struct composing *c, enum section_id section,
                       const char *name, int64_t number)
{
    char text[NUMBER_BYTES];

    if (number < 0)
        return 0;
    (void)snprintf(text, sizeof(text), "%" PRId64, number);
    return give(c, section, name, text);
}

static int give_ms(const struct composing *c, enum section_id section, const char *name,
                   int64_t ms)
{
    char text[TEXT_SECONDS_BYTES];

    text_format_seconds(ms, text, sizeof(text));
    return give(c, section, name, text);
}

/* An argument, or queue:work's default of it. */
static int give_flag(const struct composing *c, enum section_id section, const char *name,
                     const char *option, const char *text)
{
    text = text ? text : work_flag_default(option);
    if (set(c, section, name, text, option) == 0)
        return 0;
    c->err->code = ERR_USAGE;
    return -1;
}

/* ---- Redis ---- */

/* Whether the variable is there for this setting; where it differs from what the
 * application says somebody should know. */
static bool is_from_environment(const struct composing *c, const char *variable,
                                const char *said)
{
    const struct laravel_connection *connection = c->setting->connection;

    if (strcmp(connection->connection ? connection->connection : "", "default") != 0 ||
        !config_env_is_set(variable))
        return false;
    if (said && strcmp(said, getenv(variable)) != 0)
        (void)buf_addf(c->notes,
                       "%s of the environment counts, not what the application says "
                       "(after `php artisan config:cache` it may be older)\n",
                       variable);
    return true;
}

static int give_redis_text(const struct composing *c, const char *name,
                           const char *variable, const char *text)
{
    bool secret = strcmp(name, "password") == 0;

    if (is_from_environment(c, variable, secret ? NULL : text))
        return 0;
    return give(c, SECTION_REDIS, name, text && *text ? text : NULL);
}

static int give_redis_number(const struct composing *c, const char *name,
                             const char *variable, int64_t number)
{
    char text[NUMBER_BYTES];

    (void)snprintf(text, sizeof(text), "%" PRId64, number);
    if (is_from_environment(c, variable, number >= 0 ? text : NULL))
        return 0;
    return give_number(c, SECTION_REDIS, name, number);
}

static int give_server(const struct composing *c)
{
    const struct laravel_redis *redis = &c->setting->connection->redis;
    const char *host = redis->path && redis->scheme && strcmp(redis->scheme, "unix") == 0
                           ? redis->path
                           : redis->host;

    if (host == NULL)
        host = "127.0.0.1";
    if (strncmp(host, "unix://", strlen("unix://")) == 0)
        host += strlen("unix://");
    if (is_in_file(c, SECTION_REDIS, "url") || is_from_environment(c, "REDIS_URL", NULL))
        return 0;
    if (give_redis_text(c, "host", "REDIS_HOST", host) != 0 ||
        give_redis_text(c, "username", "REDIS_USERNAME", redis->username) != 0 ||
        give_redis_text(c, "password", "REDIS_PASSWORD", redis->password) != 0 ||
        give_redis_number(c, "db", "REDIS_DB", redis->db) != 0)
        return -1;
    return host[0] == '/' ? 0 : give_redis_number(c, "port", "REDIS_PORT", redis->port);
}

static int give_redis(const struct composing *c)
{
    const char *prefix = c->setting->connection->redis.prefix;

    if (give_server(c) != 0)
        return -1;
    if (is_from_environment(c, "REDIS_PREFIX", prefix))
        return 0;
    return give(c, SECTION_REDIS, "prefix", prefix ? prefix : "");
}

/* ---- failed jobs ---- */

static char *make_dsn(const struct laravel_database *database)
{
    char port[NUMBER_BYTES];
    struct buf dsn;

    (void)snprintf(port, sizeof(port), "%" PRId64, database->port);
    buf_init(&dsn, 0);
    postgres_dsn_add(&dsn, "host", database->host ? database->host : "127.0.0.1");
    postgres_dsn_add(&dsn, "port", database->port > 0 ? port : NULL);
    postgres_dsn_add(&dsn, "dbname", database->database);
    postgres_dsn_add(&dsn, "user", database->username);
    postgres_dsn_add(&dsn, "sslmode", database->sslmode);
    postgres_dsn_add(&dsn, "sslcert", database->sslcert);
    postgres_dsn_add(&dsn, "sslkey", database->sslkey);
    postgres_dsn_add(&dsn, "sslrootcert", database->sslrootcert);
    return buf_take(&dsn);
}

/* The first schema of the search_path, where it is not PostgreSQL's own default: that is
 * where Laravel's migration has made the table. */
static char *make_table(const struct laravel_failed *failed)
{
    const char *path = failed->database.search_path;
    struct slice schema;

    if (path == NULL || strchr(failed->table, '.'))
        return must_strdup(failed->table);
    path += strspn(path, " \"'");
    schema = slice_of(path, strcspn(path, ", \"'"));
    if (schema.len == 0 || *path == '$' || slice_is(schema, "public"))
        return must_strdup(failed->table);
    return must_format("%.*s.%s", (int)schema.len, schema.ptr, failed->table);
}

static int give_postgres(const struct composing *c)
{
    const struct laravel_failed *failed = &c->setting->app->failed;
    char *dsn = make_dsn(&failed->database), *table = make_table(failed);
    const char *password = failed->database.password;
    int rc = -1;

    if (give(c, SECTION_FAILED, "store", "postgres") == 0 &&
        give(c, SECTION_FAILED, "dsn", dsn) == 0 &&
        give(c, SECTION_FAILED, "table", table) == 0 &&
        give(c, SECTION_FAILED, "password", password && *password ? password : NULL) == 0)
        rc = 0;
    free(dsn);
    free(table);
    return rc;
}

static int give_failed(const struct composing *c)
{
    const struct laravel_failed *failed = &c->setting->app->failed;
    const struct laravel_database *database = &failed->database;
    const char *trouble = failed->trouble ? failed->trouble : database->trouble;
    const char *driver = failed->driver ? failed->driver : "null";

    if (is_in_file(c, SECTION_FAILED, "store"))
        return 0;
    if (failed->table && database->driver && strcmp(database->driver, "pgsql") == 0)
        return give_postgres(c);
    (void)buf_add_text(c->notes, "failed jobs go to Redis (`drover failed list`), not ");
    if (trouble)
        (void)buf_addf(c->notes, "where the application's own go: %s\n", trouble);
    else if (failed->table)
        (void)buf_addf(c->notes, "to table %s: database connection %s is %s, not pgsql\n",
                       failed->table, failed->connection ? failed->connection : "?",
                       database->driver ? database->driver : "unknown");
    else
        (void)buf_addf(c->notes, "where queue.failed says: its driver is %s\n", driver);
    return 0;
}

/* ---- the pool and the entry ---- */

/* As Laravel reads the names: between commas, and blanks belong to them. */
static int give_queues(const struct composing *c)
{
    const struct work_setting *setting = c->setting;

    if (setting->flags->queue)
        return 0;
    if (strcmp(setting->connection->name, "redis") == 0 &&
        config_env_is_set("REDIS_QUEUE"))
        return 0; /* config_fill() takes it */
    return give(c, SECTION_POOLS, "queues",
                setting->connection->queue ? setting->connection->queue : "default");
}

static int give_times(const struct composing *c)
{
    const struct work_flags *flags = c->setting->flags;
    int64_t retry_after_s = c->setting->connection->retry_after_s;
    int64_t poll_ms = flags->sleep_ms < POLL_MIN_MS ? POLL_MIN_MS : flags->sleep_ms;

    if (poll_ms > POLL_MAX_MS)
        poll_ms = POLL_MAX_MS;
    if (flags->sleep_ms != CONFIG_UNSET &&
        give_ms(c, SECTION_POOLS, "poll_interval", poll_ms) != 0)
        return -1;
    return retry_after_s > 0 ? give_number(c, SECTION_POOLS, "lease", retry_after_s) : 0;
}

static int give_flags(const struct composing *c)
{
    const struct work_flags *flags = c->setting->flags;
    const struct {
        const char *name, *option, *text;
    } rows[] = {{"name", "--name", flags->name},
                {"tries", "--tries", flags->tries},
                {"timeout", "--timeout", flags->timeout},
                {"backoff", "--backoff", flags->backoff},
                {"max_jobs", "--max-jobs", flags->max_jobs},
                {"max_time", "--max-time", flags->max_time},
                {"concurrency", "--concurrency", flags->concurrency}};

    for (size_t i = 0; i < ARRAY_CT(rows); i++)
        if (give_flag(c, SECTION_POOLS, rows[i].name, rows[i].option, rows[i].text) != 0)
            return -1;
    if (flags->queue &&
        give_flag(c, SECTION_POOLS, "queues", "--queue", flags->queue) != 0)
        return -1;
    return give_flag(c, SECTION_JOBS, "memory", "--memory", flags->memory);
}

static int give_pool(const struct composing *c)
{
    bool once = c->setting->flags->once;

    if (give_flags(c) != 0)
        return -1;
    if (once && (give(c, SECTION_POOLS, "max_jobs", "1") != 0 ||
                 give(c, SECTION_POOLS, "concurrency", "1") != 0))
        return -1;
    if (give(c, SECTION_POOLS, "workers", "1") != 0 || give_queues(c) != 0)
        return -1;
    return give_times(c);
}

static int give_entry(const struct composing *c)
{
    const struct work_setting *setting = c->setting;
    char *env = setting->flags->environment
                    ? must_format("APP_ENV=%s", setting->flags->environment)
                    : NULL;
    int rc = -1;

    if (give(c, SECTION_JOBS, "name", "*") == 0 &&
        give(c, SECTION_JOBS, "type", "laravel") == 0 &&
        give(c, SECTION_JOBS, "app", setting->directory) == 0 &&
        give(c, SECTION_JOBS, "bridge", setting->bridge) == 0 &&
        give(c, SECTION_JOBS, "bootstrap", setting->flags->bootstrap) == 0 &&
        give(c, SECTION_JOBS, "php", setting->flags->php) == 0 &&
        give(c, SECTION_JOBS, "force", setting->flags->force ? "true" : NULL) == 0 &&
        give(c, SECTION_JOBS, "connection", setting->connection->name) == 0 &&
        give(c, SECTION_JOBS, "echo", "true") == 0 &&
        give(c, SECTION_JOBS, "env", env) == 0)
        rc = 0;
    free(env);
    return rc;
}

/* ---- the whole ---- */

static int give_top(const struct composing *c)
{
    static const char *const levels[] = {"debug", "info", "warning", "error"};
    const struct work_flags *flags = c->setting->flags;
    int64_t timeout_ms = c->config->pools[0].timeout_ms;
    int64_t grace_ms = timeout_ms > 0 && timeout_ms < GRACE_MAX_MS - GRACE_MARGIN_MS
                           ? timeout_ms + GRACE_MARGIN_MS
                           : GRACE_MAX_MS;

    /* Not the file's: that is the one of another supervisor. */
    if (set(c, SECTION_TOP, "state_dir", c->setting->state_dir, "--state-dir") != 0 ||
        give_ms(c, SECTION_TOP, "stop_grace", grace_ms) != 0)
        return -1;
    if ((flags->level != LOG_WARNING || !is_in_file(c, SECTION_LOG, "level")) &&
        set(c, SECTION_LOG, "level", levels[flags->level], "-v") != 0)
        return -1;
    return flags->output == WORK_JSON ? give(c, SECTION_LOG, "format", "json") : 0;
}

static bool wants_colour(const struct work_setting *setting)
{
    const char *no_colour = getenv("NO_COLOR");

    if (setting->flags->colour != WORK_COLOUR_AUTO)
        return setting->flags->colour == WORK_COLOUR_ON;
    return setting->terminal && (no_colour == NULL || *no_colour == '\0');
}

static void set_work(const struct composing *c)
{
    const struct work_flags *flags = c->setting->flags;
    struct work_config *work = &c->config->work;

    *work = (struct work_config){
        .on = true,
        .leaves_when_empty = flags->once || flags->stop_when_empty || flags->empty_ms > 0,
        .empty_ms = flags->empty_ms > 0 ? flags->empty_ms : 0,
        .rest_ms = flags->rest_ms > 0 ? flags->rest_ms : 0,
        .memory_mib = c->config->jobs[c->config->job_ct - 1].laravel.memory_mib,
        .output = flags->output,
        .colour = flags->output != WORK_JSON && wants_colour(c->setting),
        .timezone = must_strdup(c->setting->app->timezone),
    };
    if (flags->once)
        work->empty_ms = flags->sleep_ms >= 0 ? flags->sleep_ms : ONCE_EMPTY_MS;
    else if (flags->stop_when_empty)
        work->empty_ms = 0;
}

static int compose(const struct composing *c)
{
    if (give_redis(c) != 0 || give_failed(c) != 0 || give_pool(c) != 0 ||
        give_entry(c) != 0 || give_top(c) != 0)
        return -1;
    set_work(c);
    if (config_fill(c->config, c->err) != 0 ||
        config_read_secrets(c->config, c->err) != 0)
        return -1;
    return config_check(c->config, c->err);
}

int work_check_flags(const struct work_flags *flags, struct err *err)
{
    const struct work_setting setting = {.flags = flags};
    struct config *config = config_create(NULL, 1, 1, 0);
    const struct composing composing = {
        .setting = &setting, .config = config, .err = err};
    int rc;

    config->jobs[0].type = JOB_LARAVEL;
    rc = give_flags(&composing);
    config_free(config);
    return rc;
}

struct config *work_compose(const struct work_setting *setting, struct buf *notes,
                            struct err *err)
{
    struct config *config = config_begin(setting->config_path, err);
    struct composing composing = {
        .setting = setting, .config = config, .notes = notes, .err = err};

    if (config == NULL)
        return NULL;
    if (compose(&composing) == 0)
        return config;
    config_free(config);
    return NULL;
}
