/* Runs the embedded redis-server (or valkey-server) under a slot of its own. Never speaks
 * to it: the workers find out by themselves whether it answers, so loading a long
 * append-only file is no failure here.
 *
 * Two servers on one append-only file would ruin it. A supervisor that was killed may
 * leave one behind that is still ending, so each server holds a lock for as long as it
 * lives: its stdin is the lock's descriptor, and the next is not started without it. */
#include "supervisor/redis_server.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/spawn.h"

enum {
    STOP_MS = 10000,
    HEALTHY_MS = 60000,
    FILE_MODE = 0600,
    DIR_MODE = 0700,
    SERVER_UMASK = 0077
};

static const char usual_path[] =
    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

struct redis_server {
    struct child child;
    char *socket;
    char *dir;
    char *logfile;
    char *lock;
    char *path;          /* to search for the program */
    const char *program; /* its name */
    char *environ_path;
    void (*gone)(void *arg);
    void *arg;
    bool stopping;
};

/* ---- the program and its surroundings ---- */

/* The first of them that is installed; NULL: none is. */
static const char *find_program(const char *path)
{
    static const char *const programs[] = {"redis-server", "valkey-server"};

    for (size_t i = 0; i < ARRAY_CT(programs); i++)
        if (spawn_finds(programs[i], path))
            return programs[i];
    return NULL;
}

static int prepare(struct redis_server *server, struct err *err)
{
    server->program = find_program(server->path);
    if (server->program == NULL)
        return err_set(err, ERR_CONFIG,
                       "redis.url is \"embedded\", but there is neither redis-server nor "
                       "valkey-server in PATH: install one (Debian: apt install "
                       "redis-server) or name another server in redis.url");
    if (mkdir(server->dir, DIR_MODE) != 0 && errno != EEXIST)
        return err_set_errno(err, errno, "cannot make %s for the embedded redis-server",
                             server->dir);
    return 0;
}

/* ---- start ---- */

static int take_lock(const struct redis_server *server, struct err *err)
{
    int fd = open(server->lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, FILE_MODE);

    if (fd < 0)
        return err_set_errno(err, errno, "cannot open %s", server->lock);
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        (void)close(fd);
        return err_set(err, ERR_SYSTEM,
                       "an earlier redis-server on %s has not ended yet (it holds %s)",
                       server->dir, server->lock);
    }
    return fd;
}

static pid_t spawn_with(const struct redis_server *server, int lock_fd, struct err *err)
{
    const char *const argv[] = {
        server->program, "--port",           "0",   "--unixsocket",
        server->socket,  "--unixsocketperm", "600", "--dir",
        server->dir,     "--appendonly",     "yes", "--appendfsync",
        "everysec",      "--save",           "",    "--maxmemory-policy",
        "noeviction",    "--daemonize",      "no",  "--logfile",
        server->logfile, "--supervised",     "no",  NULL};
    const char *const envp[] = {server->environ_path, "LANG=C.UTF-8", NULL};
    struct spawn spawn = {.file = server->program,
                          .path = server->path,
                          .argv = argv,
                          .envp = envp,
                          .fds = {lock_fd, STDERR_FILENO, STDERR_FILENO},
                          .death_signal = SIGTERM};

    return spawn_hook(&spawn, NULL, err);
}

static pid_t spawn_server(void *owner, struct err *err)
{
    struct redis_server *server = owner;
    int lock_fd = take_lock(server, err);
    mode_t mask;
    pid_t pid;

    if (lock_fd < 0)
        return -1;
    mask = umask(SERVER_UMASK); /* its socket is private from the first moment on */
    pid = spawn_with(server, lock_fd, err);
    (void)umask(mask);
    (void)close(lock_fd); /* the server has its own */
    return pid;
}

static void server_started(void *owner)
{
    struct redis_server *server = owner;

    log_info("redis_server.start", log_int("pid", server->child.pid),
             log_str("socket", server->socket),
             log_int("restarts", (int64_t)server->child.slot.restarts));
    child_event(&server->child, SLOT_READY);
}

static void server_spawn_failed(void *owner, const struct err *err)
{
    const struct redis_server *server = owner;

    log_error("redis_server.start_failed", log_str("error", err->text),
              log_int("retry_ms", server->child.slot.timer_ms));
}

/* ---- end ---- */

static void server_died(void *owner, pid_t pid, int status)
{
    struct redis_server *server = owner;
    enum slot_event how = child_exit_event(status);
    char reason[REAPER_TEXT_BYTES];

    (void)kill(-pid, SIGKILL); /* a rewrite of the append-only file that it was at */
    reaper_describe(status, reason, sizeof(reason));
    log_at(server->stopping ? LOG_INFO : LOG_ERROR, "redis_server.exit",
           log_int("pid", pid), log_str("reason", reason),
           log_int("ran_ms", clock_mono_ms() - server->child.slot.started_at_ms),
           log_str("logfile", server->logfile));
    (void)unlink(server->socket); /* one that was killed leaves it behind, dead */
    /* It has no exit code that means "never again", and it is not meant to end. */
    child_bury(&server->child, how == SLOT_EXIT_CONFIG ? SLOT_EXIT_BAD : how);
}

static void server_kill_sent(void *owner)
{
    const struct redis_server *server = owner;

    log_warning("redis_server.kill", log_int("pid", server->child.pid));
}

static void server_changed(void *owner)
{
    struct redis_server *server = owner;

    if (!server->stopping || server->child.slot.state != SLOT_EMPTY)
        return;
    server->stopping = false; /* once */
    server->gone(server->arg);
}

static const struct child_ops server_ops = {.spawn = spawn_server,
                                            .spawn_failed = server_spawn_failed,
                                            .started = server_started,
                                            .died = server_died,
                                            .kill_sent = server_kill_sent,
                                            .changed = server_changed};

/* ---- */

struct redis_server *redis_server_create(struct loop *loop, struct reaper *reaper,
                                         const char *state_dir, void (*gone)(void *arg),
                                         void *arg, struct err *err)
{
    struct redis_server *server = must_alloc(sizeof(*server));
    const char *path = getenv("PATH");

    server->socket = must_format("%s/redis.sock", state_dir);
    server->dir = must_format("%s/redis", state_dir);
    server->logfile = must_format("%s/redis.log", state_dir);
    server->lock = must_format("%s/redis.lock", state_dir);
    server->path = must_strdup(path && *path ? path : usual_path);
    server->environ_path = must_format("PATH=%s", server->path);
    server->gone = gone;
    server->arg = arg;
    child_init(&server->child, loop, reaper, &server_ops, server);
    server->child.times = (struct slot_times){
        .stop_ms = STOP_MS, .abort_ms = 0, .kill_ms = STOP_MS, .healthy_ms = HEALTHY_MS};
    if (prepare(server, err) == 0)
        return server;
    redis_server_destroy(server);
    return NULL;
}

void redis_server_destroy(struct redis_server *server)
{
    if (server == NULL)
        return;
    child_free(&server->child);
    free(server->socket);
    free(server->dir);
    free(server->logfile);
    free(server->lock);
    free(server->path);
    free(server->environ_path);
    free(server);
}

void redis_server_start(struct redis_server *server)
{
    child_event(&server->child, SLOT_START);
}

void redis_server_stop(struct redis_server *server)
{
    server->stopping = true;
    child_event(&server->child, SLOT_STOP);
}
