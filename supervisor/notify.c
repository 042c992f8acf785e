/* sd_notify. Must never matter for how the supervisor runs: what cannot be sent is
 * forgotten. */
#include "supervisor/notify.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef HAVE_SYSTEMD
#include <systemd/sd-daemon.h>
#endif

#include "base/clock.h"

enum { STATUS_BYTES = 640, STATE_BYTES = 704 };

struct notify {
    struct timer watchdog;
    int64_t watchdog_ms; /* between two pings; 0: none wanted */
    char status[STATUS_BYTES];
};

#ifdef HAVE_SYSTEMD
int (*notify_send_hook)(int unset_environment, const char *state) = sd_notify;

static int64_t watchdog_interval_ms(void)
{
    uint64_t usec = 0;

    return sd_watchdog_enabled(0, &usec) > 0 ? (int64_t)(usec / 2000) : 0;
}
#else
static int send_nothing(int unset_environment UNUSED, const char *state UNUSED)
{
    return 0;
}

int (*notify_send_hook)(int unset_environment, const char *state) = send_nothing;

static int64_t watchdog_interval_ms(void)
{
    return 0;
}
#endif

static void send_state(const char *state)
{
    (void)notify_send_hook(0, state);
}

static void ping(void *arg)
{
    struct notify *notify = arg;

    send_state("WATCHDOG=1");
    timer_set(&notify->watchdog, notify->watchdog_ms);
}

struct notify *notify_create(struct loop *loop)
{
    struct notify *notify = must_alloc(sizeof(*notify));

    timer_init(&notify->watchdog, loop, ping, notify);
    notify->watchdog_ms = watchdog_interval_ms();
    if (notify->watchdog_ms > 0)
        timer_set(&notify->watchdog, 0);
    return notify;
}

void notify_destroy(struct notify *notify)
{
    if (notify == NULL)
        return;
    timer_free(&notify->watchdog);
    free(notify);
}

void notify_ready(struct notify *notify UNUSED)
{
    send_state("READY=1");
}

void notify_reloading(struct notify *notify UNUSED)
{
    char state[STATE_BYTES];

    (void)snprintf(state, sizeof(state), "RELOADING=1\nMONOTONIC_USEC=%" PRId64,
                   clock_mono_us());
    send_state(state);
}

void notify_stopping(struct notify *notify UNUSED)
{
    send_state("STOPPING=1");
}

void notify_status(struct notify *notify, const char *text)
{
    char state[STATE_BYTES];

    if (strncmp(notify->status, text, sizeof(notify->status) - 1) == 0)
        return;
    (void)snprintf(notify->status, sizeof(notify->status), "%s", text);
    (void)snprintf(state, sizeof(state), "STATUS=%s", notify->status);
    send_state(state);
}
