/* drover scale, reload, stop: one request each to the running supervisor. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "cli/ask.h"
#include "cli/output.h"
#include "supervisor/fleet.h"

enum { STOP_TIMEOUT_MS = 60000 };

/* ---- scale ---- */

static int fail_usage(struct err *err, const char *what)
{
    err->code = ERR_USAGE;
    (void)err_prefix(err, "%s", what);
    return cli_fail(err);
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
        printf("%lld -> %lld\n", (long long)member(answer, "was"),
               (long long)member(answer, "now"));
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

static int run_reload(const struct cli_args *args)
{
    int exit_code = EXIT_DONE;
    json_t *answer =
        ask_with(args, json_pack("{s:s}", "cmd", "reload"), EXIT_BAD_USAGE, &exit_code);

    json_decref(answer);
    return exit_code;
}

const struct cli_command cmd_reload = {
    .words = "reload",
    .operands = "",
    .summary = "Take up the changed configuration; a bad one changes nothing",
    .examples = "drover reload",
    .options = no_options,
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
    const char *timeout = cli_value(args, "--timeout");
    int64_t timeout_ms = STOP_TIMEOUT_MS;
    int exit_code = EXIT_DONE;
    struct err err = {0};
    json_t *answer;
    pid_t pid;

    if (timeout && text_duration(timeout, &timeout_ms, &err) != 0)
        return fail_usage(&err, "--timeout");
    if (timeout_ms > INT32_MAX)
        timeout_ms = INT32_MAX;
    answer = ask_with(args, json_pack("{s:s}", "cmd", "stop"), EXIT_NO_SUCH, &exit_code);
    if (answer == NULL)
        return exit_code;
    pid = (pid_t)member(answer, "pid");
    json_decref(answer);
    return timeout_ms > 0 ? wait_for_end(pid, timeout_ms) : EXIT_DONE;
}

static const struct cli_option stop_options[] = {
    {"--timeout", "S", "how long to wait until it has ended, 0: not at all [60]"},
    {NULL, NULL, NULL}};

const struct cli_command cmd_stop = {
    .words = "stop",
    .operands = "",
    .summary = "Stop the supervisor: workers finish their jobs first",
    .examples = "drover stop\n"
                "drover stop --timeout 5m",
    .options = stop_options,
    .run = run_stop};
