/* The envelope of payloads that are no text, and texts made clean. Pure.
 *
 * The envelope is read with the scanner of payloads, for Laravel's queue:retry writes it
 * anew (other white space, \/ for /).
 */
#include "failed/raw.h"

#include <stdint.h>
#include <string.h>

#include "base/base64.h"
#include "base/text.h"
#include "jobs/payload.h"

static const char raw_job[] = "drover.raw";

/* Bytes of the character that `text` begins with; 0: a text column does not take it. */
static size_t char_bytes(struct slice text)
{
    unsigned char first = (unsigned char)text.ptr[0];
    size_t len = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;

    if (first == 0 || len > text.len || !text_is_utf8(slice_of(text.ptr, len)))
        return 0;
    return len;
}

bool failed_raw_is_text(struct slice bytes)
{
    return (bytes.len == 0 || memchr(bytes.ptr, '\0', bytes.len) == NULL) &&
           text_is_utf8(bytes);
}

void failed_raw_clean(struct buf *out, struct slice text)
{
    while (text.len > 0) {
        size_t len = char_bytes(text);

        if (len > 0) {
            (void)buf_add(out, text.ptr, len);
        } else {
            (void)buf_addf(out, "\\x%02x", (unsigned char)text.ptr[0]);
            len = 1;
        }
        text = slice_of(text.ptr + len, text.len - len);
    }
}

/* ---- the envelope ---- */

/* A uuid is printable ASCII. */
static void add_quoted(struct buf *out, const char *text)
{
    (void)buf_add_char(out, '"');
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            (void)buf_add_char(out, '\\');
        (void)buf_add_char(out, *text);
    }
    (void)buf_add_char(out, '"');
}

void failed_raw_encode(struct buf *out, const char *uuid, struct slice payload)
{
    (void)buf_add_text(out, "{\"uuid\":");
    add_quoted(out, uuid);
    (void)buf_addf(out, ",\"displayName\":\"%s\",\"job\":\"%s\",\"data\":{\"base64\":\"",
                   raw_job, raw_job);
    base64_write(out, payload);
    (void)buf_add_text(out, "\"},\"attempts\":0}");
}

bool failed_raw_decode(struct slice payload, struct buf *out)
{
    struct payload scanned;
    struct json_value value;
    struct buf text;
    size_t before = out->len;
    bool decoded;

    if (payload_scan(&scanned, payload, NULL) != 0 || scanned.job.kind != VALUE_STRING ||
        !json_string_is(scanned.job.text, slice_text(raw_job)))
        return false;
    value = payload_lookup(&scanned, "data.base64");
    if (value.kind != VALUE_STRING)
        return false;
    buf_init(&text, 0);
    decoded = json_decode_string(value.text, &text, NULL) == 0 &&
              base64_read(out, buf_slice(&text));
    if (!decoded)
        out->len = before;
    buf_free(&text);
    return decoded;
}
