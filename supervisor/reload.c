/* The new configuration beside the running one: what can change while it runs, and what
 * has to wait. Must not know of workers. */
#include "supervisor/reload.h"

#include <stdlib.h>

#include "base/log.h"
#include "config/diff.h"
#include "config/origin.h"

static void name_waiting(const struct config *old, const struct config *fresh,
                         struct buf *names)
{
    if (config_diff(old, fresh, names) > 0)
        log_warning("supervisor.needs_restart", log_slice("settings", buf_slice(names)));
}

/* State directory, user and Redis are what the running supervisor was built on: the lock,
 * the sockets, the embedded server. */
static void keep_fixed(struct config *old, struct config *fresh)
{
    char *state_dir = fresh->state_dir;
    char *user = fresh->user;
    struct redis_config redis = fresh->redis;

    fresh->state_dir = old->state_dir;
    fresh->user = old->user;
    fresh->redis = old->redis;
    old->state_dir = state_dir;
    old->user = user;
    old->redis = redis;
}

static bool has_file_settings(const struct config *config)
{
    for (struct config_value value = {0}; config_next(config, &value);)
        if (value.origin && value.origin->kind == ORIGIN_FILE)
            return true;
    return false;
}

static bool has_file_pools(const struct config *config)
{
    for (struct config_value value = {0}; config_next(config, &value);)
        if (value.setting->section == SECTION_POOLS && value.origin &&
            value.origin->kind == ORIGIN_FILE)
            return true;
    return false;
}

/* What `old` had and `fresh` has lost altogether; NULL: nothing. */
static const char *name_lost(const struct config *old, const struct config *fresh)
{
    if (has_file_settings(old) && !has_file_settings(fresh))
        return "setting";
    if (old->job_ct > 0 && fresh->job_ct == 0)
        return "entry in jobs";
    if (has_file_pools(old) && !has_file_pools(fresh))
        return "entry in pools";
    return NULL;
}

/* A file that somebody is writing ends anywhere, also where the rest of it is valid: its
 * defaults know no job, and every job that comes would fail. Who means it restarts. */
static int refuse_emptied(const struct config *old, const struct config *fresh,
                          struct err *err)
{
    const char *lost = name_lost(old, fresh);

    if (lost == NULL)
        return 0;
    return err_set(err, ERR_CONFIG,
                   "%s: holds no %s any more: is it being written? (If it is meant, "
                   "restart drover.)",
                   fresh->path ? fresh->path : "the configuration", lost);
}

struct config *reload_config(config_loader load, const char *path, struct config *old,
                             struct buf *waiting, struct err *err)
{
    struct config *fresh = load(path, err);

    if (fresh == NULL)
        return NULL;
    if (refuse_emptied(old, fresh, err) != 0) {
        config_free(fresh);
        return NULL;
    }
    name_waiting(old, fresh, waiting);
    keep_fixed(old, fresh);
    return fresh;
}
