/* Webhooks against a server that misbehaves: what each answer, or the lack of one, makes
 * of a job, and what is never connected to.
 */
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>

#include "jobs/http.h"
#include "jobs/http_target.h"
#include "tests/support/http_server.h"
#include "tests/unit/suite.h"
#include "tests/unit/http_trial.h"

#define SECRET "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

/* ---- answers ---- */

static const struct {
    const char *path;
    bool permanent_4xx;
    enum outcome_kind kind;
    const char *reason; /* its beginning */
    int64_t wait_ms;
} answers[] = {
    {"/status/200", false, OUTCOME_DONE, "", 0},
    {"/status/204", false, OUTCOME_DONE, "", 0},
    {"/status/299", false, OUTCOME_DONE, "", 0},
    {"/redirect/301", false, OUTCOME_RETRY, "HTTP 301 after ", 0},
    {"/redirect/307", true, OUTCOME_RETRY, "HTTP 307 after ", 0},
    {"/status/404", false, OUTCOME_RETRY, "HTTP 404 after ", 0},
    {"/status/404", true, OUTCOME_FAIL, "HTTP 404 after ", 0},
    {"/status/408", true, OUTCOME_RETRY, "HTTP 408 after ", 0},
    {"/status/410", false, OUTCOME_FAIL, "HTTP 410 after ", 0},
    {"/status/429", true, OUTCOME_RETRY, "HTTP 429 after ", 0},
    {"/status/500", true, OUTCOME_RETRY, "HTTP 500 after ", 0},
    {"/after/503/7", false, OUTCOME_RETRY, "HTTP 503 after ", 7000},
    {"/after/429/7", false, OUTCOME_RETRY, "HTTP 429 after ", 7000},
    {"/after/500/7", false, OUTCOME_RETRY, "HTTP 500 after ", 0}, /* not for others */
    {"/after/503/Fri,%2001%20Jan%202100%2000:00:00%20GMT", false, OUTCOME_RETRY,
     "HTTP 503 after ", INT64_C(24) * 3600 * 1000},
    {"/after/503/Thu,%2001%20Jan%201970%2000:00:01%20GMT", false, OUTCOME_RETRY,
     "HTTP 503 after ", 0},
    {"/after/503/soon", false, OUTCOME_RETRY, "HTTP 503 after ", 0},
    {"/continue/200", false, OUTCOME_DONE, "", 0},
    {"/continue/503", false, OUTCOME_RETRY, "HTTP 503 after ", 0},
    {"/body/3000000", false, OUTCOME_DONE, "", 0}, /* read up to the bound */
    {"/endless", false, OUTCOME_DONE, "", 0},
    {"/bomb", false, OUTCOME_DONE, "", 0},
    {"/heads", false, OUTCOME_RETRY, "more than 65536 bytes of headers", 0},
    {"/long-head", false, OUTCOME_RETRY, "more than 65536 bytes of headers", 0},
    {"/bad-chunk", false, OUTCOME_RETRY, "", 0},
    {"/short", false, OUTCOME_RETRY, "", 0},
    {"/reset", false, OUTCOME_RETRY, "", 0},
    {"/close", false, OUTCOME_RETRY, "Empty reply from server", 0},
    {"/http09", false, OUTCOME_RETRY, "Received HTTP/0.9 when not allowed", 0},
};

START_TEST(an_answer_decides)
{
    struct scene scene;
    struct trial *trial;

    set_scene(&scene, answers[_i].path);
    scene.jobs[0].http.permanent_4xx = answers[_i].permanent_4xx;
    open_scene(&scene);
    trial = run_entry(&scene, 0);
    ck_assert_msg(trial->outcome.kind == answers[_i].kind &&
                      strncmp(trial->outcome.reason, answers[_i].reason,
                              strlen(answers[_i].reason)) == 0,
                  "%s: %d %s", answers[_i].path, trial->outcome.kind,
                  trial->outcome.reason);
    ck_assert_int_eq(trial->outcome.reason[0] == '\0',
                     trial->outcome.kind == OUTCOME_DONE);
    ck_assert_int_eq(trial->outcome.wait_ms, answers[_i].wait_ms);
    ck_assert_uint_eq(http_server_connections(&server), 1); /* nothing was followed */
    clear(trial);
    close_scene();
}
END_TEST

