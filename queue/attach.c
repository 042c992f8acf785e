/* hiredis' adapter for libevent is a header of static functions: this file gives it one
 * home. */
#include "queue/attach.h"

#include <hiredis/adapters/libevent.h>

int attach_to_loop(struct redisAsyncContext *ac, struct event_base *base)
{
    return redisLibeventAttach(ac, base) == REDIS_OK ? 0 : -1;
}
