/* The only place where supervisor/ and worker/ meet. */
#include "cli/enter.h"

#include "worker/worker.h"

int enter_worker(const struct config *config, const struct pool_config *pool,
                 const struct redis_endpoint *endpoint, unsigned slot,
                 struct board *board)
{
    struct worker_start start = {.config = config,
                                 .pool = pool,
                                 .endpoint = endpoint,
                                 .slot = slot,
                                 .board = board,
                                 .end_at_restart = config->work.on,
                                 .grace_ms = config->stop_grace_ms};

    return worker_main(&start);
}
