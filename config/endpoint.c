/* From the redis.* settings to the one server they mean. */
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "config/config.h"
#include "config/origin.h"
#include "config/url.h"

enum { REDIS_PORT = 6379 };

static int fail(const struct config *config, const char *name, const char *what,
                struct err *err)
{
    struct config_value value = config_value_named(config, SECTION_REDIS, name, 0);

    return config_value_fail(config, &value, -1, err, "%s", what);
}

static void take_embedded(const struct config *config, struct redis_endpoint *endpoint)
{
    endpoint->embedded = true;
    endpoint->unix_path = must_format("%s/redis.sock", config->state_dir);
    endpoint->db = config->redis.db > 0 ? (int)config->redis.db : 0;
}

/* User, password and database of the settings count where the URL has none. */
static void take_login(const struct config *config, const struct redis_url *url,
                       struct redis_endpoint *endpoint)
{
    const struct redis_config *redis = &config->redis;
    int64_t db = url->db >= 0 ? url->db : redis->db;

    endpoint->username = must_strdup(url->username ? url->username : redis->username);
    endpoint->password = must_strdup(url->password ? url->password : redis->password);
    endpoint->db = db > 0 ? (int)db : 0;
}

static int take_url(const struct config *config, struct redis_endpoint *endpoint,
                    struct err *err)
{
    struct redis_url url;
    struct err why = {0};
    int rc = redis_url_parse(config->redis.url, &url, &why);

    if (rc != 0) {
        (void)fail(config, "url", why.text, err);
    } else {
        endpoint->unix_path = must_strdup(url.path);
        endpoint->host = must_strdup(url.host);
        endpoint->port = url.host ? (url.port ? url.port : REDIS_PORT) : 0;
        take_login(config, &url, endpoint);
    }
    redis_url_free(&url);
    return rc;
}

static int take_host(const struct config *config, struct redis_endpoint *endpoint,
                     struct err *err)
{
    const struct redis_url none = {.db = -1};
    const char *host = config->redis.host ? config->redis.host : "127.0.0.1";
    int64_t port = config->redis.port >= 0 ? config->redis.port : REDIS_PORT;

    if (strstr(host, "://"))
        return fail(config, "host", "is a URL: give it as redis.url (REDIS_URL)", err);
    if (host[0] != '/' && port == 0)
        return fail(config, "port", "0 is below the minimum of 1", err);
    if (host[0] == '/') {
        endpoint->unix_path = must_strdup(host);
    } else {
        endpoint->host = must_strdup(host);
        endpoint->port = (int)port;
    }
    take_login(config, &none, endpoint);
    return 0;
}

int redis_endpoint_resolve(const struct config *config, struct redis_endpoint *endpoint,
                           struct err *err)
{
    const char *url = config->redis.url;

    *endpoint = (struct redis_endpoint){0};
    if (url == NULL)
        return take_host(config, endpoint, err);
    if (strcmp(url, "embedded") != 0)
        return take_url(config, endpoint, err);
    take_embedded(config, endpoint);
    return 0;
}

void redis_endpoint_free(struct redis_endpoint *endpoint)
{
    must_wipe(endpoint->password);
    free(endpoint->username);
    free(endpoint->host);
    free(endpoint->unix_path);
    *endpoint = (struct redis_endpoint){0};
}

char *redis_endpoint_text(const struct redis_endpoint *endpoint)
{
    const char *host = endpoint->host ? endpoint->host : "";
    bool v6 = strchr(host, ':') != NULL;

    if (endpoint->unix_path)
        return must_format("unix:%s db %d", endpoint->unix_path, endpoint->db);
    return must_format("tcp:%s%s%s:%d db %d", v6 ? "[" : "", host, v6 ? "]" : "",
                       endpoint->port, endpoint->db);
}
