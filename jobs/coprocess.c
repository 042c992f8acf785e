/* Jobs of type laravel, by co-processes that live longer than one job.
 *
 *   BOOTING --hello--> RUNNING --done--> over
 *                         `--runner died--> AFTER_BOOTING --hello--> AFTER --done--> over
 *
 * What becomes of a job is the runner's word: deleted, released for so long, or failed.
 * It counts once the runner has said "done"; a failure counts at once. If the runner died
 * without a word, another is asked what is to become of the job (AFTER), so that what the
 * application keeps about it (locks, batches) comes to its end; only where that does not
 * work either is it the policy's to decide. While an entry's runners do not boot, its
 * jobs are put aside, and the time between two boots grows.
 *
 * Knows nothing of leases or Redis.
 */
#include "jobs/coprocess.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "jobs/inquiry.h"
#include "jobs/team.h"

enum { AFTER_MS = 30 * 1000 }; /* for the runner that is asked about another's job */

LIST_HEAD(run_list, run);

struct coprocess {
    struct handler_env env;
    const struct config *config;
    struct team *teams;      /* one for each entry of config->jobs */
    struct inquiry *inquiry; /* NULL: nobody wants to know */
    struct run_list runs;    /* that have not told of their end yet */
    int64_t next_id;
    coprocess_gone_cb gone;
    void *arg;
};

enum stage { STAGE_BOOTING, STAGE_RUNNING, STAGE_AFTER_BOOTING, STAGE_AFTER };

struct run {
    LIST_ENTRY(run) link;
    struct coprocess *coprocess;
    struct team *team;
    const struct job *job; /* borrowed until done() returns */
    run_done_cb done;
    void *arg;
    enum stage stage;
    struct runner *runner; /* NULL: over, as soon as the timer fires */
    int64_t id;
    struct timer timer; /* the job's time and grace; a stop's grace; the end */
    bool timed_out;
    bool left; /* the runner dealt with the timeout, and ended by itself */
    bool abandoned;
    char why[OUTCOME_REASON_BYTES]; /* abandoned */
    /* what the runner has said */
    enum frame_verdict verdict;
    int64_t delay_ms;
    int64_t memory_bytes; /* -1: not said */
    char reason[OUTCOME_REASON_BYTES];
    struct buf detail;
    /* how the runner ended that ran it */
    struct runner_end end;
    bool died;
    struct buf out, err;
    uint64_t out_bytes, err_bytes;
};

static const struct runner_events runner_events;

/* ---- the end of a run ---- */

static void free_run(void *ptr)
{
    struct run *run = ptr;

    timer_free(&run->timer);
    buf_free(&run->detail);
    buf_free(&run->out);
    buf_free(&run->err);
    free(run);
}

static void judge_verdict(struct outcome *outcome, const struct run *run)
{
    switch (run->verdict) {
    case FRAME_DELETE:
        outcome_init(outcome, OUTCOME_DONE, "%s", "");
        break;
    case FRAME_RELEASE:
        outcome_init(outcome, OUTCOME_RETRY, "%s",
                     run->reason[0] ? run->reason : "released by the job");
        outcome->decided = true;
        outcome->willing = !run->reason[0];
        outcome->wait_ms = run->delay_ms;
        break;
    case FRAME_FAIL:
        outcome_init(outcome, OUTCOME_FAIL, "%s",
                     run->reason[0] ? run->reason : "failed by the job");
        outcome->detail = buf_slice(&run->detail);
        break;
    case FRAME_NONE:
        outcome_init(outcome, OUTCOME_RETRY,
                     "the job ended, and was neither deleted nor released nor failed");
        break;
    }
}

/* The cause is what matters of a job whose runner died, whatever was decided then. */
static void judge_run(struct outcome *outcome, const struct run *run)
{
    judge_verdict(outcome, run);
    if (run->died && run->verdict <= (run->left ? FRAME_NONE : FRAME_DELETE))
        outcome_init(outcome, OUTCOME_RETRY, "%s", run->end.cause);
    else if (run->died && (run->verdict == FRAME_RELEASE || run->stage >= STAGE_AFTER))
        (void)snprintf(outcome->reason, sizeof(outcome->reason), "%s", run->end.cause);
    if (run->abandoned && outcome->kind != OUTCOME_FAIL && !run->timed_out)
        outcome_init(outcome, OUTCOME_ABANDONED, "%s", run->why);
    outcome->timed_out = run->timed_out && outcome->kind != OUTCOME_DONE;
    outcome->held_bytes = run->memory_bytes;
    if (run->died) {
        outcome->exit_status = run->end.exit_status;
        outcome->signal = run->end.signal;
        outcome->cpu_ms = run->end.cpu_ms;
        outcome->max_rss_kb = run->end.max_rss_kb;
    }
    outcome->stdout_tail = buf_slice(&run->out);
    outcome->stderr_tail = buf_slice(&run->err);
    outcome->stdout_bytes = run->out_bytes;
    outcome->stderr_bytes = run->err_bytes;
}

