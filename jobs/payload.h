/* A job's payload as it lies in Redis, read by a bounded scanner: byte ranges into the
 * original text, never a tree, nothing allocated.
 *
 * The envelope is Laravel's (RedisQueue payloads, 8.x to 13.x): a JSON object with
 * uuid, displayName, job, maxTries, backoff, timeout, retryUntil, data, id, attempts at
 * depth 1, any order, unknown keys ignored, the last of duplicate keys counts.
 * {"job":"resize"} alone is valid. Depth is bounded by PAYLOAD_DEPTH_MAX, size by the
 * caller.
 */
#ifndef JOBS_PAYLOAD_H
#define JOBS_PAYLOAD_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

enum { PAYLOAD_DEPTH_MAX = 65536, PAYLOAD_NAME_MAX = 255 };

enum json_kind {
    JSON_ABSENT,
    JSON_NULL,
    JSON_BOOL,
    JSON_NUMBER,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT
};

struct json_value {
    enum json_kind kind;
    struct slice text; /* the value's own text; a string's with its quotes */
};

/* All slices borrow from `raw`. A field of a wrong type (maxTries: "x") is a problem only
 * where it would decide something: payload_scan() fails and names it. */
struct payload {
    struct slice raw;
    struct json_value uuid, display_name, job, id, data;
    int64_t attempts;           /* 0 where absent */
    struct slice attempts_text; /* absent: the payload has none */
    int64_t max_tries;          /* -1: absent or null; 0: without limit */
    int64_t timeout_ms;         /* -1: absent or null; 0: without limit */
    int64_t retry_until;        /* unix seconds; -1: absent or null */
    struct slice backoff;  /* "1,5,10" without quotes, or a number's text; absent: none */
    int64_t created_at_ms; /* from pushedAt, else createdAt; -1: unknown */
    int64_t delay_ms;      /* deliberate delay at push; 0: none */
};

/* Reads `raw` (borrowed, must outlive `p`). -1: not a payload drover can run; `err` says
 * what and at which byte, never quoting the payload. Whatever it returns, raw stays. */
int payload_scan(struct payload *p, struct slice raw, struct err *err) MUSTCHECK;

/* The job's name: displayName, else job. Decoded into `name` (size >= PAYLOAD_NAME_MAX +
 * 1), NUL-terminated. -1: neither is a string of 1..PAYLOAD_NAME_MAX bytes without NUL.
 */
int payload_name(const struct payload *p, char *name, size_t size,
                 struct err *err) MUSTCHECK;

/* The uuid, decoded, if it is a non-empty string of at most 63 printable ASCII bytes
 * without spaces; else false and `uuid` untouched. */
bool payload_uuid(const struct payload *p, char *uuid, size_t size);

/* Finds "data.items.0.file" from the payload's top: object keys compared after decoding,
 * array elements by index. JSON_ABSENT where the path leads nowhere. */
struct json_value payload_lookup(const struct payload *p, const char *path);

/* Appends a string value's decoded bytes (UTF-8). -1: lone surrogate, or the value is no
 * string. \u0000 gives a NUL byte: the caller decides. */
int json_decode_string(struct slice text, struct buf *out, struct err *err) MUSTCHECK;

/* Appends the payload with attempts set to `n`, all other bytes as they were; inserted as
 * the last member where it has none. `p` must be from a successful scan. */
int payload_with_attempts(const struct payload *p, int64_t n, struct buf *out) MUSTCHECK;

/* Two payloads of equal bytes would be one member of a zset. The reserve script appends a
 * pad of PAYLOAD_PAD_BYTES spaces and tabs (magic, then a counter) to make the second
 * distinct; JSON allows it. This takes such a pad off again, for records. */
enum { PAYLOAD_PAD_BYTES = 48 };
struct slice payload_without_pad(struct slice raw);

#endif
