/* Starting php on a script of tests/php and seeing how it ends. Knows nothing of what the
 * scripts do. */
#include "tests/support/php_process.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "tests/support/wait.h"

enum { ARGS_MAX = 32 };

static void path_of(const struct php_process *php, const char *kind, char path[128])
{
    (void)snprintf(path, 128, "%s/%s.%s", php->dir, php->name, kind);
}

static void redirect(const struct php_process *php)
{
    char in[128], out[128], err[128];

    path_of(php, "in", in);
    path_of(php, "out", out);
    path_of(php, "err", err);
    if (freopen(access(in, R_OK) == 0 ? in : "/dev/null", "r", stdin) == NULL ||
        freopen(out, "a", stdout) == NULL || freopen(err, "a", stderr) == NULL)
        _exit(99);
}

void php_start(struct php_process *php, const char *dir, const char *name,
               const char *script, const char *const *options)
{
    char *path = must_format("%s/tests/php/%s", TOP_SRCDIR, script);
    const char *argv[ARGS_MAX] = {"php", path};

    for (size_t i = 0; options[i]; i++) {
        ck_assert_uint_lt(i, ARGS_MAX - 3);
        argv[i + 2] = options[i];
    }
    *php = (struct php_process){0};
    (void)snprintf(php->dir, sizeof(php->dir), "%s", dir);
    (void)snprintf(php->name, sizeof(php->name), "%s", name);
    php->pid = fork();
    ck_assert_int_ge(php->pid, 0);
    if (php->pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        redirect(php);
        execvp(argv[0], (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    free(path);
}

/* What it said on stderr, to be freed. */
static char *complaints(const struct php_process *php)
{
    char path[128], block[4096];
    struct buf text;
    size_t n;
    FILE *file;

    buf_init(&text, 0);
    path_of(php, "err", path);
    file = fopen(path, "re");
    while (file && (n = fread(block, 1, sizeof(block), file)) > 0)
        (void)buf_add(&text, block, n);
    if (file)
        (void)fclose(file);
    return buf_take(&text);
}

int php_wait(struct php_process *php)
{
    int64_t end_ms = wait_now_ms() + WAIT_MS;
    int status = 0;

    while (waitpid(php->pid, &status, WNOHANG) == 0) {
        if (wait_now_ms() > end_ms) {
            (void)kill(php->pid, SIGKILL);
            wait_failed("php ends", __FILE__, __LINE__);
        }
        wait_pause();
    }
    php->pid = 0;
    return status;
}

void php_finish(struct php_process *php)
{
    int status = php_wait(php);
    char *said = complaints(php);

    ck_assert_msg(status == 0 && said[0] == '\0',
                  "%s ended with wait status %d (is all there that ./dev deps installs?)"
                  ": %.2000s",
                  php->name, status, said);
    free(said);
}

void php_stop(struct php_process *php)
{
    (void)kill(php->pid, SIGTERM);
    php_finish(php);
}

void php_kill(struct php_process *php)
{
    (void)kill(php->pid, SIGKILL);
    (void)php_wait(php);
}
