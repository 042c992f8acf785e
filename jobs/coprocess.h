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

/* Runners without a job are asked to end, now and from now on. NULL is fine, as below. */
void coprocess_drain(struct coprocess *coprocess);

/* Those are killed that are still there without a job, also those that were asked. */
void coprocess_hurry(struct coprocess *coprocess);

bool coprocess_is_empty(const struct coprocess *coprocess); /* no runner is left */

/* Kills all runners; jobs that run are forgotten. */
void coprocess_close(struct coprocess *coprocess);

#endif
