/* Lines to stdout that a slow reader cannot hold the worker up with: what there is no
 * room for waits here, up to a bound, and goes out by and by. Beyond it whole lines are
 * lost, and the log says so.
 */
#include "worker/report.h"

#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/emit.h"
#include "base/log.h"
#include "worker/flight.h"

enum {
    WAITING_MAX_BYTES = 1024 * 1024,
    RETRY_MS = 20,
    LAST_MS = 1000, /* for the reader to take the rest at the end */
    WIDTH = 80      /* where there is no terminal */
};

struct report {
    struct report_style style;
    struct buf waiting;
    struct timer retry;
    bool losing; /* the log has been told */
};

/* ---- writing ---- */

/* False: nobody will take more. */
static bool write_some(struct report *report)
{
    while (report->waiting.len > 0) {
        size_t len = report->waiting.len < PIPE_BUF ? report->waiting.len : PIPE_BUF;
        ssize_t n = emit_now(STDOUT_FILENO, slice_of(report->waiting.data, len));

        if (n < 0)
            return false;
        if (n == 0)
            return true;
        buf_drop_front(&report->waiting, (size_t)n);
    }
    report->losing = false;
    return true;
}

static void write_on(void *arg)
{
    struct report *report = arg;

    if (!write_some(report))
        buf_clear(&report->waiting);
    if (report->waiting.len > 0)
        timer_set(&report->retry, RETRY_MS);
}

static void add_line(struct report *report, const struct report_event *event)
{
    struct buf line;

    buf_init(&line, 0);
    report_line(&line, &report->style, event);
    if (buf_add(&report->waiting, line.data, line.len) != 0 && !report->losing) {
        report->losing = true;
        log_warning("report.lost", log_int("waiting_bytes", (int64_t)report->waiting.len),
                    log_str("effect", "nobody reads stdout: lines about jobs are lost"));
    }
    buf_free(&line);
    if (!timer_is_set(&report->retry))
        write_on(report);
}

/* ---- the jobs ---- */

static void describe(struct report_event *event, const struct flight *flight,
                     struct buf *id)
{
    buf_init(id, BOARD_UUID_BYTES);
    if (flight->payload.id.kind == VALUE_STRING &&
        json_decode_string(flight->payload.id.text, id, NULL) != 0)
        buf_clear(id);
    *event = (struct report_event){
        .name = flight->name,
        .id = id->len && strlen(id->data) == id->len ? id->data : "",
        .uuid = flight->uuid,
        .connection = job_connection(flight->job.config),
        .queue = flight->job.queue,
        .attempt = flight->job.attempt,
        .reason = "",
        .wall_ms = clock_wall_ms(),
    };
}

void report_begun(struct report *report, const struct flight *flight)
{
    struct report_event event;
    struct buf id;

    if (report == NULL)
        return;
    describe(&event, flight, &id);
    event.status = REPORT_STARTING;
    add_line(report, &event);
    buf_free(&id);
}

void report_ended(struct report *report, const struct flight *flight,
                  enum report_status status, const struct outcome *outcome)
{
    struct report_event event;
    struct buf id;

    if (report == NULL)
        return;
    describe(&event, flight, &id);
    event.status =
        status == REPORT_RELEASED && outcome->willing ? REPORT_SUCCESS : status;
    event.released = status == REPORT_RELEASED;
    event.reason = event.status == REPORT_SUCCESS ? "" : outcome->reason;
    event.run_us = flight->started_us ? clock_mono_us() - flight->started_us : 0;
    add_line(report, &event);
    buf_free(&id);
}

/* ---- its life ---- */

/* The C library reads TZ once; what this process starts is to find it as it was. */
static void adopt_timezone(const char *name)
{
    char *was;

    if (name == NULL)
        return;
    was = must_strdup(getenv("TZ"));
    MUST(setenv("TZ", name, 1) == 0);
    tzset();
    if (was)
        MUST(setenv("TZ", was, 1) == 0);
    else
        MUST(unsetenv("TZ") == 0);
    free(was);
}

static unsigned terminal_width(void)
{
    struct winsize size = {.ws_col = 0};

    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return size.ws_col;
    return WIDTH;
}

struct report *report_create(const struct work_config *work, struct loop *loop)
{
    struct report *report;

    if (!work->on || work->output == WORK_QUIET)
        return NULL;
    report = must_alloc(sizeof(*report));
    report->style = (struct report_style){
        .output = work->output, .width = terminal_width(), .colour = work->colour};
    buf_init(&report->waiting, WAITING_MAX_BYTES);
    timer_init(&report->retry, loop, write_on, report);
    adopt_timezone(work->timezone);
    return report;
}

void report_destroy(struct report *report)
{
    int64_t until_ms = clock_mono_ms() + LAST_MS;

    if (report == NULL)
        return;
    while (report->waiting.len > 0 && clock_mono_ms() < until_ms) {
        struct pollfd pfd = {.fd = STDOUT_FILENO, .events = POLLOUT};

        if (poll(&pfd, 1, RETRY_MS) < 0 || (pfd.revents & ~POLLOUT) != 0 ||
            !write_some(report))
            break;
    }
    timer_free(&report->retry);
    buf_free(&report->waiting);
    free(report);
}
