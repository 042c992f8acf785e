/* The envelope of Laravel's string jobs (RedisQueue 8.x to 13.x). The data is checked and
 * copied, never read and written again: numbers, key order and escapes stay as given.
 */
#include "cli/envelope.h"

#include <inttypes.h>
#include <string.h>

#include "base/text.h"
#include "jobs/json.h"
#include "jobs/payload.h"

int envelope_read_backoff(const char *text, struct buf *out, struct err *err)
{
    char seconds[TEXT_SECONDS_BYTES];
    int rc = 0;

    for (const char *at = text; rc == 0; at++) {
        size_t len = strcspn(at, ",");
        int64_t ms;

        if (len >= sizeof(seconds))
            return err_set(err, ERR_USAGE, "--backoff: %.*s is too long", 20, at);
        memcpy(seconds, at, len);
        seconds[len] = '\0';
        rc = text_seconds(seconds, &ms, NULL);
        if (rc != 0)
            return err_set(err, ERR_USAGE,
                           "--backoff wants seconds like 1,5,30: %s is none", seconds);
        text_format_seconds(ms, seconds, sizeof(seconds));
        buf_addf(out, "%s%s", at == text ? "" : ",", seconds);
        at += len;
        if (*at == '\0')
            break;
    }
    return rc;
}

int envelope_check_job(const char *job, struct err *err)
{
    size_t len = strlen(job);

    if (len == 0)
        return err_set(err, ERR_USAGE, "the job's name is empty");
    if (len > PAYLOAD_NAME_MAX)
        return err_set(err, ERR_USAGE, "the job's name is %zu bytes long, at most %d",
                       len, PAYLOAD_NAME_MAX);
    if (!text_is_utf8(slice_text(job)))
        return err_set(err, ERR_USAGE, "the job's name is not UTF-8");
    return 0;
}

int envelope_check_data(struct slice data, struct err *err)
{
    struct json_reader reader UNINITIALIZED;
    struct json_value value;

    if (!text_is_utf8(data))
        return err_set(err, ERR_USAGE, "DATA is not UTF-8");
    json_open(&reader, data);
    if (json_read_value(&reader, &value, err) != 0 || json_read_end(&reader, err) != 0) {
        if (err)
            err->code = ERR_USAGE;
        return err_prefix(err, "DATA is not JSON");
    }
    return 0;
}

static void add_string(struct buf *out, const char *text)
{
    buf_add_char(out, '"');
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;

        if (c < 0x20)
            buf_addf(out, "\\u%04x", c);
        else if (c == '"' || c == '\\')
            buf_addf(out, "\\%c", c);
        else
            buf_add_char(out, *text);
    }
    buf_add_char(out, '"');
}

static void add_seconds(struct buf *out, int64_t ms)
{
    char text[TEXT_SECONDS_BYTES];

    if (ms < 0) {
        buf_add_text(out, "null");
        return;
    }
    text_format_seconds(ms, text, sizeof(text));
    buf_add_text(out, text);
}

void envelope_write(const struct envelope *envelope, struct slice data, const char *uuid,
                    const char *id, int64_t now_us, struct buf *out)
{
    buf_addf(out, "{\"uuid\":\"%s\",\"displayName\":", uuid);
    add_string(out, envelope->job);
    buf_add_text(out, ",\"job\":");
    add_string(out, envelope->job);
    if (envelope->tries >= 0)
        buf_addf(out, ",\"maxTries\":%" PRId64, envelope->tries);
    else
        buf_add_text(out, ",\"maxTries\":null");
    buf_add_text(out, ",\"maxExceptions\":null,\"failOnTimeout\":false,\"backoff\":");
    if (envelope->backoff)
        add_string(out, envelope->backoff);
    else
        buf_add_text(out, "null");
    buf_add_text(out, ",\"timeout\":");
    add_seconds(out, envelope->timeout_ms);
    data = json_trim(data);
    buf_add_text(out, ",\"data\":");
    buf_add(out, data.ptr, data.len);
    buf_addf(out,
             ",\"createdAt\":%" PRId64 ",\"pushedAt\":\"%" PRId64 ".%04" PRId64
             "\",\"id\":\"%s\",\"attempts\":0}",
             now_us / 1000000, now_us / 1000000, now_us % 1000000 / 100, id);
}
