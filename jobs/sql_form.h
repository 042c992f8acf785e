/* The statements that a batch is sent as: those that note its jobs and set up the
 * transaction, then either one for each job, or one for all of them. Pure but for what is
 * known of the wide form. */
#ifndef JOBS_SQL_FORM_H
#define JOBS_SQL_FORM_H

#include "jobs/sql_batch.h"

/* What is sent is kept here until it is answered: the wide form may change meanwhile. */
struct sql_form {
    struct pg_statement *statements;
    size_t head_ct; /* before those of the jobs; with `once` the first is the inbox's */
    size_t body_ct; /* one for each job; 1 where wide */
    char *wide;     /* the one for all of them; NULL: one for each */
    struct buf uuids;
    struct buf *arrays; /* the wide one's parameters */
    struct pg_param *array_params;
    struct pg_param uuids_param, path_param;
};

/* Of tasks with one search_path, which outlive the form. With `narrow` one for each. */
void sql_form_write(struct sql_form *form, const struct sql_entry *entry,
                    struct sql_task *const *tasks, size_t ct, bool narrow);
void sql_form_free(const struct sql_entry *entry, struct sql_form *form);

/* Asks which of the tasks the inbox knows; a form with `once`. */
struct pg_statement sql_form_look(const struct sql_form *form);

#endif
