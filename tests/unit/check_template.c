/* Templates: what expands to what, and what is an error that names its path. */
#include "jobs/template.h"
#include "tests/unit/payloads.h"
#include "tests/unit/suite.h"

static const char sample[] =
    "{\"job\":\"resize\",\"data\":{\"file\":\"a b.png\",\"n\":12345678901234567890,"
    "\"f\":1.50,\"yes\":true,\"no\":false,\"none\":null,\"list\":[\"x\",2],\"map\":{},"
    "\"nul\":\"a\\u0000b\",\"half\":\"\\ud800\",\"bytes\":\"\xff\",\"empty\":\"\","
    "\"braces\":\"{job}}\",\"umlaut\":\"\\u00e4\",\"a:b-c\":\"odd\","
    "\"line\":\"$(id); '\\n\\\"\"}}";

static int expand(const char *text, struct buf *out, struct err *err)
{
    struct payload p = good(sample);

    return template_expand(text, TEMPLATE_ARG, &p, out, err);
}

START_TEST(values_take_the_place_of_their_paths)
{
    static const struct {
        const char *text, *expanded;
    } rows[] = {
        {"", ""},
        {"plain text, $HOME %s \\", "plain text, $HOME %s \\"},
        {"{job}", "resize"},
        {"in={data.file}.out", "in=a b.png.out"},
        {"{data.file}{data.file}", "a b.pnga b.png"},
        {"{data.n}", "12345678901234567890"},
        {"{data.f}", "1.50"},
        {"{data.yes}/{data.no}", "true/false"},
        {"{data.list.0}{data.list.1}", "x2"},
        {"{data.empty}", ""},
        {"{data.umlaut}", "\xc3\xa4"},
        {"{data.bytes}", "\xff"},
        {"{data.a:b-c}", "odd"},
        {"{{data.file}}", "{data.file}"},
        {"{{}}", "{}"},
        {"{{{job}}}", "{resize}"},
        {"{{{{{job}", "{{resize"},
        {"}}{{", "}{"},
    };

    for (size_t i = 0; i < ARRAY_CT(rows); i++) {
        struct err err = {0};
        struct buf out;

        buf_init(&out, 0);
        ck_assert_msg(expand(rows[i].text, &out, &err) == 0, "%s: %s", rows[i].text,
                      err.text);
        ck_assert_str_eq(buf_slice(&out).ptr, rows[i].expanded);
        ck_assert_int_eq(template_check(rows[i].text, NULL), 0);
        buf_free(&out);
    }
}
END_TEST

START_TEST(a_value_is_never_expanded_or_interpreted_again)
{
    struct buf out;

    buf_init(&out, 0);
    ck_assert_int_eq(expand("{data.braces}|{data.line}", &out, NULL), 0);
    ck_assert_str_eq(out.data, "{job}}|$(id); '\n\"");
    buf_free(&out);
}
END_TEST

START_TEST(a_value_that_cannot_be_used_is_named_by_its_path)
{
    static const struct {
        const char *text, *words;
    } rows[] = {
        {"{data.missing}", "{data.missing}: the payload has no such value"},
        {"x {data.list.2}", "{data.list.2}: the payload has no such value"},
        {"{file}", "{file}: the payload has no such value"},
        {"{data.none}", "{data.none}: the payload's value is null"},
        {"{data}", "{data}: the payload's value is an object"},
        {"{data.list}", "{data.list}: the payload's value is an array"},
        {"{data.map}", "{data.map}: the payload's value is an object"},
        {"{data.nul}", "{data.nul}: the payload's value holds a NUL byte"},
        {"{data.half}", "{data.half}: holds half a character"},
    };

    for (size_t i = 0; i < ARRAY_CT(rows); i++) {
        struct err err = {0};
        struct buf out;

        buf_init(&out, 0);
        buf_add_text(&out, "kept");
        ck_assert_int_eq(expand(rows[i].text, &out, &err), -1);
        ck_assert_msg(strstr(err.text, rows[i].words) != NULL, "%s: %s", rows[i].text,
                      err.text);
        ck_assert_int_eq(err.code, ERR_BAD_INPUT);
        ck_assert_str_eq(out.data, "kept");
        ck_assert_int_eq(expand(rows[i].text, &out, NULL), -1);
        buf_free(&out);
    }
}
END_TEST

