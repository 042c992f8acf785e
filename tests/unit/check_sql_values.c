/* What a statement gets of a payload, and what an answer means for its job. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "jobs/sql_values.h"
#include "jobs/sql_verdict.h"
#include "tests/unit/suite.h"

static const char raw[] =
    "{\"job\":\"j\",\"data\":{\"text\":\"a\\n\\u00e9'; DROP TABLE t; --\",\"empty\":\"\","
    "\"big\":12345678901234567890,\"exact\":1.10,\"yes\":true,\"no\":false,\"null\":null,"
    "\"list\":[1, \"x\"],\"object\":{\"a\": [ ] },\"nul\":\"a\\u0000b\","
    "\"half\":\"\\ud800\",\"tenant\":\"acme_7\",\"two\":\"a, b\",\"digit\":\"7up\","
    "\"upper\":\"Acme\",\"quote\":\"a\\\"b\",\"s55\":"
    "\"aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeefffff\",\"s56\":"
    "\"aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffff\"}}";

static struct payload payload;
static struct sql_values values;

static void set_up(void)
{
    struct err err;

    ck_assert_int_eq(payload_scan(&payload, slice_text(raw), &err), 0);
    sql_values_init(&values);
}

static void tear_down(void)
{
    sql_values_free(&values);
}

static int read_values(const char *const *paths, const char *search_path, struct err *err)
{
    struct sql_config config = {.params = {.items = (char **)(uintptr_t)paths}};

    while (paths && paths[config.params.ct])
        config.params.ct++;
    return sql_values_read(&values, &config, search_path, &payload, err);
}

START_TEST(values_are_text_null_or_json)
{
    static const char *const paths[] = {
        "data.text", "data.big",  "data.empty", "data.exact",  "data.yes",    "data.no",
        "data.null", "data.list", "job",        "data.object", "data.list.1", NULL};
    static const char *const expected[] = {"a\n\xc3\xa9'; DROP TABLE t; --",
                                           "12345678901234567890",
                                           "",
                                           "1.10",
                                           "true",
                                           "false",
                                           NULL,
                                           "[1, \"x\"]",
                                           "j",
                                           "{\"a\": [ ] }",
                                           "x"};
    struct err err = {0};

    ck_assert_msg(read_values(paths, NULL, &err) == 0, "%s", err.text);
    ck_assert_uint_eq(values.ct, ARRAY_CT(expected));
    for (size_t i = 0; i < ARRAY_CT(expected); i++) {
        ck_assert(!values.params[i].binary);
        if (expected[i] == NULL)
            ck_assert_ptr_null(values.params[i].value.ptr);
        else
            ck_assert_msg(slice_is(values.params[i].value, expected[i]), "%s: %.*s",
                          paths[i], (int)values.params[i].value.len,
                          values.params[i].value.ptr);
    }
    ck_assert_uint_eq(values.search_path.len, 0);
}
END_TEST

static const struct {
    const char *path, *why;
} unusable[] = {
    {"data.missing", "data.missing: the payload has no such value"},
    {"data.list.7", "data.list.7: the payload has no such value"},
    {"data.nul", "data.nul: holds a NUL, which no text in PostgreSQL can"},
    {"data.half", "data.half: "},
};

START_TEST(a_value_that_cannot_be_is_named)
{
    const char *paths[] = {"data.text", unusable[_i].path, "data.big", NULL};
    struct err err = {0};

    ck_assert_int_eq(read_values(paths, NULL, &err), -1);
    ck_assert_msg(strncmp(err.text, unusable[_i].why, strlen(unusable[_i].why)) == 0,
                  "%s", err.text);
}
END_TEST

static const struct {
    const char *list, *path; /* NULL: refused */
} search_paths[] = {
    {"public", "public"},
    {"tenant_{data.tenant}", "tenant_acme_7"},
    {"tenant_{data.tenant} ,public", "tenant_acme_7, public"},
    {"tenant_{data.s55}x",
     "tenant_aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeefffffx"},
    {"tenant_{data.s56}x", NULL}, /* 64 bytes: PostgreSQL would cut it */
    {"tenant_{data.two}", NULL},
    {"tenant_{data.text}", NULL},
    {"tenant_{data.upper}", NULL},
    {"tenant_{data.quote}", NULL},
    {"tenant_{data.null}", NULL},
    {"tenant_{data.missing}", NULL},
    {"{data.digit}", NULL},
    {"{data.empty}", NULL},
    {"tenant_{data.nul}", NULL},
    {"public,", NULL},
};

START_TEST(a_search_path_is_made_of_names)
{
    struct err err = {0};
    int rc = read_values(NULL, search_paths[_i].list, &err);

    if (search_paths[_i].path == NULL) {
        ck_assert_int_eq(rc, -1);
        return;
    }
    ck_assert_msg(rc == 0, "%s", err.text);
    ck_assert_str_eq(values.search_path.data, search_paths[_i].path);
}
END_TEST

static const struct {
    const char *list, *refused; /* NULL: it may be */
} search_path_texts[] = {
    {"public", NULL},
    {"tenant_{data.tenant}", NULL},
    {" a ,{data.b}_{data.c} , d_1", NULL},
    {"{data.tenant}", NULL},
    {"Tenant_{data.tenant}", "\"Tenant_{data.tenant}\" never"},
    {"tenant-{data.tenant}", "\"tenant-{data.tenant}\" never"},
    {"tenant_{data.tenant} public", "\"tenant_{data.tenant} public\" never"},
    {"tenant_{{data.tenant}}", "\"tenant_{{data.tenant}}\" never"},
    {"tenant_{data.tenant}, \"public\"", "\"\"public\"\" never"},
    {"1_{data.tenant}", "\"1_{data.tenant}\" never"},
    {"a,,b", "\"\" never"},
    {"a,", "\"\" never"},
    {" ", "\"\" never"},
    {"aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff1234{data.x}",
     "\"aaaaaaaaaabbbbbbbbbb"},
};

