/* chaos: a run of drover under faults, and its audit. The house of the run is a directory
 * of its own under /tmp; everything that is started carries its name in the environment
 * and is ended by pid.
 *
 *     chaos [--seed N] [--seconds S] [--jobs N] [--faults A,B,..|none] [--plan] [--keep]
 *
 * Prints the audit as one JSON object; exits 0 where it is clean, 1 where not. */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/chaos/audit.h"
#include "tests/chaos/files.h"
#include "tests/chaos/holdings.h"
#include "tests/chaos/job.h"
#include "tests/chaos/producer.h"
#include "tests/chaos/procs.h"
#include "tests/chaos/report.h"
#include "tests/support/sanitized.h"

#define NS_PER_MS INT64_C(1000000)

enum {
    TICK_MS = 20,
    BEFORE_MS = 1000,  /* from the start to the first job */
    DRAIN_MS = 150000, /* after the last fault: poison makes its workers' slots wait */
    TIDY_MS = 100000,  /* then, for what is left of dead workers */
    STOP_MS = 60000,   /* then, for the supervisors */
    LEFT_MS = 5000,    /* and for what they leave to be gone */
    DRAINED_LOOK_MS = 300, /* between two looks whether the queues are empty */
    JOBS_PER_SECOND = 40,
    FD_GROWTH_MAX = 2,
    RSS_GROWTH_MAX_KIB = 2048, /* the first reloads leave a heap of 1 MiB, and no more */
    PROCESSES_MAX = 256
};

struct chaos {
    struct plan plan;
    char dir[64], mark[96], journal[96], ledger[96];
    struct server server;
    struct net nets[PLAN_HOSTS];
    struct host hosts[PLAN_HOSTS];
    struct faults faults;
    struct watch watch;
    struct logs logs;
    pid_t producer; /* 0: it has ended */
    int64_t start_ns, next_look_ns;
    unsigned processes_left, orphaned_daemons;
    bool keep;
    char *drover, *preload; /* paths; the second may be NULL */
    struct audit audit;
};

static void path_in(const struct chaos *chaos, const char *name, char *path, size_t size)
{
    MUST((size_t)snprintf(path, size, "%s/%s", chaos->dir, name) < size);
}

/* ---- beginning ---- */

static char *clock_library(void)
{
    char self[256], *slash, *library;
    ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);

    MUST(len > 0);
    self[len] = '\0';
    slash = strrchr(self, '/');
    *slash = '\0';
    library = must_format("%s/clock_shift.so", self);
    if (access(library, R_OK) == 0)
        return library;
    free(library);
    return NULL;
}

static void begin_hosts(struct chaos *chaos)
{
    const char *binary = getenv("DROVER_BINARY");
    const char *logs[PLAN_HOSTS];

    chaos->drover = realpath(binary ? binary : "./drover", NULL);
    chaos->preload = is_sanitized() ? NULL : clock_library();
    if (chaos->drover == NULL) {
        (void)fprintf(stderr, "chaos: no ./drover here, nor at DROVER_BINARY\n");
        exit(2);
    }
    for (int i = 0; i < PLAN_HOSTS; i++) {
        struct host *host = &chaos->hosts[i];
        char clock[128];

        host_init(host, i, chaos->dir, chaos->drover);
        host->preload = chaos->preload;
        host->port = chaos->nets[i].port;
        host_configure(host, 0);
        (void)snprintf(clock, sizeof(clock), "%s/clock%d", chaos->dir, i);
        file_write_at(clock, 0);
        logs[i] = host->log;
    }
    logs_open(&chaos->logs, logs, chaos->plan.job_ct);
    for (int i = 0; i < PLAN_HOSTS; i++)
        host_start(&chaos->hosts[i]);
}

static void forget_environment(void)
{
    static const char *const variables[] = {
        "REDIS_URL", "REDIS_HOST",   "REDIS_PORT",  "REDIS_USERNAME", "REDIS_PASSWORD",
        "REDIS_DB",  "REDIS_PREFIX", "REDIS_QUEUE", "DROVER_CONFIG",  "NOTIFY_SOCKET"};

    for (size_t i = 0; i < ARRAY_CT(variables); i++)
        (void)unsetenv(variables[i]);
}

