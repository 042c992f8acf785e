/* The event loop. The only file that decides how libevent is used: one base, no
 * threads, signals through the loop, deferred frees at the end of each turn.
 *
 * Signals are not libevent's: its bookkeeping is global, so a forked child that makes a
 * loop of its own draws a warning on stderr, and its socketpair loses a signal when full.
 * Here the handler sets a flag and pokes an eventfd: neither can be full. */
#include "base/loop.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"

enum {
    SIGNAL_CT = 32, /* the classic ones; no real-time signals */
    LAST_TURNS = 64
};

static const int64_t timer_us_max = INT64_C(100) * 366 * 86400 * 1000000;

/* What the signal handler writes: it has no argument to find a loop by. */
static struct {
    volatile sig_atomic_t arrived[SIGNAL_CT];
    volatile sig_atomic_t wake_fd;
} raised;

struct doomed {
    struct doomed *next;
    void *ptr;
    void (*release)(void *ptr);
};

struct watched_signal {
    signal_cb cb; /* NULL: not watched */
    void *arg;
};

struct loop {
    struct event_base *base;
    struct doomed *doomed;
    struct watched_signal signals[SIGNAL_CT];
    struct event *woken;
    int wake_fd; /* -1: no signal watched yet */
    uint64_t turns;
    unsigned awaited_ct; /* last words of libevent's */
    bool has_rest;       /* this turn */
    bool stop;
};

struct loop *loop_create(struct err *err)
{
    struct event_config *config = event_config_new();
    struct loop *loop = must_alloc(sizeof(*loop));

    MUST(config != NULL);
    event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_IGNORE_ENV |
                                      EVENT_BASE_FLAG_PRECISE_TIMER);
    loop->base = event_base_new_with_config(config);
    event_config_free(config);
    loop->wake_fd = -1;
    if (loop->base == NULL) {
        free(loop);
        (void)err_set(err, ERR_SYSTEM, "cannot make an event loop");
        return NULL;
    }
    return loop;
}

static void free_doomed(struct loop *loop)
{
    while (loop->doomed) {
        struct doomed *d = loop->doomed;

        loop->doomed = d->next;
        d->release(d->ptr);
        free(d);
    }
}

struct leftovers {
    struct event **all;
    size_t ct;
};

static int list_event(const struct event_base *base UNUSED, const struct event *event,
                      void *arg)
{
    struct leftovers *list = arg;

    list->all = must_realloc(list->all, list->ct + 1, sizeof(struct event *));
    list->all[list->ct++] = (struct event *)(uintptr_t)event;
    return 0;
}

/* What is left may be somebody's who is gone already. */
static void silence_events(struct loop *loop)
{
    struct leftovers list = {0};

    (void)event_base_foreach_event(loop->base, list_event, &list);
    for (size_t i = 0; i < list.ct; i++)
        MUST(event_del(list.all[i]) == 0);
    free(list.all);
}

/* They are no events, but calls that libevent has put off. */
static void hear_last_words(struct loop *loop)
{
    if (loop->awaited_ct > 0)
        silence_events(loop);
    for (int turn = 0; loop->awaited_ct > 0 && turn < LAST_TURNS; turn++)
        MUST(event_base_loop(loop->base, EVLOOP_NONBLOCK) >= 0);
}

void loop_await_word(struct loop *loop)
{
    loop->awaited_ct++;
}

void loop_had_word(struct loop *loop)
{
    MUST(loop->awaited_ct-- > 0);
}

void loop_destroy(struct loop *loop)
{
    if (loop == NULL)
        return;
    free_doomed(loop);
    hear_last_words(loop);
    free_doomed(loop);
    for (int signum = 1; signum < SIGNAL_CT; signum++)
        loop_off_signal(loop, signum);
    if (loop->wake_fd >= 0) {
        event_free(loop->woken);
        (void)close(loop->wake_fd);
    }
    event_base_free(loop->base);
    free(loop);
}

struct event_base *loop_base(struct loop *loop)
{
    return loop->base;
}

void loop_run(struct loop *loop)
{
    while (!loop->stop) {
        int rc = event_base_loop(loop->base, EVLOOP_ONCE | EVLOOP_NO_EXIT_ON_EMPTY);

        MUST(rc >= 0);
        loop->turns++;
        loop->has_rest = false;
        free_doomed(loop);
    }
    loop->stop = false;
}

void loop_stop(struct loop *loop)
{
    loop->stop = true;
}

uint64_t loop_turns(const struct loop *loop)
{
    return loop->turns;
}

void loop_leave_rest(struct loop *loop)
{
    loop->has_rest = true;
}

