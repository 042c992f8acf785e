/* How a subcommand gets from its arguments to Redis and the failed store. */
#ifndef CLI_REDIS_H
#define CLI_REDIS_H

#include "cli/cli.h"
#include "failed/store.h"

/* All that a command on Redis holds; zero is "nothing yet". */
struct cli_session {
    struct config *config;
    struct redis_endpoint endpoint;
    struct client *client;
    struct failed_store *failed;
};

/* Loads the configuration and connects. On failure says why, closes the session and
 * returns the exit code; EXIT_DONE when open. */
int cli_session_open(struct cli_session *session, const struct cli_args *args) MUSTCHECK;
void cli_session_close(struct cli_session *session); /* safe twice */

/* Of two exit codes of one run the one to end with: the first failure, but for an
 * unreachable Redis, which outweighs all. */
int cli_worst(int exit_code, int next) MUSTCHECK;

#endif
