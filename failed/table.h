/* Laravel's failed_jobs table, for the command line: what can be asked of it, one
 * synchronous statement or transaction each. Errors are ERR_DATABASE, or ERR_NO_TABLE. */
#ifndef FAILED_TABLE_H
#define FAILED_TABLE_H

#include "pg/ask.h"
#include "queue/client.h"

struct failed_table {
    struct pg_ask *ask;
    const char *name; /* quoted */
};

int failed_table_count(struct failed_table *table, int64_t *ct,
                       struct err *err) MUSTCHECK;

/* The table at one time: rows up to `id` were there; a later one is of that time too if
 * it failed before `at_ms`, and only came late. (Not by that alone: Laravel writes the
 * time of its own zone.) */
struct failed_moment {
    int64_t id;
    int64_t at_ms;
};
int failed_table_now(struct failed_table *table, struct failed_moment *moment,
                     struct err *err) MUSTCHECK;

/* As client_failed_walk(); by id, which is the order in which rows were written. Only
 * what is of the `moment`; NULL: all that is there at the start. */
int failed_table_walk(struct failed_table *table, const struct failed_walk *walk,
                      const struct failed_moment *moment, failed_each_cb each, void *arg,
                      struct err *err) MUSTCHECK;

/* ERR_NOT_FOUND where there is no such row. */
int failed_table_get(struct failed_table *table, const char *uuid, failed_each_cb each,
                     void *arg, struct err *err) MUSTCHECK;

/* The uuids that begin with `prefix`, at most two; one that is `prefix` counts alone. */
int failed_table_find(struct failed_table *table, const char *prefix, char uuids[2][64],
                      size_t *ct, struct err *err) MUSTCHECK;

/* Takes the row out in a transaction that `push` (in which the record is borrowed) says
 * the end of: 0 and it is committed, else undone, with what `push` said in `err`. *done:
 * false where there was no such row. */
typedef int (*failed_push_cb)(void *arg, const struct fail_record *record,
                              struct err *err);
int failed_table_take(struct failed_table *table, const char *uuid, failed_push_cb push,
                      void *arg, bool *done, struct err *err) MUSTCHECK;

/* *removed grows by those that were there. */
int failed_table_forget(struct failed_table *table, const char *const *uuids, size_t ct,
                        int64_t *removed, struct err *err) MUSTCHECK;

#endif
