/* Asking a redis-server in tests. */
#include "tests/support/real_redis.h"

#include <check.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/wait.h"

/* Past LOADING. */
static bool is_ready(void *arg)
{
    struct real_redis *server = arg;
    redisContext *redis = redisConnectUnix(server->process.socket);
    redisReply *reply = redis->err ? NULL : redisCommand(redis, "PING");
    bool ready = reply && reply->type == REDIS_REPLY_STATUS;

    if (reply)
        freeReplyObject(reply);
    if (ready)
        server->redis = redis;
    else
        redisFree(redis);
    return ready;
}

void real_redis_start(struct real_redis *server)
{
    redis_process_begin(&server->process, REDIS_ON_DISK);
    wait_until(is_ready, server, "redis-server answers");
}

void real_redis_again(struct real_redis *server)
{
    redis_process_again(&server->process);
    wait_until(is_ready, server, "redis-server answers");
}

void real_redis_stop(struct real_redis *server)
{
    if (server->redis)
        redisFree(server->redis);
    server->redis = NULL;
    redis_process_stop(&server->process);
}

void real_redis_end(struct real_redis *server)
{
    if (server->redis)
        redisFree(server->redis);
    server->redis = NULL;
    redis_process_end(&server->process);
}

static redisReply *ask(struct real_redis *server, const char *format, va_list ap)
{
    redisReply *reply = redisvCommand(server->redis, format, ap);

    ck_assert_msg(reply != NULL, "%s: %s", format, server->redis->errstr);
    return reply;
}

static redisReply *ask_well(struct real_redis *server, const char *format, va_list ap)
{
    redisReply *reply = ask(server, format, ap);

    ck_assert_msg(reply->type != REDIS_REPLY_ERROR, "%s: %s", format, reply->str);
    return reply;
}

int real_redis_try(struct real_redis *server, const char *format, ...)
{
    redisReply *reply;
    va_list ap;
    int type;

    va_start(ap, format);
    reply = ask(server, format, ap);
    va_end(ap);
    type = reply->type;
    freeReplyObject(reply);
    return type;
}

redisReply *real_redis_do(struct real_redis *server, const char *format, ...)
{
    redisReply *reply;
    va_list ap;

    va_start(ap, format);
    reply = ask_well(server, format, ap);
    va_end(ap);
    return reply;
}

long long real_redis_int(struct real_redis *server, const char *format, ...)
{
    redisReply *reply;
    long long number;
    va_list ap;

    va_start(ap, format);
    reply = ask_well(server, format, ap);
    va_end(ap);
    /* A score may be written with an exponent. */
    number = reply->type == REDIS_REPLY_STRING ? (long long)strtod(reply->str, NULL)
                                               : reply->integer;
    freeReplyObject(reply);
    return number;
}

int real_redis_is(struct real_redis *server, const char *text, const char *format, ...)
{
    redisReply *reply;
    va_list ap;
    int same;

    va_start(ap, format);
    reply = ask_well(server, format, ap);
    va_end(ap);
    same = reply->str && reply->len == strlen(text) &&
           memcmp(reply->str, text, reply->len) == 0;
    freeReplyObject(reply);
    return same;
}
