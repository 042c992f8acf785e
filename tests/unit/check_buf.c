/* Slices, bounded buffers and tails. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "tests/unit/suite.h"

START_TEST(slices_compare_by_bytes)
{
    ck_assert(slice_equal(slice_of("a\0b", 3), slice_of("a\0b", 3)));
    ck_assert(!slice_equal(slice_of("a\0b", 3), slice_of("a\0c", 3)));
    ck_assert(!slice_equal(slice_text("ab"), slice_text("abc")));
    ck_assert(slice_is(slice_of("abcd", 2), "ab"));
    ck_assert(!slice_is(slice_text(NULL), ""));
    ck_assert(slice_is(slice_text(""), ""));
}
END_TEST

START_TEST(slice_dup_ends_with_nul)
{
    char *copy = slice_dup(slice_of("abcd", 2));
    char *none = slice_dup(slice_text(NULL));

    ck_assert_str_eq(copy, "ab");
    ck_assert_str_eq(none, "");
    free(copy);
    free(none);
}
END_TEST

START_TEST(buf_grows_and_stays_terminated)
{
    struct buf buf;

    buf_init(&buf, 0);
    ck_assert(buf_slice(&buf).ptr != NULL);
    for (int i = 0; i < 1000; i++) {
        ck_assert_int_eq(buf_addf(&buf, "%03d", i), 0);
        ck_assert_uint_eq(strlen(buf.data), buf.len);
    }
    ck_assert_uint_eq(buf.len, 3000);
    ck_assert_str_eq(buf.data + 2997, "999");
    ck_assert_int_eq(buf_add(&buf, "x\0y", 3), 0);
    ck_assert_uint_eq(buf.len, 3003);
    buf_free(&buf);
    ck_assert_int_eq(buf_add_text(&buf, "again"), 0);
    ck_assert_str_eq(buf.data, "again");
    buf_free(&buf);
}
END_TEST

START_TEST(buf_refuses_what_would_pass_its_bound)
{
    struct buf buf;

    buf_init(&buf, 5);
    ck_assert_int_eq(buf_add_text(&buf, "abcd"), 0);
    ck_assert_int_eq(buf_add_text(&buf, "ef"), -1);
    ck_assert(buf.over);
    ck_assert_str_eq(buf.data, "abcd");
    ck_assert_int_eq(buf_addf(&buf, "%d", 12), -1);
    ck_assert_int_eq(buf_add_char(&buf, 'e'), 0);
    ck_assert_str_eq(buf.data, "abcde");
    ck_assert_int_eq(buf_add(&buf, "x", SIZE_MAX), -1);
    buf_clear(&buf);
    ck_assert(!buf.over);
    ck_assert_int_eq(buf_add_text(&buf, "12345"), 0);
    buf_free(&buf);
}
END_TEST

START_TEST(buf_drops_from_the_front)
{
    struct buf buf;

    buf_init(&buf, 0);
    buf_drop_front(&buf, 0);
    ck_assert_int_eq(buf_add_text(&buf, "hello"), 0);
    buf_drop_front(&buf, 2);
    ck_assert_str_eq(buf.data, "llo");
    buf_drop_front(&buf, 3);
    ck_assert_str_eq(buf.data, "");
    ck_assert_uint_eq(buf.len, 0);
    buf_free(&buf);
}
END_TEST

START_TEST(buf_take_gives_the_data_away)
{
    struct buf buf;
    char *data;

    buf_init(&buf, 0);
    ck_assert_int_eq(buf_add_text(&buf, "mine"), 0);
    data = buf_take(&buf);
    ck_assert_str_eq(data, "mine");
    ck_assert_uint_eq(buf.len, 0);
    free(data);
    data = buf_take(&buf);
    ck_assert_str_eq(data, "");
    free(data);
}
END_TEST

enum { KEEP_MAX = 5000 };

/* Chunks of many sizes against what a plain copy of the whole stream says. */
START_TEST(tail_keeps_the_last_bytes)
{
    static const size_t keeps[] = {1, 7, 100, 1024, 1025, 2048, KEEP_MAX};
    static const size_t chunks[] = {1, 3, 7, 8, 99, 1000, 1023, 1024, 1025, 4999, 9000};
    size_t keep = keeps[_i / (int)ARRAY_CT(chunks)];
    size_t chunk = chunks[_i % (int)ARRAY_CT(chunks)], whole_len = 0;
    char *whole = must_alloc(20000 + 9000);
    struct tail tail;
    struct buf out;

    tail_init(&tail, keep);
    buf_init(&out, 0);
    while (whole_len < 20000) {
        size_t want;

        for (size_t i = 0; i < chunk; i++)
            whole[whole_len + i] = (char)('a' + (whole_len + i) % 23);
        tail_add(&tail, whole + whole_len, chunk);
        whole_len += chunk;
        want = whole_len < keep ? whole_len : keep;
        buf_clear(&out);
        tail_copy(&tail, &out);
        ck_assert_uint_eq(out.len, want);
        ck_assert_mem_eq(out.data, whole + whole_len - want, want);
        ck_assert_uint_eq(tail.total, whole_len);
        ck_assert_uint_le(tail.cap, keep);
        if (chunk < 50 && whole_len > 3 * keep && whole_len > 3000)
            break;
    }
    tail_free(&tail);
    buf_free(&out);
    free(whole);
}
END_TEST

START_TEST(tail_takes_no_memory_before_the_first_byte)
{
    struct tail tail;
    struct buf out;

    tail_init(&tail, 100);
    buf_init(&out, 0);
    tail_add(&tail, "", 0);
    ck_assert_ptr_null(tail.ring);
    tail_copy(&tail, &out);
    ck_assert_uint_eq(out.len, 0);
    tail_add(&tail, "abc", 3);
    tail_free(&tail);
    ck_assert_uint_eq(tail.total, 0);
    tail_add(&tail, "d", 1);
    tail_copy(&tail, &out);
    ck_assert_str_eq(out.data, "d");
    tail_free(&tail);
    buf_free(&out);
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_test(tc, slices_compare_by_bytes);
    tcase_add_test(tc, slice_dup_ends_with_nul);
    tcase_add_test(tc, buf_grows_and_stays_terminated);
    tcase_add_test(tc, buf_refuses_what_would_pass_its_bound);
    tcase_add_test(tc, buf_drops_from_the_front);
    tcase_add_test(tc, buf_take_gives_the_data_away);
    tcase_add_loop_test(tc, tail_keeps_the_last_bytes, 0, 7 * 11);
    tcase_add_test(tc, tail_takes_no_memory_before_the_first_byte);
}

int main(void)
{
    return run_suite("buf", 60, add_tests);
}
