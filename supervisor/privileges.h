/* Whom the supervisor and all its children run as.
 */
#ifndef SUPERVISOR_PRIVILEGES_H
#define SUPERVISOR_PRIVILEGES_H

#include "base/err.h"

/* Started as root: becomes `user` for good, with that user's groups, after making
 * `state_dir` and giving it to that user; without a `user` (NULL) it stays root and logs
 * a warning. Started as somebody else: `user` must be that one. -1 with `err` where that
 * cannot be; nothing has changed then but perhaps the owner of state_dir. */
int privileges_settle(const char *user, const char *state_dir, struct err *err) MUSTCHECK;

#endif
