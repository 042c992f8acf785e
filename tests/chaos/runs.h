/* Runs, put together from the ledger's records. Pure.
 */
#ifndef CHAOS_RUNS_H
#define CHAOS_RUNS_H

#include <stdbool.h>

#include "tests/chaos/ledger.h"

struct run_seen {
    struct record start; /* 'S', or 'O' where another run was on */
    int64_t end_ns;      /* 0: it was cut short */
    bool ok;
};

struct runs {
    struct run_seen *list; /* by number, attempt, start */
    size_t ct;
};

void runs_make(struct runs *runs, const struct ledger *ledger);
void runs_free(struct runs *runs);

#endif
