/* Lookups of names: answered, or called off at any moment. What a lookup leaves behind is
 * found by LeakSanitizer, in a build that has it.
 */
#include <string.h>

#include "base/resolve.h"
#include "tests/unit/suite.h"
#include "tests/unit/until.h"

enum { LOOKUP_CT = 50 };

static struct loop *loop;

static void open_test(void)
{
    struct err err;

    loop = loop_create(&err);
    ck_assert_ptr_nonnull(loop);
}

struct heard {
    unsigned left;
    struct resolved found;
};

static void hear(void *arg, const struct resolved *found)
{
    struct heard *heard = arg;

    ck_assert_uint_eq(heard->left, 1); /* once */
    heard->left = 0;
    heard->found = *found;
}

static bool has(const struct resolved *found, const char *address)
{
    for (unsigned i = 0; i < found->ct; i++)
        if (strcmp(found->address[i], address) == 0)
            return true;
    return false;
}

START_TEST(a_name_has_its_addresses)
{
    struct heard heard = {.left = 1};

    ck_assert_ptr_nonnull(resolve_start(loop, "localhost", hear, &heard));
    ck_assert_uint_eq(heard.left, 1); /* never from inside */
    run_until_zero(loop, &heard.left);
    ck_assert(has(&heard.found, "127.0.0.1") || has(&heard.found, "::1"));
    loop_destroy(loop);
}
END_TEST

/* Of the first the system's file knows the answer at once; who could tell of the other
 * has not even been asked. */
static const char *const names[] = {"localhost", "nobody.invalid"};

START_TEST(a_lookup_that_was_called_off_tells_nobody_and_leaves_nothing)
{
    struct heard heard = {.left = 1};

    for (size_t i = 0; i < LOOKUP_CT; i++)
        resolve_cancel(resolve_start(loop, names[_i], hear, &heard));
    loop_destroy(loop);
    ck_assert_uint_eq(heard.left, 1);
}
END_TEST

static void fire(void *arg)
{
    *(unsigned *)arg = 0;
}

/* The loop's end must not call who is gone. */
START_TEST(the_end_of_a_loop_calls_nobody_else)
{
    struct heard heard = {.left = 1};
    unsigned left = 1;
    struct timer timer, soon;

    timer_init(&timer, loop, fire, &left);
    timer_init(&soon, loop, fire, &left);
    timer_set(&timer, 0);
    timer_set_soon(&soon);
    resolve_cancel(resolve_start(loop, "nobody.invalid", hear, &heard));
    loop_destroy(loop);
    ck_assert_uint_eq(left, 1);
}
END_TEST

START_TEST(a_lookup_that_was_called_off_ends_while_the_loop_turns)
{
    struct heard heard = {.left = 1};
    struct timer later;
    unsigned left = 1;

    resolve_cancel(resolve_start(loop, names[_i], hear, &heard));
    timer_init(&later, loop, fire, &left);
    timer_set(&later, 20);
    run_until_zero(loop, &left);
    ck_assert_uint_eq(heard.left, 1);
    loop_destroy(loop);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_checked_fixture(tc, open_test, NULL);
    tcase_add_test(tc, a_name_has_its_addresses);
    tcase_add_loop_test(tc, a_lookup_that_was_called_off_tells_nobody_and_leaves_nothing,
                        0, ARRAY_CT(names));
    tcase_add_test(tc, the_end_of_a_loop_calls_nobody_else);
    tcase_add_loop_test(tc, a_lookup_that_was_called_off_ends_while_the_loop_turns, 0,
                        ARRAY_CT(names));
}

int main(void)
{
    return run_suite("resolve", 60, add);
}
