/* The envelope: which members of the object mean something, and what.
 *
 * Knows JSON only through json.h and nothing of Redis, configuration or handlers. All it
 * hands out are ranges of the text it was given. Fields are collected first and
 * understood afterwards, so that a duplicate that does not count can do no harm.
 */
#include "jobs/payload.h"

#include <string.h>

#include "base/text.h"

enum field {
    FIELD_UUID,
    FIELD_DISPLAY_NAME,
    FIELD_JOB,
    FIELD_ID,
    FIELD_DATA,
    FIELD_ATTEMPTS,
    FIELD_MAX_TRIES,
    FIELD_TIMEOUT,
    FIELD_RETRY_UNTIL,
    FIELD_BACKOFF,
    FIELD_DELAY,
    FIELD_PUSHED_AT,
    FIELD_CREATED_AT,
    FIELD_TRACEPARENT,
    FIELD_CT
};

#define NAME(text)                                                                       \
    {                                                                                    \
        text, sizeof(text) - 1                                                           \
    }
static const struct slice field_names[FIELD_CT] = {
    [FIELD_UUID] = NAME("uuid"),
    [FIELD_DISPLAY_NAME] = NAME("displayName"),
    [FIELD_JOB] = NAME("job"),
    [FIELD_ID] = NAME("id"),
    [FIELD_DATA] = NAME("data"),
    [FIELD_ATTEMPTS] = NAME("attempts"),
    [FIELD_MAX_TRIES] = NAME("maxTries"),
    [FIELD_TIMEOUT] = NAME("timeout"),
    [FIELD_RETRY_UNTIL] = NAME("retryUntil"),
    [FIELD_BACKOFF] = NAME("backoff"),
    [FIELD_DELAY] = NAME("delay"),
    [FIELD_PUSHED_AT] = NAME("pushedAt"),
    [FIELD_CREATED_AT] = NAME("createdAt"),
    [FIELD_TRACEPARENT] = NAME("traceparent"),
};

/* Which fields have names of so many bytes. */
#define HAS(field) (1u << FIELD_##field)
static const uint16_t fields_by_bytes[] = {
    [2] = HAS(ID),
    [3] = HAS(JOB),
    [4] = HAS(UUID) | HAS(DATA),
    [5] = HAS(DELAY),
    [7] = HAS(TIMEOUT) | HAS(BACKOFF),
    [8] = HAS(ATTEMPTS) | HAS(MAX_TRIES) | HAS(PUSHED_AT),
    [9] = HAS(CREATED_AT),
    [10] = HAS(RETRY_UNTIL),
    [11] = HAS(DISPLAY_NAME) | HAS(TRACEPARENT),
};

enum { UUID_CHARS_MAX = 63, LOOSE_DIGITS_MAX = 18 };

static bool starts_with(struct slice text, const char *bytes)
{
    size_t len = strlen(bytes);

    return text.len >= len && memcmp(text.ptr, bytes, len) == 0;
}

/* What an editor or a wrong encoder leaves in front of an otherwise good text. */
static int check_start(struct slice raw, struct err *err)
{
    if (raw.len == 0)
        return err_set(err, ERR_BAD_INPUT, "the payload is empty");
    if (starts_with(raw, "\xef\xbb\xbf"))
        return err_set(err, ERR_BAD_INPUT,
                       "the payload starts with a byte order mark (BOM)");
    if (starts_with(raw, "\xff\xfe") || starts_with(raw, "\xfe\xff"))
        return err_set(err, ERR_BAD_INPUT, "the payload is UTF-16, not UTF-8");
    return 0;
}

/* A top value that is no object: malformed, or well-formed and useless. */
static int refuse_top(struct json_reader *reader, struct err *err)
{
    struct json_value top;

    if (json_read_value(reader, &top, err) != 0 || json_read_end(reader, err) != 0)
        return err_prefix(err, "the payload is not JSON");
    return err_set(err, ERR_BAD_INPUT, "the payload is %s, not an object",
                   json_kind_text(top.kind));
}

/* FIELD_CT: a key of no meaning here. */
static enum field field_of(struct slice key)
{
    struct slice plain = json_plain_string(key);
    unsigned may_be = (1u << FIELD_CT) - 1;

