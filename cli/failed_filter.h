/* Which failed jobs a command is about: options to a filter, and the walk through it.
 */
#ifndef CLI_FAILED_FILTER_H
#define CLI_FAILED_FILTER_H

#include "cli/cli.h"
#include "failed/store.h"

struct failed_filter {
    const char *queue; /* exact; NULL: any */
    const char *job;   /* glob; NULL: any */
    int64_t since_ms;  /* wall clock; 0: no bound */
    int64_t before_ms;
    int64_t limit; /* 0: none */
};

/* The rows that a command with filters has among its options. */
#define FAILED_FILTER_OPTIONS                                                            \
    {"--queue", "NAME", "only jobs of this queue"},                                      \
        {"--job", "GLOB", "only jobs whose name matches, like 'App\\Jobs\\*'"},          \
        {"--since", "WHEN", "failed not before: 2h (ago), 7d, 2026-11-21T11:44:09Z"},    \
        {"--before", "WHEN", "failed before: likewise"},                                 \
    {                                                                                    \
        "--limit", "N", "at most N jobs"                                                 \
    }

int failed_filter_read(struct failed_filter *filter, const struct cli_args *args,
                       int64_t now_ms, struct err *err) MUSTCHECK;
bool failed_filter_is_set(const struct failed_filter *filter);
bool failed_filter_matches(const struct failed_filter *filter,
                           const struct fail_record *record);

/* Walks what matches; `each` as in failed_store_walk(). */
enum failed_order { FAILED_NEWEST_FIRST, FAILED_OLDEST_FIRST };
int failed_filter_walk(const struct failed_filter *filter, struct failed_store *store,
                       enum failed_order order, enum failed_fields fields,
                       failed_each_cb each, void *arg, struct err *err) MUSTCHECK;

#endif
