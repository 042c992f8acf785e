/* Payloads that are no text, in and out of their envelope; texts made clean; what makes a
 * row. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "failed/parcel.h"
#include "failed/raw.h"
#include "failed/trouble.h"
#include "jobs/payload.h"
#include "pg/sqlstate.h"
#include "tests/unit/suite.h"

static const struct slice samples[] = {
    {"", 0},
    {"\0", 1},
    {"\xff", 1},
    {"a\0b", 3},
    {"ab\xff\0", 4},
    {"\xc3", 1},
    {"\xed\xa0\x80xy", 5},
    {"\x1b[2Jgarbage\xff", 12},
    {"\xfb\xff\xbf", 3},
    {"{\"job\":\"x\",\"data\":\"\xff\"}", 21},
};

START_TEST(every_byte_comes_back)
{
    for (size_t i = 0; i < ARRAY_CT(samples); i++) {
        struct buf text, bytes;

        buf_init(&text, 0);
        buf_init(&bytes, 0);
        failed_raw_encode(&text, "0\"\\1", samples[i]);
        ck_assert(failed_raw_is_text(buf_slice(&text)));
        ck_assert(failed_raw_decode(buf_slice(&text), &bytes));
        ck_assert_msg(slice_equal(buf_slice(&bytes), samples[i]) || samples[i].len == 0,
                      "%zu", i);
        ck_assert_uint_eq(bytes.len, samples[i].len);
        buf_free(&text);
        buf_free(&bytes);
    }
}
END_TEST

START_TEST(the_envelope_is_a_payload)
{
    struct payload payload;
    char uuid[64], name[PAYLOAD_NAME_MAX + 1];
    struct buf text;

    buf_init(&text, 0);
    failed_raw_encode(&text, "u-1", slice_of("\xff\xfe\xfd", 3));
    ck_assert_str_eq(text.data, "{\"uuid\":\"u-1\",\"displayName\":\"drover.raw\","
                                "\"job\":\"drover.raw\",\"data\":{\"base64\":\"//79\"},"
                                "\"attempts\":0}");
    ck_assert_int_eq(payload_scan(&payload, buf_slice(&text), NULL), 0);
    ck_assert(payload_uuid(&payload, uuid, sizeof(uuid)));
    ck_assert_str_eq(uuid, "u-1");
    ck_assert_int_eq(payload_name(&payload, name, sizeof(name), NULL), 0);
    ck_assert_str_eq(name, "drover.raw");
    buf_free(&text);
}
END_TEST

START_TEST(only_the_envelope_is_decoded)
{
    static const struct {
        const char *text, *bytes; /* NULL: none */
    } table[] = {
        {"{\"job\":\"drover.raw\",\"data\":{\"base64\":\"YWJj\"}}", "abc"},
        {" {\"data\":{\"base64\":\"\\/\\/79\"} , \"job\":\"drover.raw\"}",
         "\xff\xfe\xfd"},
        {"{\"job\":\"drover.raw\",\"data\":{\"base64\":\"YQ==\"}}", "a"},
        {"{\"job\":\"drover.raw\",\"data\":{\"base64\":\"YWI=\"}}", "ab"},
        {"{\"job\":\"drover.raw\",\"data\":{\"base64\":\"\"}}", ""},
        {"{\"job\":\"drover.raw\",\"data\":{\"base64\":\"YWJ\"}}", NULL},
        {"{\"job\":\"drover.raw\",\"data\":{\"base64\":\"Y=Jj\"}}", NULL},
        {"{\"job\":\"drover.raw\",\"data\":{\"base64\":\"YQ==YQ==\"}}", NULL},
        {"{\"job\":\"drover.raw\",\"data\":{\"base64\":\"Y\\u0000Jj\"}}", NULL},
        {"{\"job\":\"drover.raw\",\"data\":{\"base64\":7}}", NULL},
        {"{\"job\":\"drover.raw\",\"data\":[]}", NULL},
        {"{\"job\":\"other\",\"data\":{\"base64\":\"YWJj\"}}", NULL},
        {"{\"job\":\"drover.raw\"", NULL},
        {"", NULL},
    };

    for (size_t i = 0; i < ARRAY_CT(table); i++) {
        struct buf bytes;
        bool decoded;

        buf_init(&bytes, 0);
        decoded = failed_raw_decode(slice_text(table[i].text), &bytes);
        ck_assert_msg(decoded == (table[i].bytes != NULL), "%s", table[i].text);
        if (decoded)
            ck_assert_str_eq(bytes.data ? bytes.data : "", table[i].bytes);
        else
            ck_assert_uint_eq(bytes.len, 0);
        buf_free(&bytes);
    }
}
END_TEST

