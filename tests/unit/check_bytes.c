/* Base64 and hashes, against what their specifications publish. */
#include <check.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/base64.h"
#include "base/hash.h"
#include "tests/unit/suite.h"

static const struct {
    const char *bytes, *text;
} codes[] = {
    {"", ""},
    {"f", "Zg=="},
    {"fo", "Zm8="},
    {"foo", "Zm9v"},
    {"foob", "Zm9vYg=="},
    {"fooba", "Zm9vYmE="},
    {"foobar", "Zm9vYmFy"},
    {"\xff\xfe\xfd?>", "//79Pz4="},
};

START_TEST(base64_is_written_and_read)
{
    struct buf text, bytes;

    buf_init(&text, 0);
    buf_init(&bytes, 0);
    base64_write(&text, slice_text(codes[_i].bytes));
    ck_assert(slice_is(buf_slice(&text), codes[_i].text));
    ck_assert(base64_read(&bytes, slice_text(codes[_i].text)));
    ck_assert(slice_is(buf_slice(&bytes), codes[_i].bytes));
    buf_free(&text);
    buf_free(&bytes);
}
END_TEST

START_TEST(what_is_no_base64_is_refused)
{
    static const char *const others[] = {"Z",    "Zg",       "Zg=",  "Zm9v\n",
                                         "Zm=v", "Zg==Zg==", "Zm9-", "===="};
    struct buf bytes;

    for (size_t i = 0; i < ARRAY_CT(others); i++) {
        buf_init(&bytes, 0);
        ck_assert_msg(!base64_read(&bytes, slice_text(others[i])), "%s", others[i]);
        buf_free(&bytes);
    }
}
END_TEST

static const struct {
    const char *bytes, *hash;
} hashes[] = {
    {"", "6c62272e07bb014262b821756295c58d"},
    {"a", "d228cb696f1a8caf78912b704e4a8964"},
    {"foobar", "343e1662793c64bf6f0d3597ba446f18"},
};

START_TEST(a_hash_is_the_same_everywhere_and_in_pieces)
{
    struct slice bytes = slice_text(hashes[_i].bytes);
    struct hash whole, pieces;
    char text[33];

    hash_init(&whole);
    hash_add(&whole, bytes);
    (void)snprintf(text, sizeof(text), "%016" PRIx64 "%016" PRIx64, whole.high,
                   whole.low);
    ck_assert_str_eq(text, hashes[_i].hash);
    hash_init(&pieces);
    for (size_t i = 0; i < bytes.len; i++)
        hash_add(&pieces, slice_of(bytes.ptr + i, 1));
    ck_assert(pieces.high == whole.high && pieces.low == whole.low);
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_loop_test(tc, base64_is_written_and_read, 0, ARRAY_CT(codes));
    tcase_add_test(tc, what_is_no_base64_is_refused);
    tcase_add_loop_test(tc, a_hash_is_the_same_everywhere_and_in_pieces, 0,
                        ARRAY_CT(hashes));
}

int main(void)
{
    return run_suite("bytes", 60, add_tests);
}
