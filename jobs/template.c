/* Expanding {paths} in configured texts.
 *
 * The text is the configuration's and trusted, the values are the payload's and are not:
 * they are copied whole into the one argument they stand in and never looked at again.
 * Must not know what the argument is for.
 */
#include "jobs/template.h"

#include <stdlib.h>
#include <string.h>

enum part_kind { PART_END, PART_TEXT, PART_BRACE, PART_PATH };

/* A stretch of a template that is handled alike. */
struct part {
    enum part_kind kind;
    struct slice text; /* of a PART_BRACE the brace, of a PART_PATH the path alone */
};

static bool is_path_byte(char c)
{
    unsigned char byte = (unsigned char)c;

    return byte > ' ' && byte != 0x7f && strchr("\"'\\{}", c) == NULL;
}

/* Keys or indexes with dots between them, none of them empty. */
static bool is_path(struct slice path)
{
    char before = '.';

    for (size_t i = 0; i < path.len; i++) {
        if (!is_path_byte(path.ptr[i]) || (path.ptr[i] == '.' && before == '.'))
            return false;
        before = path.ptr[i];
    }
    return before != '.';
}

static int next_path(const char *text, const char **at, struct part *part,
                     struct err *err)
{
    const char *from = *at + 1, *close = strchr(from, '}');

    part->kind = PART_PATH;
    part->text = slice_of(from, close ? (size_t)(close - from) : 0);
    if (close == NULL)
        return err_set(err, ERR_CONFIG,
                       "'{' at byte %zu is not closed; a single brace is written {{",
                       (size_t)(*at - text));
    if (!is_path(part->text))
        return err_set(
            err, ERR_CONFIG,
            "no path like data.file follows '{' at byte %zu; a single brace is "
            "written {{",
            (size_t)(*at - text));
    *at = close + 1;
    return 0;
}

/* Splits the next part off at `*at`, within `text`. */
static int next_part(const char *text, const char **at, struct part *part,
                     struct err *err)
{
    const char *from = *at;
    size_t plain = strcspn(from, "{}");

    *part = (struct part){.kind = PART_END};
    if (*from == '\0')
        return 0;
    if (plain > 0) {
        *part = (struct part){.kind = PART_TEXT, .text = slice_of(from, plain)};
        *at += plain;
    } else if (from[0] == from[1]) {
        *part = (struct part){.kind = PART_BRACE, .text = slice_of(from, 1)};
        *at += 2;
    } else if (*from == '{') {
        return next_path(text, at, part, err);
    } else {
        return err_set(err, ERR_CONFIG,
                       "'}' at byte %zu without '{'; a single brace is written }}",
                       (size_t)(from - text));
    }
    return 0;
}

static int add_bytes(struct slice bytes, struct buf *out, struct err *err)
{
    if (buf_add(out, bytes.ptr, bytes.len) == 0)
        return 0;
    return err_set(err, ERR_LIMIT, "longer than %zu bytes", out->max);
}

/* The value before it is made fit for its place. */
static int add_value(struct json_value value, enum template_use use, struct buf *out,
                     struct err *err)
{
    if (use == TEMPLATE_JSON && value.kind != VALUE_ABSENT)
        return add_bytes(value.text, out, err);
    switch (value.kind) {
    case VALUE_STRING:
        return json_decode_string(value.text, out, err);
    case VALUE_NUMBER:
    case VALUE_BOOL:
        return add_bytes(value.text, out, err);
    case VALUE_ABSENT:
        return err_set(err, ERR_BAD_INPUT, "the payload has no such value");
    case VALUE_NULL:
    case VALUE_ARRAY:
    case VALUE_OBJECT:
        break;
    }
    return err_set(err, ERR_BAD_INPUT, "the payload's value is %s, not text or a number",
                   json_kind_text(value.kind));
}

/* ---- what a value may be in its place ---- */

static bool has_byte(struct slice value, bool (*is)(unsigned char byte))
{
    for (size_t i = 0; i < value.len; i++)
        if (is((unsigned char)value.ptr[i]))
            return true;
    return false;
}

static bool is_nul(unsigned char byte)
{
    return byte == 0;
}

static bool is_no_header_byte(unsigned char byte)
{
    return (byte < ' ' && byte != '\t') || byte == 0x7f;
}

static bool is_letter_or_digit(unsigned char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9');
}

static bool is_no_host_byte(unsigned char byte)
{
    return !is_letter_or_digit(byte) && byte != '-' && byte != '.';
}

