/* The status sentence. An outage is told in steps of ten seconds and then of minutes, so
 * that it is no new message each second. */
#include "supervisor/summary.h"

#include <stdio.h>

#include "base/buf.h"

enum {
    STEP_S = 10,
    LONG_STEP_S = 60,
    MS_PER_S = 1000,
    OUTAGE_MS = 1000 /* a worker that has just started is not connected yet */
};

const char *supervisor_phase_name(enum supervisor_phase phase)
{
    static const char *const names[] = {[SUPERVISOR_STARTING] = "starting",
                                        [SUPERVISOR_RUNNING] = "running",
                                        [SUPERVISOR_STOPPING] = "stopping"};

    return names[phase];
}

static const char *plural(size_t ct)
{
    return ct == 1 ? "" : "s";
}

static void add_workers(struct buf *out, const struct fleet_counts *counts)
{
    if (counts->running == counts->wanted)
        (void)buf_addf(out, "%zu worker%s running", counts->running,
                       plural(counts->running));
    else
        (void)buf_addf(out, "%zu of %zu worker%s running", counts->running,
                       counts->wanted, plural(counts->wanted));
    if (counts->backoff > 0)
        (void)buf_addf(out, ", %zu waiting to restart", counts->backoff);
    if (counts->fatal > 0)
        (void)buf_addf(out, ", %zu stopped by a bad configuration", counts->fatal);
    if (counts->stale > 0)
        (void)buf_addf(out, ", %zu still to be reloaded", counts->stale);
}

static void add_outage(struct buf *out, int64_t age_ms)
{
    int64_t age_s = age_ms / MS_PER_S;

    age_s -= age_s % (age_s < LONG_STEP_S ? STEP_S : LONG_STEP_S);
    (void)buf_add_text(out, "; redis down");
    if (age_s > 0)
        (void)buf_addf(out, " for %lld s", (long long)age_s);
}

void summary_text(const struct summary *summary, char *text, size_t size)
{
    struct buf out;

    buf_init(&out, size - 1);
    if (summary->phase == SUPERVISOR_STOPPING) {
        (void)buf_addf(&out, "stopping, %zu worker%s left", summary->counts.alive,
                       plural(summary->counts.alive));
    } else {
        if (summary->phase == SUPERVISOR_STARTING)
            (void)buf_add_text(&out, "starting: ");
        if (summary->pausing != SUPERVISOR_WORKS)
            (void)buf_add_text(&out, summary->pausing == SUPERVISOR_DRAINING
                                         ? "draining, then it stops: "
                                         : "paused: ");
        add_workers(&out, &summary->counts);
        if (summary->link == FLEET_LINK_DOWN && summary->link_age_ms >= OUTAGE_MS)
            add_outage(&out, summary->link_age_ms);
        if (summary->reload_error)
            (void)buf_addf(&out, "; last reload failed: %s", summary->reload_error);
    }
    (void)snprintf(text, size, "%s", out.data ? out.data : "");
    buf_free(&out);
}
