/* The library that is loaded into drover: calls of the C library that fail, stop early or
 * lie about the time, as the page says. Without the page everything is as it was.
 *
 * Must not allocate or log: it runs inside of malloc's callers and after a fork. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "tests/support/fault.h"

static struct fault *page; /* NULL: none */
static _Atomic uint32_t call_ct, transfer_ct, lookup_ct;

/* The names that fortified code calls. */
ssize_t __read_chk(int fd, void *bytes, size_t len, size_t room);
ssize_t __recv_chk(int fd, void *bytes, size_t len, size_t room, int flags);
int __poll_chk(struct pollfd *fds, nfds_t ct, int timeout_ms, size_t room);

__attribute__((constructor)) static void find_page(void)
{
    const char *path = getenv(FAULT_VARIABLE);
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    void *memory;

    if (fd < 0)
        return;
    memory = mmap(NULL, sizeof(*page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    (void)close(fd);
    page = memory == MAP_FAILED ? NULL : memory;
}

/* ---- fork ---- */

pid_t fork(void)
{
    pid_t (*real)(void);
    pid_t pid;

    *(void **)&real = dlsym(RTLD_NEXT, "fork");
    if (page && page->fork_fail_ct > 0) {
        page->fork_fail_ct--;
        page->fork_failed_ct++;
        errno = page->fork_errno;
        return -1;
    }
    pid = real();
    if (pid == 0 && page && page->die_at_birth)
        _exit(1);
    if (pid > 0 && page)
        page->forked_ct++;
    return pid;
}

int clone(int (*enter)(void *), void *stack, int flags, void *arg, ...)
{
    int (*real)(int (*)(void *), void *, int, void *, ...);

    *(void **)&real = dlsym(RTLD_NEXT, "clone");
    if (page && page->spawn_errno != 0) {
        errno = page->spawn_errno;
        return -1;
    }
    return real(enter, stack, flags, arg);
}

/* ---- time ---- */

int clock_gettime(clockid_t clock, struct timespec *now)
{
    int rc = (int)syscall(SYS_clock_gettime, clock, now);

    if (rc == 0 && page && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        now->tv_sec += (time_t)page->clock_shift_s;
    return rc;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    int rc = (int)syscall(SYS_gettimeofday, now, zone);

    if (rc == 0 && page)
        now->tv_sec += (time_t)page->clock_shift_s;
    return rc;
}

time_t time(time_t *seconds)
{
    struct timespec now = {0};

    (void)clock_gettime(CLOCK_REALTIME, &now);
    if (seconds)
        *seconds = now.tv_sec;
    return now.tv_sec;
}

/* ---- transfers ---- */

static bool interrupts(void)
{
    uint32_t every = page ? page->interrupt_every : 0;

    if (every == 0 || ++call_ct % every != 0)
        return false;
    page->interrupted_ct++;
    errno = EINTR;
    return true;
}

/* Log lines are left whole: they go to a file, where only a full disk cuts them. So is
 * what an eventfd takes or gives: eight bytes or nothing. */
static size_t shorten(int fd, size_t len)
{
    uint32_t every = page ? page->shorten_every : 0;

    if (every == 0 || len <= 8 || fd == STDERR_FILENO || ++transfer_ct % every != 0)
        return len;
    page->shortened_ct++;
    return len / 2;
}

static void hold(void)
{
    static const struct timespec moment = {.tv_nsec = 5 * 1000 * 1000};

    if (page && page->hold_reads)
        page->held_ct++;
    while (page && page->hold_reads)
        (void)nanosleep(&moment, NULL);
}

ssize_t read(int fd, void *bytes, size_t len)
{
    hold();
    return interrupts() ? -1 : syscall(SYS_read, fd, bytes, shorten(fd, len));
}

ssize_t __read_chk(int fd, void *bytes, size_t len, size_t room)
{
    return read(fd, bytes, len < room ? len : room);
}

ssize_t write(int fd, const void *bytes, size_t len)
{
    return interrupts() ? -1 : syscall(SYS_write, fd, bytes, shorten(fd, len));
}

ssize_t recv(int fd, void *bytes, size_t len, int flags)
{
    if (interrupts())
        return -1;
    return syscall(SYS_recvfrom, fd, bytes, shorten(fd, len), flags, NULL, NULL);
}

ssize_t __recv_chk(int fd, void *bytes, size_t len, size_t room, int flags)
{
    return recv(fd, bytes, len < room ? len : room, flags);
}

ssize_t send(int fd, const void *bytes, size_t len, int flags)
{
    if (interrupts())
        return -1;
    return syscall(SYS_sendto, fd, bytes, shorten(fd, len), flags, NULL, 0);
}

ssize_t pwritev2(int fd, const struct iovec *parts, int part_ct, off_t offset, int flags)
{
    if (interrupts())
        return -1;
    return syscall(SYS_pwritev2, fd, parts, part_ct, offset, offset, flags);
}

/* ---- signals at an awkward time ---- */

int close(int fd)
{
    int rc = (int)syscall(SYS_close, fd);

    if (page && page->raise_at_close)
        (void)kill(getpid(), page->raise_at_close);
    return rc;
}

/* ---- waiting: with a timeout of 0 nobody waits ---- */

int poll(struct pollfd *fds, nfds_t ct, int timeout_ms)
{
    struct timespec timeout = {.tv_sec = timeout_ms / 1000,
                               .tv_nsec = timeout_ms % 1000 * 1000000L};

    if (timeout_ms != 0 && interrupts())
        return -1;
    return (int)syscall(SYS_ppoll, fds, ct, timeout_ms < 0 ? NULL : &timeout, NULL, 0);
}

int __poll_chk(struct pollfd *fds, nfds_t ct, int timeout_ms, size_t room)
{
    (void)room;
    return poll(fds, ct, timeout_ms);
}

int epoll_wait(int fd, struct epoll_event *events, int most, int timeout_ms)
{
    if (timeout_ms != 0 && interrupts())
        return -1;
    return (int)syscall(SYS_epoll_pwait, fd, events, most, timeout_ms, NULL, 0);
}

/* ---- names ---- */

static bool turns(const char *name)
{
    static const char end[] = ".turning.example";
    size_t len = name ? strlen(name) : 0;

    return page && page->turn_names && len >= sizeof(end) &&
           strcmp(name + len - (sizeof(end) - 1), end) == 0;
}

int getaddrinfo(const char *restrict name, const char *restrict service,
                const struct addrinfo *restrict hints, struct addrinfo **restrict found)
{
    int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);

    *(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
    if (turns(name))
        name = lookup_ct++ % 2 == 0 ? "127.0.0.1" : "127.0.0.2";
    return real(name, service, hints, found);
}
