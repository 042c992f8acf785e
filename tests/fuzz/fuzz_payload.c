/* Fuzz target: any bytes as a payload. What must hold is spelled with MUST.
 *
 * Reads outside the input are the sanitizers' to find: the input is a heap block of its
 * exact size. Here are the promises that a reader of payload.h relies on.
 */
#include "tests/fuzz/fuzz.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "jobs/payload.h"

enum { MEMBERS_MAX = 24, NEW_ATTEMPTS = 90817 };

static void lies_within(struct slice raw, struct slice part)
{
    if (part.ptr == NULL)
        return;
    MUST(part.ptr >= raw.ptr && part.ptr <= raw.ptr + raw.len);
    MUST(part.len <= (size_t)(raw.ptr + raw.len - part.ptr));
}

static void check_slices(const struct payload *p)
{
    lies_within(p->raw, p->uuid.text);
    lies_within(p->raw, p->display_name.text);
    lies_within(p->raw, p->job.text);
    lies_within(p->raw, p->id.text);
    lies_within(p->raw, p->data.text);
    lies_within(p->raw, p->attempts_text);
    lies_within(p->raw, p->backoff);
    MUST(p->attempts >= 0 && p->attempts <= PAYLOAD_ATTEMPTS_MAX);
    MUST(p->max_tries >= -1 && p->timeout_ms >= -1 && p->retry_until >= -1);
    MUST(p->created_at_ms >= -1 && p->delay_ms >= 0);
}

static void check_backoff(struct slice rest)
{
    size_t left = rest.len + 1;
    int64_t ms;
    int more;

    while ((more = payload_next_backoff(&rest, &ms)) > 0) {
        MUST(ms >= 0 && left-- > 0);
    }
    MUST(more == 0);
}

static void check_refusal(const struct payload *p, struct slice raw,
                          const struct err *err)
{
    MUST(p->raw.ptr == raw.ptr && p->raw.len == raw.len);
    MUST(err->code == ERR_BAD_INPUT);
    MUST(strncmp(err->text, "the payload", 11) == 0);
    for (const char *at = err->text; *at; at++)
        MUST(*at >= ' ' && *at <= '~'); /* nothing of the payload shows */
}

static bool same(struct json_value a, struct json_value b)
{
    return a.kind == b.kind && slice_equal(a.text, b.text);
}

/* All bytes but the number's are the old ones. */
static void check_edit(const struct payload *p, struct slice after)
{
    struct slice before = payload_without_pad(p->raw);
    size_t head = 0, tail = 0;

    while (head < before.len && head < after.len && before.ptr[head] == after.ptr[head])
        head++;
    while (tail < before.len - head && tail < after.len - head &&
           before.ptr[before.len - 1 - tail] == after.ptr[after.len - 1 - tail])
        tail++;
    MUST(head + tail + p->attempts_text.len >= before.len);
}

static void check_attempts(const struct payload *p)
{
    struct payload q;
    struct buf out;

    buf_init(&out, 0);
    MUST(payload_with_attempts(p, NEW_ATTEMPTS, &out) == 0);
    MUST(payload_scan(&q, buf_slice(&out), NULL) == 0);
    check_edit(p, buf_slice(&out));
    MUST(q.attempts == NEW_ATTEMPTS && q.attempts_text.ptr != NULL);
    MUST(same(p->uuid, q.uuid) && same(p->job, q.job) && same(p->id, q.id));
    MUST(same(p->display_name, q.display_name) && same(p->data, q.data));
    MUST(p->max_tries == q.max_tries && p->timeout_ms == q.timeout_ms);
    MUST(p->retry_until == q.retry_until && p->created_at_ms == q.created_at_ms);
    MUST(p->delay_ms == q.delay_ms && slice_equal(p->backoff, q.backoff));
    buf_free(&out);
}

