/* Fuzz target: short texts from outside: an address of Redis, a point in time, what is
 * remembered of a crash, a value in the log. The first byte says which. */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "cli/when.h"
#include "config/url.h"
#include "queue/crash.h"

enum { NOW_MS = 1763726400 };

static void check_url(const char *text)
{
    struct err err = {0};
    struct redis_url url;
    struct buf out;

    if (redis_url_parse(text, &url, &err) == 0) {
        MUST((url.path != NULL) != (url.host != NULL));
        MUST(url.port >= 0 && url.port <= 65535 && url.db >= -1);
    } else {
        MUST(err.text[0] != '\0');
    }
    redis_url_free(&url);
    buf_init(&out, 0);
    redis_url_mask(text, &out);
    buf_free(&out);
}

static void check_when(const char *text)
{
    struct err err = {0};
    int64_t at_ms = -1, ms = -1;

    if (when_parse(text, NOW_MS * INT64_C(1000), &at_ms, &err) != 0)
        MUST(err.code == ERR_USAGE);
    if (text_duration(text, &ms, NULL) == 0)
        MUST(ms >= 0);
}

static void check_crash(struct slice text)
{
    char key[CRASH_KEY_BYTES];
    struct slice note;

    if (crash_parse(text, &note) == 0)
        MUST(note.ptr == NULL);
    crash_key(text, key);
    MUST(strlen(key) > 0 && strlen(key) < sizeof(key));
}

/* One line, whatever is in it. */
static void check_log(struct slice text)
{
    const struct log_field field = log_slice("key", text);
    struct buf out;

    for (int format = LOG_LOGFMT; format <= LOG_JSON; format++) {
        buf_init(&out, 0);
        log_render(&out, (enum log_format)format, 1, LOG_INFO, "who", "event", &field, 1);
        MUST(out.len > 0 && memchr(out.data, '\n', out.len) == out.data + out.len - 1);
        MUST(text_is_utf8(buf_slice(&out)));
        buf_free(&out);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice rest;
    char *text;

    if (size == 0)
        return 0;
    rest = slice_of((const char *)data + 1, size - 1);
    text = slice_dup(rest);
    if (data[0] == 'u')
        check_url(text);
    else if (data[0] == 'w')
        check_when(text);
    else if (data[0] == 'c')
        check_crash(rest);
    else
        check_log(rest);
    free(text);
    return 0;
}
