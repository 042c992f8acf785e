/* The queue as a worker sees it: jobs come in under leases, verdicts go out.
 * Asynchronous, on the worker's loop; the protocol behind it is in docs/protocol.md and
 * queue/lua/.
 *
 * Life of a lease: on_jobs() hands it over -> the worker runs the job while the queue
 * extends the lease by itself -> the worker gives it back with exactly one of
 * queue_ack(), queue_release(), queue_fail(), queue_give_back() or (after on_lost())
 * queue_forget(), and must not touch it any more. What was settled while Redis was away
 * is sent when it is back; a settle that finds the lease gone changes nothing in Redis,
 * is counted and logged.
 *
 * Reserving: the worker says how many jobs it could start with queue_want(); the queue
 * reserves them in chunks, keeps up to two reserves in flight while more is ready than
 * one asks for, so that Redis takes the next jobs while the worker runs these, lets acks
 * ride with them, and where nothing is ready waits in a BRPOP on a second connection. Few
 * slots wait for the jobs that a turn of the loop leaves to the next ones
 * (loop_has_rest()), a few turns at most. It never reserves more than the worker wants.
 */
#ifndef QUEUE_QUEUE_H
#define QUEUE_QUEUE_H

#include <stdint.h>
#include <sys/queue.h>

#include "base/board.h"
#include "base/buf.h"
#include "base/loop.h"
#include "config/config.h"
#include "queue/record.h"

struct queue;

struct lease {
    struct slice bytes;  /* exactly what lies in :reserved; owned by the lease */
    unsigned queue;      /* index into the pool's queues */
    uint32_t tag;        /* owner tag it was reserved under */
    unsigned crashes;    /* workers that died holding it */
    char *crash_note;    /* how the last of them ended; NULL: none known */
    bool was_alone;      /* one of those runs was announced by queue_alone() */
    bool may_be_counted; /* it ran out and was regained: others may have counted that */
    int64_t reserved_at_ms; /* Redis wall clock */
    bool noted; /* the worker's word: earlier attempts left notes, which go with it */
    void *user; /* the worker's; NULL when handed over */
    struct lease_private *priv; /* queue/'s own */
};

/* Why the queue will not go on by itself; the worker ends with the exit code named. */
enum queue_fatal {
    QUEUE_LAYOUT_NEWER /* a newer drover has laid out this Redis: exit code 2 */
};

struct queue_events {
    /* `ct` new leases, in the order they are to be started. Never called from inside a
     * queue_*() call. The array is borrowed; the leases are now the worker's. */
    void (*on_jobs)(void *arg, struct lease *const *leases, size_t ct);
    /* The lease is no longer ours (expired, reclaimed, cleared). The worker stops the job
     * and then calls queue_forget(). Never called for a lease already given back. */
    void (*on_lost)(void *arg, struct lease *lease);
    /* After queue_drain(): no reserve is in flight any more and none will be. */
    void (*on_drained)(void *arg);
    /* Everything given back so far has been answered (queue_idle() is true). */
    void (*on_settled)(void *arg);
    /* Once after queue_hush(); may be NULL where that is never called. */
    void (*on_quiet)(void *arg);
    /* Once after each queue_alone() that returned true; may be NULL where that is never
     * called. */
    void (*on_alone)(void *arg);
    void (*on_fatal)(void *arg, enum queue_fatal why, const struct err *err);
    /* A reserve found nothing, neither ready nor due, and no job is on its way, here or
     * back: whenever one does, also while other jobs run here. May be NULL. */
    void (*on_empty)(void *arg);
    /* How many failed records wait in the outbox, as a heartbeat found: about once a
     * second, and only where there are any. May be NULL. */
    void (*on_outbox)(void *arg, int64_t ct);
};

struct queue_options {
    struct loop *loop;
    const struct redis_endpoint *endpoint; /* borrowed for the queue's life */
    const char *prefix;
    const struct pool_config *pool; /* queues, lease_ms, poll_interval_ms, concurrency */
    int64_t max_payload_bytes;
    bool to_outbox; /* failed records are bound for PostgreSQL: they go to the outbox */
    struct board *board; /* link, tag, orphans are read and written; never NULL */
    const struct queue_events *events;
    void *arg;
};

/* Starts connecting; never blocks, keeps reconnecting (50 to 750 ms, jittered) for ever.
 */
struct queue *queue_create(const struct queue_options *options,
                           struct err *err) MUSTCHECK;
/* Closes at once; leases still out are freed, and stay reserved in Redis until taken
 * back. */
void queue_destroy(struct queue *queue);

/* How many jobs the worker could start now, in all; call whenever it changes. */
void queue_want(struct queue *queue, unsigned free_slots);

/* Nothing is taken from the pool's queue `index` while it is held; what is due in it goes
 * on to be promoted. Besides, queues are paused in Redis, for every worker on it
 * (client_pause.h): this queue looks there itself, once a second. `by` goes to the log.
 */
void queue_hold(struct queue *queue, unsigned index, bool held, const char *by);

/* The verdicts. Each takes the lease. */
void queue_ack(struct queue *queue, struct lease *lease);
/* Back into :delayed, due `delay_ms` from now by Redis TIME, as `bytes` (copied), which
 * are the payload with its new attempts. `note` (copied, may be NULL) is a line about
 * this attempt, kept until the job is done or fails; only for payloads with a uuid. */
