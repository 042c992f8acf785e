/* The event loop. The only file that decides how libevent is used: one base, no
 * threads, signals through the loop, deferred frees at the end of each turn. */
#include "base/loop.h"

#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>

#include "base/clock.h"

enum { LOOP_SIGNALS_MAX = 16 };

struct doomed {
    struct doomed *next;
    void *ptr;
    void (*release)(void *ptr);
};

struct watched_signal {
    struct event *event;
    signal_cb cb;
    void *arg;
};

struct loop {
    struct event_base *base;
    struct doomed *doomed;
    struct watched_signal signals[LOOP_SIGNALS_MAX];
    size_t signal_ct;
    uint64_t turns;
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

void loop_destroy(struct loop *loop)
{
    if (loop == NULL)
        return;
    free_doomed(loop);
    for (size_t i = 0; i < loop->signal_ct; i++)
        event_free(loop->signals[i].event);
    event_base_free(loop->base);
    free(loop);
}

struct event_base *loop_base(struct loop *loop)
{
    return loop->base;
}

void loop_run(struct loop *loop)
{
    loop->stop = false;
    while (!loop->stop) {
        int rc = event_base_loop(loop->base, EVLOOP_ONCE | EVLOOP_NO_EXIT_ON_EMPTY);

        MUST(rc >= 0);
        loop->turns++;
        free_doomed(loop);
    }
}

void loop_stop(struct loop *loop)
{
    loop->stop = true;
    event_base_loopbreak(loop->base);
}

uint64_t loop_turns(const struct loop *loop)
{
    return loop->turns;
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
    timer->event = evtimer_new(loop->base, timer_fired, timer);
    MUST(timer->event != NULL);
}

void timer_set(struct timer *timer, int64_t after_ms)
{
    timer_set_us(timer, after_ms < 0 ? 0 : after_ms * 1000);
}

void timer_set_us(struct timer *timer, int64_t after_us)
{
    struct timeval tv;

    if (after_us < 0)
        after_us = 0;
    tv.tv_sec = (time_t)(after_us / 1000000);
    tv.tv_usec = (suseconds_t)(after_us % 1000000);
    MUST(evtimer_add(timer->event, &tv) == 0);
}

void timer_stop(struct timer *timer)
{
    if (timer->event)
        (void)evtimer_del(timer->event);
}

bool timer_is_set(const struct timer *timer)
{
    return timer->event && evtimer_pending(timer->event, NULL) != 0;
}

void timer_free(struct timer *timer)
{
    if (timer->event)
        event_free(timer->event);
    timer->event = NULL;
}

static void signal_fired(evutil_socket_t signum, short what UNUSED, void *arg)
{
    struct watched_signal *watched = arg;

    watched->cb(signum, watched->arg);
}

int loop_on_signal(struct loop *loop, int signum, signal_cb cb, void *arg)
{
    struct watched_signal *watched;

    MUST(loop->signal_ct < LOOP_SIGNALS_MAX);
    watched = &loop->signals[loop->signal_ct];
    watched->cb = cb;
    watched->arg = arg;
    watched->event = evsignal_new(loop->base, signum, signal_fired, watched);
    if (watched->event == NULL || evsignal_add(watched->event, NULL) != 0)
        return -1;
    loop->signal_ct++;
    return 0;
}
