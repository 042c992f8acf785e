/* The envelope: what its fields mean, what is refused, and how attempts are written. */
#include "tests/unit/payloads.h"
#include "tests/unit/suite.h"

START_TEST(a_laravel_payload_is_understood)
{
    const char *text =
        "{\"uuid\":\"8b5d2b5e-6c1f-4c53-9d1e-0d3a1c1b2a3f\","
        "\"displayName\":\"App\\\\Jobs\\\\Send\","
        "\"job\":\"Illuminate\\\\Queue\\\\CallQueuedHandler@call\",\"maxTries\":3,"
        "\"maxExceptions\":null,\"failOnTimeout\":false,\"backoff\":\"1,5,10\","
        "\"timeout\":60,\"retryUntil\":1763726400,\"data\":{\"commandName\":"
        "\"App\\\\Jobs\\\\Send\",\"command\":\"O:13:\\\"App\\\\Jobs\\\\Send\\\":0:{}\"},"
        "\"createdAt\":1763720000,\"id\":\"Xy\",\"attempts\":2,\"delay\":5}";
    struct payload p = good(text);

    is_text(p.id.text, "\"Xy\"");
    ck_assert_int_eq(p.attempts, 2);
    is_text(p.attempts_text, "2");
    ck_assert_int_eq(p.max_tries, 3);
    ck_assert_int_eq(p.timeout_ms, 60000);
    ck_assert_int_eq(p.retry_until, 1763726400);
    is_text(p.backoff, "1,5,10");
    ck_assert_int_eq(p.created_at_ms, 1763720000000);
    ck_assert_int_eq(p.delay_ms, 5000);
    ck_assert_int_eq(p.data.kind, VALUE_OBJECT);
}
END_TEST

START_TEST(absent_and_null_fields_are_unset)
{
    static const char *const texts[] = {
        "{}",
        "{\"uuid\":null,\"maxTries\":null,\"timeout\":null,\"retryUntil\":null,"
        "\"backoff\":null,\"delay\":null,\"createdAt\":null,\"pushedAt\":null}",
    };

    for (size_t i = 0; i < ARRAY_CT(texts); i++) {
        struct payload p = good(texts[i]);

        ck_assert_int_eq(p.attempts, 0);
        ck_assert_ptr_null(p.attempts_text.ptr);
        ck_assert_int_eq(p.max_tries, -1);
        ck_assert_int_eq(p.timeout_ms, -1);
        ck_assert_int_eq(p.retry_until, -1);
        ck_assert_ptr_null(p.backoff.ptr);
        ck_assert_int_eq(p.created_at_ms, -1);
        ck_assert_int_eq(p.delay_ms, 0);
    }
}
END_TEST

START_TEST(numbers_may_be_written_in_any_way_that_is_exact)
{
    static const struct {
        const char *text;
        int64_t attempts;
    } rows[] = {
        {"{\"attempts\":0}", 0},        {"{\"attempts\":-0}", 0},
        {"{\"attempts\":3}", 3},        {"{\"attempts\":3.0}", 3},
        {"{\"attempts\":1e1}", 10},     {"{\"attempts\":1E+2}", 100},
        {"{\"attempts\":1200e-2}", 12}, {"{\"attempts\":0.5e1}", 5},
        {"{\"attempts\":0e99999}", 0},  {"{\"attempts\":1000000000}", 1000000000},
    };

    for (size_t i = 0; i < ARRAY_CT(rows); i++)
        ck_assert_int_eq(good(rows[i].text).attempts, rows[i].attempts);
    ck_assert_int_eq(good("{\"retryUntil\":1e+14}").retry_until, 100000000000000);
    ck_assert_int_eq(good("{\"maxTries\":9223372036854775807}").max_tries, INT64_MAX);
    ck_assert_int_eq(good("{\"maxTries\":9.2233720368548e+18}").max_tries, INT64_MAX);
    ck_assert_int_eq(good("{\"maxTries\":1e400}").max_tries, INT64_MAX);
    ck_assert_int_eq(good("{\"maxTries\":\"3\"}").max_tries, 3);
    ck_assert_int_eq(good("{\"timeout\":\"60\"}").timeout_ms, 60000);
    ck_assert_int_eq(good("{\"attempts\":\"2\"}").attempts, 2);
    ck_assert_int_eq(good("{\"timeout\":1e400}").timeout_ms, INT64_MAX);
}
END_TEST

