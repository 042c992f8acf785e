/* The logs of drover as they grow: what the audit needs of them, stamped with our own
 * clock (drover's may be wrong by an hour, on purpose), and lines that come too often.
 */
#ifndef CHAOS_LOGS_H
#define CHAOS_LOGS_H

#include <stdint.h>

#include "base/buf.h"
#include "tests/chaos/plan.h"

enum { LOG_WHO = 48, LOG_RATES = 256 };

/* How often one event came from one process, in the window that is on. */
struct log_rate {
    char key[96]; /* host, who, event; "": free */
    unsigned ct;
};

/* What was seen of one job, by number. */
struct log_marks {
    unsigned done, failed, returned, alone;
};

struct logs {
    int fds[PLAN_HOSTS];
    struct buf parts[PLAN_HOSTS]; /* a line that is not whole yet */
    struct log_marks *marks;
    size_t mark_ct;
    struct log_rate rates[LOG_RATES];
    int64_t window_ends_ns;
    unsigned worst_ct; /* most lines of one event of one process in a window */
    char worst[96];
    unsigned storm_ct;
    unsigned report_ct; /* of sanitizers, and bugs that drover itself noticed */
    char report[256];   /* the first */
    uint64_t line_ct;
    unsigned hung_ct; /* workers killed for hanging */
};

void logs_open(struct logs *logs, const char *const *paths, size_t job_ct);
void logs_tick(struct logs *logs, int64_t now_ns);
void logs_line(struct logs *logs, int host, const char *line); /* one, whole */
void logs_close(struct logs *logs);

#endif
