/* The scanner below the envelope: grammar, bounds, strings and paths. */
#include "tests/unit/payloads.h"
#include "tests/unit/suite.h"

START_TEST(well_formed_json_is_taken)
{
    static const char *const texts[] = {
        "{}",
        " \t\r\n{ \t\r\n} \t\r\n",
        "{\"job\":\"resize\"}",
        "{\"job\":\"resize\",\"data\":{\"file\":\"a.png\"}}",
        "{\"\":\"\"}",
        "{\"data\":[]}",
        "{\"data\":[[],{},[{}],0,-0,1.5,-1.5e+10,2E-3,true,false,null]}",
        "{\"data\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\u0000\"}",
        "{\"data\":\"\\ud800 \\udc00 \\uDBFF\"}",
        "{\"data\":12345678901234567890123456789012345678901234567890}",
        "{\"data\":1e999999999999999999999}",
        "{\"data\":\"\x7f\xff\xfe\xc0\xaf\"}",
        "{\"data\":\"\xf0\x9f\x98\x80\"}",
        "{\"x\":1,\"x\":{},\"x\":null}",
    };

    for (size_t i = 0; i < ARRAY_CT(texts); i++)
        (void)good(texts[i]);
}
END_TEST

START_TEST(malformed_json_is_refused_with_the_place)
{
    static const struct {
        struct slice raw;
        const char *words;
    } rows[] = {
        {BYTES(""), "empty"},
        {BYTES(" "), "ends too early at byte 1"},
        {BYTES("{"), "ends too early at byte 1"},
        {BYTES("{\"a\""), "ends too early at byte 4"},
        {BYTES("{\"a\":"), "ends too early at byte 5"},
        {BYTES("{\"a\":1"), "ends too early at byte 6"},
        {BYTES("{\"a\":1,"), "ends too early at byte 7"},
        {BYTES("{\"a\":\"b"), "ends too early at byte 7"},
        {BYTES("{\"a\":\"\\"), "ends too early at byte 7"},
        {BYTES("{\"a\":\"\\u00"), "ends too early at byte 10"},
        {BYTES("{\"a\":[1"), "ends too early"},
        {BYTES("{\"a\":-"), "malformed number at byte 5"},
        {BYTES("{a:1}"), "key in quotes is missing at byte 1"},
        {BYTES("{'a':1}"), "key in quotes is missing at byte 1"},
        {BYTES("{1:1}"), "key in quotes is missing at byte 1"},
        {BYTES("{,}"), "key in quotes is missing at byte 1"},
        {BYTES("{\"a\":1,}"), "key in quotes is missing at byte 7"},
        {BYTES("{\"a\" 1}"), "colon is missing at byte 5"},
        {BYTES("{\"a\":}"), "value is missing at byte 5"},
        {BYTES("{\"a\":1 \"b\":2}"), "no ',' or '}' at byte 7"},
        {BYTES("{\"a\":[1 2]}"), "no ',' or ']' at byte 8"},
        {BYTES("{\"a\":[1,]}"), "value is missing at byte 8"},
        {BYTES("{\"a\":[,1]}"), "value is missing at byte 6"},
        {BYTES("{\"a\":[1}}"), "no ',' or ']' at byte 7"},
        {BYTES("{\"a\":{\"b\":1]}"), "no ',' or '}' at byte 11"},
        {BYTES("{\"a\":01}"), "no ',' or '}' at byte 6"},
        {BYTES("{\"a\":1.}"), "malformed number at byte 5"},
        {BYTES("{\"a\":.5}"), "value is missing at byte 5"},
        {BYTES("{\"a\":+1}"), "value is missing at byte 5"},
        {BYTES("{\"a\":1e}"), "malformed number at byte 5"},
        {BYTES("{\"a\":1e+}"), "malformed number at byte 5"},
        {BYTES("{\"a\":-a}"), "malformed number at byte 5"},
        {BYTES("{\"a\":0x10}"), "no ',' or '}' at byte 6"},
        {BYTES("{\"a\":NaN}"), "value is missing at byte 5"},
        {BYTES("{\"a\":Infinity}"), "value is missing at byte 5"},
        {BYTES("{\"a\":True}"), "value is missing at byte 5"},
        {BYTES("{\"a\":tru}"), "neither true, false nor null at byte 5"},
        {BYTES("{\"a\":nul}"), "neither true, false nor null at byte 5"},
        {BYTES("{\"a\":truefalse}"), "no ',' or '}' at byte 9"},
        {BYTES("{\"a\":\"\t\"}"), "control byte in a string at byte 6"},
        {BYTES("{\"a\":\"\0\"}"), "control byte in a string at byte 6"},
        {BYTES("{\"a\":\"b\nc\"}"), "control byte in a string at byte 7"},
        {BYTES("{\"a\":\"\\x41\"}"), "unknown escape in a string at byte 7"},
        {BYTES("{\"a\":\"\\\0\"}"), "unknown escape in a string at byte 7"},
        {BYTES("{\"a\":\"\\u12g4\"}"), "four hexadecimal digits at byte 10"},
        {BYTES("{\"a\":1}x"), "something follows the value at byte 7"},
        {BYTES("{\"a\":1}{}"), "something follows the value at byte 7"},
        {BYTES("{\"a\":1}\0"), "something follows the value at byte 7"},
        {BYTES("{\"a\":1}\f"), "something follows the value at byte 7"},
        {BYTES("{\"a\":1,/* */\"b\":2}"), "key in quotes is missing"},
        {BYTES("\0{}"), "value is missing at byte 0"},
        {BYTES("\xef\xbb\xbf{\"job\":\"a\"}"), "byte order mark (BOM)"},
        {BYTES("\xef\xbb\xbf"), "byte order mark (BOM)"},
        {BYTES("\xff\xfe{\0}\0"), "UTF-16"},
        {BYTES("\xfe\xff\0{\0}"), "UTF-16"},
        {BYTES("a:1:{s:3:\"job\";}"), "value is missing at byte 0"},
    };

    for (size_t i = 0; i < ARRAY_CT(rows); i++)
        refused(rows[i].raw, rows[i].words);
}
END_TEST

