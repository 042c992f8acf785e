/* What a machine that lets no process be started leads to: how long jobs wait, and how
 * often the log hears of it.
 */
#include <errno.h>
#include <unistd.h>

#include "base/err.h"
#include "jobs/shortage.h"
#include "tests/unit/suite.h"

static const int lacking[] = {EMFILE, ENFILE, EAGAIN, ENOMEM};
static const int others[] = {0, ENOENT, EACCES, ETXTBSY, EIO, EINTR, E2BIG, EPERM};

START_TEST(what_a_machine_may_lack_has_an_advice_and_nothing_else_has)
{
    for (size_t i = 0; i < ARRAY_CT(lacking); i++) {
        ck_assert(shortage_is(lacking[i]));
        ck_assert_ptr_nonnull(shortage_advice(lacking[i]));
    }
    for (size_t i = 0; i < ARRAY_CT(others); i++) {
        ck_assert(!shortage_is(others[i]));
        ck_assert_ptr_null(shortage_advice(others[i]));
    }
}
END_TEST

static int64_t refuse(struct shortage *shortage, int errnum, int64_t now_ms)
{
    struct err err;

    (void)err_set_errno(&err, errnum, "cannot start it");
    return shortage_refused(shortage, &err, now_ms);
}

static void assert_wait(int64_t wait_ms, int64_t least_ms)
{
    ck_assert_int_ge(wait_ms, least_ms);
    ck_assert_int_le(wait_ms, least_ms + least_ms / 4);
}

START_TEST(the_wait_grows_while_nothing_can_be_started)
{
    static const int64_t waits_ms[] = {1000, 2000, 4000, 8000, 16000, 16000, 16000};
    struct shortage shortage = {0};
    int64_t now_ms = 5;

    for (size_t i = 0; i < ARRAY_CT(waits_ms); i++) {
        assert_wait(refuse(&shortage, EAGAIN, now_ms), waits_ms[i]);
        /* Many are refused at about the same time: they count once. */
        assert_wait(refuse(&shortage, EAGAIN, now_ms + waits_ms[i] - 1), waits_ms[i]);
        now_ms += waits_ms[i];
    }
    shortage_ended(&shortage, now_ms);
    assert_wait(refuse(&shortage, EAGAIN, now_ms), 1000);
}
END_TEST

START_TEST(the_log_hears_of_it_once_and_at_most_once_a_minute)
{
    struct shortage shortage = {0};

    (void)!refuse(&shortage, EMFILE, 1000);
    ck_assert_int_eq(shortage.told_at_ms, 1000);
    (void)!refuse(&shortage, EMFILE, 3600000); /* it has not ended yet */
    ck_assert_int_eq(shortage.told_at_ms, 1000);
    (void)!refuse(&shortage, EAGAIN, 3600001); /* another one: something else to do */
    ck_assert_int_eq(shortage.told_at_ms, 3600001);
    shortage_ended(&shortage, 3601000);
    ck_assert_int_eq(shortage.told_errnum, 0);
    (void)!refuse(&shortage, EAGAIN, 3602000); /* again, soon after */
    ck_assert_int_eq(shortage.told_at_ms, 3600001);
    shortage_ended(&shortage, 3603000);
    (void)!refuse(&shortage, EAGAIN, 3660001);
    ck_assert_int_eq(shortage.told_at_ms, 3660001);
    ck_assert_int_eq(shortage.told_errnum, EAGAIN);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_test(tc, what_a_machine_may_lack_has_an_advice_and_nothing_else_has);
    tcase_add_test(tc, the_wait_grows_while_nothing_can_be_started);
    tcase_add_test(tc, the_log_hears_of_it_once_and_at_most_once_a_minute);
}

int main(void)
{
    return run_suite("shortage", 60, add);
}
