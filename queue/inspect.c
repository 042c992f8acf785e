/* Looking after Redis itself: at start and then every minute, what it is set to, and
 * whether drover's own keys are what they must be. Said when it is news, never again
 * before it changes; nothing waits for these answers, and none of them ends the link.
 *
 * INFO is asked, and CONFIG only where INFO is refused: the right to CONFIG GET is the
 * right to read passwords.
 */
#include "queue/internal.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

/* ---- what this user may not do ---- */

void inspect_refused(struct queue *queue, enum inspect_right right)
{
    static const struct {
        const char *command, *without;
    } rights[] = {
        [RIGHT_INFO] = {"INFO", "nobody watches maxmemory-policy and appendonly"},
        [RIGHT_TYPE] = {"TYPE", "a key of a wrong type is not found before it hurts"},
        [RIGHT_CLIENT] = {"CLIENT", "connections that were lost are not ended, and what "
                                    "falls due may be late by poll_interval"},
        [RIGHT_BRPOP] = {"BRPOP", "queues are looked at every poll_interval only"},
    };

    queue->refused |= 1u << right;
    if (queue->refused_said & (1u << right))
        return;
    queue->refused_said |= 1u << right;
    log_warning("redis.no_permission", log_str("command", rights[right].command),
                log_str("without", rights[right].without));
}

bool inspect_is_refusal(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_ERROR &&
           (strncmp(reply->str, "NOPERM", strlen("NOPERM")) == 0 ||
            strncmp(reply->str, "ERR unknown", strlen("ERR unknown")) == 0);
}

/* ---- what Redis is set to ---- */

/* One look: several answers, of which the last one judges. */
struct look {
    struct queue *queue;
    struct vitals now;
    unsigned open; /* answers that are still to come */
    bool refused;  /* one of them was */
    bool config_asked;
};

static void say_vitals(struct queue *queue, const struct vitals *now)
{
    unsigned lines = vitals_lines(&queue->vitals, now);

    if (lines & VITALS_EVICTS)
        log_error("redis.evicts", log_str("maxmemory_policy", now->policy),
                  log_str("risk", "a whole queue is one key, and may be evicted"),
                  log_str("mend", "CONFIG SET maxmemory-policy noeviction"));
    if (lines & VITALS_EVICTS_NOT)
        log_info("redis.mended", log_str("what", "maxmemory-policy"));
    if (lines & VITALS_AOF_OFF)
        log_warning("redis.no_aof", log_str("risk", "a restart of Redis loses jobs"),
                    log_str("mend", "CONFIG SET appendonly yes"));
    if (lines & VITALS_AOF_ON_AGAIN)
        log_info("redis.mended", log_str("what", "appendonly"));
    if (now->policy[0])
        memcpy(queue->vitals.policy, now->policy, sizeof(now->policy));
    if (now->aof != VITAL_UNKNOWN)
        queue->vitals.aof = now->aof;
}

static void ask_config(struct look *look);

static void took_vitals(void *arg, const redisReply *reply)
{
    struct look *look = arg;

    if (reply && reply->type == REDIS_REPLY_STRING)
        vitals_read_info(&look->now, slice_of(reply->str, reply->len));
    if (reply && reply->type == REDIS_REPLY_ARRAY && reply->elements == 2 &&
        reply->element[0]->str && reply->element[1]->str)
        vitals_read_config(&look->now, slice_text(reply->element[0]->str),
                           slice_text(reply->element[1]->str));
    if (reply && inspect_is_refusal(reply))
        look->refused = true;
    if (--look->open > 0)
        return;
    if (reply && look->refused && !look->config_asked) {
        ask_config(look);
        return;
    }
    if (reply && look->refused)
        inspect_refused(look->queue, RIGHT_INFO);
    if (reply)
        say_vitals(look->queue, &look->now);
    free(look);
}

static void ask(struct look *look, const char *a, const char *b, const char *c)
{
    struct queue *queue = look->queue;
    struct slice words[] = {slice_text(a), slice_text(b), slice_text(c)};

    look->open++;
    conn_command(queue->main, words, c ? 3 : 2, queue->pace.answer_ms, took_vitals, look);
}

