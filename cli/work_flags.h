/* The arguments of `drover work`: queue:work's own, and a few of drover's. Pure.
 */
#ifndef CLI_WORK_FLAGS_H
#define CLI_WORK_FLAGS_H

#include "base/buf.h"
#include "cli/cli.h"

/* Texts are borrowed from the arguments, NULL where they are not given or empty: then
 * queue:work's default counts. */
struct work_flags {
    const char *connection; /* NULL: the application's default */
    const char *queue;      /* as given: names with commas between them */
    const char *name;
    const char *environment;
    const char *tries, *timeout, *backoff, *memory, *max_jobs, *max_time;
    const char *concurrency;
    const char *path, *php, *bootstrap, *state_dir;
    int64_t sleep_ms; /* CONFIG_UNSET: not given, as are those below */
    int64_t rest_ms;
    int64_t empty_ms; /* --stop-when-empty-for */
    bool once, stop_when_empty, force;
    int output; /* enum work_output */
    int level;  /* enum log_level */
    enum { WORK_COLOUR_AUTO, WORK_COLOUR_ON, WORK_COLOUR_OFF } colour;
};

extern const struct cli_option work_options[];

/* `ignored` (a buf) gets what was given and means nothing here: "--daemon, --profile". */
int work_flags_read(struct work_flags *flags, const struct cli_args *args,
                    struct buf *ignored, struct err *err) MUSTCHECK;

/* queue:work's default of an option with a number: "60" of "--timeout". */
const char *work_flag_default(const char *option);

#endif
