/* A slot brought to life: carries out what slot_event() decides for one child process.
 *
 * What the child is (a worker, the embedded redis-server) is its owner's business, given
 * as operations. The owner embeds a struct child and must outlive it.
 */
#ifndef SUPERVISOR_CHILD_H
#define SUPERVISOR_CHILD_H

#include <sys/types.h>

#include "base/loop.h"
#include "base/reaper.h"
#include "supervisor/slot.h"

struct child_ops {
    /* Starts a process: its pid, or -1 with `err`. */
    pid_t (*spawn)(void *owner, struct err *err);
    /* No process could be started; the child tries again by itself. */
    void (*spawn_failed)(void *owner, const struct err *err);
    void (*started)(void *owner); /* child->pid is known */
    /* The process is gone. The owner clears up after it, be it later, and then calls
     * child_bury(); until then nothing new is started. */
    void (*died)(void *owner, pid_t pid, int status);
    void (*kill_sent)(void *owner); /* it had to be killed; may be NULL */
    void (*changed)(void *owner); /* the state is another one; must not free the child */
};

struct child {
    struct slot slot;
    struct slot_times times;
    pid_t pid; /* also its process group; 0: none */
    const struct child_ops *ops;
    void *owner;
    struct reaper *reaper;
    struct timer timer;
};

void child_init(struct child *child, struct loop *loop, struct reaper *reaper,
                const struct child_ops *ops, void *owner);
void child_free(struct child *child); /* forgets the process, does not end it */

void child_event(struct child *child, enum slot_event event);
void child_bury(struct child *child, enum slot_event how); /* one of SLOT_EXIT_* */

enum slot_event child_exit_event(int status); /* of a wait(2) status */
bool child_is_alive(const struct child *child);

#endif
