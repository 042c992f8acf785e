/* Starting, stopping and asking a redis-server in tests. */
#include "tests/support/real_redis.h"

#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LOOK_MS = 5, LOOKS_MAX = 4000 };

static void exec_server(const struct real_redis *server)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)dup2(null, STDIN_FILENO);
    (void)dup2(null, STDOUT_FILENO);
    (void)execlp("redis-server", "redis-server", "--port", "0", "--unixsocket",
                 server->socket, "--dir", server->dir, "--save", "", "--appendonly",
                 "yes", "--appendfsync", "no", (char *)NULL);
    _exit(127);
}

/* Connected and past LOADING. */
static int is_ready(struct real_redis *server)
{
    redisContext *redis = redisConnectUnix(server->socket);
    redisReply *reply = redis->err ? NULL : redisCommand(redis, "PING");
    int ready = reply && reply->type == REDIS_REPLY_STATUS;

    if (reply)
        freeReplyObject(reply);
    if (ready)
        server->redis = redis;
    else
        redisFree(redis);
    return ready;
}

void real_redis_again(struct real_redis *server)
{
    const struct timespec pause = {.tv_nsec = LOOK_MS * 1000000};

    server->pid = fork();
    ck_assert_int_ge(server->pid, 0);
    if (server->pid == 0)
        exec_server(server);
    for (int i = 0; i < LOOKS_MAX; i++) {
        if (is_ready(server))
            return;
        (void)nanosleep(&pause, NULL);
    }
    ck_abort_msg("redis-server does not come up");
}

void real_redis_start(struct real_redis *server)
{
    (void)snprintf(server->dir, sizeof(server->dir), "/tmp/drover-redis-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(server->dir));
    (void)snprintf(server->socket, sizeof(server->socket), "%s/redis.sock", server->dir);
    real_redis_again(server);
}

void real_redis_stop(struct real_redis *server)
{
    if (server->redis)
        redisFree(server->redis);
    server->redis = NULL;
    if (server->pid == 0)
        return;
    (void)kill(server->pid, SIGCONT);
    (void)kill(server->pid, SIGTERM);
    (void)waitpid(server->pid, NULL, 0);
    server->pid = 0;
}

void real_redis_end(struct real_redis *server)
{
    char command[128];

    real_redis_stop(server);
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", server->dir);
    ck_assert_int_eq(system(command), 0);
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
    number = reply->type == REDIS_REPLY_STRING ? strtoll(reply->str, NULL, 10)
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
