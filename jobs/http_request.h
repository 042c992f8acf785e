/* The request that a webhook job makes: URL, headers, body, signature. */
#ifndef JOBS_HTTP_REQUEST_H
#define JOBS_HTTP_REQUEST_H

#include <curl/curl.h>

#include "jobs/handler.h"
#include "jobs/http_target.h"

enum { HTTP_URL_BYTES_MAX = 8192, HTTP_HEADER_BYTES_MAX = 8192 };

/* Kept from one job to the next, so that a request seldom needs memory. */
struct http_request {
    struct buf url;
    CURLU *parsed; /* what curl has of it, read once for as long as it stays the same */
    struct buf parsed_text;             /* "": it holds nothing */
    char endpoint[ENDPOINT_NAME_BYTES]; /* "https://hooks.example:443" */
    struct buf lines;                   /* header lines, each with its NUL */
    struct curl_slist *nodes;
    size_t node_ct, node_max;
    int64_t now_s; /* what `seconds` says, "" at first */
    char seconds[24];
    struct slice body; /* borrowed from the payload, or in `own` */
    struct buf own;
};

void http_request_init(struct http_request *request);
void http_request_free(struct http_request *request);

/* Sets what stays for good on a handle that is to be this request's alone. */
void http_request_hook(struct http_request *request, CURL *easy);

/* From the job's payload and `now_s` (unix seconds), the time of this attempt; what the
 * request held before is gone. On error the job can never be sent: a value is missing or
 * has no place in a URL or header, the URL is none, its scheme is neither http nor https,
 * or it holds a user or password. */
int http_request_build(struct http_request *request, const struct http_target *target,
                       const struct job *job, int64_t now_s, struct err *err) MUSTCHECK;

/* Sets the rest on it; what that points to is the request's, until it is built anew. */
void http_request_apply(const struct http_request *request, CURL *easy);

/* Gives back what one big job needed. */
void http_request_shrink(struct http_request *request);

#endif