/* The runner, if there is one left, must not know the run any more. */
static void finish_as(struct run *run, const struct outcome *outcome)
{
    if (run->job->group)
        *run->job->group = 0;
    timer_stop(&run->timer);
    LIST_REMOVE(run, link);
    run->done(run->arg, outcome);
    loop_defer_free(run->coprocess->env.loop, run, free_run);
}

static void finish(struct run *run)
{
    struct outcome outcome;

    judge_run(&outcome, run);
    finish_as(run, &outcome);
}

static void set_postponed(struct outcome *outcome, const struct team *team)
{
    outcome_init(outcome, OUTCOME_POSTPONE, "%s", team->trouble);
    outcome->wait_ms = team_wait_ms(team);
}

static void finish_postponed(struct run *run)
{
    struct outcome outcome;

    set_postponed(&outcome, run->team);
    finish_as(run, &outcome);
}

static void take_output(struct run *run, struct runner *runner)
{
    if (run->out.len > 0 || run->err.len > 0)
        return; /* of the runner that ran it, not of one that was asked later */
    output_take(&runner->out);
    output_take(&runner->err);
    tail_copy(&runner->out.tail, &run->out);
    tail_copy(&runner->err.tail, &run->err);
    run->out_bytes = runner->out.tail.total;
    run->err_bytes = runner->err.tail.total;
}

static void detach(struct run *run)
{
    if (run->runner)
        run->runner->run = NULL;
    run->runner = NULL;
}

/* An idle runner or a new one, bound to the run. False: there is none to be had. */
static bool find_runner(struct run *run)
{
    run->runner = team_find(run->team, run->job->group);
    if (run->runner == NULL)
        return false;
    run->runner->run = run;
    if (run->job->group)
        *run->job->group = run->runner->pid;
    return true;
}

/* It may be sent a job; else it boots, or has been asked something. */
static bool is_free(const struct runner *runner)
{
    return runner->state == RUNNER_UP && runner->team->asked != runner;
}

/* ---- a job with its runner ---- */

static int64_t allowed_ms(const struct run *run)
{
    const struct policy *policy = run->job->policy;

    if (run->stage == STAGE_AFTER)
        return AFTER_MS;
    if (policy == NULL || policy->timeout_ms == 0)
        return 0;
    return policy->timeout_ms + run->team->config->kill_grace_ms;
}

static void send_job(struct run *run)
{
    struct runner *runner = run->runner;
    struct buf frame;

    run->stage = run->stage <= STAGE_RUNNING ? STAGE_RUNNING : STAGE_AFTER;
    run->id = ++run->coprocess->next_id;
    buf_init(&frame, 0);
    if (run->stage == STAGE_RUNNING)
        frame_add_job(&frame, run->job, run->id);
    else
        frame_add_after(&frame, run->job, run->id, run->end.cause, run->timed_out);
    runner_restart_output(runner);
    runner_send(runner, buf_slice(&frame));
    buf_free(&frame);
    runner->job_ct++;
    if (allowed_ms(run) > 0)
        timer_set(&run->timer, allowed_ms(run));
}

static void forget_verdict(struct run *run)
{
    run->verdict = FRAME_NONE;
    buf_clear(&run->detail);
}

/* Asks another runner; where there is none, the policy decides. */
static void ask_another(struct run *run)
{
    forget_verdict(run);
    timer_stop(&run->timer);
    run->stage = STAGE_AFTER_BOOTING;
    if (run->team->draining || !find_runner(run))
        finish(run);
    else if (is_free(run->runner))
        send_job(run);
}

static void time_over(void *arg)
{
    struct run *run = arg;

    if (run->runner == NULL) {
        finish(run);
        return;
    }
    if (run->stage == STAGE_RUNNING && !run->abandoned)
        run->timed_out = true;
    runner_kill(run->runner, run->stage == STAGE_RUNNING
                                 ? "killed: the job's time was over"
                                 : "killed: it did not come to an end");
}

static void runner_ready(struct runner *runner, struct slice told UNUSED)
{
    struct coprocess *coprocess = runner->team->owner;

    team_booted(runner->team, runner);
    if (!inquiry_ask(coprocess->inquiry, runner) && runner->run)
        send_job(runner->run);
}

