/* Finding the file and going through the steps: parse, fill, secrets, checks; or, where
 * only a part of it is well, through the same steps with that part. */
#include "config/load.h"

#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "config/build.h"
#include "config/check.h"
#include "config/salvage.h"
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

/* Adds one top-level setting after the other to what is taken, and keeps those with which
 * it is still right. */
static struct config *read_well(struct err *broken, const char *name, const char *text,
                                struct err *err)
{
    struct config *config = config_load_text(name, text, broken), *more;
    struct buf taken;
    struct slice part;

    if (config)
        return config;
    buf_init(&taken, 0);
    config = config_load_text(name, "", err);
    while (config && salvage_next(&text, &part)) {
        size_t len = taken.len;

        (void)buf_add(&taken, part.ptr, part.len);
        (void)buf_add_char(&taken, '\n');
        more = config_load_text(name, taken.data, NULL);
        if (more) {
            config_free(config);
            config = more;
        } else {
            taken.len = len;
            taken.data[len] = '\0';
        }
    }
    buf_wipe(&taken);
    return config;
}

/* `broken`: where to put what is wrong with a file of which some is well; NULL: it must
 * be well altogether. NULL with ERR_NOT_FOUND in `err` where there is no such file, else
 * with ERR_CONFIG. */
static struct config *load_file(struct err *broken, const char *path, struct err *err)
{
    struct config *config = NULL;
    struct buf text;
    struct err why = {0};

    buf_init(&text, 0);
    if (source_read_file(path, SOURCE_BYTES_MAX, &text, &why) != 0)
        (void)err_set(err, why.code, "%s: %s", path, why.text);
    else
        config = broken ? read_well(broken, path, text.data ? text.data : "", err)
                        : config_load_text(path, text.data ? text.data : "", err);
    buf_wipe(&text);
    return config;
}

struct config *config_begin(const char *path, struct err *err)
{
    struct config *config = NULL;
    struct buf text;
    struct err why = {0};

    if (path == NULL)
        return config_create(NULL, 1, 1, 0);
    buf_init(&text, 0);
    if (source_read_file(path, SOURCE_BYTES_MAX, &text, &why) != 0)
        (void)err_set(err, ERR_CONFIG, "%s: %s", path, why.text);
    else
        config = config_parse(path, text.data ? text.data : "", err);
    buf_wipe(&text);
    return config ? config_extend(config) : NULL;
}

/* A file that somebody named must be there. */
static struct config *load_named(struct err *broken, const char *path, struct err *err)
{
    struct config *config;
    struct err why = {0};

    if (*path == '\0') {
        (void)err_set(err, ERR_CONFIG, "the path of the configuration file is empty");
        return NULL;
    }
    config = load_file(broken, path, &why);
    if (config == NULL)
        (void)err_set(err, ERR_CONFIG, "%s", why.text);
    return config;
}

static struct config *load_found(struct err *broken, struct err *err)
{
    static const char *const places[] = {"drover.conf", "/etc/drover/drover.conf"};

    for (size_t i = 0; i < ARRAY_CT(places); i++) {
        struct err why = {0};
        struct config *config = load_file(broken, places[i], &why);

        if (config)
            return config;
        if (why.code != ERR_NOT_FOUND) {
            (void)err_set(err, ERR_CONFIG, "%s", why.text);
            return NULL;
        }
    }
    return finish(config_create(NULL, 1, 0, 0), err);
}

static struct config *load_by(struct err *broken, const char *path, struct err *err)
{
    const char *named = path ? path : getenv("DROVER_CONFIG");

    if (path || (named && *named))
        return load_named(broken, named, err);
    return load_found(broken, err);
}

struct config *config_load(const char *path, struct err *err)
{
    return load_by(NULL, path, err);
}

struct config *config_load_usable(const char *path, struct err *broken, struct err *err)
{
    *broken = (struct err){.code = ERR_NONE};
    return load_by(broken, path, err);
}
