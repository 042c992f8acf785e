/* Reading the queues and the failed store, with plain commands and no code of drover's.
 */
#include "tests/chaos/holdings.h"

#include <hiredis/hiredis.h>
#include <stdlib.h>
#include <string.h>

enum { ANSWER_MS = 5000 };

static const struct planned_job *find_job(const struct plan *plan, long n)
{
    for (size_t i = 0; i < plan->job_ct; i++)
        if (plan->jobs[i].n == n)
            return &plan->jobs[i];
    return NULL;
}

static redisReply *ask(redisContext *redis, const char *format, const char *word)
{
    redisReply *reply = redisCommand(redis, format, word);

    MUST(reply != NULL);
    MUST(reply->type != REDIS_REPLY_ERROR);
    return reply;
}

static void count_payloads(struct holdings *holdings, const struct plan *plan,
                           redisContext *redis, const char *format, const char *queue)
{
    redisReply *reply = ask(redis, format, queue);

    for (size_t i = 0; i < reply->elements; i++) {
        long n =
            plan_find_number(slice_of(reply->element[i]->str, reply->element[i]->len));

        if (n >= 0 && (size_t)n < plan->job_ct)
            holdings->pending[n]++;
        else
            holdings->strange_ct++;
    }
    freeReplyObject(reply);
}

/* A payload is written anew only by a release, which bad ones never see. */
static bool is_spoilt(const struct plan *plan, const struct planned_job *job,
                      struct slice payload)
{
    struct buf pushed;
    bool spoilt;

    if (job->kind != JOB_BAD)
        return false;
    buf_init(&pushed, 0);
    plan_payload(job, plan->seed, &pushed);
    spoilt = !slice_equal(buf_slice(&pushed), payload);
    buf_free(&pushed);
    return spoilt;
}

static void count_failed(struct holdings *holdings, const struct plan *plan,
                         redisContext *redis, const char *uuid)
{
    redisReply *reply = ask(redis, "HGET drover:failed:%s payload", uuid);
    struct slice payload = slice_of(reply->str, reply->len);
    long n = reply->type == REDIS_REPLY_STRING ? plan_find_number(payload) : -1;
    const struct planned_job *job = n < 0 ? NULL : find_job(plan, n);

    if (job == NULL) {
        holdings->strange_ct++;
    } else {
        holdings->failed[n]++;
        holdings->spoilt[n] += is_spoilt(plan, job, payload);
    }
    freeReplyObject(reply);
}

void holdings_read(struct holdings *holdings, const struct plan *plan,
                   const struct server *server)
{
    redisContext *redis = server_connect(server, ANSWER_MS);
    redisReply *uuids;

    MUST(redis != NULL);
    *holdings =
        (struct holdings){.failed = must_alloc((plan->job_ct + 1) * sizeof(unsigned)),
                          .pending = must_alloc((plan->job_ct + 1) * sizeof(unsigned)),
                          .spoilt = must_alloc((plan->job_ct + 1) * sizeof(unsigned))};
    for (size_t i = 0; i < ARRAY_CT(queue_names); i++) {
        count_payloads(holdings, plan, redis, "LRANGE queues:%s 0 -1", queue_names[i]);
        count_payloads(holdings, plan, redis, "ZRANGE queues:%s:delayed 0 -1",
                       queue_names[i]);
        count_payloads(holdings, plan, redis, "ZRANGE queues:%s:reserved 0 -1",
                       queue_names[i]);
    }
    uuids = ask(redis, "ZRANGE %s 0 -1", "drover:failed");
    for (size_t i = 0; i < uuids->elements; i++)
        count_failed(holdings, plan, redis, uuids->element[i]->str);
    freeReplyObject(uuids);
    redisFree(redis);
}

void holdings_free(struct holdings *holdings)
{
    free(holdings->failed);
    free(holdings->pending);
    free(holdings->spoilt);
}

/* -1: no answer. */
static long long size_of(redisContext *redis, const char *format, const char *word)
{
    redisReply *reply = redisCommand(redis, format, word);
    long long size = reply && reply->type == REDIS_REPLY_INTEGER ? reply->integer : -1;

    if (reply)
        freeReplyObject(reply);
    return size;
}

bool holdings_are_drained(const struct server *server)
{
    redisContext *redis = server_connect(server, ANSWER_MS);
    bool drained = redis != NULL;

    for (size_t i = 0; drained && i < ARRAY_CT(queue_names); i++)
        drained = size_of(redis, "LLEN queues:%s", queue_names[i]) == 0 &&
                  size_of(redis, "ZCARD queues:%s:delayed", queue_names[i]) == 0 &&
                  size_of(redis, "ZCARD queues:%s:reserved", queue_names[i]) == 0;
    if (redis)
        redisFree(redis);
    return drained;
}

bool holdings_are_tidy(const struct server *server, size_t worker_ct)
{
    redisContext *redis = server_connect(server, ANSWER_MS);
    long long owner_ct = redis ? size_of(redis, "HLEN %s", "drover:owners") : -1;
    long long beat_ct = redis ? size_of(redis, "HLEN %s", "drover:beats") : -1;

    if (redis)
        redisFree(redis);
    return owner_ct >= 0 && owner_ct <= (long long)worker_ct && beat_ct >= 0 &&
           beat_ct <= (long long)worker_ct;
}

static void tell_left(redisContext *redis, const char *key, struct audit *audit)
{
    redisReply *reply = redisCommand(redis, "HGETALL %s", key);

    for (size_t i = 0; reply && i + 1 < reply->elements; i += 2)
        audit_find(audit, "%s is left over: %s: %s", key, reply->element[i]->str,
                   reply->element[i + 1]->str);
    if (reply == NULL || reply->elements == 0)
        audit_find(audit, "%s is left over", key);
    if (reply)
        freeReplyObject(reply);
}

void holdings_check_keys(const struct server *server, struct audit *audit)
{
    static const char *const gone[] = {"drover:open", "drover:beats", "drover:owners",
                                       "drover:crashes"};
    redisContext *redis = server_connect(server, ANSWER_MS);

    MUST(redis != NULL);
    for (size_t i = 0; i < ARRAY_CT(gone); i++)
        if (size_of(redis, "EXISTS %s", gone[i]) != 0)
            tell_left(redis, gone[i], audit);
    redisFree(redis);
}
