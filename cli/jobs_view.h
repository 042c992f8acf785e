/* A payload as tables and JSON show it.
 *
 * Knows jobs/payload.h so that files which print by jansson need not: the names of the
 * two clash.
 */
#ifndef CLI_JOBS_VIEW_H
#define CLI_JOBS_VIEW_H

#include <stdint.h>

#include "base/buf.h"

enum { JOB_VIEW_NAME_BYTES = 256 };

/* What can be told of a payload; of one that is none, nothing but its bytes. */
struct job_view {
    struct slice raw; /* without pad; borrowed, as are the others */
    bool readable;
    char uuid[64];                  /* "" where there is none */
    char name[JOB_VIEW_NAME_BYTES]; /* likewise */
    int64_t attempts;               /* -1: not known */
    struct slice data;              /* absent where there is none */
};

void job_view(struct job_view *view, struct slice raw);

#endif
