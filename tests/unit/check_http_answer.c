/* What becomes of a job after each status, and how long Retry-After makes it wait. */
#include "jobs/http_answer.h"
#include "tests/unit/suite.h"

START_TEST(statuses_decide_as_the_rules_say)
{
    static const struct {
        int first, last;
        enum outcome_kind kind, permanent;
    } rows[] = {
        {200, 299, OUTCOME_DONE, OUTCOME_DONE},  {300, 399, OUTCOME_RETRY, OUTCOME_RETRY},
        {400, 407, OUTCOME_RETRY, OUTCOME_FAIL}, {408, 408, OUTCOME_RETRY, OUTCOME_RETRY},
        {409, 409, OUTCOME_RETRY, OUTCOME_FAIL}, {410, 410, OUTCOME_FAIL, OUTCOME_FAIL},
        {411, 424, OUTCOME_RETRY, OUTCOME_FAIL}, {425, 425, OUTCOME_RETRY, OUTCOME_RETRY},
        {426, 428, OUTCOME_RETRY, OUTCOME_FAIL}, {429, 429, OUTCOME_RETRY, OUTCOME_RETRY},
        {430, 499, OUTCOME_RETRY, OUTCOME_FAIL}, {500, 599, OUTCOME_RETRY, OUTCOME_RETRY},
        {0, 199, OUTCOME_RETRY, OUTCOME_RETRY},  {600, 999, OUTCOME_RETRY, OUTCOME_RETRY},
    };

    for (size_t i = 0; i < ARRAY_CT(rows); i++)
        for (int status = rows[i].first; status <= rows[i].last; status++) {
            ck_assert_msg(http_status_kind(status, false) == rows[i].kind, "%d", status);
            ck_assert_msg(http_status_kind(status, true) == rows[i].permanent, "%d",
                          status);
        }
}
END_TEST

START_TEST(trouble_and_waiting_have_their_statuses)
{
    for (int status = 200; status < 600; status++) {
        ck_assert_int_eq(http_status_is_trouble(status), status >= 500 || status == 408);
        ck_assert_int_eq(http_status_waits(status), status == 429 || status == 503);
    }
}
END_TEST

START_TEST(retry_after_is_read_in_both_forms)
{
    enum { NOW = 1767225600, DAY_MS = HTTP_RETRY_AFTER_MAX_MS }; /* Thu, 01 Jan 2026 */
    static const struct {
        const char *value;
        int64_t ms;
    } rows[] = {
        {"0", 0},
        {"1", 1000},
        {" 120", 120000},
        {"86400", DAY_MS},
        {"86401", DAY_MS},
        {"99999999999999999999999999", DAY_MS},
        {"Thu, 01 Jan 2026 00:02:00 GMT", 120000},
        {"Thursday, 01-Jan-26 00:02:00 GMT", 120000}, /* RFC 850 */
        {"Thu Jan  1 00:02:00 2026", 120000},         /* asctime */
        {"Wed, 31 Dec 2025 23:59:59 GMT", 0},
        {"Fri, 01 Jan 2027 00:00:00 GMT", DAY_MS},
        {"", -1},
        {"-1", -1},
        {"soon", -1},
        {"1.5", -1},
        {"12 monkeys", -1},
        {"0x10", -1},
    };

    for (size_t i = 0; i < ARRAY_CT(rows); i++)
        ck_assert_msg(http_retry_after_ms(rows[i].value, NOW) == rows[i].ms, "'%s': %lld",
                      rows[i].value, (long long)http_retry_after_ms(rows[i].value, NOW));
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_test(tc, statuses_decide_as_the_rules_say);
    tcase_add_test(tc, trouble_and_waiting_have_their_statuses);
    tcase_add_test(tc, retry_after_is_read_in_both_forms);
}

int main(void)
{
    return run_suite("http_answer", 60, add_tests);
}
