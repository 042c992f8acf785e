/* The Redis side of an import: tokens, marks, and the script that pushes and marks in
 * one.
 *
 * Knows nothing of databases. A mark is kept until it is told to be forgotten; nothing
 * here expires but the token, without which a push is refused, never done twice.
 */
#include "queue/client_import.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "queue/client_io.h"

static const char token_life_s[] = "86400";

/* One source's keys. */
struct import_keys {
    char *marks, *token;
};

static struct import_keys keys_of(const struct client *client, const char *source)
{
    return (struct import_keys){
        .marks = must_format("%s%s", client->own.import, source),
        .token = must_format("%s%s:token", client->own.import, source)};
}

static void free_keys(struct import_keys *keys)
{
    free(keys->marks);
    free(keys->token);
}

/* As client_ask_for() where the answer brings no news. */
static int tell(struct client *client, const char *const *words, size_t ct, int type,
                struct err *err)
{
    redisReply *reply = client_ask_for(client, words, ct, type, err);
    bool told = reply != NULL;

    freeReplyObject(reply);
    return told ? 0 : -1;
}

int client_import_begin(struct client *client, const char *source,
                        struct import_token *token, struct err *err)
{
    struct import_keys keys = keys_of(client, source);
    const char *const words[] = {"SET", keys.token, token->text, "EX", token_life_s};
    int rc;

    random_uuid(token->text);
    rc = tell(client, words, ARRAY_CT(words), REDIS_REPLY_STATUS, err);
    free_keys(&keys);
    return rc;
}

int client_import_void(struct client *client, const char *source, struct err *err)
{
    struct import_keys keys = keys_of(client, source);
    const char *const words[] = {"DEL", keys.token};
    int rc = tell(client, words, ARRAY_CT(words), REDIS_REPLY_INTEGER, err);

    free_keys(&keys);
    return rc;
}

/* ---- pushing ---- */

/* The queues of one call, each once, and the numbers in it as text. */
struct parcel {
    struct queue_keys queues[IMPORT_ROWS_MAX];
    const char *names[IMPORT_ROWS_MAX];
    size_t queue_ct;
    struct row_texts {
        char queue[24], id[24], due_at[24];
    } texts[IMPORT_ROWS_MAX];
};

static size_t queue_number(struct parcel *parcel, const char *prefix, const char *name)
{
    size_t at = 0;

    while (at < parcel->queue_ct && strcmp(parcel->names[at], name) != 0)
        at++;
    if (at == parcel->queue_ct) {
        queue_keys_init(&parcel->queues[at], prefix, name);
        parcel->names[at] = name;
        parcel->queue_ct++;
    }
    return at + 1;
}

static struct parcel *create_parcel(const char *prefix, const struct import_row *rows,
                                    size_t ct)
{
    struct parcel *parcel = must_alloc(sizeof(*parcel));

    for (size_t i = 0; i < ct; i++) {
        struct row_texts *texts = &parcel->texts[i];

        (void)snprintf(texts->queue, sizeof(texts->queue), "%zu",
                       queue_number(parcel, prefix, rows[i].queue));
        (void)snprintf(texts->id, sizeof(texts->id), "%" PRId64, rows[i].mark->id);
        (void)snprintf(texts->due_at, sizeof(texts->due_at), "%" PRId64, rows[i].due_at);
    }
    return parcel;
}

static void free_parcel(struct parcel *parcel)
{
    for (size_t i = 0; i < parcel->queue_ct; i++)
        queue_keys_free(&parcel->queues[i]);
    free(parcel);
}

static void spell_push(struct script_call *call, const struct client *client,
                       const struct import_keys *keys, const struct parcel *parcel)
{
    script_call_begin(call, "import");
    script_call_key(call, keys->marks);
    script_call_key(call, keys->token);
    script_call_key(call, client->own.twins);
    for (size_t i = 0; i < parcel->queue_ct; i++) {
        script_call_key(call, parcel->queues[i].ready);
        script_call_key(call, parcel->queues[i].delayed);
        script_call_key(call, parcel->queues[i].notify);
    }
}

static void add_rows(struct script_call *call, const struct parcel *parcel,
                     const struct import_row *rows, size_t ct)
{
    for (size_t i = 0; i < ct; i++) {
        script_call_arg(call, slice_text(parcel->texts[i].queue));
        script_call_arg(call, slice_text(parcel->texts[i].id));
        script_call_arg(call, slice_text(rows[i].mark->text));
        script_call_arg(call, slice_text(parcel->texts[i].due_at));
        script_call_arg(call, rows[i].payload);
    }
}

static bool is_place(const redisReply *reply, size_t ct)
{
    return reply->type == REDIS_REPLY_INTEGER && reply->integer >= 1 &&
           (size_t)reply->integer <= ct;
}