START_TEST(a_top_value_other_than_an_object_is_named)
{
    refused(BYTES("null"), "is null, not an object");
    refused(BYTES("[]"), "is an array, not an object");
    refused(BYTES("[{\"job\":\"a\"}]"), "is an array, not an object");
    refused(BYTES("\"job\""), "is a string, not an object");
    refused(BYTES("17"), "is a number, not an object");
    refused(BYTES("true"), "is a boolean, not an object");
    refused(BYTES("[1"), "not JSON");
    refused(BYTES("null null"), "not JSON");
}
END_TEST

START_TEST(every_prefix_of_a_payload_is_refused)
{
    const char *text = "{\"job\":\"a\\u0041\",\"data\":[1.5e+3,{\"b\":null}],\"c\":true}";

    for (size_t len = 0; len < strlen(text); len++) {
        char *exact = slice_dup(slice_of(text, len));
        char *tight = malloc(len ? len : 1); /* no NUL behind: reads beyond are seen */
        struct payload p;

        memcpy(tight, exact, len);
        ck_assert_int_eq(payload_scan(&p, slice_of(tight, len), NULL), -1);
        free(tight);
        free(exact);
    }
    (void)good(text);
}
END_TEST

START_TEST(depth_up_to_the_bound_is_taken_and_beyond_refused)
{
    static const struct {
        const char *open, *close;
    } kinds[] = {{"[", "]"}, {"{\"a\":", "}"}};

    for (size_t kind = 0; kind < ARRAY_CT(kinds); kind++) {
        for (size_t depth = PAYLOAD_DEPTH_MAX - 1; depth <= PAYLOAD_DEPTH_MAX + 1;
             depth++) {
            char *tail = repeat("0", kinds[kind].close, depth - 1, "}");
            char *text = repeat("{\"a\":", kinds[kind].open, depth - 1, tail);

            if (depth <= PAYLOAD_DEPTH_MAX)
                (void)good(text);
            else
                refused(slice_text(text), "nested too deeply");
            free(text);
            free(tail);
        }
    }
}
END_TEST

START_TEST(endless_opening_brackets_are_refused)
{
    char *text = repeat("{\"data\":", "[", 1000000, "");

    refused(slice_text(text), "nested too deeply");
    free(text);
}
END_TEST

START_TEST(lookup_follows_keys_and_indexes)
{
    const char *text =
        "{\"job\":\"a\",\"data\":{\"n\":1,\"items\":[{\"f\":\"x\"},[true,null]],"
        "\"0\":\"zero\",\"\":2,\"k\\u0065y\":3,\"d\":1,\"d\":{\"e\":4}},"
        "\"data2\":5,\"12\":6}";
    static const struct {
        const char *path, *found;
    } rows[] = {
        {"job", "\"a\""},
        {"data.n", "1"},
        {"data.items.0.f", "\"x\""},
        {"data.items.1.0", "true"},
        {"data.items.1.1", "null"},
        {"data.0", "\"zero\""},
        {"data.key", "3"},
        {"data.d.e", "4"},
        {"data.", "2"},
        {"data2", "5"},
        {"12", "6"},
        {"data.items.2", NULL},
        {"data.items.00", NULL},
        {"data.items.-1", NULL},
        {"data.items.x", NULL},
        {"data.items.", NULL},
        {"data.items.18446744073709551616", NULL},
        {"data.n.x", NULL},
        {"job.x", NULL},
        {"nothing", NULL},
        {"Data", NULL},
        {"", NULL},
        {".", NULL},
        {"...", NULL},
    };
    struct payload p = good(text);

    for (size_t i = 0; i < ARRAY_CT(rows); i++) {
        struct json_value value = payload_lookup(&p, rows[i].path);

        if (rows[i].found)
            is_text(value.text, rows[i].found);
        else
            ck_assert_msg(value.kind == VALUE_ABSENT, "found %s", rows[i].path);
    }
}
END_TEST

