/* What Redis holds at the end of a run.
 */
#ifndef CHAOS_HOLDINGS_H
#define CHAOS_HOLDINGS_H

#include <stdbool.h>

#include "tests/chaos/audit.h"
#include "tests/chaos/server.h"

void holdings_read(struct holdings *holdings, const struct plan *plan,
                   const struct server *server);
void holdings_free(struct holdings *holdings);

/* Whether no queue has anything left; false also while Redis does not answer. */
bool holdings_are_drained(const struct server *server);

/* Whether the living alone answer for tags: the dead ones' have been taken back. */
bool holdings_are_tidy(const struct server *server, size_t worker_ct);

/* After all supervisors have ended: what they should have taken with them, as findings.
 */
void holdings_check_keys(const struct server *server, struct audit *audit);

#endif
