/* Escaping, globs, near names, numbers and times. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "tests/unit/suite.h"

static const struct {
    const char *text, *escaped;
} escapes[] = {
    {"plain text, 100 % \\x41", "plain text, 100 % \\x41"},
    {"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x90\x84",
     "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x90\x84"},
    {"a\nb\r\tc\x1b[0m\x7f", "a\\x0ab\\x0d\\x09c\\x1b[0m\\x7f"},
    {"c1 \xc2\x85 \xc2\x9b", "c1 \\xc2\\x85 \\xc2\\x9b"},
    {"nbsp \xc2\xa0", "nbsp \xc2\xa0"},
    {"rlo \xe2\x80\xae lri \xe2\x81\xa6 alm \xd8\x9c",
     "rlo \\xe2\\x80\\xae lri \\xe2\\x81\\xa6 alm \\xd8\\x9c"},
    {"zero width \xe2\x80\x8b \xef\xbb\xbf",
     "zero width \\xe2\\x80\\x8b \\xef\\xbb\\xbf"},
    {"line separator \xe2\x80\xa8", "line separator \\xe2\\x80\\xa8"},
    {"lone \x80 \xff", "lone \\x80 \\xff"},
    {"overlong \xc0\xaf \xe0\x80\xaf \xf0\x80\x80\xaf",
     "overlong \\xc0\\xaf \\xe0\\x80\\xaf \\xf0\\x80\\x80\\xaf"},
    {"surrogate \xed\xa0\x80", "surrogate \\xed\\xa0\\x80"},
    {"too high \xf4\x90\x80\x80 \xf5\x80\x80\x80",
     "too high \\xf4\\x90\\x80\\x80 \\xf5\\x80\\x80\\x80"},
    {"cut \xe2\x82", "cut \\xe2\\x82"},
    {"cut \xf0\x9f\x90", "cut \\xf0\\x9f\\x90"},
    {"", ""},
};

START_TEST(what_could_deceive_a_reader_is_escaped)
{
    struct buf out;

    buf_init(&out, 0);
    text_escape(&out, slice_text(escapes[_i].text));
    ck_assert_str_eq(out.len ? out.data : "", escapes[_i].escaped);
    buf_free(&out);
}
END_TEST

START_TEST(a_nul_inside_is_escaped_too)
{
    struct buf out;

    buf_init(&out, 0);
    text_escape(&out, slice_of("a\0b", 3));
    ck_assert_str_eq(out.data, "a\\x00b");
    buf_free(&out);
}
END_TEST

START_TEST(escaping_stops_at_the_bound_between_characters)
{
    struct buf out;

    buf_init(&out, 4);
    text_escape(&out, slice_text("ab\xe2\x82\xac"
                                 "cd"));
    ck_assert_str_eq(out.data, "ab");
    ck_assert(out.over);
    buf_free(&out);
}
END_TEST

static const struct {
    const char *text;
    bool well_formed;
} utf8[] = {
    {"", true},
    {"abc\n", true},
    {"\xc2\x80", true},
    {"\xdf\xbf", true},
    {"\xe0\xa0\x80", true},
    {"\xed\x9f\xbf", true},
    {"\xee\x80\x80", true},
    {"\xf0\x90\x80\x80", true},
    {"\xf4\x8f\xbf\xbf", true},
    {"\x80", false},
    {"\xc1\xbf", false},
    {"\xc2", false},
    {"\xc2\x20", false},
    {"\xe0\x9f\xbf", false},
    {"\xed\xa0\x80", false},
    {"\xed\xbf\xbf", false},
    {"\xf0\x8f\xbf\xbf", false},
    {"\xf4\x90\x80\x80", false},
    {"\xf8\x88\x80\x80\x80", false},
    {"\xff", false},
    {"ok \xe2\x82", false},
};

START_TEST(utf8_is_told_from_what_is_not)
{
    ck_assert(text_is_utf8(slice_text(utf8[_i].text)) == utf8[_i].well_formed);
}
END_TEST

static const struct {
    const char *pattern, *name;
    bool fits;
} globs[] = {
    {"", "", true},
    {"", "a", false},
    {"*", "", true},
    {"*", "anything at all", true},
    {"App\\Jobs\\*", "App\\Jobs\\Resize", true},
    {"App\\Jobs\\*", "App\\Jobs\\", true},
    {"App\\Jobs\\*", "App\\Mail\\Resize", false},
    {"*.paid", "invoice.paid", true},
    {"*.paid", "invoice.paid.twice", false},
    {"a?c", "abc", true},
    {"a?c", "ac", false},
    {"a?c", "abbc", false},
    {"*ab*cd*", "xxabxabcxcdx", true},
    {"*ab*cd*", "xxabxabcxc", false},
    {"a**b", "ab", true},
    {"[ab]", "a", false},
    {"[ab]", "[ab]", true},
    {"*a", "aaab", false},
    {"*aab", "aaaaab", true},
};

START_TEST(globs_match_the_whole_name)
{
    ck_assert(text_glob(globs[_i].pattern, globs[_i].name) == globs[_i].fits);
}
END_TEST

START_TEST(many_stars_do_not_take_for_ever)
{
    char pattern[101], name[2001];

    for (size_t i = 0; i < sizeof(pattern) - 1; i++)
        pattern[i] = i % 2 ? 'a' : '*';
    pattern[sizeof(pattern) - 1] = '\0';
    memset(name, 'a', sizeof(name) - 1);
    name[sizeof(name) - 2] = 'b';
    name[sizeof(name) - 1] = '\0';
    ck_assert(!text_glob(pattern, name));
}
END_TEST

static const struct {
    const char *word, *nearest;
} near[] = {
    {"leas", "lease"},
    {"laese", "lease"},
    {"LEASE", "lease"},
    {"worker", "workers"},
    {"wrokers", "workers"},
    {"concurency", "concurrency"},
    {"pol_interval", "poll_interval"},
    {"zebra", NULL},
    {"x", NULL},
    {"", NULL},
    {"timeouts", "timeout"},
    {"a word that is much longer than any name that a setting could possibly have", NULL},
};

START_TEST(the_nearest_name_is_found)
{
    static const char *const names[] = {"lease",       "workers",       "timeout",
                                        "concurrency", "poll_interval", "tries"};
    const char *found = text_nearest(near[_i].word, names, ARRAY_CT(names));

    ck_assert_pstr_eq(found, near[_i].nearest);
}
END_TEST

static const struct {
    const char *text;
    int64_t ms; /* -1: refused */
} seconds[] = {
    {"90", 90000},
    {"0", 0},
    {"0.05", 50},
    {"2.0", 2000},
    {".5", 500},
    {"1.0004", 1000},
    {"1.0005", 1001},
    {"007", 7000},
    {"0.123456789123", 123},
    {"", -1},
    {".", -1},
    {"5.", -1},
    {"-1", -1},
    {"+1", -1},
    {" 1", -1},
    {"1 ", -1},
    {"1e3", -1},
    {"0x10", -1},
    {"nan", -1},
    {"inf", -1},
    {"1s", -1},
    {"1,5", -1},
    {"9223372036854775.807", INT64_MAX},
    {"9223372036854775.808", -1},
    {"99999999999999999999", -1},
};

