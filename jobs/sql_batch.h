/* Jobs of one statement in one transaction, and what becomes of each of them.
 *
 * All of them or none is what is tried first. Where the database refuses one, that one is
 * over, and the others are run again in parts: those before it, which went well, and two
 * halves of those behind it. So a bad job costs a handful of transactions, and a good one
 * is run twice at most for each bad one before or behind it in a part.
 *
 * With `once` the transaction begins by noting the jobs' uuids in drover_inbox. Where one
 * is there already, nothing happens; which ones those are is then looked up, they are
 * done, and the others are run again. So it is with a transaction whose COMMIT got no
 * answer: run again, it finds itself there or not.
 *
 * Where the statement has a wide form, the jobs are one statement at first; where that is
 * refused, they are run again as one each, and what is refused then is what counts.
 */
#ifndef JOBS_SQL_BATCH_H
#define JOBS_SQL_BATCH_H

#include "jobs/handler.h"
#include "jobs/sql_database.h"
#include "jobs/sql_values.h"
#include "jobs/sql_wide.h"

struct sql_batch;

/* What the jobs of a batch have in common. */
struct sql_entry {
    struct sql_database *database;
    const struct sql_config *config;
    struct sql_wide *wide; /* NULL: none */
};

/* One job in it: the caller's, until `done`. */
struct sql_task {
    struct sql_values values;
    const char *uuid;        /* borrowed */
    int64_t deadline_ms;     /* monotonic; INT64_MAX: none */
    struct sql_batch *batch; /* NULL: not handed over */
    bool cancelled;
    enum cancel_reason why;
    /* Once, from the loop; the outcome is borrowed. */
    void (*done)(struct sql_task *task, const struct outcome *outcome);
};

/* Runs the tasks, 1 at least; `entry` is borrowed until all are done, `tasks` copied.
 * Calls back later only. Their search_path is the same. */
void sql_batch_run(const struct sql_entry *entry, struct sql_task *const *tasks,
                   size_t ct);

/* Any number of times until it is done; one that was not handed over is merely marked. A
 * batch that waits or runs is stopped, and those of it that were not cancelled are run
 * again; for a lost one alone it is not. */
void sql_task_cancel(struct sql_task *task, enum cancel_reason why);

/* The outcome of a task that was cancelled and had no effect. */
void sql_task_stopped(const struct sql_task *task, struct outcome *outcome);

#endif
