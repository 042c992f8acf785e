/* drover scale, reload, drain, stop: one request each to the running supervisor. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "cli/args.h"
#include "cli/ask.h"
#include "cli/output.h"
#include "supervisor/fleet.h"

enum { TIMEOUT_MS = 60000, LOOK_MS = 50, PROGRESS_MS = 250 };

/* ---- scale ---- */

static int fail_usage(struct err *err, const char *what)
{
    (void)args_bad_value(err, what);
    return cli_fail(err);
}

/* --timeout of the commands that wait. */
static int read_timeout(const struct cli_args *args, int64_t *ms, int *exit_code)
{
    const char *timeout = cli_value(args, "--timeout");
    struct err err = {0};

    *ms = TIMEOUT_MS;
    if (timeout && text_duration(timeout, ms, &err) != 0) {
        *exit_code = fail_usage(&err, "--timeout");
        return -1;
    }
    if (*ms > INT32_MAX)
        *ms = INT32_MAX; /* poll's */
    return 0;
}

static int64_t member(const json_t *answer, const char *name)
{
    return json_integer_value(json_object_get(answer, name));
}

static int run_scale(const struct cli_args *args)
{
    const char *pool = args->operands[0];
    struct err err = {0};
    int exit_code = EXIT_DONE;
    int64_t workers;
    json_t *answer;

    if (text_integer(args->operands[1], 0, FLEET_WORKERS_MAX, &workers, &err) != 0)
        return fail_usage(&err, "N, the number of workers");
    answer = ask_with(args,
                      json_pack("{s:s, s:s, s:I}", "cmd", "scale", "pool", pool,
                                "workers", (json_int_t)workers),
                      EXIT_NO_SUCH, &exit_code);
    if (answer == NULL)
        return exit_code;
    if (args->json)
        output_json(json_pack("{s:s, s:I, s:I}", "pool", pool, "was",
                              (json_int_t)member(answer, "was"), "now",
                              (json_int_t)member(answer, "now")));
    else
        printf("%s: %lld -> %lld worker%s\n", pool, (long long)member(answer, "was"),
               (long long)member(answer, "now"), member(answer, "now") == 1 ? "" : "s");
    json_decref(answer);
    return EXIT_DONE;
}

static const struct cli_option no_options[] = {{NULL, NULL, NULL}};

const struct cli_command cmd_scale = {
    .words = "scale",
    .operands = "POOL N",
    .summary = "Set a pool's number of workers, until the next reload",
    .examples = "drover scale main 8\n"
                "drover scale main 0",
    .operand_min = 2,
    .operand_max = 2,
    .options = no_options,
    .run = run_scale};

/* ---- reload ---- */

/* Workers that still have the earlier configuration; -1 where nobody tells. */
static int64_t count_stale(const struct config *config)
{
    struct err err = {0};
    json_t *answer = ask_supervisor(config, json_pack("{s:s}", "cmd", "status"), &err);
    int64_t ct = answer ? member(answer, "stale") : -1;

    if (answer == NULL)
        output_note("%s", err.text);
    json_decref(answer);
    return ct;
}

/* Until no worker has the earlier configuration: only then is a job that it did not know
 * safe from it. */
static int await_workers(const struct config *config, int64_t timeout_ms)
{
    int64_t deadline_ms = clock_mono_ms() + timeout_ms;
    int64_t stale_ct;

    while ((stale_ct = count_stale(config)) > 0 && clock_mono_ms() < deadline_ms)
        (void)poll(NULL, 0, LOOK_MS);
    if (stale_ct > 0)
        output_note("reloaded, but %lld worker%s the earlier configuration: "
                    "they are replaced one by one, after their jobs",
                    (long long)stale_ct, stale_ct == 1 ? " still has" : "s still have");
    return stale_ct == 0 ? EXIT_DONE : EXIT_ERROR;
}

static int reload_and_wait(const struct config *config, int64_t timeout_ms)
{
    struct err err = {0};
    json_t *answer = ask_supervisor(config, json_pack("{s:s}", "cmd", "reload"), &err);
    const char *waiting;

    if (answer == NULL) {
        output_note("%s", err.text);
        return (int)ask_exit_code(&err, EXIT_BAD_USAGE);
    }
    waiting = json_string_value(json_object_get(answer, "needs_restart"));
    if (waiting && waiting[0])
        output_note("changed, but in force only after a restart: %s", waiting);
    json_decref(answer);
    return timeout_ms > 0 ? await_workers(config, timeout_ms) : EXIT_DONE;
}

static int run_reload(const struct cli_args *args)
{
    struct config *config;
    int64_t timeout_ms;
    int exit_code;

    if (read_timeout(args, &timeout_ms, &exit_code) != 0)
        return exit_code;
    config = cli_config(args, &exit_code);
    if (config)
        exit_code = reload_and_wait(config, timeout_ms);
    if (exit_code == EXIT_BAD_USAGE)
        output_note("nothing was changed");
    config_free(config);
    return exit_code;
}

static const struct cli_option reload_options[] = {
    {"--timeout", "S", "how long to wait for all workers; 0: not at all [60]"},
    {NULL, NULL, NULL}};

const struct cli_command cmd_reload = {
    .words = "reload",
    .operands = "",
    .summary = "Take up the changed configuration; a bad one changes nothing",
    .examples = "drover reload\n"
                "drover reload --timeout 10m",
    .options = reload_options,
    .run = run_reload};

/* ---- stop ---- */