static bool read_before(const redisReply *list, struct import_row *rows, size_t ct)
{
    if (list->type != REDIS_REPLY_ARRAY)
        return false;
    for (size_t i = 0; i < list->elements; i++) {
        if (!is_place(list->element[i], ct))
            return false;
        rows[list->element[i]->integer - 1].fate = IMPORT_BEFORE;
    }
    return true;
}

static bool read_refused(const redisReply *list, struct import_row *rows, size_t ct)
{
    struct import_row *row;

    if (list->type != REDIS_REPLY_ARRAY || list->elements % 2 != 0)
        return false;
    for (size_t i = 0; i < list->elements; i += 2) {
        if (!is_place(list->element[i], ct) ||
            list->element[i + 1]->type != REDIS_REPLY_STRING)
            return false;
        row = &rows[list->element[i]->integer - 1];
        row->fate = IMPORT_REFUSED;
        (void)snprintf(row->why, sizeof(row->why), "%s", list->element[i + 1]->str);
    }
    return true;
}

/* An answer that nobody understands says nothing of what was done: ERR_CONN. */
static int read_answer(const struct client *client, const redisReply *reply,
                       struct import_row *rows, size_t ct, struct err *err)
{
    bool is_list = reply->type == REDIS_REPLY_ARRAY && reply->elements > 0 &&
                   reply->element[0]->type == REDIS_REPLY_INTEGER;

    for (size_t i = 0; i < ct; i++)
        rows[i].fate = IMPORT_ADDED;
    if (is_list && reply->element[0]->integer == 0)
        return err_set(err, ERR_REPLY,
                       "another import of this table has begun meanwhile, or Redis has "
                       "lost what it knew of this one");
    if (is_list && reply->elements == 3 && read_before(reply->element[1], rows, ct) &&
        read_refused(reply->element[2], rows, ct))
        return 0;
    (void)client_odd_reply(client, "import", err);
    if (err)
        err->code = ERR_CONN;
    return -1;
}

int client_import_push(struct client *client, const char *source,
                       const struct import_token *token, struct import_row *rows,
                       size_t ct, struct err *err)
{
    struct import_keys keys = keys_of(client, source);
    struct script_call call = {0};
    struct parcel *parcel;
    redisReply *reply;
    int rc = -1;

    MUST(ct > 0 && ct <= IMPORT_ROWS_MAX);
    parcel = create_parcel(client->prefix, rows, ct);
    spell_push(&call, client, &keys, parcel);
    script_call_arg(&call, slice_text(token->text));
    add_rows(&call, parcel, rows, ct);
    reply = client_script(client, &call, err);
    if (reply) {
        rc = read_answer(client, reply, rows, ct, err);
        freeReplyObject(reply);
    }
    free_parcel(parcel);
    free_keys(&keys);
    return rc;
}

/* ---- marks ---- */

int client_import_forget(struct client *client, const char *source,
                         const struct import_mark *const *marks, size_t ct,
                         struct err *err)
{
    struct import_keys keys = keys_of(client, source);
    const char *words[2 + IMPORT_ROWS_MAX] = {"ZREM", keys.marks};
    int rc;

    MUST(ct > 0 && ct <= IMPORT_ROWS_MAX);
    for (size_t i = 0; i < ct; i++)
        words[2 + i] = marks[i]->text;
    rc = tell(client, words, 2 + ct, REDIS_REPLY_INTEGER, err);
    free_keys(&keys);
    return rc;
}

/* What is no mark of ours is passed over. */
static size_t read_marks(const redisReply *reply, struct import_mark *marks)
{
    size_t ct = 0;

    for (size_t i = 0; i < reply->elements && ct < IMPORT_ROWS_MAX; i++) {
        const redisReply *member = reply->element[i];
        size_t len = (size_t)member->len;

        if (len == 0 || len >= IMPORT_MARK_BYTES || strlen(member->str) != len)
            continue;
        memcpy(marks[ct].text, member->str, len + 1);
        marks[ct].id = strtoll(member->str, NULL, 10);
        ct++;
    }
    return ct;
}

int client_import_marks(struct client *client, const char *source, int64_t after_id,
                        struct import_mark marks[IMPORT_ROWS_MAX], size_t *ct,
                        struct err *err)
{
    struct import_keys keys = keys_of(client, source);
    char after[24], limit[24];
    const char *const words[] = {"ZRANGEBYSCORE", keys.marks, after, "+inf",
                                 "LIMIT",         "0",        limit};
    redisReply *reply;
    int rc = 0;

    (void)snprintf(after, sizeof(after), "(%" PRId64, after_id);
    (void)snprintf(limit, sizeof(limit), "%d", IMPORT_ROWS_MAX);
    reply = client_ask(client, words, ARRAY_CT(words), err);
    free_keys(&keys);
    if (reply == NULL)
        return -1;
    if (client_is_texts(reply, 1))
        *ct = read_marks(reply, marks);
    else
        rc = client_odd_reply(client, "ZRANGEBYSCORE", err);
    freeReplyObject(reply);
    return rc;
}
