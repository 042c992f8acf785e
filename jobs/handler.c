/* The handlers there are, by the type that a job's entry names. */
#include "jobs/handler.h"

static const struct handler *const handlers[] = {
    [JOB_SHELL] = &shell_handler,
    [JOB_NOOP] = &noop_handler,
    [JOB_HTTP] = &http_handler,
    [JOB_LARAVEL] = &laravel_handler,
};

const struct handler *handler_of(int type)
{
    MUST(type >= 0 && (size_t)type < ARRAY_CT(handlers));
    return handlers[type];
}
