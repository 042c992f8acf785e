/* Arrays as PostgreSQL reads them: {1,2} and {"a","b"}, for a parameter that the
 * statement casts to bigint[] or text[]. Pure; the caller frees. */
#ifndef PG_ARRAY_H
#define PG_ARRAY_H

#include <stddef.h>
#include <stdint.h>

#include "base/must.h"

char *pg_array_of_texts(const char *const *texts, size_t ct) MUSTCHECK;
char *pg_array_of_integers(const int64_t *numbers, size_t ct) MUSTCHECK;

#endif
