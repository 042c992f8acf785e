/* Reading stdin with a bound, and with an ear for signals: stdio would hide an EINTR and
 * grow with the line. */
#include "cli/lines.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { READ_BYTES = 65536 };

struct lines {
    size_t max_bytes;
    struct buf held; /* read, not yet handed out */
    size_t used;     /* of `held`, by the line last handed out */
    size_t searched; /* of `held` behind `used`, without a newline */
    uint64_t number;
    bool end;
};

struct lines *lines_open(size_t max_bytes)
{
    struct lines *lines = must_alloc(sizeof(*lines));

    lines->max_bytes = max_bytes;
    buf_init(&lines->held, 0);
    return lines;
}

void lines_close(struct lines *lines)
{
    buf_free(&lines->held);
    free(lines);
}

uint64_t lines_number(const struct lines *lines)
{
    return lines->number;
}

static int set_too_long(const struct lines *lines, struct err *err)
{
    return err_set(err, ERR_USAGE, "line %" PRIu64 ": longer than max_payload allows",
                   lines->number + 1);
}

/* 1: more is held, 0: the end, or a signal, -1. */
static int fill(struct lines *lines, struct err *err)
{
    char bytes[READ_BYTES];
    ssize_t n;

    buf_drop_front(&lines->held, lines->used);
    lines->used = 0;
    if (lines->held.len > lines->max_bytes)
        return set_too_long(lines, err);
    n = read(STDIN_FILENO, bytes, sizeof(bytes));
    if (n < 0 && errno != EINTR)
        return err_set_errno(err, errno, "cannot read stdin");
    lines->end = n == 0;
    if (n > 0)
        buf_add(&lines->held, bytes, (size_t)n);
    return n > 0;
}

/* Hands out the next `len` bytes; `skip` more belong to the line. */
static struct slice take(struct lines *lines, size_t len, size_t skip)
{
    struct slice line = slice_of(lines->held.data + lines->used, len);

    lines->used += len + skip;
    lines->searched = 0;
    lines->number++;
    if (line.len > 0 && line.ptr[line.len - 1] == '\r')
        line.len--;
    return line;
}

static bool is_empty(struct slice line)
{
    for (size_t i = 0; i < line.len; i++)
        if (line.ptr[i] != ' ' && line.ptr[i] != '\t')
            return false;
    return true;
}

/* The length of the line whose end is held; false: no end is. */
static bool find_end(const struct lines *lines, size_t *len)
{
    const char *start, *newline;
    size_t left = lines->held.len - lines->used;

    if (left <= lines->searched)
        return false;
    start = lines->held.data + lines->used;
    newline = memchr(start + lines->searched, '\n', left - lines->searched);
    if (newline)
        *len = (size_t)(newline - start);
    return newline != NULL;
}

/* Any line, also an empty one. */
static int next_line(struct lines *lines, struct slice *line, struct err *err)
{
    for (;;) {
        size_t left = lines->held.len - lines->used, len;
        int rc;

        if (find_end(lines, &len)) {
            if (len > lines->max_bytes)
                return set_too_long(lines, err);
            *line = take(lines, len, 1);
            return 1;
        }
        lines->searched = left;
        if (lines->end) {
            if (left == 0)
                return 0;
            *line = take(lines, left, 0);
            return 1;
        }
        rc = fill(lines, err);
        if (rc < 0 || (rc == 0 && !lines->end))
            return rc;
    }
}

int lines_next(struct lines *lines, struct slice *line, struct err *err)
{
    int rc;

    do {
        rc = next_line(lines, line, err);
    } while (rc == 1 && is_empty(*line));
    return rc;
}

int lines_read_all(struct buf *out, struct err *err)
{
    char bytes[READ_BYTES];
    ssize_t n;

    while ((n = read(STDIN_FILENO, bytes, sizeof(bytes))) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_set_errno(err, errno, "cannot read stdin");
        if (buf_add(out, bytes, (size_t)n) != 0)
            return err_set(err, ERR_USAGE, "DATA on stdin is longer than max_payload");
    }
    return 0;
}
