/* The one flag that signal handlers of the command line set. */
#include "cli/interrupt.h"

#include <signal.h>
#include <stddef.h>

static volatile sig_atomic_t seen;

static void note_signal(int signum)
{
    (void)signum;
    seen = 1;
}

void interrupt_watch(void)
{
    /* No SA_RESTART: a read must return. SA_RESETHAND: a second signal ends us. */
    struct sigaction action = {.sa_handler = note_signal};

    action.sa_flags = (int)SA_RESETHAND;
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

bool interrupt_seen(void)
{
    return seen != 0;
}

static void mask(int how)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigprocmask(how, &set, NULL);
}

void interrupt_hold(void)
{
    mask(SIG_BLOCK);
}

void interrupt_allow(void)
{
    mask(SIG_UNBLOCK);
}
