/* What a scene starts: drover and redis-cli, each in a process group of its own, and what
 * they say in files of the scene. Knows nothing of what runs when.
 */
#include "tests/support/scene_process.h"

#include <check.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/wait.h"

enum { ARGS_MAX = 32 };

const char *scene_drover(void)
{
    const char *binary = getenv("DROVER_BINARY");

    return binary ? binary : "./drover";
}

pid_t scene_process_start(struct scene *scene, const char *const *argv, const char *out,
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

int scene_process_finish(pid_t pid)
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

static int run(struct scene *scene, const char *const *argv)
{
    char path[128];
    int status;

    (void)snprintf(path, sizeof(path), "%s/run.out", scene->dir);
    (void)unlink(path);
    (void)snprintf(path, sizeof(path), "%s/run.err", scene->dir);
    (void)unlink(path);
    status = scene_process_finish(scene_process_start(scene, argv, "run.out", "run.err"));
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
    const char *argv[ARGS_MAX] = {scene_drover()};
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
                   scene->kind == SCENE_EMBEDDED ? "state/redis.sock" : "redis.sock");
    va_start(ap, first);
    (void)collect(argv, 3, first, ap);
    va_end(ap);
    (void)run(scene, argv);
    return scene->out;
}
