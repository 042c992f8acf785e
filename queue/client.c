/* Queues as the command line sees them: how deep, what lies at their heads, push, clear.
 *
 * Whatever must not be torn apart is one script; the rest reads. Payloads pass through as
 * bytes: nothing here looks into one. The connection itself is client_io.c's.
 */
#include "queue/client.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "queue/client_io.h"

enum { PEEK_PAGE = 16 };

/* The next answer of a pipeline as a length; a key of a wrong type gives -1. */
static int read_length(struct client *client, int64_t *length, struct err *err)
{
    struct err refused = {0};
    redisReply *reply = client_read(client, &refused);

    *length = -1;
    if (reply) {
        bool good = reply->type == REDIS_REPLY_INTEGER;

        if (good)
            *length = reply->integer;
        freeReplyObject(reply);
        return good ? 0 : client_odd_reply(client, "a length", err);
    }
    if (client_is_wrong_type(&refused))
        return 0;
    return err_set(err, refused.code, "%s", refused.text);
}

int client_depths(struct client *client, const char *queue, struct depths *depths,
                  struct err *err)
{
    struct queue_keys keys;
    struct request command = {0};
    int64_t *const lengths[] = {&depths->ready, &depths->delayed, &depths->reserved};
    int rc = 0;

    queue_keys_init(&keys, client->prefix, queue);
    const char *const asked[][2] = {
        {"LLEN", keys.ready}, {"ZCARD", keys.delayed}, {"ZCARD", keys.reserved}};
    for (size_t i = 0; rc == 0 && i < ARRAY_CT(asked); i++) {
        request_add_text(&command, asked[i][0]);
        request_add_text(&command, asked[i][1]);
        rc = client_append(client, &command, err);
    }
    /* All answers are read, whatever they say: the pipeline must stay in step. */
    for (size_t i = 0; i < ARRAY_CT(asked); i++)
        if (rc == 0 || err == NULL || err->code != ERR_CONN)
            rc |= read_length(client, lengths[i], err);
    request_free(&command);
    queue_keys_free(&keys);
    return rc;
}

int client_push(struct client *client, const char *queue, const struct slice *payloads,
                size_t ct, int64_t delay_ms, struct err *err)
{
    struct script_call call = {0};
    struct queue_keys keys;
    char delay[24];
    int64_t pushed;
    int rc;

    MUST(ct > 0 && ct <= CLIENT_PUSH_MAX);
    queue_keys_init(&keys, client->prefix, queue);
    script_call_begin(&call, "push");
    script_call_key(&call, keys.ready);
    script_call_key(&call, keys.delayed);
    script_call_key(&call, keys.notify);
    script_call_key(&call, client->own.twins);
    snprintf(delay, sizeof(delay), "%" PRId64, delay_ms > 0 ? delay_ms : 0);
    script_call_arg(&call, slice_text(delay));
    for (size_t i = 0; i < ct; i++)
        script_call_arg(&call, payloads[i]);
    rc = client_script_integer(client, &call, &pushed, err);
    queue_keys_free(&keys);
    return rc;
}

int client_clear(struct client *client, const char *queue, bool reserved,
                 int64_t *removed, struct err *err)
{
    struct script_call call = {0};
    struct queue_keys keys;
    int rc;

    queue_keys_init(&keys, client->prefix, queue);
    script_call_begin(&call, "clear");
    script_call_key(&call, keys.ready);
    script_call_key(&call, keys.delayed);
    script_call_key(&call, keys.notify);
    if (reserved)
        script_call_key(&call, keys.reserved);
    rc = client_script_integer(client, &call, removed, err);
    queue_keys_free(&keys);
    return rc;
}

/* ---- which queues there are ---- */

struct names {
    char **items;
    size_t ct, cap;
};

