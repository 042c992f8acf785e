/* Shell jobs: one program per run, in a process group of its own.
 *
 *   running --TERM--> asked --kill_grace--> killed      (cancel: timeout, stop)
 *   running --KILL--> killed                            (cancel: lease lost, at once)
 *
 * Whatever the state, the run is over once its process is reaped and both output pipes
 * have ended. A process that it left behind may hold a pipe for ever, so after the reap
 * the pipes have a linger to end in, and what was asked to stop has the rest of its
 * grace. Then the whole group is killed, after success too: nothing of a run outlives it
 * but what has left the group (setsid) and lets go of the pipes; that is beyond what a
 * process group can hold.
 *
 * Knows nothing of retries, leases or Redis. The process must ignore SIGPIPE.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/spawn.h"
#include "base/text.h"
#include "jobs/command.h"
#include "jobs/handler.h"
#include "jobs/input.h"
#include "jobs/output.h"
#include "jobs/shortage.h"

enum {
    LINGER_MS = 500, /* from the reap to the end of the pipes */
    EXIT_USAGE = 64, /* EX_USAGE */
    EXIT_DATA = 65,  /* EX_DATAERR */
    EXIT_CANNOT_RUN = 126,
    EXIT_NOT_FOUND = 127
};

enum stop { STOP_NONE, STOP_ASKED, STOP_KILLED };

struct run {
    struct loop *loop;
    const struct job *job; /* borrowed until done() returns */
    run_done_cb done;
    void *arg;
    int64_t started_ms; /* monotonic */
    int64_t ran_ms;     /* until it was cancelled for its timeout */
    struct input input;
    struct output out, err;
    struct timer timer; /* grace, then linger */
    pid_t group;        /* the leader's pid; 0: gone, the number may be another's */
    enum stop stop;
    bool hurried; /* no time to linger */
    bool timed_out;
    bool abandoned;
    enum cancel_reason why; /* if abandoned */
    bool reaped;
    int status; /* as from wait(2), once reaped */
    struct rusage usage;
};

/* ---- the verdict ---- */

static void judge_status(struct outcome *outcome, int status)
{
    char text[REAPER_TEXT_BYTES];
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    bool final = code == EXIT_USAGE || code == EXIT_DATA || code == EXIT_CANNOT_RUN ||
                 code == EXIT_NOT_FOUND;

    reaper_describe(status, text, sizeof(text));
    if (code == 0)
        outcome_init(outcome, OUTCOME_DONE, "%s", "");
    else
        outcome_init(outcome, final ? OUTCOME_FAIL : OUTCOME_RETRY, "%s", text);
}

static void judge_cancelled(struct outcome *outcome, const struct run *run)
{
    char seconds[TEXT_SECONDS_BYTES];

    if (run->abandoned) {
        outcome_init(outcome, OUTCOME_ABANDONED, "%s",
                     run->why == CANCEL_LOST ? "stopped: the lease is lost"
                                             : "stopped: the worker is leaving");
        return;
    }
    text_format_seconds(run->ran_ms / 10 * 10, seconds, sizeof(seconds));
    outcome_init(outcome, OUTCOME_RETRY, "timed out after %s s", seconds);
    outcome->timed_out = true;
}

static void judge_run(struct outcome *outcome, const struct run *run)
{
    if (run->timed_out || run->abandoned)
        judge_cancelled(outcome, run);
    else
        judge_status(outcome, run->status);
    if (WIFEXITED(run->status))
        outcome->exit_status = WEXITSTATUS(run->status);
    if (WIFSIGNALED(run->status))
        outcome->signal = WTERMSIG(run->status);
    outcome->cpu_ms = reaper_cpu_ms(&run->usage);
    outcome->max_rss_kb = run->usage.ru_maxrss;
    outcome->stdout_bytes = run->out.tail.total;
    outcome->stderr_bytes = run->err.tail.total;
}

