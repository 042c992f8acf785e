/* Release, fail and give_back: one call each; and the word that a job runs alone. */
#include "queue/internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "queue/crash.h"

enum { RELEASED_WITHOUT_NOTE = 2 }; /* the release script's word */

struct sending {
    struct queue *queue;
    struct settle *settle; /* stays until it is answered or the link is lost */
};

static bool was_ours(const redisReply *reply)
{
    if (reply->type == REDIS_REPLY_ARRAY) /* places that were not */
        return reply->elements == 0;
    return reply->type == REDIS_REPLY_INTEGER && reply->integer > 0;
}

/* The failed store has a wrong type: what cannot be recorded must not be removed. */
static bool is_store_error(const struct settle *settle, const redisReply *reply)
{
    return settle->kind == SETTLE_FAIL && reply && reply->type == REDIS_REPLY_ERROR &&
           strncmp(reply->str, "DROVERSTORE", strlen("DROVERSTORE")) == 0;
}

static void note_spoilt_notes(struct queue *queue, const struct settle *settle,
                              const redisReply *reply)
{
    char *key, *mend;

    if (settle->kind != SETTLE_RELEASE || reply->type != REDIS_REPLY_INTEGER ||
        reply->integer != RELEASED_WITHOUT_NOTE)
        return;
    key = notes_key(queue, settle->lease);
    mend = must_format("DEL %s", key ? key : "");
    log_error("redis.wrong_type", log_str("key", key), log_str("wants", "string"),
              log_str("mend", mend),
              log_str("then", "notes of this job's attempts are kept again"));
    free(mend);
    free(key);
}

static void took_verdict(void *arg, const redisReply *reply)
{
    struct sending sending = *(struct sending *)arg;
    struct queue *queue = sending.queue;

    free(arg);
    if (is_store_error(sending.settle, reply)) {
        settle_hold(queue, sending.settle, reply->str);
        inspect_own_keys(queue);
        queue_pump_soon(queue);
        return;
    }
    if (reply && reply->type == REDIS_REPLY_ERROR && !link_is_outage(reply->str)) {
        /* Sending it again would fail again. The job stays leased until that runs out. */
        log_error("queue.settle_failed",
                  log_str("queue", queue->queues[sending.settle->lease->queue].name),
                  log_str("reason", reply->str));
        sending.settle->sent_ct = 1;
        settle_done(queue, sending.settle, false);
    } else if (link_took(queue, "settle", reply)) {
        note_spoilt_notes(queue, sending.settle, reply);
        settle_done(queue, sending.settle, was_ours(reply));
    } else {
        return;
    }
    settle_tell(queue);
    queue_pump_soon(queue);
}

static struct call *spell_release(struct queue *queue, const struct settle *settle)
{
    const struct pool_queue *at = &queue->queues[settle->lease->queue];
    struct call *call = call_create("release", 8);
    char *notes = notes_key(queue, settle->lease);
    int64_t delay_ms = settle->due_ms - clock_mono_ms();
    char key[CRASH_KEY_BYTES];

    call_add_text(call, queue->own.failed);
    call_add_text(call, at->keys.ready);
    call_add_text(call, at->keys.delayed);
    call_add_text(call, at->keys.reserved);
    call_add_text(call, at->keys.notify);
    call_add_text(call, queue->own.crashes);
    call_add_text(call, queue->own.twins);
    call_add_text(call, notes ? notes : queue->own.notes);
    call_add_int(call, settle->lease->tag);
    call_add(call, settle->lease->bytes);
    call_add(call, slice_of(settle->bytes, settle->bytes_len));
    if (settle->due_ms == SETTLE_YIELDS)
        call_add_int(call, -1);
    else
        call_add_seconds(call, delay_ms > 0 ? delay_ms : 0);
    call_add_seconds(call,
                     queue->options.pool->poll_interval_ms + queue->pace.brpop_early_ms);
    call_add_text(call, settle_crash_key(queue, settle->lease, key));
    call_add_text(call, notes && settle->note ? settle->note : "");
    free(notes);
    return call;
}

static void add_record(struct call *call, const struct fail_record *record)
{
    call_add_text(call, record->connection ? record->connection : "redis");
    call_add_text(call, record->queue ? record->queue : "");
    call_add_text(call, record->job ? record->job : "");
    call_add_int(call, record->attempts);
    call_add_text(call, record->reason ? record->reason : "");
    call_add(call, record->exception);
    call_add_int(call, record->failed_at_ms);
    call_add(call, record->payload);
    call_add_int(call, (int64_t)record->history_at);
}