START_TEST(a_timeout_is_never_rounded_to_none)
{
    ck_assert_int_eq(good("{\"timeout\":0}").timeout_ms, 0);
    ck_assert_int_eq(good("{\"timeout\":-1}").timeout_ms, 0);
    ck_assert_int_eq(good("{\"timeout\":0.5}").timeout_ms, 500);
    ck_assert_int_eq(good("{\"timeout\":0.0001}").timeout_ms, 1);
    ck_assert_int_eq(good("{\"timeout\":1e-400}").timeout_ms, 1);
}
END_TEST

START_TEST(retry_until_zero_is_none_and_below_zero_is_past)
{
    ck_assert_int_eq(good("{\"retryUntil\":0}").retry_until, -1);
    ck_assert_int_eq(good("{\"retryUntil\":-5}").retry_until, 0);
    ck_assert_int_eq(good("{\"retryUntil\":1}").retry_until, 1);
}
END_TEST

START_TEST(a_field_of_a_wrong_type_that_decides_is_named)
{
    static const struct {
        const char *text, *words;
    } rows[] = {
        {"{\"attempts\":\"three\"}", "attempts is a string"},
        {"{\"attempts\":null}", "attempts is null"},
        {"{\"attempts\":true}", "attempts is a boolean"},
        {"{\"attempts\":[1]}", "attempts is an array"},
        {"{\"attempts\":{}}", "attempts is an object"},
        {"{\"attempts\":-1}", "attempts is not a possible number of runs"},
        {"{\"attempts\":1.5}", "attempts is not a whole number"},
        {"{\"attempts\":1e-1}", "attempts is not a whole number"},
        {"{\"attempts\":1e30}", "attempts is not a possible number of runs"},
        {"{\"attempts\":1000000001}", "attempts is not a possible number of runs"},
        {"{\"maxTries\":\"x\"}", "maxTries is a string, not a whole number"},
        {"{\"maxTries\":2.5}", "maxTries is not a whole number"},
        {"{\"maxTries\":-1}", "maxTries is not a possible number of runs"},
        {"{\"timeout\":\"soon\"}", "timeout is a string, not a number of seconds"},
        {"{\"timeout\":false}", "timeout is a boolean"},
        {"{\"retryUntil\":\"tomorrow\"}", "retryUntil is a string"},
        {"{\"retryUntil\":1.5}", "retryUntil is not a whole number"},
        {"{\"backoff\":true}", "backoff is no list of seconds"},
        {"{\"backoff\":\"soon\"}", "backoff is no list of seconds"},
        {"{\"backoff\":\"1,x\"}", "backoff is no list of seconds"},
        {"{\"backoff\":\"1;2\"}", "backoff is no list of seconds"},
        {"{\"backoff\":[1,\"2\"]}", "backoff is no list of seconds"},
        {"{\"backoff\":[1,[2]]}", "backoff is no list of seconds"},
        {"{\"backoff\":{\"a\":1}}", "backoff is no list of seconds"},
        {"{\"delay\":\"soon\"}", "delay is no list of seconds"},
    };

    for (size_t i = 0; i < ARRAY_CT(rows); i++)
        refused(slice_text(rows[i].text), rows[i].words);
}
END_TEST

START_TEST(a_field_of_a_wrong_type_that_decides_nothing_is_passed_over)
{
    struct payload p = good("{\"uuid\":5,\"id\":[],\"createdAt\":\"x\",\"pushedAt\":{},"
                            "\"delay\":\"soon\",\"backoff\":1,\"tags\":7}");

    ck_assert_int_eq(p.created_at_ms, -1);
    ck_assert_int_eq(p.delay_ms, 0);
    is_text(p.backoff, "1");
}
END_TEST

