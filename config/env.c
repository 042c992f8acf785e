/* What the file leaves out: the environment with Laravel's names, then the defaults.
 *
 * Variables are read as Laravel's env() reads them: quotes around a value go, and
 * "null" and "empty" stand for no value; an empty one counts as not set.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/must.h"
#include "config/build.h"
#include "config/origin.h"
#include "config/value.h"

enum { LEAST_HANG_MS = 2000 };

static char *unquoted(const char *text)
{
    size_t len = strlen(text);

    if (len >= 2 && (text[0] == '"' || text[0] == '\'') && text[len - 1] == text[0])
        return must_strndup(text + 1, len - 2);
    return must_strdup(text);
}

static bool is_no_value(const char *text)
{
    static const char *const words[] = {"", "null", "(null)", "empty", "(empty)"};

    for (size_t i = 0; i < ARRAY_CT(words); i++)
        if (strcasecmp(text, words[i]) == 0)
            return true;
    return false;
}

bool config_env_is_set(const char *name)
{
    const char *text = getenv(name);
    char *plain = text ? unquoted(text) : NULL;
    bool set = plain && !is_no_value(plain);

    free(plain);
    return set;
}

static bool is_redis(const struct setting *setting, const char *name)
{
    return setting->section == SECTION_REDIS && strcmp(setting->name, name) == 0;
}

static enum origin_kind origin_of(const struct config *config, enum section_id section,
                                  const char *name)
{
    return config_value_named(config, section, name, 0).origin->kind;
}

/* redis.url and the pair of host and port stand for each other: where one is given, the
 * other is not looked for further down. The url's row comes first. */
static bool is_wanted(const struct config *config, const struct config_value *value)
{
    if (value->origin->kind != ORIGIN_NONE)
        return false;
    if (is_redis(value->setting, "url"))
        return origin_of(config, SECTION_REDIS, "host") == ORIGIN_NONE &&
               origin_of(config, SECTION_REDIS, "port") == ORIGIN_NONE;
    if (is_redis(value->setting, "host") || is_redis(value->setting, "port"))
        return origin_of(config, SECTION_REDIS, "url") == ORIGIN_NONE;
    return config_value_applies(config, value);
}

/* Laravel's DB_* may be about another database than the failed jobs': they count only
 * where these are to go to PostgreSQL and the file does not say to which. */
static bool is_database_wanted(const struct config *config, const struct setting *setting)
{
    static const char *const parts[] = {"host", "port", "database", "username"};

    if (config->failed.store != FAILED_IN_POSTGRES ||
        origin_of(config, SECTION_FAILED, "dsn") == ORIGIN_FILE ||
        origin_of(config, SECTION_FAILED, "dsn") == ORIGIN_GIVEN)
        return false;
    if (strcmp(setting->name, "password") == 0)
        return config->failed.password_file == NULL;
    for (size_t i = 0; strcmp(setting->name, "dsn") == 0 && i < ARRAY_CT(parts); i++)
        if (origin_of(config, SECTION_FAILED, parts[i]) == ORIGIN_FILE)
            return false;
    return true;
}

static int take(const struct config *config, const struct config_value *value,
                const char *text, enum origin_kind kind, struct err *err)
{
    struct err why = {0};

    value->origin->kind = kind;
    if (value_set_from_text(value->setting, value->base, text, &why) == 0)
        return 0;
    return config_value_fail(config, value, -1, err, "%s", why.text);
}

static int take_environment(struct config *config, const struct config_value *value,
                            struct err *err)
{
    const char *text = value->setting->env ? getenv(value->setting->env) : NULL;
    char *plain;
    int rc = 0;

    if (text == NULL || !is_wanted(config, value))
        return 0;
    if (value->setting->section == SECTION_FAILED &&
        !is_database_wanted(config, value->setting))
        return 0;
    plain = unquoted(text);
    if (!is_no_value(plain))
        rc = take(config, value, plain, ORIGIN_ENV, err);
    must_wipe(plain);
    return rc;
}

static int take_default(struct config *config, const struct config_value *value,
                        struct err *err)
{
    if (!is_wanted(config, value))
        return 0;
    value->origin->kind = ORIGIN_DEFAULT;
    return value->setting->initial
               ? take(config, value, value->setting->initial, ORIGIN_DEFAULT, err)
               : 0;
}

/* A hung worker must be gone before its leases run out; where hang_timeout is the
 * default it makes room for short leases by itself. */
static void fit_hang_timeout(struct config *config)
{
    const struct setting *setting = setting_find(SECTION_TOP, "hang_timeout");
    int64_t *hang_ms = &config->hang_timeout_ms;

    if (config_value_of(config, setting, 0).origin->kind != ORIGIN_DEFAULT)
        return;
    for (size_t i = 0; i < config->pool_ct; i++)
        if (config->pools[i].lease_ms * 2 / 3 < *hang_ms)
            *hang_ms = config->pools[i].lease_ms * 2 / 3;
    if (*hang_ms < LEAST_HANG_MS)
        *hang_ms = LEAST_HANG_MS;
}

/* DB_CONNECTION says what kind of database the DB_* beside it are about. */
static int check_connection(const struct config *config, struct err *err)
{
    static const char *const names[] = {"pgsql", "postgres", "postgresql"};
    const char *text = getenv("DB_CONNECTION");
    char *plain = text ? unquoted(text) : NULL;
    bool good = plain == NULL || is_no_value(plain);
    int rc = 0;

    for (size_t i = 0; !good && i < ARRAY_CT(names); i++)
        good = strcasecmp(plain, names[i]) == 0;
    for (struct config_value value = {0}; !good && config_next(config, &value);) {
        if (value.setting->section != SECTION_FAILED || value.origin->kind != ORIGIN_ENV)
            continue;
        rc = config_value_fail(config, &value, -1, err,
                               "DB_CONNECTION is \"%s\", not \"pgsql\": DB_* are about "
                               "another kind of database; give failed.dsn",
                               plain);
        break;
    }
    free(plain);
    return rc;
}

int config_fill(struct config *config, struct err *err)
{
    for (struct config_value value = {0}; config_next(config, &value);)
        if (take_environment(config, &value, err) != 0)
            return -1;
    if (check_connection(config, err) != 0)
        return -1;
    for (struct config_value value = {0}; config_next(config, &value);)
        if (take_default(config, &value, err) != 0)
            return -1;
    fit_hang_timeout(config);
    return 0;
}
