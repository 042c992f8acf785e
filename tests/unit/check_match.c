/* Names to entries: exact, then globs, the longest first. */
#include "jobs/match.h"
#include "tests/unit/payloads.h"
#include "tests/unit/suite.h"

static char names[][24] = {
    "*",   "App\\Jobs\\*", "App\\Jobs\\Mail\\*", "App\\Jobs\\Send", "re?ize", "resize",
    "ab*", "*yz",          "odd*name",
};

static const struct job_config *match(struct job_config *jobs, size_t from,
                                      const char *name)
{
    struct config config = {.jobs = jobs + from, .job_ct = ARRAY_CT(names) - from};

    for (size_t i = 0; i < ARRAY_CT(names); i++)
        jobs[i].name = names[i];
    return job_match(&config, name);
}

START_TEST(exact_names_win_then_the_longest_glob)
{
    static const struct {
        const char *name;
        size_t index;
    } rows[] = {
        {"resize", 5},
        {"rezize", 4},
        {"App\\Jobs\\Send", 3},
        {"App\\Jobs\\SendAll", 1},
        {"App\\Jobs\\Mail\\Send", 2},
        {"App\\Other", 0},
        {"other", 0},
        {"odd*name", 8},
        {"abyz", 6}, /* equally long: the first listed */
        {"xyz", 7},
    };
    struct job_config jobs[ARRAY_CT(names)] = {0};

    for (size_t i = 0; i < ARRAY_CT(rows); i++)
        ck_assert_ptr_eq(match(jobs, 0, rows[i].name), &jobs[rows[i].index]);
}
END_TEST

START_TEST(a_name_without_an_entry_matches_nothing)
{
    static const char *const unknown[] = {
        "other", "app\\jobs\\Send", "App\\Jobs", "resizer", "", "RESIZE"};
    struct job_config jobs[ARRAY_CT(names)] = {0};
    struct config empty = {0};

    for (size_t i = 0; i < ARRAY_CT(unknown); i++)
        ck_assert_ptr_null(match(jobs, 1, unknown[i]));
    ck_assert_ptr_null(job_match(&empty, "resize"));
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_test(tc, exact_names_win_then_the_longest_glob);
    tcase_add_test(tc, a_name_without_an_entry_matches_nothing);
}

int main(void)
{
    return run_suite("match", 60, add_tests);
}
