/* Co-processes: what a worker holds to run jobs of type laravel. The handler itself is
 * laravel_handler in jobs/handler.h.
 *
 * Each entry of the configuration has runners of its own, started as jobs need them: as
 * many as run at a time, which the pool's `concurrency` bounds.
 */
#ifndef JOBS_COPROCESS_H
#define JOBS_COPROCESS_H

#include "jobs/handler.h"

typedef void (*coprocess_gone_cb)(void *arg);

/* For the laravel jobs of `config`, which is borrowed, as are loop and reaper of `env`;
 * NULL where it has none. `gone` is called from the loop each time the last runner has
 * ended. */
struct coprocess *coprocess_open(const struct handler_env *env,
                                 const struct config *config, coprocess_gone_cb gone,
                                 void *arg) MUSTCHECK;

/* Who wants to know what the applications say of themselves between jobs. All entries
 * count alike: what one of them wants is so. Called from the loop, never from inside a
 * call. */
struct coprocess_watch {
    const struct text_list *queues; /* the pool's; borrowed */
    /* Nothing is to be taken from a queue for now, or again. */
    void (*paused)(void *arg, unsigned queue, bool on);
    /* Nothing is to be taken at all: "maintenance", "listener"; NULL: again. */
    void (*held)(void *arg, const char *why);
    /* Workers are to begin anew; runners are replaced after their jobs without that. */
    void (*restart)(void *arg);
    void *arg;
};

/* Once, before the first job. `watch` is copied. */
void coprocess_watch(struct coprocess *coprocess, const struct coprocess_watch *watch);

/* Runners without a job are asked to end, now and from now on. NULL is fine, as below. */
void coprocess_drain(struct coprocess *coprocess);

/* Those are killed that are still there without a job, also those that were asked. */
void coprocess_hurry(struct coprocess *coprocess);

bool coprocess_is_empty(const struct coprocess *coprocess); /* no runner is left */

/* Kills all runners; jobs that run are forgotten. */
void coprocess_close(struct coprocess *coprocess);

#endif