static const char *const silent[] = {"/hang", "/drip-head", "/drip-body"};

static bool server_was_reached(void *arg UNUSED)
{
    return http_server_connections(&server) > 0;
}

START_TEST(what_never_ends_is_ended_by_its_timeout)
{
    struct scene scene;
    struct trial *trial;

    set_scene(&scene, silent[_i]);
    open_scene(&scene);
    trial = start_trial(&scene, 0, 0);
    run_until(env.loop, server_was_reached, NULL);
    ck_assert_uint_eq(trial->left, 1);
    http_handler.cancel(trial->run, CANCEL_TIMEOUT);
    finish_trial(trial);
    ck_assert_int_eq(trial->outcome.kind, OUTCOME_RETRY);
    ck_assert(trial->outcome.timed_out);
    ck_assert_int_eq(strncmp(trial->outcome.reason, "timed out after ", 16), 0);
    clear(trial);
    close_scene();
}
END_TEST

START_TEST(nobody_there_is_tried_again)
{
    struct scene scene;
    struct trial *trial;
    char url[] = "http://127.0.0.1:1/";

    set_scene(&scene, "/");
    scene.jobs[0].http.url = url;
    open_scene(&scene);
    trial = run_entry(&scene, 0);
    ck_assert_int_eq(trial->outcome.kind, OUTCOME_RETRY);
    ck_assert_ptr_nonnull(strstr(trial->outcome.reason, "Failed to connect"));
    clear(trial);
    close_scene();
}
END_TEST

static const struct {
    enum cancel_reason why;
    const char *reason;
} stops[] = {
    {CANCEL_LOST, "stopped: the lease is lost"},
    {CANCEL_STOP, "stopped: the worker is leaving"},
    {CANCEL_NOW, "stopped: the worker is leaving"},
};

START_TEST(a_stopped_request_is_no_verdict)
{
    struct scene scene;
    struct trial *trial;

    set_scene(&scene, "/hang");
    open_scene(&scene);
    trial = start_trial(&scene, 0, 0);
    http_handler.cancel(trial->run, stops[_i].why);
    http_handler.cancel(trial->run, stops[_i].why); /* any number of times */
    ck_assert_uint_eq(trial->left, 1);              /* never from inside cancel() */
    finish_trial(trial);
    assert_outcome(trial, OUTCOME_ABANDONED, stops[_i].reason);
    clear(trial);
    close_scene();
}
END_TEST

/* ---- the request ---- */

static char *header_of(const char *request, const char *name)
{
    char *line = must_format("\n%s: ", name);
    const char *at = strcasestr(request, line);
    char *value = NULL;

    if (at != NULL)
        value = must_strndup(at + strlen(line), strcspn(at + strlen(line), "\r\n"));
    free(line);
    return value;
}

static void assert_header(const char *request, const char *name, const char *value)
{
    char *found = header_of(request, name);

    ck_assert_msg(found != NULL && strcmp(found, value) == 0, "%s is %s in:\n%s", name,
                  found ? found : "missing", request);
    free(found);
}

