/* Scenes of end-to-end tests. */
#include "tests/support/scene.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "tests/support/acl.h"
#include "tests/support/wait.h"

enum {
    ARGS_MAX = 32,
    DEBUG_ARGS_AT = 11,
    SERVER_ARGS = 13,
    TURN_MS = 5,
    POWER_OFF_MAX = 256
};

static const char *drover_binary(void)
{
    const char *binary = getenv("DROVER_BINARY");

    return binary ? binary : "./drover";
}

/* ---- processes ---- */

/* Starts argv with stdout and stderr to files of the scene (or /dev/null). */
static pid_t start(struct scene *scene, const char *const *argv, const char *out,
                   const char *err)
{
    char out_path[128], err_path[128];
    sigset_t all, before;
    pid_t pid;

    (void)snprintf(out_path, sizeof(out_path), "%s/%s", scene->dir, out);
    (void)snprintf(err_path, sizeof(err_path), "%s/%s", scene->dir, err);
    (void)sigfillset(&all); /* Check's handlers would run in the child, for the test */
    (void)sigprocmask(SIG_SETMASK, &all, &before);
    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid > 0) {
        (void)sigprocmask(SIG_SETMASK, &before, NULL);
        return pid;
    }
    (void)signal(SIGTERM, SIG_DFL);
    (void)signal(SIGINT, SIG_DFL);
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
    (void)setpgid(0, 0); /* not in the way of the test's own group */
    (void)signal(SIGPIPE, SIG_DFL);
    if (freopen("/dev/null", "r", stdin) == NULL ||
        freopen(out_path, "a", stdout) == NULL || freopen(err_path, "a", stderr) == NULL)
        _exit(99);
    execvp(argv[0], (char *const *)(uintptr_t)argv);
    _exit(98);
}

static int finish(pid_t pid)
{
    int status = 0;
    int64_t end_ms = wait_now_ms() + WAIT_MS;

    while (waitpid(pid, &status, WNOHANG) == 0) {
        if (wait_now_ms() > end_ms) {
            (void)kill(pid, SIGKILL);
            wait_failed("a process ends", __FILE__, __LINE__);
        }
        wait_pause();
    }
    return status;
}

/* ---- the scene ---- */

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
    scene->redis = start(scene, argv, "redis.log", "redis.log");
    WAIT_FOR(strstr(scene_redis(scene, "PING", NULL), "PONG") != NULL);
}

