/* The supervisor's life, in order:
 *
 * START    become the configured user, take the lock of state_dir, listen on the control
 *          socket, start the embedded redis-server where there is one, fork the workers.
 * RUNNING  once every slot of the start has had a running worker. From then on signals
 *          and commands scale, reload and stop; what a child's death leads to is decided
 *          by its slot.
 * STOPPING workers drain (a second signal, but not the echo of the first: at once), then
 *          what jobs have left behind is killed, then the embedded redis-server saves and
 *          ends, then the socket goes.
 *
 * This file joins the parts; it must not know how a worker works, and it never speaks to
 * Redis. Signals are blocked until their handlers stand, so that a stop that comes early
 * is a stop like any other, and again when the loop has ended, so that one that comes
 * late changes nothing. */
#include "supervisor/supervisor.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/image.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/reaper.h"
#include "supervisor/adopted.h"
#include "supervisor/commands.h"
#include "supervisor/control.h"
#include "supervisor/fleet.h"
#include "supervisor/notify.h"
#include "supervisor/privileges.h"
#include "supervisor/redis_server.h"
#include "supervisor/reload.h"
#include "supervisor/statedir.h"
#include "supervisor/summary.h"

enum {
    SWEEP_MS = 10, /* between two looks for processes left behind */
    SWEEP_MAX = 200
};

struct supervisor {
    const struct supervisor_options *options;
    struct config *config;
    struct redis_endpoint endpoint;
    struct statedir statedir;
    struct loop *loop;
    struct reaper *reaper;
    struct notify *notify;
    struct control *control;
    struct redis_server *redis; /* NULL: not embedded */
    struct fleet *fleet;
    struct commands commands;
    enum supervisor_phase phase;
    enum supervisor_pausing pausing;
    bool fleet_ended;
    int end_signum;    /* the last signal to stop; 0: none yet */
    int64_t end_at_ms; /* monotonic; when it had been heeded */
    int exit_code;
    unsigned sweep_ct;
    struct timer sweep;
    char *reload_error; /* of the last reload; NULL: it went well */
};

/* ---- what others are told ---- */

static void tell_status(const struct supervisor *sv)
{
    struct fleet_redis redis = fleet_redis_link(sv->fleet);
    struct summary summary = {.phase = sv->phase,
                              .pausing = sv->pausing,
                              .counts = fleet_count(sv->fleet),
                              .link = redis.link,
                              .link_age_ms = clock_mono_ms() - redis.since_ms,
                              .reload_error = sv->reload_error};
    char text[SUMMARY_BYTES];

    summary_text(&summary, text, sizeof(text));
    notify_status(sv->notify, text);
}

static void tell_ready(struct supervisor *sv)
{
    struct fleet_counts counts = fleet_count(sv->fleet);

    if (sv->phase != SUPERVISOR_STARTING || counts.ran < counts.wanted)
        return;
    sv->phase = SUPERVISOR_RUNNING;
    log_info("supervisor.ready", log_int("workers", (int64_t)counts.wanted));
    image_forget_start();
    notify_ready(sv->notify);
}

/* ---- stopping ---- */

/* Processes that jobs have put outside their process groups. The embedded redis-server
 * is a child too, so this is done when it is gone. */
static void sweep_left(void *arg)
{
    struct supervisor *sv = arg;

    if (adopted_kill() == 0 || ++sv->sweep_ct > SWEEP_MAX)
        loop_stop(sv->loop);
    else
        timer_set(&sv->sweep, SWEEP_MS);
}

static void redis_gone(void *arg)
{
    struct supervisor *sv = arg;

    timer_set(&sv->sweep, 0);
}

static void begin_stop(struct supervisor *sv, const char *why)
{
    log_info("supervisor.stop", log_str("why", why),
             log_int("grace_ms", sv->config->stop_grace_ms));
    sv->phase = SUPERVISOR_STOPPING;
    notify_stopping(sv->notify);
    fleet_stop(sv->fleet);
    tell_status(sv);
}

/* Each second, too. */
static void fleet_changed(void *arg)
{
    struct supervisor *sv = arg;

    control_look(sv->control);
    tell_ready(sv);
    tell_status(sv);
    if (sv->pausing == SUPERVISOR_DRAINING && sv->phase != SUPERVISOR_STOPPING &&
        fleet_is_resting(sv->fleet))
        begin_stop(sv, "drain");
    if (sv->phase != SUPERVISOR_STOPPING || sv->fleet_ended || !fleet_is_empty(sv->fleet))
        return;
    sv->fleet_ended = true;
    if (sv->redis)
        redis_server_stop(sv->redis);
    else
        redis_gone(sv);
}

