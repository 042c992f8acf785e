/* The audit as JSON.
 */
#ifndef CHAOS_REPORT_H
#define CHAOS_REPORT_H

#include <stdio.h>

#include "tests/chaos/audit.h"
#include "tests/chaos/hosts.h"
#include "tests/chaos/logs.h"
#include "tests/chaos/watch.h"

struct report {
    const struct plan *plan;
    const struct audit *audit;
    const struct host *hosts;
    const struct logs *logs;
    const struct watch *watch;
    const struct fault_event *events;
    size_t event_ct;
    unsigned processes_left, orphaned_daemons;
    double took_s;
};

void report_print(const struct report *report, FILE *out);

#endif
