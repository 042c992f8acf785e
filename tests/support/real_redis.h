/* A redis-server for a test, with an append-only file, and plain synchronous commands to
 * look at what it holds.
 */
#ifndef SUPPORT_REAL_REDIS_H
#define SUPPORT_REAL_REDIS_H

#include <hiredis/hiredis.h>

#include "tests/support/redis_process.h"

struct real_redis {
    struct redis_process process;
    redisContext *redis;
};

void real_redis_start(struct real_redis *server);
void real_redis_stop(struct real_redis *server);  /* TERM, waited for */
void real_redis_again(struct real_redis *server); /* on the same files */
void real_redis_end(struct real_redis *server);   /* stops and removes the directory */

/* A command as for redisCommand(). A reply is freed by the caller; an error fails the
 * test. */
redisReply *real_redis_do(struct real_redis *server, const char *format, ...);
/* Its integer; the number in a string; 0 for nil. */
long long real_redis_int(struct real_redis *server, const char *format, ...);
/* Whether the answer is exactly this string. */
int real_redis_is(struct real_redis *server, const char *text, const char *format, ...);
/* The type of the answer, which may be an error. */
int real_redis_try(struct real_redis *server, const char *format, ...);

#endif
