/* End to end: jobs go in, run in order, are retried, fail, and are seen. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/must.h"
#include "tests/support/scene.h"
#include "tests/support/wait.h"
#include "tests/unit/suite.h"

/* One worker, one job at a time; polls so rarely that nothing here can be found by
 * polling. */
#define ONE_WORKER                                                                       \
    "pools: ( { name = \"main\"; queues = [ \"high\", \"default\", \"low\" ]; workers "  \
    "= 1;"                                                                               \
    " concurrency = 1; tries = 3; backoff = [ 0, 1 ]; timeout = 60; lease = 90;"         \
    " poll_interval = 60.0; } );\n"

#define NOTE_JOB                                                                         \
    "jobs: ( { name = \"note\"; type = \"shell\"; command = [ \"/bin/sh\", \"-c\","      \
    " \"echo \\\"$1\\\" >> @DIR@/notes\", \"note\", \"{data.n}\" ]; },\n"                \
    " { name = \"stamp\"; type = \"shell\"; command = [ \"/bin/sh\", \"-c\","            \
    " \"date +%s.%N >> @DIR@/stamps\" ]; },\n"                                           \
    " { name = \"broken\"; type = \"shell\"; command = [ \"/bin/sh\", \"-c\","           \
    " \"date +%s.%N >> @DIR@/stamps; echo the disk is on fire >&2; exit 3\" ]; } );\n"

static struct scene *scene;

static void stage(void)
{
    scene = scene_create(SCENE_REDIS, ONE_WORKER NOTE_JOB);
}

static void clear_stage(void)
{
    scene_destroy(scene);
}

static void push_note(const char *queue, const char *n)
{
    char data[64];

    (void)snprintf(data, sizeof(data), "{\"n\":\"%s\"}", n);
    scene_do(scene, "push", "note", data, "--queue", queue);
}

START_TEST(queues_are_served_in_order_and_each_first_in_first_out)
{
    static const char *const pushes[][2] = {
        {"low", "l1"},     {"low", "l2"},     {"low", "l3"},
        {"default", "d1"}, {"default", "d2"}, {"default", "d3"},
        {"high", "h1"},    {"high", "h2"},    {"high", "h3"}};
    char *notes;

    for (size_t i = 0; i < sizeof(pushes) / sizeof(pushes[0]); i++)
        push_note(pushes[i][0], pushes[i][1]);
    scene_start(scene);
    WAIT_FOR(scene_lines(scene, "notes") == 9);
    notes = scene_read(scene, "notes");
    ck_assert_str_eq(notes, "h1\nh2\nh3\nd1\nd2\nd3\nl1\nl2\nl3\n");
    free(notes);
    WAIT_FOR(scene_worker(scene, 0, 0, "done") == 9);
    ck_assert_int_eq(scene_redis_int(scene, "EXISTS", "queues:high:reserved"), 0);
}
END_TEST

/* poll_interval is a minute here: only the token can have woken the worker. */
START_TEST(a_token_wakes_an_idle_worker)
{
    scene_start(scene);
    push_note("low", "by push");
    WAIT_FOR(scene_lines(scene, "notes") == 1);
    (void)scene_redis(scene, "RPUSH", "queues:high",
                      "{\"job\":\"note\",\"data\":{\"n\":\"2\"}}", NULL);
    (void)scene_redis(scene, "RPUSH", "queues:high:notify", "1", NULL);
    WAIT_FOR(scene_lines(scene, "notes") == 2);
}
END_TEST

START_TEST(a_bare_payload_without_token_is_found_by_polling)
{
    scene_configure(scene,
                    "pools: ( { name = \"main\"; queues = [ \"high\" ]; workers = 1;"
                    " concurrency = 1; poll_interval = 1.0; } );\n" NOTE_JOB);
    scene_start(scene);
    push_note("high", "first"); /* from here on the worker is up and idle */
    WAIT_FOR(scene_lines(scene, "notes") == 1);
    (void)scene_redis(scene, "RPUSH", "queues:high",
                      "{\"job\":\"note\",\"data\":{\"n\":\"1\"}}", NULL);
    WAIT_FOR(scene_lines(scene, "notes") == 2);
}
END_TEST

static void read_stamps(double *stamps, size_t ct)
{
    char *text = scene_read(scene, "stamps"), *at = text;

    for (size_t i = 0; i < ct; i++)
        stamps[i] = strtod(at, &at);
    free(text);
}

