/* Failed records that wait in Redis until PostgreSQL has them.
 *
 * Each is the record it would be in the Redis store, but in another index. What takes
 * them to PostgreSQL is the worker's; this file reads them in pages, and drops them once
 * they are there. Reading takes two calls: a page of the index, then as many records as
 * fit.
 */
#include "queue/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "queue/reply.h"

enum { PAGE_BYTES = 4 * 1024 * 1024 };

const char *outbox_index(const struct queue *queue)
{
    return queue->options.to_outbox ? queue->own.outbox : queue->own.failed;
}

const char *outbox_other_index(const struct queue *queue)
{
    return queue->options.to_outbox ? queue->own.failed : queue->own.outbox;
}

void outbox_counted(struct queue *queue, int64_t ct)
{
    if (ct > 0 && queue->events.on_outbox)
        queue->events.on_outbox(queue->options.arg, ct);
}

/* ---- reading ---- */

/* Where the fields stand in what outbox_read.lua says of a record. */
enum {
    AT_CONNECTION,
    AT_QUEUE,
    AT_JOB,
    AT_ATTEMPTS,
    AT_REASON,
    AT_FAILED_AT,
    AT_PAYLOAD,
    AT_EXCEPTION,
    AT_WAS_UUID,
    FIELD_CT
};

struct reading {
    struct queue *queue;
    outbox_page_cb cb;
    void *arg;
    size_t max_ct;
    bool index_ends; /* with the page of it that was read */
    size_t ct;
    struct outbox_cursor places[OUTBOX_PAGE_MAX]; /* of the index */
};

static void finish_reading(struct reading *reading, const struct outbox_page *page)
{
    reading->cb(reading->arg, page);
    free(reading);
}

static struct slice field(const redisReply *fields, size_t at)
{
    const redisReply *value = fields->element[at];

    if (value->type != REDIS_REPLY_STRING)
        return slice_of(NULL, 0);
    return slice_of(value->str, (size_t)value->len);
}

static const char *field_text(const redisReply *fields, size_t at)
{
    struct slice value = field(fields, at);

    return value.ptr ? value.ptr : "";
}

static void fill_record(struct fail_record *record, const struct outbox_cursor *place,
                        const redisReply *fields)
{
    memcpy(record->uuid, place->uuid, sizeof(record->uuid));
    record->connection = field_text(fields, AT_CONNECTION);
    record->queue = field_text(fields, AT_QUEUE);
    record->job = field_text(fields, AT_JOB);
    record->attempts = strtoll(field_text(fields, AT_ATTEMPTS), NULL, 10);
    record->reason = field_text(fields, AT_REASON);
    record->failed_at_ms = strtoll(field_text(fields, AT_FAILED_AT), NULL, 10);
    record->payload = field(fields, AT_PAYLOAD);
    record->exception = field(fields, AT_EXCEPTION);
    record->was_uuid = field(fields, AT_WAS_UUID).ptr;
}

/* Whether it is place, what stands there, ... of `ct` keys. */
static bool is_pairs(const redisReply *list, size_t ct, int type)
{
    if (list->type != REDIS_REPLY_ARRAY || list->elements % 2 != 0)
        return false;
    for (size_t i = 0; i < list->elements; i += 2) {
        const redisReply *place = list->element[i];

        if (place->type != REDIS_REPLY_INTEGER || place->integer < 1 ||
            place->integer > (long long)ct || list->element[i + 1]->type != type)
            return false;
    }
    return true;
}

/* Whether it is what outbox_read.lua promises of `ct` keys. */
static bool is_page(const redisReply *reply, size_t ct)
{
    const redisReply *records;

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 4 ||
        reply->element[0]->type != REDIS_REPLY_INTEGER ||
        reply->element[0]->integer > (long long)ct ||
        !reply_is_places(reply->element[1]) ||
        !is_pairs(reply->element[2], ct, REDIS_REPLY_ARRAY) ||
        !is_pairs(reply->element[3], ct, REDIS_REPLY_INTEGER))
        return false;
    records = reply->element[2];
    for (size_t i = 1; i < records->elements; i += 2)
        if (records->element[i]->elements != FIELD_CT)
            return false;
    return true;
}

static void took_nothing(void *arg, const redisReply *reply)
{
    (void)arg;
    (void)reply;
}

static void add_record_key(struct call *call, const struct queue *queue, const char *uuid)
{
    char *key = must_format("%s%s", queue->own.failed_record, uuid);

    call_add_text(call, key);
    free(key);
}