START_TEST(the_last_of_duplicate_keys_counts)
{
    struct payload p = good("{\"job\":\"a\",\"maxTries\":\"bad\",\"attempts\":\"bad\","
                            "\"attempts\":2,\"maxTries\":4,\"job\":\"b\"}");

    ck_assert_int_eq(p.attempts, 2);
    ck_assert_int_eq(p.max_tries, 4);
    is_text(p.job.text, "\"b\"");
    refused(BYTES("{\"attempts\":1,\"attempts\":\"bad\"}"), "attempts is a string");
}
END_TEST

START_TEST(keys_are_compared_after_decoding)
{
    struct payload p =
        good("{\"\\u006aob\":\"a\",\"atte\\u006Dpts\":3,\"max\\u0054ries\":1}");

    is_text(p.job.text, "\"a\"");
    ck_assert_int_eq(p.attempts, 3);
    ck_assert_int_eq(p.max_tries, 1);
    p = good("{\"job\\u0000\":\"a\",\"jo\":1,\"jobs\":2,\"Job\":3,\"\\ud800job\":4}");
    ck_assert_int_eq(p.job.kind, VALUE_ABSENT);
}
END_TEST

START_TEST(deeper_members_are_not_the_envelopes)
{
    struct payload p =
        good("{\"data\":{\"attempts\":\"x\",\"job\":\"a\"},\"x\":[{\"maxTries"
             "\":\"bad\"}],\"y\":\"\\\"attempts\\\":5\"}");

    ck_assert_int_eq(p.attempts, 0);
    ck_assert_int_eq(p.job.kind, VALUE_ABSENT);
    ck_assert_int_eq(p.max_tries, -1);
}
END_TEST

START_TEST(a_delay_is_never_below_zero)
{
    ck_assert_int_eq(good("{\"delay\":0.5}").delay_ms, 500);
    ck_assert_int_eq(good("{\"delay\":-5}").delay_ms, 0);
}
END_TEST

START_TEST(created_at_comes_from_pushed_at_first)
{
    static const struct {
        const char *text;
        int64_t ms;
    } rows[] = {
        {"{\"createdAt\":1732190000}", 1732190000000},
        {"{\"pushedAt\":\"1732190000.1234\"}", 1732190000124},
        {"{\"pushedAt\":\"1732190000.5\",\"createdAt\":1}", 1732190000500},
        {"{\"pushedAt\":1732190000.25}", 1732190000250},
        {"{\"pushedAt\":\"\",\"createdAt\":7}", 7000},
        {"{\"pushedAt\":\"1 \",\"createdAt\":7}", 7000},
        {"{\"pushedAt\":null,\"createdAt\":7}", 7000},
        {"{\"pushedAt\":\"-1\",\"createdAt\":7}", 7000},
        {"{\"pushedAt\":0,\"createdAt\":7}", 0},
        {"{\"createdAt\":1e300}", -1},
        {"{\"createdAt\":-1}", -1},
    };

    for (size_t i = 0; i < ARRAY_CT(rows); i++)
        ck_assert_int_eq(good(rows[i].text).created_at_ms, rows[i].ms);
}
END_TEST

