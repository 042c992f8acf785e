/* Laravel's own jobs, run by drover in PHP that lives longer than one of them. That each
 * ends as in Laravel's own worker is check_laravel_same's to show, and what PHP does not
 * survive check_laravel_deaths'.
 */
#include "tests/support/laravel_fixture.h"
#include "tests/support/memory.h"
#include "tests/unit/suite.h"

START_TEST(a_failed_jobs_record_has_laravels_exception)
{
    char *job;

    push("\"does\":\"throw\",\"tries\":1");
    scene_start(stage.scene);
    assert_reason("Drover\\Tests\\ToldToFail: told to");
    job = failed_field("job");
    ck_assert_str_eq(job, "Drover\\Tests\\Deed");
    free(job);
    assert_exception("Drover\\Tests\\ToldToFail: told to\nfail in ");
    assert_exception("#0 ");
    ck_assert_uint_eq(php_stage_count(&stage, "reported", "ToldToFail"), 1);
    ck_assert_uint_eq(noted("hook Drover\\Tests\\ToldToFail"), 1);
}
END_TEST

/* ---- what Laravel keeps about jobs ---- */

START_TEST(a_chain_goes_on_after_each_job_that_went_well)
{
    push("\"does\":\"ok\",\"chain\":[\"pid\",\"fail\",\"ok\"]");
    scene_start(stage.scene);
    WAIT_FOR(logged("event=job.failed ") == 1 && is_all_done());
    ck_assert_uint_eq(noted("start-ok "), 1);
    ck_assert_uint_eq(noted("start-pid "), 1);
    ck_assert_uint_eq(noted("start-fail "), 1); /* and the last did not start */
}
END_TEST

static long long ready_ct(void)
{
    return php_stage_int(&stage, "LLEN queues:default");
}

static const char *const ends[] = {"ok", "fail", "segv", "freeze"};

/* However it ends: another may be pushed then, and only then. */
START_TEST(the_lock_of_a_unique_job_ends_with_it)
{
    char deed[128];

    (void)snprintf(deed, sizeof(deed),
                   "\"does\":\"%s\",\"unique\":true,\"tries\":1,\"timeout\":1", ends[_i]);
    push(deed);
    push(deed);
    ck_assert_int_eq(ready_ct(), 1);
    scene_start(stage.scene);
    WAIT_FOR(logged("event=job.done ") + logged("event=job.failed ") == 1 &&
             is_all_done());
    scene_stop(stage.scene);
    push(deed);
    ck_assert_int_eq(ready_ct(), 1);
}
END_TEST

START_TEST(middleware_releases_what_must_not_run_beside_another)
{
    freeReplyObject(php_stage_ask(
        &stage, "SET %s x", "cache:laravel-queue-overlap:Drover\\Tests\\Deed:deed"));
    push("\"does\":\"overlap\",\"tries\":1");
    scene_start(stage.scene);
    WAIT_FOR(logged("event=job.released ") == 1);
    ck_assert_uint_eq(logged(" retry_in_ms=7000 "), 1);
    ck_assert_uint_eq(noted("start-overlap"), 0);
}
END_TEST

static void tell_memory(void)
{
    char *log = scene_read(stage.scene, "log");
    const char *at = strstr(log, "event=runner.ready ");

    at = at ? strstr(at, " pid=") : NULL;
    ck_assert_ptr_nonnull(at);
    printf("private memory: worker %ld KiB, its PHP %ld KiB\n",
           memory_private_kib((pid_t)scene_worker(stage.scene, 0, 0, "pid")),
           memory_private_kib((pid_t)strtol(at + 5, NULL, 10)));
    free(log);
}

START_TEST(one_process_runs_many_jobs)
{
    for (int i = 0; i < 3; i++)
        push("\"does\":\"pid\"");
    scene_start(stage.scene);
    WAIT_FOR(logged("event=job.done ") == 3);
    for (int i = 0; i < 3; i++)
        push("\"does\":\"pid\"");
    WAIT_FOR(logged("event=job.done ") == 6);
    ck_assert_uint_le(logged("event=runner.ready "), 2);
    tell_memory();
    scene_stop(stage.scene);
    ck_assert_uint_eq(logged("event=runner.ended "), logged(" exit=0 ")); /* as asked */
}
END_TEST