START_TEST(texts_are_made_clean_and_stay_the_same_otherwise)
{
    static const struct {
        struct slice text;
        const char *clean;
    } table[] = {
        {{"a\nb\tc\x1b", 6}, "a\nb\tc\x1b"},
        {{"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", 9},
         "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"},
        {{"a\0b", 3}, "a\\x00b"},
        {{"\xff\xc3\xa4\xc3", 4}, "\\xff\xc3\xa4\\xc3"},
        {{"\xed\xa0\x80", 3}, "\\xed\\xa0\\x80"},
        {{"\xf0\x9f\x98", 3}, "\\xf0\\x9f\\x98"},
        {{"\x80", 1}, "\\x80"},
        {{"\xc0\x80", 2}, "\\xc0\\x80"},
    };

    for (size_t i = 0; i < ARRAY_CT(table); i++) {
        struct buf out;

        buf_init(&out, 0);
        failed_raw_clean(&out, table[i].text);
        ck_assert_str_eq(out.data, table[i].clean);
        buf_free(&out);
    }
}
END_TEST

static void fill(struct parcel *parcel, const char *uuid, struct slice payload)
{
    struct fail_record record = {.connection = "redis",
                                 .queue = "default",
                                 .job = "x",
                                 .reason = "r",
                                 .exception = slice_text("exit status 3\n"),
                                 .failed_at_ms = 1700000000999,
                                 .payload = payload};

    memcpy(record.uuid, uuid, strlen(uuid));
    ck_assert(parcel_fill(parcel, &record));
}

START_TEST(the_spare_uuid_is_of_uuid_and_payload)
{
    struct parcel a, b, c, d;

    fill(&a, "u-1", slice_text("{}"));
    fill(&b, "u-1", slice_text("{}"));
    fill(&c, "u-2", slice_text("{}"));
    fill(&d, "u-1", slice_text("[]"));
    ck_assert_str_eq(a.spare_uuid, b.spare_uuid);
    ck_assert_str_ne(a.spare_uuid, c.spare_uuid);
    ck_assert_str_ne(a.spare_uuid, d.spare_uuid);
    ck_assert_uint_eq(strlen(a.spare_uuid), 36);
    ck_assert_int_eq(a.spare_uuid[14], '8');
    ck_assert_ptr_nonnull(strchr("89ab", a.spare_uuid[19]));
    ck_assert_str_eq(a.failed_at, "2023-11-14 22:13:20"); /* cut, as PHP does */
    ck_assert_str_eq(a.spare_exception.data,
                     "exit status 3\nuuid of the job: u-1, which another record has\n");
    parcel_free(&a);
    parcel_free(&b);
    parcel_free(&c);
    parcel_free(&d);
}
END_TEST

START_TEST(sqlstates_tell_what_to_expect)
{
    static const struct {
        const char *sqlstate;
        enum sqlstate_kind kind;
        bool of_record;
    } table[] = {
        {"40001", SQLSTATE_TRANSIENT, false}, {"40P01", SQLSTATE_TRANSIENT, false},
        {"53100", SQLSTATE_TRANSIENT, false}, {"53300", SQLSTATE_TRANSIENT, false},
        {"55P03", SQLSTATE_TRANSIENT, false}, {"57014", SQLSTATE_TRANSIENT, false},
        {"25006", SQLSTATE_TRANSIENT, false}, {"", SQLSTATE_TRANSIENT, false},
        {"22001", SQLSTATE_DATA, true},       {"22021", SQLSTATE_DATA, true},
        {"23505", SQLSTATE_DATA, true},       {"42P01", SQLSTATE_DATA, false},
        {"42501", SQLSTATE_DATA, false},      {"54000", SQLSTATE_TRANSIENT, true},
        {"22", SQLSTATE_TRANSIENT, true},
    };

    for (size_t i = 0; i < ARRAY_CT(table); i++) {
        ck_assert_msg(sqlstate_judge(table[i].sqlstate) == table[i].kind, "%s",
                      table[i].sqlstate);
        ck_assert_msg(trouble_is_of_record(table[i].sqlstate) == table[i].of_record, "%s",
                      table[i].sqlstate);
    }
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_test(tc, every_byte_comes_back);
    tcase_add_test(tc, the_envelope_is_a_payload);
    tcase_add_test(tc, only_the_envelope_is_decoded);
    tcase_add_test(tc, texts_are_made_clean_and_stay_the_same_otherwise);
    tcase_add_test(tc, the_spare_uuid_is_of_uuid_and_payload);
    tcase_add_test(tc, sqlstates_tell_what_to_expect);
}

int main(void)
{
    return run_suite("raw", 30, add_tests);
}
