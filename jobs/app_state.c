/* The answers of one application, put together. */
#include "jobs/app_state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void app_state_init(struct app_state *state, size_t queue_ct)
{
    *state = (struct app_state){.queue_ct = queue_ct};
    state->paused = must_alloc((queue_ct + 1) * sizeof(*state->paused));
}

void app_state_free(struct app_state *state)
{
    free(state->paused);
    *state = (struct app_state){.queue_ct = 0};
}

static bool is_listed(struct slice names, const char *name)
{
    struct json_reader reader UNINITIALIZED;
    struct json_value value;
    struct slice key;

    json_open(&reader, names);
    if (json_enter(&reader, NULL) != 0)
        return false;
    while (json_next(&reader, &key, &value, NULL) > 0)
        if (value.kind == VALUE_STRING && json_string_is(value.text, slice_text(name)))
            return true;
    return false;
}

static bool take_restart(struct app_state *state, const char *restart)
{
    bool news = state->restart_known && strcmp(state->restart, restart) != 0;

    (void)snprintf(state->restart, sizeof(state->restart), "%s", restart);
    state->restart_known = true;
    return news;
}

bool app_state_take(struct app_state *state, const struct frame *frame,
                    const struct text_list *queues)
{
    if (frame->down != FRAME_UNSAID)
        state->down = frame->down == FRAME_YES;
    if (frame->hold != FRAME_UNSAID)
        state->hold = frame->hold == FRAME_YES;
    for (size_t i = 0; frame->paused.ptr && i < state->queue_ct; i++)
        state->paused[i] = is_listed(frame->paused, queues->items[i]);
    return frame->has_restart && take_restart(state, frame->restart);
}

const char *app_state_held(const struct app_state *state, bool force)
{
    if (state->down && !force)
        return "maintenance";
    return state->hold ? "listener" : NULL;
}

bool app_state_is_paused(const struct app_state *state, size_t queue)
{
    return queue < state->queue_ct && state->paused[queue];
}

bool app_state_restrains(const struct app_state *state)
{
    for (size_t i = 0; i < state->queue_ct; i++)
        if (state->paused[i])
            return true;
    return state->down || state->hold;
}
