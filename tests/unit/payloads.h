/* What the tests of payloads and templates share. */
#ifndef TESTS_UNIT_PAYLOADS_H
#define TESTS_UNIT_PAYLOADS_H

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "jobs/payload.h"

/* A literal with NULs inside. */
#define BYTES(literal)                                                                   \
    (struct slice)                                                                       \
    {                                                                                    \
        .ptr = (literal), .len = sizeof(literal) - 1                                     \
    }

static inline struct payload good(const char *text)
{
    struct payload p;
    struct err err = {0};

    ck_assert_msg(payload_scan(&p, slice_text(text), &err) == 0, "%s: %s", text,
                  err.text);
    return p;
}

static inline void refused(struct slice raw, const char *words)
{
    struct payload p;
    struct err err = {0};

    ck_assert_msg(payload_scan(&p, raw, &err) == -1, "accepted: %.*s", (int)raw.len,
                  raw.ptr);
    ck_assert_msg(strstr(err.text, words) != NULL, "%.*s: \"%s\" lacks \"%s\"",
                  (int)raw.len, raw.ptr, err.text, words);
    ck_assert_int_eq(err.code, ERR_BAD_INPUT);
    ck_assert_ptr_eq(p.raw.ptr, raw.ptr);
    ck_assert_uint_eq(p.raw.len, raw.len);
    ck_assert_int_eq(payload_scan(&p, raw, NULL), -1);
}

static inline void is_text(struct slice slice, const char *text)
{
    ck_assert_msg(slice_is(slice, text), "\"%.*s\" is not \"%s\"", (int)slice.len,
                  slice.ptr ? slice.ptr : "", text);
}

/* `unit` `times` over, between `head` and `tail`. Caller frees. */
static inline char *repeat(const char *head, const char *unit, size_t times,
                           const char *tail)
{
    struct buf buf;

    buf_init(&buf, 0);
    buf_add_text(&buf, head);
    for (size_t i = 0; i < times; i++)
        buf_add_text(&buf, unit);
    buf_add_text(&buf, tail);
    return buf_take(&buf);
}

#endif
