/* Bytes as base64 (RFC 4648, padded). Pure. */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include "base/buf.h"

/* Both append. Reading takes what writing makes, without line breaks; false: it is
 * something else, and a part of it may have been appended. */
void base64_write(struct buf *out, struct slice bytes);
bool base64_read(struct buf *out, struct slice text) MUSTCHECK;

#endif
