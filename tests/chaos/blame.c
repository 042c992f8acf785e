/* The causes there are for a second run:
 *   - a process that had the job was killed or stopped, by a fault or by poison beside
 * it;
 *   - its run was cut short by a stop of its worker, and so given back;
 *   - its holder was cut off from Redis for as long as a lease can have left.
 */
#include "tests/chaos/blame.h"

#define NS_PER_MS INT64_C(1000000)

enum {
    RECONNECT_MS = 2500, /* the longest backoff, with its jitter */
    /* Extended at a third of its length, a lease has at least two thirds left. */
    LEASE_LEFT_MS = PLAN_LEASE_MS * 2 / 3,
    STOP_BEFORE_MS =
        15000,       /* a stop may have begun so long before the run it cut short */
    POISON_MS = 1500 /* from poison's start to its worker's end, besides its run */
};

static bool is_harm(const struct fault_event *event, enum fault_harm harm)
{
    return !event->is_skipped && fault_infos[event->plan.kind].harm == harm;
}

static bool hit(const struct fault_event *event, pid_t pid)
{
    for (size_t i = 0; i < event->pid_ct; i++)
        if (event->pids[i] == pid)
            return true;
    return false;
}

static bool hit_holder(const struct fault_event *event, const struct run_seen *before,
                       const struct run_seen *next)
{
    if (!is_harm(event, HARM_HOLDER) || event->from_ns > next->start.at_ns)
        return false;
    return (hit(event, before->start.worker) && event->to_ns >= before->start.at_ns) ||
           hit(event, next->start.worker);
}

static bool reaches(const struct fault_event *event, int host)
{
    return fault_infos[event->plan.kind].lane == LANE_REDIS || event->plan.host == host;
}

/* The cut-off that `event` is a part of, as this host has it: those that follow on each
 * other before a connection is sure to be back count as one. */
static int64_t cutoff_ns(const struct blame *blame, const struct fault_event *event,
                         int host)
{
    int64_t from_ns = event->from_ns, to_ns = event->to_ns + RECONNECT_MS * NS_PER_MS;

    for (size_t i = 0; i < blame->event_ct; i++) { /* by time of their beginning */
        const struct fault_event *other = &blame->events[i];
        int64_t end_ns = other->to_ns + RECONNECT_MS * NS_PER_MS;

        if (!is_harm(other, HARM_CUTOFF) || !reaches(other, host))
            continue;
        if (other->from_ns < from_ns && end_ns >= from_ns)
            from_ns = other->from_ns;
        if (other->from_ns >= from_ns && other->from_ns <= to_ns && end_ns > to_ns)
            to_ns = end_ns;
    }
    return to_ns - from_ns;
}

static bool cut_off(const struct blame *blame, const struct fault_event *event,
                    const struct run_seen *run, int64_t until_ns)
{
    int64_t to_ns = event->to_ns + RECONNECT_MS * NS_PER_MS;

    return is_harm(event, HARM_CUTOFF) && reaches(event, run->start.host) &&
           event->from_ns <= until_ns && to_ns >= run->start.at_ns &&
           cutoff_ns(blame, event, run->start.host) >= LEASE_LEFT_MS * NS_PER_MS;
}

static bool is_cut_off_at_all(const struct blame *blame, const struct run_seen *before,
                              const struct run_seen *next)
{
    for (size_t i = 0; i < blame->event_ct; i++) {
        const struct fault_event *event = &blame->events[i];

        if (is_harm(event, HARM_CUTOFF) && reaches(event, before->start.host) &&
            event->from_ns <= next->start.at_ns &&
            event->to_ns + RECONNECT_MS * NS_PER_MS >= before->start.at_ns)
            return true;
    }
    return false;
}

/* A stop lets runs end; what it cuts short, or cannot tell Redis of, is given back. */
static bool ended(const struct blame *blame, const struct fault_event *event,
                  const struct run_seen *before, const struct run_seen *next)
{
    return is_harm(event, HARM_ENDING) && event->plan.host == before->start.host &&
           event->from_ns <= next->start.at_ns &&
           event->from_ns + STOP_BEFORE_MS * NS_PER_MS >= before->start.at_ns &&
           (before->end_ns == 0 || is_cut_off_at_all(blame, before, next));
}

static bool was_poisoned(const struct blame *blame, const struct run_seen *before,
                         const struct run_seen *next)
{
    for (size_t i = 0; i < blame->runs->ct; i++) {
        const struct record *start = &blame->runs->list[i].start;

        if (blame->kinds[start->n] == JOB_POISON &&
            start->worker == before->start.worker && start->at_ns <= next->start.at_ns &&
            start->at_ns + POISON_MS * NS_PER_MS >= before->start.at_ns)
            return true;
    }
    return false;
}

const char *blame_rerun(const struct blame *blame, const struct run_seen *before,
                        const struct run_seen *next)
{
    const struct fault_event *later = NULL; /* the surest cause counts */

    for (size_t i = 0; i < blame->event_ct; i++) {
        const struct fault_event *event = &blame->events[i];

        if (hit_holder(event, before, next))
            return fault_infos[event->plan.kind].name;
        if (later == NULL && (cut_off(blame, event, before, next->start.at_ns) ||
                              ended(blame, event, before, next)))
            later = event;
    }
    if (was_poisoned(blame, before, next))
        return job_kind_names[JOB_POISON];
    return later ? fault_infos[later->plan.kind].name : NULL;
}

const char *blame_overlap(const struct blame *blame, const struct run_seen *before,
                          const struct run_seen *next)
{
    for (size_t i = 0; i < blame->event_ct; i++) {
        const struct fault_event *event = &blame->events[i];

        if ((event->plan.kind == FAULT_STOP_WORKER && hit_holder(event, before, next)) ||
            cut_off(blame, event, before, next->start.at_ns))
            return fault_infos[event->plan.kind].name;
    }
    return NULL;
}
