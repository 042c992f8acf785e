/* A real redis-server for a test: on a unix socket in a directory of its own, dying with
 * the test; and plain synchronous commands to look at what it holds.
 */
#ifndef SUPPORT_REAL_REDIS_H
#define SUPPORT_REAL_REDIS_H

#include <hiredis/hiredis.h>
#include <sys/types.h>

struct real_redis {
    char dir[64];
    char socket[96];
    pid_t pid; /* 0: not running */
    redisContext *redis;
};

void real_redis_start(struct real_redis *server); /* with an append-only file */
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