/* What this machine lacks is no fault of the job's, which was not tried. What else may go
 * by itself (a program being replaced) is tried again; what is not there or not allowed
 * will be so next time. */
static void judge_not_started(struct outcome *outcome, struct shortage *shortage,
                              int exec_errno, const struct err *err)
{
    static const int passing[] = {ETXTBSY, EIO, ESTALE, ETIMEDOUT, EINTR};
    bool passes = exec_errno == 0;

    if (shortage_is(err->errnum)) {
        outcome_init(outcome, OUTCOME_POSTPONE, "%s", err->text);
        outcome->wait_ms = shortage_refused(shortage, err, clock_mono_ms());
        return;
    }
    for (size_t i = 0; i < ARRAY_CT(passing); i++)
        passes = passes || exec_errno == passing[i];
    outcome_init(outcome, passes ? OUTCOME_RETRY : OUTCOME_FAIL, "%s", err->text);
    if (!passes)
        outcome->exit_status =
            err->code == ERR_NOT_FOUND ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN;
}

/* ---- the end ---- */

/* The number stays ours as long as a process of the group lives, even unreaped. */
static bool group_lives(const struct run *run)
{
    return run->group > 0 && (kill(-run->group, 0) == 0 || errno == EPERM);
}

static void forget_group(struct run *run)
{
    run->group = 0;
    if (run->job->group)
        *run->job->group = 0;
}

static void kill_group(struct run *run)
{
    if (run->group > 0)
        (void)kill(-run->group, SIGKILL);
}

static void free_run(void *ptr)
{
    struct run *run = ptr;

    input_close(&run->input);
    output_free(&run->out);
    output_free(&run->err);
    timer_free(&run->timer);
    free(run);
}

static void finish(struct run *run)
{
    struct outcome outcome;
    struct buf out, err;

    kill_group(run);
    forget_group(run);
    timer_stop(&run->timer);
    input_close(&run->input);
    output_close(&run->out);
    output_close(&run->err);
    buf_init(&out, OUTPUT_KEEP_BYTES);
    buf_init(&err, OUTPUT_KEEP_BYTES);
    tail_copy(&run->out.tail, &out);
    tail_copy(&run->err.tail, &err);
    judge_run(&outcome, run);
    outcome.stdout_tail = buf_slice(&out);
    outcome.stderr_tail = buf_slice(&err);
    run->done(run->arg, &outcome);
    buf_free(&out);
    buf_free(&err);
    loop_defer_free(run->loop, run, free_run);
}

static void finish_if_over(struct run *run)
{
    if (run->reaped && !output_is_open(&run->out) && !output_is_open(&run->err))
        finish(run);
}

static void output_ended(void *arg)
{
    finish_if_over(arg);
}

static void leader_reaped(pid_t pid UNUSED, int status, const struct rusage *usage,
                          void *arg)
{
    struct run *run = arg;

    run->reaped = true;
    run->status = status;
    run->usage = *usage;
    input_close(&run->input);
    if (!group_lives(run))
        forget_group(run);
    if (run->group == 0 || run->stop != STOP_ASKED)
        timer_set(&run->timer, run->hurried ? 0 : LINGER_MS);
    finish_if_over(run);
}

/* ---- being told to stop ---- */

static void kill_now(struct run *run)
{
    run->stop = STOP_KILLED;
    timer_stop(&run->timer);
    kill_group(run);
}

static void ask_to_stop(struct run *run)
{
    if (run->stop != STOP_NONE)
        return;
    MUST(run->group > 1);
    run->stop = STOP_ASKED;
    (void)kill(-run->group, SIGTERM);
    (void)kill(-run->group, SIGCONT); /* one that is stopped would not hear */
    timer_set(&run->timer, run->job->config->kill_grace_ms);
}

static void timer_fired(void *arg)
{
    struct run *run = arg;

    kill_now(run);
    if (run->reaped)
        finish(run);
}

