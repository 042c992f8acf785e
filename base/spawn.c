/* Starting a program as vfork does: the child borrows this process's memory until exec,
 * and its table of descriptors until it has taken the few that it needs, so the start
 * costs the same however large the process has grown.
 *
 * All the child needs is made before (the candidates of the PATH search too, for it is
 * in the child's directory that they are looked up). Until exec the child, on a stack of
 * its own, makes system calls only and writes to two places: the failure cell and
 * `note_pid`.
 * Signals are blocked around it, as a handler that ran in the child would run on this
 * process's memory. Knows nothing of jobs.
 */
#include "base/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    STDIO_CT = 3,
    FD_SWEEP_MAX = 65536,
    EXIT_NOT_STARTED = 127,
    STACK_BYTES = 64 * 1024
};

enum stage {
    STAGE_NONE,
    STAGE_GROUP,
    STAGE_DEATH_SIGNAL,
    STAGE_FDS,
    STAGE_CWD,
    STAGE_EXEC
};

/* Written by the child, read by the parent once the child is gone. */
struct failure {
    volatile int stage;
    volatile int errnum;
};

struct plan {
    const struct spawn *spawn;
    char **files; /* what to exec, in this order; NULL-terminated */
    pid_t parent;
    struct failure *failure;
    bool shares_fds; /* the child begins in its parent's table */
};

pid_t (*spawn_hook)(const struct spawn *spawn, int *exec_errno,
                    struct err *err) = spawn_start;

static char **list_files(const struct spawn *spawn)
{
    size_t room = 2, ct = 0;
    char **files;

    for (const char *c = spawn->path; c && *c; c++)
        room += *c == ':';
    files = must_alloc(room * sizeof(*files));
    if (spawn->path == NULL || strchr(spawn->file, '/')) {
        files[0] = must_strdup(spawn->file);
        return files;
    }
    for (const char *dir = spawn->path, *end;; dir = end + 1) {
        end = strchrnul(dir, ':');
        files[ct++] = must_format("%.*s/%s", end > dir ? (int)(end - dir) : 1,
                                  end > dir ? dir : ".", spawn->file);
        if (*end == '\0')
            return files;
    }
}

static void free_files(char **files)
{
    for (size_t i = 0; files[i]; i++)
        free(files[i]);
    free(files);
}

bool spawn_finds(const char *file, const char *path)
{
    char **files = list_files(&(struct spawn){.file = file, .path = path});
    bool found = false;

    for (size_t i = 0; files[i] && !found; i++)
        found = access(files[i], X_OK) == 0;
    free_files(files);
    return found;
}

/* Of what runs in the child: AddressSanitizer knows the parent's stack alone, and says so
 * on stderr before each call that does not return. */
#define ON_OTHER_STACK __attribute__((no_sanitize_address))

static NORETURN ON_OTHER_STACK void give_up(const struct plan *plan, enum stage stage,
                                            int errnum)
{
    plan->failure->errnum = errnum;
    plan->failure->stage = (int)stage;
    _exit(EXIT_NOT_STARTED);
}

/* The two that the C library keeps to itself, and from sigaction(): its own posix_spawn
 * leaves them ignored, so a drover started by such a program (make is one) has them so.
 */
static void reset_internal_signals(void)
{
    enum { SIGCANCEL = 32, SIGSETXID = 33, KERNEL_SET_BYTES = 8 };
    static const unsigned long standard[8]; /* a struct kernel_sigaction: SIG_DFL is 0 */

    (void)syscall(SYS_rt_sigaction, SIGCANCEL, standard, NULL, KERNEL_SET_BYTES);
    (void)syscall(SYS_rt_sigaction, SIGSETXID, standard, NULL, KERNEL_SET_BYTES);
}

/* Those this process ignores too: exec would keep SIG_IGN. */
void spawn_reset_signals(void)
{
    struct sigaction standard = {.sa_handler = SIG_DFL};

    for (int signum = 1; signum < NSIG; signum++)
        (void)sigaction(signum, &standard, NULL); /* KILL, STOP and libc's own refuse */
}

static unsigned fds_of(const struct spawn *spawn)
{
    return spawn->fd_ct ? spawn->fd_ct : STDIO_CT;
}

/* Leaves the parent's table for one with what is named and what lies below. To copy
 * thousands of connections first, and to close them then, took longer than all the rest.
 */
static int leave_table(const struct spawn *spawn)
{
    int last = STDIO_CT - 1;

    for (unsigned i = 0; i < fds_of(spawn); i++)
        if (spawn->fds[i] > last)
            last = spawn->fds[i];
    return close_range((unsigned)last + 1, ~0U, CLOSE_RANGE_UNSHARE);
}

/* The named fds become 0, 1, 2 and so on. One that lies among these at another's place is
 * moved out of the way before any place is filled. */
static int place_fds(const struct spawn *spawn)
{
    int from[SPAWN_FD_MAX], ct = (int)fds_of(spawn);

    for (int i = 0; i < ct; i++) {
        from[i] =
            spawn->fds[i] >= 0 ? spawn->fds[i] : open("/dev/null", O_RDWR | O_CLOEXEC);
        if (from[i] >= 0 && from[i] < ct && from[i] != i)
            from[i] = fcntl(from[i], F_DUPFD_CLOEXEC, ct);
        if (from[i] < 0)
            return -1;
    }
    for (int i = 0; i < ct; i++)
        if (from[i] == i ? fcntl(i, F_SETFD, 0) < 0 : dup2(from[i], i) < 0)
            return -1;
    return 0;
}

