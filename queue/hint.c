/* A word to who moves from Laravel: with an empty prefix, queues under the prefixes that
 * Laravel makes of an app without a name of its own are most likely the ones meant. Asked
 * once, when the queue is first ready; nothing depends on the answer. Not asked by a user
 * of its own, who may touch no other keys than drover's.
 */
#include "queue/internal.h"

#include <stdlib.h>

#include "base/log.h"

static void found(const redisReply *reply, const char *prefix)
{
    char *line;

    if (reply == NULL || reply->type != REDIS_REPLY_INTEGER || reply->integer == 0)
        return;
    line = must_format("redis: { prefix = \"%s\"; };", prefix);
    log_warning("queue.prefix", log_str("found", prefix), log_str("set", line));
    free(line);
}

/* Laravel 5.8 to 12, and since 13. */
static const char old_prefix[] = "laravel_database_", new_prefix[] = "laravel-database-";

static void took_old(void *arg UNUSED, const redisReply *reply)
{
    found(reply, old_prefix);
}

static void took_new(void *arg UNUSED, const redisReply *reply)
{
    found(reply, new_prefix);
}

static void ask(struct queue *queue, const char *prefix, conn_reply_cb took)
{
    size_t ct = 1 + (size_t)queue->queue_ct * 3;
    struct slice *words = must_alloc(ct * sizeof(*words));
    struct queue_keys *keys = must_alloc(queue->queue_ct * sizeof(*keys));

    words[0] = slice_text("EXISTS");
    for (unsigned i = 0; i < queue->queue_ct; i++) {
        queue_keys_init(&keys[i], prefix, queue->queues[i].name);
        words[1 + i * 3] = slice_text(keys[i].ready);
        words[2 + i * 3] = slice_text(keys[i].delayed);
        words[3 + i * 3] = slice_text(keys[i].reserved);
    }
    conn_command(queue->main, words, ct, queue->pace.answer_ms, took, NULL);
    for (unsigned i = 0; i < queue->queue_ct; i++)
        queue_keys_free(&keys[i]);
    free(keys);
    free(words);
}

void hint_prefix(struct queue *queue)
{
    if (queue->options.prefix[0] != '\0' || queue->options.endpoint->username)
        return;
    ask(queue, old_prefix, took_old);
    ask(queue, new_prefix, took_new);
}
