/* Arrays as PostgreSQL reads them, {1,2} and {"a",NULL}, for a parameter that the
 * statement casts to bigint[] or text[]. Pure. */
#ifndef PG_ARRAY_H
#define PG_ARRAY_H

#include "base/buf.h"

/* The caller frees. */
char *pg_array_of_texts(const char *const *texts, size_t ct) MUSTCHECK;
char *pg_array_of_integers(const int64_t *numbers, size_t ct) MUSTCHECK;

/* Piece by piece: adds an element to the array that begins `out`; a value whose ptr is
 * NULL is NULL. */
void pg_array_add(struct buf *out, struct slice value);
void pg_array_end(struct buf *out); /* an empty `out` becomes the empty array */

#endif
