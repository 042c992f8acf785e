/* Slices, bounded buffers and stream tails. */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BUF_FIRST_BYTES = 64, TAIL_FIRST_BYTES = 1024 };

struct slice slice_text(const char *text)
{
    return slice_of(text, text ? strlen(text) : 0);
}

bool slice_equal(struct slice a, struct slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

bool slice_is(struct slice a, const char *text)
{
    return a.ptr != NULL && slice_equal(a, slice_text(text));
}

char *slice_dup(struct slice a)
{
    return must_strndup(a.ptr ? a.ptr : "", a.len);
}

void buf_init(struct buf *buf, size_t max_bytes)
{
    *buf = (struct buf){.max = max_bytes};
}

static int buf_reserve(struct buf *buf, size_t more)
{
    size_t need, cap = buf->cap ? buf->cap : BUF_FIRST_BYTES;

    if (more > SIZE_MAX / 4 - buf->len || (buf->max && buf->len + more > buf->max)) {
        buf->over = true;
        return -1;
    }
    need = buf->len + more + 1;
    if (need <= buf->cap)
        return 0;
    while (cap < need)
        cap *= 2;
    buf->data = must_realloc(buf->data, cap, 1);
    buf->cap = cap;
    return 0;
}

int buf_add(struct buf *buf, const void *bytes, size_t len)
{
    if (buf_reserve(buf, len) != 0)
        return -1;
    if (len)
        memcpy(buf->data + buf->len, bytes, len);
    buf->len += len;
    buf->data[buf->len] = '\0';
    return 0;
}

int buf_add_text(struct buf *buf, const char *text)
{
    return buf_add(buf, text, strlen(text));
}

int buf_add_char(struct buf *buf, char c)
{
    return buf_add(buf, &c, 1);
}

int buf_addf(struct buf *buf, const char *fmt, ...)
{
    va_list ap, again;
    int len;

    va_start(ap, fmt);
    va_copy(again, ap);
    len = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    MUST(len >= 0);
    if (buf_reserve(buf, (size_t)len) != 0) {
        va_end(again);
        return -1;
    }
    (void)vsnprintf(buf->data + buf->len, (size_t)len + 1, fmt, again);
    va_end(again);
    buf->len += (size_t)len;
    return 0;
}

void buf_drop_front(struct buf *buf, size_t len)
{
    MUST(len <= buf->len);
    if (len == 0)
        return;
    memmove(buf->data, buf->data + len, buf->len - len);
    buf->len -= len;
    buf->data[buf->len] = '\0';
}

void buf_clear(struct buf *buf)
{
    buf->len = 0;
    buf->over = false;
    if (buf->data)
        buf->data[0] = '\0';
}

void buf_free(struct buf *buf)
{
    free(buf->data);
    buf_init(buf, buf->max);
}

void buf_wipe(struct buf *buf)
{
    if (buf->data)
        explicit_bzero(buf->data, buf->cap);
    buf_free(buf);
}

char *buf_take(struct buf *buf)
{
    char *data = buf->data ? buf->data : must_strdup("");

    buf_init(buf, buf->max);
    return data;
}

struct slice buf_slice(const struct buf *buf)
{
    return slice_of(buf->data ? buf->data : "", buf->len);
}

void tail_init(struct tail *tail, size_t keep_bytes)
{
    MUST(keep_bytes > 0);
    *tail = (struct tail){.keep = keep_bytes};
}

static void tail_grow(struct tail *tail, size_t need)
{
    size_t cap = tail->cap ? tail->cap : TAIL_FIRST_BYTES;

    while (cap < need && cap < tail->keep)
        cap *= 2;
    if (cap > tail->keep)
        cap = tail->keep;
    if (cap > tail->cap) {
        tail->ring = must_realloc(tail->ring, cap, 1);
        tail->cap = cap;
    }
}

void tail_add(struct tail *tail, const void *bytes, size_t len)
{
    const char *from = bytes;

    if (len == 0)
        return;
    tail->total += len;
    if (len > tail->keep) {
        from += len - tail->keep;
        len = tail->keep;
    }
    if (tail->len < tail->keep)
        tail_grow(tail, tail->len + len);
    while (len > 0) { /* at most two turns: up to the ring's end, then from its start */
        size_t room = tail->cap - tail->at;
        size_t part = len < room ? len : room;

        memcpy(tail->ring + tail->at, from, part);
        tail->at = (tail->at + part) % tail->keep;
        tail->len = tail->len + part < tail->keep ? tail->len + part : tail->keep;
        from += part;
        len -= part;
    }
}

void tail_copy(const struct tail *tail, struct buf *out)
{
    if (tail->len == tail->keep)
        (void)buf_add(out, tail->ring + tail->at, tail->keep - tail->at);
    (void)buf_add(out, tail->ring, tail->at);
}

void tail_free(struct tail *tail)
{
    free(tail->ring);
    *tail = (struct tail){.keep = tail->keep};
}
