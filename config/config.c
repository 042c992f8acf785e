/* The life of a configuration: made with everything unset, freed with secrets wiped. */
#include "config/config.h"

#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "config/build.h"
#include "config/field.h"
#include "config/origin.h"

/* Room for at least one, for an array of none may be NULL. */
static void *items(size_t ct, size_t bytes)
{
    return must_alloc((ct ? ct : 1) * bytes);
}

struct config *config_create(const char *path, size_t pool_ct, size_t job_ct,
                             size_t database_ct)
{
    struct config *config = must_alloc(sizeof(*config));

    config->path = must_strdup(path);
    config->pools = items(pool_ct, sizeof(*config->pools));
    config->pool_ct = pool_ct;
    config->jobs = items(job_ct, sizeof(*config->jobs));
    config->job_ct = job_ct;
    config->databases = items(database_ct, sizeof(*config->databases));
    config->database_ct = database_ct;
    config->origins = must_alloc(config_value_ct(config) * sizeof(*config->origins));
    for (struct config_value value = {0}; config_next(config, &value);)
        field_unset(value.setting, value.base);
    return config;
}

void config_free(struct config *config)
{
    if (config == NULL)
        return;
    for (struct config_value value = {0}; config_next(config, &value);) {
        field_free(value.setting, value.base);
        free(value.origin->file);
    }
    free(config->origins);
    free(config->pools);
    free(config->jobs);
    free(config->databases);
    free(config->work.timezone);
    free(config->path);
    free(config);
}

struct config *config_extend(struct config *from)
{
    struct config *to = config_create(from->path, 1, from->job_ct + 1, from->database_ct);

    for (struct config_value value = {0}; config_next(from, &value);) {
        struct config_value own;

        if (value.setting->section == SECTION_POOLS)
            continue;
        own = config_value_of(to, value.setting, value.index);
        field_move(value.setting, own.base, value.base);
        *own.origin = *value.origin;
        value.origin->file = NULL;
    }
    config_free(from);
    return to;
}

int64_t config_longest_kill_grace_ms(const struct config *config)
{
    int64_t longest_ms = 0;

    for (size_t i = 0; i < config->job_ct; i++)
        if (config->jobs[i].kill_grace_ms > longest_ms)
            longest_ms = config->jobs[i].kill_grace_ms;
    return longest_ms;
}

bool config_reads_queue(const struct config *config, const char *queue)
{
    for (size_t i = 0; i < config->pool_ct; i++)
        for (size_t j = 0; j < config->pools[i].queues.ct; j++)
            if (strcmp(config->pools[i].queues.items[j], queue) == 0)
                return true;
    return false;
}

char *config_control_path(const struct config *config)
{
    return must_format("%s/control.sock", config->state_dir);
}

bool config_has_jobs_of(const struct config *config, int type)
{
    for (size_t i = 0; i < config->job_ct; i++)
        if (config->jobs[i].type == type)
            return true;
    return false;
}
