/* One runner, as those that run jobs, asked for nothing but its hello. Knows the process,
 * not what is in the hello.
 *
 * The application is anybody's code: whatever it does, this comes to an end within the
 * time and a grace, and nothing of it is left.
 */
#include "cli/laravel_boot.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "jobs/team.h"

enum { GRACE_MS = 2000 }; /* for an application to end that has said all */

struct booting {
    struct handler_env env;
    struct runner *runner; /* NULL: gone */
    struct buf told;
    bool has_told;
    bool stopped; /* by a signal */
    char cause[OUTCOME_REASON_BYTES];
};

/* ---- where things are ---- */

static int need_file(const char *app, const char *name, const char *advice,
                     struct err *err)
{
    char *path = must_format("%s/%s", app, name);
    int rc = 0;

    if (access(path, R_OK) != 0)
        rc = err_set(err, ERR_NOT_FOUND, "%.300s: %s: %s", path, strerror(errno), advice);
    free(path);
    return rc;
}

char *laravel_find(const char *path, const char *bootstrap, struct err *err)
{
    static const char *const advice =
        "not a Laravel project; go to its directory, or name it with --path";
    char *app = realpath(path ? path : ".", NULL);

    if (app == NULL) {
        (void)err_set(err, ERR_NOT_FOUND, "%.300s: %s", path ? path : ".",
                      strerror(errno));
        return NULL;
    }
    if (bootstrap ||
        (need_file(app, "artisan", advice, err) == 0 &&
         need_file(app, "bootstrap/app.php", advice, err) == 0 &&
         need_file(app, "vendor/autoload.php", "run `composer install` there", err) == 0))
        return app;
    free(app);
    return NULL;
}

/* Of a drover that lies in the folder where it was built, within its sources. */
static char *bridge_beside(void)
{
    char self[PATH_MAX], *folder, *path, *real;
    ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);

    if (len <= 0)
        return NULL;
    self[len] = '\0';
    folder = strrchr(self, '/');
    if (folder == NULL)
        return NULL;
    *folder = '\0';
    path = must_format("%s/../contrib/laravel/bridge.php", self);
    real = realpath(path, NULL);
    free(path);
    return real;
}

char *laravel_find_bridge(struct err *err)
{
    char *path;

    if (access(BRIDGE_PATH, R_OK) == 0)
        return must_strdup(BRIDGE_PATH);
    path = bridge_beside();
    if (path == NULL)
        (void)err_set(err, ERR_NOT_FOUND,
                      "%s is missing: drover's part in PHP comes with `make install`",
                      BRIDGE_PATH);
    return path;
}

/* ---- the runner ---- */

static struct booting *booting_of(const struct runner *runner)
{
    return runner->team->owner;
}

static void heard(struct runner *runner, struct slice told)
{
    struct booting *booting = booting_of(runner);

    booting->has_told = true;
    (void)buf_add(&booting->told, told.ptr, told.len);
    runner_dismiss(runner);
}

static void spoke_on(struct runner *runner, const struct frame *frame UNUSED)
{
    runner_kill(runner, NULL); /* nobody asked */
}

static void ended(struct runner *runner, const struct runner_end *end)
{
    struct booting *booting = booting_of(runner);

    booting->runner = NULL;
    (void)snprintf(booting->cause, sizeof(booting->cause), "%s", end->cause);
    loop_stop(booting->env.loop);
}

static const struct runner_events runner_events = {
    .ready = heard, .said = spoke_on, .gone = ended};

static void asked_to_stop(int signum UNUSED, void *arg)
{
    struct booting *booting = arg;

    booting->stopped = true;
    if (booting->runner)
        runner_kill(booting->runner, NULL);
}

/* ---- the loop around it ---- */

static int open_loop(struct booting *booting, struct err *err)
{
    static const int stops[] = {SIGTERM, SIGINT, SIGQUIT};

    booting->env.loop = loop_create(err);
    if (booting->env.loop == NULL)
        return -1;
    booting->env.reaper = reaper_create(booting->env.loop, err);
    if (booting->env.reaper == NULL)
        return -1;
    for (size_t i = 0; i < ARRAY_CT(stops); i++)
        if (loop_on_signal(booting->env.loop, stops[i], asked_to_stop, booting) != 0)
            return err_set(err, ERR_SYSTEM, "cannot watch signals");
    return 0;
}

static void block_stops(void)
{
    sigset_t stops;

    (void)sigemptyset(&stops);
    (void)sigaddset(&stops, SIGTERM);
    (void)sigaddset(&stops, SIGINT);
    (void)sigaddset(&stops, SIGQUIT);
    MUST(sigprocmask(SIG_BLOCK, &stops, NULL) == 0);
}

static void close_loop(struct booting *booting)
{
    if (booting->env.loop == NULL)
        return;
    block_stops(); /* so that none is lost between this loop and the next */
    reaper_destroy(booting->env.reaper);
    loop_destroy(booting->env.loop);
}

static int run(struct booting *booting, const struct job_config *entry, struct err *err)
{
    struct team team = {.owner = booting};

    if (open_loop(booting, err) != 0)
        return -1;
    booting->runner = runner_start(&booting->env, entry, &runner_events, NULL, err);
    if (booting->runner == NULL)
        return -1;
    booting->runner->team = &team;
    loop_run(booting->env.loop);
    if (booting->stopped)
        *err = (struct err){.code = ERR_NONE};
    else if (!booting->has_told)
        (void)err_set(err, ERR_REPLY, "%s", booting->cause);
    return booting->has_told && !booting->stopped ? 0 : -1;
}

static struct job_config entry_of(const struct laravel_boot *boot, struct text_list php,
                                  struct text_list env, const char *bridge)
{
    return (struct job_config){
        .type = JOB_LARAVEL,
        .env = env,
        .kill_grace_ms = GRACE_MS,
        .laravel = {.app = (char *)(uintptr_t)boot->app,
                    .php = php,
                    .bridge = (char *)(uintptr_t)bridge,
                    .bootstrap = (char *)(uintptr_t)boot->bootstrap,
                    .boot_timeout_ms =
                        boot->timeout_ms ? boot->timeout_ms : LARAVEL_BOOT_MS,
                    .inherit_env = true}};
}

/* Appends what it said to `told`. */
static int ask(const struct laravel_boot *boot, const char *bridge, struct buf *told,
               struct err *err)
{
    char *php = must_strdup(boot->php ? boot->php : "php");
    char *environment =
        boot->environment ? must_format("APP_ENV=%s", boot->environment) : NULL;
    struct job_config entry = entry_of(
        boot, (struct text_list){.items = &php, .ct = 1},
        (struct text_list){.items = &environment, .ct = environment != NULL}, bridge);
    struct booting booting = {.has_told = false};
    int rc;

    block_stops();
    buf_init(&booting.told, 0);
    rc = run(&booting, &entry, err);
    close_loop(&booting);
    (void)buf_add(told, booting.told.data, booting.told.len);
    buf_wipe(&booting.told);
    free(environment);
    free(php);
    return rc;
}

struct laravel_app *laravel_boot(const struct laravel_boot *boot, struct err *err)
{
    char *bridge = boot->bridge ? must_strdup(boot->bridge) : laravel_find_bridge(err);
    struct laravel_app *app = NULL;
    struct buf told;

    buf_init(&told, 0);
    if (bridge && ask(boot, bridge, &told, err) == 0)
        app = laravel_app_read(buf_slice(&told), err);
    else if (bridge && err->code != ERR_NONE)
        (void)err_prefix(err, "the application in %.200s does not boot", boot->app);
    buf_wipe(&told);
    free(bridge);
    return app;
}
