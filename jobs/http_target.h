/* What requests of one jobs entry have in common, read once; and how well each endpoint
 * that they reach is doing.
 */
#ifndef JOBS_HTTP_TARGET_H
#define JOBS_HTTP_TARGET_H

#include <curl/curl.h>
#include <sys/socket.h>

#include "base/address.h"
#include "config/config.h"
#include "jobs/endpoint.h"
#include "jobs/webhook_sign.h"

enum { ENDPOINTS_MAX = 4096, ENDPOINT_NAME_BYTES = 320 };

struct http_target {
    const struct http_config *config; /* borrowed */
    struct endpoint_rules rules;
    struct webhook_keys keys; /* ct 0: requests are not signed */
    struct network *networks; /* allowed though not public */
    size_t network_ct;
    bool bare;  /* its method has no body */
    bool typed; /* a header of the configuration is Content-Type, */
    bool named; /* or User-Agent */
    char endpoint[ENDPOINT_NAME_BYTES]; /* "": payloads have a say in it */
};

int http_target_init(struct http_target *target, const struct http_config *config,
                     struct err *err) MUSTCHECK;
void http_target_free(struct http_target *target); /* wipes the keys */

/* Reads a URL; -1: it is none, or it holds a user or password. */
int http_url_read(CURLU *url, const char *text, struct err *err) MUSTCHECK;
/* Writes "https://hooks.example:443" for it; -1: its scheme is neither http nor https. */
int http_url_endpoint(CURLU *url, char endpoint[ENDPOINT_NAME_BYTES],
                      struct err *err) MUSTCHECK;

/* Sets on a handle what all requests have in common. */
void http_target_apply(const struct http_target *target, CURL *easy);

/* Why a request may not go to this address, a few words; NULL: it may. */
const char *http_target_refuses(const struct http_target *target,
                                const struct sockaddr *address);

/* Endpoints by name ("https://hooks.example:443"). At most ENDPOINTS_MAX: then those of
 * which nothing would be missed are forgotten, and where all are in use, newcomers share
 * one. */
struct endpoints;
struct endpoints *endpoints_create(void) MUSTCHECK;
void endpoints_destroy(struct endpoints *endpoints); /* NULL is fine */
/* Stays where it is as long as it is not idle (endpoint_is_idle()), or until the next
 * call. */
struct endpoint *endpoints_get(struct endpoints *endpoints, const char *name);
/* Calls each(arg, name, endpoint) for those whose breaker is open. */
typedef void (*endpoint_each_cb)(void *arg, const char *name,
                                 const struct endpoint *endpoint);
void endpoints_each_open(const struct endpoints *endpoints, endpoint_each_cb each,
                         void *arg);

#endif
