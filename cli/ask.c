/* The control socket from the command line: where it is, and what its errors mean as exit
 * codes. */
#include "cli/ask.h"

#include <stdlib.h>

#include "cli/output.h"
#include "supervisor/control.h"
#include "supervisor/statedir.h"

enum { ANSWER_MS = 5000 };

json_t *ask_supervisor(const struct config *config, json_t *request, struct err *err)
{
    char *path = config_control_path(config);
    json_t *answer = control_ask(path, request, ANSWER_MS, err);
    long pid = 0;

    if (answer == NULL && err->code == ERR_NOT_RUNNING)
        pid = statedir_holder(config->state_dir);
    if (pid > 0)
        (void)err_set(err, ERR_CONN,
                      "a supervisor (pid %ld) holds state_dir, but nobody listens on %s: "
                      "it starts or ends just now, or its log says why not; `kill %ld` "
                      "stops it",
                      pid, path, pid);
    free(path);
    return answer;
}

enum cli_exit ask_exit_code(const struct err *err, enum cli_exit refused)
{
    if (err->code == ERR_NOT_RUNNING)
        return EXIT_NO_SUCH;
    return err->code == ERR_REPLY ? refused : EXIT_ERROR;
}

json_t *ask_with(const struct cli_args *args, json_t *request, enum cli_exit refused,
                 int *exit_code)
{
    struct config *config = cli_config_usable(args, exit_code);
    struct err err = {0};
    json_t *answer;

    if (config == NULL) {
        json_decref(request);
        return NULL;
    }
    answer = ask_supervisor(config, request, &err);
    config_free(config);
    if (answer)
        return answer;
    output_note("%s", err.text);
    *exit_code = (int)ask_exit_code(&err, refused);
    return NULL;
}
