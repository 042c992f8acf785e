/* Finding the file and going through the steps: parse, fill, secrets, checks. */
#include "config/load.h"

#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "config/build.h"
#include "config/check.h"
#include "config/source.h"

static struct config *finish(struct config *config, struct err *err)
{
    if (config == NULL)
        return NULL;
    if (config_fill(config, err) == 0 && config_read_secrets(config, err) == 0 &&
        config_check(config, err) == 0)
        return config;
    config_free(config);
    return NULL;
}

struct config *config_load_text(const char *name, const char *text, struct err *err)
{
    return finish(config_parse(name, text, err), err);
}

/* NULL with ERR_NOT_FOUND in `err` where there is no such file, else with ERR_CONFIG. */
static struct config *load_file(const char *path, struct err *err)
{
    struct config *config = NULL;
    struct buf text;
    struct err why = {0};

    buf_init(&text, 0);
    if (source_read_file(path, SOURCE_BYTES_MAX, &text, &why) != 0)
        (void)err_set(err, why.code, "%s: %s", path, why.text);
    else
        config = config_load_text(path, text.data ? text.data : "", err);
    if (text.data)
        explicit_bzero(text.data, text.cap);
    buf_free(&text);
    return config;
}

/* A file that somebody named must be there. */
static struct config *load_named(const char *path, struct err *err)
{
    struct config *config;
    struct err why = {0};

    if (*path == '\0') {
        (void)err_set(err, ERR_CONFIG, "the path of the configuration file is empty");
        return NULL;
    }
    config = load_file(path, &why);
    if (config == NULL)
        (void)err_set(err, ERR_CONFIG, "%s", why.text);
    return config;
}

static struct config *load_found(struct err *err)
{
    static const char *const places[] = {"drover.conf", "/etc/drover/drover.conf"};

    for (size_t i = 0; i < ARRAY_CT(places); i++) {
        struct err why = {0};
        struct config *config = load_file(places[i], &why);

        if (config)
            return config;
        if (why.code != ERR_NOT_FOUND) {
            (void)err_set(err, ERR_CONFIG, "%s", why.text);
            return NULL;
        }
    }
    return finish(config_create(NULL, 1, 0), err);
}

struct config *config_load(const char *path, struct err *err)
{
    const char *named = path ? path : getenv("DROVER_CONFIG");

    if (path || (named && *named))
        return load_named(named, err);
    return load_found(err);
}
