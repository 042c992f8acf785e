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
struct loop *sql_database_loop(const struct sql_database *database);
bool sql_database_is_closing(const struct sql_database *database);

/* As pg_pool_run(), with a bound on the wait for a connection. */
struct pg_request *sql_database_run(struct sql_database *database,
                                    const struct pg_batch *batch, pg_answer_cb done,
                                    void *arg);

/* Whether it is worth trying: not where the last try found no connection, until a wait is
 * over that grows from 1 s to 30 s; then one try is let through. On false `*wait_ms` says
 * for how long to leave it alone. */
bool sql_database_admits(struct sql_database *database, int64_t *wait_ms);

/* The same wait, for what has just found no connection. */
int64_t sql_database_wait_ms(const struct sql_database *database);

/* Why the last try found no connection. */
const char *sql_database_trouble(const struct sql_database *database);

/* Says once per trouble that jobs cannot be noted. */
void sql_database_no_inbox(struct sql_database *database, const char *why);

#endif
