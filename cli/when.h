/* Points in time as people give them: "2h" ago, or RFC 3339. Pure.
 */
#ifndef CLI_WHEN_H
#define CLI_WHEN_H

#include <stdint.h>

#include "base/err.h"

/* `text` is a duration before `now_ms` ("7d", "90"), a date ("2026-11-21", midnight UTC)
 * or an RFC 3339 time ("2026-11-21T11:44:09.5Z", "... 13:44:09+02:00"). *at_ms: wall
 * clock, milliseconds. ERR_USAGE for anything else. */
int when_parse(const char *text, int64_t now_ms, int64_t *at_ms,
               struct err *err) MUSTCHECK;

#endif