/* An id whose record is gone would be met in every page. Not awaited. */
static void tidy(struct reading *reading, const redisReply *gone)
{
    struct queue *queue = reading->queue;
    struct call *call;

    if (gone->elements == 0)
        return;
    call = call_create("failed_tidy", 1 + (unsigned)gone->elements);
    call_add_text(call, queue->own.outbox);
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < gone->elements; i++) {
            const char *uuid = reading->places[gone->element[i]->integer - 1].uuid;

            if (pass == 0)
                add_record_key(call, queue, uuid);
            else
                call_add_text(call, uuid);
        }
    }
    call_send(call, queue->main, queue->pace.answer_ms, took_nothing, NULL);
}

static void fill_too_long(struct outbox_page *page, const struct reading *reading,
                          const redisReply *list)
{
    page->too_long = must_alloc((list->elements / 2 + 1) * sizeof(*page->too_long));
    for (size_t i = 0; i < list->elements; i += 2) {
        struct outbox_too_long *record = &page->too_long[page->too_long_ct++];

        memcpy(record->uuid, reading->places[list->element[i]->integer - 1].uuid,
               sizeof(record->uuid));
        record->payload_bytes = list->element[i + 1]->integer;
    }
}

static void took_records(void *arg, const redisReply *reply)
{
    struct reading *reading = arg;
    struct outbox_page page = {0};
    const redisReply *list;
    size_t looked;

    if (!link_took_or_nil(reading->queue, "outbox_read", reply) ||
        !is_page(reply, reading->ct)) {
        finish_reading(reading, NULL);
        return;
    }
    looked = (size_t)reply->element[0]->integer;
    list = reply->element[2];
    tidy(reading, reply->element[1]);
    page.records = must_alloc((list->elements / 2 + 1) * sizeof(*page.records));
    for (size_t i = 0; i < list->elements; i += 2)
        fill_record(&page.records[page.ct++],
                    &reading->places[list->element[i]->integer - 1],
                    list->element[i + 1]);
    fill_too_long(&page, reading, reply->element[3]);
    page.last = reading->index_ends && looked == reading->ct;
    if (looked > 0)
        page.cursor = reading->places[looked - 1];
    reading->cb(reading->arg, &page);
    free(page.records);
    free(page.too_long);
    free(reading);
}

static void read_records(struct reading *reading)
{
    struct queue *queue = reading->queue;
    struct call *call = call_create("outbox_read", (unsigned)reading->ct);

    for (size_t i = 0; i < reading->ct; i++)
        add_record_key(call, queue, reading->places[i].uuid);
    call_add_int(call, PAGE_BYTES);
    call_add_int(call, queue->options.max_payload_bytes);
    call_send(call, queue->main, queue->pace.answer_ms, took_records, reading);
}

/* What drover cannot have written would be met in every page, and is no place to go on
 * from: it goes. Not awaited. */
static void drop_odd_id(struct queue *queue, const redisReply *id)
{
    struct slice words[] = {slice_text("ZREM"), slice_text(queue->own.outbox),
                            slice_of(id->str, (size_t)id->len)};

    conn_command(queue->main, words, ARRAY_CT(words), queue->pace.answer_ms, took_nothing,
                 NULL);
}

static void add_place(struct reading *reading, const redisReply *uuid,
                      const redisReply *score)
{
    struct outbox_cursor *place = &reading->places[reading->ct];

    if ((size_t)uuid->len >= sizeof(place->uuid) ||
        memchr(uuid->str, '\0', (size_t)uuid->len)) {
        drop_odd_id(reading->queue, uuid);
        return;
    }
    (void)snprintf(place->uuid, sizeof(place->uuid), "%s", uuid->str);
    (void)snprintf(place->score, sizeof(place->score), "%s", score->str);
    reading->ct++;
}

static void took_index(void *arg, const redisReply *reply)
{
    struct reading *reading = arg;
    const struct outbox_page empty = {.last = true};

    if (!link_took_or_nil(reading->queue, "outbox", reply) ||
        reply->type != REDIS_REPLY_ARRAY) {
        finish_reading(reading, NULL);
        return;
    }
    for (size_t i = 0; i + 1 < reply->elements && reading->ct < OUTBOX_PAGE_MAX; i += 2)
        add_place(reading, reply->element[i], reply->element[i + 1]);
    reading->index_ends = reply->elements / 2 < reading->max_ct;
    if (reading->ct == 0)
        finish_reading(reading, &empty);
    else
        read_records(reading);
}

