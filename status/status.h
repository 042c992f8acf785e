/* The status document: what `drover status --json` prints and the dashboard will read.
 *
 *   {"supervisor":{"pid","state","uptime_s","paused","draining"},
 *    "pools":[{"name","workers":[{"slot","pid","state","running","done","failed",
 *              "restarts","postponed","away":[{"endpoint","failures"}],
 *              "databases":[{"database","postponed","reason"}],"paused",
 *              "paused_queues":[NAME]}]}],
 *    "queues":[{"name","ready","delayed","reserved","paused","paused_since"}],
 *    "failed":N,"failed_waiting":N,"failed_table_missing":true,
 *    "redis":{"reachable","up","maxmemory_policy","aof","used_memory","maxmemory"}}
 *
 * Pools stand in the configuration's order; null is what could not be reached. Of Redis,
 * "reachable" is what this program saw, "up" what the workers tell the supervisor. "away"
 * are endpoints of webhooks that a worker leaves alone, the first few; "databases" are
 * those of SQL jobs that it cannot use, with how many runs were put off for it; a
 * worker's "paused" is who lets it take no jobs: "supervisor", "application" or null;
 * "paused_queues" are those that the application lets it take none from.
 * "failed_waiting" is there where PostgreSQL keeps the failed jobs: how many of them are
 * still in Redis; "failed_table_missing" only where that has no table for them.
 */
#ifndef STATUS_STATUS_H
#define STATUS_STATUS_H

#include <jansson.h>

#include "base/buf.h"
#include "config/config.h"
#include "queue/client.h"

struct status_queue {
    const char *name; /* borrowed from the configuration */
    bool known;
    struct depths depths;
    int64_t paused_since_ms; /* 0: it is not paused; -1: not known */
};

/* What Redis holds: one entry per configured queue, in order of first mention. */
struct status_redis {
    struct status_queue *queues;
    size_t queue_ct;
    int64_t failed;  /* -1: not known */
    int64_t waiting; /* of these, in Redis for PostgreSQL; -1: not known, or that is not
                        the store */
    bool no_table;   /* of failed jobs in PostgreSQL, which answers */
    bool reachable;
    struct vitals vitals;
};

/* Asks Redis, and PostgreSQL where it is the store of failed jobs; `client` NULL where it
 * could not be reached: then the names alone are filled in. -1 with `err` where a
 * connection broke on the way (ERR_DATABASE, ERR_NO_TABLE: PostgreSQL's alone): what was
 * read until then is kept, and `redis` may be used all the same. Free it in either case.
 */
int status_redis_read(struct status_redis *redis, const struct config *config,
                      struct client *client, struct err *err) MUSTCHECK;
void status_redis_free(struct status_redis *redis);

/* The document, a new reference. `supervisor` is the answer to {"cmd":"status"} on the
 * control socket (borrowed), or NULL where nobody answered. Pure. */
json_t *status_document(const struct config *config, const json_t *supervisor,
                        const struct status_redis *redis) MUSTCHECK;

/* Appends the document as aligned tables for people; names from outside are escaped.
 * `colour`: with ANSI colours. Pure. */
enum status_colour { STATUS_PLAIN, STATUS_COLOURED };
void status_text(const json_t *document, enum status_colour colour, struct buf *out);

#endif
