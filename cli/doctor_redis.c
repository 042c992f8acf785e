/* What doctor has to say of Redis and of the queues in it. Pure. */
#include "cli/doctor.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    VERSION_MAJOR = 6, /* 6.2: what the scripts need */
    VERSION_MINOR = 2,
    SKEW_MAX_MS = 2000,
    NAMED_MAX = 8 /* queues that are named in one line */
};

static void judge_reach(const struct facts *facts, struct findings *out)
{
    if (facts->redis_reached) {
        doctor_say(out, DOCTOR_OK, "%s answers", facts->redis);
        return;
    }
    if (facts->redis_trouble == NULL)
        return;
    doctor_say(out, DOCTOR_PROBLEM, "%s", facts->redis_trouble);
    if (facts->redis && strstr(facts->redis_trouble, "embedded"))
        doctor_advise(out, "start `drover supervise` and ask again, or set redis.url");
    else
        doctor_advise(out, "check redis.* in drover.conf, or REDIS_* in the environment, "
                           "and the server");
}

static void judge_version(const struct facts *facts, struct findings *out)
{
    const char *version = facts->survey.version;
    char *end;
    long major, minor;

    if (version[0] == '\0')
        return;
    major = strtol(version, &end, 10);
    minor = *end == '.' ? strtol(end + 1, NULL, 10) : 0;
    if (major > VERSION_MAJOR || (major == VERSION_MAJOR && minor >= VERSION_MINOR)) {
        doctor_say(out, DOCTOR_OK, "version %s", version);
        return;
    }
    doctor_say(out, DOCTOR_PROBLEM, "version %s, and drover needs 6.2", version);
    doctor_advise(out, "upgrade Redis, or use Valkey");
}

static void judge_mode(const struct facts *facts, struct findings *out)
{
    if (strcmp(facts->survey.mode, "cluster") != 0)
        return;
    doctor_say(out, DOCTOR_PROBLEM,
               "it is a cluster, of which drover takes jobs from no more than one node");
    doctor_advise(out, "keep the queues on a Redis that is no cluster");
}

static void judge_policy(const struct facts *facts, struct findings *out)
{
    const struct vitals *vitals = &facts->survey.vitals;

    switch (facts->redis_reached ? vitals_evicts(vitals) : VITAL_UNKNOWN) {
    case VITAL_NO:
        doctor_say(out, DOCTOR_OK, "maxmemory-policy is noeviction");
        break;
    case VITAL_YES:
        doctor_say(out, DOCTOR_PROBLEM,
                   "maxmemory-policy is %s: a whole queue may be evicted",
                   vitals->policy);
        doctor_advise(out, "set maxmemory-policy noeviction; a cache that must evict "
                           "belongs on a Redis of its own");
        break;
    case VITAL_UNKNOWN:
        if (!facts->redis_reached)
            break;
        doctor_say(out, DOCTOR_WARNING, "maxmemory-policy may not be asked for");
        doctor_advise(out, "see that it is noeviction, or allow INFO");
        break;
    }
}

static void judge_aof(const struct facts *facts, struct findings *out)
{
    switch (facts->redis_reached ? facts->survey.vitals.aof : VITAL_UNKNOWN) {
    case VITAL_YES:
        doctor_say(out, DOCTOR_OK, "appendonly is on");
        break;
    case VITAL_NO:
        doctor_say(out, DOCTOR_WARNING,
                   "appendonly is off: when Redis dies, what was pushed since its last "
                   "snapshot is lost");
        doctor_advise(out, "set appendonly yes");
        break;
    case VITAL_UNKNOWN:
        break;
    }
}

static void judge_clock(const struct facts *facts, struct findings *out)
{
    int64_t ahead_ms = facts->survey.ahead_ms,
            off_ms = ahead_ms < 0 ? -ahead_ms : ahead_ms;

    if (!facts->redis_reached)
        return;
    if (off_ms <= SKEW_MAX_MS + facts->survey.exact_ms) {
        doctor_say(out, DOCTOR_OK, "its clock and this host's agree");
        return;
    }
    doctor_say(out, DOCTOR_WARNING,
               "its clock is %.1f s %s this host's: a delayed job that PHP pushes here "
               "starts so much too %s",
               (double)off_ms / 1000, ahead_ms < 0 ? "behind" : "ahead of",
               ahead_ms < 0 ? "late" : "early");
    doctor_advise(out, "keep the clocks of all hosts in step (NTP)");
}

static void judge_prefix(const struct facts *facts, struct findings *out)
{
    const struct survey *survey = &facts->survey;
    struct buf names;

    if (survey->prefix_ct == 0)
        return;
    buf_init(&names, 0);
    for (size_t i = 0; i < survey->prefix_ct; i++)
        (void)buf_addf(&names, "%s\"%s\"", i ? ", " : "", survey->prefixes[i]);
    if (survey->queue_ct > 0) {
        doctor_say(out, DOCTOR_OK, "queues of others are there too, under %s",
                   names.data);
    } else {
        doctor_say(out, DOCTOR_WARNING,
                   "there are queues under %s, and none under the prefix in force, "
                   "\"%s\"",
                   names.data, facts->config->redis.prefix);
        doctor_advise(out, "redis: { prefix = \"%s\"; };", survey->prefixes[0]);
    }
    buf_free(&names);
}

/* ---- queues ---- */

static int64_t held(const struct survey_queue *queue)
{
    const struct depths *depths = &queue->depths;

    return (depths->ready > 0 ? depths->ready : 0) +
           (depths->delayed > 0 ? depths->delayed : 0) +
           (depths->reserved > 0 ? depths->reserved : 0);
}