/* The failed jobs, once there is one. A new reference. */
static json_t *first_failed(void)
{
    json_t *failed = scene_failed(scene);
    int64_t end_ms = wait_now_ms() + WAIT_MS;

    while (json_array_size(failed) == 0) {
        if (wait_now_ms() > end_ms)
            wait_failed("a job fails", __FILE__, __LINE__);
        json_decref(failed);
        wait_pause();
        failed = scene_failed(scene);
    }
    ck_assert_uint_eq(json_array_size(failed), 1);
    return failed;
}

START_TEST(a_job_that_always_fails_runs_tries_times_and_is_kept)
{
    json_t *failed, *job;
    double stamps[4] = {0};
    char uuid[64];

    scene_start(scene);
    scene_do(scene, "push", "broken", "{\"why\":\"test\"}");
    (void)sscanf(scene->out, "%63s", uuid);
    failed = first_failed();
    job = json_array_get(failed, 0);
    ck_assert_str_eq(json_string_value(json_object_get(job, "uuid")), uuid);
    ck_assert_str_eq(json_string_value(json_object_get(job, "job")), "broken");
    ck_assert_str_eq(json_string_value(json_object_get(job, "queue")), "default");
    ck_assert_int_eq(json_integer_value(json_object_get(job, "attempts")), 3);
    ck_assert_str_eq(json_string_value(json_object_get(job, "reason")), "exit status 3");
    json_decref(failed);

    ck_assert_uint_eq(scene_lines(scene, "stamps"), 3);
    read_stamps(stamps, 3);
    ck_assert(stamps[2] - stamps[1] >= 1.0); /* backoff [0, 1] */
    ck_assert(stamps[1] >= stamps[0]);

    scene_do(scene, "failed", "show", uuid);
    ck_assert_ptr_nonnull(strstr(scene->out, "the disk is on fire"));
    ck_assert_ptr_nonnull(strstr(scene->out, "attempt 1 of 3: exit status 3"));
    ck_assert_ptr_nonnull(strstr(scene->out, "attempt 2 of 3: exit status 3"));
    ck_assert_ptr_nonnull(strstr(scene->out, "attempt 3 of 3: exit status 3"));
    ck_assert_str_eq(scene_redis(scene, "KEYS", "drover:notes:*", NULL), "\n");

    scene_do(scene, "failed", "retry", uuid);
    WAIT_FOR(scene_lines(scene, "stamps") == 6);
    failed = first_failed();
    json_decref(failed);
}
END_TEST

static double wall_s(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

START_TEST(a_delayed_job_starts_when_it_is_due_without_polling)
{
    double stamp, pushed;

    scene_start(scene);
    push_note("high", "up");
    WAIT_FOR(scene_lines(scene, "notes") == 1);
    pushed = wall_s();
    scene_do(scene, "push", "stamp", "--delay", "2.0", "--queue", "low");
    WAIT_FOR(scene_lines(scene, "stamps") == 1); /* the next poll is a minute away */
    read_stamps(&stamp, 1);
    ck_assert(stamp >= pushed + 2.0);
}
END_TEST

START_TEST(a_name_without_entry_fails_at_once_and_says_so)
{
    json_t *failed;
    const char *reason;

    scene_start(scene);
    (void)scene_run(scene, "push", "nobody.knows", NULL);
    failed = first_failed();
    reason = json_string_value(json_object_get(json_array_get(failed, 0), "reason"));
    ck_assert_ptr_nonnull(strstr(reason, "nobody.knows"));
    ck_assert_int_eq(
        json_integer_value(json_object_get(json_array_get(failed, 0), "attempts")), 0);
    json_decref(failed);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_checked_fixture(tc, stage, clear_stage);
    tcase_add_test(tc, queues_are_served_in_order_and_each_first_in_first_out);
    tcase_add_test(tc, a_token_wakes_an_idle_worker);
    tcase_add_test(tc, a_bare_payload_without_token_is_found_by_polling);
    tcase_add_test(tc, a_job_that_always_fails_runs_tries_times_and_is_kept);
    tcase_add_test(tc, a_delayed_job_starts_when_it_is_due_without_polling);
    tcase_add_test(tc, a_name_without_entry_fails_at_once_and_says_so);
}

int main(void)
{
    return run_suite("jobs", 180, add);
}
