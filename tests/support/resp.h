/* Where a value of Redis' protocol (RESP2) ends, found as its bytes come in.
 */
#ifndef SUPPORT_RESP_H
#define SUPPORT_RESP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"

enum { RESP_DEPTH_MAX = 8 };

struct resp {
    enum { RESP_TYPE, RESP_LINE, RESP_BYTES } at;
    char type;       /* of the line that is read: + - : $ or * */
    bool negative;   /* its number is */
    uint64_t number; /* in the line, as far as it was read */
    uint64_t skip;   /* bytes of a bulk string still to come, its end of line too */
    uint64_t left[RESP_DEPTH_MAX]; /* elements that open arrays still lack */
    unsigned depth;
};

/* Reads on from where the last call ended. Returns how many of the bytes were read: all,
 * or those up to the end of the value, which *whole tells, and then the next value may
 * follow. -1: this is not RESP (or an inline command, or nested deeper than 8, or longer
 * than 1 GiB). */
ssize_t resp_read(struct resp *resp, struct slice bytes, bool *whole);

/* The words of a whole request, the first `max` of them; they point into it. Returns
 * their number, 0 where it is no array of strings. */
size_t resp_words(struct slice request, struct slice *words, size_t max);

#endif
