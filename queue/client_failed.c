/* Failed records in Redis, one by one: a hash for each, and a zset that orders them.
 *
 * What a record means is its reader's business: missing fields become empty ones, bytes
 * stay bytes. Many records in a row are client_walk.c's. Whatever takes a record away
 * does so together with its place in the index, in one script.
 */
#include "queue/client_record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FORGET_CHUNK = 500 };

/* Read by HMGET in this order; FAILED_SUMMARY ends before the payload. */
static const char *const fields[] = {"connection", "queue",   "job",
                                     "attempts",   "reason",  "failed_at_ms",
                                     "was_uuid",   "payload", "exception"};
static const size_t field_cts[] = {
    [FAILED_SUMMARY] = 7, [FAILED_WITH_PAYLOAD] = 8, [FAILED_WHOLE] = ARRAY_CT(fields)};

static char *record_key(const struct client *client, const char *uuid)
{
    return must_format("%s%s", client->own.failed_record, uuid);
}

int client_record_ask(struct client *client, const char *uuid, enum failed_fields which,
                      struct err *err)
{
    struct request command = {0};
    char *key = record_key(client, uuid);
    int rc;

    request_add_text(&command, "HMGET");
    request_add_text(&command, key);
    for (size_t i = 0; i < field_cts[which]; i++)
        request_add_text(&command, fields[i]);
    rc = client_append(client, &command, err);
    request_free(&command);
    free(key);
    return rc;
}

bool client_record_is_gone(const redisReply *reply)
{
    if (reply->type != REDIS_REPLY_ARRAY)
        return false;
    for (size_t i = 0; i < reply->elements; i++)
        if (reply->element[i]->type != REDIS_REPLY_NIL)
            return false;
    return true;
}

static struct slice field(const redisReply *reply, size_t i)
{
    const redisReply *value = i < reply->elements ? reply->element[i] : NULL;

    if (value == NULL || value->type != REDIS_REPLY_STRING)
        return slice_of(NULL, 0);
    return slice_of(value->str, (size_t)value->len);
}

static const char *field_text(const redisReply *reply, size_t i)
{
    struct slice value = field(reply, i);

    return value.ptr ? value.ptr : ""; /* hiredis ends every string with a NUL */
}

void client_record_fill(struct fail_record *record, const char *uuid,
                        const redisReply *reply)
{
    memset(record, 0, sizeof(*record));
    snprintf(record->uuid, sizeof(record->uuid), "%s", uuid);
    record->connection = field_text(reply, 0);
    record->queue = field_text(reply, 1);
    record->job = field_text(reply, 2);
    record->attempts = strtoll(field_text(reply, 3), NULL, 10);
    record->reason = field_text(reply, 4);
    record->failed_at_ms = strtoll(field_text(reply, 5), NULL, 10);
    record->was_uuid = field(reply, 6).ptr;
    record->payload = field(reply, 7);
    record->exception = field(reply, 8);
}

int client_record_script(struct client *client, const char *script,
                         const char *const *uuids, size_t ct, int64_t *number,
                         struct err *err)
{
    struct script_call call = {0};
    char **keys = must_alloc(ct * sizeof(*keys));
    int rc;

    script_call_begin(&call, script);
    script_call_key(&call, client->own.failed);
    for (size_t i = 0; i < ct; i++) {
        keys[i] = record_key(client, uuids[i]);
        script_call_key(&call, keys[i]);
    }
    for (size_t i = 0; i < ct; i++)
        script_call_arg(&call, slice_text(uuids[i]));
    rc = client_script_integer(client, &call, number, err);
    for (size_t i = 0; i < ct; i++)
        free(keys[i]);
    free(keys);
    return rc;
}

int client_failed_count(struct client *client, int64_t *ct, struct err *err)
{
    const char *const words[] = {"ZCARD", client->own.failed};
    redisReply *reply =
        client_ask_for(client, words, ARRAY_CT(words), REDIS_REPLY_INTEGER, err);

    if (reply == NULL)
        return -1;
    *ct = reply->integer;
    freeReplyObject(reply);
    return 0;
}

int client_failed_get(struct client *client, const char *uuid, failed_each_cb each,
                      void *arg, struct err *err)
{
    struct fail_record record;
    redisReply *reply;
    int rc = 0;

    if (client_record_ask(client, uuid, FAILED_WHOLE, err) != 0)
        return -1;
    reply = client_read(client, err);
    if (reply == NULL)
        return -1;
    if (reply->type != REDIS_REPLY_ARRAY) {
        rc = client_odd_reply(client, "HMGET", err);
    } else if (client_record_is_gone(reply)) {
        rc = err_set(err, ERR_NOT_FOUND, "no failed job %s", uuid);
    } else {
        client_record_fill(&record, uuid, reply);
        each(arg, &record);
    }
    freeReplyObject(reply);
    return rc;
}

static int tell_moving(const char *uuid, struct err *err)
{
    return err_set(err, ERR_DATABASE,
                   "the record of %s is on its way to PostgreSQL: try again", uuid);
}

int client_failed_retry(struct client *client, const char *uuid, const char *queue,
                        struct slice payload, bool *done, struct err *err)
{
    struct script_call call = {0};
    struct queue_keys keys;
    char *key = record_key(client, uuid);
    int64_t moved = 0;
    int rc;

