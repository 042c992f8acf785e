/* What databases and the jobs that use them must be, as far as it can be told without a
 * payload and without the database. */
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "config/check.h"
#include "config/dsn.h"
#include "config/origin.h"
#include "config/statement.h"

/* ---- databases ---- */

static int check_name(const struct config *config, size_t index, struct err *err)
{
    struct config_value value =
        config_value_named(config, SECTION_DATABASES, "name", index);
    const char *name = config->databases[index].name;

    for (size_t i = 0; i < index; i++)
        if (strcmp(name, config->databases[i].name) == 0)
            return config_value_fail(config, &value, -1, err,
                                     "\"%s\" is the name of databases[%zu] too", name, i);
    return 0;
}

static int check_place(const struct config *config, size_t index, struct err *err)
{
    const struct database_config *database = &config->databases[index];
    struct config_value value =
        config_value_named(config, SECTION_DATABASES, "dsn", index);
    struct err why = {0};

    if (database->dsn == NULL && database->service == NULL) {
        value = config_value_named(config, SECTION_DATABASES, "name", index);
        return config_value_fail(config, &value, -1, err,
                                 "\"%s\" has neither dsn nor service", database->name);
    }
    if (database->dsn != NULL && database->service != NULL)
        return config_value_fail(config, &value, -1, err,
                                 "service is given too: leave one of them out");
    if (database->dsn != NULL && postgres_dsn_check(database->dsn, &why) != 0)
        return config_value_fail(config, &value, -1, err, "%s", why.text);
    return 0;
}

int config_check_databases(const struct config *config, struct err *err)
{
    for (size_t i = 0; i < config->database_ct; i++)
        if (check_name(config, i, err) != 0 || check_place(config, i, err) != 0)
            return -1;
    return 0;
}

const struct database_config *config_database_of(const struct config *config,
                                                 const struct sql_config *sql)
{
    for (size_t i = 0; i < config->database_ct; i++)
        if (strcmp(config->databases[i].name, sql->database) == 0)
            return &config->databases[i];
    return NULL;
}

bool config_database_needs_inbox(const struct config *config,
                                 const struct database_config *database)
{
    for (size_t i = 0; i < config->job_ct; i++)
        if (config->jobs[i].type == JOB_SQL && config->jobs[i].sql.once &&
            config_database_of(config, &config->jobs[i].sql) == database)
            return true;
    return false;
}

/* ---- jobs ---- */

/* Keys or indexes with dots between them. */
static bool is_path(const char *path)
{
    char before = '.';

    for (; *path; path++) {
        if (strchr("{}\"'\\", *path) || (*path == '.' && before == '.'))
            return false;
        before = *path;
    }
    return before != '.';
}

static int check_params(const struct config *config, size_t index, struct err *err)
{
    const struct text_list *params = &config->jobs[index].sql.params;
    struct config_value value = config_value_named(config, SECTION_JOBS, "params", index);

    for (size_t i = 0; i < params->ct; i++)
        if (!is_path(params->items[i]))
            return config_value_fail(config, &value, (int64_t)i, err,
                                     "expects a path like \"data.file\"");
    return 0;
}

/* PostgreSQL takes as many values as it finds parameters, and each must be somewhere. */
static int check_param_ct(const struct config *config, size_t index, size_t highest,
                          const bool *used, struct err *err)
{
    size_t ct = config->jobs[index].sql.params.ct;
    struct config_value value =
        config_value_named(config, SECTION_JOBS, "statement", index);

    if (highest > ct)
        return config_value_fail(config, &value, -1, err,
                                 "$%zu has no path: params has %zu", highest, ct);
    value = config_value_named(config, SECTION_JOBS, "params", index);
    for (size_t i = 0; i < ct; i++)
        if (!used[i])
            return config_value_fail(config, &value, (int64_t)i, err,
                                     "the statement has no $%zu: add it, or leave this "
                                     "path out",
                                     i + 1);
    return 0;
}

static int check_statement(const struct config *config, size_t index, struct err *err)
{
    const struct sql_config *sql = &config->jobs[index].sql;
    struct config_value value =
        config_value_named(config, SECTION_JOBS, "statement", index);
    bool *used = must_alloc((sql->params.ct + 1) * sizeof(*used));
    size_t highest;
    struct err why;
    int rc = 0;

    if (statement_check(sql->statement, &why) != 0)
        rc = config_value_fail(config, &value, -1, err, "%s", why.text);
    else if (statement_find_params(sql->statement, used, sql->params.ct, &highest))
        rc = check_param_ct(config, index, highest, used, err);
    free(used);
    return rc;
}

/* One that can nowhere be full would always wait. A pool that holds fewer jobs at a time
 * may be there for others. */
static int check_batch(const struct config *config, size_t index, struct err *err)
{
    const struct sql_config *sql = &config->jobs[index].sql;
    struct config_value value = config_value_named(config, SECTION_JOBS, "batch", index);
    int64_t most = 0;

    for (size_t i = 0; i < config->pool_ct; i++)
        most = config->pools[i].concurrency > most ? config->pools[i].concurrency : most;
    if (sql->batch > most)
        return config_value_fail(config, &value, -1, err,
                                 "%lld is more than the concurrency of any pool (%lld at "
                                 "most): no batch would be full",
                                 (long long)sql->batch, (long long)most);
    return 0;
}

int config_check_sql(const struct config *config, size_t index, struct err *err)
{
    const struct sql_config *sql = &config->jobs[index].sql;
    const struct database_config *database = config_database_of(config, sql);
    struct config_value value =
        config_value_named(config, SECTION_JOBS, "database", index);

    if (database == NULL)
        return config_value_fail(config, &value, -1, err,
                                 "there is no \"%s\" in databases", sql->database);
    if (sql->once && database->read_only) {
        value = config_value_named(config, SECTION_JOBS, "once", index);
        return config_value_fail(config, &value, -1, err,
                                 "\"%s\" is read_only: nothing can be noted there",
                                 sql->database);
    }
    if (check_params(config, index, err) != 0 || check_statement(config, index, err) != 0)
        return -1;
    return check_batch(config, index, err);
}