bool queue_outbox_read(struct queue *queue, const struct outbox_cursor *after,
                       size_t max_ct, outbox_page_cb cb, void *arg)
{
    struct reading *reading;
    struct call *call;

    MUST(max_ct > 0 && max_ct <= OUTBOX_PAGE_MAX);
    if (queue->link != LINK_READY)
        return false;
    reading = must_alloc(sizeof(*reading));
    reading->queue = queue;
    reading->cb = cb;
    reading->arg = arg;
    reading->max_ct = max_ct;
    call = call_create("failed_page", 1);
    call_add_text(call, queue->own.outbox);
    call_add_text(call, "asc");
    call_add_text(call, "-inf");
    call_add_text(call, "+inf");
    call_add_int(call, (int64_t)max_ct);
    call_add_text(call, after->score);
    call_add_text(call, after->uuid);
    call_send(call, queue->main, queue->pace.answer_ms, took_index, reading);
    return true;
}

/* ---- claiming and dropping ---- */

struct marking {
    struct queue *queue;
    const char *script;
    outbox_drop_cb cb; /* NULL: nobody waits for it */
    void *arg;
};

static void took_marked(void *arg, const redisReply *reply)
{
    struct marking marking = *(struct marking *)arg;
    size_t *kept;

    free(arg);
    if (!link_took_or_nil(marking.queue, marking.script, reply) ||
        !reply_is_places(reply)) {
        if (marking.cb)
            marking.cb(marking.arg, false, NULL, 0);
        return;
    }
    if (marking.cb == NULL)
        return;
    kept = must_alloc((reply->elements + 1) * sizeof(*kept));
    for (size_t i = 0; i < reply->elements; i++)
        kept[i] = (size_t)reply->element[i]->integer - 1;
    marking.cb(marking.arg, true, kept, reply->elements);
    free(kept);
}

static void send_marking(struct call *call, const struct marking *marking)
{
    struct marking *arg = must_alloc(sizeof(*arg));

    *arg = *marking;
    call_send(call, marking->queue->main, marking->queue->pace.answer_ms, took_marked,
              arg);
}

static void send_claim(struct marking *marking, const char *act,
                       const struct outbox_mark *marks, size_t ct)
{
    struct queue *queue = marking->queue;
    struct call *call = call_create("outbox_claim", 2 + (unsigned)ct);

    MUST(ct > 0 && ct <= OUTBOX_PAGE_MAX);
    marking->script = "outbox_claim";
    call_add_text(call, queue->own.outbox);
    call_add_text(call, queue->own.beats);
    for (size_t i = 0; i < ct; i++)
        add_record_key(call, queue, marks[i].uuid);
    call_add_int(call, queue->tag);
    call_add_text(call, act);
    for (size_t i = 0; i < ct; i++)
        call_add_int(call, marks[i].failed_at_ms);
    send_marking(call, marking);
}

bool queue_outbox_claim(struct queue *queue, const struct outbox_mark *marks, size_t ct,
                        outbox_drop_cb cb, void *arg)
{
    struct marking marking = {.queue = queue, .cb = cb, .arg = arg};

    if (queue->link != LINK_READY)
        return false;
    send_claim(&marking, "claim", marks, ct);
    return true;
}

void queue_outbox_let_go(struct queue *queue, const struct outbox_mark *marks, size_t ct)
{
    struct marking marking = {.queue = queue};

    if (queue->link == LINK_READY && ct > 0)
        send_claim(&marking, "let_go", marks, ct);
}

bool queue_outbox_drop(struct queue *queue, const struct outbox_mark *marks, size_t ct,
                       outbox_drop_cb cb, void *arg)
{
    struct marking marking = {
        .queue = queue, .script = "outbox_drop", .cb = cb, .arg = arg};
    struct call *call;

    MUST(ct > 0 && ct <= OUTBOX_PAGE_MAX);
    if (queue->link != LINK_READY)
        return false;
    call = call_create("outbox_drop", 1 + (unsigned)ct);
    call_add_text(call, queue->own.outbox);
    for (size_t i = 0; i < ct; i++)
        add_record_key(call, queue, marks[i].uuid);
    for (size_t i = 0; i < ct; i++) {
        call_add_text(call, marks[i].uuid);
        call_add_int(call, marks[i].failed_at_ms);
    }
    send_marking(call, &marking);
    return true;
}
