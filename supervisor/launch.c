/* The fork. Between fork() and entry() the child may still see its parent's event loop,
 * signal handlers and descriptors: this file sees to it that it uses none of them.
 *
 * Signals stay blocked from before the fork until the worker has set up its own handling,
 * so that none is lost and no handler of the parent's runs in the child. */
#include "supervisor/launch.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/log.h"
#include "base/proctitle.h"
#include "base/spawn.h"

enum { WHO_BYTES = 64 };

pid_t (*launch_fork_hook)(void) = fork;

static void take_name(const struct launch *launch)
{
    char who[WHO_BYTES];

    (void)snprintf(who, sizeof(who), "%s/%u", launch->pool->name, launch->slot);
    log_identity(who);
    proctitle_set("worker %s", who);
}

NORETURN static void live(const struct launch *launch, pid_t parent)
{
    spawn_reset_signals();
    (void)setpgid(0, 0);
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent) /* it died before the line above */
        _exit(SUPERVISOR_EXIT_FAILURE);
    spawn_close_fds(STDERR_FILENO + 1);
    take_name(launch);
    _exit(launch->entry(launch->config, launch->pool, launch->endpoint, launch->slot,
                        launch->board));
}

pid_t launch_worker(const struct launch *launch, struct err *err)
{
    pid_t parent = getpid();
    sigset_t all, old;
    pid_t pid;
    int saved_errno;

    (void)sigfillset(&all);
    MUST(sigprocmask(SIG_SETMASK, &all, &old) == 0);
    pid = launch_fork_hook();
    if (pid == 0)
        live(launch, parent);
    saved_errno = errno;
    MUST(sigprocmask(SIG_SETMASK, &old, NULL) == 0);
    if (pid < 0)
        return err_set_errno(err, saved_errno, "cannot fork a worker");
    (void)setpgid(pid, pid); /* the child does so too: whoever comes first */
    return pid;
}
