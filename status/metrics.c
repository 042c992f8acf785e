/* From the status document to Prometheus' text. Pure: knows neither Redis nor who asks.
 *
 * Each family is a function: first its head, then its samples. A sample whose value is
 * not known is left out rather than given as 0, which would be a claim.
 */
#include "status/metrics.h"

#include <string.h>

static void add_head(struct buf *out, const char *name, const char *type,
                     const char *help)
{
    (void)buf_addf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* As the format wants it: backslash, quote and newline are escaped. */
static void add_label(struct buf *out, char before, const char *label, const char *value)
{
    (void)buf_addf(out, "%c%s=\"", before, label);
    for (const char *c = value; *c; c++) {
        if (*c == '\n') {
            (void)buf_add_text(out, "\\n");
            continue;
        }
        if (*c == '\\' || *c == '"')
            (void)buf_add_char(out, '\\');
        (void)buf_add_char(out, *c);
    }
    (void)buf_add_char(out, '"');
}

static void add_number(struct buf *out, json_int_t number)
{
    (void)buf_addf(out, " %" JSON_INTEGER_FORMAT "\n", number);
}

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text ? text : "";
}

/* A family of one sample without labels, where `value` is a number or a truth. */
static void add_single(struct buf *out, const char *name, const char *type,
                       const char *help, const json_t *value)
{
    if (!json_is_integer(value) && !json_is_boolean(value))
        return;
    add_head(out, name, type, help);
    (void)buf_add_text(out, name);
    add_number(out,
               json_is_integer(value) ? json_integer_value(value) : json_is_true(value));
}

static void add_supervisor(struct buf *out, const json_t *supervisor)
{
    static const char name[] = "drover_supervisor_up";

    add_head(out, name, "gauge", "Whether the supervisor answers.");
    (void)buf_add_text(out, name);
    add_number(out, json_is_object(supervisor));
    add_single(out, "drover_supervisor_paused", "gauge",
               "Whether the supervisor lets its workers take no jobs.",
               json_object_get(supervisor, "paused"));
    add_single(out, "drover_supervisor_uptime_seconds", "gauge",
               "How long the supervisor has run.",
               json_object_get(supervisor, "uptime_s"));
}

/* ---- workers ---- */

static size_t count_in_state(const json_t *workers, const char *state)
{
    size_t ct = 0;

    for (size_t i = 0; i < json_array_size(workers); i++)
        ct += strcmp(text_of(json_array_get(workers, i), "state"), state) == 0;
    return ct;
}

static void add_worker_states(struct buf *out, const json_t *pools)
{
    static const char name[] = "drover_workers";
    static const char *const states[] = {"empty",   "starting", "running", "stopping",
                                         "killing", "backoff",  "fatal"};

    add_head(out, name, "gauge", "Worker slots by state.");
    for (size_t i = 0; i < json_array_size(pools); i++) {
        const json_t *pool = json_array_get(pools, i);

        for (size_t k = 0; k < ARRAY_CT(states); k++) {
            (void)buf_add_text(out, name);
            add_label(out, '{', "pool", text_of(pool, "name"));
            add_label(out, ',', "state", states[k]);
            (void)buf_add_char(out, '}');
            add_number(out, (json_int_t)count_in_state(json_object_get(pool, "workers"),
                                                       states[k]));
        }
    }
}

/* One sample a slot; `outcome` NULL: without that label. */
static void add_slots(struct buf *out, const char *name, const json_t *pools,
                      const char *member, const char *outcome)
{
    for (size_t i = 0; i < json_array_size(pools); i++) {
        const json_t *pool = json_array_get(pools, i);
        const json_t *workers = json_object_get(pool, "workers");

        for (size_t k = 0; k < json_array_size(workers); k++) {
            const json_t *worker = json_array_get(workers, k);

            (void)buf_add_text(out, name);
            add_label(out, '{', "pool", text_of(pool, "name"));
            (void)buf_addf(out, ",slot=\"%" JSON_INTEGER_FORMAT "\"",
                           json_integer_value(json_object_get(worker, "slot")));
            if (outcome)
                add_label(out, ',', "outcome", outcome);
            (void)buf_add_char(out, '}');
            add_number(out,
                       json_is_array(json_object_get(worker, member))
                           ? (json_int_t)json_array_size(json_object_get(worker, member))
                           : json_integer_value(json_object_get(worker, member)));
        }
    }
}

