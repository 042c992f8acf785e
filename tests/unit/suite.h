/* The main() of a test program: one suite of one case. */
#ifndef TESTS_SUITE_H
#define TESTS_SUITE_H

#include <check.h>

enum { SUITE_TIMEOUT_MIN_S = 120 };

/* Returns the exit status for main(). `timeout_s` is per test and for what hangs, which a
 * slow machine does not: it is raised to SUITE_TIMEOUT_MIN_S. */
static inline int run_suite(const char *name, double timeout_s, void (*add)(TCase *tc))
{
    Suite *suite = suite_create(name);
    TCase *tc = tcase_create(name);
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_set_timeout(tc,
                      timeout_s > SUITE_TIMEOUT_MIN_S ? timeout_s : SUITE_TIMEOUT_MIN_S);
    suite_add_tcase(suite, tc);
    add(tc);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}

#endif
