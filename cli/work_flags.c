/* queue:work's options as Laravel 8 to 13 have them. What means something to drover is
 * kept as it was given, to be checked against the settings that it becomes; what does not
 * is named. An empty value is none, as PHP's (int) of it is 0. */
#include "cli/work_flags.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "cli/args.h"

const struct cli_option work_options[] = {
    {"--queue", "A,B", "queues in order of priority [the connection's own]"},
    {"--once", NULL, "run one job, or none, and end"},
    {"--stop-when-empty", NULL, "end once the queues are empty"},
    {"--stop-when-empty-for", "S", "end once they have been empty for so long"},
    {"--tries", "N", "runs after which a job fails; 0: without limit [1]"},
    {"--timeout", "S", "seconds a job may take; 0: without limit [60]"},
    {"--backoff", "S,S", "seconds before the next try; the last repeats [0]"},
    {"--delay", "S", "older name of --backoff"},
    {"--memory", "MIB", "end with 12 when PHP holds so much; 0: never [128]"},
    {"--max-jobs", "N", "end after so many jobs; 0: never [0]"},
    {"--max-time", "S", "end after so many seconds; 0: never [0]"},
    {"--sleep", "S", "seconds between looks at queues without tokens [1]"},
    {"--rest", "S", "seconds between two jobs [0]"},
    {"--force", NULL, "work in maintenance mode too"},
    {"--name", "NAME", "name of the worker in the log [default]"},
    {"--env", "ENV", "the application's environment, as APP_ENV"},
    {"--concurrency", "N", "PHP processes, and jobs at a time [1]"},
    {"--path", "DIR", "the Laravel project [the working directory]"},
    {"--php", "PROGRAM", "the PHP that runs it [php]"},
    {"--bootstrap", "FILE", "returns the container, for bootstrap/app.php"},
    {"--state-dir", "DIR", "keep the control socket there [a private one]"},
    {"-q", NULL, "no lines about jobs"},
    {"--quiet", NULL, "the same"},
    {"--silent", NULL, "the same"},
    {"-v", NULL, "more about each job, and drover's own log"},
    {"-vv", NULL, "the same"},
    {"-vvv", NULL, "all of the log"},
    {"--verbose", NULL, "as -v"},
    {"--ansi", NULL, "colours, also where stdout is no terminal"},
    {"--no-ansi", NULL, "no colours"},
    {"-n", NULL, "ignored: nothing is asked anyway"},
    {"--no-interaction", NULL, "ignored likewise"},
    {"--daemon", NULL, "ignored, as by Laravel"},
    {"--profile", NULL, "ignored"},
    {"--supervisor", "NAME", "ignored; Horizon's"},
    {NULL, NULL, NULL}};

static const struct {
    const char *option, *value;
} defaults[] = {{"--tries", "1"},      {"--timeout", "60"},   {"--backoff", "0"},
                {"--memory", "128"},   {"--max-jobs", "0"},   {"--max-time", "0"},
                {"--name", "default"}, {"--concurrency", "1"}};

const char *work_flag_default(const char *option)
{
    for (size_t i = 0; i < ARRAY_CT(defaults); i++)
        if (strcmp(defaults[i].option, option) == 0)
            return defaults[i].value;
    return NULL;
}

static const char *given(const struct cli_args *args, const char *option)
{
    const char *text = cli_value(args, option);

    return text && *text ? text : NULL;
}

static int read_seconds(const struct cli_args *args, const char *option, int64_t *ms,
                        struct err *err)
{
    const char *text = given(args, option);

    *ms = CONFIG_UNSET;
    if (text == NULL || text_seconds(text, ms, err) == 0)
        return 0;
    return args_bad_value(err, option);
}

/* Laravel takes the larger of --backoff and --delay. */
static int read_backoff(struct work_flags *flags, const struct cli_args *args,
                        struct err *err)
{
    int64_t delay_ms, backoff_ms = 0;

    flags->backoff = given(args, "--backoff");
    if (read_seconds(args, "--delay", &delay_ms, err) != 0)
        return -1;
    if (delay_ms <= 0 || (flags->backoff && strchr(flags->backoff, ',')))
        return 0;
    if (read_seconds(args, "--backoff", &backoff_ms, err) != 0)
        return -1;
    if (delay_ms > backoff_ms)
        flags->backoff = given(args, "--delay");
    return 0;
}

static void read_output(struct work_flags *flags, const struct cli_args *args)
{
    bool all = cli_flag(args, "-vvv");
    bool more = all || cli_flag(args, "-v") || cli_flag(args, "-vv") ||
                cli_flag(args, "--verbose");
    bool quiet =
        cli_flag(args, "-q") || cli_flag(args, "--quiet") || cli_flag(args, "--silent");

    flags->output = args->json ? WORK_JSON : more ? WORK_LONG_LINES : WORK_LINES;
    if (quiet)
        flags->output = WORK_QUIET;
    flags->level = all ? LOG_DEBUG : more && !quiet ? LOG_INFO : LOG_WARNING;
    flags->colour = cli_flag(args, "--no-ansi") ? WORK_COLOUR_OFF
                    : cli_flag(args, "--ansi")  ? WORK_COLOUR_ON
                                                : WORK_COLOUR_AUTO;
}

static void name_ignored(const struct cli_args *args, struct buf *ignored)
{
    static const char *const options[] = {"--daemon", "--profile", "--supervisor"};

    for (size_t i = 0; i < ARRAY_CT(options); i++)
        if (cli_flag(args, options[i]))
            (void)buf_addf(ignored, "%s%s", ignored->len ? ", " : "", options[i]);
}

static void read_texts(struct work_flags *flags, const struct cli_args *args)
{
    const struct {
        const char **field;
        const char *option;
    } texts[] = {
        {&flags->queue, "--queue"},
        {&flags->name, "--name"},
        {&flags->environment, "--env"},
        {&flags->tries, "--tries"},
        {&flags->timeout, "--timeout"},
        {&flags->memory, "--memory"},
        {&flags->max_jobs, "--max-jobs"},
        {&flags->max_time, "--max-time"},
        {&flags->concurrency, "--concurrency"},
        {&flags->path, "--path"},
        {&flags->php, "--php"},
        {&flags->bootstrap, "--bootstrap"},
        {&flags->state_dir, "--state-dir"},
    };

    for (size_t i = 0; i < ARRAY_CT(texts); i++)
        *texts[i].field = given(args, texts[i].option);
    if (args->operand_ct > 0 && *args->operands[0])
        flags->connection = args->operands[0];
}

int work_flags_read(struct work_flags *flags, const struct cli_args *args,
                    struct buf *ignored, struct err *err)
{
    *flags = (struct work_flags){.once = cli_flag(args, "--once"),
                                 .stop_when_empty = cli_flag(args, "--stop-when-empty"),
                                 .force = cli_flag(args, "--force")};
    read_texts(flags, args);
    read_output(flags, args);
    name_ignored(args, ignored);
    if (read_backoff(flags, args, err) != 0 ||
        read_seconds(args, "--sleep", &flags->sleep_ms, err) != 0 ||
        read_seconds(args, "--rest", &flags->rest_ms, err) != 0 ||
        read_seconds(args, "--stop-when-empty-for", &flags->empty_ms, err) != 0)
        return -1;
    return 0;
}
