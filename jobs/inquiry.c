/* The rounds of asking, and what the worker is told of the answers of all entries. */
#include "jobs/inquiry.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"

enum {
    TICK_MS = 1000,
    ASK_MS = 2000,        /* between two answers of one application, and up to a tick */
    LIMIT_MS = 10 * 1000, /* for an answer; a runner that takes longer is replaced */
    SPARED_MS = 60 * 1000 /* an application that did not answer is left alone so long */
};

struct inquiry {
    struct loop *loop;
    struct team *teams;
    size_t team_ct;
    struct coprocess_watch watch;
    struct timer tick;
    bool *paused; /* as the watch was told last, by place of the queue */
    const char *held;
};

static void tick(void *arg);

struct inquiry *inquiry_create(struct loop *loop, struct team *teams, size_t team_ct,
                               const struct coprocess_watch *watch)
{
    struct inquiry *inquiry = must_alloc(sizeof(*inquiry));

    inquiry->loop = loop;
    inquiry->teams = teams;
    inquiry->team_ct = team_ct;
    inquiry->watch = *watch;
    inquiry->paused = must_alloc((watch->queues->ct + 1) * sizeof(*inquiry->paused));
    for (size_t i = 0; i < team_ct; i++)
        app_state_init(&teams[i].app, watch->queues->ct);
    timer_init(&inquiry->tick, loop, tick, inquiry);
    timer_set(&inquiry->tick, TICK_MS);
    return inquiry;
}

void inquiry_destroy(struct inquiry *inquiry)
{
    if (inquiry == NULL)
        return;
    for (size_t i = 0; i < inquiry->team_ct; i++)
        app_state_free(&inquiry->teams[i].app);
    timer_free(&inquiry->tick);
    free(inquiry->paused);
    free(inquiry);
}

/* ---- asking ---- */

bool inquiry_ask(struct inquiry *inquiry, struct runner *runner)
{
    struct team *team = runner->team;
    int64_t now_ms = clock_mono_ms();
    struct buf frame;

    if (inquiry == NULL || !runner->tells_state || runner->state != RUNNER_UP ||
        team->asked || now_ms < team->ask_at_ms)
        return false;
    if (team->draining && runner->run == NULL)
        return false; /* it is to end */
    team->asked = runner;
    team->ask_late_ms = now_ms + LIMIT_MS;
    buf_init(&frame, 0);
    frame_add_state(&frame, runner->config, inquiry->watch.queues);
    runner_send(runner, buf_slice(&frame));
    buf_free(&frame);
    return true;
}

static void give_up(struct team *team, int64_t now_ms)
{
    team->ask_at_ms = now_ms + SPARED_MS;
    (void)snprintf(team->trouble, sizeof(team->trouble),
                   "the application did not tell its state within %d s", LIMIT_MS / 1000);
    runner_kill(team->asked, team->trouble);
}

static void ask_team(struct inquiry *inquiry, struct team *team)
{
    int64_t now_ms = clock_mono_ms();
    struct runner *runner;

    if (team->asked && now_ms >= team->ask_late_ms)
        give_up(team, now_ms);
    if (team->asked || team->draining || now_ms < team->ask_at_ms)
        return;
    TAILQ_FOREACH(runner, &team->runners, link)
    if (runner->run == NULL && inquiry_ask(inquiry, runner))
        return;
    if (team->runner_ct == 0 && app_state_restrains(&team->app))
        (void)team_find(team, NULL);
}

static void tick(void *arg)
{
    struct inquiry *inquiry = arg;

    timer_set(&inquiry->tick, TICK_MS);
    for (size_t i = 0; i < inquiry->team_ct; i++)
        if (inquiry->teams[i].config->type == JOB_LARAVEL)
            ask_team(inquiry, &inquiry->teams[i]);
}

/* ---- answers ---- */

static bool is_paused(const struct inquiry *inquiry, size_t queue)
{
    for (size_t i = 0; i < inquiry->team_ct; i++)
        if (app_state_is_paused(&inquiry->teams[i].app, queue))
            return true;
    return false;
}

static const char *is_held(const struct inquiry *inquiry)
{
    const char *why = NULL;

    for (size_t i = 0; i < inquiry->team_ct && why == NULL; i++)
        why = app_state_held(&inquiry->teams[i].app,
                             inquiry->teams[i].config->laravel.force);
    return why;
}

static void tell_watch(struct inquiry *inquiry)
{
    const char *held = is_held(inquiry);

    for (unsigned i = 0; i < inquiry->watch.queues->ct; i++) {
        bool paused = is_paused(inquiry, i);

        if (paused == inquiry->paused[i])
            continue;
        inquiry->paused[i] = paused;
        inquiry->watch.paused(inquiry->watch.arg, i, paused);
    }
    if ((held == NULL) == (inquiry->held == NULL))
        return;
    inquiry->held = held;
    inquiry->watch.held(inquiry->watch.arg, held);
}

/* Said once, until it can tell again. */
static void note_trouble(struct team *team, const char *reason)
{
    if (reason[0] && !team->untold)
        log_warning("runner.state_unknown", log_str("job", team->config->name),
                    log_str("reason", reason),
                    log_str("then", "what it told before stays in force"));
    if (!reason[0] && team->untold)
        log_info("runner.state_known", log_str("job", team->config->name));
    team->untold = reason[0] != '\0';
}

bool inquiry_took(struct inquiry *inquiry, struct runner *runner,
                  const struct frame *frame)
{
    struct team *team = runner->team;

    if (inquiry == NULL || team->asked != runner)
        return false;
    team->asked = NULL;
    team->ask_at_ms = clock_mono_ms() + ASK_MS;
    note_trouble(team, frame->reason);
    if (app_state_take(&team->app, frame, inquiry->watch.queues)) {
        log_info("runner.restart", log_str("job", team->config->name),
                 log_str("app", team->config->laravel.app),
                 log_int("runners", team->runner_ct));
        team_renew(team);
        inquiry->watch.restart(inquiry->watch.arg);
    }
    tell_watch(inquiry);
    return true;
}

void inquiry_lost(struct inquiry *inquiry, struct runner *runner)
{
    struct team *team = runner->team;
    int64_t soon_ms = clock_mono_ms() + ASK_MS;

    if (inquiry == NULL || team->asked != runner)
        return;
    team->asked = NULL;
    if (team->ask_at_ms < soon_ms)
        team->ask_at_ms = soon_ms;
}

const char *inquiry_objects(const struct inquiry *inquiry, const char *queue)
{
    const struct text_list *queues = inquiry ? inquiry->watch.queues : NULL;

    if (inquiry == NULL || inquiry->held)
        return inquiry ? inquiry->held : NULL;
    for (size_t i = 0; i < queues->ct; i++)
        if (inquiry->paused[i] && strcmp(queues->items[i], queue) == 0)
            return "its queue is paused";
    return NULL;
}
