/* What databases and the jobs that use them must be, as far as it can be told without a
 * payload and without the database. */
#include <string.h>
#include <strings.h>

#include "base/must.h"
#include "config/check.h"
#include "config/dsn.h"
#include "config/origin.h"

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

/* A job's statement is one among others of a transaction, and must not end it. */
static int check_statement(const struct config *config, size_t index, struct err *err)
{
    static const char *const refused[] = {"abort", "begin",    "commit",
                                          "end",   "rollback", "start"};
    const char *word = config->jobs[index].sql.statement;
    struct config_value value =
        config_value_named(config, SECTION_JOBS, "statement", index);
    size_t len;

    word += strspn(word, " \t\r\n;");
    len = strcspn(word, " \t\r\n;");
    if (len == 0)
        return config_value_fail(config, &value, -1, err, "holds no statement");
    for (size_t i = 0; i < ARRAY_CT(refused); i++)
        if (len == strlen(refused[i]) && strncasecmp(word, refused[i], len) == 0)
            return config_value_fail(
                config, &value, -1, err,
                "%.*s cannot be a job's: transactions are drover's own", (int)len, word);
    return 0;
}

/* ---- $1, $2 and so on ---- */

enum { PARAM_MAX = 65535, UNKNOWN = -1 };

/* Behind the quotes or the comment that begin at `at`; NULL: only the server can tell. */
static const char *behind_quiet(const char *at)
{
    char quote = *at;
    const char *end = quote == '-' ? strchr(at, '\n') : strchr(at + 1, quote);

    if (end == NULL)
        return quote == '-' ? at + strlen(at) : NULL;
    return memchr(at, '\\', (size_t)(end - at)) && quote == '\'' ? NULL : end + 1;
}

static bool in_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           c == '_' || c == '$' || (c & 0x80);
}

static int read_digits(const char **at)
{
    int number = 0;

    for (; **at >= '0' && **at <= '9'; (*at)++)
        number = number > PARAM_MAX ? number : number * 10 + (**at - '0');
    return number;
}

/* The highest $N that the server will see, 0 where there is none; UNKNOWN where quotes or
 * comments are of a kind that only the server understands. */
static int highest_param(const char *statement)
{
    int highest = 0;

    for (const char *at = statement; *at != '\0';) {
        if (*at == '\'' || *at == '"' || (at[0] == '-' && at[1] == '-')) {
            at = behind_quiet(at);
            if (at == NULL)
                return UNKNOWN;
        } else if (at[0] == '/' && at[1] == '*') {
            return UNKNOWN;
        } else if (*at == '$' && at[1] >= '0' && at[1] <= '9') {
            int number;

            at++;
            number = read_digits(&at);
            highest = number > highest ? number : highest;
        } else if (*at == '$') {
            return UNKNOWN;
        } else if (in_name(*at)) {
            while (in_name(*at))
                at++;
        } else {
            at++;
        }
    }
    return highest;
}

/* PostgreSQL wants as many values as the statement has places, no fewer and no more. */
static int check_places(const struct config *config, size_t index, struct err *err)
{
    const struct sql_config *sql = &config->jobs[index].sql;
    struct config_value value = config_value_named(config, SECTION_JOBS, "params", index);
    int highest = highest_param(sql->statement);

    if (highest == UNKNOWN || (size_t)highest == sql->params.ct)
        return 0;
    if ((size_t)highest < sql->params.ct)
        return config_value_fail(config, &value, highest, err,
                                 "the statement has no $%d for it", highest + 1);
    if (sql->params.ct > 0)
        return config_value_fail(config, &value, -1, err,
                                 "the statement goes up to $%d, this list ends with $%zu",
                                 highest, sql->params.ct);
    value = config_value_named(config, SECTION_JOBS, "statement", index);
    return config_value_fail(config, &value, -1, err,
                             "goes up to $%d: params are to name their paths, like "
                             "params = [ \"data.id\" ]",
                             highest);
}

/* ---- batches ---- */

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
                                 "most): no batch would "
                                 "be full",
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
    if (check_statement(config, index, err) != 0 ||
        check_params(config, index, err) != 0 || check_places(config, index, err) != 0)
        return -1;
    return check_batch(config, index, err);
}