START_TEST(a_request_is_what_was_configured_and_signed)
{
    char *headers[] = {(char *)(uintptr_t) "X-Number: {data.n}"};
    char *secret = must_strdup("whsec_" SECRET), *timestamp, *signature;
    struct webhook_keys keys;
    struct scene scene;
    struct trial *trial;
    struct buf expected;

    set_scene(&scene, "/echo/500");
    scene.jobs[0].http.headers = (struct text_list){.items = headers, .ct = 1};
    scene.jobs[0].http.secret = secret;
    open_scene(&scene);
    trial = run_entry(&scene, 0);
    ck_assert_ptr_nonnull(strstr(trial->detail, "\nPOST /echo/500 HTTP/1.1\n"));
    assert_header(trial->detail, "webhook-id", "u-1");
    assert_header(trial->detail, "idempotency-key", "u-1");
    assert_header(trial->detail, "content-type", "application/json");
    assert_header(trial->detail, "user-agent", "drover/" PACKAGE_VERSION);
    assert_header(trial->detail, "x-number", "12345678901234567890");
    ck_assert_ptr_nonnull(strstr(trial->detail, "\n{\"n\": 12345678901234567890}\n"));
    ck_assert_ptr_null(strcasestr(trial->detail, "accept-encoding"));
    ck_assert_ptr_null(strcasestr(trial->detail, "expect:"));

    timestamp = header_of(trial->detail, "webhook-timestamp");
    signature = header_of(trial->detail, "webhook-signature");
    ck_assert(labs(atol(timestamp) - (long)time(NULL)) < 60);
    buf_init(&expected, 0);
    ck_assert_int_eq(webhook_keys_parse(slice_text(secret), &keys, NULL), 0);
    ck_assert_int_eq(webhook_sign(&keys, "u-1", atol(timestamp),
                                  slice_text("{\"n\": 12345678901234567890}"), &expected,
                                  NULL),
                     0);
    ck_assert_str_eq(signature, expected.data);
    webhook_keys_wipe(&keys);
    buf_free(&expected);
    free(timestamp);
    free(signature);
    free(secret);
    clear(trial);
    close_scene();
}
END_TEST

START_TEST(headers_of_the_configuration_take_the_place_of_ours)
{
    char *headers[] = {(char *)(uintptr_t) "user-agent: mine",
                       (char *)(uintptr_t) "content-type: text/x"};
    struct scene scene;
    struct trial *trial;

    set_scene(&scene, "/echo/500");
    scene.jobs[0].http.headers = (struct text_list){.items = headers, .ct = 2};
    open_scene(&scene);
    trial = run_entry(&scene, 0);
    assert_header(trial->detail, "user-agent", "mine");
    assert_header(trial->detail, "content-type", "text/x");
    ck_assert_ptr_null(strstr(trial->detail, "drover/"));
    ck_assert_ptr_null(strstr(trial->detail, "application/json"));
    clear(trial);
    close_scene();
}
END_TEST

START_TEST(without_a_secret_nothing_is_signed_and_a_get_has_no_body)
{
    struct scene scene;
    struct trial *trial;

    set_scene(&scene, "/echo/500");
    scene.jobs[0].http.method = (char *)(uintptr_t) "GET";
    open_scene(&scene);
    trial = run_entry(&scene, 0);
    ck_assert_ptr_nonnull(strstr(trial->detail, "\nGET /echo/500 HTTP/1.1\n"));
    ck_assert_ptr_null(strcasestr(trial->detail, "webhook-signature"));
    ck_assert_ptr_null(strcasestr(trial->detail, "content-type"));
    ck_assert_ptr_null(strstr(trial->detail, "1234567890"));
    clear(trial);
    close_scene();
}
END_TEST

#define TRACE "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

static const struct {
    const char *payload;
    bool goes_along;
} traces[] = {
    {"{\"job\":\"t\",\"traceparent\":\"" TRACE "\"}", true},
    {"{\"job\":\"t\",\"trace\\u0070arent\":\"" TRACE "\"}", true},
    {"{\"job\":\"t\",\"traceparent\":\"00\\u002d" TRACE "\"}", false},
    {"{\"job\":\"t\",\"traceparent\":\"" TRACE "\\r\\nX: y\"}", false},
    {"{\"job\":\"t\",\"traceparent\":\"0\"}", false},
    {"{\"job\":\"t\",\"traceparent\":null}", false},
    {"{\"job\":\"t\",\"data\":{\"traceparent\":\"" TRACE "\"}}", false},
};

START_TEST(a_trace_goes_along)
{
    struct scene scene;
    struct trial *trial;

    set_scene(&scene, "/echo/500");
    scene.jobs[0].http.body = (char *)(uintptr_t) "{{}}";
    open_scene(&scene);
    trial = start_payload(&scene, 0, 0, traces[_i].payload);
    finish_trial(trial);
    if (traces[_i].goes_along)
        assert_header(trial->detail, "traceparent", TRACE);
    else
        ck_assert_ptr_null(strcasestr(trial->detail, "traceparent"));
    clear(trial);
    close_scene();
}
END_TEST