void queue_release(struct queue *queue, struct lease *lease, struct slice bytes,
                   int64_t delay_ms, const char *note);
/* Unchanged and uncounted into :delayed, for who else reads the queue: due at once for a
 * PHP worker, for drover in a minute. Until then tokens of this queue do not wake us,
 * for we should always be there before whoever promoted the job to take it. */
void queue_yield(struct queue *queue, struct lease *lease);
/* Into the failed store, from :reserved, in one script. `record` is copied. */
void queue_fail(struct queue *queue, struct lease *lease,
                const struct fail_record *record);
/* Never started or abandoned: unchanged, uncounted, to the head of its queue. Give back
 * in reverse order of reservation to keep the order. */
void queue_give_back(struct queue *queue, struct lease *lease);
void queue_forget(struct queue *queue, struct lease *lease);

/* With nothing wanted: ends the wait that is in flight, and calls on_quiet(), later, once
 * no reserve and nothing given back is unanswered any more. What came meanwhile has been
 * through on_jobs(). From then on this process holds the leases it runs, and no other. */
void queue_hush(struct queue *queue);

/* The job, which has crashes behind it, is about to run with nothing beside it: should
 * the worker die then, the job is the cause. on_alone() comes, later, once Redis knows it
 * or has gone away; false: it is away, and nothing comes. Without its knowledge a death
 * tells less.
 * In a quiet queue (queue_hush()) that cannot be the answer for another job: should this
 * one be lost meanwhile, the next with crashes is handed over after on_alone(), for its
 * crashes are asked for on the same connection. */
bool queue_alone(struct queue *queue, const struct lease *lease) MUSTCHECK;

/* ---- the outbox: failed records that wait in Redis for PostgreSQL ----
 * Each call returns false where Redis is away (and never calls back), else calls back
 * exactly once, later; from inside queue_destroy() too. Several may be under way. */

struct outbox_cursor { /* zero: before the oldest */
    char score[32];
    char uuid[64];
};
struct outbox_too_long { /* a record whose payload is above max_payload */
    char uuid[64];
    int64_t payload_bytes;
};
struct outbox_page {
    struct fail_record
        *records; /* the oldest first; was_uuid is set where there is one */
    size_t ct;
    struct outbox_too_long *too_long; /* passed over: they stay in Redis, unread */
    size_t too_long_ct;
    bool last;                   /* there is nothing behind `cursor` */
    struct outbox_cursor cursor; /* where the next page begins */
};

/* At most `max_ct` (<= OUTBOX_PAGE_MAX) records behind `after`, about 4 MiB of them, but
 * one at least if there is any. `page` is borrowed until the callback returns; NULL: the
 * link was lost, or Redis refused (the outbox is no zset, ..). A page may be empty and
 * not be the last. */
enum { OUTBOX_PAGE_MAX = 500 };
typedef void (*outbox_page_cb)(void *arg, const struct outbox_page *page);
bool queue_outbox_read(struct queue *queue, const struct outbox_cursor *after,
                       size_t max_ct, outbox_page_cb cb, void *arg) MUSTCHECK;

/* Before records are sent to PostgreSQL: from then on nobody retries or forgets them
 * here. `kept` are those that have gone, or that another worker has in hand: not to be
 * sent. */
struct outbox_mark {
    char uuid[64];
    int64_t failed_at_ms;
};
typedef void (*outbox_drop_cb)(void *arg, bool known, const size_t *kept, size_t kept_ct);
bool queue_outbox_claim(struct queue *queue, const struct outbox_mark *marks, size_t ct,
                        outbox_drop_cb cb, void *arg) MUSTCHECK;
/* They are known not to have got there, by this claim. Not awaited: a claim that stays
 * ends when the record is moved. */
void queue_outbox_let_go(struct queue *queue, const struct outbox_mark *marks, size_t ct);

/* Drops records that PostgreSQL has, each only if it is still the one that was read: not
 * retried, forgotten or failed again meanwhile. The callback gets the places in `marks`
 * (from 0) of those that were not, for PostgreSQL then holds what should not be there;
 * or known = false: nobody knows what was dropped. Asking again is safe. */
bool queue_outbox_drop(struct queue *queue, const struct outbox_mark *marks, size_t ct,
                       outbox_drop_cb cb, void *arg) MUSTCHECK;

/* Closes the gate: SREM of the tag, CLIENT UNBLOCK, both replies read; leases that still
 * came with them are given back by the queue itself. */
void queue_drain(struct queue *queue);
bool queue_idle(const struct queue *queue); /* nothing given back is still unanswered */
/* Idle, and no reserve is on its way: where nothing is wanted, no job comes any more. */
bool queue_is_quiet(const struct queue *queue);
/* How many of the jobs that have run are not settled: Redis has not answered. */
size_t queue_unsettled_ct(const struct queue *queue);

/* Last act of a clean stop, when idle: removes the tag's heartbeat so that nobody has to
 * wait for it to grow old. Calls done(arg) once, later; at the latest after `within_ms`.
 */
void queue_leave(struct queue *queue, int64_t within_ms, void (*done)(void *arg),
                 void *arg);

#endif
