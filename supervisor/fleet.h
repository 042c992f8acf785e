/* All pools with their worker slots: how many are wanted, which one is next to be
 * replaced after a reload, and the heartbeat's ticks.
 */
#ifndef SUPERVISOR_FLEET_H
#define SUPERVISOR_FLEET_H

#include "supervisor/worker_slot.h"

enum { FLEET_WORKERS_MAX = 256 }; /* per pool */

struct pool {
    struct fleet *fleet;
    char *name;
    const struct pool_config *settings; /* of fleet->config; NULL: removed by a reload */
    struct worker_slot **slots;         /* slots[i]->index == i */
    size_t slot_ct;
    size_t wanted_ct; /* slots below this are wanted, those above drain */
};

struct fleet;

struct fleet_options {
    struct loop *loop;
    struct reaper *reaper;
    worker_entry entry;
    /* As worker_slot_ops' own; the fleet may be stopped from here. May be NULL. */
    void (*ended)(void *arg, int status);
    void (*changed)(void *arg); /* something did: later, once per turn at most */
    void *arg;
};

struct fleet_counts {
    size_t wanted; /* slots */
    size_t alive;  /* processes */
    size_t running;
    size_t backoff;
    size_t fatal;
    size_t ran;   /* wanted ones that have been RUNNING */
    size_t stale; /* workers that still have an earlier configuration */
};

/* Redis as the workers see it. */
enum fleet_link { FLEET_LINK_UNKNOWN, FLEET_LINK_UP, FLEET_LINK_DOWN };
struct fleet_redis {
    enum fleet_link link;
    int64_t since_ms; /* monotonic: of the last change */
};

struct fleet *fleet_create(const struct fleet_options *options) MUSTCHECK;
void fleet_destroy(struct fleet *fleet); /* all workers must be gone; NULL is fine */

/* Takes up a configuration: pools appear and go, counts follow it, and workers of an
 * earlier one are replaced, one at a time in each pool. Both are borrowed until the next
 * call or fleet_destroy(). */
void fleet_configure(struct fleet *fleet, const struct config *config,
                     const struct redis_endpoint *endpoint);

/* Sets the number of workers; `was` (may be NULL) gets the number until now. */
int fleet_scale(struct fleet *fleet, const char *pool, int64_t workers, int64_t *was,
                struct err *err) MUSTCHECK;

/* No worker takes jobs, those that start from now on neither; or they do again. */
void fleet_pause(struct fleet *fleet, bool paused);
bool fleet_is_resting(const struct fleet *fleet); /* paused, and no job runs any more */

void fleet_stop(struct fleet *fleet); /* drain all, start none */
void fleet_kill(struct fleet *fleet); /* as fleet_stop(), at once */
bool fleet_is_empty(const struct fleet *fleet);

struct fleet_counts fleet_count(const struct fleet *fleet);
struct fleet_redis fleet_redis_link(const struct fleet *fleet);

/* In the configuration's order, removed ones last. */
size_t fleet_pool_ct(const struct fleet *fleet);
const struct pool *fleet_pool(const struct fleet *fleet, size_t index);

#endif