START_TEST(a_search_path_that_never_can_be_is_refused_before_any_payload)
{
    const char *refused = search_path_texts[_i].refused;
    struct err err = {0};
    int rc = sql_search_path_check(search_path_texts[_i].list, &err);

    ck_assert_msg(rc == (refused ? -1 : 0), "%s", err.text);
    if (refused)
        ck_assert_msg(strncmp(err.text, refused, strlen(refused)) == 0, "%s", err.text);
}
END_TEST

/* ---- verdicts ---- */

static const struct {
    const char *sqlstate;
    enum outcome_kind kind;
    bool own; /* the statement's, not the server's */
    bool read_only;
} refusals[] = {
    {"08P01", OUTCOME_FAIL, true, false},   {"0A000", OUTCOME_FAIL, true, false},
    {"20000", OUTCOME_FAIL, true, false},   {"22001", OUTCOME_FAIL, true, false},
    {"22021", OUTCOME_FAIL, true, false},   {"23505", OUTCOME_FAIL, true, false},
    {"25001", OUTCOME_FAIL, true, false},   {"25006", OUTCOME_FAIL, true, true},
    {"2D000", OUTCOME_FAIL, true, false},   {"2F005", OUTCOME_FAIL, true, false},
    {"34000", OUTCOME_FAIL, true, false},   {"3F000", OUTCOME_FAIL, true, false},
    {"42P01", OUTCOME_FAIL, true, false},   {"44000", OUTCOME_FAIL, true, false},
    {"54001", OUTCOME_FAIL, true, false},   {"55P02", OUTCOME_FAIL, true, false},
    {"40001", OUTCOME_RETRY, true, false},  {"40P01", OUTCOME_RETRY, true, false},
    {"54000", OUTCOME_RETRY, true, false},  {"55000", OUTCOME_RETRY, true, false},
    {"55P03", OUTCOME_RETRY, true, false},  {"57014", OUTCOME_RETRY, true, false},
    {"P0001", OUTCOME_RETRY, true, false},  {"53100", OUTCOME_RETRY, false, false},
    {"53300", OUTCOME_RETRY, false, false}, {"57P01", OUTCOME_RETRY, false, true},
    {"57P03", OUTCOME_RETRY, false, false}, {"25006", OUTCOME_RETRY, false, false},
    {"25P02", OUTCOME_RETRY, false, false}, {"25P03", OUTCOME_RETRY, false, false},
    {"08006", OUTCOME_RETRY, false, false}, {"08000", OUTCOME_RETRY, false, false},
    {"XX000", OUTCOME_RETRY, false, false}, {"26000", OUTCOME_RETRY, false, false},
    {"", OUTCOME_RETRY, false, true},       {"22", OUTCOME_RETRY, false, false},
};

START_TEST(a_refusal_is_judged_by_its_sqlstate)
{
    struct pg_result result = {.message = "no\nluck", .detail = "", .hint = ""};
    struct pg_answer answer = {.end = PG_TURNED_DOWN};
    struct outcome outcome;
    char *reason = must_format("SQLSTATE %s: no\\x0aluck", refusals[_i].sqlstate);

    (void)snprintf(result.sqlstate, sizeof(result.sqlstate), "%s", refusals[_i].sqlstate);
    ck_assert_msg(sql_refusal_is_the_statements(
                      result.sqlstate, refusals[_i].read_only) == refusals[_i].own,
                  "%s", reason);
    sql_outcome_refused(&outcome, &answer, &result, refusals[_i].read_only);
    ck_assert_msg(outcome.kind == refusals[_i].kind, "%s", reason);
    ck_assert_str_eq(outcome.reason, reason); /* one line */
    free(reason);
}
END_TEST

START_TEST(the_record_has_what_the_server_said)
{
    const struct pg_result result = {.sqlstate = "23505",
                                     .message = "duplicate key",
                                     .detail = "Key (id)=(1) already exists.",
                                     .hint = ""};
    struct buf out;

    buf_init(&out, 0);
    sql_describe(&out, "main", "\"tenant_7\"", &result);
    ck_assert_str_eq(out.data, "\ndatabase: main\nsearch_path: \"tenant_7\"\n"
                               "SQLSTATE: 23505\n"
                               "message: duplicate key\n"
                               "detail: Key (id)=(1) already exists.\n");
    buf_clear(&out);
    sql_describe(&out, "main", NULL, NULL);
    ck_assert_str_eq(out.data, "\ndatabase: main\n");
    buf_free(&out);
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, values_are_text_null_or_json);
    tcase_add_loop_test(tc, a_value_that_cannot_be_is_named, 0, ARRAY_CT(unusable));
    tcase_add_loop_test(tc, a_search_path_is_made_of_names, 0, ARRAY_CT(search_paths));
    tcase_add_loop_test(tc, a_search_path_that_never_can_be_is_refused_before_any_payload,
                        0, ARRAY_CT(search_path_texts));
    tcase_add_loop_test(tc, a_refusal_is_judged_by_its_sqlstate, 0, ARRAY_CT(refusals));
    tcase_add_test(tc, the_record_has_what_the_server_said);
}

int main(void)
{
    return run_suite("sql_values", 30, add_tests);
}
