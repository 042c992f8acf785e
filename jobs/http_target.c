/* Reading the settings of a webhook job into what its requests need. */
#include "jobs/http_target.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static int read_networks(struct http_target *target, struct err *err)
{
    const struct text_list *texts = &target->config->allow_networks;

    target->networks = must_realloc(NULL, texts->ct + 1, sizeof(*target->networks));
    for (size_t i = 0; i < texts->ct; i++)
        if (network_parse(texts->items[i], &target->networks[target->network_ct++],
                          err) != 0)
            return err_prefix(err, "allow_networks");
    return 0;
}

/* `name` with its colon. */
static bool has_header(const struct text_list *headers, const char *name)
{
    for (size_t i = 0; i < headers->ct; i++)
        if (strncasecmp(headers->items[i], name, strlen(name)) == 0)
            return true;
    return false;
}

/* ---- endpoints ---- */

static int url_error(struct err *err, CURLUcode code)
{
    if (code == CURLUE_USER_NOT_ALLOWED)
        return err_set(err, ERR_BAD_INPUT, "the URL holds a user or password");
    return err_set(err, ERR_BAD_INPUT, "the URL is none: %s", curl_url_strerror(code));
}

int http_url_read(CURLU *url, const char *text, struct err *err)
{
    CURLUcode code = curl_url_set(url, CURLUPART_URL, text,
                                  CURLU_DISALLOW_USER | CURLU_NON_SUPPORT_SCHEME);

    return code == CURLUE_OK ? 0 : url_error(err, code);
}

int http_url_endpoint(CURLU *url, char endpoint[ENDPOINT_NAME_BYTES], struct err *err)
{
    char *scheme = NULL, *host = NULL, *port = NULL;
    CURLUcode code = curl_url_get(url, CURLUPART_SCHEME, &scheme, 0);
    int len = 0, rc = 0;

    if (code == CURLUE_OK)
        code = curl_url_get(url, CURLUPART_HOST, &host, 0);
    if (code == CURLUE_OK)
        code = curl_url_get(url, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT);
    if (code != CURLUE_OK)
        rc = url_error(err, code);
    else if (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0)
        rc = err_set(err, ERR_BAD_INPUT, "the URL's scheme is neither http nor https");
    else
        len = snprintf(endpoint, ENDPOINT_NAME_BYTES, "%s://%s:%s", scheme, host, port);
    if (len >= ENDPOINT_NAME_BYTES)
        rc = err_set(err, ERR_BAD_INPUT, "the URL's host is too long");
    curl_free(scheme);
    curl_free(host);
    curl_free(port);
    return rc;
}

/* Where scheme, host and port are the configuration's, all requests go to one endpoint.
 */
static void find_endpoint(struct http_target *target)
{
    const char *url = target->config->url, *host = strstr(url, "//");
    size_t len = strcspn(url, "{");
    CURLU *parsed;
    char *start;

    if (host == NULL || (size_t)(host + 2 - url) + strcspn(host + 2, "/?#") >= len)
        return;
    start = must_strndup(url, len);
    parsed = curl_url();
    MUST(parsed != NULL);
    if (http_url_read(parsed, start, NULL) != 0 ||
        http_url_endpoint(parsed, target->endpoint, NULL) != 0)
        target->endpoint[0] = '\0'; /* each request will say so */
    curl_url_cleanup(parsed);
    free(start);
}

int http_target_init(struct http_target *target, const struct http_config *config,
                     struct err *err)
{
    *target = (struct http_target){
        .config = config,
        .rules = {.max_in_flight = config->max_in_flight,
                  .breaker_failures = config->breaker_failures},
        .bare = http_method_is_bare(config->method),
        .typed = has_header(&config->headers, "content-type:"),
        .named = has_header(&config->headers, "user-agent:"),
    };
    find_endpoint(target);
    if (read_networks(target, err) != 0)
        return -1;
    if (config->secret != NULL &&
        webhook_keys_parse(slice_text(config->secret), &target->keys, err) != 0)
        return err_prefix(err, "secret");
    return 0;
}

void http_target_free(struct http_target *target)
{
    webhook_keys_wipe(&target->keys);
    free(target->networks);
    target->networks = NULL;
    target->network_ct = 0;
}

const char *http_target_refuses(const struct http_target *target,
                                const struct sockaddr *address)
{
    const char *why = address_not_public(address);

    for (size_t i = 0; why != NULL && i < target->network_ct; i++)
        if (network_holds(&target->networks[i], address))
            return NULL;
    return why;
}

/* ---- handles ---- */

static void apply_tls(const struct http_config *config, CURL *easy)
{
    (void)curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (config->ca_file != NULL)
        (void)curl_easy_setopt(easy, CURLOPT_CAINFO, config->ca_file);
    if (config->cert_file != NULL)
        (void)curl_easy_setopt(easy, CURLOPT_SSLCERT, config->cert_file);
    if (config->cert_file != NULL)
        (void)curl_easy_setopt(easy, CURLOPT_SSLKEY,
                               config->key_file ? config->key_file : config->cert_file);
}

static void apply_method(const struct http_target *target, CURL *easy)
{
    if (strcmp(target->config->method, "HEAD") == 0)
        (void)curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    else if (!target->bare)
        (void)curl_easy_setopt(easy, CURLOPT_POST, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, target->config->method);
}

void http_target_apply(const struct http_target *target, CURL *easy)
{
    (void)curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    (void)curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    (void)curl_easy_setopt(easy, CURLOPT_NOPROXY, "*"); /* the environment is not asked */
    (void)curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    (void)curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_HTTP09_ALLOWED, 0L);
    (void)curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                           (long)target->config->connect_timeout_ms);
    (void)curl_easy_setopt(easy, CURLOPT_PIPEWAIT, 1L); /* rather HTTP/2 than a new one */
    apply_method(target, easy);
    apply_tls(target->config, easy);
}
