/* From arguments to open connections, the same way for every command. */
#include "cli/redis.h"

#include <string.h>

int cli_session_open(struct cli_session *session, const struct cli_args *args)
{
    static const struct failed_patience patience = {.connect_ms = 5000,
                                                    .answer_ms = 60000};
    struct err err = {0};
    int exit_code = EXIT_DONE;

    memset(session, 0, sizeof(*session));
    session->config = cli_config(args, &exit_code);
    if (session->config == NULL)
        return exit_code;
    if (redis_endpoint_resolve(session->config, &session->endpoint, &err) == 0)
        session->client =
            client_open(&session->endpoint, session->config->redis.prefix, &err);
    if (session->client == NULL) {
        cli_session_close(session);
        return cli_fail(&err);
    }
    session->failed = failed_store_open(session->config, session->client, &patience);
    return EXIT_DONE;
}

void cli_session_close(struct cli_session *session)
{
    failed_store_close(session->failed);
    client_close(session->client);
    redis_endpoint_free(&session->endpoint);
    config_free(session->config);
    memset(session, 0, sizeof(*session));
}

int cli_worst(int exit_code, int next)
{
    return exit_code == EXIT_DONE || next == EXIT_NO_REDIS ? next : exit_code;
}
