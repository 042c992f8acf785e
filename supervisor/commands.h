/* What the control socket's requests mean.
 */
#ifndef SUPERVISOR_COMMANDS_H
#define SUPERVISOR_COMMANDS_H

#include <jansson.h>

#include "base/buf.h"
#include "supervisor/fleet.h"
#include "supervisor/summary.h"

struct command {
    enum {
        COMMAND_STATUS,
        COMMAND_SCALE,
        COMMAND_STOP,
        COMMAND_RELOAD,
        COMMAND_PAUSE,
        COMMAND_RESUME,
        COMMAND_DRAIN
    } verb;
    const char *pool; /* scale: borrowed from the request */
    int64_t workers;  /* scale: any number */
};

/* Reads a request. Pure. Members it does not know are passed over. */
int command_parse(const json_t *request, struct command *command,
                  struct err *err) MUSTCHECK;

/* What the commands act on. */
struct commands {
    struct fleet *fleet;
    int64_t started_at_ms;
    enum supervisor_phase (*phase)(void *arg);
    int (*reload)(void *arg, struct buf *waiting,
                  struct err *err); /* as reload_config() */
    /* Refused where it is stopping. */
    int (*pause)(void *arg, enum supervisor_pausing to, struct err *err);
    enum supervisor_pausing (*pausing)(void *arg);
    void (*stop)(void *arg); /* begins to; the loop must turn on to send the answer */
    void *arg;
};

/* A control_request_cb; `commands` is a struct commands. */
json_t *commands_answer(void *commands, const json_t *request);

#endif
