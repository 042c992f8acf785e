/* Which words may name a queue. Pure.
 *
 * A queue q has its keys at queues:q, queues:q:delayed, queues:q:reserved and
 * queues:q:notify: a queue named q:delayed would be the list where q has its zset.
 */
#include <string.h>

#include "base/must.h"
#include "config/config.h"

int queue_name_check(const char *name, struct err *err)
{
    static const char *const ends[] = {":delayed", ":reserved", ":notify"};
    size_t len = strlen(name);

    for (size_t i = 0; i < ARRAY_CT(ends); i++) {
        size_t end_len = strlen(ends[i]);

        if (len >= end_len && strcmp(name + len - end_len, ends[i]) == 0)
            return err_set(err, ERR_USAGE,
                           "\"%s\" cannot be a queue: queue \"%.*s\" keeps its %s there",
                           name, (int)(len - end_len), name,
                           i == 2 ? "wake-up tokens" : "jobs");
    }
    return 0;
}