static void begin(struct chaos *chaos)
{
    forget_environment();
    (void)signal(SIGPIPE, SIG_IGN);
    MUST(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
    (void)snprintf(chaos->dir, sizeof(chaos->dir), "/tmp/drover-chaos-XXXXXX");
    MUST(mkdtemp(chaos->dir) != NULL);
    (void)snprintf(chaos->mark, sizeof(chaos->mark), "DROVER_CHAOS=%s", chaos->dir);
    MUST(setenv("DROVER_CHAOS", chaos->dir, 1) == 0);
    path_in(chaos, "journal", chaos->journal, sizeof(chaos->journal));
    path_in(chaos, "ledger", chaos->ledger, sizeof(chaos->ledger));
    server_begin(&chaos->server);
    for (int i = 0; i < PLAN_HOSTS; i++)
        net_start(&chaos->nets[i], chaos->server.process.socket);
    begin_hosts(chaos);
    faults_init(&chaos->faults, &chaos->plan, chaos->hosts, chaos->nets, &chaos->server);
    chaos->start_ns = ledger_now_ns() + BEFORE_MS * NS_PER_MS;
    chaos->producer =
        producer_start(&chaos->plan, &chaos->server, chaos->journal, chaos->start_ns);
}

/* ---- running ---- */

static void take_end(struct chaos *chaos, pid_t pid, int status)
{
    for (int i = 0; i < PLAN_HOSTS; i++) {
        if (pid == chaos->hosts[i].supervisor)
            host_ended(&chaos->hosts[i], status, ledger_now_ns());
        if (pid == chaos->nets[i].pid)
            audit_find(&chaos->audit, "proxy %d ended by itself, wait status %d", i,
                       status);
    }
    if (pid == chaos->server.process.pid)
        audit_find(&chaos->audit, "redis-server ended by itself, wait status %d", status);
    if (pid == chaos->producer) {
        chaos->producer = 0;
        if (status != 0)
            audit_find(&chaos->audit, "the producer ended with wait status %d", status);
    }
}

static void tick(struct chaos *chaos)
{
    int64_t now_ns = ledger_now_ns();
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        take_end(chaos, pid, status);
    for (int i = 0; i < PLAN_HOSTS; i++)
        host_tick(&chaos->hosts[i], now_ns);
    faults_tick(&chaos->faults, chaos->start_ns, now_ns);
    logs_tick(&chaos->logs, now_ns);
    watch_tick(&chaos->watch, chaos->hosts, now_ns);
    (void)poll(NULL, 0, TICK_MS);
}

static void show_progress(const struct chaos *chaos, const char *what)
{
    if (isatty(STDERR_FILENO))
        (void)fprintf(stderr, "\r%6.1f s  %zu of %zu faults, %llu log lines: %-10s",
                      (double)(ledger_now_ns() - chaos->start_ns) / 1e9,
                      chaos->faults.next, chaos->plan.fault_ct,
                      (unsigned long long)chaos->logs.line_ct, what);
}

/* Turns until the question is answered with yes; false: not in time. */
static bool turn_until(struct chaos *chaos, bool (*is_so)(struct chaos *), int64_t for_ms,
                       const char *what)
{
    int64_t end_ns = ledger_now_ns() + for_ms * NS_PER_MS;

    while (!is_so(chaos)) {
        if (ledger_now_ns() > end_ns)
            return false;
        tick(chaos);
        show_progress(chaos, what);
    }
    return true;
}

static bool has_struck(struct chaos *chaos)
{
    return faults_are_over(&chaos->faults) &&
           ledger_now_ns() > chaos->start_ns + chaos->plan.run_ms * NS_PER_MS;
}

static bool has_drained(struct chaos *chaos)
{
    int64_t now_ns = ledger_now_ns();

    if (chaos->producer != 0 || now_ns < chaos->next_look_ns)
        return false;
    chaos->next_look_ns = now_ns + DRAINED_LOOK_MS * NS_PER_MS;
    return holdings_are_drained(&chaos->server);
}

/* Slots may wait after crashes: until then a dead worker's tag can pass for theirs. */
static bool has_all_workers(const struct chaos *chaos)
{
    pid_t pids[PROCESSES_MAX];
    struct procs procs;
    bool all = true;

    procs_read(&procs);
    for (int i = 0; i < PLAN_HOSTS; i++)
        all = all && procs_workers(&procs, chaos->hosts[i].supervisor, pids,
                                   PROCESSES_MAX) == PLAN_WORKERS;
    procs_free(&procs);
    return all;
}

static bool has_tidied(struct chaos *chaos)
{
    int64_t now_ns = ledger_now_ns();

    if (now_ns < chaos->next_look_ns)
        return false;
    chaos->next_look_ns = now_ns + DRAINED_LOOK_MS * NS_PER_MS;
    return has_all_workers(chaos) &&
           holdings_are_tidy(&chaos->server, PLAN_HOSTS * PLAN_WORKERS);
}

static bool has_samples(struct chaos *chaos)
{
    for (int i = 0; i < PLAN_HOSTS; i++)
        if (chaos->hosts[i].first.fd_ct == 0)
            return false;
    return true;
}

static bool has_stopped(struct chaos *chaos)
{
    for (int i = 0; i < PLAN_HOSTS; i++)
        if (chaos->hosts[i].state != HOST_DOWN)
            return false;
    return true;
}

static void run(struct chaos *chaos)
{
    (void)turn_until(chaos, has_struck, INT64_MAX / NS_PER_MS / 2, "faults");
    for (int i = 0; i < PLAN_HOSTS; i++)
        if (chaos->hosts[i].state == HOST_UP)
            (void)host_command(&chaos->hosts[i], "scale", "main", PLAN_WORKERS);
    if (!turn_until(chaos, has_drained, DRAIN_MS, "draining"))
        audit_find(&chaos->audit, "the queues did not drain in %d s", DRAIN_MS / 1000);
    if (!turn_until(chaos, has_tidied, TIDY_MS, "tidying"))
        audit_find(&chaos->audit, "tags of the dead were not taken back in %d s",
                   TIDY_MS / 1000);
    (void)turn_until(chaos, has_samples, DRAIN_MS, "drained");
}

/* ---- ending ---- */

static void end_hosts(struct chaos *chaos)
{
    for (int i = 0; i < PLAN_HOSTS; i++) {
        struct host *host = &chaos->hosts[i];

        host->is_over = true;
        if (host->state == HOST_UP)
            host_term(host, 0);
    }
    if (!turn_until(chaos, has_stopped, STOP_MS, "stopping"))
        audit_find(&chaos->audit, "the supervisors did not end");
}

/* A job's process in a session of its own, whose supervisor was killed: nobody is left
 * who knows it but the service manager, which ends it with the unit. */
static bool is_orphaned_daemon(const struct chaos *chaos, const char *what)
{
    for (int i = 0; i < PLAN_HOSTS; i++) {
        char daemon[96];

        (void)snprintf(daemon, sizeof(daemon), " job %s %d %s ", chaos->dir, i,
                       job_kind_names[JOB_DAEMON]);
        if (chaos->hosts[i].kills > 0 && strstr(what, daemon))
            return true;
    }
    return false;
}

static void end_process(struct chaos *chaos, pid_t pid)
{
    char what[256];

    proc_describe(pid, what, sizeof(what));
    (void)kill(pid, SIGKILL);
    if (is_orphaned_daemon(chaos, what)) {
        chaos->orphaned_daemons++;
        return;
    }
    chaos->processes_left++;
    audit_find(&chaos->audit, "process %d is left: %s", (int)pid, what);
}

/* What carries our mark and should be gone is counted, told, and killed. */
static void end_processes(struct chaos *chaos)
{
    int64_t end_ns = ledger_now_ns() + LEFT_MS * NS_PER_MS;
    pid_t pids[PROCESSES_MAX];
    size_t ct;

    do {
        struct procs procs;

        (void)poll(NULL, 0, TICK_MS);
        while (waitpid(-1, NULL, WNOHANG) > 0)
            ;
        procs_read(&procs);
        ct = procs_marked(&procs, chaos->mark, pids, PROCESSES_MAX);
        procs_free(&procs);
    } while (ct > 0 && ledger_now_ns() < end_ns);
    for (size_t i = 0; i < ct; i++)
        end_process(chaos, pids[i]);
}

static void check_hosts(struct chaos *chaos)
{
    for (int i = 0; i < PLAN_HOSTS; i++) {
        const struct host *host = &chaos->hosts[i];
        long fds = host->last.fd_ct - host->first.fd_ct;
        long rss_kib = host->last.rss_kib - host->first.rss_kib;

        if (host->bad_exits > 0)
            audit_find(&chaos->audit, "supervisor %d ended badly %u times, last: %s", i,
                       host->bad_exits, host->bad_exit);
        if (fds > FD_GROWTH_MAX)
            audit_find(&chaos->audit, "supervisor %d has %ld descriptors more", i, fds);
        if (rss_kib > RSS_GROWTH_MAX_KIB && !is_sanitized())
            audit_find(&chaos->audit, "supervisor %d has grown by %ld KiB", i, rss_kib);
    }
}

static void check_watch(struct chaos *chaos)
{
    struct audit *audit = &chaos->audit;

    if (chaos->watch.zombie_ct > 0)
        audit_find(audit, "%u zombies stayed, the longest %ld ms", chaos->watch.zombie_ct,
                   chaos->watch.zombie_max_ms);
    if (chaos->logs.storm_ct > 0)
        audit_find(audit, "%u storms in the log, the worst: %u lines of %s in 10 s",
                   chaos->logs.storm_ct, chaos->logs.worst_ct, chaos->logs.worst);
    if (chaos->logs.report_ct > 0)
        audit_find(audit, "%u reports in the log, the first: %s", chaos->logs.report_ct,
                   chaos->logs.report);
}

static void make_audit(struct chaos *chaos)
{
    struct audit early = chaos->audit; /* what was found on the way */
    struct holdings holdings;
    struct ledger ledger;
    unsigned char *acks = producer_read(&chaos->plan, chaos->journal);

    (void)ledger_read(&ledger, chaos->ledger);
    holdings_read(&holdings, &chaos->plan, &chaos->server);
    audit_make(&chaos->audit, &(struct audit_input){.plan = &chaos->plan,
                                                    .acks = acks,
                                                    .ledger = &ledger,
                                                    .marks = chaos->logs.marks,
                                                    .holdings = &holdings,
                                                    .events = chaos->faults.events,
                                                    .event_ct = chaos->faults.event_ct});
    for (size_t i = 0; i < early.finding_ct && i < AUDIT_FINDINGS; i++)
        audit_find(&chaos->audit, "%s", early.findings[i]);
    holdings_check_keys(&chaos->server, &chaos->audit);
    holdings_free(&holdings);
    ledger_free(&ledger);
    free(acks);
}

static void write_fault_log(const struct chaos *chaos)
{
    char path[96];
    FILE *file;

    path_in(chaos, "faults", path, sizeof(path));
    file = fopen(path, "we");
    MUST(file != NULL);
    for (size_t i = 0; i < chaos->faults.event_ct; i++) {
        const struct fault_event *event = &chaos->faults.events[i];

        (void)fprintf(
            file, "%lld %lld %s host=%d%s", (long long)(event->from_ns / NS_PER_MS),
            (long long)(event->to_ns / NS_PER_MS), fault_infos[event->plan.kind].name,
            event->plan.host, event->is_skipped ? " skipped" : "");
        for (size_t j = 0; j < event->pid_ct; j++)
            (void)fprintf(file, " %d", (int)event->pids[j]);
        (void)fputc('\n', file);
    }
    (void)fclose(file);
}

static void clean_up(struct chaos *chaos)
{
    char *command = must_format("rm -rf '%s'", chaos->dir);

    if (chaos->keep || chaos->audit.finding_ct > 0)
        (void)fprintf(stderr, "\nThe run's files are in %s\n", chaos->dir);
    else
        MUST(system(command) == 0);
    free(command);
}

static int chaos_main(struct chaos *chaos)
{
    int64_t began_ns = ledger_now_ns();

    begin(chaos);
    run(chaos);
    end_hosts(chaos);
    for (int i = 0; i < PLAN_HOSTS; i++)
        net_stop(&chaos->nets[i]);
    logs_tick(&chaos->logs, ledger_now_ns());
    write_fault_log(chaos);
    make_audit(chaos);
    server_end(&chaos->server);
    end_processes(chaos);
    check_hosts(chaos);
    check_watch(chaos);
    report_print(&(struct report){.plan = &chaos->plan,
                                  .audit = &chaos->audit,
                                  .hosts = chaos->hosts,
                                  .logs = &chaos->logs,
                                  .watch = &chaos->watch,
                                  .events = chaos->faults.events,
                                  .event_ct = chaos->faults.event_ct,
                                  .processes_left = chaos->processes_left,
                                  .orphaned_daemons = chaos->orphaned_daemons,
                                  .took_s = (double)(ledger_now_ns() - began_ns) / 1e9},
                 stdout);
    clean_up(chaos);
    faults_free(&chaos->faults);
    logs_close(&chaos->logs);
    free(chaos->drover);
    free(chaos->preload);
    return chaos->audit.finding_ct > 0;
}

/* ---- the command line ---- */

static void usage(void)
{
    (void)fprintf(stderr,
                  "Usage: chaos [--seed N] [--seconds S] [--jobs N] [--plan] [--keep]\n"
                  "             [--faults A,B,..|none]\n"
                  "Faults:");
    for (int kind = 0; kind < FAULT_KINDS; kind++)
        (void)fprintf(stderr, " %s", fault_infos[kind].name);
    (void)fputc('\n', stderr);
    exit(2);
}

static uint32_t read_number(const char *text, uint32_t max)
{
    char *end;
    unsigned long number = strtoul(text, &end, 10);

    if (*text == '\0' || *end != '\0' || number > max)
        usage();
    return (uint32_t)number;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"seed", required_argument, NULL, 's'},
                                            {"seconds", required_argument, NULL, 't'},
                                            {"jobs", required_argument, NULL, 'j'},
                                            {"faults", required_argument, NULL, 'f'},
                                            {"plan", no_argument, NULL, 'p'},
                                            {"keep", no_argument, NULL, 'k'},
                                            {NULL, 0, NULL, 0}};
    struct chaos *chaos;
    struct plan_options plan = {.seed = 1, .seconds = 60};
    bool faults[FAULT_KINDS], print_plan = false;
    int option, status = 0;

    if (argc > 1 && strcmp(argv[1], "job") == 0)
        return job_main(argc - 2, argv + 2);
    chaos = must_alloc(sizeof(*chaos));
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 's')
            plan.seed = read_number(optarg, UINT32_MAX);
        else if (option == 't')
            plan.seconds = read_number(optarg, 86400);
        else if (option == 'j')
            plan.jobs = read_number(optarg, 1000000);
        else if (option == 'f' && plan_read_faults(optarg, faults) == 0)
            plan.faults = faults;
        else if (option == 'p')
            print_plan = true;
        else if (option == 'k')
            chaos->keep = true;
        else
            usage();
    }
    if (optind < argc || plan.seconds == 0)
        usage();
    if (plan.jobs == 0)
        plan.jobs = plan.seconds * JOBS_PER_SECOND;
    plan_make(&chaos->plan, &plan);
    if (print_plan)
        plan_print(&chaos->plan, stdout);
    else
        status = chaos_main(chaos);
    plan_free(&chaos->plan);
    free(chaos);
    return status;
}
