/* What the settings of a webhook job must be, as far as it can be told without a payload.
 */
#include <ctype.h>
#include <string.h>

#include "base/address.h"
#include "base/must.h"
#include "base/text.h"
#include "config/check.h"
#include "config/origin.h"

static bool begins_with(const char *text, const char *start)
{
    return strncasecmp(text, start, strlen(start)) == 0;
}

/* One placeholder and nothing else. */
static bool is_placeholder(const char *url)
{
    const char *close = strchr(url, '}');

    return url[0] == '{' && url[1] != '{' && close != NULL && close[1] == '\0';
}

/* Of "host:port/path"; an IPv6 address stands in brackets. Where a placeholder is, only a
 * payload tells. */
static bool is_port_good(const char *host)
{
    size_t len = strcspn(host, "/?#");
    const char *colon = memrchr(host, ':', len), *bracket = memrchr(host, ']', len);
    char text[8];
    int64_t port;

    if (colon == NULL || (bracket && bracket > colon) || memchr(host, '{', len))
        return true;
    len -= (size_t)(colon + 1 - host);
    if (len == 0)
        return true; /* as if there were no colon */
    if (len >= sizeof(text))
        return false;
    memcpy(text, colon + 1, len);
    text[len] = '\0';
    return text_integer(text, 1, UINT16_MAX, &port, NULL) == 0;
}

static int check_url(const struct config *config, size_t index, struct err *err)
{
    const char *url = config->jobs[index].http.url;
    struct config_value value = config_value_named(config, SECTION_JOBS, "url", index);
    size_t host;

    if (url == NULL || is_placeholder(url))
        return 0; /* the one is told elsewhere, the other when there is a payload */
    if (!begins_with(url, "http://") && !begins_with(url, "https://"))
        return config_value_fail(config, &value, -1, err,
                                 "expects http:// or https:// at its start, or one "
                                 "placeholder and nothing else");
    host = (size_t)(strstr(url, "//") + 2 - url);
    if (memchr(url + host, '@', strcspn(url + host, "/?#")))
        return config_value_fail(config, &value, -1, err,
                                 "holds a user or password: put them into headers");
    if (!is_port_good(url + host))
        return config_value_fail(config, &value, -1, err,
                                 "the port is no number from 1 to %d", UINT16_MAX);
    return 0;
}

/* ---- headers ---- */

/* RFC 9110's token, which methods and header names are. */
static size_t token_len(const char *text)
{
    size_t len = 0;

    while (text[len] != '\0' &&
           (isalnum((unsigned char)text[len]) || strchr("!#$%&'*+-.^_`|~", text[len])))
        len++;
    return len;
}

/* Headers that drover or curl writes. */
static bool is_taken(const char *name, size_t len)
{
    static const char *const names[] = {"connection",
                                        "content-length",
                                        "expect",
                                        "host",
                                        "te",
                                        "transfer-encoding",
                                        "upgrade",
                                        "webhook-id",
                                        "webhook-signature",
                                        "webhook-timestamp",
                                        "idempotency-key"};

    for (size_t i = 0; i < ARRAY_CT(names); i++)
        if (strlen(names[i]) == len && strncasecmp(name, names[i], len) == 0)
            return true;
    return false;
}

static int check_headers(const struct config *config, size_t index, struct err *err)
{
    const struct text_list *headers = &config->jobs[index].http.headers;
    struct config_value value =
        config_value_named(config, SECTION_JOBS, "headers", index);

    for (size_t i = 0; i < headers->ct; i++) {
        size_t len = token_len(headers->items[i]);

        if (len == 0 || headers->items[i][len] != ':')
            return config_value_fail(config, &value, (int64_t)i, err,
                                     "expects \"Name: value\"");
        if (is_taken(headers->items[i], len))
            return config_value_fail(config, &value, (int64_t)i, err,
                                     "%.*s is written by drover", (int)len,
                                     headers->items[i]);
    }
    return 0;
}

static int check_method(const struct config *config, size_t index, struct err *err)
{
    const struct http_config *http = &config->jobs[index].http;
    struct config_value value = config_value_named(config, SECTION_JOBS, "method", index);
    size_t upper = strspn(http->method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");

    if (upper == 0 || http->method[upper] != '\0')
        return config_value_fail(config, &value, -1, err,
                                 "expects a method in capital letters, like \"PUT\"");
    if (http->body != NULL && http_method_is_bare(http->method)) {
        value = config_value_named(config, SECTION_JOBS, "body", index);
        return config_value_fail(config, &value, -1, err, "a %s is sent without a body",
                                 http->method);
    }
    return 0;
}

/* ---- files and networks ---- */

static int check_files(const struct config *config, size_t index, struct err *err)
{
    static const char *const names[] = {"ca_file", "cert_file", "key_file"};
    const struct http_config *http = &config->jobs[index].http;
    struct config_value value;

    for (size_t i = 0; i < ARRAY_CT(names); i++) {
        const char *path;

        value = config_value_named(config, SECTION_JOBS, names[i], index);
        path = *(char *const *)value.base;
        if (path != NULL && path[0] != '/')
            return config_value_fail(config, &value, -1, err, "expects an absolute path");
    }
    if (http->key_file == NULL || http->cert_file != NULL)
        return 0;
    value = config_value_named(config, SECTION_JOBS, "key_file", index);
    return config_value_fail(config, &value, -1, err, "needs a cert_file");
}

static int check_networks(const struct config *config, size_t index, struct err *err)
{
    const struct text_list *networks = &config->jobs[index].http.allow_networks;
    struct config_value value =
        config_value_named(config, SECTION_JOBS, "allow_networks", index);

    for (size_t i = 0; i < networks->ct; i++) {
        struct network network;
        struct err why;

        if (network_parse(networks->items[i], &network, &why) != 0)
            return config_value_fail(config, &value, (int64_t)i, err, "%s", why.text);
    }
    return 0;
}

bool http_method_is_bare(const char *method)
{
    return strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0 ||
           strcmp(method, "DELETE") == 0;
}

int config_check_http(const struct config *config, size_t index, struct err *err)
{
    static int (*const checks[])(const struct config *config, size_t index,
                                 struct err *err) = {
        check_url, check_method, check_headers, check_files, check_networks};

    for (size_t i = 0; i < ARRAY_CT(checks); i++)
        if (checks[i](config, index, err) != 0)
            return -1;
    return 0;
}