START_TEST(a_stop_waits_for_the_job_and_then_for_php)
{
    push("\"does\":\"nap\"");
    scene_start(stage.scene);
    WAIT_FOR(noted("start-nap") == 1);
    scene_stop(stage.scene);
    ck_assert_uint_eq(logged("event=job.done "), 1);
    ck_assert_uint_eq(logged("event=runner.ended "), 1);
    ck_assert_uint_eq(noted("stopping "), 1);
}
END_TEST

/* ---- time ---- */

/* By Laravel's alarm, and by drover where that does not come through. */
static const char *const ways[] = {"hang", "freeze"};

START_TEST(a_job_beyond_its_time_is_killed_and_fails_if_it_must)
{
    char deed[96];

    (void)snprintf(deed, sizeof(deed), "\"does\":\"%s\",\"tries\":2,\"timeout\":1",
                   ways[_i]);
    push(deed);
    scene_start(stage.scene);
    WAIT_FOR(logged("event=job.released ") == 1);
    ck_assert_uint_eq(noted("hook "), 0);
    hasten();
    assert_reason("timed out after 1 s");
    assert_exception("MaxAttemptsExceededException"); /* Laravel's name for it until 9 */
    ck_assert_uint_eq(noted("hook "), 1);
    ck_assert_uint_eq(noted("event-JobFailed "), 1);
}
END_TEST

START_TEST(a_job_that_is_to_fail_on_timeout_does)
{
    char deed[128];

    (void)snprintf(deed, sizeof(deed),
                   "\"does\":\"%s\",\"tries\":5,\"timeout\":1,\"failOnTimeout\":true",
                   ways[_i]);
    push(deed);
    scene_start(stage.scene);
    assert_reason("timed out after 1 s");
    ck_assert_uint_eq(noted("hook "), 1);
}
END_TEST

/* ---- the application ---- */

START_TEST(while_the_application_does_not_boot_its_jobs_wait)
{
    put_file("break");
    push("\"does\":\"ok\",\"tries\":1");
    scene_start(stage.scene);
    WAIT_FOR(logged("event=job.postponed ") >= 2);
    ck_assert_uint_ge(logged("event=runner.boot_failed "), 1);
    ck_assert_uint_ge(logged("LogicException: the application is broken in "), 1);
    remove_file("break");
    WAIT_FOR(logged("event=job.done ") == 1);
    ck_assert_uint_eq(logged("event=job.failed "), 0);
}
END_TEST

START_TEST(a_process_that_has_grown_is_replaced)
{
    push("\"does\":\"leak\"");
    scene_configure(stage.scene, POOL RUNNER("memory = 32;"));
    scene_start(stage.scene);
    WAIT_FOR(logged("why=\"worn out\"") == 1);
    push("\"does\":\"ok\"");
    WAIT_FOR(logged("event=job.done ") == 2);
    WAIT_FOR(logged("event=runner.ended ") >= 1);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_checked_fixture(tc, set_stage, clear_stage);
    tcase_add_test(tc, a_failed_jobs_record_has_laravels_exception);
    tcase_add_test(tc, a_chain_goes_on_after_each_job_that_went_well);
    tcase_add_loop_test(tc, the_lock_of_a_unique_job_ends_with_it, 0,
                        (int)ARRAY_CT(ends));
    tcase_add_test(tc, middleware_releases_what_must_not_run_beside_another);
    tcase_add_test(tc, one_process_runs_many_jobs);
    tcase_add_test(tc, a_stop_waits_for_the_job_and_then_for_php);
    tcase_add_loop_test(tc, a_job_beyond_its_time_is_killed_and_fails_if_it_must, 0,
                        (int)ARRAY_CT(ways));
    tcase_add_loop_test(tc, a_job_that_is_to_fail_on_timeout_does, 0,
                        (int)ARRAY_CT(ways));
    tcase_add_test(tc, while_the_application_does_not_boot_its_jobs_wait);
    tcase_add_test(tc, a_process_that_has_grown_is_replaced);
}

int main(void)
{
    return run_suite("laravel", 300, add);
}