START_TEST(strings_decode_to_their_bytes)
{
    static const struct {
        struct slice text, bytes;
    } rows[] = {
        {BYTES("\"\""), BYTES("")},
        {BYTES("\"abc\""), BYTES("abc")},
        {BYTES("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""), BYTES("\"\\/\b\f\n\r\t")},
        {BYTES("\"\\u0000x\""), BYTES("\0x")},
        {BYTES("\"\\u007f\\u0080\\u07ff\""), BYTES("\x7f\xc2\x80\xdf\xbf")},
        {BYTES("\"\\u0800\\uffff\\ud7ff\\ue000\""),
         BYTES("\xe0\xa0\x80\xef\xbf\xbf\xed\x9f\xbf\xee\x80\x80")},
        {BYTES("\"\\ud800\\udc00\\uDBFF\\uDFFF\""),
         BYTES("\xf0\x90\x80\x80\xf4\x8f\xbf\xbf")},
        {BYTES("\"\xff\\n\xfe\""), BYTES("\xff\n\xfe")},
    };

    for (size_t i = 0; i < ARRAY_CT(rows); i++) {
        struct buf out;

        buf_init(&out, 0);
        buf_add_text(&out, "kept");
        ck_assert_int_eq(json_decode_string(rows[i].text, &out, NULL), 0);
        ck_assert_uint_eq(out.len, 4 + rows[i].bytes.len);
        ck_assert_mem_eq(out.data + 4, rows[i].bytes.ptr, rows[i].bytes.len);
        ck_assert(json_string_is(rows[i].text, rows[i].bytes));
        buf_free(&out);
    }
}
END_TEST

START_TEST(every_hexadecimal_digit_counts)
{
    static const char text[] = "\"\\u0123\\u4567\\u89ab\\ucdef\\uABCD\\uEF01\"";
    static const char bytes[] = "\u0123\u4567\u89ab\ucdef\uabcd\uef01";

    ck_assert(json_string_is(slice_text(text), slice_text(bytes)));
    (void)good("{\"a\":\"\\u0123\\u4567\\u89ab\\ucdef\\uABCD\\uEF01\"}");
}
END_TEST

START_TEST(numbers_scale_exactly_or_say_so)
{
    static const struct {
        const char *number;
        unsigned decimals;
        enum json_fit fit;
        int64_t scaled;
    } rows[] = {
        {"0", 0, JSON_FITS, 0},
        {"-0", 3, JSON_FITS, 0},
        {"17", 0, JSON_FITS, 17},
        {"-17", 3, JSON_FITS, -17000},
        {"1.5", 3, JSON_FITS, 1500},
        {"1.5", 0, JSON_ROUNDED, 2},
        {"-1.5", 0, JSON_ROUNDED, -2},
        {"0.0004", 3, JSON_ROUNDED, 1},
        {"1e-400", 3, JSON_ROUNDED, 1},
        {"-1E-400", 3, JSON_ROUNDED, -1},
        {"123.456e2", 0, JSON_ROUNDED, 12346},
        {"123.456e3", 0, JSON_FITS, 123456},
        {"1234500e-2", 0, JSON_FITS, 12345},
        {"0.00e99999999999999999999", 3, JSON_FITS, 0},
        {"1e18", 0, JSON_FITS, 1000000000000000000},
        {"1e19", 0, JSON_TOO_LARGE, INT64_MAX},
        {"9223372036854775806", 0, JSON_FITS, INT64_MAX - 1},
        {"9223372036854775807", 0, JSON_FITS, INT64_MAX},
        {"-9223372036854775807", 0, JSON_FITS, -INT64_MAX},
        {"9223372036854775808", 0, JSON_TOO_LARGE, INT64_MAX},
        {"-9223372036854775808", 0, JSON_TOO_LARGE, -INT64_MAX},
        {"9223372036854775806.5", 0, JSON_ROUNDED, INT64_MAX},
        {"9223372036854775807.5", 0, JSON_TOO_LARGE, INT64_MAX},
        {"9223372036854775.807", 3, JSON_FITS, INT64_MAX},
        {"9223372036854775.808", 3, JSON_TOO_LARGE, INT64_MAX},
        {"-1e99999999999999999999", 0, JSON_TOO_LARGE, -INT64_MAX},
    };

    for (size_t i = 0; i < ARRAY_CT(rows); i++) {
        struct slice number = slice_text(rows[i].number);
        int64_t scaled;

        ck_assert_uint_eq(json_number_bytes(number), number.len);
        ck_assert_msg(json_scale_number(number, rows[i].decimals, &scaled) == rows[i].fit,
                      "%s", rows[i].number);
        ck_assert_int_eq(scaled, rows[i].scaled);
    }
}
END_TEST