/* Nobody listens at port 1: by way of a proxy there were no answer. */
START_TEST(a_proxy_of_the_environment_is_not_asked)
{
    struct scene scene;
    struct trial *trial;

    ck_assert_int_eq(setenv("http_proxy", "http://127.0.0.1:1", 1), 0);
    ck_assert_int_eq(setenv("ALL_PROXY", "http://127.0.0.1:1", 1), 0);
    set_scene(&scene, "/echo/500");
    open_scene(&scene);
    trial = run_entry(&scene, 0);
    ck_assert_ptr_nonnull(strstr(trial->detail, "\nPOST /echo/500 HTTP/1.1\n"));
    clear(trial);
    close_scene();
}
END_TEST

START_TEST(a_body_may_be_composed)
{
    struct scene scene;
    struct trial *trial;

    set_scene(&scene, "/echo/500");
    scene.jobs[0].http.body = (char *)(uintptr_t) "{{\"job\": {job}, \"all\": {data} }}";
    scene.jobs[0].http.method = (char *)(uintptr_t) "PUT";
    open_scene(&scene);
    trial = run_entry(&scene, 0);
    ck_assert_ptr_nonnull(strstr(trial->detail, "\nPUT /echo/500 "));
    ck_assert_ptr_nonnull(strstr(
        trial->detail, "\n{\"job\": \"t\", \"all\": {\"n\": 12345678901234567890} }\n"));
    clear(trial);
    close_scene();
}
END_TEST

START_TEST(what_cannot_be_expanded_fails_unsent)
{
    static const struct {
        const char *url, *reason;
    } rows[] = {
        {"http://127.0.0.1/{data.none}",
         "url: {data.none}: the payload has no such value"},
        {"{job}", "the URL is none"},
        {"http://u:p@127.0.0.1/", "the URL holds a user or password"},
        {"ftp://127.0.0.1/", "the URL's scheme is neither http nor https"},
        {"file:///etc/passwd", "the URL"},
        {"gopher://127.0.0.1/", "the URL's scheme is neither http nor https"},
    };

    for (size_t i = 0; i < ARRAY_CT(rows); i++) {
        struct scene scene;
        struct trial *trial;

        set_scene(&scene, "/");
        scene.jobs[0].http.url = (char *)(uintptr_t)rows[i].url;
        open_scene(&scene);
        trial = run_entry(&scene, 0);
        ck_assert_int_eq(trial->outcome.kind, OUTCOME_FAIL);
        ck_assert_msg(
            strncmp(trial->outcome.reason, rows[i].reason, strlen(rows[i].reason)) == 0,
            "%s: %s", rows[i].url, trial->outcome.reason);
        clear(trial);
        close_scene();
    }
}
END_TEST

START_TEST(connections_are_kept)
{
    struct scene scene;

    set_scene(&scene, "/status/200");
    open_scene(&scene);
    for (size_t i = 0; i < 20; i++) {
        struct trial *trial = run_entry(&scene, i % 2);

        assert_outcome(trial, OUTCOME_DONE, "");
        clear(trial);
    }
    ck_assert_uint_eq(http_server_connections(&server), 1);
    close_scene();
}
END_TEST

/* ---- endpoints that are not well ---- */

START_TEST(an_endpoint_that_hangs_holds_few_slots)
{
    struct scene scene;
    struct trial *late;

    set_scene(&scene, "/hang");
    open_scene(&scene);
    for (size_t i = 0; i < ENDPOINT_WINDOW_FIRST; i++)
        ck_assert_ptr_nonnull(start_trial(&scene, i, 0)->run);
    late = start_trial(&scene, ENDPOINT_WINDOW_FIRST, 1);
    ck_assert_ptr_null(late->run);
    ck_assert_int_eq(late->outcome.kind, OUTCOME_POSTPONE);
    ck_assert_int_ge(late->outcome.wait_ms, ENDPOINT_FULL_WAIT_MIN_MS);
    ck_assert_int_le(late->outcome.wait_ms, ENDPOINT_FULL_WAIT_MIN_MS * 5 / 4);
    for (size_t i = 0; i < ENDPOINT_WINDOW_FIRST; i++) {
        http_handler.cancel(scene.trials[i].run, CANCEL_NOW);
        finish_trial(&scene.trials[i]);
        clear(&scene.trials[i]);
    }
    close_scene();
}
END_TEST

