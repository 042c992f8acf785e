/* Going through the jobs, then through their runs. */
#include "tests/chaos/audit.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "tests/chaos/blame.h"
#include "tests/chaos/producer.h"

#define NS_PER_MS INT64_C(1000000)

enum {
    CRASHES_MAX = 4, /* max_crashes, and once alone */
    NOOPS_AT_ONCE = 2,
    ACK_MS = 10000 /* a fault so long after a run may still have met its ack */
};

/* One number's part of the input. */
struct account {
    const struct planned_job *job;
    unsigned pushes, acked, maybe;
    unsigned well; /* runs */
    int attempts;  /* the highest */
};

struct books {
    const struct audit_input *input;
    struct account *accounts; /* by number */
    unsigned char *kinds;
    struct runs runs;
    struct blame blame;
};

void audit_find(struct audit *audit, const char *fmt, ...)
{
    va_list ap;

    if (audit->finding_ct < AUDIT_FINDINGS) {
        va_start(ap, fmt);
        (void)vsnprintf(audit->findings[audit->finding_ct], AUDIT_FINDING_BYTES, fmt, ap);
        va_end(ap);
    }
    audit->finding_ct++;
}

/* ---- jobs ---- */

static void open_books(struct books *books, struct audit *audit,
                       const struct audit_input *input)
{
    const struct plan *plan = input->plan;

    *books = (struct books){.input = input};
    books->accounts = must_alloc((plan->job_ct + 1) * sizeof(books->accounts[0]));
    books->kinds = must_alloc(plan->job_ct + 1);
    for (size_t i = 0; i < plan->job_ct; i++) {
        struct account *account = &books->accounts[plan->jobs[i].n];

        account->job = &plan->jobs[i];
        account->pushes++;
        account->acked += input->acks[i] == ACK_DONE;
        account->maybe += input->acks[i] == ACK_MAYBE;
        audit->unsent += input->acks[i] == ACK_NONE;
        books->kinds[account->job->n] = account->job->kind;
    }
    runs_make(&books->runs, input->ledger);
    books->blame = (struct blame){.events = input->events,
                                  .event_ct = input->event_ct,
                                  .plan = plan,
                                  .runs = &books->runs,
                                  .kinds = books->kinds};
    for (size_t i = 0; i < books->runs.ct; i++) {
        const struct run_seen *run = &books->runs.list[i];
        struct account *account;

        if (run->start.n >= plan->job_ct)
            continue;
        account = &books->accounts[run->start.n];
        account->well += run->ok;
        if (run->start.attempt > account->attempts)
            account->attempts = run->start.attempt;
    }
}

static bool must_fail_in_the_end(int kind)
{
    return kind == JOB_DOOMED || kind == JOB_BAD || kind == JOB_POISON ||
           kind == JOB_STUBBORN;
}

/* Whether its last run went well, and nothing kept the ack of that from Redis. */
static bool was_settled_well(const struct books *books, uint32_t n)
{
    const struct run_seen *last = NULL;
    struct run_seen later = {.start.host = -1, .start.worker = -1};

    for (size_t i = 0; i < books->runs.ct; i++)
        if (books->runs.list[i].start.n == n &&
            (last == NULL || books->runs.list[i].start.at_ns > last->start.at_ns))
            last = &books->runs.list[i];
    if (last == NULL || !last->ok)
        return false;
    later.start.at_ns = last->end_ns + ACK_MS * NS_PER_MS;
    return blame_rerun(&books->blame, last, &later) == NULL;
}

/* What became of a job that is in the failed store. */
static void audit_failed(struct audit *audit, const struct books *books,
                         const struct account *account)
{
    const struct planned_job *job = account->job;
    const struct log_marks *marks = &books->input->marks[job->n];
    const char *kind = job_kind_names[job->kind];
    bool crashed = marks->alone > 0; /* for its crashes a job fails only after that */

    audit->crash_failed += crashed && !must_fail_in_the_end(job->kind);
    if (!crashed && !must_fail_in_the_end(job->kind)) {
        audit->wrong_end++;
        audit_find(audit, "%s job %u failed, though it can go well", kind, job->n);
    }
    if (!crashed && job->kind == JOB_DOOMED && account->attempts < PLAN_TRIES) {
        audit->wrong_end++;
        audit_find(audit, "%s job %u failed after %d of %d attempts", kind, job->n,
                   account->attempts, PLAN_TRIES);
    }
    if (marks->done > 0 && account->pushes == 1 && was_settled_well(books, job->n)) {
        audit->done_and_failed++;
        audit_find(audit, "%s job %u is done, and failed too", kind, job->n);
    }
}

