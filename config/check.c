/* Checks across settings. Each one is a function of the configuration alone: the first
 * problem ends them. */
#include "config/check.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>
#include <sys/un.h>

#include "base/must.h"
#include "base/text.h"
#include "config/code.h"
#include "config/dsn.h"
#include "config/origin.h"
#include "config/url.h"

enum {
    SOCKET_PATH_MAX = sizeof(((struct sockaddr_un *)0)->sun_path) - 1,
    EMBEDDED_DATABASES = 16,
    IDENTIFIER_MAX_BYTES = 63 /* of PostgreSQL */
};

static bool is_from_file(const struct config *config, const char *name)
{
    return config_value_named(config, SECTION_REDIS, name, 0).origin->kind == ORIGIN_FILE;
}

/* ---- redis ---- */

static int refuse_twice(const struct config *config, const char *name, struct err *err)
{
    struct config_value value = config_value_named(config, SECTION_REDIS, name, 0);

    return config_value_fail(config, &value, -1, err,
                             "redis.url holds it already: leave one of them out");
}

/* What stands in the file twice, once in the url: which one counts should not have to be
 * looked up. (The environment beside a file is no such mistake.) */
static int check_twice(const struct config *config, struct err *err)
{
    struct redis_url url = {.db = -1};
    const char *name = NULL;

    if (!is_from_file(config, "url"))
        return 0;
    if (strcmp(config->redis.url, "embedded") != 0 &&
        redis_url_parse(config->redis.url, &url, NULL) != 0)
        name = NULL; /* check_server() says why */
    else if (is_from_file(config, "host"))
        name = "host";
    else if (is_from_file(config, "port"))
        name = "port";
    else if (url.username && is_from_file(config, "username"))
        name = "username";
    else if (url.password && is_from_file(config, "password"))
        name = config->redis.password_file ? "password_file" : "password";
    else if (url.db >= 0 && is_from_file(config, "db"))
        name = "db";
    redis_url_free(&url);
    return name ? refuse_twice(config, name, err) : 0;
}

static int check_server(const struct config *config, struct err *err)
{
    struct redis_endpoint endpoint;
    struct config_value value = config_value_named(config, SECTION_REDIS, "db", 0);
    int rc = redis_endpoint_resolve(config, &endpoint, err);

    if (rc == 0 && endpoint.embedded && endpoint.db >= EMBEDDED_DATABASES)
        rc = config_value_fail(config, &value, -1, err,
                               "%d is above the maximum of %d: the embedded Redis has no "
                               "more databases",
                               endpoint.db, EMBEDDED_DATABASES - 1);
    if (rc == 0 && endpoint.unix_path && strlen(endpoint.unix_path) > SOCKET_PATH_MAX) {
        value = config_value_named(config, SECTION_REDIS,
                                   config->redis.url ? "url" : "host", 0);
        rc = config_value_fail(config, &value, -1, err,
                               "the path of the socket has %zu bytes, at most %d fit",
                               strlen(endpoint.unix_path), SOCKET_PATH_MAX);
    }
    redis_endpoint_free(&endpoint);
    return rc;
}

/* ---- failed ---- */

static int check_dsn(const struct config *config, struct err *err)
{
    const struct failed_config *failed = &config->failed;
    struct config_value dsn = config_value_named(config, SECTION_FAILED, "dsn", 0);
    struct config_value host = config_value_named(config, SECTION_FAILED, "host", 0);
    struct config_value password =
        config_value_named(config, SECTION_FAILED, "password", 0);
    struct err why = {0};

    if (failed->dsn == NULL)
        return 0;
    if (dsn.origin->kind == ORIGIN_FILE && host.origin->kind == ORIGIN_FILE)
        return config_value_fail(config, &host, -1, err,
                                 "failed.dsn says where PostgreSQL is: leave one of them "
                                 "out");
    if (postgres_dsn_check(failed->dsn, &why) != 0)
        return config_value_fail(config, &dsn, -1, err, "%s", why.text);
    if (password.origin->kind == ORIGIN_FILE && postgres_dsn_has_password(failed->dsn))
        return config_value_fail(config, &password, -1, err,
                                 "failed.dsn holds it already: leave one of them out");
    return 0;
}

static bool is_identifier(const char *text, size_t len)
{
    if (len == 0 || len > IDENTIFIER_MAX_BYTES || (text[0] >= '0' && text[0] <= '9'))
        return false;
    for (size_t i = 0; i < len; i++)
        if (!isascii(text[i]) || (!isalnum((unsigned char)text[i]) && text[i] != '_'))
            return false;
    return true;
}

