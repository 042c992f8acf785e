/* Placeholders: {data.file} in a configured text becomes the scalar at that path of the
 * payload.
 *
 * A string gives its decoded bytes, a number its own text (big integers untouched), true
 * and false their names. null, an array, an object or a missing path is an error that
 * names the path. {{ and }} stand for single braces. A path is one or more keys or
 * indexes with dots between them, without spaces, quotes, backslashes, braces or control
 * bytes.
 */
#ifndef JOBS_TEMPLATE_H
#define JOBS_TEMPLATE_H

#include "jobs/payload.h"

enum template_use {
    TEMPLATE_ARG,    /* one argv element: bytes as they are, NUL is an error */
    TEMPLATE_JSON,   /* a JSON text: any value, also null and objects, as it stands */
    TEMPLATE_HEADER, /* a header's value: control bytes but TAB are an error */
    TEMPLATE_URL     /* a URL, see below */
};

/* In a URL a value is percent-encoded (RFC 3986: all but letters, digits and -._~), so
 * that it cannot leave its place. In the host, between "//" and the next "/", "?" or "#",
 * it must consist of letters, digits, dots and hyphens instead. A template that is one
 * placeholder and nothing else takes the value as the whole URL, as it is: what it may
 * point to is for who connects to decide. */

/* Appends `text` expanded; the result is never split or interpreted again. -1 and `out`
 * as it was: a value that cannot be used, a malformed `text`, or `out` is full
 * (ERR_LIMIT). */
int template_expand(const char *text, enum template_use use,
                    const struct payload *payload, struct buf *out,
                    struct err *err) MUSTCHECK;

/* For the configuration's check: braces balanced, paths well-formed; `err` says where, in
 * bytes from 0. */
int template_check(const char *text, struct err *err) MUSTCHECK;

#endif
