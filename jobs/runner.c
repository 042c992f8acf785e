/* A co-process, from its start to its end: pipes, frames, output, death.
 *
 * Knows no pool and no verdicts. Its end is told by the reaper alone: what it has started
 * may hold the pipes open after it. When it is gone, what it had said before is delivered
 * first, and its whole process group is killed. The process must ignore SIGPIPE.
 */
#include "jobs/runner.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/spawn.h"
#include "base/text.h"
#include "jobs/command.h"

enum {
    PIECE_BYTES = 32 * 1024,
    LAST_PIECES = 64,     /* of what it said before it ended: more than a pipe holds */
    SPEECHLESS_MS = 1000, /* from the end of its fd 4 to its own */
    TO_RUNNER = 3,
    FROM_RUNNER = 4,
    FD_CT = 5
};

/* ---- the end ---- */

static void close_to(struct runner *runner)
{
    if (runner->to_event)
        event_free(runner->to_event);
    runner->to_event = NULL;
    if (runner->to_fd >= 0)
        (void)close(runner->to_fd);
    runner->to_fd = -1;
    buf_clear(&runner->to);
}

static void close_from(struct runner *runner)
{
    if (runner->from_event)
        event_free(runner->from_event);
    runner->from_event = NULL;
    if (runner->from_fd >= 0)
        (void)close(runner->from_fd);
    runner->from_fd = -1;
}

static void free_runner(void *ptr)
{
    struct runner *runner = ptr;

    close_to(runner);
    close_from(runner);
    output_free(&runner->out);
    output_free(&runner->err);
    buf_free(&runner->to);
    buf_free(&runner->from);
    timer_free(&runner->timer);
    free(runner);
}

void runner_kill(struct runner *runner, const char *fault)
{
    if (runner->killed)
        return;
    runner->killed = true;
    timer_stop(&runner->timer);
    if (fault)
        (void)snprintf(runner->fault, sizeof(runner->fault), "%s", fault);
    (void)kill(-runner->pid, SIGKILL);
    (void)kill(runner->pid, SIGKILL); /* should it have left its group */
}

void runner_ask(struct runner *runner)
{
    (void)kill(-runner->pid, SIGTERM);
    (void)kill(-runner->pid, SIGCONT); /* one that is stopped would not hear */
}

static void too_late(void *arg)
{
    struct runner *runner = arg;

    runner_kill(runner, runner->late);
}

void runner_dismiss(struct runner *runner)
{
    if (runner->state == RUNNER_LEAVING || runner->killed)
        return;
    runner->state = RUNNER_LEAVING;
    runner->late = "runner did not end when it was asked to";
    timer_set(&runner->timer, runner->config->kill_grace_ms);
    close_to(runner);
}

bool runner_has_ended(const struct runner *runner)
{
    return runner->killed || reaper_has_ended(runner->pid);
}

/* The last line that is not empty, made safe. */
static void add_last_line(struct buf *line, const struct tail *tail)
{
    struct buf text;
    size_t end, start;

    buf_init(&text, 0);
    tail_copy(tail, &text);
    for (end = text.len; end > 0 && strchr("\r\n \t", text.data[end - 1]);)
        end--;
    for (start = end; start > 0 && text.data[start - 1] != '\n';)
        start--;
    if (end > start) {
        (void)buf_add_text(line, ": ");
        text_escape(line, slice_of(text.data + start, end - start));
    }
    buf_free(&text);
}

static void name_cause(const struct runner *runner, int status, struct runner_end *end)
{
    char how[REAPER_TEXT_BYTES];
    struct buf line;

    buf_init(&line, sizeof(end->cause) - 1);
    reaper_describe(status, how, sizeof(how));
    if (runner->fault[0]) {
        (void)buf_add_text(&line, runner->fault);
    } else {
        (void)buf_addf(&line, WIFSIGNALED(status) ? "runner %s" : "runner ended: %s",
                       how);
        add_last_line(&line, &runner->err.tail);
    }
    (void)snprintf(end->cause, sizeof(end->cause), "%s", line.len ? line.data : how);
    buf_free(&line);
}

/* ---- what it says ---- */