    if (plain.ptr)
        may_be = plain.len < ARRAY_CT(fields_by_bytes) ? fields_by_bytes[plain.len] : 0;
    for (; may_be != 0; may_be &= may_be - 1) {
        enum field field = (enum field)__builtin_ctz(may_be);

        if (plain.ptr ? memcmp(plain.ptr, field_names[field].ptr, plain.len) == 0
                      : json_string_is(key, field_names[field]))
            return field;
    }
    return FIELD_CT;
}

static int read_fields(struct slice raw, struct json_value *fields, struct err *err)
{
    struct json_reader reader UNINITIALIZED;
    struct json_value value;
    struct slice key;
    int more;

    json_open(&reader, raw);
    if (json_peek(&reader) != VALUE_OBJECT)
        return refuse_top(&reader, err);
    more = json_enter(&reader, err);
    if (more == 0)
        while ((more = json_next(&reader, &key, &value, err)) > 0)
            fields[field_of(key)] = value;
    if (more != 0 || json_read_end(&reader, err) != 0)
        return err_prefix(err, "the payload is not JSON");
    return 0;
}

static bool is_given(struct json_value value)
{
    return value.kind != VALUE_ABSENT && value.kind != VALUE_NULL;
}

static int refuse_field(const char *name, struct json_value value, const char *wanted,
                        struct err *err)
{
    if (value.kind == VALUE_NUMBER)
        return err_set(err, ERR_BAD_INPUT, "the payload's %s is not %s", name, wanted);
    return err_set(err, ERR_BAD_INPUT, "the payload's %s is %s, not %s", name,
                   json_kind_text(value.kind), wanted);
}

/* PHP compares loosely, so a Laravel job with $tries = env('TRIES') sends "3" and works:
 * a string of a few digits counts as its number. */
static struct json_value loose_number(struct json_value value)
{
    struct slice inside;
    size_t i = 0;

    if (value.kind != VALUE_STRING)
        return value;
    inside = slice_of(value.text.ptr + 1, value.text.len - 2);
    if (inside.len > 1 && inside.ptr[0] == '-')
        i = 1;
    if (inside.len == 0 || inside.len > LOOSE_DIGITS_MAX)
        return value;
    for (; i < inside.len; i++)
        if (inside.ptr[i] < '0' || inside.ptr[i] > '9')
            return value;
    return (struct json_value){.kind = VALUE_NUMBER, .text = inside};
}

/* A number too large for int64_t is as good as the largest. */
static int read_whole(const char *name, struct json_value value, int64_t *number,
                      struct err *err)
{
    struct json_value loose = loose_number(value);

    if (loose.kind != VALUE_NUMBER ||
        json_scale_number(loose.text, 0, number) == JSON_ROUNDED)
        return refuse_field(name, value, "a whole number", err);
    return 0;
}

static int read_attempts(struct payload *p, struct json_value value, struct err *err)
{
    static const char name[] = "attempts";

    if (value.kind == VALUE_ABSENT)
        return 0;
    if (read_whole(name, value, &p->attempts, err) != 0)
        return -1;
    if (p->attempts < 0 || p->attempts > PAYLOAD_ATTEMPTS_MAX)
        return refuse_field(name, value, "a possible number of runs", err);
    p->attempts_text = value.text;
    return 0;
}

static int read_max_tries(struct payload *p, struct json_value value, struct err *err)
{
    static const char name[] = "maxTries";

    if (!is_given(value))
        return 0;
    if (read_whole(name, value, &p->max_tries, err) != 0)
        return -1;
    if (p->max_tries < 0)
        return refuse_field(name, value, "a possible number of runs", err);
    return 0;
}

static int read_timeout(struct payload *p, struct json_value value, struct err *err)
{
    value = loose_number(value);
    if (!is_given(value))
        return 0;
    if (value.kind != VALUE_NUMBER)
        return refuse_field("timeout", value, "a number of seconds", err);
    (void)json_scale_number(value.text, 3, &p->timeout_ms);
    if (p->timeout_ms < 0)
        p->timeout_ms = 0;
    return 0;
}

