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

enum {
    EXPECT_FROM_BYTES = 64 * 1024, /* below curl's own bound in any version */
    KEEP_BYTES_MAX = 64 * 1024
};

/* ---- the URL ---- */

/* curl would read a text anew for each request. */
static int parse_url(struct http_request *request, struct err *err)
{
    if (request->parsed_text.len > 0 &&
        slice_equal(buf_slice(&request->parsed_text), buf_slice(&request->url)))
        return 0;
    buf_clear(&request->parsed_text);
    if (http_url_read(request->parsed, request->url.data, err) != 0)
        return -1;
    return buf_add(&request->parsed_text, request->url.data, request->url.len);
}

static int build_url(struct http_request *request, const struct http_target *target,
                     const struct job *job, struct err *err)
{
    if (template_expand(target->config->url, TEMPLATE_URL, job->payload, &request->url,
                        err) != 0)
        return err_prefix(err, "url");
    if (parse_url(request, err) != 0)
        return -1;
    if (target->endpoint[0] == '\0')
        return http_url_endpoint(request->parsed, request->endpoint, err);
    memcpy(request->endpoint, target->endpoint, sizeof(request->endpoint));
    return 0;
}

/* ---- headers ---- */

/* Lines move while more are added: they are chained once all are there. */
static void end_line(struct http_request *request)
{
    (void)buf_add_char(&request->lines, '\0');
    request->node_ct++;
}

static void chain_lines(struct http_request *request)
{
    char *line = request->lines.data;

    if (request->node_ct > request->node_max) {
        request->node_max = request->node_ct;
        request->nodes =
            must_realloc(request->nodes, request->node_max, sizeof(*request->nodes));
    }
    for (size_t i = 0; i < request->node_ct; i++) {
        bool last = i + 1 == request->node_ct;

        request->nodes[i] = (struct curl_slist){
            .data = line, .next = last ? NULL : &request->nodes[i + 1]};
        line += strlen(line) + 1;
    }
}

static void add_line(struct http_request *request, const char *name, const char *value)
{
    (void)buf_add_text(&request->lines, name);
    (void)buf_add_text(&request->lines, value);
    end_line(request);
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
            add_line(request, line.data, "");
        else
            (void)err_prefix(err, "headers[%zu]", i);
    }
    buf_free(&line);
    return rc;
}

/* "00-<32 hex>-<16 hex>-<2 hex>" (W3C Trace Context), nothing else goes on. */
static void add_traceparent(struct http_request *request, struct json_value value)
{
    struct buf text;

    if (value.kind != VALUE_STRING)
        return;
    buf_init(&text, 64);
    if (json_decode_string(value.text, &text, NULL) == 0 && text.len == 55 &&
        strspn(text.data, "0123456789abcdef-") == 55)
        add_line(request, "traceparent: ", text.data);
    buf_free(&text);
}

static int add_signature(struct http_request *request, const struct http_target *target,
                         const struct job *job, int64_t now_s, struct err *err)
{
    if (target->keys.ct == 0)
        return 0;
    (void)buf_add_text(&request->lines, "webhook-signature: ");
    if (webhook_sign(&target->keys, job->uuid, now_s, request->body, &request->lines,
                     err) != 0)
        return -1;
    end_line(request);
    return 0;
}

/* Printed once a second at most. */
static const char *seconds_text(struct http_request *request, int64_t now_s)
{
    if (request->seconds[0] == '\0' || request->now_s != now_s)
        (void)snprintf(request->seconds, sizeof(request->seconds), "%" PRId64, now_s);
    request->now_s = now_s;
    return request->seconds;
}

static int add_identity(struct http_request *request, const struct http_target *target,
                        const struct job *job, int64_t now_s, struct err *err)
{
    add_line(request, "webhook-id: ", job->uuid);
    add_line(request, "webhook-timestamp: ", seconds_text(request, now_s));
    add_line(request, "idempotency-key: ", job->uuid);
    add_traceparent(request, job->payload->traceparent);
    return add_signature(request, target, job, now_s, err);
}

/* curl would wait for a 100 before a long body. CURLOPT_USERAGENT would be printed twice
 * for each request. */
static int build_headers(struct http_request *request, const struct http_target *target,
                         const struct job *job, int64_t now_s, struct err *err)
{
    if (request->body.len >= EXPECT_FROM_BYTES)
        add_line(request, "Expect:", "");
    if (!target->named)
        add_line(request, "User-Agent: ", "drover/" PACKAGE_VERSION);
    if (!target->typed && !target->bare)
        add_line(request, "Content-Type: ", "application/json");
    if (add_configured(request, &target->config->headers, job->payload, err) != 0 ||
        add_identity(request, target, job, now_s, err) != 0)
        return -1;
    chain_lines(request);
    return 0;
}

/* ---- the body ---- */

static int build_body(struct http_request *request, const struct http_target *target,
                      const struct job *job, struct err *err)
{
    if (target->bare)
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

void http_request_init(struct http_request *request)
{
    *request = (struct http_request){.parsed = curl_url()};
    MUST(request->parsed != NULL);
    buf_init(&request->url, HTTP_URL_BYTES_MAX);
    buf_init(&request->parsed_text, HTTP_URL_BYTES_MAX);
    buf_init(&request->lines, 0);
    buf_init(&request->own, 0);
}

void http_request_free(struct http_request *request)
{
    buf_free(&request->url);
    curl_url_cleanup(request->parsed);
    buf_free(&request->parsed_text);
    buf_free(&request->lines);
    buf_free(&request->own);
    free(request->nodes);
    request->nodes = NULL;
}

void http_request_shrink(struct http_request *request)
{
    if (request->own.cap > KEEP_BYTES_MAX)
        buf_free(&request->own);
    if (request->lines.cap > KEEP_BYTES_MAX)
        buf_free(&request->lines);
}

int http_request_build(struct http_request *request, const struct http_target *target,
                       const struct job *job, int64_t now_s, struct err *err)
{
    buf_clear(&request->url);
    buf_clear(&request->lines);
    buf_clear(&request->own);
    request->node_ct = 0;
    request->body = slice_of(NULL, 0);
    if (build_url(request, target, job, err) != 0 ||
        build_body(request, target, job, err) != 0)
        return -1;
    return build_headers(request, target, job, now_s, err);
}

void http_request_hook(struct http_request *request, CURL *easy)
{
    (void)curl_easy_setopt(easy, CURLOPT_CURLU, request->parsed);
}

void http_request_apply(const struct http_request *request, CURL *easy)
{
    (void)curl_easy_setopt(easy, CURLOPT_HTTPHEADER, request->nodes);
    if (request->body.ptr == NULL)
        return;
    (void)curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
                           (curl_off_t)request->body.len);
    (void)curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request->body.ptr);
}