    queue_keys_init(&keys, client->prefix, queue);
    script_call_begin(&call, "retry");
    script_call_key(&call, client->own.failed);
    script_call_key(&call, key);
    script_call_key(&call, keys.ready);
    script_call_key(&call, keys.notify);
    script_call_key(&call, client->own.failed_record); /* of no uuid */
    script_call_arg(&call, slice_text(uuid));
    script_call_arg(&call, payload);
    rc = client_script_integer(client, &call, &moved, err);
    *done = moved > 0;
    if (rc == 0 && moved < 0)
        rc = tell_moving(uuid, err);
    queue_keys_free(&keys);
    free(key);
    return rc;
}

int client_failed_forget(struct client *client, const char *const *uuids, size_t ct,
                         int64_t *removed, struct err *err)
{
    for (size_t done = 0; done < ct; done += FORGET_CHUNK) {
        size_t chunk = ct - done < FORGET_CHUNK ? ct - done : FORGET_CHUNK;
        int64_t gone = 0;

        if (client_record_script(client, "forget", uuids + done, chunk, &gone, err) != 0)
            return -1;
        if (gone < 0)
            return err_set(err, ERR_DATABASE,
                           "a record is on its way to PostgreSQL: try again");
        *removed += gone;
    }
    return 0;
}

/* ---- the outbox ---- */

struct client *client_outbox(const struct client *client)
{
    struct client *outbox = must_alloc(sizeof(*outbox));
    char *failed;

    outbox->redis = client->redis;
    outbox->borrowed = true;
    outbox->where = must_strdup(client->where);
    outbox->prefix = must_strdup(client->prefix);
    own_keys_init(&outbox->own, client->prefix);
    failed = outbox->own.failed; /* the index that the verbs are about */
    outbox->own.failed = outbox->own.outbox;
    outbox->own.outbox = failed;
    return outbox;
}

int client_failed_move(struct client *from, const struct client *to, size_t ct,
                       int64_t *moved, struct err *err)
{
    struct script_call call = {0};
    char number[24];

    MUST(ct > 0 && ct <= CLIENT_MOVE_MAX);
    snprintf(number, sizeof(number), "%zu", ct);
    script_call_begin(&call, "failed_move");
    script_call_key(&call, from->own.failed);
    script_call_key(&call, to->own.failed);
    script_call_arg(&call, slice_text(number));
    return client_script_integer(from, &call, moved, err);
}

/* ---- unique prefixes ---- */

struct search {
    const char *prefix;
    char *uuid; /* where the first goes */
    size_t found;
};

static int search_page(struct client *client, const char *pattern, char cursor[24],
                       struct search *search, struct err *err)
{
    const char *const words[] = {
        "ZSCAN", client->own.failed, cursor, "MATCH", pattern, "COUNT", "1000"};
    redisReply *reply = client_ask(client, words, ARRAY_CT(words), err), *members;

    if (reply == NULL)
        return -1;
    if (!client_is_scan(reply) || reply->element[1]->elements % 2 != 0) {
        freeReplyObject(reply);
        return client_odd_reply(client, "ZSCAN", err);
    }
    members = reply->element[1];
    for (size_t i = 0; i + 1 < members->elements; i += 2) {
        const char *uuid = members->element[i]->str;

        /* A scan may show the same one twice. */
        if (strlen(uuid) >= 64 || (search->found && strcmp(search->uuid, uuid) == 0))
            continue;
        if (search->found++ == 0)
            snprintf(search->uuid, 64, "%s", uuid);
    }
    snprintf(cursor, 24, "%s", reply->element[0]->str);
    freeReplyObject(reply);
    return 0;
}

static int search_index(struct client *client, struct search *search, struct err *err)
{
    char cursor[24] = "0";
    struct buf pattern;
    int rc;

    buf_init(&pattern, 0);
    client_glob_escape(&pattern, search->prefix);
    buf_add_char(&pattern, '*');
    do {
        rc = search_page(client, pattern.data, cursor, search, err);
    } while (rc == 0 && search->found < 2 && strcmp(cursor, "0") != 0);
    buf_free(&pattern);
    return rc;
}

/* 1: there, 0: not there, -1. */
static int is_record(struct client *client, const char *uuid, struct err *err)
{
    char *key = record_key(client, uuid);
    const char *const words[] = {"EXISTS", key};
    redisReply *reply =
        client_ask_for(client, words, ARRAY_CT(words), REDIS_REPLY_INTEGER, err);
    int found = reply ? reply->integer != 0 : -1;

    free(key);
    freeReplyObject(reply);
    return found;
}

int client_failed_resolve(struct client *client, const char *prefix, char uuid[64],
                          struct err *err)
{
    struct search search = {.prefix = prefix, .uuid = uuid};
    int whole = strlen(prefix) < 64 ? is_record(client, prefix, err) : 0;

    uuid[0] = '\0';

    if (whole < 0)
        return -1;
    if (whole) {
        snprintf(uuid, 64, "%s", prefix);
        return 0;
    }
    if (strlen(prefix) < CLIENT_UUID_PREFIX_MIN)
        return err_set(err, ERR_USAGE, "%s: give at least %d characters of the id",
                       prefix, CLIENT_UUID_PREFIX_MIN);
    if (search_index(client, &search, err) != 0)
        return -1;
    if (search.found == 1)
        return 0;
    if (search.found == 0)
        return err_set(err, ERR_NOT_FOUND, "no failed job %s", prefix);
    return err_set(err, ERR_NOT_FOUND, "%s begins the id of more than one failed job",
                   prefix);
}
