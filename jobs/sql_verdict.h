/* What a database's answer means for the jobs of a batch. Pure. */
#ifndef JOBS_SQL_VERDICT_H
#define JOBS_SQL_VERDICT_H

#include <stdbool.h>

#include "jobs/outcome.h"
#include "pg/pool.h"

/* Whether a refusal is about the statement that got it: then the other jobs of the batch
 * are run again without it. Otherwise it is about the server (too many connections, disk
 * full, shutting down, read only), and met them all alike. With `read_only` that is not
 * the server's state but the configuration's word (databases[].read_only): a statement
 * that writes will never work. */
bool sql_refusal_is_the_statements(const char *sqlstate, bool read_only);

/* FAIL for what will never work, RETRY for the rest; the reason is the server's, in one
 * line. `refused` is the statement's own result, NULL where none was named: `why` then
 * says it. */
void sql_outcome_refused(struct outcome *outcome, const struct pg_answer *answer,
                         const struct pg_result *refused, bool read_only);

/* For the failed record: where it ran (`search_path` NULL or "": the server's own), and
 * what the server said, with SQLSTATE, detail and hint. Never a parameter, but for what
 * the server itself quotes. */
void sql_describe(struct buf *out, const char *database, const char *search_path,
                  const struct pg_result *refused);

#endif
