/* How each fault is begun and ended. Nothing here waits but for a process that was killed
 * to be gone. */
#include "tests/chaos/faults.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/chaos/files.h"
#include "tests/chaos/ledger.h"
#include "tests/chaos/procs.h"

#define NS_PER_MS INT64_C(1000000)
#define CLOCK_SHIFT_S 3600

enum { SCALE_MAX = 5 };

void faults_init(struct faults *faults, const struct plan *plan, struct host *hosts,
                 struct net *nets, struct server *server)
{
    *faults =
        (struct faults){.plan = plan, .hosts = hosts, .nets = nets, .server = server};
    faults->events = must_alloc((plan->fault_ct + 1) * sizeof(faults->events[0]));
}

void faults_free(struct faults *faults)
{
    free(faults->events);
}

bool faults_are_over(const struct faults *faults)
{
    if (faults->next < faults->plan->fault_ct)
        return false;
    for (size_t i = 0; i < faults->event_ct; i++)
        if (faults->events[i].to_ns == 0)
            return false;
    return true;
}

/* ---- processes ---- */

static void signal_all(const struct fault_event *event, int signum)
{
    for (size_t i = 0; i < event->pid_ct; i++)
        (void)kill(event->pids[i], signum);
}

/* Those first that have jobs, which is where it hurts; returns how many these are. */
static size_t sort_busy(const struct procs *procs, pid_t *workers, size_t ct)
{
    pid_t one;
    size_t busy_ct = 0;

    for (size_t i = 0; i < ct; i++)
        if (procs_descendants(procs, workers[i], &one, 1) > 0) {
            one = workers[i];
            workers[i] = workers[busy_ct];
            workers[busy_ct++] = one;
        }
    return busy_ct;
}

/* One worker of the host, by the plan's random number, or none. */
static void find_worker(struct fault_event *event, const struct procs *procs,
                        const struct host *host)
{
    pid_t workers[FAULT_PIDS];
    size_t ct = procs_workers(procs, host->supervisor, workers, FAULT_PIDS);
    size_t busy_ct = sort_busy(procs, workers, ct);

    if (busy_ct > 0)
        ct = busy_ct;
    if (ct > 0)
        event->pids[event->pid_ct++] = workers[event->plan.pick % ct];
}

static void add_descendants(struct fault_event *event, const struct procs *procs,
                            pid_t root)
{
    event->pid_ct += procs_descendants(procs, root, event->pids + event->pid_ct,
                                       FAULT_PIDS - event->pid_ct);
}

static void hit_worker(struct fault_event *event, const struct procs *procs,
                       const struct host *host)
{
    find_worker(event, procs, host);
    if (event->plan.kind == FAULT_KILL_ALL_WORKERS)
        event->pid_ct = procs_workers(procs, host->supervisor, event->pids, FAULT_PIDS);
    if (event->plan.kind == FAULT_KILL_WORKER_TREE && event->pid_ct > 0)
        add_descendants(event, procs, event->pids[0]);
    event->is_skipped = event->pid_ct == 0;
    signal_all(event, event->plan.kind == FAULT_STOP_WORKER ? SIGSTOP : SIGKILL);
}

/* The supervisor is stopped first, or it would bring workers back meanwhile. */
static void hit_host(struct fault_event *event, struct host *host)
{
    struct procs procs;

    (void)kill(host->supervisor, SIGSTOP);
    procs_read(&procs);
    add_descendants(event, &procs, host->supervisor);
    signal_all(event, SIGKILL);
    host_kill(host, event->plan.for_ms);
    procs_free(&procs);
}

static void set_clock(const struct host *host, int shift_s)
{
    char path[128];

    (void)snprintf(path, sizeof(path), "%s/clock%d", host->dir, host->number);
    file_write_at(path, shift_s);
}

static void begin_on_host(struct fault_event *event, struct host *host)
{
    struct procs procs;

    event->is_skipped = host->state != HOST_UP;
    if (event->is_skipped)
        return;
    switch ((int)event->plan.kind) {
    case FAULT_KILL_SUPER:
        host_kill(host, event->plan.for_ms);
        break;
    case FAULT_STOP_SUPER:
        event->pids[event->pid_ct++] = host->supervisor;
        signal_all(event, SIGSTOP);
        break;
    case FAULT_TERM_SUPER:
        host_term(host, event->plan.for_ms);
        break;
    case FAULT_KILL_HOST:
        hit_host(event, host);
        break;
    case FAULT_CLOCK:
        set_clock(host, event->plan.pick % 2 ? CLOCK_SHIFT_S : -CLOCK_SHIFT_S);
        break;
    case FAULT_RELOAD:
        host_configure(host, event->plan.pick);
        (void)kill(host->supervisor, SIGHUP);
        break;
    case FAULT_RELOAD_BAD:
        file_write(host->conf, "pools: ( { name = \n");
        (void)kill(host->supervisor, SIGHUP);
        break;
    case FAULT_SCALE:
        (void)host_command(host, "scale", "main", 1 + event->plan.pick % SCALE_MAX);
        break;
    default:
        procs_read(&procs);
        hit_worker(event, &procs, host);
        procs_free(&procs);
        break;
    }
}

