/* Composing webhook requests.
 *
 * Follows Standard Webhooks 1.0: webhook-id is the job's uuid and the same on every
 * attempt, webhook-timestamp is this attempt's, webhook-signature covers both and the
 * body, byte for byte as it is sent. Must not know of connections.
 */
#include "jobs/http_request.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "jobs/template.h"

/* ---- the URL ---- */

static int url_error(struct err *err, CURLUcode code)
{
    if (code == CURLUE_USER_NOT_ALLOWED)
        return err_set(err, ERR_BAD_INPUT, "the URL holds a user or password");
    return err_set(err, ERR_BAD_INPUT, "the URL is none: %s", curl_url_strerror(code));
}

static int name_endpoint(struct http_request *request, CURLU *url, struct err *err)
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
        len = snprintf(request->endpoint, sizeof(request->endpoint), "%s://%s:%s", scheme,
                       host, port);
    if (len >= (int)sizeof(request->endpoint))
        rc = err_set(err, ERR_BAD_INPUT, "the URL's host is too long");
    curl_free(scheme);
    curl_free(host);
    curl_free(port);
    return rc;
}

static int build_url(struct http_request *request, const struct http_target *target,
                     const struct job *job, struct err *err)
{
    CURLU *url;
    CURLUcode code;
    int rc;

    if (template_expand(target->config->url, TEMPLATE_URL, job->payload, &request->url,
                        err) != 0)
        return err_prefix(err, "url");
    url = curl_url();
    MUST(url != NULL);
    code = curl_url_set(url, CURLUPART_URL, request->url.data,
                        CURLU_DISALLOW_USER | CURLU_NON_SUPPORT_SCHEME);
    rc = code == CURLUE_OK ? name_endpoint(request, url, err) : url_error(err, code);
    curl_url_cleanup(url);
    return rc;
}

/* ---- headers ---- */

static void add_header(struct http_request *request, const char *line)
{
    struct curl_slist *longer = curl_slist_append(request->headers, line);

    MUST(longer != NULL);
    request->headers = longer;
}

static int add_configured(struct http_request *request, const struct text_list *headers,
                          const struct payload *payload, struct err *err)
{
    struct buf line;
    int rc = 0;

    buf_init(&line, HTTP_HEADER_BYTES_MAX);
    for (size_t i = 0; rc == 0 && i < headers->ct; i++) {
        buf_clear(&line);
        rc = template_expand(headers->items[i], TEMPLATE_HEADER, payload, &line, err);
        if (rc == 0)
            add_header(request, line.data);
        else
            (void)err_prefix(err, "headers[%zu]", i);
    }
    buf_free(&line);
    return rc;
}

/* "00-<32 hex>-<16 hex>-<2 hex>" (W3C Trace Context), nothing else goes on. */
static void add_traceparent(struct http_request *request, const struct payload *payload,
                            struct buf *line)
{
    struct json_value value = payload_lookup(payload, "traceparent");
    size_t start;

    buf_clear(line);
    (void)buf_add_text(line, "traceparent: ");
    start = line->len;
    if (value.kind == VALUE_STRING && json_decode_string(value.text, line, NULL) == 0 &&
        line->len - start == 55 && strspn(line->data + start, "0123456789abcdef-") == 55)
        add_header(request, line->data);
}

static int add_signature(struct http_request *request, const struct http_target *target,
                         const struct job *job, int64_t now_s, struct buf *line,
                         struct err *err)
{
    if (target->keys.ct == 0)
        return 0;
    buf_clear(line);
    (void)buf_add_text(line, "webhook-signature: ");
    if (webhook_sign(&target->keys, job->uuid, now_s, request->body, line, err) != 0)
        return -1;
    add_header(request, line->data);
    return 0;
}

static int add_identity(struct http_request *request, const struct http_target *target,
                        const struct job *job, int64_t now_s, struct err *err)
{
    struct buf line;
    int rc;

    buf_init(&line, HTTP_HEADER_BYTES_MAX);
    (void)buf_addf(&line, "webhook-id: %s", job->uuid);
    add_header(request, line.data);
    buf_clear(&line);
    (void)buf_addf(&line, "webhook-timestamp: %" PRId64, now_s);
    add_header(request, line.data);
    buf_clear(&line);
    (void)buf_addf(&line, "idempotency-key: %s", job->uuid);
    add_header(request, line.data);
    add_traceparent(request, job->payload, &line);
    rc = add_signature(request, target, job, now_s, &line, err);
    buf_free(&line);
    return rc;
}

/* ---- the body ---- */

static int build_body(struct http_request *request, const struct http_target *target,
                      const struct job *job, struct err *err)
{
    if (http_method_is_bare(target->config->method))
        return 0;
    if (target->config->body == NULL) {
        request->body = job->payload->data.text;
        if (request->body.ptr == NULL)
            request->body = slice_text("null");
        return 0;
    }
    if (template_expand(target->config->body, TEMPLATE_JSON, job->payload, &request->own,
                        err) != 0)
        return err_prefix(err, "body");
    request->body = buf_slice(&request->own);
    return 0;
}

/* ---- the whole ---- */

int http_request_build(struct http_request *request, const struct http_target *target,
                       const struct job *job, int64_t now_s, struct err *err)
{
    *request = (struct http_request){.headers = NULL};
    buf_init(&request->url, HTTP_URL_BYTES_MAX);
    buf_init(&request->own, 0);
    if (build_url(request, target, job, err) != 0 ||
        build_body(request, target, job, err) != 0)
        return -1;
    add_header(request, "Expect:"); /* curl would wait for a 100 before a long body */
    if (!target->typed && !http_method_is_bare(target->config->method))
        add_header(request, "Content-Type: application/json");
    if (add_configured(request, &target->config->headers, job->payload, err) != 0)
        return -1;
    return add_identity(request, target, job, now_s, err);
}

void http_request_free(struct http_request *request)
{
    buf_free(&request->url);
    buf_free(&request->own);
    curl_slist_free_all(request->headers);
    request->headers = NULL;
}

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

static void apply_method(const struct http_request *request, const char *method,
                         CURL *easy)
{
    if (strcmp(method, "HEAD") == 0)
        (void)curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    if (!http_method_is_bare(method)) {
        (void)curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
                               (curl_off_t)request->body.len);
        (void)curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request->body.ptr);
    }
    (void)curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method);
}

void http_request_apply(const struct http_request *request,
                        const struct http_target *target, CURL *easy)
{
    (void)curl_easy_setopt(easy, CURLOPT_URL, request->url.data);
    (void)curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    (void)curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    (void)curl_easy_setopt(easy, CURLOPT_PROXY, ""); /* also none of the environment's */
    (void)curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    (void)curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_HTTP09_ALLOWED, 0L);
    (void)curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_USERAGENT, "drover/" PACKAGE_VERSION);
    (void)curl_easy_setopt(easy, CURLOPT_HTTPHEADER, request->headers);
    (void)curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                           (long)target->config->connect_timeout_ms);
    (void)curl_easy_setopt(easy, CURLOPT_PIPEWAIT, 1L); /* rather HTTP/2 than a new one */
    apply_method(request, target->config->method, easy);
    apply_tls(target->config, easy);
}