/* Whether what is written next stands in the host of the URL that begins in `url`. */
static bool is_in_host(struct slice url)
{
    const char *start = memmem(url.ptr, url.len, "//", 2);

    if (start == NULL)
        return false;
    for (const char *at = start + 2; at < url.ptr + url.len; at++)
        if (strchr("/?#", *at) != NULL)
            return false;
    return true;
}

/* A value of dots alone is a step in a path, encoded or not. */
static bool is_dot_segment(struct slice value)
{
    return slice_is(value, ".") || slice_is(value, "..");
}

static int percent_encode(struct slice value, struct buf *out)
{
    int rc = 0;

    for (size_t i = 0; i < value.len && rc == 0; i++) {
        unsigned char byte = (unsigned char)value.ptr[i];

        if (is_letter_or_digit(byte) || (byte != 0 && strchr("-._~", byte) != NULL))
            rc = buf_add_char(out, (char)byte);
        else
            rc = buf_addf(out, "%%%02X", byte);
    }
    return rc;
}

static int add_encoded(struct slice value, struct buf *out, struct err *err)
{
    if (is_dot_segment(value))
        return err_set(err, ERR_BAD_INPUT,
                       "the payload's value is %.*s, a step in a path", (int)value.len,
                       value.ptr);
    if (percent_encode(value, out) != 0)
        return err_set(err, ERR_LIMIT, "longer than %zu bytes", out->max);
    return 0;
}

static int add_url_value(struct slice value, bool whole, struct buf *out, struct err *err)
{
    if (!whole && !is_in_host(buf_slice(out)))
        return add_encoded(value, out, err);
    if (!whole && (value.len == 0 || has_byte(value, is_no_host_byte)))
        return err_set(err, ERR_BAD_INPUT,
                       "the payload's value is no part of a host name: letters, digits, "
                       "dots and hyphens");
    if (has_byte(value, is_no_header_byte))
        return err_set(err, ERR_BAD_INPUT,
                       "the payload's value holds a control byte, which no URL can");
    return add_bytes(value, out, err);
}

/* `whole`: the template is this value alone. */
static int add_used(struct slice value, enum template_use use, bool whole,
                    struct buf *out, struct err *err)
{
    switch (use) {
    case TEMPLATE_ARG:
        if (has_byte(value, is_nul))
            return err_set(err, ERR_BAD_INPUT,
                           "the payload's value holds a NUL byte, which no argument can");
        break;
    case TEMPLATE_HEADER:
        if (has_byte(value, is_no_header_byte))
            return err_set(err, ERR_BAD_INPUT,
                           "the payload's value holds a control byte, which no header "
                           "can");
        break;
    case TEMPLATE_JSON:
        break;
    case TEMPLATE_URL:
        return add_url_value(value, whole, out, err);
    }
    return add_bytes(value, out, err);
}

static int add_path(struct slice path, enum template_use use, bool whole,
                    const struct payload *payload, struct buf *out, struct err *err)
{
    char *text = slice_dup(path);
    struct buf value;
    int rc;

    buf_init(&value, out->max);
    rc = add_value(payload_lookup(payload, text), use, &value, err);
    if (rc == 0)
        rc = add_used(buf_slice(&value), use, whole, out, err);
    if (rc != 0)
        (void)err_prefix(err, "{%.200s}", text);
    buf_free(&value);
    free(text);
    return rc;
}

static int expand(const char *text, enum template_use use, const struct payload *payload,
                  struct buf *out, struct err *err)
{
    const char *at = text;
    struct part part;
    int rc = 0;

    do {
        bool first = at == text;

        if (next_part(text, &at, &part, err) != 0)
            return -1;
        if (part.kind == PART_PATH)
            rc = add_path(part.text, use, first && *at == '\0', payload, out, err);
        else if (part.kind != PART_END)
            rc = add_bytes(part.text, out, err);
    } while (rc == 0 && part.kind != PART_END);
    return rc;
}

int template_expand(const char *text, enum template_use use,
                    const struct payload *payload, struct buf *out, struct err *err)
{
    size_t was = out->len;

    if (expand(text, use, payload, out, err) == 0)
        return 0;
    out->len = was;
    if (out->data)
        out->data[was] = '\0';
    return -1;
}

int template_check(const char *text, struct err *err)
{
    const char *at = text;
    struct part part;

    do {
        if (next_part(text, &at, &part, err) != 0)
            return -1;
    } while (part.kind != PART_END);
    return 0;
}
