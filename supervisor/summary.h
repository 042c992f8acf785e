/* One line for people on how the supervisor is: systemctl status shows it. Pure.
 */
#ifndef SUPERVISOR_SUMMARY_H
#define SUPERVISOR_SUMMARY_H

#include "supervisor/fleet.h"

enum supervisor_phase {
    SUPERVISOR_STARTING, /* not all slots of the start have been running yet */
    SUPERVISOR_RUNNING,
    SUPERVISOR_STOPPING
};
/* Draining: it stops once no job runs any more. */
enum supervisor_pausing { SUPERVISOR_WORKS, SUPERVISOR_PAUSED, SUPERVISOR_DRAINING };
const char *supervisor_phase_name(enum supervisor_phase phase);

struct summary {
    enum supervisor_phase phase;
    struct fleet_counts counts;
    enum supervisor_pausing pausing;
    enum fleet_link link;
    int64_t link_age_ms;      /* since it is so */
    const char *reload_error; /* of the last reload; NULL: it went well */
};

enum { SUMMARY_BYTES = 640 };
void summary_text(const struct summary *summary, char *text, size_t size);

#endif