START_TEST(seconds_become_milliseconds)
{
    int64_t ms = 4711;
    struct err err = {.code = ERR_NONE};
    int rc = text_seconds(seconds[_i].text, &ms, &err);

    ck_assert_int_eq(rc, seconds[_i].ms < 0 ? -1 : 0);
    ck_assert_int_eq(ms, rc == 0 ? seconds[_i].ms : 4711);
    ck_assert_int_eq(err.code, rc == 0 ? ERR_NONE : ERR_BAD_INPUT);
}
END_TEST

static const struct {
    const char *text;
    int64_t ms;
} durations[] = {
    {"90", 90000},
    {"15m", 900000},
    {"2h", 7200000},
    {"1.5h", 5400000},
    {"250ms", 250},
    {"0.5ms", 1},
    {"1d", 86400000},
    {"1w", 604800000},
    {"1s", 1000},
    {"1S", -1},
    {"1h30m", -1},
    {"m", -1},
    {"15 m", -1},
    {"-15m", -1},
    {"15min", -1},
    {"", -1},
    {"99999999999999999w", -1},
};

START_TEST(durations_take_one_unit)
{
    int64_t ms = 4711;
    struct err err;
    int rc = text_duration(durations[_i].text, &ms, &err);

    ck_assert_int_eq(rc, durations[_i].ms < 0 ? -1 : 0);
    ck_assert_int_eq(ms, rc == 0 ? durations[_i].ms : 4711);
}
END_TEST

static const struct {
    const char *text;
    int64_t min, max, number;
    bool good;
} integers[] = {
    {"0", 0, 10, 0, true},
    {"10", 0, 10, 10, true},
    {"11", 0, 10, 0, false},
    {"-1", 0, 10, 0, false},
    {"-1", -5, 10, -1, true},
    {"0010", 0, 10, 10, true},
    {"", 0, 10, 0, false},
    {"-", -5, 10, 0, false},
    {"+1", 0, 10, 0, false},
    {" 1", 0, 10, 0, false},
    {"1x", 0, 10, 0, false},
    {"1.0", 0, 10, 0, false},
    {"9223372036854775807", 0, INT64_MAX, INT64_MAX, true},
    {"-9223372036854775808", INT64_MIN, 0, INT64_MIN, true},
    {"9223372036854775808", 0, INT64_MAX, 0, false},
    {"-9223372036854775809", INT64_MIN, 0, 0, false},
};