bool loop_has_rest(const struct loop *loop)
{
    return loop->has_rest;
}

void loop_defer_free(struct loop *loop, void *ptr, void (*release)(void *ptr))
{
    struct doomed *d = must_alloc(sizeof(*d));

    d->ptr = ptr;
    d->release = release;
    d->next = loop->doomed;
    loop->doomed = d;
}

static void timer_fired(evutil_socket_t fd UNUSED, short what UNUSED, void *arg)
{
    struct timer *timer = arg;

    timer->cb(timer->arg);
}

void timer_init(struct timer *timer, struct loop *loop, timer_cb cb, void *arg)
{
    timer->cb = cb;
    timer->arg = arg;
    MUST(evtimer_assign(&timer->event, loop->base, timer_fired, timer) == 0);
    timer->is_made = true;
}

void timer_set(struct timer *timer, int64_t after_ms)
{
    timer_set_us(timer, after_ms > timer_us_max / 1000 ? timer_us_max : after_ms * 1000);
}

void timer_set_us(struct timer *timer, int64_t after_us)
{
    struct timeval tv;

    if (after_us < 0)
        after_us = 0;
    if (after_us > timer_us_max)
        after_us = timer_us_max;
    tv.tv_sec = (time_t)(after_us / 1000000);
    tv.tv_usec = (suseconds_t)(after_us % 1000000);
    MUST(evtimer_add(&timer->event, &tv) == 0);
}

void timer_set_soon(struct timer *timer)
{
    event_active(&timer->event, EV_TIMEOUT, 0);
}

void timer_stop(struct timer *timer)
{
    if (timer->is_made)
        (void)evtimer_del(&timer->event);
}

bool timer_is_set(const struct timer *timer)
{
    return timer->is_made && evtimer_pending(&timer->event, NULL) != 0;
}

void timer_free(struct timer *timer)
{
    timer_stop(timer);
    timer->is_made = false;
}

static void note_signal(int signum)
{
    static const uint64_t one = 1;
    int saved_errno = errno;

    raised.arrived[signum] = 1;
    while (write(raised.wake_fd, &one, sizeof(one)) < 0 && errno == EINTR)
        ; /* else EAGAIN: 2^64 - 1 pokes are waiting already */
    errno = saved_errno;
}

static void wake_fired(evutil_socket_t fd, short what UNUSED, void *arg)
{
    struct loop *loop = arg;
    uint64_t pokes;

    (void)!read(fd, &pokes, sizeof(pokes));
    for (int signum = 1; signum < SIGNAL_CT; signum++) {
        const struct watched_signal *watched = &loop->signals[signum];

        if (watched->cb && raised.arrived[signum]) {
            raised.arrived[signum] = 0;
            watched->cb(signum, watched->arg);
        }
    }
}

static int open_wake_fd(struct loop *loop)
{
    if (loop->wake_fd >= 0)
        return 0;
    loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (loop->wake_fd < 0)
        return -1;
    loop->woken =
        event_new(loop->base, loop->wake_fd, EV_READ | EV_PERSIST, wake_fired, loop);
    MUST(loop->woken != NULL && event_add(loop->woken, NULL) == 0);
    return 0;
}

static void mask_signal(int how, int signum)
{
    sigset_t set;

    (void)sigemptyset(&set);
    (void)sigaddset(&set, signum);
    (void)sigprocmask(how, &set, NULL);
}

int loop_on_signal(struct loop *loop, int signum, signal_cb cb, void *arg)
{
    struct sigaction action = {.sa_handler = note_signal, .sa_flags = SA_RESTART};

    MUST(signum > 0 && signum < SIGNAL_CT && loop->signals[signum].cb == NULL);
    if (open_wake_fd(loop) != 0)
        return -1;
    raised.wake_fd = loop->wake_fd;
    raised.arrived[signum] = 0; /* what a forked child inherits was its parent's */
    if (sigaction(signum, &action, NULL) != 0)
        return -1;
    loop->signals[signum] = (struct watched_signal){.cb = cb, .arg = arg};
    mask_signal(SIG_UNBLOCK, signum);
    return 0;
}

void loop_off_signal(struct loop *loop, int signum)
{
    if (loop->signals[signum].cb == NULL)
        return;
    loop->signals[signum] = (struct watched_signal){.cb = NULL};
    (void)signal(signum, SIG_DFL);
}

void loop_block_signals(void)
{
    sigset_t all;

    (void)sigfillset(&all);
    MUST(sigprocmask(SIG_SETMASK, &all, NULL) == 0);
}