START_TEST(an_endpoint_that_fails_is_left_alone_and_others_are_not)
{
    struct scene scene;
    struct trial *trial;
    struct board *board = board_create(1, NULL);
    char *other;

    set_scene(&scene, "/reset");
    other = must_format("http://localhost:%d/status/200", server.port);
    scene.jobs[0].http.breaker_failures = 3;
    scene.jobs[1].http.url = other;
    open_scene(&scene);
    for (int i = 0; i < 3; i++) {
        trial = run_entry(&scene, 0);
        ck_assert_int_eq(trial->outcome.kind, OUTCOME_RETRY);
        clear(trial);
    }
    trial = run_entry(&scene, 0);
    ck_assert_int_eq(trial->outcome.kind, OUTCOME_POSTPONE);
    ck_assert_ptr_nonnull(strstr(trial->outcome.reason, " has failed 3 times in a row"));
    ck_assert_int_gt(trial->outcome.wait_ms, 0);
    http_tell_board(env.http, board);
    ck_assert_uint_eq(board->away_ct, 1);
    ck_assert_int_eq(board->away[0].failures, 3);
    ck_assert_ptr_nonnull(strstr(scene.url, board->away[0].name));
    ck_assert_int_eq(board->away[1].failures, 0);
    trial = run_entry(&scene, 1);
    ck_assert_int_ne(trial->outcome.kind, OUTCOME_POSTPONE);
    clear(trial);
    close_scene();
    board_destroy(board);
    free(other);
}
END_TEST

START_TEST(each_of_a_pools_webhooks_may_have_a_connection)
{
    struct rlimit limit = {.rlim_cur = 100, .rlim_max = 4000};
    struct pool_config pool = {.concurrency = 2000};
    struct scene scene;

    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    set_scene(&scene, "/");
    scene.config.pools = &pool;
    scene.config.pool_ct = 1;
    open_scene(&scene);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    ck_assert_uint_gt(limit.rlim_cur, 2000);
    ck_assert_uint_lt(limit.rlim_cur, 4000);
    close_scene();
}
END_TEST

START_TEST(without_http_jobs_nothing_is_opened)
{
    struct config config = {.job_ct = 0};
    struct http *http;

    ck_assert_int_eq(http_open(NULL, &config, &http, NULL), 0);
    ck_assert_ptr_null(http);
    http_close(http);
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_checked_fixture(tc, begin_server, end_server);
    tcase_add_loop_test(tc, an_answer_decides, 0, ARRAY_CT(answers));
    tcase_add_loop_test(tc, what_never_ends_is_ended_by_its_timeout, 0, ARRAY_CT(silent));
    tcase_add_test(tc, nobody_there_is_tried_again);
    tcase_add_loop_test(tc, a_stopped_request_is_no_verdict, 0, ARRAY_CT(stops));
    tcase_add_test(tc, a_request_is_what_was_configured_and_signed);
    tcase_add_test(tc, headers_of_the_configuration_take_the_place_of_ours);
    tcase_add_test(tc, without_a_secret_nothing_is_signed_and_a_get_has_no_body);
    tcase_add_loop_test(tc, a_trace_goes_along, 0, ARRAY_CT(traces));
    tcase_add_test(tc, a_proxy_of_the_environment_is_not_asked);
    tcase_add_test(tc, a_body_may_be_composed);
    tcase_add_test(tc, what_cannot_be_expanded_fails_unsent);
    tcase_add_test(tc, connections_are_kept);
    tcase_add_test(tc, an_endpoint_that_hangs_holds_few_slots);
    tcase_add_test(tc, an_endpoint_that_fails_is_left_alone_and_others_are_not);
    tcase_add_test(tc, each_of_a_pools_webhooks_may_have_a_connection);
    tcase_add_test(tc, without_http_jobs_nothing_is_opened);
}

int main(void)
{
    return run_suite("http", 60, add_tests);
}
