/* The table drover_inbox, where jobs that take effect once note themselves: made where it
 * is missing, checked where it is there. Synchronous, for the command line; errors are
 * ERR_DATABASE.
 */
#ifndef JOBS_SQL_INBOX_H
#define JOBS_SQL_INBOX_H

#include <stdbool.h>

#include "pg/ask.h"

/* Whether it is there. One that cannot do its work is an error. */
int sql_inbox_look(struct pg_ask *ask, bool *there, struct err *err) MUSTCHECK;

/* The statements that make it, each with its semicolon and newline. */
extern const char sql_inbox_text[];

/* Makes it: all or nothing. Somebody else may be doing the same. */
int sql_inbox_create(struct pg_ask *ask, struct err *err) MUSTCHECK;

#endif
