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
#include "jobs/json.h"

enum { PAYLOAD_DEPTH_MAX = JSON_DEPTH_MAX, PAYLOAD_NAME_MAX = 255 };

/* All slices borrow from `raw`. A field of a wrong type (maxTries: "x") is a problem only
 * where it would decide something: payload_scan() fails and names it. Numbers may be
 * written in any way that means the same (1e+14, 3.0): a PHP worker's pop rewrites them.
 */
struct payload {
    struct slice raw;
    struct json_value uuid, display_name, job, id, data, traceparent;
    int64_t attempts;           /* 0 where absent; at most PAYLOAD_ATTEMPTS_MAX */
    struct slice attempts_text; /* absent: the payload has none */
    int64_t max_tries;          /* -1: absent or null; 0: without limit */
    int64_t timeout_ms;   /* -1: absent or null; 0: without limit, as is one below 0 */
    int64_t retry_until;  /* unix seconds; -1: absent, null or 0; 0: long ago (below 0) */
    struct slice backoff; /* seconds: "1,5,10" without quotes, "1, 5" out of [1, 5], or a
                             number's text; where there is none, that of `delay`, as
                             Laravel's Job::backoff() does; "": no delay; absent: none */
    int64_t created_at_ms; /* from pushedAt, else createdAt; -1: unknown */
    int64_t delay_ms;      /* deliberate delay at push; 0: none */
};

enum { PAYLOAD_ATTEMPTS_MAX = 1000000000 };

/* Reads `raw` (borrowed, must outlive `p`). -1: not a payload drover can run; `err` says
 * what and at which byte (from 0), never quoting the payload. Whatever it returns, raw
 * stays. Bytes that are not UTF-8 pass inside strings: `data` reaches its handler as it
 * is, a name with them is refused by payload_name(). */
int payload_scan(struct payload *p, struct slice raw, struct err *err) MUSTCHECK;

/* The job's name: displayName, or where that is absent, null or "", job. Decoded into
 * `name` (size >= PAYLOAD_NAME_MAX + 1), NUL-terminated. -1: it is no string of
 * 1..PAYLOAD_NAME_MAX bytes of UTF-8 without NUL. */
int payload_name(const struct payload *p, char *name, size_t size,
                 struct err *err) MUSTCHECK;

/* The uuid, decoded, if it is a non-empty string of at most 63 printable ASCII bytes
 * without spaces that fits `size`; else false and `uuid` untouched. */
bool payload_uuid(const struct payload *p, char *uuid, size_t size);

/* Finds "data.items.0.file" from the payload's top: object keys compared after decoding,
 * array elements by index. VALUE_ABSENT where the path leads nowhere. */
struct json_value payload_lookup(const struct payload *p, const char *path);

/* The next of the seconds in a backoff text, in ms, and `*rest` moves behind it (absent
 * behind the last): 1, 0 at the end, -1: that is no number. Below 0 and nothing at all
 * ("1,,5", "") count as 0, as in PHP. */
int payload_next_backoff(struct slice *rest, int64_t *ms) MUSTCHECK;

/* Appends the payload with attempts set to `n` >= 0, all other bytes as they were;
 * inserted as the last member where it has none. `p` must be from a successful scan. A
 * pad is taken off: the script that needs one makes its own. -1: `out` is full. */
int payload_with_attempts(const struct payload *p, int64_t n, struct buf *out) MUSTCHECK;

/* payload_with_attempts(), and where it has no uuid that one is given as its last member,
 * or in the place of what is there: null, "", or no string. From then on the job has a
 * name that stays. `uuid` needs no escaping. */
int payload_released(const struct payload *p, int64_t n, const char *uuid,
                     struct buf *out) MUSTCHECK;

/* A payload that another queue driver kept, as one of Redis has to be: attempts set to
 * `n`, and where it has no uuid (as above) or no id (absent, null) the given ones, which
 * need no escaping. All other bytes as they were. `p` must be from a successful scan. */
int payload_imported(const struct payload *p, int64_t n, const char *uuid, const char *id,
                     struct buf *out) MUSTCHECK;

/* Two payloads of equal bytes would be one member of a zset. The reserve script appends a
 * pad of PAYLOAD_PAD_BYTES spaces and tabs to make the second distinct; JSON allows it.
 * It is PAYLOAD_PAD_MAGIC, then 32 bits of a counter, the highest first, tab for 1 and
 * space for 0. This takes one such pad off again, for records. */
#define PAYLOAD_PAD_MAGIC "\t \t\t \t  \t \t\t \t  "
enum { PAYLOAD_PAD_BYTES = 48 };
struct slice payload_without_pad(struct slice raw);

#endif