static int read_retry_until(struct payload *p, struct json_value value, struct err *err)
{
    int64_t at;

    if (!is_given(value))
        return 0;
    if (read_whole("retryUntil", value, &at, err) != 0)
        return -1;
    if (at != 0) /* PHP takes 0 for none */
        p->retry_until = at > 0 ? at : 0;
    return 0;
}

/* Without quotes or brackets. `{}` is what a PHP worker's pop makes of `[]`. */
static bool backoff_text(struct json_value value, struct slice *text)
{
    struct slice inside = slice_of(value.text.ptr + 1, value.text.len - 2);

    switch (value.kind) {
    case VALUE_NUMBER:
        *text = value.text;
        return true;
    case VALUE_STRING:
    case VALUE_ARRAY:
        *text = inside;
        return true;
    case VALUE_OBJECT:
        *text = slice_of(inside.ptr, 0);
        return inside.len == 0;
    case VALUE_ABSENT:
    case VALUE_NULL:
    case VALUE_BOOL:
        break;
    }
    return false;
}

static int read_backoff(struct payload *p, const char *name, struct json_value value,
                        struct err *err)
{
    struct slice rest;
    int64_t ms;
    int more = -1;

    if (backoff_text(value, &p->backoff)) {
        rest = p->backoff;
        while ((more = payload_next_backoff(&rest, &ms)) > 0)
            ;
    }
    if (more < 0)
        return err_set(err, ERR_BAD_INPUT, "the payload's %s is no list of seconds",
                       name);
    return 0;
}

static int read_delays(struct payload *p, const struct json_value *fields,
                       struct err *err)
{
    struct json_value backoff = fields[FIELD_BACKOFF], delay = fields[FIELD_DELAY];

    if (delay.kind == VALUE_NUMBER)
        (void)json_scale_number(delay.text, 3, &p->delay_ms);
    if (p->delay_ms < 0)
        p->delay_ms = 0;
    if (is_given(backoff))
        return read_backoff(p, field_names[FIELD_BACKOFF].ptr, backoff, err);
    if (is_given(delay))
        return read_backoff(p, field_names[FIELD_DELAY].ptr, delay, err);
    return 0;
}

/* Unix seconds as a number, or as text (Horizon's pushedAt), in ms; -1: neither. */
static int64_t read_instant(struct json_value value)
{
    struct slice text = value.text;
    int64_t ms;

    if (value.kind == VALUE_STRING)
        text = slice_of(text.ptr + 1, text.len - 2);
    else if (value.kind != VALUE_NUMBER)
        return -1;
    if (text.len == 0 || json_number_bytes(text) != text.len ||
        json_scale_number(text, 3, &ms) == JSON_TOO_LARGE)
        return -1;
    return ms < 0 ? -1 : ms;
}

static int read_numbers(struct payload *p, const struct json_value *fields,
                        struct err *err)
{
    if (read_attempts(p, fields[FIELD_ATTEMPTS], err) != 0 ||
        read_max_tries(p, fields[FIELD_MAX_TRIES], err) != 0 ||
        read_timeout(p, fields[FIELD_TIMEOUT], err) != 0 ||
        read_retry_until(p, fields[FIELD_RETRY_UNTIL], err) != 0 ||
        read_delays(p, fields, err) != 0)
        return -1;
    p->created_at_ms = read_instant(fields[FIELD_PUSHED_AT]);
    if (p->created_at_ms < 0)
        p->created_at_ms = read_instant(fields[FIELD_CREATED_AT]);
    return 0;
}

int payload_scan(struct payload *p, struct slice raw, struct err *err)
{
    struct json_value fields[FIELD_CT + 1] = {0}; /* the last: of no meaning */

    *p = (struct payload){.raw = raw,
                          .max_tries = -1,
                          .timeout_ms = -1,
                          .retry_until = -1,
                          .created_at_ms = -1};
    if (check_start(raw, err) != 0 || read_fields(raw, fields, err) != 0)
        return -1;
    p->uuid = fields[FIELD_UUID];
    p->display_name = fields[FIELD_DISPLAY_NAME];
    p->job = fields[FIELD_JOB];
    p->id = fields[FIELD_ID];
    p->data = fields[FIELD_DATA];
    p->traceparent = fields[FIELD_TRACEPARENT];
    return read_numbers(p, fields, err);
}

