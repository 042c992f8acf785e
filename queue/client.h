/* Redis for the command line: synchronous, with deadlines. Never used by the daemon. The
 * process must ignore SIGPIPE.
 *
 * Errors: ERR_CONN where Redis cannot be reached or the connection broke (exit code 6),
 * ERR_REPLY where it answered with an error.
 */
#ifndef QUEUE_CLIENT_H
#define QUEUE_CLIENT_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "config/config.h"
#include "queue/record.h"
#include "queue/vitals.h"

struct client;

/* Connects, authenticates, selects the database, checks the layout version (newer than
 * ours: ERR_CONFIG). Reads only. A server that refuses to log us in is ERR_CONN too. */
struct client *client_open(const struct redis_endpoint *endpoint, const char *prefix,
                           struct err *err) MUSTCHECK;
void client_close(struct client *client); /* NULL is fine */

/* Depths of one queue; a key of a wrong type gives -1 for that number. */
struct depths {
    int64_t ready;
    int64_t delayed;
    int64_t reserved;
};
int client_depths(struct client *client, const char *queue, struct depths *depths,
                  struct err *err) MUSTCHECK;

/* What Redis is set to; what the user may not ask stays unknown. */
int client_vitals(struct client *client, struct vitals *vitals,
                  struct err *err) MUSTCHECK;

/* Pushes `ct` <= CLIENT_PUSH_MAX payloads to one queue in one round trip, with their
 * tokens; delay_ms > 0: to :delayed, due by Redis TIME. All or none; after ERR_CONN
 * nobody knows which. */
enum { CLIENT_PUSH_MAX = 1000 };
int client_push(struct client *client, const char *queue, const struct slice *payloads,
                size_t ct, int64_t delay_ms, struct err *err) MUSTCHECK;

/* Names of all queues that have keys, by SCAN; one callback per name, sorted. */
int client_scan_queues(struct client *client, void (*found)(void *arg, const char *queue),
                       void *arg, struct err *err) MUSTCHECK;

/* The first `ct` jobs of a queue; `state` is "ready", "delayed" or "reserved". due_at is
 * the score (unix seconds), 0 for ready ones. */
typedef void (*client_job_cb)(void *arg, struct slice payload, double due_at);
int client_peek(struct client *client, const char *queue, const char *state, size_t ct,
                client_job_cb each, void *arg, struct err *err) MUSTCHECK;

/* Removes ready, delayed and notify of a queue, and with `reserved` also what is running;
 * *removed gets the number of jobs. Nothing is removed where a key has a wrong type. */
int client_clear(struct client *client, const char *queue, bool reserved,
                 int64_t *removed, struct err *err) MUSTCHECK;

/* ---- failed records in Redis ---- */

/* The same connection, over which the verbs below are about the outbox: the records that
 * wait in Redis for PostgreSQL. Close it before `client`. */
struct client *client_outbox(const struct client *client) MUSTCHECK;

/* Moves records from one of the two to the other, the oldest first, at most `ct` <=
 * CLIENT_MOVE_MAX of them; *moved < ct: that was all. The records stay what they are. */
enum { CLIENT_MOVE_MAX = 1000 };
int client_failed_move(struct client *from, const struct client *to, size_t ct,
                       int64_t *moved, struct err *err) MUSTCHECK;

int client_failed_count(struct client *client, int64_t *ct, struct err *err) MUSTCHECK;

/* What a page is to carry. */
enum failed_fields { FAILED_SUMMARY, FAILED_WITH_PAYLOAD, FAILED_WHOLE };

/* Walks the records from the newest (or oldest) on, `after_ms` <= failed_at < `before_ms`
 * (0: no bound), in pages, in constant memory. The record is borrowed until `each`
 * returns, which stops the walk by returning false and may use the client. Records may be
 * removed during the walk; those that come meanwhile are not visited. An id in the index
 * whose record is gone is skipped and taken out. What the walk does not fetch is absent.
 */
typedef bool (*failed_each_cb)(void *arg, const struct fail_record *record);
struct failed_walk {
    int64_t after_ms, before_ms;
    bool oldest_first;
    enum failed_fields fields;
};
int client_failed_walk(struct client *client, const struct failed_walk *walk,
                       failed_each_cb each, void *arg, struct err *err) MUSTCHECK;

/* One record by uuid; ERR_NOT_FOUND where there is none. */
int client_failed_get(struct client *client, const char *uuid, failed_each_cb each,
                      void *arg, struct err *err) MUSTCHECK;

/* Completes a unique prefix of at least CLIENT_UUID_PREFIX_MIN characters to the uuid.
 * ERR_NOT_FOUND: none (`uuid` is "" then) or several (it is one of them), ERR_USAGE: too
 * short; said in `err`. */
enum { CLIENT_UUID_PREFIX_MIN = 4 };
int client_failed_resolve(struct client *client, const char *prefix, char uuid[64],
                          struct err *err) MUSTCHECK;

/* Pushes `payload` (attempts already 0) to `queue` with a token and drops the record, in
 * one script, if it is still there: *done says so. ERR_DATABASE: it is in the outbox, and
 * a worker has sent it to PostgreSQL: whether it is there will be known soon. */
int client_failed_retry(struct client *client, const char *uuid, const char *queue,
                        struct slice payload, bool *done, struct err *err) MUSTCHECK;

/* Drops records; *removed grows by those that were there, also before -1. ERR_DATABASE as
 * with client_failed_retry(). */
int client_failed_forget(struct client *client, const char *const *uuids, size_t ct,
                         int64_t *removed, struct err *err) MUSTCHECK;

#endif