static void end_on_host(struct fault_event *event, struct host *host)
{
    switch ((int)event->plan.kind) {
    case FAULT_STOP_WORKER:
    case FAULT_STOP_SUPER:
        signal_all(event, SIGCONT);
        break;
    case FAULT_CLOCK:
        set_clock(host, 0);
        break;
    case FAULT_RELOAD_BAD:
        host_configure(host, 0);
        break;
    case FAULT_SCALE:
        (void)host_command(host, "scale", "main", PLAN_WORKERS);
        break;
    default:
        break;
    }
}

/* ---- Redis ---- */

struct telling {
    enum fault_kind kind;
    const char *first[3], *then[3];
};

static const struct telling tellings[] = {
    {FAULT_REDIS_READONLY, {"REPLICAOF 127.0.0.1 1"}, {"REPLICAOF NO ONE"}},
    {FAULT_REDIS_OOM, {"CONFIG SET maxmemory 1"}, {"CONFIG SET maxmemory 0"}},
    {FAULT_REDIS_MAXCLIENTS,
     {"CONFIG SET maxclients 1", "CLIENT KILL TYPE normal"},
     {"CONFIG SET maxclients 10000"}},
    {FAULT_SCRIPT_FLUSH, {"SCRIPT FLUSH"}, {NULL}},
    {FAULT_CLIENT_KILL, {"CLIENT KILL TYPE normal"}, {NULL}}};

static void keep_busy(struct server *server, uint32_t for_ms)
{
    char script[160];
    const char *first[] = {"CONFIG SET lua-time-limit 100", script, NULL};

    (void)snprintf(script, sizeof(script),
                   "EVAL local\tt=redis.call('time')\tlocal\te=t[1]*1e6+t[2]+%u000\t"
                   "repeat\tt=redis.call('time')\tuntil\tt[1]*1e6+t[2]>e 0",
                   for_ms);
    server_tell(server, first, 0, NULL);
}

static void begin_on_redis(struct fault_event *event, struct server *server)
{
    uint32_t for_ms = event->plan.for_ms;

    switch ((int)event->plan.kind) {
    case FAULT_REDIS_RESTART:
        server_terminate(server);
        break;
    case FAULT_REDIS_KILL:
        server_kill(server);
        break;
    case FAULT_REDIS_STOP:
        server_stop(server);
        break;
    case FAULT_REDIS_LOADING:
        server_terminate(server);
        server_again_slowly(server, for_ms);
        break;
    case FAULT_REDIS_BUSY:
        keep_busy(server, for_ms);
        break;
    default:
        for (size_t i = 0; i < ARRAY_CT(tellings); i++)
            if (tellings[i].kind == (enum fault_kind)event->plan.kind)
                server_tell(server, tellings[i].first, for_ms, tellings[i].then);
        break;
    }
}

static void end_on_redis(const struct fault_event *event, struct server *server)
{
    if (event->plan.kind == FAULT_REDIS_RESTART || event->plan.kind == FAULT_REDIS_KILL)
        server_again(server);
    if (event->plan.kind == FAULT_REDIS_STOP)
        server_continue(server);
}

/* ---- when they are due ---- */

static void begin(struct faults *faults, const struct planned_fault *plan, int64_t now_ns)
{
    struct fault_event *event = &faults->events[faults->event_ct++];

    *event = (struct fault_event){.plan = *plan, .from_ns = now_ns};
    switch (fault_infos[plan->kind].lane) {
    case LANE_HOST:
        begin_on_host(event, &faults->hosts[plan->host]);
        break;
    case LANE_NET:
        net_begin(&faults->nets[plan->host], plan);
        break;
    case LANE_REDIS:
        begin_on_redis(event, faults->server);
        break;
    }
    if (event->is_skipped)
        event->to_ns = now_ns;
}

static void end(struct faults *faults, struct fault_event *event)
{
    switch (fault_infos[event->plan.kind].lane) {
    case LANE_HOST:
        end_on_host(event, &faults->hosts[event->plan.host]);
        break;
    case LANE_NET:
        net_finish(&faults->nets[event->plan.host], &event->plan);
        break;
    case LANE_REDIS:
        end_on_redis(event, faults->server);
        break;
    }
    event->to_ns = ledger_now_ns();
}

void faults_tick(struct faults *faults, int64_t start_ns, int64_t now_ns)
{
    const struct plan *plan = faults->plan;

    for (size_t i = 0; i < faults->event_ct; i++) {
        struct fault_event *event = &faults->events[i];

        if (event->to_ns == 0 &&
            now_ns >= event->from_ns + event->plan.for_ms * NS_PER_MS)
            end(faults, event);
    }
    while (faults->next < plan->fault_ct &&
           now_ns >= start_ns + plan->faults[faults->next].at_ms * NS_PER_MS)
        begin(faults, &plan->faults[faults->next++], now_ns);
}