int payload_next_backoff(struct slice *rest, int64_t *ms)
{
    struct slice item = *rest;
    const char *comma;

    if (rest->ptr == NULL)
        return 0;
    comma = memchr(rest->ptr, ',', rest->len);
    if (comma != NULL) {
        item.len = (size_t)(comma - item.ptr);
        *rest = slice_of(comma + 1, rest->len - item.len - 1);
    } else {
        *rest = slice_of(NULL, 0);
    }
    item = json_trim(item);
    *ms = 0;
    if (item.len == 0)
        return 1;
    if (json_number_bytes(item) != item.len)
        return -1;
    (void)json_scale_number(item, 3, ms);
    if (*ms < 0)
        *ms = 0;
    return 1;
}

/* The string that names the job, and which field it is. */
static struct json_value naming_field(const struct payload *p, enum field *field)
{
    struct json_value display = p->display_name;

    *field = FIELD_DISPLAY_NAME;
    if (is_given(display) && !json_string_is(display.text, slice_of("", 0)))
        return display;
    *field = FIELD_JOB;
    return p->job;
}

static int check_name(struct slice name, struct err *err)
{
    if (name.len == 0)
        return err_set(err, ERR_BAD_INPUT, "is empty");
    if (memchr(name.ptr, '\0', name.len) != NULL)
        return err_set(err, ERR_BAD_INPUT, "holds a NUL byte");
    if (!text_is_utf8(name))
        return err_set(err, ERR_BAD_INPUT, "is not UTF-8");
    return 0;
}

/* What the string means, without a copy where it has no escapes; else in `decoded`. */
static int read_string(struct slice text, struct buf *decoded, struct slice *string,
                       struct err *err)
{
    *string = json_plain_string(text);
    if (string->ptr != NULL) {
        if (string->len > decoded->max)
            return err_set(err, ERR_LIMIT, "longer than %zu bytes", decoded->max);
        return 0;
    }
    if (json_decode_string(text, decoded, err) != 0)
        return -1;
    *string = buf_slice(decoded);
    return 0;
}

int payload_name(const struct payload *p, char *name, size_t size, struct err *err)
{
    enum field field;
    struct json_value value = naming_field(p, &field);
    struct slice string;
    struct buf decoded;
    int rc = -1;

    MUST(size > PAYLOAD_NAME_MAX);
    if (!is_given(value))
        return err_set(err, ERR_BAD_INPUT, "the payload names no job");
    if (value.kind != VALUE_STRING)
        return refuse_field(field_names[field].ptr, value, "a string", err);
    buf_init(&decoded, PAYLOAD_NAME_MAX);
    if (read_string(value.text, &decoded, &string, err) == 0)
        rc = check_name(string, err);
    if (rc == 0) {
        memcpy(name, string.ptr, string.len);
        name[string.len] = '\0';
    } else {
        (void)err_prefix(err, "the payload's %s", field_names[field].ptr);
    }
    buf_free(&decoded);
    return rc;
}

static bool is_plain(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] <= ' ' || text.ptr[i] > '~')
            return false;
    return text.len > 0;
}

bool payload_uuid(const struct payload *p, char *uuid, size_t size)
{
    struct slice string;
    struct buf decoded;
    bool good;

    if (p->uuid.kind != VALUE_STRING)
        return false;
    buf_init(&decoded, UUID_CHARS_MAX);
    good = read_string(p->uuid.text, &decoded, &string, NULL) == 0 && is_plain(string) &&
           string.len < size;
    if (good) {
        memcpy(uuid, string.ptr, string.len);
        uuid[string.len] = '\0';
    }
    buf_free(&decoded);
    return good;
}

struct json_value payload_lookup(const struct payload *p, const char *path)
{
    struct json_value value = {.kind = VALUE_OBJECT, .text = p->raw};

    if (strncmp(path, "data.", strlen("data.")) == 0) { /* known already */
        value = p->data;
        path += strlen("data.");
    }
    for (;;) {
        size_t len = strcspn(path, ".");

        value = json_child(value, slice_of(path, len));
        if (path[len] == '\0' || value.kind == VALUE_ABSENT)
            return value;
        path += len + 1;
    }
}
