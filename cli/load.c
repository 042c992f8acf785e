/* Joins the configuration and the layers that understand what is in it, none of which may
 * know the other: what a worker would refuse at its start is refused here, by `config
 * check` and by a reload.
 */
#include "cli/load.h"

#include "config/check.h"
#include "config/origin.h"
#include "config/settings.h"
#include "jobs/http_target.h"
#include "jobs/sql_values.h"
#include "jobs/template.h"
#include "pg/target.h"

/* Secrets come from the file or from a file of their own; its name is what can be shown.
 */
static int check_webhooks(const struct config *config, struct err *err)
{
    for (size_t i = 0; i < config->job_ct; i++) {
        const struct http_config *http = &config->jobs[i].http;
        const char *name = http->secret_file ? "secret_file" : "secret";
        struct config_value value = config_value_named(config, SECTION_JOBS, name, i);
        struct webhook_keys keys;
        struct err why = {0};
        int rc;

        if (config->jobs[i].type != JOB_HTTP || http->secret == NULL)
            continue;
        rc = webhook_keys_parse(slice_text(http->secret), &keys, &why);
        webhook_keys_wipe(&keys);
        if (rc != 0)
            return config_value_fail(config, &value, -1, err, "%s", why.text);
    }
    return 0;
}

static int check_failed_dsn(const struct config *config, struct err *err)
{
    struct config_value value = config_value_named(config, SECTION_FAILED, "dsn", 0);
    struct postgres_endpoint endpoint = {.dsn = NULL};
    struct target target = {.dsn = NULL};
    struct err why = {0};
    int rc = 0;

    if (config->failed.store != FAILED_IN_POSTGRES)
        return 0;
    if (postgres_endpoint_resolve(config, &endpoint, &why) != 0 ||
        target_read(&target, endpoint.dsn, endpoint.password, &why) != 0)
        rc = config_value_fail(config, &value, -1, err, "%s", why.text);
    target_free(&target);
    postgres_endpoint_free(&endpoint);
    return rc;
}

static int check_database(const struct config *config, size_t index, struct err *err)
{
    const struct database_config *database = &config->databases[index];
    const char *name = database->dsn ? "dsn" : "service";
    struct config_value value =
        config_value_named(config, SECTION_DATABASES, name, index);
    struct postgres_endpoint endpoint = {.dsn = NULL};
    struct target target = {.dsn = NULL};
    struct err why = {0};
    int rc;

    database_endpoint_resolve(database, &endpoint);
    rc = target_read(&target, endpoint.dsn, endpoint.password, &why);
    target_free(&target);
    postgres_endpoint_free(&endpoint);
    if (rc == 0 && database->search_path) {
        value = config_value_named(config, SECTION_DATABASES, "search_path", index);
        rc = sql_search_path_check(database->search_path, &why);
    }
    if (rc != 0)
        return config_value_fail(config, &value, -1, err, "%s", why.text);
    return 0;
}

static int check_databases(const struct config *config, struct err *err)
{
    for (size_t i = 0; i < config->database_ct; i++)
        if (check_database(config, i, err) != 0)
            return -1;
    return 0;
}

int cli_check_config(const struct config *config, struct err *err)
{
    if (config_check_templates(config, template_check, err) == 0 &&
        check_webhooks(config, err) == 0 && check_failed_dsn(config, err) == 0 &&
        check_databases(config, err) == 0)
        return 0;
    return -1;
}

struct config *cli_load_config(const char *path, struct err *err)
{
    struct config *config = config_load(path, err);

    if (config == NULL)
        return NULL;
    if (cli_check_config(config, err) == 0)
        return config;
    config_free(config);
    return NULL;
}