START_TEST(backoff_takes_each_of_its_forms)
{
    static const struct {
        const char *text, *backoff;
        int64_t ms[4]; /* ended by -1 */
    } rows[] = {
        {"{\"backoff\":\"1,5,10\"}", "1,5,10", {1000, 5000, 10000, -1}},
        {"{\"backoff\":7}", "7", {7000, -1}},
        {"{\"backoff\":0.5}", "0.5", {500, -1}},
        {"{\"backoff\":[1, 5 ,10]}", "1, 5 ,10", {1000, 5000, 10000, -1}},
        {"{\"backoff\":[]}", "", {0, -1}},
        {"{\"backoff\":{}}", "", {0, -1}},
        {"{\"backoff\":\"\"}", "", {0, -1}},
        {"{\"backoff\":\"1,,5\"}", "1,,5", {1000, 0, 5000, -1}},
        {"{\"backoff\":\"1,\"}", "1,", {1000, 0, -1}},
        {"{\"backoff\":\" 2 , 3 \"}", " 2 , 3 ", {2000, 3000, -1}},
        {"{\"backoff\":\" \"}", " ", {0, -1}},
        {"{\"backoff\":-3}", "-3", {0, -1}},
        {"{\"delay\":30}", "30", {30000, -1}},
        {"{\"delay\":0}", "0", {0, -1}},
        {"{\"backoff\":null,\"delay\":30}", "30", {30000, -1}},
        {"{\"backoff\":\"2\",\"delay\":30}", "2", {2000, -1}},
    };

    for (size_t i = 0; i < ARRAY_CT(rows); i++) {
        struct slice rest = good(rows[i].text).backoff;
        size_t ct = 0;
        int64_t ms;

        is_text(rest, rows[i].backoff);
        for (; payload_next_backoff(&rest, &ms) > 0; ct++)
            ck_assert_int_eq(ms, rows[i].ms[ct]);
        ck_assert_int_eq(rows[i].ms[ct], -1);
    }
}
END_TEST

START_TEST(the_name_is_display_name_else_job)
{
    static const struct {
        const char *text, *name;
    } rows[] = {
        {"{\"job\":\"resize\"}", "resize"},
        {"{\"displayName\":\"A\",\"job\":\"b\"}", "A"},
        {"{\"displayName\":null,\"job\":\"b\"}", "b"},
        {"{\"displayName\":\"\",\"job\":\"b\"}", "b"},
        {"{\"displayName\":\"App\\\\Jobs\\\\\\u00c4\"}", "App\\Jobs\\\xc3\x84"},
        {"{\"job\":\"\\ud83d\\ude00\"}", "\xf0\x9f\x98\x80"},
        {"{\"job\":\"a\\nb\"}", "a\nb"},
    };
    char name[PAYLOAD_NAME_MAX + 1];

    for (size_t i = 0; i < ARRAY_CT(rows); i++) {
        struct payload p = good(rows[i].text);

        ck_assert_int_eq(payload_name(&p, name, sizeof(name), NULL), 0);
        ck_assert_str_eq(name, rows[i].name);
    }
}
END_TEST

static void name_refused(const char *text, const char *words)
{
    struct payload p = good(text);
    char name[PAYLOAD_NAME_MAX + 1];
    struct err err = {0};

    ck_assert_int_eq(payload_name(&p, name, sizeof(name), &err), -1);
    ck_assert_msg(strstr(err.text, words) != NULL, "%s: %s", text, err.text);
}

START_TEST(a_name_that_cannot_be_one_is_refused)
{
    name_refused("{}", "names no job");
    name_refused("{\"job\":null}", "names no job");
    name_refused("{\"job\":\"\"}", "job: is empty");
    name_refused("{\"job\":7}", "job is not a string");
    name_refused("{\"job\":{}}", "job is an object, not a string");
    name_refused("{\"displayName\":[],\"job\":\"b\"}", "displayName is an array");
    name_refused("{\"job\":\"a\\u0000b\"}", "NUL");
    name_refused("{\"job\":\"\\ud800\"}", "lone surrogate");
    name_refused("{\"job\":\"\\udc00\\ud800\"}", "lone surrogate");
    name_refused("{\"job\":\"\\ud800\\u0041\"}", "lone surrogate");
    name_refused("{\"job\":\"\xff\"}", "not UTF-8");
    name_refused("{\"displayName\":\"\xc0\x80\",\"job\":\"b\"}", "not UTF-8");
}
END_TEST