START_TEST(a_malformed_template_is_refused_by_check_and_expand)
{
    static const struct {
        const char *text, *words;
    } rows[] = {
        {"{", "'{' at byte 0 is not closed"},
        {"ab{data.file", "'{' at byte 2 is not closed"},
        {"{{{", "'{' at byte 2 is not closed"},
        {"}", "'}' at byte 0 without '{'"},
        {"{job}}", "'}' at byte 5 without '{'"},
        {"a}b", "'}' at byte 1 without '{'"},
        {"{}", "no path like data.file follows '{' at byte 0"},
        {"{.}", "no path"},
        {"{.a}", "no path"},
        {"{a.}", "no path"},
        {"{a..b}", "no path"},
        {"{a{b}", "no path"},
        {"{print $1}", "no path"},
        {"{\"a\":1}", "no path"},
        {"{a\n}", "no path"},
        {"{a\\b}", "no path"},
    };

    for (size_t i = 0; i < ARRAY_CT(rows); i++) {
        struct err err = {0};
        struct buf out;

        ck_assert_int_eq(template_check(rows[i].text, &err), -1);
        ck_assert_msg(strstr(err.text, rows[i].words) != NULL, "%s: %s", rows[i].text,
                      err.text);
        ck_assert_int_eq(err.code, ERR_CONFIG);
        buf_init(&out, 0);
        ck_assert_int_eq(expand(rows[i].text, &out, NULL), -1);
        ck_assert_uint_eq(out.len, 0);
        buf_free(&out);
    }
}
END_TEST

START_TEST(an_expansion_stays_within_its_bound)
{
    static const char *const texts[] = {"{data.file}1234", "1234{data.file}",
                                        "{data.file}{data.file}", "0123456789a",
                                        "123456{data.yes}{{"};

    for (size_t i = 0; i < ARRAY_CT(texts); i++) {
        struct err err = {0};
        struct buf out;

        buf_init(&out, 10);
        ck_assert_int_eq(expand(texts[i], &out, &err), -1);
        ck_assert_int_eq(err.code, ERR_LIMIT);
        ck_assert_uint_eq(out.len, 0);
        buf_free(&out);
    }
}
END_TEST

/* One row of an expansion with another use: NULL where it must be refused. */
struct use_row {
    enum template_use use;
    const char *text, *data, *expanded;
};

