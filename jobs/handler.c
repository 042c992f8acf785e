/* The handlers there are, by the type that a job's entry names. */
#include "jobs/handler.h"

static const struct handler *const handlers[] = {
    [JOB_SHELL] = &shell_handler,     [JOB_NOOP] = &noop_handler,
    [JOB_HTTP] = &http_handler,       [JOB_SQL] = &sql_handler,
    [JOB_LARAVEL] = &laravel_handler,
};

const char *job_connection(const struct job_config *config)
{
    if (config && config->type == JOB_LARAVEL && config->laravel.connection)
        return config->laravel.connection;
    return "redis"; /* Laravel's own name for it */
}

const struct handler *handler_of(int type)
{
    MUST(type >= 0 && (size_t)type < ARRAY_CT(handlers));
    return handlers[type];
}
