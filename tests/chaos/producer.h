/* Enqueues the plan's jobs when they are due, as Laravel does, and keeps a journal of
 * what Redis acknowledged.
 */
#ifndef CHAOS_PRODUCER_H
#define CHAOS_PRODUCER_H

#include <stdint.h>

#include "tests/chaos/plan.h"
#include "tests/chaos/server.h"

enum ack {
    ACK_NONE,  /* not sent, or refused */
    ACK_MAYBE, /* sent, and no answer came: it may be there or not */
    ACK_DONE
};

/* In a process of its own, which ends when all is enqueued; its pid. */
pid_t producer_start(const struct plan *plan, const struct server *server,
                     const char *journal, int64_t start_ns);

/* What the journal says, by place in the plan; free() it. */
unsigned char *producer_read(const struct plan *plan, const char *journal);

#endif
