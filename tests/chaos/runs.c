/* An end belongs to the last start of the same process before it. */
#include "tests/chaos/runs.h"

#include <stdlib.h>

#include "base/must.h"

static int by_place(const void *a, const void *b)
{
    const struct record *x = &((const struct run_seen *)a)->start;
    const struct record *y = &((const struct run_seen *)b)->start;

    if (x->n != y->n)
        return x->n < y->n ? -1 : 1;
    if (x->attempt != y->attempt)
        return x->attempt < y->attempt ? -1 : 1;
    return (x->at_ns > y->at_ns) - (x->at_ns < y->at_ns);
}

static struct run_seen *find_run(struct runs *runs, const struct record *end)
{
    for (size_t i = 0; i < runs->ct; i++) {
        struct run_seen *run = &runs->list[i];

        if (run->start.pid == end->pid && run->start.n == end->n && run->end_ns == 0 &&
            run->start.attempt == end->attempt && run->start.at_ns <= end->at_ns)
            return run;
    }
    return NULL;
}

void runs_make(struct runs *runs, const struct ledger *ledger)
{
    *runs = (struct runs){.list = must_alloc((ledger->ct + 1) * sizeof(runs->list[0]))};
    for (size_t i = 0; i < ledger->ct; i++) {
        const struct record *record = &ledger->records[i];
        struct run_seen *run;

        if (record->what != 'E') {
            runs->list[runs->ct++].start = *record;
            continue;
        }
        run = find_run(runs, record);
        if (run == NULL)
            continue;
        run->end_ns = record->at_ns;
        run->ok = record->ok != 0;
    }
    qsort(runs->list, runs->ct, sizeof(runs->list[0]), by_place);
}

void runs_free(struct runs *runs)
{
    free(runs->list);
    *runs = (struct runs){0};
}
