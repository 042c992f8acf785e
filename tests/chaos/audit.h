/* The audit: what was enqueued against what became of it. Pure.
 *
 * A push that was not acknowledged is indeterminate: its job may be there or not. What
 * was acknowledged is lost unless it went well, failed for good, or still waits.
 */
#ifndef CHAOS_AUDIT_H
#define CHAOS_AUDIT_H

#include "tests/chaos/faults.h"
#include "tests/chaos/ledger.h"
#include "tests/chaos/logs.h"
#include "tests/chaos/plan.h"

enum { AUDIT_FINDINGS = 40, AUDIT_FINDING_BYTES = 200, AUDIT_LATENCIES = 4096 };

/* What Redis holds in the end, by job number. */
struct holdings {
    unsigned *failed, *pending; /* records and payloads */
    unsigned *spoilt;           /* failed records whose bytes are not what was pushed */
    unsigned strange_ct;        /* payloads of nobody's */
};

struct audit_input {
    const struct plan *plan;
    const unsigned char *acks; /* enum ack, by place in the plan */
    const struct ledger *ledger;
    const struct log_marks *marks; /* by number */
    const struct holdings *holdings;
    const struct fault_event *events; /* by time */
    size_t event_ct;
};

struct latencies {
    int64_t ms[AUDIT_LATENCIES]; /* sorted */
    size_t ct;
};

struct audit {
    unsigned planned, enqueued, indeterminate, unsent;
    unsigned done, failed, pending, lost;
    unsigned runs, reruns, unexplained_reruns, overlaps, unexplained_overlaps;
    unsigned by_fault[FAULT_KINDS + 1]; /* reruns explained; the last: by poison */
    unsigned done_and_failed, over_tries, wrong_end, spoilt, strange, bad_lines;
    unsigned noop_unseen;  /* done as far as Redis tells, but without a line in the log */
    unsigned crash_failed; /* not poison, but workers kept dying with it */
    struct latencies after_worker_kill, after_host_kill;
    char findings[AUDIT_FINDINGS][AUDIT_FINDING_BYTES];
    size_t finding_ct; /* all of them, also those that had no room */
};

void audit_make(struct audit *audit, const struct audit_input *input);
void audit_find(struct audit *audit, const char *fmt, ...) PRINTF_LIKE(2, 3);
int64_t latencies_median(const struct latencies *latencies); /* -1: there are none */
int64_t latencies_max(const struct latencies *latencies);

#endif