static int check_table(const struct config *config, struct err *err)
{
    struct config_value value = config_value_named(config, SECTION_FAILED, "table", 0);
    const char *table = config->failed.table;
    size_t schema = strcspn(table, ".");

    if (table[schema] == '\0'
            ? is_identifier(table, schema)
            : is_identifier(table, schema) &&
                  is_identifier(table + schema + 1, strlen(table + schema + 1)))
        return 0;
    return config_value_fail(config, &value, -1, err,
                             "\"%s\" is no name of a table: letters, digits and _, at "
                             "most %d, and a schema before a dot",
                             table, IDENTIFIER_MAX_BYTES);
}

static int check_postgres(const struct config *config, struct err *err)
{
    const struct failed_config *failed = &config->failed;
    struct config_value store = config_value_named(config, SECTION_FAILED, "store", 0);

    if (check_dsn(config, err) != 0 || check_table(config, err) != 0)
        return -1;
    if (failed->store != FAILED_IN_POSTGRES || failed->dsn || failed->host ||
        failed->database)
        return 0;
    return config_value_fail(config, &store, -1, err,
                             "\"postgres\" needs failed.dsn, or DB_HOST and DB_DATABASE "
                             "(or DB_URL) in the environment");
}

/* ---- the top ---- */

static int check_state_dir(const struct config *config, struct err *err)
{
    struct config_value value = config_value_named(config, SECTION_TOP, "state_dir", 0);
    size_t len = strlen(config->state_dir) + strlen("/control.sock");

    if (len <= SOCKET_PATH_MAX)
        return 0;
    return config_value_fail(config, &value, -1, err,
                             "makes the path of the control socket %zu bytes long, at "
                             "most %d fit: shorten state_dir by %zu",
                             len, SOCKET_PATH_MAX, len - SOCKET_PATH_MAX);
}

static int check_listen(const struct config *config, struct err *err)
{
    struct config_value value = config_value_named(config, SECTION_CONSOLE, "listen", 0);
    const char *colon = strrchr(config->console_listen, ':');
    int64_t port;

    if (colon && text_integer(colon + 1, 0, UINT16_MAX, &port, NULL) == 0)
        return 0;
    return config_value_fail(config, &value, -1, err,
                             "expects an address and a port, like \"127.0.0.1:9310\"");
}

static int check_hang_timeout(const struct config *config, struct err *err)
{
    struct config_value value =
        config_value_named(config, SECTION_TOP, "hang_timeout", 0);
    char hang[TEXT_SECONDS_BYTES], lease[TEXT_SECONDS_BYTES];

    if (value.origin->kind == ORIGIN_DEFAULT)
        return 0; /* made to fit */
    for (size_t i = 0; i < config->pool_ct; i++) {
        if (config->hang_timeout_ms < config->pools[i].lease_ms)
            continue;
        text_format_seconds(config->hang_timeout_ms, hang, sizeof(hang));
        text_format_seconds(config->pools[i].lease_ms, lease, sizeof(lease));
        return config_value_fail(config, &value, -1, err,
                                 "%s s is not less than pools[%zu].lease (%s s): a hung "
                                 "worker would lose its jobs before it is replaced",
                                 hang, i, lease);
    }
    return 0;
}

/* ---- pools ---- */

static int check_pool_names(const struct config *config, struct err *err)
{
    for (size_t i = 0; i < config->pool_ct; i++) {
        struct config_value value = config_value_named(config, SECTION_POOLS, "name", i);
        const char *name = config->pools[i].name;

        if (strchr(name, '/'))
            return config_value_fail(config, &value, -1, err, "\"%s\" holds a slash",
                                     name);
        for (size_t j = 0; j < i; j++)
            if (strcmp(name, config->pools[j].name) == 0)
                return config_value_fail(config, &value, -1, err,
                                         "\"%s\" is the name of pools[%zu] too", name, j);
    }
    return 0;
}

static int check_queues(const struct config *config, struct err *err)
{
    for (size_t i = 0; i < config->pool_ct; i++) {
        struct config_value value =
            config_value_named(config, SECTION_POOLS, "queues", i);
        const struct text_list *queues = &config->pools[i].queues;

        for (size_t j = 0; j < queues->ct; j++) {
            struct err why = {0};

            if (queue_name_check(queues->items[j], &why) != 0)
                return config_value_fail(config, &value, (int64_t)j, err, "%s", why.text);
            for (size_t k = 0; k < j; k++)
                if (strcmp(queues->items[j], queues->items[k]) == 0)
                    return config_value_fail(config, &value, (int64_t)j, err,
                                             "\"%s\" is there twice", queues->items[j]);
        }
    }
    return 0;
}

