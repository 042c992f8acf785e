/* What a payload needs before it runs again. Pure but for the time. */
#ifndef FAILED_AGAIN_H
#define FAILED_AGAIN_H

#include "base/buf.h"

/* Appends the payload as it goes back to its queue: attempts start again at 0; what is no
 * payload goes back as it is: it will fail again, but its bytes are nobody's to change.
 * *late: its retryUntil is past. */
void failed_again(struct slice payload, struct buf *out, bool *late);

#endif
