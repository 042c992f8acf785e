/* Looks at what the configuration names on this machine. Must not run when a
 * configuration is merely loaded: it may be another machine's, and a name service may be
 * slow. */
#include "cli/here.h"

#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/spawn.h"
#include "config/origin.h"

static int check_user(const struct config *config, struct err *err)
{
    const struct setting *setting = setting_find(SECTION_TOP, "user");
    struct config_value value;

    errno = 0;
    if (config->user == NULL || getpwnam(config->user) != NULL)
        return 0;
    if (errno != 0 && errno != ENOENT && errno != ESRCH)
        return 0; /* not to be told now */
    value = config_value_of(config, setting, 0);
    return config_value_fail(config, &value, -1, err, "there is no user \"%s\"",
                             config->user);
}

/* 0: a directory. */
static int directory_errno(const char *path)
{
    struct stat st;

    if (stat(path, &st) != 0)
        return errno;
    return S_ISDIR(st.st_mode) ? 0 : ENOTDIR;
}

static void check_cwds(const struct config *config, struct buf *warnings)
{
    const struct setting *setting = setting_find(SECTION_JOBS, "cwd");

    for (size_t i = 0; i < config->job_ct; i++) {
        const char *cwd = config->jobs[i].cwd;
        int errnum = cwd ? directory_errno(cwd) : 0;
        struct config_value value;
        struct err err = {0};

        if (errnum == 0)
            continue;
        value = config_value_of(config, setting, i);
        (void)!config_value_fail(config, &value, -1, &err, "%s: %s: its jobs will fail",
                                 cwd, strerror(errnum));
        (void)buf_addf(warnings, "%s\n", err.text);
    }
}

/* What curl would say of each of its requests. */
static void check_http_files(const struct config *config, struct buf *warnings)
{
    static const char *const names[] = {"ca_file", "cert_file", "key_file"};

    for (size_t i = 0; i < config->job_ct * ARRAY_CT(names); i++) {
        const char *name = names[i % ARRAY_CT(names)];
        struct config_value value = config_value_of(
            config, setting_find(SECTION_JOBS, name), i / ARRAY_CT(names));
        const char *path = *(char *const *)value.base;
        struct err err = {0};

        if (path == NULL || access(path, R_OK) == 0)
            continue;
        (void)!config_value_fail(config, &value, -1, &err, "%s: %s: its jobs will fail",
                                 path, strerror(errno));
        (void)buf_addf(warnings, "%s\n", err.text);
    }
}

/* ---- programs ---- */

static void warn(const struct config *config, const char *name, size_t job,
                 const char *what, const char *why, const char *then,
                 struct buf *warnings)
{
    struct config_value value =
        config_value_of(config, setting_find(SECTION_JOBS, name), job);
    struct err err = {0};

    (void)!config_value_fail(config, &value, -1, &err, "%s: %s: its jobs will %s", what,
                             why, then);
    (void)buf_addf(warnings, "%s\n", err.text);
}

static const char default_path[] = "/usr/local/bin:/usr/bin:/bin";

/* As it is searched for when it is started. */
static bool is_program(const char *program, const char *path)
{
    return spawn_finds(program, path ? path : default_path);
}

/* Of an entry in jobs: its own, else `otherwise`. */
static const char *path_of(const struct job_config *job, const char *otherwise)
{
    for (size_t i = job->env.ct; i-- > 0;)
        if (strncmp(job->env.items[i], "PATH=", strlen("PATH=")) == 0)
            return job->env.items[i] + strlen("PATH=");
    return otherwise;
}

/* What is relative to a directory is not looked for. */
static void check_commands(const struct config *config, struct buf *warnings)
{
    for (size_t i = 0; i < config->job_ct; i++) {
        const struct job_config *job = &config->jobs[i];
        const char *program = job->type == JOB_SHELL ? job->command.items[0] : NULL;

        if (program == NULL || (strchr(program, '/') && program[0] != '/') ||
            is_program(program, path_of(job, NULL)))
            continue;
        warn(config, "command", i, program, "there is no such program", "fail", warnings);
    }
}

/* ---- what jobs of type laravel need ---- */

/* A drover that was built, or copied, but not installed has none. */
static void check_bridge(const struct config *config, size_t job, struct buf *warnings)
{
    const char *file = config->jobs[job].laravel.bridge;

    if (file && access(file, R_OK) != 0)
        warn(config, "bridge", job, file, strerror(errno), "wait", warnings);
    else if (file == NULL && access(BRIDGE_PATH, R_OK) != 0)
        warn(config, "bridge", job, BRIDGE_PATH,
             "it comes with `make install`, or name contrib/laravel/bridge.php here",
             "wait", warnings);
}

static void check_laravel(const struct config *config, struct buf *warnings)
{
    for (size_t i = 0; i < config->job_ct; i++) {
        const struct laravel_config *laravel = &config->jobs[i].laravel;
        const char *php, *file;
        int errnum;

        if (config->jobs[i].type != JOB_LARAVEL)
            continue;
        php = laravel->php.items[0];
        errnum = directory_errno(laravel->app);
        if (!is_program(php, path_of(&config->jobs[i],
                                     laravel->inherit_env ? getenv("PATH") : NULL)))
            warn(config, "php", i, php, "there is no such program", "wait", warnings);
        if (errnum != 0)
            warn(config, "app", i, laravel->app, strerror(errnum), "wait", warnings);
        check_bridge(config, i, warnings);
        file = laravel->bootstrap;
        if (file && access(file, R_OK) != 0)
            warn(config, "bootstrap", i, file, strerror(errno), "wait", warnings);
    }
}

int here_check(const struct config *config, struct buf *warnings, struct err *err)
{
    check_cwds(config, warnings);
    check_http_files(config, warnings);
    check_commands(config, warnings);
    check_laravel(config, warnings);
    return check_user(config, err);
}