static const struct use_row use_rows[] = {
    {TEMPLATE_HEADER, "{data}", "\"plain\"", "plain"},
    {TEMPLATE_HEADER, "{data}", "\"tab\\tand \\u00e4\"", "tab\tand \xc3\xa4"},
    {TEMPLATE_HEADER, "x-{data}", "\"a\\r\\nHost: evil\"", NULL},
    {TEMPLATE_HEADER, "{data}", "\"a\\nb\"", NULL},
    {TEMPLATE_HEADER, "{data}", "\"a\\u0000b\"", NULL},
    {TEMPLATE_HEADER, "{data}", "\"a\\u007fb\"", NULL},
    {TEMPLATE_JSON, "{{\"v\": {data}}}", "\"a\\\"b\\u0000\"",
     "{\"v\": \"a\\\"b\\u0000\"}"},
    {TEMPLATE_JSON, "{data}", "{\"a\": [1, 1.50, null]}", "{\"a\": [1, 1.50, null]}"},
    {TEMPLATE_JSON, "{data}", "null", "null"},
    {TEMPLATE_URL, "https://h/{data}", "\"AZaz09-._~\"", "https://h/AZaz09-._~"},
    {TEMPLATE_URL, "https://h/{data}/x", "\"a/b?c#d&e=f g%\"",
     "https://h/a%2Fb%3Fc%23d%26e%3Df%20g%25/x"},
    {TEMPLATE_URL, "https://h/?q={data}", "\"\\u00e4\\r\\n\\u0000\"",
     "https://h/?q=%C3%A4%0D%0A%00"},
    {TEMPLATE_URL, "https://h/{data}", "17", "https://h/17"},
    {TEMPLATE_URL, "https://h/{data}/x", "\".\"", NULL},
    {TEMPLATE_URL, "https://h/{data}/x", "\"..\"", NULL},
    {TEMPLATE_URL, "https://h/{data}/x", "\"...\"", "https://h/.../x"},
    {TEMPLATE_URL, "https://{data}.example/", "\"tenant-1.eu\"",
     "https://tenant-1.eu.example/"},
    {TEMPLATE_URL, "https://h:{data}/", "8443", "https://h:8443/"},
    {TEMPLATE_URL, "https://{data}.example/", "\"\"", NULL},
    {TEMPLATE_URL, "https://{data}.example/", "\"evil.com/\"", NULL},
    {TEMPLATE_URL, "https://{data}.example/", "\"evil.com#\"", NULL},
    {TEMPLATE_URL, "https://{data}.example/", "\"u@evil.com\"", NULL},
    {TEMPLATE_URL, "https://{data}.example/", "\"a:1\"", NULL},
    {TEMPLATE_URL, "https://{data}.example/", "\"a\\\\b\"", NULL},
    {TEMPLATE_URL, "https://{data}.example/", "\"%2e\"", NULL},
    {TEMPLATE_URL, "{data}", "\"https://x/a?b=c d\"", "https://x/a?b=c d"},
    {TEMPLATE_URL, "{data}", "\"https://x/\\r\\nHost: y\"", NULL},
    {TEMPLATE_URL, "{data}", "\"https://x/\\u0000\"", NULL},
    {TEMPLATE_URL, "{data}", "null", NULL},
};

START_TEST(a_value_cannot_leave_its_place)
{
    const struct use_row *row = &use_rows[_i];
    char *text = must_format("{\"job\":\"j\",\"data\":%s}", row->data);
    struct payload payload = good(text);
    struct err err = {0};
    struct buf out;
    int rc;

    buf_init(&out, 0);
    rc = template_expand(row->text, row->use, &payload, &out, &err);
    if (row->expanded == NULL) {
        ck_assert_msg(rc == -1 && strstr(err.text, "{data}: "), "%s", out.data);
        ck_assert_uint_eq(out.len, 0);
    } else {
        ck_assert_msg(rc == 0, "%s", err.text);
        ck_assert_str_eq(out.data, row->expanded);
    }
    buf_free(&out);
    free(text);
}
END_TEST

START_TEST(an_encoded_value_that_does_not_fit_is_refused)
{
    struct payload payload = good("{\"job\":\"j\",\"data\":\"    \"}");

    for (size_t max = 1; max <= 14; max++) {
        struct err err = {0};
        struct buf out;
        int rc;

        buf_init(&out, max);
        rc = template_expand("h/{data}", TEMPLATE_URL, &payload, &out, &err);
        ck_assert_int_eq(rc, max < 14 ? -1 : 0);
        ck_assert_uint_eq(out.len, max < 14 ? 0 : 14);
        ck_assert_int_eq(err.code, max < 14 ? ERR_LIMIT : ERR_NONE);
        buf_free(&out);
    }
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_test(tc, values_take_the_place_of_their_paths);
    tcase_add_test(tc, a_value_is_never_expanded_or_interpreted_again);
    tcase_add_test(tc, a_value_that_cannot_be_used_is_named_by_its_path);
    tcase_add_test(tc, a_malformed_template_is_refused_by_check_and_expand);
    tcase_add_test(tc, an_expansion_stays_within_its_bound);
    tcase_add_loop_test(tc, a_value_cannot_leave_its_place, 0, ARRAY_CT(use_rows));
    tcase_add_test(tc, an_encoded_value_that_does_not_fit_is_refused);
}

int main(void)
{
    return run_suite("template", 60, add_tests);
}