/* Ends nothing at once: the answer to the command is sent first. */
static void stop_by_command(void *arg)
{
    struct supervisor *sv = arg;

    if (sv->phase != SUPERVISOR_STOPPING)
        begin_stop(sv, "command");
}

static bool is_repeat(const struct supervisor *sv, int signum)
{
    int64_t repeat_ms =
        sv->options->repeat_ms > 0 ? sv->options->repeat_ms : SUPERVISOR_REPEAT_MS;

    return signum == sv->end_signum && clock_mono_ms() - sv->end_at_ms < repeat_ms;
}

static void on_end(int signum, void *arg)
{
    struct supervisor *sv = arg;

    if (is_repeat(sv, signum))
        return;
    if (sv->phase != SUPERVISOR_STOPPING) {
        begin_stop(sv, reaper_signal_name(signum));
    } else {
        log_warning("supervisor.stop_now", log_str("why", reaper_signal_name(signum)));
        fleet_kill(sv->fleet);
    }
    sv->end_signum = signum;
    sv->end_at_ms = clock_mono_ms(); /* what came meanwhile is heard next */
}

/* Under `drover work` a worker that leaves by itself ends the whole; one that crashed is
 * replaced as ever. */
static void worker_ended(void *arg, int status)
{
    struct supervisor *sv = arg;
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : SUPERVISOR_EXIT_FAILURE;

    if (!sv->config->work.on || sv->phase == SUPERVISOR_STOPPING)
        return;
    if (code == SUPERVISOR_EXIT_CONFIG)
        sv->exit_code = SUPERVISOR_EXIT_FAILURE;
    else if (code == SUPERVISOR_EXIT_DONE || code == SUPERVISOR_EXIT_MEMORY)
        sv->exit_code = code;
    else
        return;
    begin_stop(sv, "the worker has left");
}

/* ---- reload and scale ---- */

static void note_reload_error(struct supervisor *sv, const struct err *err)
{
    free(sv->reload_error);
    sv->reload_error = err ? must_strdup(err->text) : NULL;
    if (err)
        log_error("supervisor.reload_failed", log_str("error", err->text),
                  log_str("effect", "nothing has changed"));
}

static int adopt_config(struct supervisor *sv, struct buf *waiting, struct err *err)
{
    struct config *fresh = reload_config(sv->options->load, sv->options->config_path,
                                         sv->config, waiting, err);
    struct config *old = sv->config;

    if (fresh == NULL)
        return -1;
    /* sv->endpoint borrows from the redis settings, which have moved over as they were.
     */
    sv->config = fresh;
    log_setup((enum log_level)fresh->log.level, (enum log_format)fresh->log.format);
    fleet_configure(sv->fleet, fresh, &sv->endpoint);
    config_free(old);
    return 0;
}

static int reload(void *arg, struct buf *waiting, struct err *err)
{
    struct supervisor *sv = arg;
    int rc;

    if (sv->phase == SUPERVISOR_STOPPING)
        return err_set(err, ERR_NOT_RUNNING, "the supervisor is stopping");
    if (sv->options->load == NULL)
        return err_set(err, ERR_USAGE,
                       "it has its settings from its command line: start it anew");
    notify_reloading(sv->notify);
    rc = adopt_config(sv, waiting, err);
    note_reload_error(sv, rc == 0 ? NULL : err);
    if (rc == 0)
        log_info("supervisor.reload", log_str("config", sv->config->path),
                 log_int("pools", (int64_t)sv->config->pool_ct));
    if (sv->phase == SUPERVISOR_RUNNING)
        notify_ready(sv->notify);
    tell_status(sv);
    return rc;
}

static void on_reload(int signum, void *arg)
{
    const struct supervisor *sv = arg;
    struct err err = {0};
    struct buf waiting;

    if (sv->options->load == NULL) { /* its terminal has gone */
        on_end(signum, arg);
        return;
    }
    buf_init(&waiting, 0);
    (void)reload(arg, &waiting, &err);
    buf_free(&waiting);
}

/* ---- pause ---- */