/* By itself, though nobody may have been told yet: then its own verdict counts. */
static bool has_ended(const struct run *run)
{
    return run->reaped || reaper_has_ended(run->group);
}

/* The first reason stays, but a lost lease is worse than all others. */
static void note_reason(struct run *run, enum cancel_reason why)
{
    if (why == CANCEL_TIMEOUT && !run->timed_out) {
        run->timed_out = true;
        run->ran_ms = clock_mono_ms() - run->started_ms;
    } else if (why == CANCEL_LOST || (why != CANCEL_TIMEOUT && !run->timed_out)) {
        run->abandoned = true;
        run->why = why;
    }
}

static void cancel(struct run *run, enum cancel_reason why)
{
    bool hurry = why == CANCEL_LOST || why == CANCEL_NOW;

    run->hurried = run->hurried || hurry;
    if (run->reaped && hurry)
        timer_set(&run->timer, 0);
    if (run->stop == STOP_NONE && has_ended(run))
        return;
    note_reason(run, why);
    if (!hurry)
        ask_to_stop(run);
    else if (!run->reaped)
        kill_now(run);
}

/* ---- the start ---- */

static void close_fds(int fds[3])
{
    for (int i = 0; i < 3; i++) {
        if (fds[i] >= 0)
            (void)close(fds[i]);
        fds[i] = -1;
    }
}

static int open_pipes(struct run *run, int fds[3], struct err *err)
{
    const struct json_value *data = &run->job->payload->data;

    run->input.fd = run->out.fd = run->err.fd = -1;
    if (output_open(&run->out, run->loop, output_ended, run, &fds[1], err) != 0 ||
        output_open(&run->err, run->loop, output_ended, run, &fds[2], err) != 0 ||
        input_open(&run->input, data->text, &fds[0], err) != 0)
        return -1;
    return 0;
}

static int spawn_program(struct run *run, const struct command *command, int fds[3],
                         int *exec_errno, struct err *err)
{
    struct spawn spawn = {
        .file = command->argv[0],
        .path = command_path(command),
        .argv = (const char *const *)command->argv,
        .envp = (const char *const *)command->envp,
        .cwd = run->job->config->cwd,
        .fds = {fds[0], fds[1], fds[2]},
        .death_signal = SIGKILL,
        .note_pid = run->job->group,
    };

    run->group = spawn_hook(&spawn, exec_errno, err);
    return run->group > 0 ? 0 : -1;
}

static int start_program(struct run *run, const struct command *command, int *exec_errno,
                         struct err *err)
{
    int fds[3] = {-1, -1, -1};
    int rc = open_pipes(run, fds, err);

    if (rc == 0)
        rc = spawn_program(run, command, fds, exec_errno, err);
    close_fds(fds);
    return rc;
}

static struct run *start(const struct handler_env *env, const struct job *job,
                         run_done_cb done, void *arg, struct outcome *outcome)
{
    struct command command;
    struct run *run;
    struct err err;
    int exec_errno = 0;

    if (command_build(&command, job, &err) != 0) {
        outcome_init(outcome, OUTCOME_FAIL, "%s", err.text);
        return NULL;
    }
    run = must_alloc(sizeof(*run));
    run->loop = env->loop;
    run->job = job;
    run->done = done;
    run->arg = arg;
    run->started_ms = clock_mono_ms();
    timer_init(&run->timer, env->loop, timer_fired, run);
    if (start_program(run, &command, &exec_errno, &err) == 0) {
        reaper_watch(env->reaper, run->group, leader_reaped, run);
        shortage_ended(env->shortage, run->started_ms);
        input_feed(&run->input, run->loop);
    } else {
        judge_not_started(outcome, env->shortage, exec_errno, &err);
        free_run(run);
        run = NULL;
    }
    command_free(&command);
    return run;
}

const struct handler shell_handler = {.name = "shell", .start = start, .cancel = cancel};
