/* End to end: webhooks over TLS to an nginx, and what becomes of a request on its way
 * when its worker dies or leaves.
 */
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "tests/support/fault.h"
#include "tests/support/http_server.h"
#include "tests/support/nginx_process.h"
#include "tests/support/scene.h"
#include "tests/support/wait.h"
#include "tests/unit/suite.h"

#define POOL                                                                             \
    "stop_grace = 0.2;\n"                                                                \
    "pools: ( { name = \"main\"; queues = [ \"default\" ]; workers = 1; concurrency = "  \
    "8; tries = 1; timeout = 60; lease = 90; } );\n"
#define HERE "allow_networks = [ \"127.0.0.1\", \"::1\" ]; "

static struct scene *scene;

/* ---- TLS ---- */

static struct nginx_process nginx;

static void begin_nginx(void)
{
    nginx_process_begin(&nginx);
}

static void end_nginx(void)
{
    nginx_process_end(&nginx);
}

static char *access_log(void)
{
    char path[96], *text = NULL;
    size_t size = 0;
    FILE *file, *memory;
    int c;

    (void)snprintf(path, sizeof(path), "%s/access.log", nginx.dir);
    file = fopen(path, "re");
    memory = open_memstream(&text, &size);
    ck_assert(file != NULL && memory != NULL);
    while ((c = fgetc(file)) != EOF)
        (void)fputc(c, memory);
    (void)fclose(file);
    (void)fclose(memory);
    return text;
}

static size_t failed_ct(void)
{
    json_t *failed = scene_failed(scene);
    size_t ct = json_array_size(failed);

    json_decref(failed);
    return ct;
}

/* Of the one failed job of that name. */
static char *reason_of(const char *job)
{
    json_t *failed = scene_failed(scene), *row;
    char *reason = NULL;
    size_t i;

    json_array_foreach(
        failed, i,
        row) if (strcmp(json_string_value(json_object_get(row, "job")), job) == 0)
        reason = must_strdup(json_string_value(json_object_get(row, "reason")));
    json_decref(failed);
    ck_assert_msg(reason != NULL, "%s has not failed", job);
    return reason;
}

static void assert_reason(const char *job, const char *words)
{
    char *reason = reason_of(job);

    ck_assert_msg(strstr(reason, words) != NULL, "%s: %s", job, reason);
    free(reason);
}

START_TEST(only_servers_that_can_be_trusted_hear_of_a_job)
{
    char *settings, *log;

    nginx_process_serve(&nginx, "ssl http2", "location / { return 204; }");
    settings = must_format(
        POOL
        "jobs: (\n"
        " { name = \"good\"; type = \"http\"; url = \"https://localhost:%1$d/good\"; "
        "ca_file = \"%2$s/ca.pem\"; " HERE "},\n"
        " { name = \"stranger\"; type = \"http\"; url = "
        "\"https://localhost:%1$d/stranger\"; " HERE "},\n"
        " { name = \"misnamed\"; type = \"http\"; url = "
        "\"https://127.0.0.1:%1$d/misnamed\"; ca_file = \"%2$s/ca.pem\"; " HERE "} );\n",
        nginx.port, nginx.dir);
    scene = scene_create(SCENE_REDIS, settings);
    scene_start(scene);
    for (int i = 0; i < 3; i++)
        scene_do(scene, "push", "good");
    WAIT_FOR(scene_worker(scene, 0, 0, "done") == 3);
    scene_do(scene, "push", "stranger");
    scene_do(scene, "push", "misnamed");
    WAIT_FOR(failed_ct() == 2);
    assert_reason("stranger", "SSL certificate problem");
    assert_reason("misnamed", "SSL: no alternative certificate subject name matches");
    log = access_log();
    ck_assert_str_eq(log, "POST /good HTTP/2.0 204\nPOST /good HTTP/2.0 204\n"
                          "POST /good HTTP/2.0 204\n");
    free(log);
    nginx_process_stop(&nginx);
    scene_destroy(scene);
    free(settings);
}
END_TEST

START_TEST(a_client_certificate_is_shown_where_it_is_configured)
{
    char *settings;

    nginx_process_serve(&nginx, "ssl",
                        "ssl_verify_client on; location / { return 204; }");
    settings = must_format(
        POOL "jobs: (\n"
             " { name = \"known\"; type = \"http\"; url = \"https://localhost:%1$d/\"; "
             "ca_file = \"%2$s/ca.pem\"; cert_file = \"%2$s/client.pem\"; key_file = "
             "\"%2$s/client.key\"; " HERE "},\n"
             " { name = \"unknown\"; type = \"http\"; url = \"https://localhost:%1$d/\"; "
             "ca_file = \"%2$s/ca.pem\"; " HERE "} );\n",
        nginx.port, nginx.dir);
    scene = scene_create(SCENE_REDIS, settings);
    scene_start(scene);
    scene_do(scene, "push", "known");
    WAIT_FOR(scene_worker(scene, 0, 0, "done") == 1);
    scene_do(scene, "push", "unknown"); /* must not go out on the other's connection */
    WAIT_FOR(failed_ct() == 1);
    assert_reason("unknown", "HTTP 400 after ");
    nginx_process_stop(&nginx);
    scene_destroy(scene);
    free(settings);
}
END_TEST

/* ---- requests on their way ---- */

static struct http_server server;