START_TEST(integers_keep_their_bounds)
{
    int64_t number = 4711;
    struct err err;
    int rc = text_integer(integers[_i].text, integers[_i].min, integers[_i].max, &number,
                          &err);

    ck_assert_int_eq(rc, integers[_i].good ? 0 : -1);
    ck_assert_int_eq(number, integers[_i].good ? integers[_i].number : 4711);
}
END_TEST

static const struct {
    int64_t ms;
    const char *text;
} formats[] = {
    {0, "0"},
    {1, "0.001"},
    {50, "0.05"},
    {1500, "1.5"},
    {90000, "90"},
    {-1500, "-1.5"},
    {120, "0.12"},
    {INT64_MAX, "9223372036854775.807"},
    {INT64_MIN, "-9223372036854775.808"},
};

START_TEST(a_copy_is_cut_between_characters)
{
    char field[6];

    text_copy(field, sizeof(field), "12345");
    ck_assert_str_eq(field, "12345");
    text_copy(field, sizeof(field), "123456");
    ck_assert_str_eq(field, "12345");
    text_copy(field, sizeof(field), "123\xe2\x82\xac");
    ck_assert_str_eq(field, "123");
    text_copy(field, sizeof(field), "12\xe2\x82\xac");
    ck_assert_str_eq(field, "12\xe2\x82\xac");
    text_copy(field, sizeof(field), NULL);
    ck_assert_str_eq(field, "");
}
END_TEST

static const struct {
    const char *text;
    size_t max_bytes, cut;
} cuts[] = {
    {"", 0, 0},
    {"abc", 3, 3},
    {"abc", 9, 3},
    {"abc", 2, 2},
    {"ab\xc3\xa9", 3, 2},
    {"ab\xc3\xa9", 4, 4},
    {"a\xf0\x9f\x90\x84z", 2, 1},
    {"a\xf0\x9f\x90\x84z", 4, 1},
    {"a\xf0\x9f\x90\x84z", 5, 5},
    {"\xe2\x82\xac", 2, 0},
    {"\x80\x80\x80\x80\x80\x80", 5, 5}, /* no UTF-8 */
    {"\x80\x80", 1, 1},
};

START_TEST(a_text_is_cut_where_a_character_ends)
{
    ck_assert_uint_eq(text_cut(slice_text(cuts[_i].text), cuts[_i].max_bytes),
                      cuts[_i].cut);
}
END_TEST

START_TEST(a_text_becomes_a_string_of_json)
{
    struct buf out;

    buf_init(&out, 0);
    text_quote_json(&out, slice_of("a\"b\\c\n\x7f\0/\xc3\xa9", 11));
    ck_assert(slice_is(buf_slice(&out), "\"a\\\"b\\\\c\\u000a\\u007f\\u0000/\xc3\xa9\""));
    buf_free(&out);
    ck_assert_uint_eq(text_character_ct("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x90\x84"), 4);
}
END_TEST

START_TEST(seconds_are_written_shortest)
{
    char text[TEXT_SECONDS_BYTES];

    text_format_seconds(formats[_i].ms, text, sizeof(text));
    ck_assert_str_eq(text, formats[_i].text);
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_loop_test(tc, what_could_deceive_a_reader_is_escaped, 0, ARRAY_CT(escapes));
    tcase_add_test(tc, a_nul_inside_is_escaped_too);
    tcase_add_test(tc, escaping_stops_at_the_bound_between_characters);
    tcase_add_loop_test(tc, utf8_is_told_from_what_is_not, 0, ARRAY_CT(utf8));
    tcase_add_loop_test(tc, globs_match_the_whole_name, 0, ARRAY_CT(globs));
    tcase_add_test(tc, many_stars_do_not_take_for_ever);
    tcase_add_loop_test(tc, the_nearest_name_is_found, 0, ARRAY_CT(near));
    tcase_add_loop_test(tc, seconds_become_milliseconds, 0, ARRAY_CT(seconds));
    tcase_add_loop_test(tc, durations_take_one_unit, 0, ARRAY_CT(durations));
    tcase_add_loop_test(tc, integers_keep_their_bounds, 0, ARRAY_CT(integers));
    tcase_add_test(tc, a_copy_is_cut_between_characters);
    tcase_add_loop_test(tc, a_text_is_cut_where_a_character_ends, 0, ARRAY_CT(cuts));
    tcase_add_test(tc, a_text_becomes_a_string_of_json);
    tcase_add_loop_test(tc, seconds_are_written_shortest, 0, ARRAY_CT(formats));
}

int main(void)
{
    return run_suite("text", 60, add_tests);
}
