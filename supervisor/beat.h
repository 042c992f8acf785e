/* Whether a worker's loop still turns, judged from its heartbeat. Pure.
 *
 * Only time that the supervisor itself has lived through counts: after its own tick came
 * late (it was stopped, the machine was suspended or starved) the count begins anew, so
 * that workers which stood still with it are not condemned.
 */
#ifndef SUPERVISOR_BEAT_H
#define SUPERVISOR_BEAT_H

#include <stdbool.h>
#include <stdint.h>

enum { BEAT_TICK_LATE_MS = 2000 }; /* later than this: not the worker's fault */

struct beat {
    int64_t beat;     /* as last seen */
    int64_t still_ms; /* how long it has stood there, as far as was seen */
};

void beat_reset(struct beat *watch); /* at each start of a worker */

/* Once per tick: `elapsed_ms` since the tick before, `planned_ms` as asked for. True once
 * the beat has stood still for `limit_ms`. */
bool beat_is_late(struct beat *watch, int64_t beat, int64_t elapsed_ms,
                  int64_t planned_ms, int64_t limit_ms);

#endif
