/* Reading replies. */
#include "queue/reply.h"

#include <hiredis/hiredis.h>

enum {
    AT_OPEN,
    AT_NOW,
    AT_LOST,
    AT_JOBS,
    AT_RECLAIMED,
    AT_OVERSIZE,
    AT_PROBLEMS,
    AT_DEPTHS,
    AT_NEXT_DUE,
    AT_CRASHED,
    REPLY_CT,
    SHUT_CT = AT_JOBS
};

static bool is_list_of(const redisReply *reply, int type)
{
    if (reply->type != REDIS_REPLY_ARRAY)
        return false;
    for (size_t i = 0; i < reply->elements; i++)
        if (reply->element[i]->type != type)
            return false;
    return true;
}

/* Pairs of a queue's number and something of `type`. */
static bool is_list_of_pairs(const redisReply *reply, unsigned queue_ct, int type)
{
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements % 2 != 0)
        return false;
    for (size_t i = 0; i < reply->elements; i += 2)
        if (reply->element[i]->type != REDIS_REPLY_INTEGER ||
            reply->element[i]->integer < 1 || reply->element[i]->integer > queue_ct ||
            reply->element[i + 1]->type != type)
            return false;
    return true;
}

/* Pairs of a queue's number and a list of strings. */
static bool is_list_of_lists(const redisReply *reply, unsigned queue_ct)
{
    if (!is_list_of_pairs(reply, queue_ct, REDIS_REPLY_ARRAY))
        return false;
    for (size_t i = 1; i < reply->elements; i += 2)
        if (!is_list_of(reply->element[i], REDIS_REPLY_STRING))
            return false;
    return true;
}

/* Triples: a queue's number, a payload, 0 or 1. */
static bool is_list_of_reclaimed(const redisReply *reply, unsigned queue_ct)
{
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements % 3 != 0)
        return false;
    for (size_t i = 0; i < reply->elements; i += 3)
        if (reply->element[i]->type != REDIS_REPLY_INTEGER ||
            reply->element[i]->integer < 1 || reply->element[i]->integer > queue_ct ||
            reply->element[i + 1]->type != REDIS_REPLY_STRING ||
            reply->element[i + 2]->type != REDIS_REPLY_INTEGER)
            return false;
    return true;
}

bool reply_is_places(const redisReply *reply)
{
    long long before = 0;

    if (!is_list_of(reply, REDIS_REPLY_INTEGER))
        return false;
    for (size_t i = 0; i < reply->elements; i++) {
        if (reply->element[i]->integer <= before)
            return false;
        before = reply->element[i]->integer;
    }
    return true;
}

bool reply_has_place(const redisReply *places, size_t place)
{
    size_t low = 0, high = places->elements;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if ((size_t)places->element[middle]->integer < place)
            low = middle + 1;
        else
            high = middle;
    }
    return low < places->elements && (size_t)places->element[low]->integer == place;
}

static bool has_shape(redisReply *const *at, size_t ct, unsigned queue_ct)
{
    if (ct < SHUT_CT || at[AT_OPEN]->type != REDIS_REPLY_INTEGER ||
        at[AT_NOW]->type != REDIS_REPLY_INTEGER || !reply_is_places(at[AT_LOST]))
        return false;
    if (at[AT_OPEN]->integer == 0)
        return true;
    return ct == REPLY_CT && is_list_of_lists(at[AT_JOBS], queue_ct) &&
           is_list_of_reclaimed(at[AT_RECLAIMED], queue_ct) &&
           is_list_of_pairs(at[AT_OVERSIZE], queue_ct, REDIS_REPLY_INTEGER) &&
           is_list_of_pairs(at[AT_PROBLEMS], queue_ct, REDIS_REPLY_STRING) &&
           is_list_of(at[AT_DEPTHS], REDIS_REPLY_INTEGER) &&
           at[AT_DEPTHS]->elements == (size_t)queue_ct * 3 &&
           at[AT_NEXT_DUE]->type == REDIS_REPLY_INTEGER &&
           at[AT_CRASHED]->type == REDIS_REPLY_INTEGER;
}

int reserve_reply_read(struct reserve_reply *read, const redisReply *reply,
                       unsigned queue_ct, struct err *err)
{
    redisReply *const *at = reply->element;

    *read = (struct reserve_reply){.open = false};
    if (reply->type != REDIS_REPLY_ARRAY || !has_shape(at, reply->elements, queue_ct))
        return err_set(err, ERR_REPLY, "reserve: unexpected reply");
    read->open = at[AT_OPEN]->integer == 1;
    read->now_ms = at[AT_NOW]->integer;
    read->lost = at[AT_LOST];
    if (!read->open)
        return 0;
    read->jobs = at[AT_JOBS];
    read->reclaimed = at[AT_RECLAIMED];
    read->oversize = at[AT_OVERSIZE];
    read->problems = at[AT_PROBLEMS];
    read->depths = at[AT_DEPTHS];
    read->next_due_ms = at[AT_NEXT_DUE]->integer;
    read->crashed_ct = at[AT_CRASHED]->integer;
    return 0;
}