/* 0 once the process behind `pidfd` is gone, -1 at the deadline. */
static int await_end(int pidfd, int64_t deadline_ms)
{
    for (;;) {
        struct pollfd pfd = {.fd = pidfd, .events = POLLIN};
        int64_t left_ms = deadline_ms - clock_mono_ms();
        int n = left_ms > 0 ? poll(&pfd, 1, (int)left_ms) : 0;

        if (n > 0)
            return 0;
        if (n == 0)
            return -1;
        if (errno != EINTR)
            return -1;
    }
}

static int wait_for_end(pid_t pid, int64_t timeout_ms)
{
    int pidfd = pidfd_open(pid, 0);
    int rc;

    if (pidfd < 0 && errno == ESRCH)
        return EXIT_DONE;
    if (pidfd < 0) {
        output_note("the supervisor is stopping, but cannot be waited for");
        return EXIT_ERROR;
    }
    rc = await_end(pidfd, clock_mono_ms() + timeout_ms);
    (void)close(pidfd);
    if (rc == 0)
        return EXIT_DONE;
    output_note("the supervisor (pid %d) is still stopping", (int)pid);
    return EXIT_ERROR;
}

static int run_stop(const struct cli_args *args)
{
    int64_t timeout_ms;
    int exit_code;
    json_t *answer;
    pid_t pid;

    if (read_timeout(args, &timeout_ms, &exit_code) != 0)
        return exit_code;
    answer = ask_with(args, json_pack("{s:s}", "cmd", "stop"), EXIT_NO_SUCH, &exit_code);
    if (answer == NULL)
        return exit_code;
    pid = (pid_t)member(answer, "peer_pid");
    json_decref(answer);
    return timeout_ms > 0 ? wait_for_end(pid, timeout_ms) : EXIT_DONE;
}

static const struct cli_option stop_options[] = {
    {"--timeout", "S", "how long to wait for its end; 0: not at all [60]"},
    {NULL, NULL, NULL}};

const struct cli_command cmd_stop = {
    .words = "stop",
    .operands = "",
    .summary = "Stop the supervisor: workers finish their jobs first",
    .examples = "drover stop\n"
                "drover stop --timeout 5m",
    .options = stop_options,
    .run = run_stop};

/* ---- drain ---- */

/* Jobs that run in the supervisor's workers; -1 where nobody tells, for it ends. */
static int64_t count_running(const struct config *config)
{
    struct err err = {0};
    json_t *answer = ask_supervisor(config, json_pack("{s:s}", "cmd", "status"), &err);
    const json_t *pools = json_object_get(answer, "pools");
    int64_t ct = answer ? 0 : -1;

    for (size_t i = 0; i < json_array_size(pools); i++) {
        const json_t *workers = json_object_get(json_array_get(pools, i), "workers");

        for (size_t k = 0; k < json_array_size(workers); k++)
            ct += member(json_array_get(workers, k), "running");
    }
    json_decref(answer);
    return ct;
}

static int await_drain(const struct config *config, int pidfd, int64_t deadline_ms)
{
    int64_t at_first = count_running(config), running = at_first;
    struct progress progress;
    int rc = -1;

    progress_begin(&progress, "finished", at_first);
    while (rc != 0 && clock_mono_ms() < deadline_ms) {
        int64_t look_ms = clock_mono_ms() + PROGRESS_MS;

        rc = await_end(pidfd, look_ms < deadline_ms ? look_ms : deadline_ms);
        running = rc == 0 ? 0 : count_running(config);
        progress_update(&progress, running < 0 ? at_first : at_first - running);
    }
    progress_end(&progress);
    if (rc == 0)
        return EXIT_DONE;
    running = running < 0 ? 0 : running;
    output_note("still draining, %lld job%s: it stops after them; `drover resume "
                "--local` lets it go on instead",
                (long long)running, running == 1 ? " runs" : "s run");
    return EXIT_ERROR;
}

static int drain_and_wait(const struct config *config, int64_t timeout_ms)
{
    struct err err = {0};
    json_t *answer = ask_supervisor(config, json_pack("{s:s}", "cmd", "drain"), &err);
    int pidfd, exit_code = EXIT_DONE;

    if (answer == NULL) {
        output_note("%s", err.text);
        return (int)ask_exit_code(&err, EXIT_NO_SUCH);
    }
    pidfd = pidfd_open((pid_t)member(answer, "peer_pid"), 0);
    json_decref(answer);
    if (pidfd < 0 && errno != ESRCH && timeout_ms > 0) {
        output_note("the supervisor drains, but cannot be waited for");
        return EXIT_ERROR;
    }
    if (pidfd >= 0 && timeout_ms > 0)
        exit_code = await_drain(config, pidfd, clock_mono_ms() + timeout_ms);
    if (pidfd >= 0)
        (void)close(pidfd);
    return exit_code;
}

static int run_drain(const struct cli_args *args)
{
    int64_t timeout_ms = INT32_MAX;
    struct config *config;
    int exit_code;

    if (cli_value(args, "--timeout") && read_timeout(args, &timeout_ms, &exit_code) != 0)
        return exit_code;
    config = cli_config_usable(args, &exit_code);
    if (config == NULL)
        return exit_code;
    exit_code = drain_and_wait(config, timeout_ms);
    config_free(config);
    return exit_code;
}

static const struct cli_option drain_options[] = {
    {"--timeout", "S", "how long to wait for its end; 0: not at all [no limit]"},
    {NULL, NULL, NULL}};

const struct cli_command cmd_drain = {
    .words = "drain",
    .operands = "",
    .summary = "Take no more jobs, and stop once those that run are done",
    .examples = "drover drain\n"
                "drover drain --timeout 0; drover status --watch",
    .options = drain_options,
    .run = run_drain};
