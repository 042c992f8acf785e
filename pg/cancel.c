/* A thread per cancellation, detached, with a copy of all it needs. What counts them is
 * shared and freed by whoever is the last. */
#include "pg/cancel.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/must.h"

struct cancels {
    atomic_int users; /* the owner and each thread */
};

struct task {
    struct cancels *cancels;
    PGcancel *cancel;
};

struct cancels *cancels_create(void)
{
    struct cancels *cancels = must_alloc(sizeof(*cancels));

    atomic_init(&cancels->users, 1);
    return cancels;
}

void cancels_release(struct cancels *cancels)
{
    if (cancels && atomic_fetch_sub(&cancels->users, 1) == 1)
        free(cancels);
}

static void end_task(struct task *task)
{
    PQfreeCancel(task->cancel);
    cancels_release(task->cancels);
    free(task);
}

static void *ask(void *arg)
{
    struct task *task = arg;
    char said[256];

    (void)PQcancel(task->cancel, said, sizeof(said));
    end_task(task);
    return NULL;
}

/* Signals are for the loop's thread alone. */
static bool start_thread(struct task *task)
{
    pthread_attr_t attr;
    sigset_t all, before;
    pthread_t thread;
    bool started;

    (void)sigfillset(&all);
    (void)pthread_attr_init(&attr);
    (void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    started = pthread_create(&thread, &attr, ask, task) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)pthread_attr_destroy(&attr);
    return started;
}

void cancels_ask(struct cancels *cancels, PGconn *conn)
{
    struct task *task;

    if (atomic_load(&cancels->users) > CANCELS_MAX)
        return;
    task = must_alloc(sizeof(*task));
    task->cancels = cancels;
    task->cancel = PQgetCancel(conn);
    (void)atomic_fetch_add(&cancels->users, 1);
    if (task->cancel == NULL || !start_thread(task))
        end_task(task);
}
