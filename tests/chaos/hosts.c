/* Supervisors and how they end. Every end is either asked for, with the exit that goes
 * with it, or a finding. */
#include "tests/chaos/hosts.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "tests/chaos/files.h"
#include "tests/chaos/ledger.h"
#include "tests/chaos/plan.h"

#define NS_PER_MS INT64_C(1000000)

enum {
    STOP_GRACE_S = 4,
    END_DEADLINE_MS = 40000, /* a supervisor that was told to end */
    REFUSED_PAUSE_MS = 300,  /* between starts while orphans hold the state directory */
    ORPHANS_MS = 20000,      /* so long they may */
    EXIT_CONFIG = 2
};

void host_init(struct host *host, int number, const char *dir, const char *drover)
{
    *host = (struct host){.number = number, .drover = drover};
    (void)snprintf(host->dir, sizeof(host->dir), "%s", dir);
    (void)snprintf(host->conf, sizeof(host->conf), "%s/host%d.conf", dir, number);
    (void)snprintf(host->log, sizeof(host->log), "%s/host%d.log", dir, number);
}

static void add_job(const struct host *host, struct buf *text, int kind, const char *self)
{
    const char *name = job_kind_names[kind];

    if (kind == JOB_NOOP) {
        (void)buf_addf(text, "  { name = \"%s\"; type = \"noop\"; },\n", name);
        return;
    }
    (void)buf_addf(text,
                   "  { name = \"%s\"; type = \"shell\"; kill_grace = 0.5;\n"
                   "    env = [ \"DROVER_CHAOS=%s\" ];\n"
                   "    command = [ \"%s\", \"job\", \"%s\", \"%d\", \"%s\", "
                   "\"{data.n}\", \"{data.ms}\", \"{data.fails}\" ]; },\n",
                   name, host->dir, self, host->dir, host->number, name);
}

void host_configure(const struct host *host, unsigned variant)
{
    char self[256];
    ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
    struct buf jobs;

    MUST(len > 0);
    self[len] = '\0';
    buf_init(&jobs, 0);
    for (int kind = 0; kind < JOB_KINDS; kind++)
        if (kind != JOB_BAD)
            add_job(host, &jobs, kind, self);
    jobs.data[jobs.len - 2] = '\n'; /* no comma after the last */
    file_write(
        host->conf,
        "redis: { url = \"redis://127.0.0.1:%u/0\"; };\n"
        "state_dir = \"%s/state%d\"; stop_grace = %d; hang_timeout = 3;\n"
        "console: { listen = \"127.0.0.1:0\"; };\n"
        "pools: ( { name = \"main\"; queues = [ \"high\", \"default\", \"low\" ];\n"
        "  workers = %d; concurrency = %u; tries = %d; backoff = [ 0.2, 0.5 ];\n"
        "  timeout = 30; lease = %d; poll_interval = 0.5; max_crashes = 3; } );\n"
        "jobs: (\n%s);\n",
        host->port, host->dir, host->number, STOP_GRACE_S, PLAN_WORKERS, 6 + variant % 2,
        PLAN_TRIES, PLAN_LEASE_MS / 1000, jobs.data);
    buf_free(&jobs);
}

static pid_t start(const struct host *host, const char *log, const char *const *argv)
{
    pid_t pid = fork();
    int null, out;

    MUST(pid >= 0);
    if (pid > 0)
        return pid;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)setpgid(0, 0);
    null = open("/dev/null", O_RDWR | O_CLOEXEC);
    out = open(log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    (void)dup2(null, STDIN_FILENO);
    (void)dup2(out, STDOUT_FILENO);
    (void)dup2(out, STDERR_FILENO);
    if (host->preload)
        (void)setenv("LD_PRELOAD", host->preload, 1);
    (void)execv(argv[0], (char *const *)(uintptr_t)argv);
    _exit(98);
}

static void change_state(struct host *host, enum host_state state, int64_t now_ns)
{
    host->state = state;
    host->since_ns = now_ns;
}

void host_start(struct host *host)
{
    const char *argv[] = {host->drover, "supervise", "-c", host->conf, NULL};
    char offset[96];

    (void)snprintf(offset, sizeof(offset), "%s/clock%d", host->dir, host->number);
    (void)setenv("CHAOS_CLOCK", offset, 1);
    host->supervisor = start(host, host->log, argv);
    host->end = HOST_END_UNASKED;
    host->first = host->last = (struct host_sample){0};
    host->starts++;
    change_state(host, HOST_UP, ledger_now_ns());
}

void host_tick(struct host *host, int64_t now_ns)
{
    if (host->state == HOST_DOWN && !host->is_over && now_ns >= host->up_at_ns)
        host_start(host);
    if (host->state == HOST_LEAVING &&
        now_ns > host->since_ns + END_DEADLINE_MS * NS_PER_MS) {
        host->bad_exits++;
        (void)snprintf(host->bad_exit, sizeof(host->bad_exit),
                       "did not end within %d ms of TERM", END_DEADLINE_MS);
        host_kill(host, 0);
    }
}

/* Whether this end is the one that was asked for. */
static bool is_expected(const struct host *host, int status)
{
    if (host->end == HOST_END_KILL)
        return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    return host->end == HOST_END_TERM && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool is_refused(const struct host *host, int status, int64_t now_ns)
{
    return host->end == HOST_END_UNASKED && now_ns < host->orphans_until_ns &&
           WIFEXITED(status) && WEXITSTATUS(status) == EXIT_CONFIG;
}

void host_ended(struct host *host, int status, int64_t now_ns)
{
    uint32_t pause_ms = host->pause_ms;

    if (is_refused(host, status, now_ns)) {
        host->refused_starts++;
        pause_ms = REFUSED_PAUSE_MS;
    } else if (is_expected(host, status)) {
        host->clean_exits += host->end == HOST_END_TERM;
    } else {
        host->bad_exits++;
        (void)snprintf(host->bad_exit, sizeof(host->bad_exit), "%s %d, asked: %s",
                       WIFEXITED(status) ? "exit status" : "signal",
                       WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status),
                       host->end == HOST_END_TERM   ? "TERM"
                       : host->end == HOST_END_KILL ? "KILL"
                                                    : "nothing");
    }
    host->supervisor = 0;
    host->up_at_ns = now_ns + pause_ms * NS_PER_MS;
    change_state(host, HOST_DOWN, now_ns);
}

void host_term(struct host *host, uint32_t pause_ms)
{
    host->end = HOST_END_TERM;
    host->pause_ms = pause_ms;
    change_state(host, HOST_LEAVING, ledger_now_ns());
    (void)kill(host->supervisor, SIGTERM);
}

void host_kill(struct host *host, uint32_t pause_ms)
{
    int64_t now_ns = ledger_now_ns();

    host->end = HOST_END_KILL;
    host->kills++;
    host->pause_ms = pause_ms;
    host->orphans_until_ns = now_ns + ORPHANS_MS * NS_PER_MS;
    change_state(host, HOST_LEAVING, now_ns);
    (void)kill(host->supervisor, SIGKILL);
}

pid_t host_command(const struct host *host, const char *word, const char *pool,
                   unsigned number)
{
    char text[16];
    const char *argv[] = {host->drover, word, pool, text, "-c", host->conf, NULL};

    (void)snprintf(text, sizeof(text), "%u", number);
    return start(host, "/dev/null", argv);
}
