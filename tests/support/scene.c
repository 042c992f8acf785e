/* Scenes of end-to-end tests: their servers, their configuration, their beginning and
 * end. */
#include "tests/support/scene.h"

#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/acl.h"
#include "tests/support/scene_process.h"
#include "tests/support/wait.h"

enum { DEBUG_ARGS_AT = 11, SERVER_ARGS = 13, TURN_MS = 5, POWER_OFF_MAX = 256 };

/* Before Redis 7 DEBUG was always to be had, and the option that allows it is refused. */
static bool knows_debug_option(void)
{
    FILE *pipe = popen("redis-server --version", "re");
    int major = 0;

    ck_assert_ptr_nonnull(pipe);
    ck_assert_int_eq(fscanf(pipe, "%*[^=]=%d", &major), 1);
    (void)pclose(pipe);
    return major >= 7;
}

static void start_redis(struct scene *scene)
{
    char socket[128], dir[128];
    struct acl_words words;
    const char *argv[SERVER_ARGS + ACL_ARGS_MAX] = {"redis-server",
                                                    "--port",
                                                    "0",
                                                    "--unixsocket",
                                                    socket,
                                                    "--dir",
                                                    dir,
                                                    "--save",
                                                    "",
                                                    "--appendonly",
                                                    "no",
                                                    "--enable-debug-command",
                                                    "yes"};

    (void)acl_add_server_args(&words, argv,
                              knows_debug_option() ? SERVER_ARGS : DEBUG_ARGS_AT);
    (void)snprintf(socket, sizeof(socket), "%s/redis.sock", scene->dir);
    (void)snprintf(dir, sizeof(dir), "%s", scene->dir);
    scene->redis = scene_process_start(scene, argv, "redis.log", "redis.log");
    WAIT_FOR(strstr(scene_redis(scene, "PING", NULL), "PONG") != NULL);
}

void scene_redis_stop(struct scene *scene)
{
    (void)kill(scene->redis, SIGKILL);
    (void)scene_process_finish(scene->redis);
    scene->redis = 0;
}

void scene_redis_again(struct scene *scene)
{
    start_redis(scene);
}

static void stop_turn(void *arg)
{
    loop_stop(arg);
}

static void turn_proxy(void *arg)
{
    struct scene *scene = arg;

    timer_set(&scene->pause, TURN_MS);
    loop_run(scene->loop);
}

static void start_proxy(struct scene *scene)
{
    char own[128], target[128];

    (void)snprintf(own, sizeof(own), "%s/proxy.sock", scene->dir);
    (void)snprintf(target, sizeof(target), "%s/redis.sock", scene->dir);
    scene->loop = loop_create(NULL);
    ck_assert_ptr_nonnull(scene->loop);
    timer_init(&scene->pause, scene->loop, stop_turn, scene->loop);
    scene->proxy = proxy_create(scene->loop, own, target);
    wait_set_turn(turn_proxy, scene);
}

static void stop_proxy(struct scene *scene)
{
    if (scene->proxy == NULL)
        return;
    wait_set_turn(NULL, NULL);
    proxy_destroy(scene->proxy);
    timer_free(&scene->pause);
    loop_destroy(scene->loop);
}

void scene_configure(struct scene *scene, const char *settings)
{
    FILE *file = fopen(scene->conf, "we");
    const char *at;

    ck_assert_ptr_nonnull(file);
    if (scene->kind == SCENE_EMBEDDED)
        fprintf(file, "redis: { url = \"embedded\"; };\n");
    else
        fprintf(file, "redis: { url = \"unix://%s/%s.sock%s\"; };\n", scene->redis_dir,
                scene->proxy ? "proxy" : "redis",
                scene->no_user ? "" : "?username=" ACL_USER "&password=" ACL_PASSWORD);
    fprintf(file, "state_dir = \"%s/state\";\n", scene->dir);
    while ((at = strstr(settings, "@DIR@")) != NULL) {
        fprintf(file, "%.*s%s", (int)(at - settings), settings, scene->dir);
        settings = at + strlen("@DIR@");
    }
    fprintf(file, "%s\n", settings);
    ck_assert_int_eq(fclose(file), 0);
}

/* A directory, and nothing that runs. */
static struct scene *create(enum scene_redis redis)
{
    static const char *const variables[] = {
        "REDIS_URL", "REDIS_HOST",   "REDIS_PORT",  "REDIS_USERNAME", "REDIS_PASSWORD",
        "REDIS_DB",  "REDIS_PREFIX", "REDIS_QUEUE", "DROVER_CONFIG",  "NOTIFY_SOCKET"};
    struct scene *scene = must_alloc(sizeof(*scene));

