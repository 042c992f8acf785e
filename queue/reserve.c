/* The reserve script: what goes in, what its answer means.
 *
 * Up to two reserves are unanswered, both on the main connection, or one behind a BRPOP.
 * The acks that ride along are answered before the jobs are looked at.
 *
 * Whatever verdict may be executed before it, without an answer, is named in it: its
 * bytes are not taken again as they are. Those that ride with the reserve before it are
 * such verdicts, too. So it is spelled anew where Redis does not know the script, and
 * stands behind a BRPOP only while there can be no verdict (wait.c).
 */
#include "queue/internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/random.h"
#include "queue/crash.h"
#include "queue/reply.h"

enum { FIXED_KEYS = 6 }; /* of the script, before those of the queues */

/* One call: under which tag, and the acks that rode along. */
struct reserving {
    struct queue *queue;
    bool by_wait;
    bool whole; /* the script's text was sent */
    unsigned slots;
    uint32_t tag;
    char uuid[UUID_TEXT_BYTES]; /* for a record of a payload that is too big */
    struct acks *acks;          /* that ride along */
};

/* ---- the answer ---- */

/* The key that a problem is about, which begins with its part of the queue. */
static const char *problem_key(const struct queue_keys *keys, const char *problem)
{
    const struct {
        const char *part, *key;
    } table[] = {{"ready:", keys->ready},
                 {"delayed:", keys->delayed},
                 {"reserved:", keys->reserved},
                 {"notify:", keys->notify}};

    for (size_t i = 0; i < ARRAY_CT(table) && strstr(problem, "WRONGTYPE"); i++)
        if (strncmp(problem, table[i].part, strlen(table[i].part)) == 0)
            return table[i].key;
    return NULL;
}

static void tell_problem(const struct pool_queue *queue, const char *problem)
{
    const char *key = problem_key(&queue->keys, problem);
    char *mend = key ? must_format("RENAMENX %s %s.bad", key, key) : NULL;

    log_warning(
        "queue.bad", log_str("queue", queue->name), log_str("problem", problem),
        log_str("mend", mend),
        log_str("then", mend ? "the queue goes on, and what is there is kept" : NULL));
    free(mend);
}

static void set_problem(struct pool_queue *queue, const char *problem)
{
    if (problem && (queue->problem == NULL || strcmp(queue->problem, problem) != 0))
        tell_problem(queue, problem);
    if (problem == NULL && queue->problem)
        log_info("queue.mended", log_str("queue", queue->name));
    free(queue->problem);
    queue->problem = must_strdup(problem);
}

static void take_problems(struct queue *queue, const redisReply *problems)
{
    for (unsigned q = 0; q < queue->queue_ct; q++) {
        const char *first = NULL;
        bool bad = false, bad_notify = false;

        for (size_t i = 0; i + 1 < problems->elements; i += 2) {
            const char *text = problems->element[i + 1]->str;

            if (problems->element[i]->integer != (long long)q + 1)
                continue;
            first = first ? first : text;
            if (strncmp(text, "notify:", strlen("notify:")) == 0)
                bad_notify = true;
            else
                bad = true;
        }
        queue->queues[q].bad = bad;
        queue->queues[q].bad_notify = bad_notify;
        set_problem(&queue->queues[q], first);
    }
}

static void take_oversize(struct queue *queue, const redisReply *oversize,
                          const char *uuid)
{
    if (oversize->elements == 0)
        return;
    log_error("queue.too_big",
              log_str("queue", queue->queues[oversize->element[0]->integer - 1].name),
              log_int("bytes", oversize->element[1]->integer),
              log_int("max_payload_bytes", queue->options.max_payload_bytes),
              log_str("failed", uuid));
}

struct counting {
    struct queue *queue;
    uint64_t batch;
};

/* Only now, for the call may have been sent twice (NOSCRIPT), behind what came after it.
 */
static void took_count(void *arg, const redisReply *reply)
{
    struct counting counting = *(struct counting *)arg;

    free(arg);
    if (!link_took_or_nil(counting.queue, "crashed", reply))
        return;
    counting.queue->questions--;
    arrive_finish(counting.queue, counting.batch, true);
    arrive_return(counting.queue);
}

/* Our own late lease: this worker has not crashed. */
static bool is_here(const struct queue *queue, unsigned index, struct slice bytes)
{
    struct lease_key key = leases_key(&queue->leases, index, bytes);

    return leases_find(&queue->leases, &key) || settle_find(queue, &key);
}

/* Leases that ran out, of workers that were not seen to die. A crash is counted only
 * where nobody beats for the holder any more: who lives lost the lease to an outage, or
 * was slow, and the job is innocent. True: the batch goes on when they are counted. */
