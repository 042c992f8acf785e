/* What an application says of itself between jobs: whether workers are to take jobs, from
 * which queues, and whether they are to begin anew. Pure.
 */
#ifndef JOBS_APP_STATE_H
#define JOBS_APP_STATE_H

#include "jobs/frame.h"

struct app_state {
    bool down;    /* for maintenance */
    bool hold;    /* a listener of its own says no */
    bool *paused; /* by place in the pool's queues */
    size_t queue_ct;
    bool restart_known;
    char restart[FRAME_RESTART_BYTES]; /* when workers were told so last; "": never */
};

void app_state_init(struct app_state *state, size_t queue_ct);
void app_state_free(struct app_state *state);

/* Takes what the frame says of `queues`; what it does not say stays as it was. True:
 * since the first answer workers were told to begin anew. */
bool app_state_take(struct app_state *state, const struct frame *frame,
                    const struct text_list *queues);

/* Why no jobs are to be taken: "maintenance" (not with `force`) or "listener"; NULL: they
 * are. */
const char *app_state_held(const struct app_state *state, bool force);

bool app_state_is_paused(const struct app_state *state, size_t queue);

/* Whether it keeps anything from being taken, so that it has to be asked on. */
bool app_state_restrains(const struct app_state *state);

#endif
