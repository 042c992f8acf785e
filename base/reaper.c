/* Waiting for children, in one place: whoever else called wait() would steal a death.
 *
 * SIGCHLD only says that there is something to reap: signals that come together merge
 * into one, so each turn reaps until nothing is left. An entry leaves the table before
 * its callback runs; what the callback watches or forgets is then no danger to the
 * walk. Knows nothing of what the children are.
 */
#include "base/reaper.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

enum { BUCKET_CT = 64 }; /* a power of two; pids are handed out in sequence */

struct watch {
    struct watch *next;
    pid_t pid;
    reaper_cb cb;
    void *arg;
};

struct reaper {
    struct loop *loop;
    struct watch *buckets[BUCKET_CT];
    reaper_cb orphan_cb;
    void *orphan_arg;
    bool destroyed;
};

/* Where the pointer to pid's entry is, or would be. */
static struct watch **find_watch(struct reaper *reaper, pid_t pid)
{
    struct watch **at = &reaper->buckets[(unsigned)pid % BUCKET_CT];

    while (*at && (*at)->pid != pid)
        at = &(*at)->next;
    return at;
}

static void tell(struct reaper *reaper, pid_t pid, int status, const struct rusage *usage)
{
    struct watch **at = find_watch(reaper, pid);
    struct watch *watch = *at;

    if (watch == NULL) {
        if (reaper->orphan_cb)
            reaper->orphan_cb(pid, status, usage, reaper->orphan_arg);
        return;
    }
    *at = watch->next;
    watch->cb(pid, status, usage, watch->arg);
    free(watch);
}

static void reap_all(int signum UNUSED, void *arg)
{
    struct reaper *reaper = arg;

    while (!reaper->destroyed) { /* by a callback */
        struct rusage usage;
        int status;
        pid_t pid = wait4(-1, &status, WNOHANG, &usage);

        if (pid < 0 && errno == EINTR)
            continue;
        if (pid <= 0)
            return;
        tell(reaper, pid, status, &usage);
    }
}

struct reaper *reaper_create(struct loop *loop, struct err *err)
{
    struct reaper *reaper = must_alloc(sizeof(*reaper));

    reaper->loop = loop;
    if (loop_on_signal(loop, SIGCHLD, reap_all, reaper) != 0) {
        free(reaper);
        (void)err_set(err, ERR_SYSTEM, "cannot watch for the deaths of children");
        return NULL;
    }
    return reaper;
}

void reaper_destroy(struct reaper *reaper)
{
    if (reaper == NULL)
        return;
    loop_off_signal(reaper->loop, SIGCHLD);
    for (size_t i = 0; i < BUCKET_CT; i++)
        while (reaper->buckets[i])
            reaper_forget(reaper, reaper->buckets[i]->pid);
    reaper->destroyed = true;
    loop_defer_free(reaper->loop, reaper, free);
}

void reaper_watch(struct reaper *reaper, pid_t pid, reaper_cb cb, void *arg)
{
    struct watch **at = find_watch(reaper, pid);
    struct watch *watch;

    MUST(pid > 0 && *at == NULL);
    watch = must_alloc(sizeof(*watch));
    watch->pid = pid;
    watch->cb = cb;
    watch->arg = arg;
    *at = watch;
}

void reaper_forget(struct reaper *reaper, pid_t pid)
{
    struct watch **at = find_watch(reaper, pid);
    struct watch *watch = *at;

    if (watch) {
        *at = watch->next;
        free(watch);
    }
}

void reaper_on_orphan(struct reaper *reaper, reaper_cb cb, void *arg)
{
    reaper->orphan_cb = cb;
    reaper->orphan_arg = arg;
}

bool reaper_has_ended(pid_t pid)
{
    siginfo_t info = {.si_pid = 0};

    return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           info.si_pid == pid;
}

static int64_t timeval_ms(struct timeval tv)
{
    return (int64_t)tv.tv_sec * 1000 + tv.tv_usec / 1000;
}

int64_t reaper_cpu_ms(const struct rusage *usage)
{
    return timeval_ms(usage->ru_utime) + timeval_ms(usage->ru_stime);
}