void scene_redis_stop(struct scene *scene)
{
    (void)kill(scene->redis, SIGKILL);
    (void)finish(scene->redis);
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

static bool is_embedded(struct scene *scene)
{
    return scene->kind == SCENE_EMBEDDED;
}

void scene_configure(struct scene *scene, const char *settings)
{
    FILE *file = fopen(scene->conf, "we");
    const char *at;

    ck_assert_ptr_nonnull(file);
    if (is_embedded(scene))
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
    const char *argv[] = {drover_binary(), "supervise", "-c", scene->conf, NULL};

    scene->supervisor = start(scene, argv, "out", "log");
}

void scene_spawn_by(struct scene *scene, const char *line)
{
    const char *argv[] = {"/bin/sh",   "-c",       line, drover_binary(),
                          scene->conf, scene->dir, NULL};

    scene->supervisor = start(scene, argv, "out", "log");
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
    scene->exit_status = finish(scene->supervisor);
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

/* ---- drover and redis-cli ---- */

static int run(struct scene *scene, const char *const *argv)
{
    char path[128];
    int status;

    (void)snprintf(path, sizeof(path), "%s/run.out", scene->dir);
    (void)unlink(path);
    (void)snprintf(path, sizeof(path), "%s/run.err", scene->dir);
    (void)unlink(path);
    status = finish(start(scene, argv, "run.out", "run.err"));
    free(scene->out);
    free(scene->err);
    scene->out = scene_read(scene, "run.out");
    scene->err = scene_read(scene, "run.err");
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static size_t collect(const char **argv, size_t ct, const char *first, va_list ap)
{
    for (const char *arg = first; arg; arg = va_arg(ap, const char *)) {
        ck_assert_uint_lt(ct, ARGS_MAX - 3);
        argv[ct++] = arg;
    }
    return ct;
}

int scene_run(struct scene *scene, const char *first, ...)
{
    const char *argv[ARGS_MAX] = {drover_binary()};
    size_t ct;
    va_list ap;

    va_start(ap, first);
    ct = collect(argv, 1, first, ap);
    va_end(ap);
    argv[ct++] = "-c";
    argv[ct] = scene->conf;
    return run(scene, argv);
}

const char *scene_redis(struct scene *scene, const char *first, ...)
{
    char socket[128];
    const char *argv[ARGS_MAX] = {"redis-cli", "-s", socket};
    va_list ap;

    (void)snprintf(socket, sizeof(socket), "%s/%s", scene->redis_dir,
                   is_embedded(scene) ? "state/redis.sock" : "redis.sock");
    va_start(ap, first);
    (void)collect(argv, 3, first, ap);
    va_end(ap);
    (void)run(scene, argv);
    return scene->out;
}

long long scene_redis_int(struct scene *scene, const char *command, const char *key)
{
    return strtoll(scene_redis(scene, command, key, NULL), NULL, 10);
}

bool scene_is_drained(struct scene *scene)
{
    const char *sum = scene_redis(
        scene, "EVAL",
        "return redis.call('LLEN', 'queues:default') + redis.call('ZCARD', "
        "'queues:default:delayed') + redis.call('ZCARD', 'queues:default:reserved')",
        "0", NULL);

    return strcmp(sum, "0\n") == 0;
}

static json_t *run_json(struct scene *scene)
{
    json_error_t error;
    json_t *json = json_loads(scene->out, JSON_DECODE_ANY, &error);

    ck_assert_msg(json != NULL, "no JSON (%s): %s%s", error.text, scene->out, scene->err);
    return json;
}

json_t *scene_status(struct scene *scene)
{
    (void)scene_run(scene, "status", "--json", NULL);
    return run_json(scene);
}

json_t *scene_failed(struct scene *scene)
{
    scene_do(scene, "failed", "list", "--json");
    return run_json(scene);
}

long long scene_worker(struct scene *scene, size_t pool, size_t worker, const char *field)
{
    json_t *status = scene_status(scene);
    json_t *p = json_array_get(json_object_get(status, "pools"), pool);
    json_t *w = json_array_get(json_object_get(p, "workers"), worker);
    long long value = json_integer_value(json_object_get(w, field));

    json_decref(status);
    return value;
}

bool scene_workers_all(struct scene *scene, const char *state, size_t ct)
{
    json_t *status = scene_status(scene), *worker;
    json_t *pool = json_array_get(json_object_get(status, "pools"), 0);
    json_t *workers = json_object_get(pool, "workers");
    bool all = json_array_size(workers) == ct;
    size_t i;

    json_array_foreach(
        workers, i,
        worker) if (strcmp(json_string_value(json_object_get(worker, "state")), state) !=
                    0) all = false;
    json_decref(status);
    return all;
}

/* ---- files ---- */

char *scene_read(struct scene *scene, const char *name)
{
    char path[128], block[4096];
    struct buf text;
    ssize_t n;
    int fd;

    buf_init(&text, 0);
    (void)snprintf(path, sizeof(path), "%s/%s", scene->dir, name);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return buf_take(&text);
    while ((n = read(fd, block, sizeof(block))) > 0)
        (void)buf_add(&text, block, (size_t)n);
    (void)close(fd);
    return buf_take(&text);
}

size_t scene_lines(struct scene *scene, const char *name)
{
    char *text = scene_read(scene, name);
    size_t ct = 0;

    for (const char *at = text; (at = strchr(at, '\n')) != NULL; at++)
        ct++;
    free(text);
    return ct;
}

void scene_touch(struct scene *scene, const char *name)
{
    char path[128];
    FILE *file;

    (void)snprintf(path, sizeof(path), "%s/%s", scene->dir, name);
    file = fopen(path, "we");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(fclose(file), 0);
}

bool scene_log_has(struct scene *scene, const char *text)
{
    char *log = scene_read(scene, "log");
    bool has = strstr(log, text) != NULL;

    free(log);
    return has;
}
