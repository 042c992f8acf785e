/* Single classes of a Laravel application taken over by entries of other types, while the
 * rest goes to PHP: what such an entry gets of a job that Laravel's own producer pushed,
 * which entry counts, and what PHP then does not do.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/must.h"
#include "tests/support/http_server.h"
#include "tests/support/php_fixture.h"
#include "tests/support/postgres_fixture.h"
#include "tests/support/wait.h"
#include "tests/unit/suite.h"

#define POOL                                                                             \
    "pools: ( { name = \"main\"; queues = [ \"default\" ]; workers = 1; concurrency = "  \
    "4; tries = 1; } );\n"
#define REST                                                                             \
    "{ name = \"*\"; type = \"laravel\"; app = \"@DIR@\"; bootstrap = \"" TOP_SRCDIR     \
    "/tests/php/runner.php\"; bridge = \"" TOP_SRCDIR                                    \
    "/contrib/laravel/bridge.php\"; env = [ \"TEST_DIR=@DIR@\" ]; }"
/* A name, and what becomes a line of the file "ran". */
#define NOTED                                                                            \
    "{ name = \"%s\"; type = \"shell\"; command = [ \"sh\", \"-c\", \"echo $1 >>ran\", " \
    "\"sh\", \"%s\" ]; cwd = \"@DIR@\"; }"
#define INVOICE "App\\\\Jobs\\\\SyncInvoice" /* in a configuration and in JSON alike */

static struct http_server web;

static void begin_servers(void)
{
    http_server_begin(&web);
    postgres_process_make(&server);
}

static void end_servers(void)
{
    postgres_process_end(&server);
    http_server_end(&web);
}

static void open_stage(const char *more)
{
    char *settings = must_format(POOL "%s", more);

    php_stage_open(&stage, "", settings);
    free(settings);
}

/* Those entries behind the one for the rest. */
static void open_noted(const char *const (*entries)[2], size_t ct)
{
    struct buf jobs;

    buf_init(&jobs, 0);
    (void)buf_add_text(&jobs, "jobs: ( " REST);
    for (size_t i = 0; i < ct; i++)
        (void)buf_addf(&jobs, ", " NOTED, entries[i][0], entries[i][1]);
    (void)buf_add_text(&jobs, " );\n");
    open_stage(jobs.data);
    buf_free(&jobs);
}

static size_t ran(const char *text)
{
    return php_stage_count(&stage, "ran", text);
}

/* ---- webhooks ---- */

/* An entry whose endpoint says what it got, and that it wants no more of it. */
static void open_webhook(const char *more)
{
    char *jobs = must_format("jobs: ( { name = \"" INVOICE "\"; type = \"http\"; url = "
                             "\"http://127.0.0.1:%d/echo/410\"; allow_networks = [ "
                             "\"127.0.0.1\" ]; %s }, " REST " );\n",
                             web.port, more);

    open_stage(jobs);
    free(jobs);
}

/* What the endpoint got, with its headers; borrowed. */
static const char *echoed(void)
{
    json_t *failed;

    scene_start(stage.scene);
    WAIT_FOR(logged("event=job.failed ") == 1);
    failed = scene_failed(stage.scene);
    ck_assert_uint_eq(json_array_size(failed), 1);
    scene_do(stage.scene, "failed", "show",
             json_string_value(json_object_get(json_array_get(failed, 0), "uuid")));
    json_decref(failed);
    return strstr(stage.scene->out, "\nbody:\n");
}

#define assert_got(words)                                                                \
    ck_assert_msg(got &&strstr(got, words), "no %s in %s", words, stage.scene->out)

START_TEST(of_an_object_a_webhook_gets_what_laravel_serialised)
{
    const char *got;

    open_webhook("headers = [ \"X-Job: {displayName}\", \"X-Class: {data.commandName}\", "
                 "\"X-Try: {attempts}\" ];");
    php_stage_produce(&stage, "{\"op\":\"push\",\"queue\":\"default\",\"parcel\":{"
                              "\"name\":\"" INVOICE "\",\"data\":{\"id\":17}}}\n");
    got = echoed();
    assert_got("X-Job: App\\Jobs\\SyncInvoice\n");
    assert_got("X-Class: Drover\\Tests\\Parcel\n");
    assert_got("X-Try: 0\n");
    assert_got("{\"commandName\":\"Drover\\\\Tests\\\\Parcel\",\"command\":\"O:19:");
}
END_TEST

START_TEST(of_a_string_job_a_webhook_gets_its_data)
{
    const char *got;

    open_webhook("headers = [ \"X-Invoice: {data.id}\" ];");
    php_stage_produce(&stage, "{\"op\":\"push\",\"queue\":\"default\",\"job\":\"" INVOICE
                              "@handle\",\"data\":{\"id\":17,\"total\":\"12.50\"}}\n");
    got = echoed();
    assert_got("X-Invoice: 17\n");
    assert_got("\n{\"id\":17,\"total\":\"12.50\"}");
}
END_TEST

/* Queue::createPayloadUsing() lets an object speak for itself. */
START_TEST(what_the_applications_hook_adds_can_be_sent)
{
    const char *got;

    open_webhook("headers = [ \"X-Tries: {plain.tries}\" ]; body = \"{plain}\";");
    php_stage_produce(&stage, "{\"op\":\"push\",\"queue\":\"default\",\"parcel\":{"
                              "\"name\":\"" INVOICE "\",\"tries\":5,\"backoff\":[1,2]},"
                              "\"plain\":[\"tries\",\"backoff\"]}\n");
    got = echoed();
    assert_got("X-Tries: 5\n");
    assert_got("\n{\"tries\":5,\"backoff\":[1,2]}");
}
END_TEST

