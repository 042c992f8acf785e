/* Laravel's failed_jobs table: made where it is missing, checked where it is there.
 * Synchronous, for the command line; errors are ERR_DATABASE.
 */
#ifndef FAILED_MIGRATE_H
#define FAILED_MIGRATE_H

#include "failed/table.h"

/* Whether there is such a table. One that drover cannot work with is an error, which
 * names what is missing or in the way. */
int failed_migrate_look(struct failed_table *table, bool *there,
                        struct err *err) MUSTCHECK;

/* The statements that make it, as Laravel's migration does (columns as of 8.x, the index
 * of 13.9 too). Caller frees. */
char *failed_migrate_sql(const struct failed_table *table) MUSTCHECK;

/* Makes it: all or nothing. */
int failed_migrate_create(struct failed_table *table, struct err *err) MUSTCHECK;

#endif