/* ---- jobs ---- */

static int check_job_names(const struct config *config, struct err *err)
{
    for (size_t i = 0; i < config->job_ct; i++) {
        struct config_value value = config_value_named(config, SECTION_JOBS, "name", i);

        for (size_t j = 0; j < i; j++)
            if (strcmp(config->jobs[i].name, config->jobs[j].name) == 0)
                return config_value_fail(config, &value, -1, err,
                                         "\"%s\" is the name of jobs[%zu] too",
                                         config->jobs[i].name, j);
    }
    return 0;
}

/* Whoever can push must choose neither the program nor what an interpreter runs. */
static int check_command(const struct config *config, size_t index, struct err *err)
{
    const struct text_list *command = &config->jobs[index].command;
    struct config_value value =
        config_value_named(config, SECTION_JOBS, "command", index);
    const char *risk;
    size_t at = 0;

    if (command->ct == 0)
        return 0;
    if (command->items[0][0] == '\0')
        return config_value_fail(config, &value, 0, err, "is empty");
    risk = code_find_risk(command, &at);
    return risk ? config_value_fail(config, &value, (int64_t)at, err, "%s", risk) : 0;
}

static int check_laravel(const struct config *config, size_t index, struct err *err)
{
    const struct laravel_config *laravel = &config->jobs[index].laravel;
    const struct {
        const char *name, *path;
    } paths[] = {{"app", laravel->app},
                 {"bridge", laravel->bridge},
                 {"bootstrap", laravel->bootstrap}};

    for (size_t i = 0; i < ARRAY_CT(paths); i++) {
        struct config_value value =
            config_value_named(config, SECTION_JOBS, paths[i].name, index);

        if (paths[i].path && paths[i].path[0] != '/')
            return config_value_fail(config, &value, -1, err, "expects an absolute path");
    }
    return 0;
}

static int check_job(const struct config *config, size_t index, struct err *err)
{
    const struct job_config *job = &config->jobs[index];
    struct config_value value = config_value_named(config, SECTION_JOBS, "env", index);

    for (size_t i = 0; i < job->env.ct; i++) {
        const char *equals = strchr(job->env.items[i], '=');

        if (equals == NULL || equals == job->env.items[i])
            return config_value_fail(config, &value, (int64_t)i, err,
                                     "expects \"NAME=value\"");
    }
    value = config_value_named(config, SECTION_JOBS, "cwd", index);
    if (job->cwd && job->cwd[0] != '/')
        return config_value_fail(config, &value, -1, err, "expects an absolute path");
    if (job->type == JOB_HTTP && config_check_http(config, index, err) != 0)
        return -1;
    if (job->type == JOB_SQL && config_check_sql(config, index, err) != 0)
        return -1;
    if (job->type == JOB_LARAVEL && check_laravel(config, index, err) != 0)
        return -1;
    return check_command(config, index, err);
}

static int check_jobs(const struct config *config, struct err *err)
{
    for (size_t i = 0; i < config->job_ct; i++)
        if (check_job(config, i, err) != 0)
            return -1;
    return 0;
}

int config_check(const struct config *config, struct err *err)
{
    static int (*const checks[])(const struct config *config, struct err *err) = {
        check_state_dir,        check_twice,  check_server,
        check_postgres,         check_listen, check_hang_timeout,
        check_pool_names,       check_queues, check_job_names,
        config_check_databases, check_jobs,
    };

    for (size_t i = 0; i < ARRAY_CT(checks); i++)
        if (checks[i](config, err) != 0)
            return -1;
    return 0;
}

/* ---- placeholders ---- */

static int check_texts(const struct config *config, const struct config_value *value,
                       config_text_cb check, struct err *err)
{
    const struct text_list *list = value->base;
    const char *text = *(char *const *)value->base;
    struct err why = {0};

    if (value->setting->type == SETTING_TEXT)
        return text == NULL || check(text, &why) == 0
                   ? 0
                   : config_value_fail(config, value, -1, err, "%s", why.text);
    for (size_t i = 0; i < list->ct; i++)
        if (check(list->items[i], &why) != 0)
            return config_value_fail(config, value, (int64_t)i, err, "%s", why.text);
    return 0;
}

int config_check_templates(const struct config *config, config_text_cb check,
                           struct err *err)
{
    for (struct config_value value = {0}; config_next(config, &value);)
        if (value.setting->flags & SETTING_TEMPLATE &&
            check_texts(config, &value, check, err) != 0)
            return -1;
    return 0;
}
