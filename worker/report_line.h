/* One line about a job, as `queue:work` prints it: for people or, as JSON, for programs.
 * Pure.
 */
#ifndef WORKER_REPORT_LINE_H
#define WORKER_REPORT_LINE_H

#include "base/buf.h"
#include "config/config.h"

enum report_status {
    REPORT_STARTING,
    REPORT_SUCCESS,  /* done, or put back by its own wish */
    REPORT_RELEASED, /* it did not work, and will be tried again */
    REPORT_FAILED    /* for good */
};

struct report_style {
    int output; /* enum work_output, not WORK_QUIET */
    unsigned width;
    bool colour;
};

/* Texts are never NULL; any but the connection may be "". */
struct report_event {
    enum report_status status;
    bool released; /* REPORT_SUCCESS: put back, not deleted */
    const char *name, *id, *uuid, *connection, *queue;
    int64_t attempt;
    const char *reason; /* "Class: message" of an exception, or the cause; "" */
    int64_t run_us;     /* not with REPORT_STARTING */
    int64_t wall_ms;
};

/* Appends the line with its newline. Times are in the time zone of the process. */
void report_line(struct buf *out, const struct report_style *style,
                 const struct report_event *event);

#endif