static int tries_of(const struct planned_job *job)
{
    return job->kind == JOB_STUBBORN ? 1 : PLAN_TRIES;
}

static unsigned at_most(unsigned value, unsigned max)
{
    return value < max ? value : max;
}

static void audit_job(struct audit *audit, const struct books *books, size_t n)
{
    const struct account *account = &books->accounts[n];
    const struct holdings *holdings = books->input->holdings;
    const struct planned_job *job = account->job;
    unsigned marks = books->input->marks[n].done, done, failed, pending, found;

    if (job == NULL)
        return;
    done = at_most(job->kind == JOB_NOOP ? marks : account->well,
                   account->acked + account->maybe);
    failed = holdings->failed[n];
    pending = holdings->pending[n];
    found = done + failed + pending;
    audit->enqueued += account->acked;
    audit->indeterminate += account->maybe;
    audit->done += done;
    audit->failed += failed;
    audit->pending += pending;
    audit->spoilt += holdings->spoilt[n];
    if (holdings->spoilt[n] > 0)
        audit_find(audit, "%s job %zu failed with other bytes than were pushed",
                   job_kind_names[job->kind], n);
    if (found < account->acked && job->kind == JOB_NOOP) {
        audit->noop_unseen += account->acked - found;
    } else if (found < account->acked) {
        audit->lost += account->acked - found;
        audit_find(audit, "%s job %zu of %s is lost: %u enqueued, %u done, %u failed",
                   job_kind_names[job->kind], n, queue_names[job->queue], account->acked,
                   done, failed);
    }
    if (account->attempts > tries_of(job)) {
        audit->over_tries++;
        audit_find(audit, "%s job %zu had %d attempts", job_kind_names[job->kind], n,
                   account->attempts);
    }
    if (failed > 0)
        audit_failed(audit, books, account);
}

/* ---- runs ---- */

static void count_blame(struct audit *audit, const char *name)
{
    for (int kind = 0; kind < FAULT_KINDS; kind++)
        if (strcmp(fault_infos[kind].name, name) == 0) {
            audit->by_fault[kind]++;
            return;
        }
    audit->by_fault[FAULT_KINDS]++;
}

static bool same_attempt(const struct run_seen *a, const struct run_seen *b)
{
    return a->start.n == b->start.n && a->start.attempt == b->start.attempt;
}

/* `i` is a run beyond the `allowed` ones of its attempt, which begins at `first`. */
static void audit_rerun(struct audit *audit, const struct books *books, size_t first,
                        size_t i)
{
    const struct run_seen *next = &books->runs.list[i], *before;
    const char *cause = NULL;

    audit->reruns++;
    for (size_t j = first; j < i && cause == NULL; j++)
        cause = blame_rerun(&books->blame, &books->runs.list[j], next);
    if (cause) {
        count_blame(audit, cause);
        return;
    }
    before = &books->runs.list[i - 1];
    audit->unexplained_reruns++;
    audit_find(audit,
               "%s job %u ran again, attempt %d, and no fault explains it: at %lld ms by "
               "%d/%d%s, at %lld ms by %d/%d",
               job_kind_names[books->kinds[next->start.n]], next->start.n,
               next->start.attempt, (long long)(before->start.at_ns / NS_PER_MS),
               before->start.host, (int)before->start.worker,
               before->end_ns ? "" : " (cut short)",
               (long long)(next->start.at_ns / NS_PER_MS), next->start.host,
               (int)next->start.worker);
}

/* Runs of the same number that were on when `next` began. */
static void audit_overlap(struct audit *audit, const struct books *books, size_t i)
{
    const struct run_seen *next = &books->runs.list[i];
    const char *cause = NULL;

    audit->overlaps++;
    for (size_t j = 0; j < books->runs.ct && cause == NULL; j++) {
        const struct run_seen *before = &books->runs.list[j];

        if (j != i && before->start.n == next->start.n &&
            before->start.at_ns <= next->start.at_ns &&
            (before->end_ns == 0 || before->end_ns >= next->start.at_ns))
            cause = blame_overlap(&books->blame, before, next);
    }
    if (cause)
        return;
    audit->unexplained_overlaps++;
    audit_find(audit, "%s job %u began at %lld ms by %d/%d while another run was on",
               job_kind_names[books->kinds[next->start.n]], next->start.n,
               (long long)(next->start.at_ns / NS_PER_MS), next->start.host,
               (int)next->start.worker);
}