void reaper_describe(int status, char *text, size_t size)
{
    if (WIFEXITED(status))
        (void)snprintf(text, size, "exit status %d", WEXITSTATUS(status));
    else if (WIFSIGNALED(status))
        (void)snprintf(text, size, "killed by %s%s", reaper_signal_name(WTERMSIG(status)),
                       WCOREDUMP(status) ? " (core dumped)" : "");
    else
        (void)snprintf(text, size, "wait status 0x%x", (unsigned)status);
}

#define TEN_SIGNALS(d)                                                                   \
    "signal " #d "0", "signal " #d "1", "signal " #d "2", "signal " #d "3",              \
        "signal " #d "4", "signal " #d "5", "signal " #d "6", "signal " #d "7",          \
        "signal " #d "8", "signal " #d "9"
#define TEN_REALTIME(d)                                                                  \
    "SIGRTMIN+" #d "0", "SIGRTMIN+" #d "1", "SIGRTMIN+" #d "2", "SIGRTMIN+" #d "3",      \
        "SIGRTMIN+" #d "4", "SIGRTMIN+" #d "5", "SIGRTMIN+" #d "6", "SIGRTMIN+" #d "7",  \
        "SIGRTMIN+" #d "8", "SIGRTMIN+" #d "9"

static const char *const named[] = {
    [SIGHUP] = "SIGHUP",       [SIGINT] = "SIGINT",       [SIGQUIT] = "SIGQUIT",
    [SIGILL] = "SIGILL",       [SIGTRAP] = "SIGTRAP",     [SIGABRT] = "SIGABRT",
    [SIGBUS] = "SIGBUS",       [SIGFPE] = "SIGFPE",       [SIGKILL] = "SIGKILL",
    [SIGUSR1] = "SIGUSR1",     [SIGSEGV] = "SIGSEGV",     [SIGUSR2] = "SIGUSR2",
    [SIGPIPE] = "SIGPIPE",     [SIGALRM] = "SIGALRM",     [SIGTERM] = "SIGTERM",
    [SIGCHLD] = "SIGCHLD",     [SIGCONT] = "SIGCONT",     [SIGSTOP] = "SIGSTOP",
    [SIGTSTP] = "SIGTSTP",     [SIGTTIN] = "SIGTTIN",     [SIGTTOU] = "SIGTTOU",
    [SIGURG] = "SIGURG",       [SIGXCPU] = "SIGXCPU",     [SIGXFSZ] = "SIGXFSZ",
    [SIGPROF] = "SIGPROF",     [SIGVTALRM] = "SIGVTALRM", [SIGWINCH] = "SIGWINCH",
    [SIGIO] = "SIGIO",         [SIGPWR] = "SIGPWR",       [SIGSYS] = "SIGSYS",
#ifdef SIGSTKFLT
    [SIGSTKFLT] = "SIGSTKFLT",
#endif
};
static const char *const realtime[] = {TEN_REALTIME(), TEN_REALTIME(1), TEN_REALTIME(2),
                                       TEN_REALTIME(3)};
static const char *const unnamed[] = {
    TEN_SIGNALS(),   TEN_SIGNALS(1),  TEN_SIGNALS(2), TEN_SIGNALS(3), TEN_SIGNALS(4),
    TEN_SIGNALS(5),  TEN_SIGNALS(6),  TEN_SIGNALS(7), TEN_SIGNALS(8), TEN_SIGNALS(9),
    TEN_SIGNALS(10), TEN_SIGNALS(11), TEN_SIGNALS(12)};

const char *reaper_signal_name(int signum)
{
    size_t number = (size_t)signum, above = (size_t)(signum - SIGRTMIN);

    if (signum > 0 && number < ARRAY_CT(named) && named[number])
        return named[number];
    if (signum >= SIGRTMIN && signum <= SIGRTMAX && above < ARRAY_CT(realtime))
        return above == 0 ? "SIGRTMIN" : realtime[above];
    if (signum >= 0 && number < ARRAY_CT(unnamed))
        return unnamed[number];
    return "unknown signal";
}
