/* Changing a payload as text: a new number of attempts and a name in a copy, a pad taken
 * off.
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

/* A member and its new value, as JSON. `old`: the value it has; absent: it is inserted.
 */
struct edit {
    const char *name;
    struct slice old;
    const char *value;
};

/* The first that changes something from `at` on; NULL: none does. */
static const struct edit *next_edit(const struct edit *edits, size_t ct, const char *at)
{
    const struct edit *next = NULL;

    for (size_t i = 0; i < ct; i++)
        if (edits[i].old.ptr && edits[i].old.ptr >= at &&
            (next == NULL || edits[i].old.ptr < next->old.ptr))
            next = &edits[i];
    return next;
}

static int insert_members(const struct edit *edits, size_t ct, bool empty,
                          struct buf *out)
{
    for (size_t i = 0; i < ct; i++) {
        if (edits[i].old.ptr)
            continue;
        if (buf_addf(out, "%s\"%s\":%s", empty ? "" : ",", edits[i].name,
                     edits[i].value) != 0)
            return -1;
        empty = false;
    }
    return 0;
}

/* Values in their places, new members at the end. */
static int write_edited(const struct payload *p, const struct edit *edits, size_t ct,
                        struct buf *out)
{
    struct slice raw = payload_without_pad(p->raw);
    size_t brace = closing_brace(raw);
    bool empty = json_trim(slice_of(raw.ptr, brace)).len == 1; /* the opening brace */
    const char *at = raw.ptr;
    const struct edit *edit;

    while ((edit = next_edit(edits, ct, at)) != NULL) {
        if (buf_add(out, at, (size_t)(edit->old.ptr - at)) != 0 ||
            buf_add_text(out, edit->value) != 0)
            return -1;
        at = edit->old.ptr + edit->old.len;
    }
    if (buf_add(out, at, (size_t)(raw.ptr + brace - at)) != 0 ||
        insert_members(edits, ct, empty, out) != 0)
        return -1;
    return buf_add(out, raw.ptr + brace, raw.len - brace);
}

enum { VALUE_BYTES = 80 };

static struct edit edit_attempts(const struct payload *p, int64_t n,
                                 char text[VALUE_BYTES])
{
    MUST(n >= 0);
    (void)snprintf(text, VALUE_BYTES, "%" PRId64, n);
    return (struct edit){"attempts", p->attempts_text, text};
}

static struct edit edit_text(const char *name, struct slice old, const char *value,
                             char text[VALUE_BYTES])
{
    (void)snprintf(text, VALUE_BYTES, "\"%s\"", value);
    return (struct edit){name, old, text};
}

/* What is there in its place is no uuid, and was not meant as one. Another string, though
 * none that drover can use, is its producer's. */
static bool has_no_uuid(const struct payload *p)
{
    return p->uuid.kind != VALUE_STRING || json_string_is(p->uuid.text, slice_of("", 0));
}

static bool has_no_id(const struct payload *p)
{
    return p->id.kind == VALUE_ABSENT || p->id.kind == VALUE_NULL;
}

int payload_with_attempts(const struct payload *p, int64_t n, struct buf *out)
{
    char number[VALUE_BYTES];
    struct edit edit = edit_attempts(p, n, number);

    return write_edited(p, &edit, 1, out);
}

int payload_released(const struct payload *p, int64_t n, const char *uuid,
                     struct buf *out)
{
    char texts[2][VALUE_BYTES];
    struct edit edits[2] = {edit_attempts(p, n, texts[0])};
    size_t ct = 1;

    if (has_no_uuid(p))
        edits[ct++] = edit_text("uuid", p->uuid.text, uuid, texts[1]);
    return write_edited(p, edits, ct, out);
}

int payload_imported(const struct payload *p, int64_t n, const char *uuid, const char *id,
                     struct buf *out)
{
    char texts[3][VALUE_BYTES];
    struct edit edits[3] = {edit_attempts(p, n, texts[0])};
    size_t ct = 1;

    if (has_no_uuid(p))
        edits[ct++] = edit_text("uuid", p->uuid.text, uuid, texts[1]);
    if (has_no_id(p))
        edits[ct++] = edit_text("id", p->id.text, id, texts[2]);
    return write_edited(p, edits, ct, out);
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
