/* Texts of PostgreSQL's arrays of one dimension: {"a","b",NULL}. Pure. */
#ifndef PG_ARRAY_H
#define PG_ARRAY_H

#include "base/buf.h"

/* Adds an element to the array that begins `out`; a value whose ptr is NULL is NULL.
 * Every other is quoted, so that it arrives as it is. */
void pg_array_add(struct buf *out, struct slice value);
void pg_array_end(struct buf *out); /* an empty `out` becomes the empty array */

#endif
