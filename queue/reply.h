/* What the reserve script answered, checked: every place has the type and size that
 * reserve.lua promises, or reading fails. Pure.
 */
#ifndef QUEUE_REPLY_H
#define QUEUE_REPLY_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

struct redisReply;

/* All borrowed from the reply. Lists in pairs (triples) are whole; queue numbers in them
 * are within 1..queue_ct. */
struct reserve_reply {
    bool open;
    int64_t now_ms;                /* Redis' wall clock */
    const struct redisReply *lost; /* places */
    /* The rest only where open. */
    const struct redisReply *jobs;      /* queue, list of payloads */
    const struct redisReply *reclaimed; /* queue, payload, 1: its holder is gone */
    const struct redisReply *oversize;  /* queue, bytes; or empty */
    const struct redisReply *problems;  /* queue, text */
    const struct redisReply *depths;    /* three integers a queue */
    int64_t next_due_ms;
    int64_t crashed_ct;
};

int reserve_reply_read(struct reserve_reply *read, const struct redisReply *reply,
                       unsigned queue_ct, struct err *err) MUSTCHECK;

/* A list of places, as the verbs answer with what was not ours: integers >= 1, each above
 * the one before. All of what a worker holds may be in it, so it is searched by halves.
 */
bool reply_is_places(const struct redisReply *reply);
bool reply_has_place(const struct redisReply *places, size_t place);

#endif