static bool count_reclaimed(struct queue *queue, const redisReply *reclaimed)
{
    struct counting *counting;
    struct call *call;
    char key[CRASH_KEY_BYTES];
    int64_t ct = 0, crashed_ct = 0;

    if (reclaimed->elements == 0)
        return false;
    call = call_create("crashed", 2);
    call_add_text(call, queue->own.failed);
    call_add_text(call, queue->own.crashes);
    call_add_text(call, "lease ran out");
    for (size_t i = 0; i + 2 < reclaimed->elements; i += 3) {
        const redisReply *payload = reclaimed->element[i + 1];
        struct slice bytes = slice_of(payload->str, payload->len);

        if (is_here(queue, (unsigned)reclaimed->element[i]->integer - 1, bytes))
            continue;
        ct++;
        if (reclaimed->element[i + 2]->integer != 1)
            continue;
        crash_key(bytes, key);
        call_add_text(call, key);
        crashed_ct++;
    }
    if (ct > 0)
        log_warning("queue.reclaimed", log_int("jobs", ct),
                    log_int("crashes", crashed_ct));
    if (crashed_ct == 0) {
        call_free(call);
        return false;
    }
    counting = must_alloc(sizeof(*counting));
    counting->queue = queue;
    counting->batch = queue->batch;
    queue->questions++;
    call_send(call, queue->main, queue->pace.answer_ms, took_count, counting);
    return true;
}

static void take_jobs(struct queue *queue, const struct reserve_reply *read, uint32_t tag)
{
    for (size_t i = 0; i + 1 < read->jobs->elements; i += 2) {
        const redisReply *payloads = read->jobs->element[i + 1];

        for (size_t k = 0; k < payloads->elements; k++)
            arrive_job(queue, (unsigned)read->jobs->element[i]->integer - 1,
                       slice_of(payloads->element[k]->str, payloads->element[k]->len),
                       tag, read->now_ms);
    }
}

/* What is left ready, of which nothing says that it never goes. */
static uint64_t count_ready(const struct queue *queue, const struct reserve_reply *read)
{
    uint64_t ct = 0;

    for (unsigned q = 0; q < queue->queue_ct; q++)
        if (!queue->queues[q].bad && !pause_is_on(&queue->queues[q]) &&
            read->depths->element[q * 3]->integer > 0)
            ct += (uint64_t)read->depths->element[q * 3]->integer;
    return ct;
}

/* Jobs are popped so many at a time as surely fit: one big one is remembered for a while.
 */
static void note_size(struct queue *queue, const struct reserve_reply *read)
{
    queue->usual_bytes -= queue->usual_bytes / 8;
    for (size_t i = 1; i < read->jobs->elements; i += 2)
        for (size_t k = 0; k < read->jobs->element[i]->elements; k++)
            if (read->jobs->element[i]->element[k]->len > queue->usual_bytes)
                queue->usual_bytes = read->jobs->element[i]->element[k]->len;
}

static void take_answer(struct queue *queue, const struct reserving *call,
                        const struct reserve_reply *read)
{
    bool counted;

    take_problems(queue, read->problems);
    take_oversize(queue, read->oversize, call->uuid);
    queue->next_due_ms = read->next_due_ms;
    queue->some_crashed = read->crashed_ct > 0;
    queue->backlog = count_ready(queue, read);
    queue->look = queue->backlog > 0 || read->next_due_ms == 0;
    queue->batch++;
    note_size(queue, read);
    counted =
        count_reclaimed(queue, read->reclaimed); /* while what is here is told apart */
    take_jobs(queue, read, call->tag);
    if (!counted)
        arrive_finish(queue, queue->batch, read->crashed_ct > 0);
}

static void send_reserve(struct queue *queue, struct conn *conn, unsigned slots,
                         int64_t within_ms, bool whole);

static void end_call(struct queue *queue, const struct reserving *call)
{
    if (call->by_wait)
        queue->waiting = false;
    else
        queue->reserves_open--;
    queue->asked -= call->slots;
}

/* Redis does not know the script (any more): nothing was done. Verdicts may have been
 * sent meanwhile, so it is spelled anew, on the connection that they are sent on. */
static void send_again(struct reserving *call)
{
    struct queue *queue = call->queue;

    acks_put_back(call->acks);
    end_call(queue, call);
    send_reserve(queue, queue->main, call->slots, queue->pace.answer_ms, true);
    free(call);
}

/* Not while jobs are on their way: they are told of themselves. Nor while one is on its
 * way back, which this look cannot have seen: the next one, behind it, does. */
static void tell_empty(struct queue *queue)
{
    if (settle_brings_back(queue))
        queue->look = true;
    if (!queue->look && queue->arriving == 0 && queue->reserves_open == 0 &&
        queue->events.on_empty)
        queue->events.on_empty(queue->options.arg);
}