START_TEST(a_name_may_have_255_bytes_and_no_more)
{
    char *longest = repeat("{\"job\":\"", "n", PAYLOAD_NAME_MAX, "\"}");
    char *longer = repeat("{\"job\":\"", "n", PAYLOAD_NAME_MAX + 1, "\"}");
    char *wide = repeat("{\"job\":\"", "\\u00e4", PAYLOAD_NAME_MAX / 2 + 1, "\"}");
    char name[PAYLOAD_NAME_MAX + 1];
    struct payload p = good(longest);

    ck_assert_int_eq(payload_name(&p, name, sizeof(name), NULL), 0);
    ck_assert_uint_eq(strlen(name), PAYLOAD_NAME_MAX);
    name_refused(longer, "longer than 255 bytes");
    name_refused(wide, "longer than 255 bytes");
    free(longest);
    free(longer);
    free(wide);
}
END_TEST

START_TEST(a_uuid_is_short_plain_text_or_none)
{
    static const char *const bad[] = {
        "{}",
        "{\"uuid\":7}",
        "{\"uuid\":\"\"}",
        "{\"uuid\":\"a b\"}",
        "{\"uuid\":\"a\\n\"}",
        "{\"uuid\":\"\\u0000\"}",
        "{\"uuid\":\"\xc3\xa4\"}",
        "{\"uuid\":\"\x7f\"}",
        "{\"uuid\":\"0123456789012345678901234567890123456789012345678901234567890123\"}",
    };
    char uuid[64] = "before";
    struct payload p;

    for (size_t i = 0; i < ARRAY_CT(bad); i++) {
        p = good(bad[i]);
        ck_assert(!payload_uuid(&p, uuid, sizeof(uuid)));
        ck_assert_str_eq(uuid, "before");
    }
    p = good("{\"uuid\":\"\\u0061b-~\"}");
    ck_assert(!payload_uuid(&p, uuid, 4));
    ck_assert_str_eq(uuid, "before");
    ck_assert(payload_uuid(&p, uuid, 5));
    ck_assert_str_eq(uuid, "ab-~");
}
END_TEST

START_TEST(attempts_are_written_in_place_and_nothing_else_changes)
{
    static const struct {
        const char *before, *after;
    } rows[] = {
        {"{\"attempts\":0}", "{\"attempts\":7}"},
        {"{\"attempts\":123,\"job\":\"a\"} \n", "{\"attempts\":7,\"job\":\"a\"} \n"},
        {"{ \"attempts\" : 1e1 , \"x\" : [ ] }", "{ \"attempts\" : 7 , \"x\" : [ ] }"},
        {"{\"attempts\":1,\"attempts\":2}", "{\"attempts\":1,\"attempts\":7}"},
        {"{\"attempts\":1,\"atte\\u006dpts\":2}",
         "{\"attempts\":1,\"atte\\u006dpts\":7}"},
        {"{\"data\":{\"attempts\":5},\"attempts\":6}",
         "{\"data\":{\"attempts\":5},\"attempts\":7}"},
        {"{\"s\":\"\\\"attempts\\\":5\",\"attempts\":6}",
         "{\"s\":\"\\\"attempts\\\":5\",\"attempts\":7}"},
        {"{}", "{\"attempts\":7}"},
        {" { \t} \n", " { \t\"attempts\":7} \n"},
        {"{\"job\":\"a\"}", "{\"job\":\"a\",\"attempts\":7}"},
        {"{\"data\":{}\n}\n", "{\"data\":{}\n,\"attempts\":7}\n"},
        {"{\"data\":{\"attempts\":5}}", "{\"data\":{\"attempts\":5},\"attempts\":7}"},
        {"{\"n\":12345678901234567890,\"u\":\"\\/\\u00e9\",\"e\":[]}",
         "{\"n\":12345678901234567890,\"u\":\"\\/\\u00e9\",\"e\":[],\"attempts\":7}"},
    };

    for (size_t i = 0; i < ARRAY_CT(rows); i++) {
        struct payload p = good(rows[i].before);
        struct buf out;

        buf_init(&out, 0);
        ck_assert_int_eq(payload_with_attempts(&p, 7, &out), 0);
        ck_assert_str_eq(out.data, rows[i].after);
        ck_assert_int_eq(good(out.data).attempts, 7);
        buf_free(&out);
    }
}
END_TEST

