/* What is kept of an answer: enough for a failed record, never more than its bounds. */
#ifndef JOBS_HTTP_RESPONSE_H
#define JOBS_HTTP_RESPONSE_H

#include <curl/curl.h>

#include "base/buf.h"

enum {
    HTTP_HEAD_KEEP_BYTES = 4096,
    HTTP_HEAD_MAX_BYTES = 64 * 1024, /* of headers in all; more is no answer */
    HTTP_BODY_KEEP_BYTES = 4096
};

struct http_response {
    struct buf head; /* status line and headers, from the last status line on */
    size_t head_bytes;
    bool head_ended; /* with the empty line */
    struct buf body; /* its first bytes */
    uint64_t body_bytes;
    uint64_t body_max_bytes;
    bool capped;      /* its body went on beyond body_max_bytes */
    bool head_capped; /* its headers did beyond HTTP_HEAD_MAX_BYTES */
};

void http_response_init(struct http_response *response, uint64_t body_max_bytes);
void http_response_clear(struct http_response *response); /* for the next answer */
void http_response_free(struct http_response *response);

/* Makes a handle fill it, for good. A bound that is reached ends the transfer with
 * CURLE_WRITE_ERROR. */
void http_response_hook(struct http_response *response, CURL *easy);

/* Appends headers and body as text for people, escaped; nothing if there was no answer.
 */
void http_response_describe(const struct http_response *response, struct buf *out);

#endif
