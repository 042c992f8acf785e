/* The configuration that `drover work` runs with: what its arguments say, then the file
 * that -c names, then the environment, then what the application said of itself. Pure but
 * for the environment and that file.
 */
#ifndef CLI_WORK_COMPOSE_H
#define CLI_WORK_COMPOSE_H

#include "cli/laravel_app.h"
#include "cli/work_flags.h"

struct work_setting { /* what is composed; all borrowed */
    const struct work_flags *flags;
    const struct laravel_app *app;
    const struct laravel_connection *connection; /* one that laravel_app_check() takes */
    const char *directory;                       /* of the application, absolute */
    const char *bridge;
    const char *state_dir;
    const char *config_path; /* of -c; NULL: none */
    bool terminal;           /* stdout is one */
};

/* Whether the arguments are good as settings, of which no application is needed to know:
 * ERR_USAGE. */
int work_check_flags(const struct work_flags *flags, struct err *err) MUSTCHECK;

/* One pool of one worker, and an entry for all jobs behind those of the file, so that
 * shell commands, webhooks and statements may take over single ones. `notes` gets lines
 * for people: the environment outweighs the application where they differ, failed jobs do
 * not go where the application's own go. NULL with `err`: ERR_USAGE names an argument,
 * ERR_CONFIG is about something else. Caller owns the result. */
struct config *work_compose(const struct work_setting *setting, struct buf *notes,
                            struct err *err) MUSTCHECK;

#endif