/* Reserved before it was known that it should not be: nothing was tried. */
static void return_run(struct run *run, const char *why)
{
    struct runner *runner = run->runner;

    detach(run);
    team_take_back(run->team, runner, false);
    run->abandoned = true;
    (void)snprintf(run->why, sizeof(run->why), "returned: %s", why);
    finish(run);
}

/* A job may have waited for the answer. */
static void state_told(struct runner *runner, const struct frame *frame)
{
    struct coprocess *coprocess = runner->team->owner;
    const char *objection;

    if (!inquiry_took(coprocess->inquiry, runner, frame)) {
        runner_kill(runner, "runner broke the protocol: nobody asked for its state");
        return;
    }
    if (runner->run == NULL) {
        if (runner->team->draining) /* who was asked was not dismissed, or lost its job */
            team_take_back(runner->team, runner, false);
        return;
    }
    objection = inquiry_objects(coprocess->inquiry, runner->run->job->queue);
    if (objection && runner->run->stage == STAGE_BOOTING)
        return_run(runner->run, objection);
    else
        send_job(runner->run);
}

static void take_verdict(struct run *run, const struct frame *frame)
{
    if (frame->verdict < run->verdict)
        return;
    run->verdict = frame->verdict;
    run->delay_ms = frame->delay_ms;
    (void)snprintf(run->reason, sizeof(run->reason), "%s", frame->reason);
    buf_clear(&run->detail);
    (void)buf_add_char(&run->detail, '\n');
    (void)buf_add(&run->detail, frame->body.ptr, frame->body.len);
}

/* The runner is free for the next job before the worker hears of the end of this. What a
 * job wrote that went well interests nobody. */
static void job_done(struct run *run, const struct frame *frame)
{
    struct runner *runner = run->runner;

    runner->memory_bytes = run->memory_bytes = frame->memory_bytes;
    if (run->verdict != FRAME_DELETE)
        take_output(run, runner);
    detach(run);
    team_take_back(run->team, runner, frame->leave);
    (void)inquiry_ask(run->coprocess->inquiry, runner);
    finish(run);
}

static void runner_said(struct runner *runner, const struct frame *frame)
{
    struct run *run = runner->run;

    if (frame->type == FRAME_STATE) {
        state_told(runner, frame);
        return;
    }
    if (run == NULL) {
        runner_kill(runner, "runner broke the protocol: it spoke without a job");
        return;
    }
    if (frame->id != run->id) {
        runner_kill(runner, "runner broke the protocol: it answered for another job");
        return;
    }
    switch (frame->type) {
    case FRAME_VERDICT:
        take_verdict(run, frame);
        break;
    case FRAME_TIMEOUT:
        run->timed_out = true;
        break;
    case FRAME_DONE:
        job_done(run, frame);
        break;
    case FRAME_HELLO:
    case FRAME_DYING:
    case FRAME_STATE:
        break; /* not about the job */
    }
}

static void note_end(struct run *run, struct runner *runner, const struct runner_end *end)
{
    if (run->stage >= STAGE_AFTER_BOOTING)
        return; /* the first is the one that counts */
    run->died = true;
    run->end = *end;
    take_output(run, runner);
}

/* What a job is left with whose runner has ended. A runner that deals with a timeout
 * itself has decided before it ends, as Laravel does. */
static void run_bereft(struct run *run, struct runner *runner,
                       const struct runner_end *end)
{
    note_end(run, runner, end);
    if (run->stage == STAGE_RUNNING)
        run->left = run->timed_out && !runner->fault[0];
    if (run->stage == STAGE_RUNNING && !run->abandoned && !run->left &&
        run->verdict != FRAME_FAIL)
        ask_another(run);
    else
        finish(run);
}

static void runner_gone(struct runner *runner, const struct runner_end *end)
{
    struct coprocess *coprocess = runner->team->owner;
    struct run *run = runner->run;

    inquiry_lost(coprocess->inquiry, runner);
    team_lose(runner->team, runner, end);
    if (run)
        detach(run);
    if (run && run->job->group)
        *run->job->group = 0;
    if (run && run->stage == STAGE_BOOTING)
        finish_postponed(run);
    else if (run)
        run_bereft(run, runner, end);
    if (coprocess_is_empty(coprocess))
        coprocess->gone(coprocess->arg);
}

static const struct runner_events runner_events = {
    .ready = runner_ready, .said = runner_said, .gone = runner_gone};

/* ---- the handler ---- */

