/* The lines of queue:work, newer form: words, order and keys are Laravel's, for what
 * reads them. Names come from payloads: escaped in either form. */
#include "worker/report_line.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/text.h"

enum {
    MARGIN = 2, /* columns left free at the end of a line */
    MS_PER_S = 1000,
    US_PER_MS = 1000,
    US_PER_S = MS_PER_S * US_PER_MS,
    S_PER_MINUTE = 60,
    MINUTES_PER_HOUR = 60,
    TIME_BYTES = 64,
    CLASS_BYTES = 128
};

static struct tm local_time(int64_t wall_ms)
{
    time_t seconds = (time_t)(wall_ms / MS_PER_S);
    struct tm tm = {.tm_year = 0};

    (void)localtime_r(&seconds, &tm);
    return tm;
}

/* ---- for people ---- */

#define GREY "\033[90m"
#define PLAIN "\033[0m"

static void add_coloured(struct buf *out, const struct report_style *style,
                         const char *colour, const char *text)
{
    if (style->colour)
        (void)buf_addf(out, "%s%s%s", colour, text, PLAIN);
    else
        (void)buf_add_text(out, text);
}

static void format_run(int64_t run_us, char *text, size_t size)
{
    long long seconds = run_us / US_PER_S;
    long long minutes = seconds / S_PER_MINUTE, hours = minutes / MINUTES_PER_HOUR;

    if (seconds < 1)
        (void)snprintf(text, size, "%.2fms", (double)run_us / US_PER_MS);
    else if (minutes < 1)
        (void)snprintf(text, size, "%llds", seconds);
    else if (hours < 1)
        (void)snprintf(text, size, "%lldm %llds", minutes, seconds % S_PER_MINUTE);
    else
        (void)snprintf(text, size, "%lldh %lldm %llds", hours, minutes % MINUTES_PER_HOUR,
                       seconds % S_PER_MINUTE);
}

static void name_job(struct buf *out, const struct report_style *style,
                     const struct report_event *event)
{
    if (event->name[0] == '\0') /* of a payload that cannot be read */
        (void)buf_add_char(out, '-');
    text_escape(out, slice_text(event->name));
    if (style->output != WORK_LONG_LINES)
        return;
    (void)buf_add_char(out, ' ');
    text_escape(out, slice_text(event->id));
    (void)buf_addf(out, " %s ", event->connection);
    text_escape(out, slice_text(event->queue));
}

static void add_human(struct buf *out, const struct report_style *style,
                      const struct report_event *event)
{
    static const struct {
        const char *word, *colour;
    } ends[] = {[REPORT_STARTING] = {"RUNNING", "\033[33;1m"},
                [REPORT_SUCCESS] = {"DONE", "\033[32;1m"},
                [REPORT_RELEASED] = {"FAIL", "\033[33;1m"},
                [REPORT_FAILED] = {"FAIL", "\033[31;1m"}};
    struct tm tm = local_time(event->wall_ms);
    char when[TIME_BYTES], run[TIME_BYTES] = "";
    size_t used;
    struct buf name;

    buf_init(&name, 0);
    name_job(&name, style, event);
    (void)strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &tm);
    if (event->status != REPORT_STARTING)
        format_run(event->run_us, run, sizeof(run));
    used = strlen("  ") + strlen(when) + 1 + text_character_ct(name.data) + 1 + 1 +
           strlen(run) + (run[0] != '\0') + strlen(ends[event->status].word) + MARGIN;
    (void)buf_add_text(out, "  ");
    add_coloured(out, style, GREY, when);
    (void)buf_addf(out, " %s ", name.data);
    (void)buf_add_text(out, style->colour ? GREY : "");
    for (; used < style->width; used++)
        (void)buf_add_char(out, '.');
    (void)buf_addf(out, "%s%s%s ", run[0] ? " " : "", run, style->colour ? PLAIN : "");
    add_coloured(out, style, ends[event->status].colour, ends[event->status].word);
    (void)buf_add_char(out, '\n');
    buf_free(&name);
}

/* ---- for programs ---- */

/* What is empty is left out, as by array_filter(). */
static void add_member(struct buf *out, const char *key, struct slice text)
{
    if (text.len == 0)
        return;
    (void)buf_addf(out, ",\"%s\":", key);
    if (text_is_utf8(text)) {
        text_quote_json(out, text);
    } else {
        struct buf safe;

        buf_init(&safe, 0);
        text_escape(&safe, text);
        text_quote_json(out, buf_slice(&safe));
        buf_free(&safe);
    }
}

/* Bytes of the class in "App\\Exceptions\\Full: no room"; 0: it does not begin so. */
static size_t class_bytes(const char *reason)
{
    size_t len = strspn(reason, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                "0123456789_\\");

    return len > 0 && len < CLASS_BYTES && strncmp(reason + len, ": ", 2) == 0 ? len : 0;
}

static void add_timestamp(struct buf *out, int64_t wall_ms)
{
    struct tm tm = local_time(wall_ms);
    long offset_min = tm.tm_gmtoff / S_PER_MINUTE;
    long offset = offset_min < 0 ? -offset_min : offset_min;
    char when[TIME_BYTES];

    (void)strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", &tm);
    (void)buf_addf(out, ",\"timestamp\":\"%s.%06lld%c%02ld:%02ld\"", when,
                   (long long)(wall_ms % MS_PER_S * US_PER_MS),
                   offset_min < 0 ? '-' : '+', offset / MINUTES_PER_HOUR,
                   offset % MINUTES_PER_HOUR);
}

static const char *result_of(const struct report_event *event)
{
    switch (event->status) {
    case REPORT_STARTING:
        break;
    case REPORT_SUCCESS:
        return event->released ? "released" : "deleted";
    case REPORT_RELEASED:
        return "released";
    case REPORT_FAILED:
        return "failed";
    }
    return "";
}

static void add_json(struct buf *out, const struct report_event *event)
{
    static const char *const statuses[] = {[REPORT_STARTING] = "starting",
                                           [REPORT_SUCCESS] = "success",
                                           [REPORT_RELEASED] = "released_after_exception",
                                           [REPORT_FAILED] = "failed"};
    size_t class_len = class_bytes(event->reason);
    const char *message = event->reason + class_len + (class_len ? strlen(": ") : 0);

    (void)buf_addf(out, "{\"level\":\"%s\"",
                   event->status >= REPORT_RELEASED ? "warning" : "info");
    add_member(out, "id", slice_text(event->id));
    add_member(out, "uuid", slice_text(event->uuid));
    add_member(out, "connection", slice_text(event->connection));
    add_member(out, "queue", slice_text(event->queue));
    add_member(out, "job", slice_text(event->name));
    add_member(out, "status", slice_text(statuses[event->status]));
    add_member(out, "result", slice_text(result_of(event)));
    (void)buf_addf(out, ",\"attempts\":%" PRId64, event->attempt);
    add_member(out, "exception", slice_of(event->reason, class_len));
    add_member(out, "message", slice_text(message));
    add_timestamp(out, event->wall_ms);
    if (event->status != REPORT_STARTING)
        (void)buf_addf(out, ",\"duration\":%.6f", (double)event->run_us / US_PER_S);
    (void)buf_add_text(out, "}\n");
}

void report_line(struct buf *out, const struct report_style *style,
                 const struct report_event *event)
{
    if (style->output == WORK_JSON)
        add_json(out, event);
    else
        add_human(out, style, event);
}
