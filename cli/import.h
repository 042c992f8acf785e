/* Moving rows of Laravel's table of jobs to Redis, each exactly once: one batch after the
 * other, through the steps of docs/import.md.
 */
#ifndef CLI_IMPORT_H
#define CLI_IMPORT_H

#include "cli/jobs_table.h"
#include "queue/client_import.h"

struct import_totals {
    int64_t moved; /* pushed to Redis, and gone from the table */
    int64_t
        before;  /* pushed by an earlier run that did not end; gone from the table now */
    int64_t bad; /* no jobs: left in the table, and told to on_bad() */
    int64_t refused; /* Redis does not take them for their queue: left in the table */
    int64_t doubt;   /* of `bad`: maybe in Redis by an earlier run; they stay claimed */
};

struct import {
    struct jobs_table *table;
    struct client *client;
    const struct jobs_filter *filter;
    size_t max_payload_bytes;
    /* A row that stays where it is, and why. Called between two batches' steps. */
    void (*on_bad)(void *arg, int64_t id, const char *queue, const struct err *why);
    void *arg;
    bool dry_run; /* the rows are looked at, and counted as if they were moved */
    struct import_totals totals;
};

/* Forgets the marks of rows that have left the table: of runs that ended before they
 * could. */
int import_tidy(struct import *import, struct err *err) MUSTCHECK;

/* One batch of the rows that an earlier run has claimed and not brought to an end, behind
 * *after_id, which moves on. *more: there may be others. The filter does not count. */
int import_resume(struct import *import, int64_t *after_id, bool *more,
                  struct err *err) MUSTCHECK;

/* One batch of rows that wait, of the span, whose after_id moves on. What -1 leaves
 * behind is right for the next run, whenever and wherever that is. */
int import_next(struct import *import, struct jobs_span *span, bool *more,
                struct err *err) MUSTCHECK;

#endif