static struct run *create_run(struct coprocess *coprocess, const struct job *job,
                              run_done_cb done, void *arg)
{
    struct run *run = must_alloc(sizeof(*run));

    run->coprocess = coprocess;
    run->team = &coprocess->teams[job->config - coprocess->config->jobs];
    run->job = job;
    run->memory_bytes = -1;
    run->done = done;
    run->arg = arg;
    buf_init(&run->detail, 0);
    buf_init(&run->out, OUTPUT_KEEP_BYTES);
    buf_init(&run->err, OUTPUT_KEEP_BYTES);
    timer_init(&run->timer, coprocess->env.loop, time_over, run);
    return run;
}

static struct run *start(const struct handler_env *env, const struct job *job,
                         run_done_cb done, void *arg, struct outcome *outcome)
{
    struct run *run = create_run(env->coprocess, job, done, arg);

    if (find_runner(run)) {
        LIST_INSERT_HEAD(&env->coprocess->runs, run, link);
        if (is_free(run->runner))
            send_job(run);
        return run;
    }
    set_postponed(outcome, run->team);
    free_run(run);
    return NULL;
}

/* A run without its runner is over in the next turn. */
static void leave_runner(struct run *run)
{
    detach(run);
    if (run->job->group)
        *run->job->group = 0;
    timer_set_soon(&run->timer);
}

/* The job has begun, or another runner is being asked about it. */
static void stop_run(struct run *run, enum cancel_reason why)
{
    if (why == CANCEL_STOP && run->stage == STAGE_RUNNING) {
        runner_ask(run->runner);
        timer_set(&run->timer, run->team->config->kill_grace_ms);
    } else {
        runner_kill(run->runner, NULL);
    }
}

static void cancel(struct run *run, enum cancel_reason why)
{
    if (why == CANCEL_TIMEOUT || run->runner == NULL)
        return; /* time is the runner's and our own business; or it is over */
    if (run->stage <= STAGE_RUNNING || why == CANCEL_LOST) {
        run->abandoned = true;
        (void)snprintf(run->why, sizeof(run->why), "%s",
                       why == CANCEL_LOST ? "stopped: the lease is lost"
                                          : "stopped: the worker is leaving");
    }
    if (run->stage == STAGE_BOOTING || run->stage == STAGE_AFTER_BOOTING)
        leave_runner(run);
    else
        stop_run(run, why);
}

const struct handler laravel_handler = {
    .name = "laravel", .decides = true, .start = start, .cancel = cancel};

/* ---- all of them ---- */

struct coprocess *coprocess_open(const struct handler_env *env,
                                 const struct config *config, coprocess_gone_cb gone,
                                 void *arg)
{
    struct coprocess *coprocess;

    if (!config_has_jobs_of(config, JOB_LARAVEL))
        return NULL;
    coprocess = must_alloc(sizeof(*coprocess));
    coprocess->env = *env;
    coprocess->config = config;
    coprocess->gone = gone;
    coprocess->arg = arg;
    coprocess->teams = must_alloc(config->job_ct * sizeof(*coprocess->teams));
    for (size_t i = 0; i < config->job_ct; i++)
        team_init(&coprocess->teams[i], env, &config->jobs[i], &runner_events, coprocess);
    return coprocess;
}

void coprocess_watch(struct coprocess *coprocess, const struct coprocess_watch *watch)
{
    MUST(coprocess == NULL || coprocess->inquiry == NULL);
    if (coprocess)
        coprocess->inquiry = inquiry_create(coprocess->env.loop, coprocess->teams,
                                            coprocess->config->job_ct, watch);
}

void coprocess_drain(struct coprocess *coprocess)
{
    for (size_t i = 0; coprocess && i < coprocess->config->job_ct; i++)
        team_drain(&coprocess->teams[i]);
}

void coprocess_hurry(struct coprocess *coprocess)
{
    for (size_t i = 0; coprocess && i < coprocess->config->job_ct; i++)
        team_hurry(&coprocess->teams[i]);
}

bool coprocess_is_empty(const struct coprocess *coprocess)
{
    for (size_t i = 0; coprocess && i < coprocess->config->job_ct; i++)
        if (coprocess->teams[i].runner_ct > 0)
            return false;
    return true;
}

void coprocess_close(struct coprocess *coprocess)
{
    struct run *run;

    if (coprocess == NULL)
        return;
    while ((run = LIST_FIRST(&coprocess->runs)) != NULL) {
        LIST_REMOVE(run, link);
        free_run(run);
    }
    for (size_t i = 0; i < coprocess->config->job_ct; i++)
        team_free(&coprocess->teams[i]);
    inquiry_destroy(coprocess->inquiry);
    free(coprocess->teams);
    free(coprocess);
}
