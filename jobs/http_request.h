/* The request that a webhook job makes: URL, headers, body, signature. */
#ifndef JOBS_HTTP_REQUEST_H
#define JOBS_HTTP_REQUEST_H

#include <curl/curl.h>

#include "jobs/handler.h"
#include "jobs/http_target.h"

enum { HTTP_URL_BYTES_MAX = 8192, HTTP_HEADER_BYTES_MAX = 8192 };

struct http_request {
    struct buf url;
    char endpoint[ENDPOINT_NAME_BYTES]; /* "https://hooks.example:443" */
    struct curl_slist *headers;
    struct slice body; /* borrowed from the payload, or in `own` */
    struct buf own;
};

/* From the job's payload and `now_s` (unix seconds), the time of this attempt. On error
 * the job can never be sent: a value is missing or has no place in a URL or header, the
 * URL is none, its scheme is neither http nor https, or it holds a user or password.
 * `request` must be freed in any case. */
int http_request_build(struct http_request *request, const struct http_target *target,
                       const struct job *job, int64_t now_s, struct err *err) MUSTCHECK;
void http_request_free(struct http_request *request);

/* Sets it on a handle of the target's; what that points to is the request's. */
void http_request_apply(const struct http_request *request, CURL *easy);

#endif