static void hear(struct runner *runner, const struct frame *frame)
{
    char fault[OUTCOME_REASON_BYTES];

    if (runner->state == RUNNER_BOOTING && frame->type == FRAME_HELLO) {
        if (frame->protocol != FRAME_PROTOCOL) {
            (void)snprintf(fault, sizeof(fault), "runner speaks protocol %lld, not %d",
                           (long long)frame->protocol, (int)FRAME_PROTOCOL);
            runner_kill(runner, fault);
            return;
        }
        runner->state = RUNNER_UP;
        runner->tells_state = frame->state == FRAME_YES;
        runner->boot_ms = clock_mono_ms() - runner->started_ms;
        timer_stop(&runner->timer);
        runner->events->ready(runner, frame->body);
        return;
    }
    if (frame->type == FRAME_DYING) { /* at any time: its last words */
        (void)snprintf(runner->fault, sizeof(runner->fault), "%s", frame->reason);
        return;
    }
    if (runner->state == RUNNER_BOOTING || frame->type == FRAME_HELLO)
        runner_kill(runner, "runner broke the protocol: hello is the first word, once");
    else
        runner->events->said(runner, frame);
}

static void hear_all(struct runner *runner)
{
    struct frame frame;
    size_t at = 0, bytes;
    struct err err = {0};
    int rc = 0;

    while (!runner->killed && at < runner->from.len &&
           (rc = frame_read(slice_of(runner->from.data + at, runner->from.len - at),
                            &frame, &bytes, &err)) > 0) {
        at += bytes;
        hear(runner, &frame);
    }
    buf_drop_front(&runner->from, at);
    if (rc < 0) {
        (void)err_prefix(&err, "runner broke the protocol");
        runner_kill(runner, err.text);
    }
    if (runner->killed)
        buf_clear(&runner->from); /* nobody reads it any more, and it may go on */
}

/* False: no more for now, or for ever. */
static bool listen_once(struct runner *runner)
{
    char bytes[PIECE_BYTES];
    ssize_t n;

    if (runner->from_fd < 0)
        return false;
    n = read(runner->from_fd, bytes, sizeof(bytes));
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    if (n <= 0) {
        close_from(runner);
        return false;
    }
    MUST(buf_add(&runner->from, bytes, (size_t)n) == 0);
    hear_all(runner);
    return true;
}

static void from_readable(evutil_socket_t fd UNUSED, short what UNUSED, void *arg)
{
    struct runner *runner = arg;

    (void)listen_once(runner);
    if (runner->from_fd < 0 && !runner->killed && runner->state != RUNNER_LEAVING) {
        runner->late = "runner closed its descriptor 4";
        timer_set(&runner->timer, SPEECHLESS_MS);
    }
}

static void reaped(pid_t pid, int status, const struct rusage *usage, void *arg)
{
    struct runner *runner = arg;
    struct runner_end end = {
        .exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : -1,
        .signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0,
        .cpu_ms = reaper_cpu_ms(usage),
        .max_rss_kb = usage->ru_maxrss,
    };

    for (int i = 0; i < LAST_PIECES && listen_once(runner); i++)
        ;
    runner->killed = true;
    (void)kill(-pid, SIGKILL); /* what it leaves behind */
    timer_stop(&runner->timer);
    close_to(runner);
    close_from(runner);
    output_close(&runner->out);
    output_close(&runner->err);
    name_cause(runner, status, &end);
    runner->events->gone(runner, &end);
    loop_defer_free(runner->env.loop, runner, free_runner);
}

/* ---- what it is told ---- */

/* Waits for room only where there is none: most jobs fit into the pipe at once. */
static void write_some(struct runner *runner)
{
    ssize_t n;

    n = write(runner->to_fd, runner->to.data + runner->to_at,
              runner->to.len - runner->to_at);
    if (n > 0)
        runner->to_at += (size_t)n;
    if (n >= 0 ? runner->to_at < runner->to.len : errno == EAGAIN || errno == EINTR) {
        MUST(event_add(runner->to_event, NULL) == 0);
        return;
    }
    runner->to_at = 0; /* all is written, or it has ended and will not listen any more */
    buf_free(&runner->to); /* a payload may have been large */
    MUST(event_del(runner->to_event) == 0);
}

static void to_writable(evutil_socket_t fd UNUSED, short what UNUSED, void *arg)
{
    write_some(arg);
}

void runner_send(struct runner *runner, struct slice frames)
{
    if (runner->to_fd < 0)
        return;
    MUST(buf_add(&runner->to, frames.ptr, frames.len) == 0);
    write_some(runner);
}

