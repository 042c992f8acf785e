/* The judgement over heartbeats. Must not read a clock or a scoreboard. */
#include "supervisor/beat.h"

void beat_reset(struct beat *watch)
{
    *watch = (struct beat){.beat = -1}; /* no worker's: the first look only notes */
}

bool beat_is_late(struct beat *watch, int64_t beat, int64_t elapsed_ms,
                  int64_t planned_ms, int64_t limit_ms)
{
    if (beat != watch->beat || elapsed_ms > planned_ms + BEAT_TICK_LATE_MS) {
        watch->beat = beat;
        watch->still_ms = 0;
        return false;
    }
    watch->still_ms += elapsed_ms;
    return watch->still_ms >= limit_ms;
}
