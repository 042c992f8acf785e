/* The server's faults. Commands go out from a process of their own: a Redis that does not
 * answer must not hold up the run. */
#include "tests/chaos/server.h"

#include <errno.h>
#include <hiredis/hiredis.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/must.h"
#include "tests/support/wait.h"

enum {
    COMMAND_MS = 10000,
    TRIES_MS = 20000,
    AOF_COMMAND_BYTES = 250, /* about */
    LOAD_DELAY_MAX_US = 100000
};

void server_begin(struct server *server)
{
    *server = (struct server){0};
    redis_process_begin(&server->process, REDIS_ON_DISK);
}

void server_end(struct server *server)
{
    redis_process_end(&server->process);
}

void server_kill(struct server *server)
{
    (void)kill(server->process.pid, SIGKILL);
    while (waitpid(server->process.pid, NULL, 0) < 0 && errno == EINTR)
        ;
    server->process.pid = 0;
}

void server_terminate(struct server *server)
{
    redis_process_stop(&server->process);
}

void server_again(struct server *server)
{
    redis_process_again(&server->process);
}

/* Bytes that a start has to read: the files of the append-only directory. */
static long aof_bytes(const struct server *server)
{
    char command[160], text[32] = "0";
    FILE *pipe;

    (void)snprintf(command, sizeof(command), "cat '%s'/appendonlydir/* | wc -c",
                   server->process.dir);
    pipe = popen(command, "re");
    MUST(pipe != NULL);
    MUST(fgets(text, sizeof(text), pipe) != NULL);
    (void)pclose(pipe);
    return strtol(text, NULL, 10);
}

void server_again_slowly(struct server *server, uint32_t load_ms)
{
    char delay[32];
    const char *more[] = {"--key-load-delay", delay, NULL};
    long commands = aof_bytes(server) / AOF_COMMAND_BYTES + 1;
    long delay_us = (long)load_ms * 1000 / commands;

    (void)snprintf(delay, sizeof(delay), "%ld",
                   delay_us > LOAD_DELAY_MAX_US ? LOAD_DELAY_MAX_US : delay_us);
    server->process.more = more;
    redis_process_again(&server->process);
    server->process.more = NULL;
}

void server_stop(struct server *server)
{
    (void)kill(server->process.pid, SIGSTOP);
}

void server_continue(struct server *server)
{
    (void)kill(server->process.pid, SIGCONT);
}

struct redisContext *server_connect(const struct server *server, long timeout_ms)
{
    struct timeval timeout = {.tv_sec = timeout_ms / 1000,
                              .tv_usec = timeout_ms % 1000 * 1000};
    redisContext *redis = redisConnectUnixWithTimeout(server->process.socket, timeout);

    if (redis && redis->err == 0 && redisSetTimeout(redis, timeout) == REDIS_OK)
        return redis;
    if (redis)
        redisFree(redis);
    return NULL;
}

/* An answer that is an error counts as said: an EVAL that is killed, say. */
static bool say(const struct server *server, redisContext **redis, const char *command)
{
    redisReply *reply;

    if (*redis == NULL)
        *redis = server_connect(server, COMMAND_MS);
    if (*redis == NULL)
        return false;
    reply = redisCommand(*redis, command);
    if (reply == NULL || (reply->type == REDIS_REPLY_ERROR &&
                          reply->str[0] != 'E' /* BUSY, LOADING, ... */)) {
        redisFree(*redis);
        *redis = NULL;
    }
    if (reply)
        freeReplyObject(reply);
    return *redis != NULL;
}

static void say_all(const struct server *server, redisContext **redis,
                    const char *const *commands)
{
    int64_t end_ms = wait_now_ms() + TRIES_MS;

    for (; commands && *commands; commands++)
        while (!say(server, redis, *commands) && wait_now_ms() < end_ms)
            wait_pause();
}

void server_tell(struct server *server, const char *const *first, uint32_t pause_ms,
                 const char *const *then)
{
    redisContext *redis = NULL;
    pid_t pid = fork();
    int64_t end_ms;

    MUST(pid >= 0);
    if (pid > 0) {
        server->teller = pid;
        return;
    }
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    say_all(server, &redis, first);
    end_ms = wait_now_ms() + pause_ms;
    while (wait_now_ms() < end_ms)
        wait_pause();
    say_all(server, &redis, then);
    _exit(0);
}