    for (size_t i = 0; i < ARRAY_CT(variables); i++)
        (void)unsetenv(variables[i]);
    ck_assert_int_eq(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    (void)snprintf(scene->dir, sizeof(scene->dir), "/tmp/drover-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(scene->dir));
    (void)snprintf(scene->conf, sizeof(scene->conf), "%s/drover.conf", scene->dir);
    (void)snprintf(scene->redis_dir, sizeof(scene->redis_dir), "%s", scene->dir);
    scene->kind = redis;
    return scene;
}

struct scene *scene_create_beside(const struct scene *other, const char *settings)
{
    struct scene *scene = create(SCENE_BESIDE);

    (void)snprintf(scene->redis_dir, sizeof(scene->redis_dir), "%s", other->redis_dir);
    scene_configure(scene, settings);
    return scene;
}

struct scene *scene_create(enum scene_redis redis, const char *settings)
{
    struct scene *scene = create(redis);

    if (redis != SCENE_EMBEDDED)
        start_redis(scene);
    if (redis == SCENE_PROXY)
        start_proxy(scene);
    scene_configure(scene, settings);
    return scene;
}

void scene_spawn(struct scene *scene)
{
    const char *argv[] = {scene_drover(), "supervise", "-c", scene->conf, NULL};

    scene->supervisor = scene_process_start(scene, argv, "out", "log");
}

void scene_spawn_by(struct scene *scene, const char *line)
{
    const char *argv[] = {"/bin/sh",   "-c",       line, scene_drover(),
                          scene->conf, scene->dir, NULL};

    scene->supervisor = scene_process_start(scene, argv, "out", "log");
}

static bool all_run(struct scene *scene)
{
    json_t *status = scene_status(scene), *pool, *worker;
    bool all = json_array_size(json_object_get(status, "pools")) > 0;
    size_t i, j;

    json_array_foreach(json_object_get(status, "pools"), i, pool) json_array_foreach(
        json_object_get(pool, "workers"), j,
        worker) if (strcmp(json_string_value(json_object_get(worker, "state")),
                           "running") != 0) all = false;
    json_decref(status);
    return all;
}

void scene_start(struct scene *scene)
{
    scene_spawn(scene);
    WAIT_FOR(all_run(scene));
}

static void print_log(struct scene *scene)
{
    char *log = scene_read(scene, "log");

    fprintf(stderr, "---- log of %s\n%s----\n", scene->dir, log);
    free(log);
}

void scene_stop(struct scene *scene)
{
    (void)kill(scene->supervisor, SIGTERM);
    scene_await_end(scene);
}

void scene_await_end(struct scene *scene)
{
    scene->exit_status = scene_process_finish(scene->supervisor);
    scene->supervisor = 0;
    if (scene->exit_status != 0 || scene_log_has(scene, "ERROR: AddressSanitizer") ||
        scene_log_has(scene, "runtime error:") || scene_log_has(scene, "LeakSanitizer") ||
        scene_log_has(scene, "drover: bug:")) {
        print_log(scene);
        ck_abort_msg("drover did not end well: wait status %d", scene->exit_status);
    }
}

/* The test is the subreaper of all it starts: whatever outlives its parent becomes the
 * test's own child. */
static bool nothing_left(void)
{
    pid_t pid;

    do
        pid = waitpid(-1, NULL, WNOHANG);
    while (pid > 0);
    return pid < 0 && errno == ECHILD;
}

/* drover asks for nothing that contrib/drover.acl does not give. */
static void check_denials(struct scene *scene)
{
    const char *log = scene_redis(scene, "ACL", "LOG", NULL);

    ck_assert_msg(!acl_log_has_denial(log), "drover was denied:\n%s", log);
}

/* Of a process; returns how many, the first `max` of them written down. */
static size_t children_of(pid_t pid, pid_t *list, size_t max)
{
    char path[64];
    size_t ct = 0;
    FILE *file;
    int child;

    (void)snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid, (int)pid);
    file = fopen(path, "re");
    while (file && ct < max && fscanf(file, "%d", &child) == 1)
        list[ct++] = child;
    if (file)
        (void)fclose(file);
    return ct;
}

void scene_power_off(struct scene *scene)
{
    pid_t all[POWER_OFF_MAX] = {scene->supervisor};
    size_t ct = 1;

    /* Stopped before they are looked at: nobody has children after that, nor reacts. */
    for (size_t i = 0; i < ct; i++) {
        (void)kill(all[i], SIGSTOP);
        WAIT_FOR(process_state(all[i]) != 'R' && process_state(all[i]) != 'S');
        ct += children_of(all[i], all + ct, ARRAY_CT(all) - ct);
    }
    MUST(ct < ARRAY_CT(all));
    for (size_t i = 0; i < ct; i++)
        (void)kill(all[i], SIGKILL);
    for (size_t i = 0; i < ct; i++)
        WAIT_FOR(!process_exists(all[i]));
    (void)waitpid(scene->supervisor, NULL, WNOHANG);
    scene->supervisor = 0;
}

void scene_destroy(struct scene *scene)
{
    char command[128];

    if (scene->supervisor)
        scene_stop(scene);
    if (scene->redis) {
        check_denials(scene);
        scene_redis_stop(scene);
    }
    stop_proxy(scene);
    if (scene->kind != SCENE_BESIDE)
        WAIT_FOR(nothing_left());
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", scene->dir);
    ck_assert_int_eq(system(command), 0);
    free(scene->out);
    free(scene->err);
    free(scene);
}