static void ask_config(struct look *look)
{
    look->config_asked = true;
    look->refused = false;
    ask(look, "CONFIG", "GET", "maxmemory-policy");
    ask(look, "CONFIG", "GET", "appendonly");
}

static void look_at_vitals(struct queue *queue)
{
    struct look *look;

    if (queue->refused & (1u << RIGHT_INFO))
        return; /* until the next connection */
    look = must_alloc(sizeof(*look));
    look->queue = queue;
    vitals_init(&look->now);
    ask(look, "INFO", "memory", NULL);
    ask(look, "INFO", "persistence", NULL);
}

/* ---- drover's own keys ---- */

struct own_key {
    size_t at; /* of its name in struct own_keys */
    const char *type;
    const char *after; /* what deleting it costs */
};

static const struct own_key own_table[OWN_TYPED_CT] = {
    {offsetof(struct own_keys, version), "string", "it is written anew"},
    {offsetof(struct own_keys, tag), "string", "tags go on from a random number"},
    {offsetof(struct own_keys, open), "set", "each worker takes a new tag"},
    {offsetof(struct own_keys, beats), "hash", "workers are seen to live again"},
    {offsetof(struct own_keys, owners), "hash",
     "a dead worker's jobs on other pools' queues come back when their leases end"},
    {offsetof(struct own_keys, crashes), "hash", "counts of crashes begin anew"},
    {offsetof(struct own_keys, twins), "string", "pads are counted anew"},
    {offsetof(struct own_keys, failed), "zset",
     "failed jobs are recorded again; earlier records are kept, but not listed"},
    {offsetof(struct own_keys, outbox), "zset",
     "failed jobs are recorded again; earlier records are kept, but not listed"},
    {offsetof(struct own_keys, paused), "zset", "no queue is paused"},
};

static const char *key_name(const struct queue *queue, size_t i)
{
    return *(char *const *)((const char *)&queue->own + own_table[i].at);
}

struct typing {
    struct queue *queue;
    size_t i;
};

static void took_type(void *arg, const redisReply *reply)
{
    struct typing typing = *(struct typing *)arg;
    struct queue *queue = typing.queue;
    const struct own_key *key = &own_table[typing.i];
    bool wrong;

    free(arg);
    if (reply && inspect_is_refusal(reply))
        inspect_refused(queue, RIGHT_TYPE);
    if (reply == NULL || reply->type != REDIS_REPLY_STATUS)
        return;
    wrong = strcmp(reply->str, key->type) != 0 && strcmp(reply->str, "none") != 0;
    if (wrong && !queue->own_wrong[typing.i]) {
        char *mend = must_format("DEL %s", key_name(queue, typing.i));

        log_error("redis.wrong_type", log_str("key", key_name(queue, typing.i)),
                  log_str("is", reply->str), log_str("wants", key->type),
                  log_str("mend", mend), log_str("then", key->after));
        free(mend);
    }
    if (!wrong && queue->own_wrong[typing.i])
        log_info("redis.mended", log_str("what", key_name(queue, typing.i)));
    queue->own_wrong[typing.i] = wrong;
}

void inspect_own_keys(struct queue *queue)
{
    if (queue->refused & (1u << RIGHT_TYPE))
        return;
    for (size_t i = 0; i < OWN_TYPED_CT; i++) {
        struct slice words[] = {slice_text("TYPE"), slice_text(key_name(queue, i))};
        struct typing *typing = must_alloc(sizeof(*typing));

        typing->queue = queue;
        typing->i = i;
        conn_command(queue->main, words, ARRAY_CT(words), queue->pace.answer_ms,
                     took_type, typing);
    }
}

void inspect_tick(void *arg)
{
    struct queue *queue = arg;

    timer_set(&queue->inspect, queue->pace.inspect_ms);
    if (!link_may_send(queue) || queue->leaving)
        return;
    look_at_vitals(queue);
    inspect_own_keys(queue);
}
