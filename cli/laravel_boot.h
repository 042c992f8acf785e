/* Booting a Laravel application once, in a PHP process of its own, to hear what it is.
 */
#ifndef CLI_LARAVEL_BOOT_H
#define CLI_LARAVEL_BOOT_H

#include "cli/laravel_app.h"

struct laravel_boot {
    const char *app;    /* directory, absolute: of laravel_find() */
    const char *php;    /* NULL: php, as PATH finds it */
    const char *bridge; /* NULL: drover's own */
    const char
        *bootstrap; /* a file that returns the container; NULL: the application's */
    const char *environment; /* APP_ENV for it; NULL: as it is */
    int64_t timeout_ms;      /* 0: LARAVEL_BOOT_MS */
};

enum { LARAVEL_BOOT_MS = 60 * 1000 };

/* The directory of the application at `path` (NULL: the working directory), which has
 * `artisan` and `bootstrap/app.php` (looked for only where there is no `bootstrap`).
 * Absolute; caller frees. NULL with `err`: ERR_NOT_FOUND. */
char *laravel_find(const char *path, const char *bootstrap, struct err *err) MUSTCHECK;

/* drover's bridge: the installed one, else that of the source tree which the running
 * drover was built in. Caller frees. NULL with `err`: ERR_NOT_FOUND. */
char *laravel_find_bridge(struct err *err) MUSTCHECK;

/* Boots it, hears and ends it; takes as long as that. With a loop of its own, so there
 * must be none in this process now. NULL with `err`: it does not boot, is no application,
 * PHP is missing, ...; with ERR_NONE where TERM, INT or QUIT came meanwhile. Leaves these
 * signals blocked. */
struct laravel_app *laravel_boot(const struct laravel_boot *boot,
                                 struct err *err) MUSTCHECK;

#endif
