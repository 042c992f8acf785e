/* Scenes with Laravel in them. Starts nothing by itself; what the scripts do and mean is
 * said in tests/php. */
#include "tests/support/php_stage.h"

#include <check.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"

enum { OPTIONS_MAX = 16 };

void php_stage_open(struct php_stage *stage, const char *prefix, const char *settings)
{
    char socket[128];

    *stage = (struct php_stage){.prefix = prefix};
    stage->scene = scene_create(SCENE_REDIS, settings);
    if (prefix[0])
        ck_assert_int_eq(setenv("REDIS_PREFIX", prefix, 1), 0);
    (void)snprintf(socket, sizeof(socket), "%s/redis.sock", stage->scene->dir);
    stage->redis = redisConnectUnix(socket);
    ck_assert(stage->redis && stage->redis->err == 0);
}

void php_stage_close(struct php_stage *stage)
{
    redisFree(stage->redis);
    scene_destroy(stage->scene);
}

static redisReply *ask(struct php_stage *stage, const char *format, va_list ap)
{
    redisReply *reply = redisvCommand(stage->redis, format, ap);

    ck_assert_msg(reply != NULL, "%s: %s", format, stage->redis->errstr);
    ck_assert_msg(reply->type != REDIS_REPLY_ERROR, "%s: %s", format, reply->str);
    return reply;
}

redisReply *php_stage_ask(struct php_stage *stage, const char *format, ...)
{
    redisReply *reply;
    va_list ap;

    va_start(ap, format);
    reply = ask(stage, format, ap);
    va_end(ap);
    return reply;
}

long long php_stage_int(struct php_stage *stage, const char *format, ...)
{
    redisReply *reply;
    long long number;
    va_list ap;

    va_start(ap, format);
    reply = ask(stage, format, ap);
    va_end(ap);
    number = reply->type == REDIS_REPLY_INTEGER ? reply->integer
             : reply->str                       ? strtoll(reply->str, NULL, 10)
                                                : 0;
    freeReplyObject(reply);
    return number;
}

char *php_stage_only(struct php_stage *stage, const char *key)
{
    redisReply *type = php_stage_ask(stage, "TYPE %s%s", stage->prefix, key);
    redisReply *all = php_stage_ask(stage, "%s %s%s 0 -1",
                                    strcmp(type->str, "list") == 0 ? "LRANGE" : "ZRANGE",
                                    stage->prefix, key);
    char *only;

    ck_assert_msg(all->elements == 1, "%s holds %zu, not 1", key, all->elements);
    only = must_strndup(all->element[0]->str, all->element[0]->len);
    freeReplyObject(all);
    freeReplyObject(type);
    return only;
}

/* "--name=value" of the connection, for every script. */
struct connection {
    char socket[160], prefix[80];
};

static void connect_options(const struct php_stage *stage, struct connection *options)
{
    (void)snprintf(options->socket, sizeof(options->socket), "--socket=%s/redis.sock",
                   stage->scene->dir);
    (void)snprintf(options->prefix, sizeof(options->prefix), "--prefix=%s",
                   stage->prefix);
}

void php_stage_start_producer(struct php_stage *stage, struct php_process *php,
                              const char *name)
{
    struct connection connection = {0};
    const char *options[] = {connection.socket, connection.prefix, NULL};

    connect_options(stage, &connection);
    php_start(php, stage->scene->dir, name, "producer.php", options);
}

void php_stage_produce(struct php_stage *stage, const char *orders)
{
    struct php_process php;
    char name[32], path[128];
    FILE *file;

    (void)snprintf(name, sizeof(name), "made%u", stage->made_ct++);
    (void)snprintf(path, sizeof(path), "%s/%s.in", stage->scene->dir, name);
    file = fopen(path, "we");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(orders, file), 0);
    ck_assert_int_eq(fclose(file), 0);
    php_stage_start_producer(stage, &php, name);
    php_finish(&php);
}

void php_stage_start_consumer(struct php_stage *stage, struct php_process *php,
                              const char *name, ...)
{
    const char *options[OPTIONS_MAX] = {0}, *option;
    struct connection connection = {0};
    char ledger[160], who[64];
    size_t ct = 0;
    va_list ap;

    connect_options(stage, &connection);
    (void)snprintf(ledger, sizeof(ledger), "--ledger=%s/ledger", stage->scene->dir);
    (void)snprintf(who, sizeof(who), "--who=%s", name);
    options[ct++] = connection.socket;
    options[ct++] = connection.prefix;
    options[ct++] = ledger;
    options[ct++] = who;
    va_start(ap, name);
    while ((option = va_arg(ap, const char *)) != NULL) {
        ck_assert_uint_lt(ct, OPTIONS_MAX - 1);
        options[ct++] = option;
    }
    va_end(ap);
    php_start(php, stage->scene->dir, name, "consumer.php", options);
}

size_t php_stage_count(struct php_stage *stage, const char *file, const char *text)
{
    char *all = scene_read(stage->scene, file), *line = all, *end;
    size_t ct = 0;

    for (; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        *end = '\0';
        ct += strstr(line, text) != NULL;
    }
    free(all);
    return ct;
}
