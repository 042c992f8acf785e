/* One JSON object, fields in a fixed order. */
#include "tests/chaos/report.h"

#include <jansson.h>

static json_t *faults_json(const struct report *report)
{
    unsigned cts[FAULT_KINDS] = {0};
    json_t *faults = json_object();

    for (size_t i = 0; i < report->event_ct; i++)
        cts[report->events[i].plan.kind] += !report->events[i].is_skipped;
    for (int kind = 0; kind < FAULT_KINDS; kind++)
        if (cts[kind] > 0)
            (void)json_object_set_new(faults, fault_infos[kind].name,
                                      json_integer(cts[kind]));
    return faults;
}

static json_t *causes_json(const struct audit *audit)
{
    json_t *causes = json_object();

    for (int kind = 0; kind <= FAULT_KINDS; kind++)
        if (audit->by_fault[kind] > 0)
            (void)json_object_set_new(
                causes, kind == FAULT_KINDS ? "poison" : fault_infos[kind].name,
                json_integer(audit->by_fault[kind]));
    return causes;
}

static json_t *latencies_json(const struct latencies *latencies)
{
    return json_pack("{s:I, s:I, s:I}", "jobs", (json_int_t)latencies->ct, "p50_ms",
                     (json_int_t)latencies_median(latencies), "max_ms",
                     (json_int_t)latencies_max(latencies));
}

static json_t *hosts_json(const struct host *hosts)
{
    json_t *list = json_array();

    for (int i = 0; i < PLAN_HOSTS; i++) {
        const struct host *host = &hosts[i];

        (void)json_array_append_new(
            list,
            json_pack("{s:i, s:i, s:i, s:i, s:I, s:I, s:I, s:I}", "starts",
                      (int)host->starts, "clean_exits", (int)host->clean_exits,
                      "refused_starts", (int)host->refused_starts, "bad_exits",
                      (int)host->bad_exits, "fds_first", (json_int_t)host->first.fd_ct,
                      "fds_last", (json_int_t)host->last.fd_ct, "rss_kib_first",
                      (json_int_t)host->first.rss_kib, "rss_kib_last",
                      (json_int_t)host->last.rss_kib));
    }
    return list;
}

static json_t *jobs_json(const struct audit *audit)
{
    return json_pack(
        "{s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i}", "planned",
        (int)audit->planned, "enqueued", (int)audit->enqueued, "indeterminate",
        (int)audit->indeterminate, "done", (int)audit->done, "failed", (int)audit->failed,
        "pending", (int)audit->pending, "lost", (int)audit->lost, "done_and_failed",
        (int)audit->done_and_failed, "over_tries", (int)audit->over_tries, "noop_unseen",
        (int)audit->noop_unseen, "failed_by_crashes", (int)audit->crash_failed);
}

static json_t *runs_json(const struct audit *audit)
{
    return json_pack("{s:i, s:i, s:i, s:i, s:i, s:o}", "runs", (int)audit->runs, "reruns",
                     (int)audit->reruns, "unexplained", (int)audit->unexplained_reruns,
                     "overlaps", (int)audit->overlaps, "unexplained_overlaps",
                     (int)audit->unexplained_overlaps, "causes", causes_json(audit));
}

static json_t *log_json(const struct logs *logs)
{
    return json_pack("{s:I, s:i, s:i, s:s, s:i}", "lines", (json_int_t)logs->line_ct,
                     "storms", (int)logs->storm_ct, "most_in_10s", (int)logs->worst_ct,
                     "most_of", logs->worst, "reports", (int)logs->report_ct);
}

static json_t *findings_json(const struct audit *audit)
{
    json_t *list = json_array();

    for (size_t i = 0; i < audit->finding_ct && i < AUDIT_FINDINGS; i++)
        (void)json_array_append_new(list, json_string(audit->findings[i]));
    return list;
}

void report_print(const struct report *report, FILE *out)
{
    const struct audit *audit = report->audit;
    json_t *json = json_pack(
        "{s:b, s:I, s:i, s:f, s:o, s:o, s:o, s:o, s:o, s:i, s:i, s:i, s:I, s:o, s:o, "
        "s:o}",
        "ok", audit->finding_ct == 0, "seed", (json_int_t)report->plan->seed, "seconds",
        (int)(report->plan->run_ms / 1000), "took_s", report->took_s, "jobs",
        jobs_json(audit), "runs", runs_json(audit), "faults", faults_json(report),
        "rerun_after_worker_kill", latencies_json(&audit->after_worker_kill),
        "rerun_after_host_kill", latencies_json(&audit->after_host_kill),
        "processes_left", (int)report->processes_left, "orphaned_daemons",
        (int)report->orphaned_daemons, "zombies", (int)report->watch->zombie_ct,
        "zombie_max_ms", (json_int_t)report->watch->zombie_max_ms, "hosts",
        hosts_json(report->hosts), "log", log_json(report->logs), "findings",
        findings_json(audit));

    MUST(json != NULL);
    (void)json_dumpf(json, out, JSON_INDENT(2) | JSON_REAL_PRECISION(4));
    (void)fputc('\n', out);
    (void)fflush(out);
    json_decref(json);
}
