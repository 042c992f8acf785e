/* Keeping runners: the last used one is the next, so that the others stay idle; the time
 * between two boots grows while they fail. Knows no jobs. */
#include "jobs/team.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/compat.h"
#include "base/log.h"
#include "jobs/shortage.h"

enum {
    BACKOFF_FIRST_MS = 1000,
    BACKOFF_MOST_MS = 60 * 1000,
    KIB = 1024,
    MIB = 1024 * KIB
};

void team_init(struct team *team, const struct handler_env *env,
               const struct job_config *config, const struct runner_events *events,
               void *owner)
{
    *team =
        (struct team){.env = *env, .config = config, .events = events, .owner = owner};
    TAILQ_INIT(&team->runners);
}

void team_free(struct team *team)
{
    struct runner *runner, *next;

    TAILQ_FOREACH_SAFE(runner, &team->runners, link, next)
    runner_destroy(runner);
}

/* ---- who goes ---- */

static bool is_worn_out(const struct runner *runner)
{
    const struct laravel_config *limits = &runner->config->laravel;

    return (limits->max_jobs > 0 && runner->job_ct >= limits->max_jobs) ||
           (limits->memory_mib > 0 && runner->memory_bytes / MIB >= limits->memory_mib);
}

static void dismiss(struct runner *runner, const char *why)
{
    log_debug("runner.dismissed", log_str("job", runner->config->name),
              log_int("pid", runner->pid), log_str("why", why),
              log_int("jobs", runner->job_ct),
              log_int("memory_kb", runner->memory_bytes / KIB));
    runner_dismiss(runner);
}

void team_take_back(struct team *team, struct runner *runner, bool wants_to_leave)
{
    if (team->draining)
        dismiss(runner, "drain");
    else if (wants_to_leave)
        dismiss(runner, "its own wish");
    else if (runner->stale)
        dismiss(runner, "restart");
    else if (is_worn_out(runner))
        dismiss(runner, "worn out");
    TAILQ_REMOVE(&team->runners, runner, link);
    TAILQ_INSERT_HEAD(&team->runners, runner, link);
}

void team_renew(struct team *team)
{
    struct runner *runner;

    TAILQ_FOREACH(runner, &team->runners, link)
    {
        runner->stale = true;
        if (runner->run == NULL && runner->state == RUNNER_UP)
            dismiss(runner, "restart");
    }
}

void team_drain(struct team *team)
{
    struct runner *runner;

    team->draining = true;
    TAILQ_FOREACH(runner, &team->runners, link)
    if (runner->run == NULL && runner->state == RUNNER_UP)
        dismiss(runner, "drain");
    else if (runner->run == NULL && runner->state == RUNNER_BOOTING)
        runner_kill(runner, NULL);
}

void team_hurry(struct team *team)
{
    struct runner *runner;

    TAILQ_FOREACH(runner, &team->runners, link)
    if (runner->run == NULL)
        runner_kill(runner, NULL);
}

/* ---- who comes ---- */

/* Each failure doubles the time in which no other runner is started. Several that boot at
 * the same time fail at the same time: they count once. */
static void close_team(struct team *team, const char *trouble, const char *advice)
{
    int64_t now_ms = clock_mono_ms();

    (void)snprintf(team->trouble, sizeof(team->trouble), "%s", trouble);
    if (now_ms < team->closed_until_ms || team->draining)
        return;
    team->backoff_ms = team->backoff_ms ? team->backoff_ms * 2 : BACKOFF_FIRST_MS;
    if (team->backoff_ms > BACKOFF_MOST_MS)
        team->backoff_ms = BACKOFF_MOST_MS;
    team->closed_until_ms = now_ms + team->backoff_ms;
    log_error("runner.boot_failed", log_str("job", team->config->name),
              log_str("app", team->config->laravel.app),
              log_int("retry_in_ms", team->backoff_ms), log_str("reason", trouble),
              log_str("do", advice));
}

int64_t team_wait_ms(const struct team *team)
{
    int64_t wait_ms = team->closed_until_ms - clock_mono_ms();

    return wait_ms > BACKOFF_FIRST_MS ? wait_ms : BACKOFF_FIRST_MS;
}

/* One that is being asked for its state is soon free: that is sooner than a new one
 * boots.
 */
static struct runner *pick_idle(struct team *team)
{
    struct runner *runner, *asked = NULL;

    TAILQ_FOREACH(runner, &team->runners, link)
    {
        if (runner->state != RUNNER_UP || runner->run || runner_has_ended(runner))
            continue;
        if (runner != team->asked)
            return runner;
        asked = runner;
    }
    return asked;
}

/* The new one is the first of the list. */
static bool start_one(struct team *team, _Atomic(pid_t) *group)
{
    struct runner *runner;
    struct err err;

    runner = runner_start(&team->env, team->config, team->events, group, &err);
    if (runner == NULL) {
        close_team(team, err.text, shortage_advice(err.errnum));
        return false;
    }
    runner->team = team;
    TAILQ_INSERT_HEAD(&team->runners, runner, link);
    team->runner_ct++;
    return true;
}

struct runner *team_find(struct team *team, _Atomic(pid_t) *group)
{
    struct runner *runner = pick_idle(team);
    bool closed = team->backoff_ms > 0 && clock_mono_ms() < team->closed_until_ms;

    if (runner || closed || !start_one(team, group))
        return runner;
    return TAILQ_FIRST(&team->runners);
}

void team_booted(struct team *team, struct runner *runner)
{
    team->backoff_ms = 0;
    log_info("runner.ready", log_str("job", runner->config->name),
             log_int("pid", runner->pid), log_int("boot_ms", runner->boot_ms));
    if (runner->run == NULL && team->draining)
        dismiss(runner, "drain");
    else if (runner->run == NULL && runner->stale)
        dismiss(runner, "restart");
}

static void log_end(const struct runner *runner, const struct runner_end *end)
{
    bool meant = runner->state == RUNNER_LEAVING && end->exit_status == 0;

    log_at(meant ? LOG_INFO : LOG_WARNING, "runner.ended",
           log_str("job", runner->config->name), log_int("pid", runner->pid),
           log_int("jobs", runner->job_ct), log_opt("exit", end->exit_status),
           log_str("signal", end->signal ? reaper_signal_name(end->signal) : NULL),
           log_int("cpu_ms", end->cpu_ms), log_int("max_rss_kb", end->max_rss_kb),
           log_str("reason", meant ? NULL : end->cause));
}

void team_lose(struct team *team, struct runner *runner, const struct runner_end *end)
{
    TAILQ_REMOVE(&team->runners, runner, link);
    team->runner_ct--;
    if (runner->state == RUNNER_BOOTING)
        close_team(team, end->cause, NULL);
    else
        log_end(runner, end);
}
