/* Numbers in the configuration: those that libconfig would wrap, and times. */
#include "tests/unit/configs.h"

#include "tests/unit/suite.h"

/* ---- integers that libconfig wraps ---- */

static const struct {
    const char *text, *message;
} large[] = {
    {"pools: ( { workers = 4294967297; } );",
     "drover.conf:1: pools[0].workers: 4294967297 is above the maximum of 256"},
    {"pools: ( { workers = 2; tries = 2147483648; } );",
     "drover.conf:1: pools[0].tries: 2147483648 is above the maximum of 2147483647"},
    {"pools: ( { workers = -4294967295; } );",
     "drover.conf:1: pools[0].workers: -4294967295 is below the minimum of 0"},
    {"pools: ( { workers = 0x100000001; } );",
     "drover.conf:1: pools[0].workers: 0x100000001 is above the maximum of 256"},
    {"pools: ( { workers = 0xFFFFFFFF; } );",
     "drover.conf:1: pools[0].workers: 0xFFFFFFFF is above the maximum of 256"},
    {"pools: ( { workers = 4294967297L; } );",
     "drover.conf:1: pools[0].workers: 4294967297 is above the maximum of 256"},
    {"pools: ( { workers = 18446744073709551617L; } );",
     "drover.conf:1: pools[0].workers: 18446744073709551617L is above the maximum of "
     "256"},
    {"pools: ( { workers = 0x10000000000000001L; } );",
     "drover.conf:1: pools[0].workers: 0x10000000000000001L is above the maximum of 256"},
    {"pools: ( { lease = 4294967297; } );",
     "drover.conf:1: pools[0].lease: 4294967297 is above the maximum of 31536000 s"},
    {"pools: ( { workers = 1; backoff = [ 1, 2, 4294967299 ]; } );",
     "drover.conf:1: pools[0].backoff[2]: 4294967299 is above the maximum of 31536000 s"},
    {"pools: ( { workers = 1; concurrency = 1;\n\n\ntries =\n\n4294967297\n; } );",
     "drover.conf:4: pools[0].tries: 4294967297 is above the maximum of 2147483647"},
    {"/* 4294967297 */ # 4294967297\n// 4294967297\nstate_dir = \"/4294967297\"; "
     "pools: ( { workers = 1; timeout = 4294967297.5; concurrency = 4294967297; } );",
     "drover.conf:3: pools[0].timeout: 4294967297.5 is above the maximum of 31536000 s"},
    {"stop_grace = 1.5e1; pools: ( { workers = 1;\n concurrency = 4294967298; } );",
     "drover.conf:2: pools[0].concurrency: 4294967298 is above the maximum of 10000"},
    {"max_payload = 99999999999999999999999999999999999999999999999999;",
     "drover.conf:1: max_payload: 9999999999999999999999999999999 is above the maximum "
     "of "
     "512 MiB"},
    {"redis: { password = 4294967297; };",
     "drover.conf:1: redis.password: expects a text between quotes"},
};

START_TEST(an_integer_beyond_32_bits_is_refused_as_it_was_written)
{
    refused(large[_i].text, large[_i].message);
}
END_TEST

START_TEST(an_integer_is_told_from_others_of_the_same_low_bits)
{
    char path[64];

    enter_directory(path);
    write_text("pools.inc", "pools: ( { workers = 1; concurrency = 4294967297; } );\n");
    refused(
        "stop_grace = 1; hang_timeout = 1;\n@include \"pools.inc\"\nmax_payload = 1;",
        "pools.inc:1: pools[0].concurrency: 4294967297 is above the maximum of 10000");
    ck_assert_int_eq(unlink("pools.inc"), 0);
    ck_assert_int_eq(rmdir(path), 0);
}
END_TEST

START_TEST(integers_that_fit_are_taken_in_every_spelling)
{
    struct config *config =
        loaded("stop_grace = +30; max_payload = 0x10; "
               "pools: ( { tries = 2147483647; workers = 0; concurrency = 0010; "
               "max_jobs = 2147483647L; max_crashes = 0x3E8LL; timeout = 1.e1; lease = "
               "1e3; poll_interval = .5; backoff = ( 1, .25, 1e1 ); } );");

    ck_assert_int_eq(config->stop_grace_ms, 30000);
    ck_assert_int_eq(config->max_payload_mib, 16);
    ck_assert_int_eq(config->pools[0].tries, INT32_MAX);
    ck_assert_int_eq(config->pools[0].workers, 0);
    ck_assert_int_eq(config->pools[0].concurrency, 10);
    ck_assert_int_eq(config->pools[0].max_jobs, INT32_MAX);
    ck_assert_int_eq(config->pools[0].max_crashes, 1000);
    ck_assert_int_eq(config->pools[0].timeout_ms, 10000);
    ck_assert_int_eq(config->pools[0].lease_ms, 1000000);
    ck_assert_int_eq(config->pools[0].poll_interval_ms, 500);
    ck_assert_int_eq(config->pools[0].backoff.ms[1], 250);
    config_free(config);
}
END_TEST

/* ---- times ---- */

START_TEST(times_are_whole_or_broken_seconds)
{
    struct config *config =
        loaded("stop_grace = 0.25; pools: ( { timeout = 1.0005; lease = 1; } );");

    ck_assert_int_eq(config->stop_grace_ms, 250);
    ck_assert_int_eq(config->pools[0].timeout_ms, 1001);
    ck_assert_int_eq(config->pools[0].lease_ms, 1000);
    config_free(config);
}
END_TEST

START_TEST(a_short_lease_shortens_the_default_hang_timeout)
{
    static const struct {
        const char *leases;
        int64_t hang_ms;
    } rows[] = {
        {"{ }", 30000},
        {"{ lease = 44; }", 29333},
        {"{ }, { name = \"b\"; lease = 12; }, { name = \"c\"; lease = 60; }", 8000},
        {"{ lease = 2.5; }", 2000}, /* a healthy worker needs as much */
        {"{ lease = 1; }", 2000},
    };

    for (size_t i = 0; i < ARRAY_CT(rows); i++) {
        char *text = must_format("pools: ( %s );", rows[i].leases);
        struct config *config = loaded(text);

        ck_assert_int_eq(config->hang_timeout_ms, rows[i].hang_ms);
        config_free(config);
        free(text);
    }
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_checked_fixture(tc, clear_environment, NULL);
    tcase_add_loop_test(tc, an_integer_beyond_32_bits_is_refused_as_it_was_written, 0,
                        ARRAY_CT(large));
    tcase_add_test(tc, an_integer_is_told_from_others_of_the_same_low_bits);
    tcase_add_test(tc, integers_that_fit_are_taken_in_every_spelling);
    tcase_add_test(tc, times_are_whole_or_broken_seconds);
    tcase_add_test(tc, a_short_lease_shortens_the_default_hang_timeout);
}

int main(void)
{
    return run_suite("config numbers", 60, add_tests);
}