/* O_CLOEXEC is the rule for all of ours; this is for what a library has opened. */
void spawn_close_fds(unsigned first)
{
    struct rlimit limit;

    if (close_range(first, ~0U, 0) == 0)
        return; /* else a kernel or a sandbox without it */
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur > FD_SWEEP_MAX)
        limit.rlim_cur = FD_SWEEP_MAX;
    for (int fd = (int)first; fd < (int)limit.rlim_cur; fd++)
        (void)close(fd);
}

/* As execvp(3) goes on: not there, or on a filesystem that does not answer. */
static bool try_next_file(int errnum)
{
    return errnum == ENOENT || errnum == ENOTDIR || errnum == EACCES ||
           errnum == ESTALE || errnum == ENODEV || errnum == ETIMEDOUT;
}

/* Returns errno of the failure that tells most. A text without #! is not given to a
 * shell, as execvp(3) would do. */
static int exec_first(const struct plan *plan)
{
    const struct spawn *spawn = plan->spawn;
    int errnum = ENOENT;

    for (char **file = plan->files; *file; file++) {
        (void)execve(*file, (char *const *)(uintptr_t)spawn->argv,
                     (char *const *)(uintptr_t)spawn->envp);
        if (!try_next_file(errno))
            return errno;
        if (errnum != EACCES)
            errnum = errno;
    }
    return errnum;
}

static NORETURN ON_OTHER_STACK void become(const struct plan *plan)
{
    const struct spawn *spawn = plan->spawn;
    sigset_t none;

    if (setpgid(0, 0) != 0)
        give_up(plan, STAGE_GROUP, errno);
    if (spawn->note_pid)
        *spawn->note_pid = getpid();
    if (spawn->death_signal && prctl(PR_SET_PDEATHSIG, spawn->death_signal) != 0)
        give_up(plan, STAGE_DEATH_SIGNAL, errno);
    if (spawn->death_signal && getppid() != plan->parent)
        _exit(EXIT_NOT_STARTED); /* it died before the kernel knew whom to tell */
    spawn_reset_signals();
    reset_internal_signals();
    if ((plan->shares_fds && leave_table(spawn) != 0) || place_fds(spawn) != 0)
        give_up(plan, STAGE_FDS, errno);
    spawn_close_fds(fds_of(spawn));
    if (spawn->cwd && chdir(spawn->cwd) != 0)
        give_up(plan, STAGE_CWD, errno);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    give_up(plan, STAGE_EXEC, exec_first(plan));
}

static ON_OTHER_STACK int enter(void *arg)
{
    become(arg);
}

/* Returns once the child runs its program, or has ended. */
static pid_t start_child(struct plan *plan)
{
    char *stack = must_realloc(NULL, STACK_BYTES, 1);
    int flags = CLONE_VM | CLONE_VFORK | SIGCHLD;
    pid_t pid;

    plan->shares_fds = close_range(~0U, ~0U, 0) == 0; /* else the child could not leave */
    if (plan->shares_fds)
        flags |= CLONE_FILES;
    pid = clone(enter, stack + STACK_BYTES, flags, plan);
    free(stack);
    return pid;
}

static int explain(const struct spawn *spawn, const struct failure *failure,
                   struct err *err)
{
    int errnum = failure->errnum;

    switch ((enum stage)failure->stage) {
    case STAGE_GROUP:
        return err_set_errno(err, errnum, "cannot make a process group");
    case STAGE_DEATH_SIGNAL:
        return err_set_errno(err, errnum, "cannot set the death signal");
    case STAGE_FDS:
        return err_set_errno(err, errnum, "cannot set up the descriptors");
    case STAGE_CWD:
        return err_set_errno(err, errnum, "cannot enter %s", spawn->cwd);
    case STAGE_EXEC:
    case STAGE_NONE:
        break;
    }
    if (errnum != ENOENT)
        return err_set_errno(err, errnum, "cannot run %s", spawn->file);
    if (spawn->file[0] == '/' && access(spawn->file, F_OK) == 0)
        return err_set(err, ERR_NOT_FOUND, "interpreter of %s not found", spawn->file);
    return err_set(err, ERR_NOT_FOUND, "command not found: %s", spawn->file);
}

/* The child ended before exec: no trace of it may stay, least of all its number, which
 * will be another's soon. */
static void bury_child(const struct spawn *spawn, pid_t pid)
{
    if (spawn->note_pid)
        *spawn->note_pid = 0;
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

int spawn_raise_fd(int fd)
{
    int raised = fcntl(fd, F_DUPFD_CLOEXEC, SPAWN_LOW_FDS);

    if (raised < 0)
        return fd; /* no room above */
    (void)close(fd);
    return raised;
}

pid_t spawn_start(const struct spawn *spawn, int *exec_errno, struct err *err)
{
    struct failure failure = {.stage = STAGE_NONE};
    struct plan plan = {.spawn = spawn, .parent = getpid(), .failure = &failure};
    int fork_errno, no_exec_errno;
    sigset_t all, before;
    pid_t pid;

    if (exec_errno == NULL)
        exec_errno = &no_exec_errno;
    *exec_errno = 0;
    plan.files = list_files(spawn);
    (void)sigfillset(&all);
    (void)sigprocmask(SIG_SETMASK, &all, &before);
    pid = start_child(&plan);
    fork_errno = errno;
    if (pid > 0 && failure.stage != STAGE_NONE)
        bury_child(spawn, pid);
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
    free_files(plan.files);
    if (pid < 0)
        return err_set_errno(err, fork_errno, "cannot start %s", spawn->file);
    if (failure.stage == STAGE_NONE)
        return pid;
    if (failure.stage == STAGE_CWD || failure.stage == STAGE_EXEC)
        *exec_errno = failure.errnum;
    return explain(spawn, &failure, err);
}