static void begin_server(void)
{
    char *settings;

    http_server_begin(&server);
    settings = must_format(POOL "jobs: ( { name = \"call\"; type = \"http\"; url = "
                                "\"http://127.0.0.1:%d/{data.path}\"; " HERE "} );\n",
                           server.port);
    scene = scene_create(SCENE_REDIS, settings);
    free(settings);
}

static void end_server(void)
{
    http_server_end(&server);
    scene_destroy(scene);
}

/* The first `max` lines of the server's log: their number. */
static size_t read_requests(char (*lines)[128], size_t max)
{
    FILE *file = fopen(server.log, "re");
    size_t ct = 0;

    ck_assert_ptr_nonnull(file);
    while (ct < max && fgets(lines[ct], sizeof(lines[ct]), file) != NULL)
        ct++;
    (void)fclose(file);
    return ct;
}

START_TEST(a_killed_workers_request_is_sent_again_under_the_same_id)
{
    char lines[3][128];

    scene_start(scene);
    scene_do(scene, "push", "call", "{\"path\":\"hang\"}");
    WAIT_FOR(read_requests(lines, 3) == 1);
    ck_assert_int_eq(kill((pid_t)scene_worker(scene, 0, 0, "pid"), SIGKILL), 0);
    WAIT_FOR(read_requests(lines, 3) == 2);
    ck_assert_int_eq(strncmp(lines[0], "/hang ", 6), 0);
    ck_assert_uint_eq(strlen(lines[0]), strlen("/hang \n") + 36);
    ck_assert_str_eq(lines[0], lines[1]);
    scene_stop(scene);
}
END_TEST

START_TEST(a_request_that_outlasts_the_stop_is_given_back_uncounted)
{
    char lines[2][128];
    const char *payload;

    scene_start(scene);
    scene_do(scene, "push", "call", "{\"path\":\"hang\"}");
    WAIT_FOR(read_requests(lines, 2) == 1);
    scene_stop(scene);
    ck_assert_int_eq(scene_redis_int(scene, "LLEN", "queues:default"), 1);
    ck_assert_int_eq(scene_redis_int(scene, "ZCARD", "queues:default:reserved"), 0);
    payload = scene_redis(scene, "LINDEX", "queues:default", "0", NULL);
    ck_assert_ptr_nonnull(strstr(payload, "\"attempts\":0"));
    ck_assert(scene_log_has(scene, "event=job.returned"));
}
END_TEST

START_TEST(retry_after_puts_the_job_aside_that_long)
{
    char *settings = must_format(
        "pools: ( { name = \"main\"; queues = [ \"default\" ]; workers = 1; tries = 2; "
        "backoff = [ 0 ]; } );\n"
        "jobs: ( { name = \"call\"; type = \"http\"; url = "
        "\"http://127.0.0.1:%d/after/503/3600\"; " HERE "} );\n",
        server.port);

    scene_configure(scene, settings);
    free(settings);
    scene_start(scene);
    scene_do(scene, "push", "call");
    WAIT_FOR(scene_redis_int(scene, "ZCARD", "queues:default:delayed") == 1);
    ck_assert(scene_log_has(scene, "retry_in_ms=3600000"));
}
END_TEST

START_TEST(a_name_that_turns_inside_fails_its_job_and_the_record_tells_where)
{
    struct fault *fault = fault_open(scene->dir);
    json_t *failed, *row;
    char lines[8][128];
    char *settings = must_format(
        POOL "jobs: ( { name = \"call\"; type = \"http\"; url = "
             "\"http://{data.n}.turning.example:%d/status/200\"; allow_networks = [ "
             "\"127.0.0.1\" ]; } );\n",
        server.port);
    size_t i;

    scene_configure(scene, settings);
    free(settings);
    fault->turn_names = 1;
    scene_start(scene);
    fault_hide();
    for (int n = 0; n < 6; n++) {
        char data[16];

        (void)snprintf(data, sizeof(data), "{\"n\":%d}", n); /* a lookup for each */
        scene_do(scene, "push", "call", data);
    }
    WAIT_FOR(failed_ct() == 3 && scene_worker(scene, 0, 0, "done") == 3);
    failed = scene_failed(scene);
    json_array_foreach(failed, i, row) ck_assert_ptr_nonnull(
        strstr(json_string_value(json_object_get(row, "reason")),
               "address 127.0.0.2 is refused: loopback (127.0.0.0/8)"));
    json_decref(failed);
    ck_assert_uint_eq(read_requests(lines, 8), 3);
    fault_close(fault);
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_test(tc, a_killed_workers_request_is_sent_again_under_the_same_id);
    tcase_add_test(tc, a_request_that_outlasts_the_stop_is_given_back_uncounted);
    tcase_add_test(tc, retry_after_puts_the_job_aside_that_long);
    tcase_add_test(tc, a_name_that_turns_inside_fails_its_job_and_the_record_tells_where);
    tcase_add_checked_fixture(tc, begin_server, end_server);
}

static void add_tls_tests(TCase *tc)
{
    tcase_add_checked_fixture(tc, begin_nginx, end_nginx);
    tcase_add_test(tc, only_servers_that_can_be_trusted_hear_of_a_job);
    tcase_add_test(tc, a_client_certificate_is_shown_where_it_is_configured);
}

int main(void)
{
    int failed = run_suite("webhooks", 120, add_tests);

    return run_suite("webhooks over TLS", 120, add_tls_tests) || failed;
}
