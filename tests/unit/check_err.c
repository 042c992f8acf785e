/* Sentences of struct err, and the text of instants. */
#include <check.h>
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "tests/unit/suite.h"

START_TEST(the_reason_is_kept_with_its_class)
{
    struct err err;

    ck_assert_int_eq(err_set(&err, ERR_CONN, "host %s, port %d", "h", 6379), -1);
    ck_assert_int_eq(err.code, ERR_CONN);
    ck_assert_str_eq(err.text, "host h, port 6379");
    ck_assert_int_eq(err_prefix(&err, "redis %d", 1), -1);
    ck_assert_str_eq(err.text, "redis 1: host h, port 6379");
    ck_assert_int_eq(err.code, ERR_CONN);
    ck_assert_int_eq(err_set_errno(&err, ENOENT, "cannot open %s", "x"), -1);
    ck_assert_str_eq(err.text, "cannot open x: No such file or directory");
    ck_assert_int_eq(err.code, ERR_SYSTEM);
    ck_assert_int_eq(err_prefix(&err, "y"), -1);
    ck_assert_int_eq(err.errnum, ENOENT);
    ck_assert_int_eq(err_set(&err, ERR_CONN, "x"), -1);
    ck_assert_int_eq(err.errnum, 0);
}
END_TEST

START_TEST(a_reason_may_be_of_no_interest)
{
    ck_assert_int_eq(err_set(NULL, ERR_CONN, "x"), -1);
    ck_assert_int_eq(err_set_errno(NULL, EPERM, "x"), -1);
    ck_assert_int_eq(err_prefix(NULL, "x"), -1);
}
END_TEST

START_TEST(long_reasons_are_cut)
{
    struct err err;
    char text[2000];

    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    (void)err_set(&err, ERR_REPLY, "%s", text);
    ck_assert_uint_eq(strlen(err.text), sizeof(err.text) - 1);
    (void)err_prefix(&err, "front");
    ck_assert_uint_eq(strlen(err.text), sizeof(err.text) - 1);
    ck_assert(strncmp(err.text, "front: xxx", 10) == 0);
    (void)err_set_errno(&err, EPERM, "%s", text);
    ck_assert_uint_eq(strlen(err.text), sizeof(err.text) - 1);
}
END_TEST

static const struct {
    int64_t wall_ms;
    const char *text;
} instants[] = {
    {0, "1970-01-01T00:00:00.000Z"},
    {1, "1970-01-01T00:00:00.001Z"},
    {1795261449123, "2026-11-21T11:44:09.123Z"},
    {951782400999, "2000-02-29T00:00:00.999Z"},
    {253402300799999, "9999-12-31T23:59:59.999Z"},
    {253402300800000, "1970-01-01T00:00:00.000Z"},
    {INT64_MAX, "1970-01-01T00:00:00.000Z"},
    {-1, "1970-01-01T00:00:00.000Z"},
    {INT64_MIN, "1970-01-01T00:00:00.000Z"},
};

START_TEST(instants_are_written_in_utc)
{
    char text[CLOCK_TEXT_BYTES];

    clock_format(instants[_i].wall_ms, text, sizeof(text));
    ck_assert_str_eq(text, instants[_i].text);
}
END_TEST

START_TEST(the_monotonic_clock_never_goes_back)
{
    int64_t last = clock_mono_us();

    for (int i = 0; i < 1000; i++) {
        int64_t now = clock_mono_us();

        ck_assert_int_ge(now, last);
        last = now;
    }
    ck_assert_int_ge(clock_mono_ms(), last / 1000);
    ck_assert_int_gt(clock_wall_ms(), INT64_C(1700000000000));
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_test(tc, the_reason_is_kept_with_its_class);
    tcase_add_test(tc, a_reason_may_be_of_no_interest);
    tcase_add_test(tc, long_reasons_are_cut);
    tcase_add_loop_test(tc, instants_are_written_in_utc, 0, ARRAY_CT(instants));
    tcase_add_test(tc, the_monotonic_clock_never_goes_back);
}

int main(void)
{
    return run_suite("err", 60, add_tests);
}
