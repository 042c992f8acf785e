/* libcurl's transfers on our event loop: one multi handle with its connections, kept and
 * shared by all transfers.
 */
#ifndef JOBS_HTTP_MULTI_H
#define JOBS_HTTP_MULTI_H

#include <curl/curl.h>
#include <sys/queue.h>

#include "base/err.h"
#include "base/loop.h"

struct http_multi;

/* One request on its way, or none: the caller's, with its handle. `done` is called from
 * the loop, never from inside http_multi_start(), once the transfer has been taken out;
 * `easy` may then be asked for its facts. */
typedef void (*http_multi_done_cb)(void *arg, CURLcode code);
struct http_transfer {
    CURL *easy;
    http_multi_done_cb done;
    void *arg;
    TAILQ_ENTRY(http_transfer) link; /* this module's, as is the next */
    bool waits;                      /* for its turn; curl has not got it */
};

/* Keeps up to `connections` open while nobody needs them, and raises this process's limit
 * of descriptors where it is lower. */
struct http_multi *http_multi_create(struct loop *loop, long connections,
                                     struct err *err) MUSTCHECK;
/* NULL is fine. No transfer may be left. */
void http_multi_destroy(struct http_multi *multi);

/* Options that a transfer's handle needs once, before its first start here;
 * CURLOPT_PRIVATE is among them. */
void http_multi_adopt(struct http_multi *multi, struct http_transfer *transfer);

/* For CURLOPT_OPENSOCKETFUNCTION of such a handle; CURL_SOCKET_BAD, with errno. */
curl_socket_t http_multi_open_socket(struct http_multi *multi,
                                     const struct curl_sockaddr *address);

void http_multi_start(struct http_multi *multi, struct http_transfer *transfer);

/* Ends a started transfer without a call to `done`. Not from inside a callback of curl's
 * own (those that are set with CURLOPT_...). */
void http_multi_abort(struct http_multi *multi, struct http_transfer *transfer);

#endif
