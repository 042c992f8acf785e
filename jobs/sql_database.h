/* One of the configured databases, as a worker uses it: its connections, whether it can
 * be reached, and its inbox kept small.
 */
#ifndef JOBS_SQL_DATABASE_H
#define JOBS_SQL_DATABASE_H

#include "base/loop.h"
#include "config/config.h"
#include "pg/pool.h"

struct sql_database;

/* Connects to nothing yet. `has_inbox`: jobs note themselves there, old notes are to be
 * dropped. */
struct sql_database *sql_database_open(struct loop *loop,
                                       const struct database_config *config,
                                       bool has_inbox, struct err *err) MUSTCHECK;
/* NULL is fine. What is under way is called back first. */
void sql_database_close(struct sql_database *database);

const struct database_config *sql_database_config(const struct sql_database *database);
bool sql_database_is_closing(const struct sql_database *database);

/* As pg_pool_run(), with a bound on the wait for a connection. */
struct pg_request *sql_database_run(struct sql_database *database,
                                    const struct pg_batch *batch, pg_answer_cb done,
                                    void *arg);

/* Whether it is worth trying: not where the last try found no connection, until a wait is
 * over that grows from 1 s to 30 s; then one try is let through. */
bool sql_database_admits(struct sql_database *database);

/* Jobs cannot be noted, says `why`; and they can. Each is said once. */
void sql_database_no_inbox(struct sql_database *database, const char *why);
void sql_database_has_inbox(struct sql_database *database);

/* One more run is put off: for how long. That is until the next try; and where the inbox
 * is missing 2 s, or more where many wait, so that 500 at most come back in a second. */
int64_t sql_database_put_off(struct sql_database *database);

/* Why runs are put off; NULL: they are not. */
const char *sql_database_trouble(const struct sql_database *database);
/* How many were since it is so; 0 where the last was a minute ago: it has come back to
 * another worker, who knows better. `now_ms` is monotonic. */
int64_t sql_database_put_off_ct(const struct sql_database *database, int64_t now_ms);

#endif
