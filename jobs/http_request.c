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

enum { EXPECT_FROM_BYTES = 64 * 1024 }; /* below curl's own bound in any version */

/* ---- the URL ---- */

static int build_url(struct http_request *request, const struct http_target *target,
                     const struct job *job, struct err *err)
{
    if (template_expand(target->config->url, TEMPLATE_URL, job->payload, &request->url,
                        err) != 0)
        return err_prefix(err, "url");
    if (target->endpoint[0] == '\0')
        return http_endpoint_of(request->url.data, request->endpoint, err);
    memcpy(request->endpoint, target->endpoint, sizeof(request->endpoint));
    return 0;
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

int http_request_build(struct http_request *request, const struct http_target *target,
                       const struct job *job, int64_t now_s, struct err *err)
{
    *request = (struct http_request){.headers = NULL};
    buf_init(&request->url, HTTP_URL_BYTES_MAX);
    buf_init(&request->own, 0);
    if (build_url(request, target, job, err) != 0 ||
        build_body(request, target, job, err) != 0)
        return -1;
    if (request->body.len >= EXPECT_FROM_BYTES)
        add_header(request, "Expect:"); /* curl would wait for a 100 */
    if (!target->typed && !target->bare)
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

void http_request_apply(const struct http_request *request, CURL *easy)
{
    (void)curl_easy_setopt(easy, CURLOPT_URL, request->url.data);
    (void)curl_easy_setopt(easy, CURLOPT_HTTPHEADER, request->headers);
    if (request->body.ptr == NULL)
        return;
    (void)curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
                           (curl_off_t)request->body.len);
    (void)curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request->body.ptr);
}
