/* What `drover work` prints of its jobs on stdout.
 */
#ifndef WORKER_REPORT_H
#define WORKER_REPORT_H

#include "base/loop.h"
#include "jobs/outcome.h"
#include "worker/report_line.h"

struct flight;
struct report;

/* NULL where nothing is to be printed; the functions below take that. From here on the
 * local time of this process is that of work->timezone. */
struct report *report_create(const struct work_config *work, struct loop *loop) MUSTCHECK;
/* Waits a moment for who reads stdout to take the rest. */
void report_destroy(struct report *report);

void report_begun(struct report *report, const struct flight *flight);
void report_ended(struct report *report, const struct flight *flight,
                  enum report_status status, const struct outcome *outcome);

#endif
