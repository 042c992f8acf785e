/* Random numbers: form and range, not chance. */
#include <check.h>
#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "base/random.h"
#include "tests/unit/suite.h"

START_TEST(numbers_stay_below_their_limit)
{
    unsigned seen[5] = {0};

    ck_assert_uint_eq(random_below(1), 0);
    for (int i = 0; i < 2000; i++) {
        uint32_t number = random_below(ARRAY_CT(seen));

        ck_assert_uint_lt(number, ARRAY_CT(seen));
        seen[number]++;
    }
    for (size_t i = 0; i < ARRAY_CT(seen); i++)
        ck_assert_uint_gt(seen[i], 200); /* 400 expected; 200 is 11 sigma away */
    (void)random_below(UINT32_MAX);
}
END_TEST

START_TEST(uuids_are_version_4)
{
    char first[UUID_TEXT_BYTES], second[UUID_TEXT_BYTES];

    random_uuid(first);
    random_uuid(second);
    ck_assert_str_ne(first, second);
    ck_assert_uint_eq(strlen(first), 36);
    for (size_t i = 0; i < 36; i++)
        ck_assert(i == 8 || i == 13 || i == 18 || i == 23 ? first[i] == '-'
                                                          : isxdigit(first[i]));
    ck_assert_int_eq(first[14], '4');
    ck_assert_ptr_nonnull(strchr("89ab", first[19]));
}
END_TEST

START_TEST(ids_are_letters_and_digits)
{
    char id[RANDOM_ID_CHARS + 1];

    for (int i = 0; i < 100; i++) {
        random_id(id);
        ck_assert_uint_eq(strlen(id), RANDOM_ID_CHARS);
        for (size_t j = 0; j < RANDOM_ID_CHARS; j++)
            ck_assert(isalnum(id[j]));
    }
}
END_TEST

START_TEST(jitter_stays_within_its_share)
{
    bool below = false, above = false;

    for (int i = 0; i < 500; i++) {
        int64_t value = random_jitter(1000, 20);

        ck_assert_int_ge(value, 800);
        ck_assert_int_le(value, 1200);
        below |= value < 1000;
        above |= value > 1000;
    }
    ck_assert(below && above);
    ck_assert_int_eq(random_jitter(1000, 0), 1000);
    ck_assert_int_eq(random_jitter(0, 100), 0);
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_test(tc, numbers_stay_below_their_limit);
    tcase_add_test(tc, uuids_are_version_4);
    tcase_add_test(tc, ids_are_letters_and_digits);
    tcase_add_test(tc, jitter_stays_within_its_share);
}

int main(void)
{
    return run_suite("random", 60, add_tests);
}
