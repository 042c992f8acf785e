/* A client on a fresh database, and a second connection that arranges and looks.
 */
#ifndef TESTS_CLIENT_FIXTURE_H
#define TESTS_CLIENT_FIXTURE_H

#include <check.h>
#include <hiredis/hiredis.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "queue/client.h"
#include "tests/support/acl.h"
#include "tests/support/redis_process.h"
#include "tests/unit/suite.h"

static struct redis_process server;
static redisContext *raw;
static struct client *client;

static inline struct redis_endpoint endpoint_of(struct redis_process *process)
{
    static char user[] = ACL_USER, password[] = ACL_PASSWORD;

    return (struct redis_endpoint){
        .unix_path = process->socket, .username = user, .password = password};
}

/* Runs one command beside the client, words split at spaces; the answer as a number. */
static inline long long ask(const char *fmt, ...) PRINTF_LIKE(1, 2);
static inline long long ask(const char *fmt, ...)
{
    va_list ap;
    redisReply *reply;
    long long number;

    va_start(ap, fmt);
    reply = redisvCommand(raw, fmt, ap);
    va_end(ap);
    ck_assert_ptr_nonnull(reply);
    ck_assert_msg(reply->type != REDIS_REPLY_ERROR, "%s", reply->str);
    number = reply->type == REDIS_REPLY_INTEGER ? reply->integer
             : reply->type == REDIS_REPLY_ARRAY ? (long long)reply->elements
             : reply->str                       ? strtoll(reply->str, NULL, 10)
                                                : 0;
    freeReplyObject(reply);
    return number;
}

static inline void set_up(void)
{
    struct redis_endpoint endpoint = endpoint_of(&server);
    struct err err = {0};

    raw = redisConnectUnix(server.socket);
    ck_assert(raw && raw->err == 0);
    ask("CONFIG SET maxmemory 0");
    ask("FLUSHALL");
    ask("SCRIPT FLUSH");
    client = client_open(&endpoint, "p:", &err);
    ck_assert_msg(client != NULL, "%s", err.text);
}

static inline void tear_down(void)
{
    client_close(client);
    redisFree(raw);
}

#define OK(call) ck_assert_msg((call) == 0, "%s", err.text)

/* The whole of a main(): `prefix` is "p:" throughout. */
static inline int run_client_suite(const char *name, void (*add)(TCase *tc))
{
    int status;

    signal(SIGPIPE, SIG_IGN); /* as main() does */
    redis_process_begin(&server, REDIS_IN_MEMORY);
    status = run_suite(name, 120, add);
    redis_process_end(&server);
    return status;
}

#endif
