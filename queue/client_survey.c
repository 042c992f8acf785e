/* One look at all keys of queues, whoever's they are, and at the server.
 *
 * Names come from one SCAN, which a user who may touch no keys but drover's is allowed
 * too; keys under other prefixes are counted by their names and never read. Of a payload
 * nothing is read but its first byte.
 */
#include "queue/survey.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "queue/client_io.h"

enum { US_PER_MS = 1000, MS_PER_S = 1000 };

static const char queues_text[] = "queues:";

/* ---- names ---- */

/* Laravel's cache has "illuminate:queues:paused". */
static bool is_of_the_cache(struct slice prefix)
{
    static const char end[] = "illuminate:";
    size_t len = strlen(end);

    return prefix.len >= len && memcmp(prefix.ptr + prefix.len - len, end, len) == 0;
}

bool survey_split(struct slice key, const char *own, size_t *prefix_len,
                  struct slice *name)
{
    size_t own_len = strlen(own), word_len = strlen(queues_text);
    bool ours = key.len > own_len + word_len && memcmp(key.ptr, own, own_len) == 0 &&
                memcmp(key.ptr + own_len, queues_text, word_len) == 0;
    const char *word =
        ours ? key.ptr + own_len : memmem(key.ptr, key.len, queues_text, word_len);

    if (word == NULL)
        return false;
    *prefix_len = (size_t)(word - key.ptr);
    *name = slice_of(word + word_len, key.len - *prefix_len - word_len);
    if (name->len == 0 || memchr(key.ptr, '\0', key.len) ||
        (!ours && is_of_the_cache(slice_of(key.ptr, *prefix_len))))
        return false;
    *name = queue_keys_name(*name);
    return true;
}

bool survey_is_object(struct slice member)
{
    size_t at = 0;

    while (at < member.len && strchr(" \t\r\n", member.ptr[at]) != NULL &&
           member.ptr[at] != '\0')
        at++;
    return at < member.len && member.ptr[at] == '{';
}

static void add_prefix(struct survey *survey, struct slice prefix)
{
    for (size_t i = 0; i < survey->prefix_ct; i++)
        if (slice_is(prefix, survey->prefixes[i]))
            return;
    if (survey->prefix_ct == SURVEY_PREFIXES_MAX)
        survey->cut = true;
    else
        survey->prefixes[survey->prefix_ct++] = slice_dup(prefix);
}

static void add_queue(struct survey *survey, struct slice name)
{
    for (size_t i = 0; i < survey->queue_ct; i++)
        if (slice_is(name, survey->queues[i].name))
            return;
    if (survey->queue_ct == SURVEY_QUEUES_MAX)
        survey->cut = true;
    else
        survey->queues[survey->queue_ct++].name = slice_dup(name);
}

static void add_key(struct survey *survey, const char *own, struct slice key)
{
    struct slice name;
    size_t prefix_len;

    if (!survey_split(key, own, &prefix_len, &name))
        return;
    if (prefix_len == strlen(own) && memcmp(key.ptr, own, prefix_len) == 0)
        add_queue(survey, name);
    else
        add_prefix(survey, slice_of(key.ptr, prefix_len));
}

/* ---- asking ---- */

static int scan_page(struct client *client, struct survey *survey, char cursor[24],
                     struct err *err)
{
    const char *const words[] = {"SCAN", cursor, "MATCH", "*queues:*", "COUNT", "1000"};
    redisReply *reply = client_ask(client, words, ARRAY_CT(words), err);
    int rc = 0;

    if (reply == NULL)
        return -1;
    if (!client_is_scan(reply)) {
        rc = client_odd_reply(client, "SCAN", err);
    } else {
        for (size_t i = 0; i < reply->element[1]->elements; i++) {
            const redisReply *key = reply->element[1]->element[i];

            add_key(survey, client->prefix, slice_of(key->str, (size_t)key->len));
        }
        snprintf(cursor, 24, "%s", reply->element[0]->str);
    }
    freeReplyObject(reply);
    return rc;
}

static int scan(struct client *client, struct survey *survey, struct err *err)
{
    int64_t until_ms = clock_mono_ms() + SURVEY_WITHIN_MS;
    char cursor[24] = "0";
    unsigned pages = 0;

    do {
        if (pages++ == SURVEY_PAGES_MAX || clock_mono_ms() > until_ms) {
            survey->cut = true;
            return 0;
        }
        if (scan_page(client, survey, cursor, err) != 0)
            return -1;
    } while (strcmp(cursor, "0") != 0);
    return 0;
}

static int compare_queues(const void *a, const void *b)
{
    return strcmp(((const struct survey_queue *)a)->name,
                  ((const struct survey_queue *)b)->name);
}