int64_t doctor_add_held(struct buf *names, size_t before_ct,
                        const struct survey_queue *queue)
{
    int64_t ct = held(queue);

    if (ct > 0 && before_ct < NAMED_MAX)
        (void)buf_addf(names, "%s%s (%" PRId64 ")", before_ct > 0 ? ", " : "",
                       queue->name, ct);
    else if (ct > 0 && before_ct == NAMED_MAX)
        (void)buf_add_text(names, ", ..");
    return ct;
}

/* In a project without a drover.conf, who reads what is said on the command line. */
static void judge_unread(const struct facts *facts, struct findings *out)
{
    const struct survey *survey = &facts->survey;
    struct buf names;
    size_t ct = 0;

    if (!facts->redis_reached || (facts->app.dir && !facts->has_file))
        return;
    buf_init(&names, 0);
    for (size_t i = 0; i < survey->queue_ct; i++) {
        const struct survey_queue *queue = &survey->queues[i];

        if (!config_reads_queue(facts->config, queue->name) &&
            doctor_add_held(&names, ct, queue) > 0)
            ct++;
    }
    if (ct == 0) {
        doctor_say(out, DOCTOR_OK, "each queue that holds jobs is read by a pool");
    } else {
        doctor_say(out, DOCTOR_WARNING, "%zu queue%s no pool reads hold%s jobs: %s", ct,
                   ct > 1 ? "s that" : " that", ct > 1 ? "" : "s", names.data);
        doctor_advise(out, "add to a pool's queues what nobody else reads");
    }
    buf_free(&names);
}

static void judge_stale(const struct facts *facts, struct findings *out)
{
    bool any = false;

    for (size_t i = 0; i < facts->survey.queue_ct; i++) {
        const struct survey_queue *queue = &facts->survey.queues[i];

        if (queue->stale_ct == 0)
            continue;
        any = true;
        doctor_say(out, DOCTOR_WARNING,
                   "%s: %" PRId64 " job%s that somebody took ran out of lease more than "
                   "%d s ago, and nobody has taken %s back",
                   queue->name, queue->stale_ct, queue->stale_ct == 1 ? "" : "s",
                   SURVEY_STALE_S, queue->stale_ct == 1 ? "it" : "them");
        doctor_advise(out, "let a worker read the queue: it takes them back at once");
    }
    if (facts->redis_reached && !any)
        doctor_say(out, DOCTOR_OK, "no job lies reserved without a worker");
}

static void judge_odd(const struct facts *facts, struct findings *out)
{
    for (size_t i = 0; i < facts->survey.queue_ct; i++) {
        const struct survey_queue *queue = &facts->survey.queues[i];

        if (queue->odd_ct == 0)
            continue;
        doctor_say(out, DOCTOR_PROBLEM,
                   "%s: of the next delayed jobs, %" PRId64 " %s no JSON: a producer has "
                   "a serializer or compression set on its Redis connection",
                   queue->name, queue->odd_ct, queue->odd_ct == 1 ? "is" : "are");
        doctor_advise(out,
                      "unset both in config/database.php, and push these anew: `drover "
                      "queue peek %s --state delayed`",
                      queue->name);
    }
}

static void judge_type(const struct facts *facts, struct findings *out)
{
    for (size_t i = 0; i < facts->survey.queue_ct; i++) {
        const struct survey_queue *queue = &facts->survey.queues[i];
        const struct depths *depths = &queue->depths;

        if (depths->ready >= 0 && depths->delayed >= 0 && depths->reserved >= 0)
            continue;
        doctor_say(out, DOCTOR_PROBLEM, "%s: %s is no %s, so the queue cannot be read",
                   queue->name,
                   depths->ready < 0     ? "its key"
                   : depths->delayed < 0 ? "its :delayed"
                                         : "its :reserved",
                   depths->ready < 0 ? "list" : "sorted set");
        doctor_advise(out, "find out who writes that key, and rename or remove it");
    }
}

static void judge_paused(const struct facts *facts, struct findings *out)
{
    if (facts->paused == NULL)
        return;
    doctor_say(out, DOCTOR_WARNING, "drover takes no jobs from what is paused: %s",
               facts->paused);
    doctor_advise(out, "`drover resume`, or `drover resume --all`, when it is time");
}

static void judge_cut(const struct facts *facts, struct findings *out)
{
    if (!facts->survey.cut)
        return;
    doctor_say(out, DOCTOR_WARNING,
               "there is too much in this Redis to look at: what is said of queues is "
               "not all");
    doctor_advise(out, "`drover queue list --all` shows every queue of the prefix");
}

const struct doctor_check doctor_redis_checks[] = {
    {"redis.reach", "whether it answers, and lets us in", judge_reach},
    {"redis.version", "6.2 or later", judge_version},
    {"redis.cluster", "a cluster cannot be used", judge_mode},
    {"redis.policy", "maxmemory-policy: any but noeviction may evict a queue",
     judge_policy},
    {"redis.aof", "appendonly: what a crash of Redis loses", judge_aof},
    {"redis.clock", "its clock against this host's", judge_clock},
    {"redis.prefix", "queues under other prefixes, and none under this", judge_prefix},
    {"queues.unread", "queues that hold jobs and that no pool reads", judge_unread},
    {"queues.reserved", "jobs whose lease ran out long ago", judge_stale},
    {"queues.delayed", "delayed jobs that a serializer has packed", judge_odd},
    {"queues.type", "keys of queues that hold something else", judge_type},
    {"queues.paused", "queues that were paused", judge_paused},
    {"queues.seen", "whether all could be looked at", judge_cut},
    {NULL, NULL, NULL}};
