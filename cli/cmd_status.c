/* drover status: what the supervisor and Redis say, each asked for itself, so that either
 * may be away. */
#include <errno.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/text.h"
#include "cli/args.h"
#include "cli/ask.h"
#include "cli/interrupt.h"
#include "cli/output.h"
#include "status/metrics.h"
#include "status/status.h"

enum { INTERVAL_MS = 2000, INTERVAL_MIN_MS = 100, MS_PER_S = 1000 };

static const char clear_screen[] = "\033[H\033[2J";

struct watch {
    const struct cli_args *args;
    const struct config *config;
    bool redraw; /* in place, on a terminal */
};

static int read_redis(const struct config *config, struct status_redis *redis,
                      struct err *err)
{
    struct redis_endpoint endpoint = {0};
    struct client *client = NULL;
    struct err ignored = {0};
    int rc = -1;

    if (redis_endpoint_resolve(config, &endpoint, err) == 0)
        client = client_open(&endpoint, config->redis.prefix, err);
    if (client)
        rc = status_redis_read(redis, config, client, err);
    else
        (void)!status_redis_read(redis, config, NULL, &ignored); /* the names alone */
    client_close(client);
    redis_endpoint_free(&endpoint);
    return rc;
}

static void print_text(const struct watch *watch, const json_t *document)
{
    struct buf text;

    buf_init(&text, 0);
    status_text(document, cli_colour() ? STATUS_COLOURED : STATUS_PLAIN, &text);
    if (watch->redraw)
        (void)fputs(clear_screen, stdout);
    (void)fwrite(text.data, 1, text.len, stdout);
    buf_free(&text);
}

static void print_metrics(const json_t *document)
{
    struct buf text;

    buf_init(&text, 0);
    metrics_text(document, &text);
    (void)fwrite(text.data, 1, text.len, stdout);
    buf_free(&text);
}

static void print_document(const struct watch *watch, json_t *document)
{
    if (watch->args->json) {
        output_json(document);
        return;
    }
    if (cli_flag(watch->args, "--metrics"))
        print_metrics(document);
    else
        print_text(watch, document);
    json_decref(document);
}

/* Prints once. What is away is said on stderr; the supervisor's absence is what the exit
 * code tells first. */
static int show(const struct watch *watch)
{
    struct err no_supervisor = {0}, no_redis = {0};
    struct status_redis redis;
    json_t *answer = ask_supervisor(watch->config, json_pack("{s:s}", "cmd", "status"),
                                    &no_supervisor);
    int exit_code = answer ? EXIT_DONE : (int)ask_exit_code(&no_supervisor, EXIT_ERROR);
    int rc = read_redis(watch->config, &redis, &no_redis);

    print_document(watch, status_document(watch->config, answer, &redis));
    (void)fflush(stdout);
    if (answer == NULL)
        output_note("%s", no_supervisor.text);
    if (rc != 0) {
        int code = cli_fail(&no_redis);

        if (exit_code == EXIT_DONE)
            exit_code = code;
    }
    status_redis_free(&redis);
    json_decref(answer);
    return exit_code;
}

static void pause_for(int64_t ms)
{
    struct timespec left = {.tv_sec = (time_t)(ms / MS_PER_S),
                            .tv_nsec = (long)(ms % MS_PER_S) * 1000000};

    (void)nanosleep(&left, NULL); /* a signal ends it early, as it should */
}

/* Until Ctrl-C, or until nobody reads any more. */
static int show_again_and_again(const struct watch *watch, int64_t interval_ms)
{
    int exit_code;

    interrupt_watch();
    for (;;) {
        exit_code = show(watch);
        if (interrupt_seen() || !output_ok())
            return exit_code;
        pause_for(interval_ms);
        if (interrupt_seen())
            return exit_code;
    }
}

static int read_interval(const struct cli_args *args, int64_t *ms, struct err *err)
{
    const char *interval = cli_value(args, "--interval");

    *ms = INTERVAL_MS;
    if (interval == NULL)
        return 0;
    if (text_duration(interval, ms, err) != 0)
        return args_bad_value(err, "--interval");
    if (*ms >= INTERVAL_MIN_MS)
        return 0;
    (void)err_set(err, ERR_USAGE, "%s is below the minimum of 0.1 s", interval);
    return args_bad_value(err, "--interval");
}

static bool is_watching(const struct cli_args *args)
{
    return cli_flag(args, "--watch") || cli_value(args, "--interval");
}

/* Metrics that are there twice are none. */
static int check_once(const struct cli_args *args, struct err *err)
{
    if (is_watching(args) && cli_flag(args, "--metrics"))
        return err_set(err, ERR_USAGE, "--metrics are printed once: leave out %s",
                       cli_flag(args, "--watch") ? "--watch" : "--interval");
    return 0;
}

static int run(const struct cli_args *args)
{
    struct watch watch = {.args = args};
    struct config *config;
    struct err err = {0};
    int64_t interval_ms;
    int exit_code;

    if (read_interval(args, &interval_ms, &err) != 0 || check_once(args, &err) != 0)
        return cli_fail(&err);
    config = cli_config_usable(args, &exit_code);
    if (config == NULL)
        return exit_code;
    watch.config = config;
    if (is_watching(args)) {
        watch.redraw = !args->json && isatty(STDOUT_FILENO);
        exit_code = show_again_and_again(&watch, interval_ms);
    } else {
        exit_code = show(&watch);
    }
    config_free(config);
    return exit_code;
}

static const struct cli_option options[] = {
    {"--watch", NULL, "show it again and again, until Ctrl-C"},
    {"--interval", "S", "seconds between looks, 0.1 or more; implies --watch [2]"},
    {"--metrics", NULL, "print it as Prometheus reads it"},
    {NULL, NULL, NULL}};

const struct cli_command cmd_status = {
    .words = "status",
    .operands = "",
    .summary = "Show the supervisor, its workers and the queues",
    .examples = "drover status\n"
                "drover status --watch\n"
                "drover status --metrics\n"
                "drover status --json | jq '.queues[] | select(.ready > 1000)'",
    .options = options,
    .run = run};