START_TEST(a_released_job_has_a_uuid_from_then_on)
{
    static const struct {
        const char *before, *after;
    } rows[] = {
        {"{}", "{\"attempts\":2,\"uuid\":\"u-7\"}"},
        {"{\"job\":\"a\",\"attempts\":1} ",
         "{\"job\":\"a\",\"attempts\":2,\"uuid\":\"u-7\"} "},
        {"{\"uuid\":\"own\",\"attempts\":1}", "{\"uuid\":\"own\",\"attempts\":2}"},
        {"{\"uuid\":null,\"attempts\":1}", "{\"uuid\":\"u-7\",\"attempts\":2}"},
        {"{\"attempts\":10, \"uuid\" : \"\" }", "{\"attempts\":2, \"uuid\" : \"u-7\" }"},
        {"{\"uuid\":42,\"job\":\"a\"}",
         "{\"uuid\":\"u-7\",\"job\":\"a\",\"attempts\":2}"},
        {"{\"uuid\":[1,{}]}", "{\"uuid\":\"u-7\",\"attempts\":2}"},
        {"{\"uuid\":\"u\",\"uuid\":false}",
         "{\"uuid\":\"u\",\"uuid\":\"u-7\",\"attempts\":2}"},
        {"{\"uuid\":null,\"uuid\":\"u\"}",
         "{\"uuid\":null,\"uuid\":\"u\",\"attempts\":2}"},
        {"{\"uuid\":\"of three words\"}", "{\"uuid\":\"of three words\",\"attempts\":2}"},
        {"{\"data\":{\"uuid\":\"x\"},\"attempts\":1}",
         "{\"data\":{\"uuid\":\"x\"},\"attempts\":2,\"uuid\":\"u-7\"}"},
    };

    for (size_t i = 0; i < ARRAY_CT(rows); i++) {
        struct payload p = good(rows[i].before);
        struct buf out;

        buf_init(&out, 0);
        ck_assert_int_eq(payload_released(&p, 2, "u-7", &out), 0);
        ck_assert_str_eq(out.data, rows[i].after);
        (void)good(out.data);
        buf_free(&out);
    }
}
END_TEST

START_TEST(attempts_that_do_not_fit_are_an_error)
{
    static const char *const texts[] = {"{\"attempts\":9,\"job\":\"a\"}", "{}",
                                        "{\"job\":\"a\"} \n"};

    for (size_t i = 0; i < ARRAY_CT(texts); i++) {
        struct payload p = good(texts[i]);
        struct buf out;
        size_t need;

        buf_init(&out, 0);
        ck_assert_int_eq(payload_with_attempts(&p, 10, &out), 0);
        need = out.len;
        buf_free(&out);
        for (size_t max = 1; max <= need; max++) {
            buf_init(&out, max);
            ck_assert_int_eq(payload_with_attempts(&p, 10, &out), max < need ? -1 : 0);
            buf_free(&out);
        }
    }
}
END_TEST

#define COUNTER_5 "                             \t \t" /* 32 bits, 101 */

START_TEST(a_pad_is_taken_off_once)
{
    static const struct {
        const char *padded, *plain;
    } rows[] = {
        {"{}", "{}"},
        {"{}" PAYLOAD_PAD_MAGIC COUNTER_5, "{}"},
        {"{} \n" PAYLOAD_PAD_MAGIC COUNTER_5, "{} \n"},
        {"{}" PAYLOAD_PAD_MAGIC COUNTER_5 PAYLOAD_PAD_MAGIC COUNTER_5,
         "{}" PAYLOAD_PAD_MAGIC COUNTER_5},
        {"{}" PAYLOAD_PAD_MAGIC COUNTER_5 " ", "{}" PAYLOAD_PAD_MAGIC COUNTER_5 " "},
        {PAYLOAD_PAD_MAGIC COUNTER_5, ""},
        {"{}" PAYLOAD_PAD_MAGIC "\n"
         "                               ",
         "{}" PAYLOAD_PAD_MAGIC "\n"
         "                               "},
        {"", ""},
    };

    ck_assert_uint_eq(sizeof(PAYLOAD_PAD_MAGIC COUNTER_5) - 1, PAYLOAD_PAD_BYTES);
    for (size_t i = 0; i < ARRAY_CT(rows); i++)
        is_text(payload_without_pad(slice_text(rows[i].padded)), rows[i].plain);
}
END_TEST