static int pause_to(void *arg, enum supervisor_pausing to, struct err *err)
{
    struct supervisor *sv = arg;

    if (sv->phase == SUPERVISOR_STOPPING)
        return err_set(err, ERR_NOT_RUNNING, "the supervisor is stopping");
    if (sv->pausing == to)
        return 0;
    sv->pausing = to;
    log_info(to == SUPERVISOR_DRAINING ? "supervisor.drain"
             : to == SUPERVISOR_PAUSED ? "supervisor.paused"
                                       : "supervisor.resumed",
             log_int("workers", (int64_t)fleet_count(sv->fleet).alive));
    fleet_pause(sv->fleet, to != SUPERVISOR_WORKS);
    tell_status(sv);
    return 0;
}

static enum supervisor_pausing current_pausing(void *arg)
{
    const struct supervisor *sv = arg;

    return sv->pausing;
}

static void on_pause(int signum, void *arg)
{
    struct supervisor *sv = arg;
    struct err err;

    if (signum == SIGUSR2 && sv->pausing == SUPERVISOR_DRAINING)
        return; /* it is paused */
    (void)!pause_to(sv, signum == SIGUSR2 ? SUPERVISOR_PAUSED : SUPERVISOR_WORKS, &err);
}

/* ---- signals ---- */

/* TTIN and TTOU: one more, one less in the first pool. */
static void on_scale(int signum, void *arg)
{
    struct supervisor *sv = arg;
    const struct pool *pool = fleet_pool(sv->fleet, 0);
    int64_t was = (int64_t)pool->wanted_ct;
    int64_t now = was + (signum == SIGTTIN ? 1 : -1);
    struct err err = {0};

    if (fleet_scale(sv->fleet, pool->name, now, NULL, &err) == 0)
        log_info("supervisor.scale", log_str("pool", pool->name), log_int("was", was),
                 log_int("now", now), log_str("why", reaper_signal_name(signum)));
    else
        log_warning("supervisor.scale_refused", log_str("pool", pool->name),
                    log_str("why", reaper_signal_name(signum)),
                    log_str("error", err.text));
}

static void on_ignored(int signum, void *arg UNUSED)
{
    log_warning("supervisor.signal_ignored",
                log_str("signal", reaper_signal_name(signum)));
}

/* ---- start ---- */

static enum supervisor_phase current_phase(void *arg)
{
    const struct supervisor *sv = arg;

    return sv->phase;
}

static void orphan_reaped(pid_t pid, int status, const struct rusage *usage UNUSED,
                          void *arg UNUSED)
{
    char reason[REAPER_TEXT_BYTES];

    reaper_describe(status, reason, sizeof(reason));
    log_debug("supervisor.orphan", log_int("pid", pid), log_str("reason", reason));
}

/* A closed 0, 1 or 2 would be given to the next socket, and log lines written into it. */
static void fill_standard_fds(void)
{
    int fd;

    do
        fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    while (fd >= 0 && fd <= STDERR_FILENO && fcntl(fd, F_SETFD, 0) == 0);
    if (fd > STDERR_FILENO)
        (void)close(fd);
}

static int watch_signals(struct supervisor *sv)
{
    static const struct {
        int signum;
        signal_cb cb;
    } watched[] = {
        {SIGTERM, on_end},   {SIGINT, on_end},    {SIGQUIT, on_end},
        {SIGHUP, on_reload}, {SIGTTIN, on_scale}, {SIGTTOU, on_scale},
        {SIGUSR2, on_pause}, {SIGCONT, on_pause}, {SIGUSR1, on_ignored},
    };
    struct sigaction ignore = {.sa_handler = SIG_IGN};

    for (size_t i = 0; i < ARRAY_CT(watched); i++)
        if (loop_on_signal(sv->loop, watched[i].signum, watched[i].cb, sv) != 0)
            return -1;
    (void)sigaction(SIGPIPE, &ignore, NULL);
    (void)sigaction(SIGXFSZ, &ignore, NULL); /* a full log file is no reason to end */
    return 0;
}

/* Who starts `drover work` has chosen the user, as with queue:work. */
static int settle_user(const struct config *config, struct err *err)
{
    if (config->work.on)
        return statedir_make(config->state_dir, geteuid(), getegid(), err);
    return privileges_settle(config->user, config->state_dir, err);
}

/* What can be refused: another supervisor, a wrong user, no redis-server. */
static int open_parts(struct supervisor *sv, struct err *err)
{
    char *control_path;

    if (redis_endpoint_resolve(sv->config, &sv->endpoint, err) != 0 ||
        settle_user(sv->config, err) != 0 ||
        statedir_open(&sv->statedir, sv->config->state_dir, err) != 0)
        return -1;
    if (sv->endpoint.embedded) {
        sv->redis = redis_server_create(sv->loop, sv->reaper, sv->statedir.path,
                                        redis_gone, sv, err);
        if (sv->redis == NULL)
            return -1;
    }
    control_path = config_control_path(sv->config);
    sv->control =
        control_create(sv->loop, control_path, commands_answer, &sv->commands, err);
    free(control_path);
    return sv->control ? 0 : -1;
}

