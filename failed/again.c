/* Setting a failed job's payload back. */
#include "failed/again.h"

#include "base/clock.h"
#include "jobs/payload.h"

void failed_again(struct slice payload, struct buf *out, bool *late)
{
    struct payload scanned;
    bool good = payload_scan(&scanned, payload, NULL) == 0;

    *late =
        good && scanned.retry_until >= 0 && scanned.retry_until <= clock_wall_ms() / 1000;
    if (good && payload_with_attempts(&scanned, 0, out) == 0)
        return;
    buf_clear(out);
    (void)buf_add(out, payload.ptr, payload.len);
}
