/* Bytes: a borrowed range, a growing buffer with a bound, and the tail of a stream.
 *
 * A slice never owns. A buf owns `data`, which is always NUL-terminated behind
 * `len` (so it can be printed) but may hold NULs. A tail keeps the last bytes of
 * what was written to it and allocates only as it fills.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/must.h"

struct slice {
    const char *ptr; /* not NUL-terminated; NULL: absent */
    size_t len;      /* bytes */
};

static inline struct slice slice_of(const char *ptr, size_t len)
{
    return (struct slice){.ptr = ptr, .len = len};
}
struct slice slice_text(const char *text); /* NULL gives the absent slice */
bool slice_equal(struct slice a, struct slice b);
bool slice_is(struct slice a, const char *text);
char *slice_dup(struct slice a) MUSTCHECK; /* NUL-terminated copy; free() it */

struct buf {
    char *data;
    size_t len;
    size_t cap;
    size_t max; /* 0: no bound but memory */
    bool over;  /* an append did not fit; what was there before it stays */
};

/* Appends return 0, or -1 with `over` set where `max` would be exceeded. */
void buf_init(struct buf *buf, size_t max_bytes);
int buf_add(struct buf *buf, const void *bytes, size_t len);
int buf_add_text(struct buf *buf, const char *text);
int buf_add_char(struct buf *buf, char c);
int buf_addf(struct buf *buf, const char *fmt, ...) PRINTF_LIKE(2, 3);
void buf_drop_front(struct buf *buf, size_t len); /* removes the first `len` bytes */
void buf_clear(struct buf *buf);                  /* len = 0, keeps the memory */
void buf_free(struct buf *buf);                   /* and is empty and usable again */
void buf_wipe(struct buf *buf);                   /* buf_free() of what is secret */
char *buf_take(struct buf *buf) MUSTCHECK;        /* the data, now the caller's */
struct slice buf_slice(const struct buf *buf);

/* The last `keep` bytes of a stream. */
struct tail {
    char *ring; /* NULL until the first byte */
    size_t cap; /* allocated, <= keep */
    size_t len; /* bytes held */
    size_t at;  /* where the next byte goes, once cap == keep and full */
    size_t keep;
    uint64_t total; /* bytes ever written */
};

void tail_init(struct tail *tail, size_t keep_bytes);
void tail_add(struct tail *tail, const void *bytes, size_t len);
void tail_copy(const struct tail *tail, struct buf *out); /* appends, oldest first */
void tail_free(struct tail *tail);

#endif
