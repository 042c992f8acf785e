/* Fuzz target: a line on the control socket. Whatever it says, the answer is one line of
 * JSON, which says whether it went well, and if not, why. */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "supervisor/commands.h"
#include "supervisor/control.h"

static json_t *answer_request(void *arg UNUSED, const json_t *request)
{
    struct command command;
    struct err err = {0};

    MUST(json_is_object(request));
    if (command_parse(request, &command, &err) != 0) {
        MUST(err.code == ERR_BAD_INPUT);
        return control_error(err.text);
    }
    if (command.verb != COMMAND_SCALE)
        return json_pack("{s:b}", "ok", 1);
    MUST(command.pool != NULL);
    (void)err_set(&err, ERR_BAD_INPUT, "no pool named %s", command.pool);
    return control_error(err.text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text;
    json_t *answer;

    if (size > CONTROL_LINE_MAX)
        return 0;
    text = control_answer(answer_request, NULL, (const char *)data, size);
    MUST(strchr(text, '\n') == NULL);
    answer = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    MUST(json_is_object(answer));
    if (!json_is_true(json_object_get(answer, "ok")))
        MUST(json_is_string(json_object_get(answer, "error")));
    json_decref(answer);
    free(text);
    return 0;
}
