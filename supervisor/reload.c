/* The new configuration beside the running one: what can change while it runs, and what
 * has to wait. Must not know of workers. */
#include "supervisor/reload.h"

#include <stdlib.h>

#include "base/log.h"
#include "config/diff.h"

static void name_waiting(const struct config *old, const struct config *fresh)
{
    struct buf names;

    buf_init(&names, 0);
    if (config_diff(old, fresh, &names) > 0)
        log_warning("supervisor.needs_restart", log_slice("settings", buf_slice(&names)));
    buf_free(&names);
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

struct config *reload_config(config_loader load, const char *path, struct config *old,
                             struct err *err)
{
    struct config *fresh = load(path, err);

    if (fresh == NULL)
        return NULL;
    name_waiting(old, fresh);
    keep_fixed(old, fresh);
    return fresh;
}