/* ---- commands and statements ---- */

START_TEST(a_command_and_a_statement_get_the_data_of_string_jobs)
{
    char *more;

    postgres_process_start(&server);
    (void)postgres_process_do(&server, "CREATE TABLE invoices (id int, total numeric)");
    more = must_format(
        "databases: ( { name = \"main\"; dsn = \"%s\"; } );\n"
        "jobs: ( { name = \"App\\\\Jobs\\\\Book\"; type = \"sql\"; database = \"main\"; "
        "statement = \"INSERT INTO invoices VALUES ($1, $2)\"; params = [ \"data.id\", "
        "\"data.total\" ]; }, " NOTED ", " REST " );\n",
        server.dsn, INVOICE, "invoice {data.id}");
    open_stage(more);
    free(more);
    php_stage_produce(&stage, "{\"op\":\"push\",\"queue\":\"default\",\"job\":\"App\\\\"
                              "Jobs\\\\Book@handle\",\"data\":{\"id\":17,\"total\":"
                              "\"12.50\"}}\n"
                              "{\"op\":\"push\",\"queue\":\"default\",\"job\":\"" INVOICE
                              "\",\"data\":{\"id\":18}}\n");
    scene_start(stage.scene);
    WAIT_FOR(is_all_done() && logged("event=job.done ") == 2);
    ck_assert_uint_eq(ran("invoice 18"), 1);
    ck_assert_str_eq(postgres_process_do(&server, "SELECT id || ' ' || total FROM "
                                                  "invoices"),
                     "17 12.50");
    scene_stop(stage.scene);
    postgres_process_stop(&server, POSTGRES_IMMEDIATE);
}
END_TEST

/* ---- which entry counts ---- */

static void push_parcel(const char *name)
{
    char *order = must_format("{\"op\":\"push\",\"queue\":\"default\",\"parcel\":{"
                              "\"name\":\"%s\"}}\n",
                              name);

    php_stage_produce(&stage, order);
    free(order);
}

START_TEST(an_exact_name_counts_before_globs_and_php_gets_the_rest)
{
    static const char *const entries[][2] = {
        {"App\\\\Jobs\\\\*", "glob {displayName}"},
        {"App\\\\Jobs\\\\Sync*Invoice*", "longer than the name"},
        {"App\\\\Jobs\\\\Sync*", "longer {displayName}"},
        {INVOICE, "exact {displayName}"},
    };

    open_noted(entries, ARRAY_CT(entries));
    push_parcel(INVOICE);
    push_parcel("App\\\\Jobs\\\\SyncAll");
    push_parcel("App\\\\Jobs\\\\Mail");
    push_parcel("App\\\\Events\\\\Sold");
    scene_start(stage.scene);
    WAIT_FOR(is_all_done() && logged("event=job.done ") == 4);
    ck_assert_uint_eq(ran("exact App\\Jobs\\SyncInvoice"), 1);
    ck_assert_uint_eq(ran("longer App\\Jobs\\SyncAll"), 1);
    ck_assert_uint_eq(ran("glob App\\Jobs\\Mail"), 1);
    ck_assert_uint_eq(ran(""), 3);
    ck_assert_uint_eq(noted("start "), 1);
}
END_TEST

/* ---- what PHP then does not do ---- */

static void push_deed(const char *deed)
{
    char *order =
        must_format("{\"op\":\"push\",\"queue\":\"default\",\"deed\":{%s}}\n", deed);

    php_stage_produce(&stage, order);
    free(order);
}

START_TEST(the_lock_of_a_unique_class_that_was_taken_over_stays)
{
    static const char *const entries[][2] = {{"Drover\\\\Tests\\\\UniqueDeed", "unique"}};

    open_noted(entries, ARRAY_CT(entries));
    push_deed("\"does\":\"ok\",\"unique\":true");
    scene_start(stage.scene);
    WAIT_FOR(is_all_done() && ran("unique") == 1);
    scene_stop(stage.scene);
    push_deed("\"does\":\"ok\",\"unique\":true"); /* which Laravel does not push */
    ck_assert(is_all_done());
}
END_TEST

START_TEST(a_chain_ends_with_a_class_that_was_taken_over)
{
    static const char *const entries[][2] = {{"Drover\\\\Tests\\\\Deed", "deed"}};

    open_noted(entries, ARRAY_CT(entries));
    push_deed("\"does\":\"ok\",\"chain\":[\"ok\",\"ok\"]");
    scene_start(stage.scene);
    WAIT_FOR(is_all_done() && ran("deed") == 1);
    scene_stop(stage.scene);
    ck_assert_uint_eq(ran("deed"), 1);
    ck_assert_uint_eq(noted(""), 0);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_unchecked_fixture(tc, begin_servers, end_servers);
    tcase_add_checked_fixture(tc, NULL, clear_stage);
    tcase_add_test(tc, of_an_object_a_webhook_gets_what_laravel_serialised);
    tcase_add_test(tc, of_a_string_job_a_webhook_gets_its_data);
    tcase_add_test(tc, what_the_applications_hook_adds_can_be_sent);
    tcase_add_test(tc, a_command_and_a_statement_get_the_data_of_string_jobs);
    tcase_add_test(tc, an_exact_name_counts_before_globs_and_php_gets_the_rest);
    tcase_add_test(tc, the_lock_of_a_unique_class_that_was_taken_over_stays);
    tcase_add_test(tc, a_chain_ends_with_a_class_that_was_taken_over);
}

int main(void)
{
    return run_suite("routing", 300, add);
}
