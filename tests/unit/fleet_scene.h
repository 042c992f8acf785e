/* A fleet of real processes in the test's own event loop.
 */
#ifndef TESTS_FLEET_SCENE_H
#define TESTS_FLEET_SCENE_H

#include "supervisor/fleet.h"
#include "tests/unit/fake_worker.h"

enum { POOLS_MAX = 3, LONG_MS = 30000, SHORT_MS = 400 };

extern struct loop *fleet_loop;
extern struct reaper *reaper;
extern struct fleet *fleet;
extern struct config configs[2]; /* the one in use, and the one a reload brings */
extern struct redis_endpoint endpoint;
extern char pool_names[POOLS_MAX][8];
extern size_t fewest_running; /* seen since it was set */

/* configs[which]: pools "main" and, unless below 0, "mails" with so many workers. */
void fill_config(size_t which, int64_t main_workers, int64_t mails_workers);
void open_scene(void);
bool is_empty(void *arg);
void close_scene(void);
/* Takes up configs[0], configs[1]. */
void start(int64_t main_workers, int64_t mails_workers);
void reload(int64_t main_workers, int64_t mails_workers);
/* Until all wanted slots have a worker of the latest configuration. */
void await_all_running(void);
const struct worker_slot *slot_of(size_t pool, size_t slot);
pid_t pid_of(size_t pool, size_t slot);
/* Of the first slot of the first pool: until it is in `state`; until its worker number
 * `starts` is running. */
void await_state(enum slot_state state);
void await_start(unsigned starts);

#endif