static void took_reserve(void *arg, const redisReply *reply)
{
    struct reserving *call = arg;
    struct queue *queue = call->queue;
    struct reserve_reply read;
    struct err why;

    if (call_is_unknown(reply) && !call->whole) {
        send_again(call);
        return;
    }
    if (!link_took(queue, "reserve", reply))
        goto out;
    if (reserve_reply_read(&read, reply, queue->queue_ct, &why) != 0) {
        link_lost(queue, &why);
        goto out;
    }
    end_call(queue, call);
    timer_stop(&queue->due);
    acks_done(call->acks, read.lost);
    call->acks = NULL;
    if (read.open)
        take_answer(queue, call, &read);
    else if (call->tag == queue->tag && queue->drain == DRAIN_NONE)
        resume_owner(queue);
    arrive_return(queue);
    settle_tell(queue);
    queue_pump_soon(queue);
    if (read.open && read.jobs->elements == 0)
        tell_empty(queue);
out:
    free(call->acks);
    free(call);
}

/* ---- the question ---- */

static void add_keys(struct call *call, const struct queue *queue, const char *record)
{
    call_add_text(call, outbox_index(queue));
    call_add_text(call, record);
    call_add_text(call, queue->own.open);
    call_add_text(call, queue->own.crashes);
    call_add_text(call, queue->own.twins);
    call_add_text(call, queue->own.beats);
    for (unsigned q = 0; q < queue->queue_ct; q++) {
        call_add_text(call, queue->queues[q].keys.ready);
        call_add_text(call, queue->queues[q].keys.delayed);
        call_add_text(call, queue->queues[q].keys.reserved);
        call_add_text(call, queue->queues[q].keys.notify);
    }
}

/* Verdicts that are on their way already: they may have been executed, or not. */
static const struct settle *next_unanswered(const struct settle *settle, uint64_t riding)
{
    while (settle && (settle->sent_ct == 0 || settle->ride == riding))
        settle = TAILQ_NEXT(settle, next);
    return settle;
}

static void add_unanswered(struct call *call, const struct queue *queue, uint64_t riding)
{
    const struct settle *at = next_unanswered(TAILQ_FIRST(&queue->settles), riding);

    while (at) {
        const struct settle *end = at;
        unsigned index = at->lease->queue;
        int64_t ct = 0;

        for (; end && end->lease->queue == index; ct++)
            end = next_unanswered(TAILQ_NEXT(end, next), riding);
        call_add_int(call, index + 1);
        call_add_int(call, ct);
        for (; at != end; at = next_unanswered(TAILQ_NEXT(at, next), riding))
            call_add(call, at->lease->bytes);
    }
}

void reserve_send(struct queue *queue, struct conn *conn, unsigned slots,
                  int64_t within_ms)
{
    send_reserve(queue, conn, slots, within_ms, false);
}

static struct reserving *create_call(struct queue *queue, bool by_wait, unsigned slots)
{
    struct reserving *reserving = must_alloc(sizeof(*reserving));

    reserving->queue = queue;
    reserving->by_wait = by_wait;
    reserving->slots = slots;
    reserving->tag = queue->tag;
    reserving->acks = acks_take(queue, 0, by_wait ? 0 : queue->queue_ct);
    random_uuid(reserving->uuid);
    return reserving;
}

static struct call *spell(const struct reserving *reserving)
{
    const struct queue *queue = reserving->queue;
    struct call *call = call_create("reserve", FIXED_KEYS + 4 * queue->queue_ct);
    char *record = must_format("%s%s", queue->own.failed_record, reserving->uuid);

    add_keys(call, queue, record);
    free(record);
    call_add_int(call, queue->tag);
    call_add_seconds(call, queue->options.pool->lease_ms);
    call_add_int(call, reserving->slots);
    call_add_int(call, queue->options.max_payload_bytes);
    call_add_seconds(call, queue->options.pool->poll_interval_ms);
    call_add_text(call, reserving->uuid);
    call_add_int(call, (int64_t)queue->usual_bytes);
    call_add_int(call, queue->queue_ct);
    call_add_int(call, (int64_t)acks_group_ct(reserving->acks));
    for (unsigned q = 0; q < queue->queue_ct; q++)
        call_add_text(call, pause_name(&queue->queues[q]));
    acks_spell(call, reserving->acks, ACKS_WITH_QUEUES);
    add_unanswered(call, queue, reserving->acks->ride);
    return call;
}

static void send_reserve(struct queue *queue, struct conn *conn, unsigned slots,
                         int64_t within_ms, bool whole)
{
    bool by_wait = conn == queue->wait;
    struct reserving *reserving = create_call(queue, by_wait, slots);

    reserving->whole = whole;
    if (by_wait)
        queue->waiting = true;
    else
        queue->reserves_open++;
    queue->asked += slots;
    call_send_once(spell(reserving), whole, conn, within_ms, took_reserve, reserving);
}