START_TEST(a_pad_begins_with_its_magic)
{
    for (size_t i = 0; i < PAYLOAD_PAD_BYTES; i++) {
        char text[] = "{}" PAYLOAD_PAD_MAGIC COUNTER_5;
        size_t counter_at = sizeof(PAYLOAD_PAD_MAGIC) - 1;

        text[2 + i] = text[2 + i] == ' ' ? '\t' : ' ';
        if (i < counter_at)
            is_text(payload_without_pad(slice_text(text)), text);
        else
            is_text(payload_without_pad(slice_text(text)), "{}");
    }
}
END_TEST

START_TEST(plain_white_space_is_no_pad)
{
    char *spaces = repeat("{}", " ", 64, "");
    char *tabs = repeat("{}", "\t", 64, "");

    is_text(payload_without_pad(slice_text(spaces)), spaces);
    is_text(payload_without_pad(slice_text(tabs)), tabs);
    free(spaces);
    free(tabs);
}
END_TEST

START_TEST(new_attempts_come_without_the_old_pad)
{
    struct payload p = good("{\"attempts\":1}" PAYLOAD_PAD_MAGIC COUNTER_5);
    struct payload q = good("{ }" PAYLOAD_PAD_MAGIC COUNTER_5);
    struct buf out;

    buf_init(&out, 0);
    ck_assert_int_eq(payload_with_attempts(&p, 2, &out), 0);
    ck_assert_str_eq(out.data, "{\"attempts\":2}");
    buf_clear(&out);
    ck_assert_int_eq(payload_with_attempts(&q, 2, &out), 0);
    ck_assert_str_eq(out.data, "{ \"attempts\":2}");
    buf_free(&out);
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_test(tc, a_laravel_payload_is_understood);
    tcase_add_test(tc, absent_and_null_fields_are_unset);
    tcase_add_test(tc, numbers_may_be_written_in_any_way_that_is_exact);
    tcase_add_test(tc, a_timeout_is_never_rounded_to_none);
    tcase_add_test(tc, retry_until_zero_is_none_and_below_zero_is_past);
    tcase_add_test(tc, a_field_of_a_wrong_type_that_decides_is_named);
    tcase_add_test(tc, a_field_of_a_wrong_type_that_decides_nothing_is_passed_over);
    tcase_add_test(tc, the_last_of_duplicate_keys_counts);
    tcase_add_test(tc, keys_are_compared_after_decoding);
    tcase_add_test(tc, deeper_members_are_not_the_envelopes);
    tcase_add_test(tc, a_delay_is_never_below_zero);
    tcase_add_test(tc, created_at_comes_from_pushed_at_first);
    tcase_add_test(tc, backoff_takes_each_of_its_forms);
    tcase_add_test(tc, the_name_is_display_name_else_job);
    tcase_add_test(tc, a_name_that_cannot_be_one_is_refused);
    tcase_add_test(tc, a_name_may_have_255_bytes_and_no_more);
    tcase_add_test(tc, a_uuid_is_short_plain_text_or_none);
    tcase_add_test(tc, attempts_are_written_in_place_and_nothing_else_changes);
    tcase_add_test(tc, a_released_job_has_a_uuid_from_then_on);
    tcase_add_test(tc, attempts_that_do_not_fit_are_an_error);
    tcase_add_test(tc, a_pad_is_taken_off_once);
    tcase_add_test(tc, a_pad_begins_with_its_magic);
    tcase_add_test(tc, plain_white_space_is_no_pad);
    tcase_add_test(tc, new_attempts_come_without_the_old_pad);
}

int main(void)
{
    return run_suite("payload", 60, add_tests);
}
