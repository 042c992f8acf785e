/* The command of a shell job: argv and environment, from configuration and payload. Pure.
 */
#ifndef JOBS_COMMAND_H
#define JOBS_COMMAND_H

#include "jobs/handler.h"

enum { COMMAND_ARG_BYTES = 128 * 1024 - 1 }; /* what Linux takes as one argument */

struct command {
    char **argv; /* NULL-terminated, as is envp */
    char **envp;
};

/* Each element of the configured command becomes one argument, its placeholders filled
 * from the payload; the first, the program, may hold none, since a payload is to choose
 * among commands, never to name one. The environment is built from nothing: PATH, LANG,
 * DROVER_JOB (its name), DROVER_JOB_UUID, DROVER_QUEUE, DROVER_ATTEMPT, DROVER_MAX_TRIES
 * (0: without limit; these three also with DROVER_JOB_ in front), then the job's `env`,
 * where a name may take the place of one before.
 * -1: `err` says what is wrong with the payload, and `command` needs no freeing. */
int command_build(struct command *command, const struct job *job,
                  struct err *err) MUSTCHECK;

/* The command of a co-process, for a job's entry of type laravel: `php` and the bridge.
 * The environment is drover's own where inherit_env says so, else PATH and LANG; then the
 * entry's `env`. */
void command_build_runner(struct command *command, const struct job_config *config);
void command_free(struct command *command);

const char *command_path(const struct command *command); /* PATH's value; NULL: unset */

#endif
