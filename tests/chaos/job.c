/* One run of one job: notes its start and end in the ledger and does between them what
 * its kind is about.
 *
 * A run holds a lock (a byte of the file "locks", its number the place) for as long as
 * its process lives, which no death can forget to give up: a second run at the same time
 * is seen by the kernel. Twins have a byte each. */
#include "tests/chaos/job.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/chaos/ledger.h"
#include "tests/chaos/plan.h"

enum { OUTPUT_BLOCKS = 300, DAEMON_S = 300 };

struct run {
    struct record record;
    int ledger, locks;
    const char *kind;
    unsigned ms, fails;
};

static int open_in(const char *dir, const char *name, int flags)
{
    char path[256];

    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    return open(path, flags | O_CREAT | O_CLOEXEC, 0600);
}

static void note(struct run *run, char what, int ok)
{
    run->record.what = what;
    run->record.ok = ok;
    run->record.at_ns = ledger_now_ns();
    if (ledger_write(run->ledger, &run->record) != 0)
        _exit(70);
}

static int take_lock(struct run *run)
{
    int places = strcmp(run->kind, job_kind_names[JOB_TWIN]) == 0 ? 2 : 1;

    for (int place = 0; place < places; place++) {
        struct flock lock = {
            .l_type = F_WRLCK, .l_start = (off_t)run->record.n * 2 + place, .l_len = 1};

        if (fcntl(run->locks, F_SETLK, &lock) == 0)
            return 0;
    }
    return -1;
}

static void pass_time(unsigned ms)
{
    struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};

    while (nanosleep(&left, &left) != 0 && errno == EINTR)
        ;
}

/* A process that is left behind, holding the job's output; half of them in a session of
 * their own. */
static void leave_daemon(unsigned variant)
{
    if (fork() != 0)
        return;
    if (variant % 2 == 0)
        (void)setsid();
    (void)signal(SIGTERM, SIG_IGN);
    pass_time(DAEMON_S * 1000);
    _exit(0);
}

static void say_much(void)
{
    static const char block[4096] = {'x', '\n', '\x1b', '\xff'};

    for (int i = 0; i < OUTPUT_BLOCKS; i++)
        if (write(i % 2 ? STDOUT_FILENO : STDERR_FILENO, block, sizeof(block)) < 0)
            return;
}

/* The worker is the parent; once it is dead, the parent is another. */
static void kill_worker(const struct run *run)
{
    if (getppid() == run->record.worker)
        (void)kill(run->record.worker, SIGKILL);
    pass_time(60000);
}

static int is_kind(const struct run *run, enum job_kind kind)
{
    return strcmp(run->kind, job_kind_names[kind]) == 0;
}

/* The exit status. */
static int act(struct run *run)
{
    pass_time(run->ms);
    if (is_kind(run, JOB_POISON))
        kill_worker(run);
    if (is_kind(run, JOB_STUBBORN)) {
        (void)signal(SIGTERM, SIG_IGN);
        pass_time(60000);
    }
    if (is_kind(run, JOB_DAEMON))
        leave_daemon(run->fails);
    if (is_kind(run, JOB_BIG))
        say_much();
    if (is_kind(run, JOB_DOOMED))
        return 1;
    if (is_kind(run, JOB_FLAKY))
        return (unsigned)run->record.attempt <= run->fails;
    return 0;
}

static int number(const char *text)
{
    return text ? (int)strtol(text, NULL, 10) : -1;
}

int job_main(int argc, char **argv)
{
    struct run run = {.record.worker = getppid(), .record.pid = getpid()};
    int status;

    if (argc != 6)
        return 64;
    run.kind = argv[2];
    run.record.host = number(argv[1]);
    run.record.n = (uint32_t)number(argv[3]);
    run.ms = (unsigned)number(argv[4]);
    run.fails = (unsigned)number(argv[5]);
    run.record.attempt = number(getenv("DROVER_JOB_ATTEMPT"));
    run.ledger = open_in(argv[0], "ledger", O_WRONLY | O_APPEND);
    run.locks = open_in(argv[0], "locks", O_RDWR);
    if (run.ledger < 0 || run.locks < 0)
        return 70;
    note(&run, take_lock(&run) == 0 ? 'S' : 'O', 0);
    status = act(&run);
    note(&run, 'E', status == 0);
    return status;
}
