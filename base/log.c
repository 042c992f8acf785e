/* Rendering and writing log lines. Must never block and never fail its caller. */
#include "base/log.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/emit.h"
#include "base/text.h"

static struct {
    enum log_level least;
    enum log_format format;
    char who[64];
    uint64_t dropped;
    bool torn; /* a line was written in part: the disk is full */
} log_state = {.least = LOG_INFO};

struct log_field log_str(const char *key, const char *text)
{
    return log_slice(key, slice_text(text));
}

struct log_field log_slice(const char *key, struct slice text)
{
    return (struct log_field){
        .key = key, .kind = text.ptr ? LOG_TEXT : LOG_SKIP, .text = text};
}

struct log_field log_int(const char *key, int64_t number)
{
    return (struct log_field){.key = key, .kind = LOG_NUMBER, .number = number};
}

struct log_field log_opt(const char *key, int64_t number)
{
    return (struct log_field){
        .key = key, .kind = number < 0 ? LOG_SKIP : LOG_NUMBER, .number = number};
}

struct log_field log_bool(const char *key, bool flag)
{
    return (struct log_field){.key = key, .kind = LOG_FLAG, .number = flag};
}

void log_setup(enum log_level least, enum log_format format)
{
    log_state.least = least;
    log_state.format = format;
}

void log_identity(const char *who)
{
    (void)snprintf(log_state.who, sizeof(log_state.who), "%s", who);
}

static const char *level_name(enum log_level level)
{
    static const char *const names[] = {"debug", "info", "warning", "error"};

    return names[level];
}

/* logfmt leaves a value bare where it is one plain word. */
static bool needs_quotes(struct slice text)
{
    if (text.len == 0)
        return true;
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];

        if (c <= ' ' || c == '"' || c == '=' || c == '\\' || c >= 0x7f)
            return true;
    }
    return false;
}

static void add_text(struct buf *out, enum log_format format, struct slice text)
{
    struct buf safe;
    bool quote;

    buf_init(&safe, LOG_FIELD_BYTES);
    text_escape(&safe, text);
    quote = format == LOG_JSON || needs_quotes(buf_slice(&safe));
    if (quote)
        (void)buf_add_char(out, '"');
    for (size_t i = 0; i < safe.len; i++) { /* what escaping left: quote, backslash */
        if (quote && (safe.data[i] == '"' || safe.data[i] == '\\'))
            (void)buf_add_char(out, '\\');
        (void)buf_add_char(out, safe.data[i]);
    }
    if (quote)
        (void)buf_add_char(out, '"');
    buf_free(&safe);
}

static void add_field(struct buf *out, enum log_format format, struct log_field field)
{
    static const char *const flags[] = {"false", "true"};

    if (field.kind == LOG_SKIP)
        return;
    (void)buf_addf(out, format == LOG_JSON ? ",\"%s\":" : " %s=", field.key);
    if (field.kind == LOG_TEXT)
        add_text(out, format, field.text);
    else if (field.kind == LOG_FLAG)
        (void)buf_add_text(out, flags[field.number != 0]);
    else
        (void)buf_addf(out, "%lld", (long long)field.number);
}

void log_render(struct buf *out, enum log_format format, int64_t wall_ms,
                enum log_level level, const char *who, const char *event,
                const struct log_field *fields, size_t field_ct)
{
    char when[CLOCK_TEXT_BYTES];
    bool json = format == LOG_JSON;
    size_t start = out->len;

    clock_format(wall_ms, when, sizeof(when));
    (void)buf_addf(out, json ? "{\"ts\":\"%s\",\"level\":\"%s\"" : "ts=%s level=%s", when,
                   level_name(level));
    add_field(out, format, log_str("event", event));
    if (who[0])
        add_field(out, format, log_str("who", who));
    for (size_t i = 0; i < field_ct; i++) {
        size_t before = out->len;

        add_field(out, format, fields[i]);
        if (out->len - start > PIPE_BUF - sizeof(",\"cut\":true}\n")) {
            out->len = before;
            add_field(out, format, log_bool("cut", true));
            break;
        }
    }
    (void)buf_add_text(out, json ? "}\n" : "\n");
}

static bool write_line(const struct buf *line)
{
    ssize_t n = emit_now(STDERR_FILENO, buf_slice(line));

    log_state.torn = log_state.torn || (n > 0 && n < (ssize_t)line->len);
    return n == (ssize_t)line->len;
}

static void write_dropped(void)
{
    struct log_field count = log_int("lines", (int64_t)log_state.dropped);
    struct buf line;

    buf_init(&line, 0);
    if (log_state.torn)
        (void)buf_add_char(&line, '\n');
    log_render(&line, log_state.format, clock_wall_ms(), LOG_WARNING, log_state.who,
               "log.dropped", &count, 1);
    if (write_line(&line)) {
        log_state.dropped = 0;
        log_state.torn = false;
    }
    buf_free(&line);
}

bool log_is_on(enum log_level level)
{
    return level >= log_state.least;
}

void log_write(enum log_level level, const char *event, const struct log_field *fields,
               size_t field_ct)
{
    int saved_errno = errno;
    struct buf line;

    if (!log_is_on(level))
        return;
    if (log_state.dropped)
        write_dropped();
    buf_init(&line, 0);
    log_render(&line, log_state.format, clock_wall_ms(), level, log_state.who, event,
               fields, field_ct);
    if (!write_line(&line))
        log_state.dropped++;
    buf_free(&line);
    errno = saved_errno;
}
