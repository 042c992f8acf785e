/* Writing to a file that others share, without ever waiting for who reads it. */
#ifndef BASE_EMIT_H
#define BASE_EMIT_H

#include <sys/types.h>

#include "base/buf.h"

/* Writes what there is room for now; of at most PIPE_BUF bytes all or nothing, where `fd`
 * is a pipe. 0: there is none, or nobody reads any more; -1 with errno: it failed. */
ssize_t emit_now(int fd, struct slice bytes);

#endif
