/* The embedded redis-server, or where there is none valkey-server: a private one, on a
 * unix socket in state_dir, with its data in an append-only file there. Watched and
 * restarted like a worker.
 */
#ifndef SUPERVISOR_REDIS_SERVER_H
#define SUPERVISOR_REDIS_SERVER_H

#include "base/reaper.h"
#include "supervisor/child.h"

struct redis_server;

/* `state_dir` is copied. -1 with `err` where no server is installed or its data
 * directory cannot be made. `gone` is called once it has ended after
 * redis_server_stop(). */
struct redis_server *redis_server_create(struct loop *loop, struct reaper *reaper,
                                         const char *state_dir, void (*gone)(void *arg),
                                         void *arg, struct err *err) MUSTCHECK;
void redis_server_destroy(struct redis_server *server); /* NULL is fine */

void redis_server_start(struct redis_server *server);
/* TERM (it saves what it has), 10 s later KILL. */
void redis_server_stop(struct redis_server *server);

#endif
