/* A zombie counts from when its parent is first seen able to reap it: not stopped. */
#include "tests/chaos/watch.h"

#include <string.h>

#include "tests/chaos/plan.h"
#include "tests/chaos/procs.h"

#define NS_PER_MS INT64_C(1000000)

enum { INTERVAL_MS = 250, ZOMBIE_MAX_MS = 1500, ZOMBIE_LOOKS = 4, SETTLED_MS = 2500 };

static bool is_ours(const struct procs *procs, const struct host *hosts, pid_t parent)
{
    const struct proc *proc = procs_find(procs, parent);

    for (int i = 0; i < PLAN_HOSTS; i++)
        if (hosts[i].supervisor > 0 && (parent == hosts[i].supervisor ||
                                        (proc && proc->parent == hosts[i].supervisor)))
            return proc && proc->state != 'T' && proc->state != 'Z';
    return false;
}

static struct zombie *find_zombie(struct watch *watch, pid_t pid)
{
    struct zombie *unused = NULL;

    for (int i = 0; i < WATCH_ZOMBIES; i++) {
        if (watch->zombies[i].pid == pid)
            return &watch->zombies[i];
        if (watch->zombies[i].pid == 0)
            unused = &watch->zombies[i];
    }
    return unused;
}

static void note_zombie(struct watch *watch, pid_t pid, int64_t now_ns)
{
    struct zombie *zombie = find_zombie(watch, pid);
    long age_ms;

    if (zombie == NULL)
        return;
    if (zombie->pid == 0)
        *zombie = (struct zombie){.pid = pid, .since_ns = now_ns};
    age_ms = (long)((now_ns - zombie->since_ns) / NS_PER_MS);
    if (age_ms > watch->zombie_max_ms)
        watch->zombie_max_ms = age_ms;
    if (++zombie->seen == ZOMBIE_LOOKS && age_ms > ZOMBIE_MAX_MS / 2)
        watch->zombie_ct++;
}

static void forget_gone(struct watch *watch, const struct procs *procs,
                        const struct host *hosts)
{
    for (int i = 0; i < WATCH_ZOMBIES; i++) {
        const struct proc *proc =
            watch->zombies[i].pid ? procs_find(procs, watch->zombies[i].pid) : NULL;

        if (proc == NULL || proc->state != 'Z' || !is_ours(procs, hosts, proc->parent))
            watch->zombies[i].pid = 0;
    }
}

static void sample(struct host *host, int64_t now_ns)
{
    struct host_sample now;

    if (host->state != HOST_UP || now_ns < host->since_ns + SETTLED_MS * NS_PER_MS)
        return;
    now.fd_ct = proc_fd_ct(host->supervisor);
    now.rss_kib = proc_rss_kib(host->supervisor);
    if (now.fd_ct < 0 || now.rss_kib < 0)
        return;
    if (host->first.fd_ct == 0)
        host->first = now;
    host->last = now;
}

void watch_tick(struct watch *watch, struct host *hosts, int64_t now_ns)
{
    struct procs procs;

    if (now_ns < watch->next_ns)
        return;
    watch->next_ns = now_ns + INTERVAL_MS * NS_PER_MS;
    procs_read(&procs);
    forget_gone(watch, &procs, hosts);
    for (size_t i = 0; i < procs.ct; i++)
        if (procs.list[i].state == 'Z' && is_ours(&procs, hosts, procs.list[i].parent))
            note_zombie(watch, procs.list[i].pid, now_ns);
    procs_free(&procs);
    for (int i = 0; i < PLAN_HOSTS; i++)
        sample(&hosts[i], now_ns);
}
