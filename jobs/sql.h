/* SQL jobs: what a worker holds to run jobs of type sql. The handler itself is
 * sql_handler in jobs/handler.h.
 */
#ifndef JOBS_SQL_H
#define JOBS_SQL_H

#include "base/board.h"
#include "base/loop.h"
#include "config/config.h"

struct sql;

/* Connections for the sql jobs of `config`, which is borrowed; NULL without an error
 * where it has none. */
int sql_open(struct loop *loop, const struct config *config, struct sql **sql,
             struct err *err) MUSTCHECK;
/* NULL is fine. Runs that are left are not told. */
void sql_close(struct sql *sql);

/* Writes down which databases cannot be used for now, and what that has cost. `now_ms` is
 * monotonic. */
void sql_tell_board(const struct sql *sql, struct board *board, int64_t now_ms);

#endif
