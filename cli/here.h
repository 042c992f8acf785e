/* What a configuration asks of this machine: users, directories.
 */
#ifndef CLI_HERE_H
#define CLI_HERE_H

#include "base/buf.h"
#include "config/config.h"

/* -1 with `err` where the supervisor could not start here; what may still come to be (a
 * job's directory) is a line each in `warnings`. */
int here_check(const struct config *config, struct buf *warnings,
               struct err *err) MUSTCHECK;

#endif