static void check_pad(struct slice raw)
{
    static const char pad[] = PAYLOAD_PAD_MAGIC "        \t\t\t\t                \t  \t";
    struct slice plain = payload_without_pad(raw), again;
    struct buf padded;

    MUST(plain.len == raw.len || plain.len + PAYLOAD_PAD_BYTES == raw.len);
    buf_init(&padded, 0);
    MUST(buf_add(&padded, raw.ptr, raw.len) == 0 && buf_add_text(&padded, pad) == 0);
    again = payload_without_pad(buf_slice(&padded));
    MUST(slice_equal(again, raw));
    buf_free(&padded);
}

static void check_names(const struct payload *p)
{
    char name[PAYLOAD_NAME_MAX + 1], uuid[64];

    if (payload_name(p, name, sizeof(name), NULL) == 0)
        MUST(name[0] != '\0' && text_is_utf8(slice_text(name)));
    if (payload_uuid(p, uuid, sizeof(uuid)))
        MUST(uuid[0] != '\0' && strchr(uuid, ' ') == NULL);
}

static void check_string(struct slice text)
{
    struct buf out;

    buf_init(&out, 0);
    if (json_decode_string(text, &out, NULL) == 0) {
        MUST(json_string_is(text, buf_slice(&out)));
        MUST(out.len + 2 <= text.len);
        MUST(buf_add_char(&out, 'x') == 0 && !json_string_is(text, buf_slice(&out)));
    }
    buf_free(&out);
}

/* Beside the C library's own idea of the number. */
static void check_number(struct slice text)
{
    char *copy = slice_dup(text);
    long double value = strtold(copy, NULL);
    int64_t scaled;

    switch (json_scale_number(text, 0, &scaled)) {
    case JSON_FITS:
        MUST(fabsl(value - (long double)scaled) <= 1);
        break;
    case JSON_ROUNDED:
        MUST(fabsl(value - (long double)scaled) <= 1);
        MUST(scaled != 0);
        break;
    case JSON_TOO_LARGE:
        MUST(fabsl(value) >= 9.2233720368547e18L);
        break;
    }
    free(copy);
}

/* The members of a container found again by name. The last of equal names is the one. */
static void check_members(struct json_value parent, unsigned depth)
{
    struct json_reader reader;
    struct json_value value, found;
    struct slice key;
    size_t ct = 0;

    json_open(&reader, parent.text);
    if (depth == 0 || json_enter(&reader, NULL) != 0)
        return;
    while (ct++ < MEMBERS_MAX && json_next(&reader, &key, &value, NULL) > 0) {
        struct buf name;

        lies_within(parent.text, value.text);
        buf_init(&name, 0);
        if (key.ptr == NULL)
            MUST(buf_addf(&name, "%zu", ct - 1) == 0);
        if (key.ptr == NULL || json_decode_string(key, &name, NULL) == 0) {
            found = json_child(parent, buf_slice(&name));
            MUST(found.kind != VALUE_ABSENT && found.text.ptr >= value.text.ptr);
        }
        buf_free(&name);
        if (value.kind == VALUE_STRING)
            check_string(value.text);
        if (value.kind == VALUE_NUMBER)
            check_number(value.text);
        check_members(value, depth - 1);
    }
}

static void check_lookup(const struct payload *p)
{
    struct json_value job = payload_lookup(p, "job"), data = payload_lookup(p, "data");

    MUST(job.text.ptr == p->job.text.ptr && job.kind == p->job.kind);
    MUST(data.text.ptr == p->data.text.ptr && data.kind == p->data.kind);
    lies_within(p->raw, payload_lookup(p, "data.a.0.b").text);
    check_members((struct json_value){VALUE_OBJECT, p->raw}, 3);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice raw = slice_of((const char *)data, size);
    struct err err = {0};
    struct payload p;

    check_pad(raw);
    check_string(raw);
    if (payload_scan(&p, raw, &err) != 0) {
        check_refusal(&p, raw, &err);
        return 0;
    }
    check_slices(&p);
    check_backoff(p.backoff);
    check_names(&p);
    check_attempts(&p);
    check_lookup(&p);
    return 0;
}