static int count_stale(struct client *client, const char *key, int64_t now_s, int64_t *ct,
                       struct err *err)
{
    char bound[24];
    const char *const words[] = {"ZCOUNT", key, "-inf", bound};
    redisReply *reply;

    (void)snprintf(bound, sizeof(bound), "%" PRId64, now_s - SURVEY_STALE_S);
    reply = client_ask(client, words, ARRAY_CT(words), err);
    if (reply == NULL)
        return -1;
    if (reply->type == REDIS_REPLY_INTEGER)
        *ct = reply->integer;
    freeReplyObject(reply);
    return 0;
}

static void count_odd(void *arg, struct slice payload, double due_at UNUSED)
{
    struct survey_queue *queue = arg;

    queue->odd_ct += !survey_is_object(payload);
}

static int look_at(struct client *client, struct survey_queue *queue, int64_t now_s,
                   struct err *err)
{
    struct queue_keys keys;
    int rc = client_depths(client, queue->name, &queue->depths, err);

    queue_keys_init(&keys, client->prefix, queue->name);
    if (rc == 0 && queue->depths.reserved > 0)
        rc = count_stale(client, keys.reserved, now_s, &queue->stale_ct, err);
    if (rc == 0 && queue->depths.delayed > 0)
        rc = client_peek(client, queue->name, "delayed", SURVEY_HEADS, count_odd, queue,
                         err);
    queue_keys_free(&keys);
    return rc;
}

/* ---- the server ---- */

/* The value behind "NAME:" at the start of a line. */
static void read_field(const char *info, const char *name, char *value, size_t size)
{
    size_t len = strlen(name);

    for (const char *at = info; at; at = strchr(at, '\n')) {
        at += *at == '\n';
        if (strncmp(at, name, len) != 0 || at[len] != ':')
            continue;
        at += len + 1;
        (void)snprintf(value, size, "%.*s", (int)strcspn(at, "\r\n"), at);
        return;
    }
}

/* What the user may not ask stays unknown. */
static int ask_server(struct client *client, struct survey *survey, struct err *err)
{
    static const char *const words[] = {"INFO", "server"};
    struct err why = {0};
    redisReply *reply = client_ask(client, words, ARRAY_CT(words), &why);

    if (reply == NULL)
        return why.code == ERR_REPLY ? 0 : err_set(err, why.code, "%s", why.text);
    if (reply->type == REDIS_REPLY_STRING) {
        read_field(reply->str, "redis_version", survey->version, sizeof(survey->version));
        read_field(reply->str, "redis_mode", survey->mode, sizeof(survey->mode));
    }
    freeReplyObject(reply);
    return 0;
}

static int ask_time(struct client *client, struct survey *survey, int64_t *now_s,
                    struct err *err)
{
    static const char *const words[] = {"TIME"};
    int64_t before_ms = clock_wall_ms(), after_ms, redis_ms;
    redisReply *reply = client_ask(client, words, ARRAY_CT(words), err);

    after_ms = clock_wall_ms();
    if (reply == NULL)
        return -1;
    if (!client_is_texts(reply, 2) || reply->elements != 2) {
        freeReplyObject(reply);
        return client_odd_reply(client, "TIME", err);
    }
    *now_s = strtoll(reply->element[0]->str, NULL, 10);
    redis_ms = *now_s * MS_PER_S + strtoll(reply->element[1]->str, NULL, 10) / US_PER_MS;
    survey->exact_ms = (after_ms - before_ms) / 2 + 1;
    survey->ahead_ms = redis_ms - (before_ms + after_ms) / 2;
    freeReplyObject(reply);
    return 0;
}

int client_survey(struct client *client, struct survey *survey, struct err *err)
{
    int64_t now_s = 0;
    int rc;

    memset(survey, 0, sizeof(*survey));
    survey->queues = must_alloc(SURVEY_QUEUES_MAX * sizeof(*survey->queues));
    rc = ask_server(client, survey, err);
    if (rc == 0)
        rc = client_vitals(client, &survey->vitals, err);
    if (rc == 0)
        rc = ask_time(client, survey, &now_s, err);
    if (rc == 0)
        rc = scan(client, survey, err);
    if (survey->queue_ct > 0)
        qsort(survey->queues, survey->queue_ct, sizeof(*survey->queues), compare_queues);
    for (size_t i = 0; rc == 0 && i < survey->queue_ct; i++)
        rc = look_at(client, &survey->queues[i], now_s, err);
    return rc;
}

void survey_free(struct survey *survey)
{
    for (size_t i = 0; i < survey->queue_ct; i++)
        free(survey->queues[i].name);
    for (size_t i = 0; i < survey->prefix_ct; i++)
        free(survey->prefixes[i]);
    free(survey->queues);
    memset(survey, 0, sizeof(*survey));
}
