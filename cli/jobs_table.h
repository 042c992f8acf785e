/* Laravel's table of jobs in PostgreSQL (DatabaseQueue, 8.x to 13.x), from the side of
 * who moves its rows away: claim, lock, read, remove.
 *
 * A claimed row is one whose reserved_at is JOBS_CLAIMED: no worker of Laravel's takes
 * it, for it is reserved and will not have been for long enough before 2038. Claims are
 * committed, so they outlive whoever made them.
 *
 * Synchronous. Errors are ERR_DATABASE or ERR_NO_TABLE.
 */
#ifndef CLI_JOBS_TABLE_H
#define CLI_JOBS_TABLE_H

#include "pg/ask.h"

enum { JOBS_BATCH_ROWS = 500, JOBS_CLAIMED = INT32_MAX };

struct jobs_table;

/* Whether they can be meant: ERR_USAGE, and why not. */
int jobs_table_check(const char *dsn, const char *name, struct err *err) MUSTCHECK;

/* Connects, and looks whether the table is there, has the columns, and is ours to change.
 * `name` may have a schema before a dot. */
struct jobs_table *jobs_table_open(const char *dsn, const char *name,
                                   struct err *err) MUSTCHECK;
void jobs_table_close(struct jobs_table *table); /* NULL is fine; undoes what is open */

/* What tells this table from every other one: of the cluster, the database, the table. */
const char *jobs_table_source(const struct jobs_table *table);

/* Which rows. */
struct jobs_filter {
    const char *const *queues; /* borrowed */
    size_t queue_ct;           /* 0: all queues */
    int64_t reserved_for_s; /* below 0: no reserved row; else those that are reserved for
                               at least so long are taken for forgotten */
};

/* The rows of one queue; claimed ones are counted whatever the filter. */
struct jobs_count {
    const char *queue;
    int64_t ready, delayed; /* waiting: due now, or later */
    int64_t forgotten;      /* reserved, and the filter takes them for forgotten */
    int64_t reserved;       /* reserved, other than those */
    int64_t claimed;
};
typedef void (*jobs_count_cb)(void *arg, const struct jobs_count *count);
int jobs_table_count(struct jobs_table *table, const struct jobs_filter *filter,
                     jobs_count_cb each, void *arg, struct err *err) MUSTCHECK;

int jobs_table_last_id(struct jobs_table *table, int64_t *id, struct err *err) MUSTCHECK;

/* Claims the next rows behind `after_id`, up to `last_id`, at most `max` <=
 * JOBS_BATCH_ROWS; commits. Rows that somebody has locked are passed over. */
struct jobs_ids {
    int64_t items[JOBS_BATCH_ROWS];
    size_t ct;
};
struct jobs_span {
    int64_t after_id, last_id;
    size_t max;
};
int jobs_table_claim(struct jobs_table *table, const struct jobs_filter *filter,
                     const struct jobs_span *span, struct jobs_ids *claimed,
                     struct err *err) MUSTCHECK;

/* Begins a transaction in which no other import of this table has one, and locks claimed
 * rows by id: `only` these, or where that is NULL any behind `after_id`. To be ended by
 * jobs_table_commit() or jobs_table_undo(), unless it is -1. */
struct jobs_locked {
    int64_t id;
    int64_t payload_bytes;
};
int jobs_table_lock(struct jobs_table *table, const struct jobs_ids *only,
                    int64_t after_id, struct jobs_locked rows[JOBS_BATCH_ROWS],
                    size_t *ct, struct err *err) MUSTCHECK;

/* The rows that jobs_table_claim() would claim of the span, or where `filter` is NULL
 * those that are claimed; by id. Locks nothing and changes nothing. */
int jobs_table_look(struct jobs_table *table, const struct jobs_filter *filter,
                    const struct jobs_span *span,
                    struct jobs_locked rows[JOBS_BATCH_ROWS], size_t *ct,
                    struct err *err) MUSTCHECK;

/* Reads rows, by id. Where they are locked, an answer proves that they still are. */
enum { JOBS_ID, JOBS_QUEUE, JOBS_PAYLOAD, JOBS_ATTEMPTS, JOBS_AVAILABLE, JOBS_CREATED };
struct pg_ask_rows *jobs_table_read(struct jobs_table *table, const int64_t *ids,
                                    size_t ct, struct err *err) MUSTCHECK;

/* Of locked rows: removes them, or gives them back to Laravel's workers. */
int jobs_table_remove(struct jobs_table *table, const struct jobs_ids *ids,
                      struct err *err) MUSTCHECK;
int jobs_table_give_back(struct jobs_table *table, const struct jobs_ids *ids,
                         struct err *err) MUSTCHECK;

int jobs_table_commit(struct jobs_table *table, struct err *err) MUSTCHECK;
void jobs_table_undo(struct jobs_table *table);

/* Which of these ids the table has, in any order. */
int jobs_table_find(struct jobs_table *table, const struct jobs_ids *ids,
                    struct jobs_ids *found, struct err *err) MUSTCHECK;

#endif
