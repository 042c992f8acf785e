/* Taking up a changed configuration.
 */
#ifndef SUPERVISOR_RELOAD_H
#define SUPERVISOR_RELOAD_H

#include "base/buf.h"
#include "supervisor/supervisor.h"

/* Reads and checks the configuration anew; a file that has lost all its settings, all its
 * jobs or all its pools is refused too. Settings that need a restart keep the values of
 * `old` (some are moved out of it) and are named, in `waiting` and in the log, where they
 * would have changed. The caller owns the result and frees `old` once nothing refers to
 * it; on error NULL with `err`, and `old` is untouched. */
struct config *reload_config(config_loader load, const char *path, struct config *old,
                             struct buf *waiting, struct err *err) MUSTCHECK;

#endif
