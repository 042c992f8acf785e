/* Where supervisor/ and worker/ meet: the worker's entry, for supervisor_run(). */
#ifndef CLI_ENTER_H
#define CLI_ENTER_H

#include "base/board.h"
#include "config/config.h"

/* A worker_entry (supervisor/supervisor.h). */
int enter_worker(const struct config *config, const struct pool_config *pool,
                 const struct redis_endpoint *endpoint, unsigned slot,
                 struct board *board);

#endif
