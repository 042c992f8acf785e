/* Lines from stdin, each at most so long, in constant memory.
 */
#ifndef CLI_LINES_H
#define CLI_LINES_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

struct lines;

struct lines *lines_open(size_t max_bytes) MUSTCHECK; /* of one line */
void lines_close(struct lines *lines);

/* The next line that is not empty, without its newline, borrowed until the next call. 1,
 * 0 at the end or where a signal came, -1 with `err`: too long, or stdin failed. */
int lines_next(struct lines *lines, struct slice *line, struct err *err) MUSTCHECK;
uint64_t lines_number(const struct lines *lines); /* of the line last read, from 1 */

/* Appends all of stdin; ERR_USAGE where `out` has no room for it. */
int lines_read_all(struct buf *out, struct err *err) MUSTCHECK;

#endif