void runner_restart_output(struct runner *runner)
{
    output_take(&runner->out);
    output_take(&runner->err);
    output_restart(&runner->out);
    output_restart(&runner->err);
}

/* ---- the start ---- */

static int open_pipe(int *ours, int *childs, int our_end, struct err *err)
{
    int fds[2];

    if (pipe2(fds, O_CLOEXEC) != 0)
        return err_set_errno(err, errno, "cannot make a pipe");
    *ours = fds[our_end];
    *childs = fds[1 - our_end];
    MUST(fcntl(*ours, F_SETFL, O_NONBLOCK) == 0);
    return 0;
}

static void output_over(void *arg UNUSED)
{
    /* the reaper tells when it has ended */
}

static int open_pipes(struct runner *runner, int fds[FD_CT], struct err *err)
{
    struct event_base *base = loop_base(runner->env.loop);

    if (open_pipe(&runner->to_fd, &fds[TO_RUNNER], 1, err) != 0 ||
        open_pipe(&runner->from_fd, &fds[FROM_RUNNER], 0, err) != 0 ||
        output_open(&runner->out, runner->env.loop, output_over, runner, &fds[1], err) !=
            0 ||
        output_open(&runner->err, runner->env.loop, output_over, runner, &fds[2], err) !=
            0)
        return -1;
    if (runner->config->laravel.echo) {
        runner->out.echo_fd = STDOUT_FILENO;
        runner->err.echo_fd = STDERR_FILENO;
    }
    runner->to_event =
        event_new(base, runner->to_fd, EV_WRITE | EV_PERSIST, to_writable, runner);
    runner->from_event =
        event_new(base, runner->from_fd, EV_READ | EV_PERSIST, from_readable, runner);
    MUST(runner->to_event && runner->from_event);
    MUST(event_add(runner->from_event, NULL) == 0);
    return 0;
}

static void close_fds(int fds[FD_CT])
{
    for (int i = 0; i < FD_CT; i++)
        if (fds[i] >= 0)
            (void)close(fds[i]);
}

static int start_program(struct runner *runner, _Atomic(pid_t) *group, struct err *err)
{
    int fds[FD_CT] = {-1, -1, -1, -1, -1};
    struct command command;
    struct spawn spawn = {.cwd = runner->config->laravel.app,
                          .fd_ct = FD_CT,
                          .death_signal = SIGKILL,
                          .note_pid = group};

    command_build_runner(&command, runner->config);
    spawn.file = command.argv[0];
    spawn.path = command_path(&command);
    spawn.argv = (const char *const *)command.argv;
    spawn.envp = (const char *const *)command.envp;
    if (open_pipes(runner, fds, err) == 0) {
        memcpy(spawn.fds, fds, sizeof(fds));
        runner->pid = spawn_hook(&spawn, NULL, err);
    }
    close_fds(fds);
    command_free(&command);
    return runner->pid > 0 ? 0 : -1;
}

struct runner *runner_start(const struct handler_env *env,
                            const struct job_config *config,
                            const struct runner_events *events, _Atomic(pid_t) *group,
                            struct err *err)
{
    struct runner *runner = must_alloc(sizeof(*runner));
    struct buf hello;

    runner->env = *env;
    runner->config = config;
    runner->events = events;
    runner->to_fd = runner->from_fd = runner->out.fd = runner->err.fd = -1;
    runner->started_ms = clock_mono_ms();
    buf_init(&runner->to, 0);
    buf_init(&runner->from, FRAME_MAX + PIECE_BYTES);
    timer_init(&runner->timer, env->loop, too_late, runner);
    if (start_program(runner, group, err) != 0) {
        free_runner(runner);
        return NULL;
    }
    reaper_watch(env->reaper, runner->pid, reaped, runner);
    runner->late = "runner did not boot within boot_timeout";
    timer_set(&runner->timer, config->laravel.boot_timeout_ms);
    buf_init(&hello, 0);
    frame_add_hello(&hello, config);
    runner_send(runner, buf_slice(&hello));
    buf_free(&hello);
    return runner;
}

void runner_destroy(struct runner *runner)
{
    (void)kill(-runner->pid, SIGKILL);
    reaper_forget(runner->env.reaper, runner->pid);
    free_runner(runner);
}
