/* What can be told of a job's statement without a database. Pure. */
#ifndef CONFIG_STATEMENT_H
#define CONFIG_STATEMENT_H

#include <stdbool.h>

#include "base/err.h"

/* A job's statement is one among others of a transaction, in a session that it shares:
 * -1 with the words for its author where it would end the one, leave something behind in
 * the other, or cannot be in a transaction; or is none, or several. What is not known to
 * do so is taken. */
int statement_check(const char *statement, struct err *err) MUSTCHECK;

/* Marks those of $1 (used[0]) to $`ct` that are in the statement; `highest` is the
 * highest of all, 0 without any. False where it cannot be told. */
bool statement_find_params(const char *statement, bool *used, size_t ct, size_t *highest);

#endif