/* The queue's name in `key`, which is known to begin with the prefix and to go on. */
static void add_name(struct names *names, const char *key, size_t prefix_bytes)
{
    if (names->ct == names->cap) {
        names->cap = names->cap ? names->cap * 2 : 64;
        names->items = must_realloc(names->items, names->cap, sizeof(*names->items));
    }
    names->items[names->ct++] =
        slice_dup(queue_keys_name(slice_text(key + prefix_bytes)));
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void tell_names(struct names *names, void (*found)(void *arg, const char *queue),
                       void *arg)
{
    if (names->ct > 0)
        qsort(names->items, names->ct, sizeof(*names->items), compare_names);
    for (size_t i = 0; i < names->ct; i++)
        if (i == 0 || strcmp(names->items[i], names->items[i - 1]) != 0)
            found(arg, names->items[i]);
}

/* Reads one page of a SCAN; `cursor` is moved on, "0" at the end. */
static int scan_page(struct client *client, const char *pattern, char cursor[24],
                     size_t prefix_bytes, struct names *names, struct err *err)
{
    const char *const words[] = {"SCAN", cursor, "MATCH", pattern, "COUNT", "1000"};
    redisReply *reply = client_ask(client, words, ARRAY_CT(words), err);
    int rc = 0;

    if (reply == NULL)
        return -1;
    if (!client_is_scan(reply))
        rc = client_odd_reply(client, "SCAN", err);
    for (size_t i = 0; rc == 0 && i < reply->element[1]->elements; i++)
        if (strlen(reply->element[1]->element[i]->str) > prefix_bytes)
            add_name(names, reply->element[1]->element[i]->str, prefix_bytes);
    if (rc == 0)
        snprintf(cursor, 24, "%s", reply->element[0]->str);
    freeReplyObject(reply);
    return rc;
}

int client_scan_queues(struct client *client, void (*found)(void *arg, const char *queue),
                       void *arg, struct err *err)
{
    size_t prefix_bytes = strlen(client->prefix) + strlen("queues:");
    struct names names = {0};
    struct buf pattern;
    char cursor[24] = "0";
    int rc;

    buf_init(&pattern, 0);
    client_glob_escape(&pattern, client->prefix);
    buf_add_text(&pattern, "queues:*");
    do {
        rc = scan_page(client, pattern.data, cursor, prefix_bytes, &names, err);
    } while (rc == 0 && strcmp(cursor, "0") != 0);
    if (rc == 0)
        tell_names(&names, found, arg);
    for (size_t i = 0; i < names.ct; i++)
        free(names.items[i]);
    free(names.items);
    buf_free(&pattern);
    return rc;
}

/* ---- what lies at the head ---- */

struct peek {
    const char *verb; /* LRANGE or ZRANGE */
    const char *key;
    client_job_cb each;
    void *arg;
};

/* One page from `first` on; *got: how many came. */
static int peek_page(struct client *client, const struct peek *peek, size_t first,
                     size_t ct, size_t *got, struct err *err)
{
    bool scored = strcmp(peek->verb, "ZRANGE") == 0;
    char from[24], to[24];
    const char *const words[] = {peek->verb, peek->key, from, to, "WITHSCORES"};
    redisReply *reply;

    snprintf(from, sizeof(from), "%zu", first);
    snprintf(to, sizeof(to), "%zu", first + ct - 1);
    reply = client_ask(client, words, ARRAY_CT(words) - (scored ? 0 : 1), err);
    if (reply == NULL)
        return -1;
    if (!client_is_texts(reply, scored ? 2 : 1)) {
        freeReplyObject(reply);
        return client_odd_reply(client, peek->verb, err);
    }
    for (size_t i = 0; i < reply->elements; i += scored ? 2 : 1) {
        const redisReply *job = reply->element[i];

        peek->each(peek->arg, slice_of(job->str, (size_t)job->len),
                   scored ? strtod(reply->element[i + 1]->str, NULL) : 0);
    }
    *got = scored ? reply->elements / 2 : reply->elements;
    freeReplyObject(reply);
    return 0;
}

int client_peek(struct client *client, const char *queue, const char *state, size_t ct,
                client_job_cb each, void *arg, struct err *err)
{
    struct queue_keys keys;
    struct peek peek = {.verb = "ZRANGE", .each = each, .arg = arg};
    int rc = 0;

    queue_keys_init(&keys, client->prefix, queue);
    if (strcmp(state, "ready") == 0) {
        peek.verb = "LRANGE";
        peek.key = keys.ready;
    } else if (strcmp(state, "delayed") == 0) {
        peek.key = keys.delayed;
    } else {
        MUST(strcmp(state, "reserved") == 0);
        peek.key = keys.reserved;
    }
    for (size_t done = 0, got = 0; rc == 0 && done < ct; done += got) {
        size_t page = ct - done < PEEK_PAGE ? ct - done : PEEK_PAGE;

        rc = peek_page(client, &peek, done, page, &got, err);
        if (got != page)
            break;
    }
    queue_keys_free(&keys);
    return rc;
}
