/* Whether a fault can be the cause of a job having run once more. Pure.
 */
#ifndef CHAOS_BLAME_H
#define CHAOS_BLAME_H

#include "tests/chaos/faults.h"
#include "tests/chaos/runs.h"

struct blame {
    const struct fault_event *events;
    size_t event_ct;
    const struct plan *plan;
    const struct runs *runs;
    const unsigned char *kinds; /* of jobs, by number */
};

/* The name of a fault that explains why `next` ran although `before` had; NULL: there is
 * none. */
const char *blame_rerun(const struct blame *blame, const struct run_seen *before,
                        const struct run_seen *next);
/* The same for two runs at the same time, which takes more: the holder could not be told
 * to stop. */
const char *blame_overlap(const struct blame *blame, const struct run_seen *before,
                          const struct run_seen *next);

#endif