static void add_workers(struct buf *out, const json_t *pools)
{
    if (!json_is_array(pools))
        return;
    add_worker_states(out, pools);
    add_head(out, "drover_worker_running_jobs", "gauge", "Jobs in flight.");
    add_slots(out, "drover_worker_running_jobs", pools, "running", NULL);
    add_head(out, "drover_worker_restarts_total", "counter",
             "Starts of a slot's worker after the first.");
    add_slots(out, "drover_worker_restarts_total", pools, "restarts", NULL);
    add_head(out, "drover_jobs_finished_total", "counter",
             "Jobs that ended, well (ok) or in the failed store (failed).");
    add_slots(out, "drover_jobs_finished_total", pools, "done", "ok");
    add_slots(out, "drover_jobs_finished_total", pools, "failed", "failed");
    add_head(out, "drover_jobs_postponed_total", "counter",
             "Runs put off, without an attempt, because what they need was away.");
    add_slots(out, "drover_jobs_postponed_total", pools, "postponed", NULL);
    add_head(out, "drover_endpoints_away", "gauge",
             "Endpoints of webhooks that a worker leaves alone (8 at most are counted).");
    add_slots(out, "drover_endpoints_away", pools, "away", NULL);
    add_head(out, "drover_databases_away", "gauge",
             "Databases of SQL jobs that a worker cannot use for now.");
    add_slots(out, "drover_databases_away", pools, "databases", NULL);
}

/* ---- Redis ---- */

static void add_queues(struct buf *out, const json_t *queues)
{
    static const char name[] = "drover_queue_jobs";
    static const char *const states[] = {"ready", "delayed", "reserved"};

    add_head(out, name, "gauge", "Jobs in a queue by state.");
    for (size_t i = 0; i < json_array_size(queues); i++) {
        const json_t *queue = json_array_get(queues, i);

        for (size_t k = 0; k < ARRAY_CT(states); k++) {
            const json_t *depth = json_object_get(queue, states[k]);

            if (!json_is_integer(depth))
                continue;
            (void)buf_add_text(out, name);
            add_label(out, '{', "queue", text_of(queue, "name"));
            add_label(out, ',', "state", states[k]);
            (void)buf_add_char(out, '}');
            add_number(out, json_integer_value(depth));
        }
    }
}

static void add_paused(struct buf *out, const json_t *queues)
{
    static const char name[] = "drover_queue_paused";

    add_head(out, name, "gauge", "Whether a queue is paused: nothing is taken from it.");
    for (size_t i = 0; i < json_array_size(queues); i++) {
        const json_t *queue = json_array_get(queues, i);
        const json_t *paused = json_object_get(queue, "paused");

        if (!json_is_boolean(paused))
            continue;
        (void)buf_add_text(out, name);
        add_label(out, '{', "queue", text_of(queue, "name"));
        (void)buf_add_char(out, '}');
        add_number(out, json_is_true(paused));
    }
}

/* 1 or 0; the policy's own name is no label, for it is not the configuration's. */
static void add_noeviction(struct buf *out, const json_t *policy)
{
    static const char name[] = "drover_redis_noeviction";

    if (!json_is_string(policy))
        return;
    add_head(out, name, "gauge",
             "Whether maxmemory-policy is noeviction; else whole queues may be evicted.");
    (void)buf_add_text(out, name);
    add_number(out, strcmp(json_string_value(policy), "noeviction") == 0);
}

static void add_redis(struct buf *out, const json_t *redis)
{
    add_single(out, "drover_redis_up", "gauge",
               "Whether Redis answers who asks for this.",
               json_object_get(redis, "reachable"));
    add_single(out, "drover_redis_workers_up", "gauge",
               "Whether Redis answers the workers.", json_object_get(redis, "up"));
    add_noeviction(out, json_object_get(redis, "maxmemory_policy"));
    add_single(out, "drover_redis_aof_enabled", "gauge",
               "Whether Redis keeps an append-only file; else a restart loses jobs.",
               json_object_get(redis, "aof"));
    add_single(out, "drover_redis_used_memory_bytes", "gauge",
               "What Redis has allocated.", json_object_get(redis, "used_memory"));
    add_single(out, "drover_redis_maxmemory_bytes", "gauge",
               "What Redis may allocate; 0: no limit.",
               json_object_get(redis, "maxmemory"));
}

void metrics_text(const json_t *document, struct buf *out)
{
    add_supervisor(out, json_object_get(document, "supervisor"));
    add_workers(out, json_object_get(document, "pools"));
    add_queues(out, json_object_get(document, "queues"));
    add_paused(out, json_object_get(document, "queues"));
    add_single(out, "drover_failed_jobs", "gauge", "Jobs in the failed store.",
               json_object_get(document, "failed"));
    add_redis(out, json_object_get(document, "redis"));
}
