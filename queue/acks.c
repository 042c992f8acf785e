/* Acks in bulk: which are due, how a call spells them, what its answer means.
 *
 * They ride with a reserve or go by themselves (settle.c). The scripts take both in the
 * same groups: those of one queue and one tag, so many as a script unpacks.
 */
#include "queue/internal.h"

#include <stdlib.h>

#include "queue/crash.h"
#include "queue/reply.h"

enum { GROUP_MAX = 1000 };

static bool is_due(const struct settle *settle, unsigned from, unsigned end)
{
    return settle->kind == SETTLE_ACK && !settle->in_flight &&
           settle->lease->queue >= from && settle->lease->queue < end;
}

static void take(struct acks *acks, size_t at, struct settle *settle)
{
    acks->items[at] = settle;
    settle->in_flight = true;
    settle->sent_ct++;
    settle->ride = acks->ride;
}

struct acks *acks_take(struct queue *queue, unsigned from, unsigned end)
{
    size_t *at = must_alloc((queue->queue_ct + 1) * sizeof(*at)); /* of each queue */
    struct settle *settle;
    struct acks *acks;

    TAILQ_FOREACH(settle, &queue->settles, next)
    at[settle->lease->queue + 1] += is_due(settle, from, end);
    for (unsigned q = 1; q <= queue->queue_ct; q++)
        at[q] += at[q - 1];
    acks = must_alloc(sizeof(*acks) + at[queue->queue_ct] * sizeof(acks->items[0]));
    acks->queue = queue;
    acks->ct = at[queue->queue_ct];
    acks->ride = ++queue->rides;
    TAILQ_FOREACH(settle, &queue->settles, next)
    if (is_due(settle, from, end))
        take(acks, at[settle->lease->queue]++, settle);
    free(at);
    return acks;
}

void acks_put_back(struct acks *acks)
{
    for (size_t i = 0; i < acks->ct; i++) {
        acks->items[i]->in_flight = false;
        acks->items[i]->sent_ct--;
    }
    free(acks);
}

static size_t group_end(const struct acks *acks, size_t from)
{
    const struct lease *first = acks->items[from]->lease;
    size_t end = from + 1;

    while (end < acks->ct && end - from < GROUP_MAX &&
           acks->items[end]->lease->queue == first->queue &&
           acks->items[end]->lease->tag == first->tag)
        end++;
    return end;
}

size_t acks_group_ct(const struct acks *acks)
{
    size_t ct = 0;

    for (size_t at = 0; at < acks->ct; at = group_end(acks, at))
        ct++;
    return ct;
}

static void spell_group(struct call *call, const struct acks *acks, size_t from,
                        size_t end)
{
    char key[CRASH_KEY_BYTES];
    bool keyed = false;

    for (size_t i = from; i < end; i++)
        keyed = keyed || settle_may_be_counted(acks->queue, acks->items[i]->lease);
    call_add_int(call, acks->items[from]->lease->tag);
    call_add_int(call, (int64_t)(end - from));
    call_add_int(call, keyed);
    for (size_t i = from; i < end; i++)
        call_add(call, acks->items[i]->lease->bytes);
    for (size_t i = from; i < end && keyed; i++)
        call_add_text(call, settle_crash_key(acks->queue, acks->items[i]->lease, key));
}

void acks_spell(struct call *call, const struct acks *acks, enum acks_form form)
{
    for (size_t at = 0, end; at < acks->ct; at = end) {
        end = group_end(acks, at);
        if (form == ACKS_WITH_QUEUES)
            call_add_int(call, acks->items[at]->lease->queue + 1);
        spell_group(call, acks, at, end);
    }
}

void acks_done(struct acks *acks, const struct redisReply *lost)
{
    for (size_t i = 0; i < acks->ct; i++)
        settle_done(acks->queue, acks->items[i], !reply_has_place(lost, i + 1));
    free(acks);
}
