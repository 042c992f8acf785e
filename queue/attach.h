/* Puts a hiredis connection on a libevent loop. */
#ifndef QUEUE_ATTACH_H
#define QUEUE_ATTACH_H

#include "base/must.h"

struct event_base;
struct redisAsyncContext;

int attach_to_loop(struct redisAsyncContext *ac, struct event_base *base) MUSTCHECK;

#endif
