/* The runners of one entry of the configuration: who is idle, who may be started, who has
 * to go. */
#ifndef JOBS_TEAM_H
#define JOBS_TEAM_H

#include "jobs/app_state.h"
#include "jobs/runner.h"

TAILQ_HEAD(runner_list, runner);

struct team {
    struct handler_env env;
    const struct job_config *config;
    const struct runner_events *events;
    void *owner;
    struct runner_list runners; /* the last used one first */
    unsigned runner_ct;
    bool draining;
    int64_t backoff_ms;      /* 0: its runners boot */
    int64_t closed_until_ms; /* monotonic; no runner is started before */
    char trouble[OUTCOME_REASON_BYTES];
    /* inquiry.c's: */
    struct app_state app;
    struct runner *asked;           /* has not answered yet; NULL: none */
    int64_t ask_at_ms, ask_late_ms; /* monotonic */
    bool untold;                    /* at the last time it could not tell */
};

/* All is borrowed. A runner's `team` is this one. */
void team_init(struct team *team, const struct handler_env *env,
               const struct job_config *config, const struct runner_events *events,
               void *owner);
void team_free(struct team *team); /* kills all its runners, without callbacks */

/* One that is up and has no job, else a new one that boots, its group noted in `group`
 * (may be NULL). NULL: there is none to be had for team_wait_ms(); `trouble` says why. */
struct runner *team_find(struct team *team, _Atomic(pid_t) *group);
int64_t team_wait_ms(const struct team *team); /* at least a second */

void team_booted(struct team *team, struct runner *runner);

/* A runner has done its job: it stays for the next, or has to go. */
void team_take_back(struct team *team, struct runner *runner, bool wants_to_leave);

/* Those that there are now make way, each after its job. */
void team_renew(struct team *team);

/* A runner is gone; the caller's events told so. */
void team_lose(struct team *team, struct runner *runner, const struct runner_end *end);

/* Runners without a job are asked to end, now and from now on. */
void team_drain(struct team *team);
void team_hurry(struct team *team); /* kills those that are still there without a job */

#endif