START_TEST(what_is_no_string_is_not_decoded)
{
    static const char *const texts[] = {
        "",
        "\"",
        "a",
        "12",
        "\"a",
        "\"\\\"",
        "\"\\u12\"",
        "\"\\x\"",
        "\"\\ud800\"",
        "\"\\udfff\"",
        "\"\\ud8\"",
        "\"\\ud800\\\"",
        "\"\\ud800\\u\"",
        "\"a\\ud800\\udbff\"",
        "\"\\u00g0\"",
        "\"\\ud800\\ue000\"",
        "\"\\udc00\\udc00\"",
        "\"\\ud800\\ndc00\"",
        "\"\\ud800/udc00\"",
    };

    for (size_t i = 0; i < ARRAY_CT(texts); i++) {
        struct buf out;

        buf_init(&out, 0);
        buf_add_text(&out, "kept");
        ck_assert_int_eq(json_decode_string(slice_text(texts[i]), &out, NULL), -1);
        ck_assert_str_eq(out.data, "kept");
        ck_assert_uint_eq(out.len, 4);
        buf_free(&out);
    }
}
END_TEST

START_TEST(a_full_buffer_stops_decoding)
{
    struct err err = {0};
    struct buf out;

    buf_init(&out, 4);
    ck_assert_int_eq(json_decode_string(BYTES("\"abcde\""), &out, &err), -1);
    ck_assert_int_eq(err.code, ERR_LIMIT);
    ck_assert_int_eq(json_decode_string(BYTES("\"abc\\u00e4\""), &out, &err), -1);
    ck_assert_uint_eq(out.len, 0);
    ck_assert_int_eq(json_decode_string(BYTES("\"ab\\u00e4\""), &out, &err), 0);
    buf_free(&out);
}
END_TEST

/* Strings are read eight bytes at a time: whatever is before or behind it, and wherever
 * it stands among the eight, what ends a string or has no place in one is found. */
START_TEST(each_byte_of_a_string_is_seen_at_each_place)
{
    static const char near[] = "a !#[]\x7f\x80\xa0\xdc\xff";
    char text[64];

    for (size_t place = 0; place < 24; place++)
        for (const char *filler = near; *filler; filler++)
            for (int c = 1; c < 256; c++) {
                struct json_reader reader UNINITIALIZED;
                struct json_value value;
                int rc;

                memset(text, *filler, sizeof(text));
                text[0] = '"';
                text[1 + place] = (char)c;
                text[1 + place + 2] = '"';
                json_open(&reader, slice_of(text, sizeof(text)));
                rc = json_read_value(&reader, &value, NULL);
                if (c < 0x20 || c == '\\') {
                    ck_assert_int_eq(rc, -1);
                    continue;
                }
                ck_assert_int_eq(rc, 0);
                ck_assert_uint_eq(value.text.len, place + (c == '"' ? 2 : 4));
            }
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_test(tc, each_byte_of_a_string_is_seen_at_each_place);
    tcase_add_test(tc, well_formed_json_is_taken);
    tcase_add_test(tc, malformed_json_is_refused_with_the_place);
    tcase_add_test(tc, a_top_value_other_than_an_object_is_named);
    tcase_add_test(tc, every_prefix_of_a_payload_is_refused);
    tcase_add_test(tc, depth_up_to_the_bound_is_taken_and_beyond_refused);
    tcase_add_test(tc, endless_opening_brackets_are_refused);
    tcase_add_test(tc, lookup_follows_keys_and_indexes);
    tcase_add_test(tc, strings_decode_to_their_bytes);
    tcase_add_test(tc, every_hexadecimal_digit_counts);
    tcase_add_test(tc, numbers_scale_exactly_or_say_so);
    tcase_add_test(tc, what_is_no_string_is_not_decoded);
    tcase_add_test(tc, a_full_buffer_stops_decoding);
}

int main(void)
{
    return run_suite("json", 60, add_tests);
}
