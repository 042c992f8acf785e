/* The wide form of an entry's statement (jobs/sql_rows.h), with what the database has to
 * say to it: which types the parameters have, and whether the table is one whose rows
 * cannot tell whether they came together. Triggers, rules, row security, a foreign key to
 * itself or functions in its defaults make it one that could.
 *
 * Asked when first needed, in the background, and again each minute for as long as it is
 * needed, for tables change. What would make it store another value than the jobs' own
 * statements, a column of another type, the statement checks itself.
 */
#ifndef JOBS_SQL_WIDE_H
#define JOBS_SQL_WIDE_H

#include "jobs/sql_database.h"

struct sql_wide;

/* NULL: the statement has no such form. Borrows both. */
struct sql_wide *sql_wide_create(struct sql_database *database,
                                 const struct sql_config *config);
/* NULL is fine. Only after the database was closed. */
void sql_wide_free(struct sql_wide *wide);

/* Asks the database where that is due. After a batch was sent, so that none waits for the
 * answers. NULL is fine. */
void sql_wide_look(struct sql_wide *wide);

/* The statement, with one array for each parameter; good until the loop turns. NULL: not
 * known yet, or not to be used; of NULL, too. */
const char *sql_wide_text(const struct sql_wide *wide);

/* It was refused, and then all its jobs went well one by one: not used for a minute. */
void sql_wide_doubt(struct sql_wide *wide);

#endif
