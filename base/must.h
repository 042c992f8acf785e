/* Attributes and the check for bugs.
 *
 * MUST(x) stays on in every build: a false x is a bug in drover, never a fault of
 * the outside world, and ends the process with SIGABRT after naming the place.
 */
#ifndef BASE_MUST_H
#define BASE_MUST_H

#include <stddef.h>

#define MUSTCHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define NORETURN __attribute__((noreturn))
#define UNUSED __attribute__((unused))
/* For a big local whose parts are all written before they are read: it is not filled with
 * zeros first, as others are (-ftrivial-auto-var-init). */
#if defined(__has_attribute) && __has_attribute(uninitialized)
#define UNINITIALIZED __attribute__((uninitialized))
#else
#define UNINITIALIZED
#endif

#define ARRAY_CT(a) (sizeof(a) / sizeof((a)[0]))

#define MUST(x) ((x) ? (void)0 : must_fail(#x, __FILE__, __LINE__))

NORETURN void must_fail(const char *expr, const char *file, int line);

/* malloc family that never returns NULL: running out of memory in a place that has
 * no one to tell ends the process (a worker is replaced, its jobs go back).
 * Sizes that come from outside are bounded by their reader, not here. */
void must_have_memory(const void *ptr);   /* ends the process so where ptr is NULL */
void *must_alloc(size_t bytes) MUSTCHECK; /* zeroed */
void *must_realloc(void *ptr, size_t ct, size_t size) MUSTCHECK; /* ct * size, checked */
char *must_strdup(const char *text) MUSTCHECK;                   /* NULL stays NULL */
char *must_strndup(const char *text, size_t len) MUSTCHECK;
void must_wipe(char *secret); /* free(), with zeros over the text first; NULL is fine */
char *must_format(const char *fmt, ...) MUSTCHECK PRINTF_LIKE(1, 2);

#endif
