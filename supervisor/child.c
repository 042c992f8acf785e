/* One child process under a slot: turns actions into fork, signals and timers, and
 * deaths into events. Must not know what the child is for. */
#include "supervisor/child.h"

#include <signal.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/random.h"
#include "supervisor/supervisor.h"

static void timer_fired(void *arg)
{
    child_event(arg, SLOT_TIMER);
}

void child_init(struct child *child, struct loop *loop, struct reaper *reaper,
                const struct child_ops *ops, void *owner)
{
    *child = (struct child){.ops = ops, .owner = owner, .reaper = reaper};
    slot_init(&child->slot);
    timer_init(&child->timer, loop, timer_fired, child);
}

void child_free(struct child *child)
{
    if (child->pid > 0)
        reaper_forget(child->reaper, child->pid);
    timer_free(&child->timer);
}

static void child_reaped(pid_t pid, int status, const struct rusage *usage UNUSED,
                         void *arg)
{
    struct child *child = arg;

    child->pid = 0;
    child->ops->died(child->owner, pid, status);
}

static void spawn_process(struct child *child)
{
    struct err err = {0};
    pid_t pid = child->ops->spawn(child->owner, &err);

    if (pid > 0) {
        child->pid = pid;
        reaper_watch(child->reaper, pid, child_reaped, child);
        child->ops->started(child->owner);
        return;
    }
    child_event(child, SLOT_SPAWN_FAILED);
    child->ops->spawn_failed(child->owner, &err);
}

static void send_signal(const struct child *child, int signum)
{
    if (child->pid > 0) /* not yet reaped, so the number is still this child's */
        (void)kill(child->pid, signum);
}

static void act(struct child *child, unsigned actions)
{
    if (actions & SLOT_DO_CANCEL_TIMER)
        timer_stop(&child->timer);
    if (actions & SLOT_DO_TIMER)
        timer_set(&child->timer, child->slot.timer_ms);
    if (actions & SLOT_DO_TERM)
        send_signal(child, SIGTERM);
    if (actions & SLOT_DO_ABORT)
        send_signal(child, SIGABRT);
    if (actions & SLOT_DO_KILL) {
        send_signal(child, SIGKILL);
        if (child->pid > 0 && child->ops->kill_sent)
            child->ops->kill_sent(child->owner);
    }
    if (actions & SLOT_DO_SPAWN)
        spawn_process(child);
}

void child_event(struct child *child, enum slot_event event)
{
    enum slot_state was = child->slot.state;

    act(child, slot_event(&child->slot, event, &child->times, clock_mono_ms(),
                          random_below(UINT32_MAX)));
    if (child->slot.state != was || event == SLOT_STOP || event == SLOT_START)
        child->ops->changed(child->owner);
}

void child_bury(struct child *child, enum slot_event how)
{
    MUST(child->pid == 0);
    child_event(child, how);
    child->ops->changed(child->owner); /* STARTING may have become STARTING again */
}

enum slot_event child_exit_event(int status)
{
    if (!WIFEXITED(status))
        return SLOT_EXIT_BAD;
    if (WEXITSTATUS(status) == 0)
        return SLOT_EXIT_OK;
    return WEXITSTATUS(status) == SUPERVISOR_EXIT_CONFIG ? SLOT_EXIT_CONFIG
                                                         : SLOT_EXIT_BAD;
}

bool child_is_alive(const struct child *child)
{
    return child->pid > 0;
}
