/* A scene of an end-to-end test: a directory of its own, a real redis-server on a unix
 * socket in it (or the embedded one), a configuration, the built drover supervising, and
 * its log.
 *
 * Nothing outside the directory is touched; everything started is stopped by pid. In
 * configuration texts "@DIR@" stands for the directory.
 */
#ifndef SUPPORT_SCENE_H
#define SUPPORT_SCENE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/loop.h"
#include "tests/support/proxy.h"

/* PROXY: as REDIS, but drover and its commands reach it through `proxy`, while
 * scene_redis() asks it directly. */
enum scene_redis { SCENE_REDIS, SCENE_EMBEDDED, SCENE_PROXY, SCENE_BESIDE };

struct scene {
    char dir[64];
    char conf[96];
    enum scene_redis kind;
    char redis_dir[64];  /* where its Redis is: ours, or the other scene's */
    pid_t redis;         /* 0: none of our own */
    struct proxy *proxy; /* SCENE_PROXY; else NULL */
    struct loop *loop;   /* the proxy's; turns wherever the test waits */
    struct timer pause;
    bool no_user; /* drover is to be the default user; before scene_configure() */
    pid_t supervisor;
    int exit_status; /* of the last scene_stop(), as from wait(2) */
    char *out;       /* stdout of the last scene_run() */
    char *err;       /* stderr of it */
};

/* Makes directory, redis-server and drover.conf: "redis" and "state_dir" are set,
 * `settings` (pools, jobs, ...) follows. Does not start drover. */
struct scene *scene_create(enum scene_redis redis, const char *settings);
/* As another host: a directory and a drover of its own, on the Redis of `other`, which is
 * destroyed after it. */
struct scene *scene_create_beside(const struct scene *other, const char *settings);
void scene_configure(struct scene *scene,
                     const char *settings); /* rewrites drover.conf */
void scene_start(struct scene *scene); /* drover supervise; waits until all workers run */
void scene_spawn(struct scene *scene); /* as scene_start(), without waiting */
/* As scene_spawn() by a line for sh that ends in an exec: "$0" is drover, "$1" the
 * configuration, "$2" the directory. */
void scene_spawn_by(struct scene *scene, const char *line);
void scene_stop(struct scene *scene); /* TERM; waits; fails the test unless it exits 0 */
/* As a host whose power fails: drover and all its processes are gone at once, without a
 * word. Returns when they are. */
void scene_power_off(struct scene *scene);
void scene_destroy(
    struct scene *scene); /* stops what runs, checks that nothing is left */

/* Runs `drover ARGS... -c CONF` to its end; returns its exit code. The list ends with
 * NULL. */
int scene_run(struct scene *scene, const char *first, ...) __attribute__((sentinel));
/* scene_run() that must succeed. */
#define scene_do(scene, ...)                                                             \
    ck_assert_msg(scene_run(scene, __VA_ARGS__, NULL) == 0, "%s%s", (scene)->out,        \
                  (scene)->err)

/* Kills the redis-server, which keeps nothing; starts it anew. */
void scene_redis_stop(struct scene *scene);
void scene_redis_again(struct scene *scene);

/* drover status --json, failed list --json: new references, never NULL. */
json_t *scene_status(struct scene *scene);
json_t *scene_failed(struct scene *scene);
long long scene_worker(struct scene *scene, size_t pool, size_t worker,
                       const char *field);
bool scene_workers_all(struct scene *scene, const char *state, size_t ct);

/* A Redis command by redis-cli; the answer's text, borrowed until the next. */
const char *scene_redis(struct scene *scene, const char *first, ...)
    __attribute__((sentinel));
long long scene_redis_int(struct scene *scene, const char *command, const char *key);
/* Whether the queue "default" holds no job in any state; in one look, for between two a
 * job could go from one place to another. */
bool scene_is_drained(struct scene *scene);

/* Files in the scene's directory. */
char *scene_read(struct scene *scene, const char *name); /* "" if missing; free() it */
size_t scene_lines(struct scene *scene, const char *name);
void scene_touch(struct scene *scene, const char *name); /* makes it, empty */
bool scene_log_has(struct scene *scene, const char *text);

#endif
