/* The producer. A job whose answer did not come is never sent again: it may have been
 * enqueued, and twice would be the producer's own doing. */
#include "tests/chaos/producer.h"

#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "tests/chaos/files.h"
#include "tests/chaos/ledger.h"
#include "tests/support/wait.h"

#define NS_PER_MS INT64_C(1000000)

enum { ANSWER_MS = 700 };

#define PUSH                                                                             \
    "redis.call('rpush', KEYS[1], ARGV[1]) redis.call('rpush', KEYS[2], 1) return 1"
#define LATER                                                                            \
    "local t = redis.call('time')"                                                       \
    " return redis.call('zadd', KEYS[1], t[1] + t[2] / 1e6 + ARGV[2] / 1e3, ARGV[1])"

struct producer {
    const struct plan *plan;
    const struct server *server;
    redisContext *redis;
    int journal;
};

static redisReply *send_job(struct producer *producer, const struct planned_job *job)
{
    const char *queue = queue_names[job->queue];
    redisReply *reply;
    struct buf payload;

    buf_init(&payload, 0);
    plan_payload(job, producer->plan->seed, &payload);
    if (job->delay_ms > 0)
        reply = redisCommand(producer->redis, "EVAL %s 1 queues:%s:delayed %b %u", LATER,
                             queue, payload.data, payload.len, job->delay_ms);
    else
        reply = redisCommand(producer->redis, "EVAL %s 2 queues:%s queues:%s:notify %b",
                             PUSH, queue, queue, payload.data, payload.len);
    buf_free(&payload);
    return reply;
}

static void disconnect(struct producer *producer)
{
    if (producer->redis)
        redisFree(producer->redis);
    producer->redis = NULL;
}

static enum ack push(struct producer *producer, const struct planned_job *job)
{
    enum ack ack = ACK_DONE;
    redisReply *reply;

    if (producer->redis == NULL)
        producer->redis = server_connect(producer->server, ANSWER_MS);
    if (producer->redis == NULL)
        return ACK_NONE;
    reply = send_job(producer, job);
    if (reply == NULL)
        ack = ACK_MAYBE;
    else if (reply->type == REDIS_REPLY_ERROR)
        ack = ACK_NONE; /* refused before it did anything */
    if (ack != ACK_DONE)
        disconnect(producer);
    if (reply)
        freeReplyObject(reply);
    return ack;
}

static void note(const struct producer *producer, size_t i, enum ack ack)
{
    char line[32];
    int len = snprintf(line, sizeof(line), "%zu %d\n", i, (int)ack);

    if (write(producer->journal, line, (size_t)len) != len)
        _exit(70);
}

static void produce(struct producer *producer, int64_t start_ns)
{
    for (size_t i = 0; i < producer->plan->job_ct; i++) {
        const struct planned_job *job = &producer->plan->jobs[i];
        enum ack ack;

        while (ledger_now_ns() < start_ns + job->at_ms * NS_PER_MS)
            wait_pause();
        note(producer, i, ACK_MAYBE); /* should this process not live to see it */
        while ((ack = push(producer, job)) == ACK_NONE)
            wait_pause();
        note(producer, i, ack);
    }
}

pid_t producer_start(const struct plan *plan, const struct server *server,
                     const char *journal, int64_t start_ns)
{
    struct producer producer = {.plan = plan, .server = server};
    pid_t pid = fork();

    MUST(pid >= 0);
    if (pid > 0)
        return pid;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)signal(SIGPIPE, SIG_IGN);
    producer.journal = open(journal, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (producer.journal < 0)
        _exit(70);
    produce(&producer, start_ns);
    _exit(0);
}

unsigned char *producer_read(const struct plan *plan, const char *journal)
{
    unsigned char *acks = must_alloc(plan->job_ct + 1);
    char *text = file_read(journal), *at = text;
    size_t i;
    int ack;

    while (at && sscanf(at, "%zu %d", &i, &ack) == 2 && i < plan->job_ct) {
        acks[i] = (unsigned char)ack;
        at = strchr(at, '\n');
        at += at != NULL;
    }
    free(text);
    return acks;
}
