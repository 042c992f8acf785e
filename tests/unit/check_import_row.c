/* What becomes of a row of Laravel's table of jobs on its way. */
#include "cli/import_row.h"

#include "pg/array.h"
#include "tests/unit/payloads.h"
#include "tests/unit/suite.h"

static struct source_row row_of(const char *payload)
{
    return (struct source_row){.id = 17,
                               .queue = "high",
                               .attempts = "2",
                               .available_at = "100",
                               .created_at = "90",
                               .payload = slice_text(payload)};
}

/* "@@": 36 or 32 characters that are not known before. */
static bool matches(const char *text, const char *pattern)
{
    const char *gap = strstr(pattern, "@@");

    while (gap) {
        size_t len = (size_t)(gap - pattern);

        if (strncmp(text, pattern, len) != 0)
            return false;
        text += len;
        text += strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456"
                             "789-");
        pattern = gap + 2;
        gap = strstr(pattern, "@@");
    }
    return strcmp(text, pattern) == 0;
}

START_TEST(only_what_redis_needs_is_added)
{
    static const struct {
        const char *before, *after;
    } rows[] = {
        {"{\"uuid\":\"u\",\"job\":\"a\",\"id\":\"i\",\"attempts\":0}",
         "{\"uuid\":\"u\",\"job\":\"a\",\"id\":\"i\",\"attempts\":2}"},
        {"{\"attempts\":\"1\",\"id\":5,\"uuid\":null,\"job\":\"a\"} ",
         "{\"attempts\":2,\"id\":5,\"uuid\":\"@@\",\"job\":\"a\"} "},
        {"{\"id\":null,\"uuid\":\"\",\"job\":\"a\"}",
         "{\"id\":\"@@\",\"uuid\":\"@@\",\"job\":\"a\",\"attempts\":2}"},
        {"{\"job\":\"a\", \"data\" : {\"id\":1,\"attempts\":9,\"big\":1e400}}",
         "{\"job\":\"a\", \"data\" : "
         "{\"id\":1,\"attempts\":9,\"big\":1e400},\"attempts\":2,"
         "\"uuid\":\"@@\",\"id\":\"@@\"}"},
        {"{\"job\":\"a\",\"uuid\":\"u\"}",
         "{\"job\":\"a\",\"uuid\":\"u\",\"attempts\":2,\"id\":\"@@\"}"},
        {"{\"job\":\"a\",\"id\":\"i\",\"attempts\":7}",
         "{\"job\":\"a\",\"id\":\"i\",\"attempts\":2,\"uuid\":\"@@\"}"},
    };

    for (size_t i = 0; i < ARRAY_CT(rows); i++) {
        struct source_row row = row_of(rows[i].before);
        struct err err = {0};
        struct buf out;

        buf_init(&out, 0);
        ck_assert_msg(import_row_payload(&row, &out, &err) == 0, "%s", err.text);
        ck_assert_msg(matches(out.data, rows[i].after), "%s", out.data);
        (void)good(out.data);
        buf_free(&out);
    }
}
END_TEST

START_TEST(what_is_no_job_is_refused)
{
    static const struct {
        const char *queue, *attempts, *payload;
    } rows[] = {
        {"high", "0", "{}"},
        {"high", "0", ""},
        {"high", "-1", "{\"job\":\"a\"}"},
        {"high", "", "{\"job\":\"a\"}"},
        {"", "0", "{\"job\":\"a\"}"},
        {"high:notify", "0", "{\"job\":\"a\"}"},
    };

    for (size_t i = 0; i < ARRAY_CT(rows); i++) {
        struct source_row row = row_of(rows[i].payload);
        struct err err = {0};
        struct buf out;

        row.queue = rows[i].queue;
        row.attempts = rows[i].attempts;
        buf_init(&out, 0);
        ck_assert_int_eq(import_row_payload(&row, &out, &err), -1);
        ck_assert_int_eq(err.code, ERR_BAD_INPUT);
        ck_assert_uint_eq(out.len, 0);
        buf_free(&out);
    }
}
END_TEST

START_TEST(a_mark_is_of_one_row)
{
    const struct source_row first = row_of("{\"job\":\"a\"}");
    struct source_row others[7];
    struct import_mark marks[ARRAY_CT(others) + 1];

    for (size_t i = 0; i < ARRAY_CT(others); i++)
        others[i] = first;
    others[0].id = 18;
    others[1].queue = "low";
    others[2].attempts = "3";
    others[3].available_at = "101";
    others[4].created_at = "91";
    others[5].payload = slice_text("{\"job\":\"b\"}");
    others[6].queue = "high2"; /* where one ends and the next begins counts too */
    others[6].attempts = "";
    import_row_mark(&first, &marks[ARRAY_CT(others)]);
    ck_assert_int_eq(marks[ARRAY_CT(others)].id, 17);
    ck_assert_msg(strncmp(marks[ARRAY_CT(others)].text, "17 ", 3) == 0, "%s",
                  marks[ARRAY_CT(others)].text);
    for (size_t i = 0; i < ARRAY_CT(others); i++) {
        import_row_mark(&others[i], &marks[i]);
        for (size_t k = 0; k < i; k++)
            ck_assert_str_ne(marks[i].text, marks[k].text);
        ck_assert_str_ne(marks[i].text, marks[ARRAY_CT(others)].text);
    }
    import_row_mark(&first, &marks[0]);
    ck_assert_str_eq(marks[0].text, marks[ARRAY_CT(others)].text);
}
END_TEST

START_TEST(arrays_are_spelled_as_postgresql_reads_them)
{
    static const char *const texts[] = {"a", "", "NULL", "b\"c\\,{}"};
    static const int64_t numbers[] = {1, -2, INT64_MAX};
    char *text = pg_array_of_texts(texts, ARRAY_CT(texts));
    char *number = pg_array_of_integers(numbers, ARRAY_CT(numbers));
    char *none = pg_array_of_integers(NULL, 0);

    ck_assert_str_eq(text, "{\"a\",\"\",\"NULL\",\"b\\\"c\\\\,{}\"}");
    ck_assert_str_eq(number, "{1,-2,9223372036854775807}");
    ck_assert_str_eq(none, "{}");
    free(text);
    free(number);
    free(none);
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_test(tc, only_what_redis_needs_is_added);
    tcase_add_test(tc, what_is_no_job_is_refused);
    tcase_add_test(tc, a_mark_is_of_one_row);
    tcase_add_test(tc, arrays_are_spelled_as_postgresql_reads_them);
}

int main(void)
{
    return run_suite("import_row", 60, add_tests);
}
