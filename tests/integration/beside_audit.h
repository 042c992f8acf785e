/* The books of queues that PHP workers and drover drain together: every job that was
 * enqueued, every run of it by either, and the rules that those must have kept.
 *
 * PHP's side is the ledger that the jobs of tests/php write, drover's its own log at
 * level debug, which it writes line by line.
 */
#ifndef TESTS_BESIDE_AUDIT_H
#define TESTS_BESIDE_AUDIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a job does on each of its attempts, whoever runs it. */
struct nature {
    unsigned throw_ct; /* it throws on so many attempts, then it works */
    unsigned tries;    /* runs after which it fails */
    bool is_fatal;     /* the first throw is its last: it fails for good */
    bool by_shell;     /* drover runs it as a process, which writes to the ledger too */
};
enum { NATURE_NEVER = 1000 }; /* throw_ct: never works; tries: without limit */

struct audit;

struct audit *audit_create(void);
void audit_destroy(struct audit *audit);

/* Each line of the file is the uuid of one job; `natures` says what they are, in this
 * order, and is borrowed. Fails the test where the numbers differ. */
void audit_enqueued(struct audit *audit, const char *path,
                    const struct nature *const *natures, size_t ct);

/* Runs, in any order of files. The text is cut into lines in place. */
void audit_read_ledger(struct audit *audit, char *text);
void audit_read_log(struct audit *audit, char *text);
void audit_failed_in_drover(struct audit *audit, const char *uuid); /* from its store */

/* A PHP worker that was killed while it ran this job: Laravel counted the attempt when it
 * took the job. */
void audit_killed_php(struct audit *audit, const char *who);

/* A drover worker that was killed at `at_ms` (wall) while it held this job's lease:
 * whatever it had done with the job has not reached Redis, so its run counts for nothing.
 * No crash is an attempt. */
void audit_killed_drover(struct audit *audit, const char *who, const char *uuid,
                         int64_t at_ms);

struct audit_sums {
    size_t enqueued, done, failed_php, failed_drover;
    size_t runs_php, runs_drover;
    size_t mixed;  /* jobs that both kinds of workers ran */
    size_t voided; /* runs that a kill undid */
};

/* Fails the test at the first job whose runs break a rule:
 *  - attempts go 1, 2, 3 without a gap or a repetition, but where a kill allows it: after
 *    a run that a kill of PHP cut the next attempt, after one that a kill of drover made
 *    void the same attempt again;
 *  - no run begins before the one before has ended;
 *  - each run throws or works as the job's nature is at that attempt;
 *  - nothing runs after it worked, or after its last try;
 *  - it worked once, or it is among the failed of exactly one side, once, and then its
 *    tries were used up, or it had thrown for good. */
struct audit_sums audit_check(struct audit *audit);

#endif