static int open_loop(struct supervisor *sv, struct err *err)
{
    sv->loop = loop_create(err);
    if (sv->loop == NULL)
        return -1;
    sv->reaper = reaper_create(sv->loop, err);
    if (sv->reaper == NULL)
        return -1;
    reaper_on_orphan(sv->reaper, orphan_reaped, sv);
    timer_init(&sv->sweep, sv->loop, sweep_left, sv);
    if (watch_signals(sv) != 0)
        return err_set(err, ERR_SYSTEM, "cannot watch for signals");
    if (prctl(PR_SET_CHILD_SUBREAPER, 1) != 0)
        return err_set(err, ERR_SYSTEM, "cannot become a subreaper");
    return 0;
}

static void make_fleet(struct supervisor *sv)
{
    struct fleet_options options = {.loop = sv->loop,
                                    .reaper = sv->reaper,
                                    .entry = sv->options->worker,
                                    .ended = worker_ended,
                                    .changed = fleet_changed,
                                    .arg = sv};

    sv->notify = notify_create(sv->loop);
    sv->fleet = fleet_create(&options);
    sv->commands = (struct commands){.fleet = sv->fleet,
                                     .started_at_ms = clock_mono_ms(),
                                     .phase = current_phase,
                                     .reload = reload,
                                     .pause = pause_to,
                                     .pausing = current_pausing,
                                     .stop = stop_by_command,
                                     .arg = sv};
}

static void start(struct supervisor *sv)
{
    log_info("supervisor.start", log_str("version", PACKAGE_VERSION),
             log_int("pid", getpid()), log_int("pools", (int64_t)sv->config->pool_ct),
             log_str("config", sv->config->path), log_str("state_dir", sv->statedir.path),
             log_bool("embedded", sv->endpoint.embedded));
    if (sv->redis)
        redis_server_start(sv->redis);
    fleet_configure(sv->fleet, sv->config, &sv->endpoint);
}

static void close_parts(struct supervisor *sv)
{
    control_destroy(sv->control);
    fleet_destroy(sv->fleet);
    redis_server_destroy(sv->redis);
    notify_destroy(sv->notify);
    if (sv->loop) {
        timer_free(&sv->sweep);
        reaper_destroy(sv->reaper);
        loop_destroy(sv->loop);
    }
    redis_endpoint_free(&sv->endpoint);
    config_free(sv->config);
    free(sv->reload_error);
    statedir_close(&sv->statedir);
}

static int start_failed(const struct err *err)
{
    log_error("supervisor.start_failed", log_str("error", err->text));
    return err->code == ERR_CONFIG ? SUPERVISOR_EXIT_CONFIG : SUPERVISOR_EXIT_FAILURE;
}

static void allow_all_signals(void)
{
    sigset_t none;

    (void)sigemptyset(&none);
    MUST(sigprocmask(SIG_SETMASK, &none, NULL) == 0);
}

void supervisor_hold_signals(void)
{
    static const int held[] = {SIGHUP, SIGUSR1, SIGUSR2, SIGTTIN, SIGTTOU};
    sigset_t set;

    (void)sigemptyset(&set);
    for (size_t i = 0; i < ARRAY_CT(held); i++)
        (void)sigaddset(&set, held[i]);
    MUST(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
}

int supervisor_run(const struct supervisor_options *options)
{
    struct supervisor sv = {
        .options = options, .config = options->config, .statedir = {.lock_fd = -1}};
    struct err err = {0};

    fill_standard_fds();
    loop_block_signals();
    log_setup((enum log_level)sv.config->log.level,
              (enum log_format)sv.config->log.format);
    log_identity("supervisor");
    if (open_loop(&sv, &err) != 0 || open_parts(&sv, &err) != 0) {
        sv.exit_code = start_failed(&err);
    } else {
        make_fleet(&sv);
        start(&sv);
        allow_all_signals();
        loop_run(sv.loop);
        log_info("supervisor.end", log_int("exit_code", sv.exit_code));
    }
    loop_block_signals(); /* before their handlers go */
    close_parts(&sv);
    return sv.exit_code;
}
