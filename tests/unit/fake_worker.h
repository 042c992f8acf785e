/* Workers for the supervisor's tests: they beat, and do what the stage tells them to.
 * The stage is memory that the test and all its workers share.
 */
#ifndef TESTS_FAKE_WORKER_H
#define TESTS_FAKE_WORKER_H

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/must.h"
#include "supervisor/supervisor.h"

enum act {
    ACT_WORK,     /* beats; drains at once when told to */
    ACT_STUBBORN, /* beats; takes no notice of TERM */
    ACT_LEAVE,    /* exit status 0 */
    ACT_FAIL,     /* exit status 1 */
    ACT_REFUSE,   /* exit status 2 */
    ACT_DIE,      /* KILL to itself */
    ACT_HANG      /* no more beats; its successor works */
};

enum { STAGE_SLOTS = 16, STAGE_TURN_MS = 2, STAGE_JOB_UUID_BYTES = 64 };

struct stage {
    _Atomic int act[STAGE_SLOTS]; /* by slot: what workers are to do */
    _Atomic unsigned starts[STAGE_SLOTS];
    _Atomic unsigned terms[STAGE_SLOTS]; /* TERMs received */
    _Atomic int holds_job;               /* 1: take a job with a process group */
    _Atomic int leaves_tag; /* > 0: tags are this plus ten times the slot and the start */
    _Atomic pid_t group;    /* of the job last taken */
    _Atomic int group_lived;    /* a worker saw its predecessor's job alive */
    _Atomic uint32_t done_each; /* jobs each worker counts as done */
    _Atomic int link_down;
    _Atomic int busy; /* jobs run: no worker comes to rest */
    _Atomic unsigned
        pauses[STAGE_SLOTS]; /* turns in which a worker was to take no jobs */
    _Atomic uint32_t seen_tags[STAGE_SLOTS]; /* orphans on the last board looked at */
    char seen_note[128];
    char state_dir[96]; /* as the last worker's configuration has it; it may have none */
};

extern struct stage *stage; /* defined by each scene */

static inline void stage_open(void)
{
    struct rlimit none = {0};

    (void)setrlimit(RLIMIT_CORE, &none);
    stage = mmap(NULL, sizeof(*stage), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                 -1, 0);
    MUST(stage != MAP_FAILED);
}

static inline void stage_close(void)
{
    (void)munmap(stage, sizeof(*stage));
}

static inline void stage_all(enum act act)
{
    for (size_t i = 0; i < STAGE_SLOTS; i++)
        stage->act[i] = (int)act;
}

/* Does nothing, for as long as there is a test: what one that failed has left behind is
 * nobody's but init's. */
NORETURN static inline void fake_rest(void)
{
    const struct timespec nap = {.tv_nsec = 20000000};

    while (getppid() != 1)
        (void)nanosleep(&nap, NULL);
    _exit(0);
}

/* A job's process: in a group of its own, and it does not end. */
static inline pid_t fake_job(void)
{
    pid_t pid = fork();

    if (pid == 0) {
        (void)setpgid(0, 0);
        fake_rest();
    }
    (void)setpgid(pid, pid);
    return pid;
}

static inline void fake_look_at_orphans(struct board *board)
{
    for (size_t i = 0; i < BOARD_ORPHANS; i++) {
        stage->seen_tags[i] = board->orphans[i].tag;
        if (board->orphans[i].tag != 0)
            memcpy(stage->seen_note, board->orphans[i].note, sizeof(stage->seen_note));
    }
}

static inline void fake_begin(unsigned slot, struct board *board)
{
    unsigned start = ++stage->starts[slot];

    if (stage->group > 0 && (kill(-stage->group, 0) == 0 || errno != ESRCH))
        stage->group_lived = 1;
    fake_look_at_orphans(board);
    if (stage->leaves_tag > 0)
        board->tag = (uint32_t)stage->leaves_tag + 10 * slot + start;
    if (stage->holds_job) {
        struct board_job *job = board_take(board, 1, "a-job", "name", "default", 1);

        job->group = fake_job();
        stage->group = job->group;
    }
    board->done = stage->done_each;
    board->link = stage->link_down ? BOARD_LINK_DOWN : BOARD_LINK_UP;
    board->link_since_ms = 1;
}

/* One turn; the exit code, or -1 to go on. */
static inline int fake_turn(unsigned slot, struct board *board, const sigset_t *term)
{
    struct timespec turn = {.tv_nsec = STAGE_TURN_MS * 1000000};
    int act = stage->act[slot];

    if (act == ACT_DIE)
        (void)kill(getpid(), SIGKILL);
    if (act == ACT_LEAVE || act == ACT_FAIL || act == ACT_REFUSE)
        return act - ACT_LEAVE;
    if (act == ACT_HANG) {
        stage->act[slot] = ACT_WORK;
        fake_rest();
    }
    board->beat++;
    fake_look_at_orphans(board);
    stage->pauses[slot] += board->paused != 0;
    board->resting = board->paused && !stage->busy;
    if (sigtimedwait(term, NULL, &turn) == SIGTERM) {
        stage->terms[slot]++;
        if (stage->act[slot] == ACT_WORK) /* as it is now */
            return 0;
    }
    return getppid() == 1 ? 0 : -1; /* as in fake_rest() */
}

/* A worker_entry. TERM stays blocked and is waited for; all else is as in a worker. */
static inline int fake_worker(const struct config *config,
                              const struct pool_config *pool UNUSED,
                              const struct redis_endpoint *endpoint UNUSED, unsigned slot,
                              struct board *board)
{
    sigset_t term;
    int code;

    (void)sigemptyset(&term);
    (void)sigaddset(&term, SIGTERM);
    (void)sigaddset(&term, SIGUSR2);
    (void)sigprocmask(SIG_SETMASK, &term, NULL);
    (void)snprintf(stage->state_dir, sizeof(stage->state_dir), "%s",
                   config->state_dir ? config->state_dir : "");
    fake_begin(slot, board);
    do
        code = fake_turn(slot, board, &term);
    while (code < 0);
    return code;
}

#endif
