/* Changing a payload as text: a new number of attempts in a copy, a pad taken off.
 *
 * All bytes but the ones meant stay as they are: whoever wrote the payload, or signed it,
 * must find it again. Nothing is read here that payload_scan() has not approved.
 */
#include "jobs/payload.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Where a member would be inserted: the brace that closes the object. */
static size_t closing_brace(struct slice raw)
{
    const char *start = raw.ptr;

    raw = json_trim(raw);
    return (size_t)(raw.ptr - start) + raw.len - 1;
}

/* `member`: "name":value. */
static int insert_member(struct slice raw, const char *member, struct buf *out)
{
    size_t brace = closing_brace(raw);
    struct slice before = json_trim(slice_of(raw.ptr, brace));
    bool empty = before.len == 1; /* nothing but the opening brace */

    if (buf_add(out, raw.ptr, brace) != 0 ||
        buf_addf(out, "%s%s", empty ? "" : ",", member) != 0)
        return -1;
    return buf_add(out, raw.ptr + brace, raw.len - brace);
}

static int insert_attempts(struct slice raw, int64_t n, struct buf *out)
{
    char member[40];

    (void)snprintf(member, sizeof(member), "\"attempts\":%" PRId64, n);
    return insert_member(raw, member, out);
}

int payload_with_attempts(const struct payload *p, int64_t n, struct buf *out)
{
    struct slice raw = payload_without_pad(p->raw), old = p->attempts_text;
    size_t from, to;

    MUST(n >= 0);
    if (old.ptr == NULL)
        return insert_attempts(raw, n, out);
    from = (size_t)(old.ptr - raw.ptr);
    to = from + old.len;
    if (buf_add(out, raw.ptr, from) != 0 || buf_addf(out, "%" PRId64, n) != 0)
        return -1;
    return buf_add(out, raw.ptr + to, raw.len - to);
}

int payload_released(const struct payload *p, int64_t n, const char *uuid,
                     struct buf *out)
{
    struct buf counted;
    char member[80];
    int rc;

    if (p->uuid.kind != VALUE_ABSENT)
        return payload_with_attempts(p, n, out);
    (void)snprintf(member, sizeof(member), "\"uuid\":\"%s\"", uuid);
    buf_init(&counted, 0);
    rc = payload_with_attempts(p, n, &counted);
    if (rc == 0)
        rc = insert_member(buf_slice(&counted), member, out);
    buf_free(&counted);
    return rc;
}

int payload_imported(const struct payload *p, int64_t n, const char *uuid, const char *id,
                     struct buf *out)
{
    struct buf counted;
    char members[160] = "";
    bool no_uuid = p->uuid.kind == VALUE_ABSENT, no_id = p->id.kind == VALUE_ABSENT;
    int rc;

    if (!no_uuid && !no_id)
        return payload_with_attempts(p, n, out);
    (void)snprintf(members, sizeof(members), "%s%s%s%s%s%s%s",
                   no_uuid ? "\"uuid\":\"" : "", no_uuid ? uuid : "", no_uuid ? "\"" : "",
                   no_uuid && no_id ? "," : "", no_id ? "\"id\":\"" : "", no_id ? id : "",
                   no_id ? "\"" : "");
    buf_init(&counted, 0);
    rc = payload_with_attempts(p, n, &counted);
    if (rc == 0)
        rc = insert_member(buf_slice(&counted), members, out);
    buf_free(&counted);
    return rc;
}

struct slice payload_without_pad(struct slice raw)
{
    size_t kept = raw.len - PAYLOAD_PAD_BYTES;

    if (raw.len < PAYLOAD_PAD_BYTES ||
        memcmp(raw.ptr + kept, PAYLOAD_PAD_MAGIC, sizeof(PAYLOAD_PAD_MAGIC) - 1) != 0)
        return raw;
    for (size_t i = kept; i < raw.len; i++)
        if (raw.ptr[i] != ' ' && raw.ptr[i] != '\t')
            return raw;
    return slice_of(raw.ptr, kept);
}
