/* The filters of `drover failed`: read once, applied record by record. */
#include "cli/failed_filter.h"

#include <string.h>

#include "base/text.h"
#include "cli/args.h"
#include "cli/when.h"

static int read_when(const struct cli_args *args, const char *option, int64_t now_ms,
                     int64_t *at_ms, struct err *err)
{
    const char *text = cli_value(args, option);

    if (text && when_parse(text, now_ms, at_ms, err) != 0)
        return args_bad_value(err, option);
    return 0;
}

int failed_filter_read(struct failed_filter *filter, const struct cli_args *args,
                       int64_t now_ms, struct err *err)
{
    const char *limit = cli_value(args, "--limit");

    memset(filter, 0, sizeof(*filter));
    filter->queue = cli_value(args, "--queue");
    filter->job = cli_value(args, "--job");
    if (read_when(args, "--since", now_ms, &filter->since_ms, err) != 0 ||
        read_when(args, "--before", now_ms, &filter->before_ms, err) != 0)
        return -1;
    if (limit && text_integer(limit, 1, INT64_MAX, &filter->limit, err) != 0)
        return args_bad_value(err, "--limit");
    return 0;
}

bool failed_filter_is_set(const struct failed_filter *filter)
{
    return filter->queue || filter->job || filter->since_ms || filter->before_ms ||
           filter->limit;
}

bool failed_filter_matches(const struct failed_filter *filter,
                           const struct fail_record *record)
{
    return (filter->queue == NULL || strcmp(filter->queue, record->queue) == 0) &&
           (filter->job == NULL || text_glob(filter->job, record->job));
}

struct filtered {
    const struct failed_filter *filter;
    failed_each_cb each;
    void *arg;
    int64_t ct;
};

static bool pass_on(void *arg, const struct fail_record *record)
{
    struct filtered *filtered = arg;

    if (!failed_filter_matches(filtered->filter, record))
        return true;
    filtered->ct++;
    return filtered->each(filtered->arg, record) &&
           filtered->ct != filtered->filter->limit;
}

int failed_filter_walk(const struct failed_filter *filter, struct failed_store *store,
                       enum failed_order order, enum failed_fields fields,
                       failed_each_cb each, void *arg, struct err *err)
{
    struct filtered filtered = {.filter = filter, .each = each, .arg = arg};
    const struct failed_walk walk = {.after_ms = filter->since_ms,
                                     .before_ms = filter->before_ms,
                                     .oldest_first = order == FAILED_OLDEST_FIRST,
                                     .fields = fields};

    return failed_store_walk(store, &walk, pass_on, &filtered, err);
}