static void audit_runs(struct audit *audit, const struct books *books)
{
    size_t first = 0;

    for (size_t i = 0; i < books->runs.ct; i++) {
        const struct run_seen *run = &books->runs.list[i];
        const struct account *account;

        if (run->start.n >= books->input->plan->job_ct) {
            audit->strange++;
            audit_find(audit, "a run of job %u, which was not planned", run->start.n);
            continue;
        }
        account = &books->accounts[run->start.n];
        audit->runs++;
        if (!same_attempt(&books->runs.list[first], run))
            first = i;
        if (i - first >= account->acked + account->maybe)
            audit_rerun(audit, books, first, i);
        if (run->start.what == 'O')
            audit_overlap(audit, books, i);
    }
}

/* ---- how long until what was killed ran again ---- */

static const struct run_seen *run_after(const struct runs *runs, uint32_t n,
                                        int64_t at_ns)
{
    const struct run_seen *found = NULL;

    for (size_t i = 0; i < runs->ct; i++)
        if (runs->list[i].start.n == n && runs->list[i].start.at_ns > at_ns &&
            (found == NULL || runs->list[i].start.at_ns < found->start.at_ns))
            found = &runs->list[i];
    return found;
}

static bool was_killed_by(const struct run_seen *run, const struct fault_event *event)
{
    if (run->start.at_ns > event->from_ns || run->end_ns != 0)
        return false;
    for (size_t i = 0; i < event->pid_ct; i++)
        if (event->pids[i] == run->start.worker)
            return true;
    return false;
}

static void time_reruns(struct latencies *latencies, const struct runs *runs,
                        const struct fault_event *event)
{
    for (size_t i = 0; i < runs->ct && latencies->ct < AUDIT_LATENCIES; i++) {
        const struct run_seen *run = &runs->list[i], *next;

        if (!was_killed_by(run, event))
            continue;
        next = run_after(runs, run->start.n, event->from_ns);
        if (next)
            latencies->ms[latencies->ct++] =
                (next->start.at_ns - event->from_ns) / NS_PER_MS;
    }
}

static int by_size(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

static void time_all(struct audit *audit, const struct books *books)
{
    for (size_t i = 0; i < books->input->event_ct; i++) {
        const struct fault_event *event = &books->input->events[i];

        if (event->plan.kind <= FAULT_KILL_WORKER_TREE)
            time_reruns(&audit->after_worker_kill, &books->runs, event);
        if (event->plan.kind == FAULT_KILL_HOST)
            time_reruns(&audit->after_host_kill, &books->runs, event);
    }
    qsort(audit->after_worker_kill.ms, audit->after_worker_kill.ct, sizeof(int64_t),
          by_size);
    qsort(audit->after_host_kill.ms, audit->after_host_kill.ct, sizeof(int64_t), by_size);
}

int64_t latencies_median(const struct latencies *latencies)
{
    return latencies->ct == 0 ? -1 : latencies->ms[latencies->ct / 2];
}

int64_t latencies_max(const struct latencies *latencies)
{
    return latencies->ct == 0 ? -1 : latencies->ms[latencies->ct - 1];
}

/* A job that does nothing leaves no trace but its line in the log, which a worker that is
 * killed right after the ack has not written. */
static void audit_noops(struct audit *audit, const struct books *books)
{
    unsigned may_lack = 0;

    for (size_t i = 0; i < books->input->event_ct; i++)
        if (fault_infos[books->input->events[i].plan.kind].harm == HARM_HOLDER)
            may_lack += (unsigned)books->input->events[i].pid_ct;
    for (size_t n = 0; n < books->input->plan->job_ct; n++)
        may_lack += books->kinds[n] == JOB_POISON ? CRASHES_MAX : 0;
    if (audit->noop_unseen > may_lack * NOOPS_AT_ONCE) {
        audit->lost += audit->noop_unseen;
        audit_find(audit, "%u noop jobs are lost", audit->noop_unseen);
    }
}

void audit_make(struct audit *audit, const struct audit_input *input)
{
    struct books books;

    memset(audit, 0, sizeof(*audit));
    audit->planned = (unsigned)input->plan->job_ct;
    audit->bad_lines = (unsigned)input->ledger->bad_ct;
    audit->strange = input->holdings->strange_ct;
    open_books(&books, audit, input);
    for (size_t n = 0; n < input->plan->job_ct; n++)
        audit_job(audit, &books, n);
    if (audit->bad_lines > 0)
        audit_find(audit, "%u lines of the ledger are none", audit->bad_lines);
    if (audit->strange > 0)
        audit_find(audit, "%u payloads in Redis are nobody's", audit->strange);
    audit_noops(audit, &books);
    audit_runs(audit, &books);
    time_all(audit, &books);
    runs_free(&books.runs);
    free(books.accounts);
    free(books.kinds);
}
