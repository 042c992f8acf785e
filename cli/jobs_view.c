/* Reading just enough of a payload to show it. */
#include "cli/jobs_view.h"

#include <string.h>

#include "jobs/payload.h"

_Static_assert((int)JOB_VIEW_NAME_BYTES > (int)PAYLOAD_NAME_MAX, "a name fits");

void job_view(struct job_view *view, struct slice raw)
{
    struct payload payload;

    memset(view, 0, sizeof(*view));
    view->raw = payload_without_pad(raw);
    view->attempts = -1;
    view->readable = payload_scan(&payload, view->raw, NULL) == 0;
    if (!view->readable)
        return;
    (void)payload_uuid(&payload, view->uuid, sizeof(view->uuid));
    if (payload_name(&payload, view->name, sizeof(view->name), NULL) != 0)
        view->name[0] = '\0';
    view->attempts = payload.attempts;
    if (payload.data.kind != VALUE_ABSENT)
        view->data = payload.data.text;
}