static struct call *spell_fail(struct queue *queue, const struct settle *settle)
{
    const struct fail_record *record = settle->record;
    struct call *call = call_create("fail", 7);
    char *notes = notes_key(queue, settle->lease);
    char spare[UUID_TEXT_BYTES], key[CRASH_KEY_BYTES];
    char *record_key, *spare_key;

    random_uuid(spare);
    record_key = must_format("%s%s", queue->own.failed_record,
                             record->uuid[0] ? record->uuid : spare);
    spare_key = must_format("%s%s", queue->own.failed_record, spare);
    call_add_text(call, outbox_index(queue));
    call_add_text(call, queue->queues[settle->lease->queue].keys.reserved);
    call_add_text(call, record_key);
    call_add_text(call, spare_key);
    call_add_text(call, queue->own.crashes);
    call_add_text(call, notes ? notes : queue->own.notes);
    call_add_text(call, outbox_other_index(queue));
    call_add_int(call, settle->lease->tag);
    call_add(call, settle->lease->bytes);
    call_add_text(call, settle_crash_key(queue, settle->lease, key));
    call_add_text(call, record->uuid[0] ? record->uuid : spare);
    call_add_text(call, spare);
    add_record(call, record);
    free(record_key);
    free(spare_key);
    free(notes);
    return call;
}

static struct call *spell_give_back(struct queue *queue, const struct settle *settle)
{
    const struct pool_queue *at = &queue->queues[settle->lease->queue];
    struct call *call = call_create("give_back", 5);
    char key[CRASH_KEY_BYTES];

    call_add_text(call, queue->own.failed);
    call_add_text(call, at->keys.ready);
    call_add_text(call, at->keys.reserved);
    call_add_text(call, at->keys.notify);
    call_add_text(call, queue->own.crashes);
    call_add_int(call, settle->lease->tag);
    call_add_text(call, "head");
    call_add_text(call, "");
    call_add(call, settle->lease->bytes);
    key[0] = '\0';
    if (settle->lease->priv->alone)
        crash_key(settle->lease->bytes, key);
    call_add_text(call, key);
    return call;
}

void verdict_send(struct queue *queue, struct settle *settle)
{
    static struct call *(*const spell[])(struct queue * queue,
                                         const struct settle *settle) = {
        [SETTLE_RELEASE] = spell_release,
        [SETTLE_FAIL] = spell_fail,
        [SETTLE_GIVE_BACK] = spell_give_back,
    };
    struct sending *sending = must_alloc(sizeof(*sending));

    sending->queue = queue;
    sending->settle = settle;
    call_send(spell[settle->kind](queue, settle), queue->main, queue->pace.answer_ms,
              took_verdict, sending);
}

/* ---- alone ---- */

static void took_alone(void *arg, const redisReply *reply)
{
    struct queue *queue = arg;

    (void)link_took_or_nil(queue, "alone", reply);
    queue->events.on_alone(queue->options.arg);
}

bool queue_alone(struct queue *queue, const struct lease *lease)
{
    char key[CRASH_KEY_BYTES];
    struct call *call;

    if (!link_may_send(queue))
        return false;
    lease->priv->alone = true;
    crash_key(lease->bytes, key);
    call = call_create("alone", 2);
    call_add_text(call, queue->own.failed);
    call_add_text(call, queue->own.crashes);
    call_add_text(call, key);
    call_send(call, queue->main, queue->pace.answer_ms, took_alone, queue);
    return true;
}

/* ---- the record ---- */

struct fail_record *verdict_copy_record(const struct fail_record *record)
{
    struct fail_record *copy = must_alloc(sizeof(*copy));

    *copy = *record;
    copy->connection = must_strdup(record->connection);
    copy->queue = must_strdup(record->queue);
    copy->job = must_strdup(record->job);
    copy->reason = must_strdup(record->reason);
    copy->exception.ptr = slice_dup(record->exception);
    copy->payload.ptr = slice_dup(record->payload);
    return copy;
}

void verdict_free_record(struct fail_record *record)
{
    if (record == NULL)
        return;
    free((char *)(uintptr_t)record->connection);
    free((char *)(uintptr_t)record->queue);
    free((char *)(uintptr_t)record->job);
    free((char *)(uintptr_t)record->reason);
    free((char *)(uintptr_t)record->exception.ptr);
    free((char *)(uintptr_t)record->payload.ptr);
    free(record);
}
