/* Outcomes start out knowing nothing but their kind and reason. */
#include "jobs/outcome.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

void outcome_init(struct outcome *outcome, enum outcome_kind kind, const char *fmt, ...)
{
    va_list ap;

    *outcome = (struct outcome){.kind = kind,
                                .held_bytes = -1,
                                .exit_status = -1,
                                .cpu_ms = -1,
                                .max_rss_kb = -1};
    va_start(ap, fmt);
    if (strcmp(fmt, "%s") == 0) /* as of each job that is done */
        text_copy(outcome->reason, sizeof(outcome->reason), va_arg(ap, const char *));
    else
        (void)vsnprintf(outcome->reason, sizeof(outcome->reason), fmt, ap);
    va_end(ap);
}
