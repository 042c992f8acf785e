/* What a shell's line printed, as JSON.
 */
#ifndef TESTS_SHELL_JSON_H
#define TESTS_SHELL_JSON_H

#include <jansson.h>

#include "tests/support/shell_fixture.h"

/* The last line's stdout; the caller's. */
static inline json_t *out_json(void)
{
    json_error_t error;
    json_t *json = json_loads(sh->out.data, JSON_DECODE_ANY, &error);

    ck_assert_msg(json != NULL, "%s: %s", error.text, sh->out.data);
    return json;
}

#endif
