/* Laravel's own jobs, run by drover in PHP that lives longer than one of them: what
 * becomes of each is what Laravel's own worker does with the same job, and what PHP does
 * not survive costs neither the job nor its cause.
 */
#include <check.h>
#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "tests/support/php_stage.h"
#include "tests/support/wait.h"
#include "tests/unit/suite.h"

#define POOL                                                                             \
    "log: { level = \"debug\"; };\n"                                                     \
    "pools: ( { name = \"main\"; queues = [ \"default\" ]; workers = 1; concurrency = "  \
    "2;\n"                                                                               \
    "           tries = 3; backoff = [ 5 ]; } );\n"
#define RUNNER(more)                                                                     \
    "jobs: ( { name = \"Drover\\\\Tests\\\\*\"; type = \"laravel\"; app = \"@DIR@\";\n"  \
    "          bootstrap = \"" TOP_SRCDIR "/tests/php/runner.php\";\n"                   \
    "          bridge = \"" TOP_SRCDIR "/contrib/laravel/bridge.php\";\n"                \
    "          env = [ \"TEST_DIR=@DIR@\" ]; kill_grace = 1; " more " } );\n"

static struct php_stage stage;

static void set_stage(void)
{
    php_stage_open(&stage, "", POOL RUNNER(""));
}

static void clear_stage(void)
{
    php_stage_close(&stage);
}

static void push(const char *deed)
{
    char *order =
        must_format("{\"op\":\"push\",\"queue\":\"default\",\"deed\":{%s}}\n", deed);

    php_stage_produce(&stage, order);
    free(order);
}

static size_t logged(const char *text)
{
    return php_stage_count(&stage, "log", text);
}

static size_t noted(const char *text)
{
    return php_stage_count(&stage, "ledger", text);
}

static long long delayed_ct(void)
{
    return php_stage_int(&stage, "ZCARD queues:default:delayed");
}

static bool is_all_done(void)
{
    return php_stage_int(&stage, "EXISTS queues:default queues:default:delayed "
                                 "queues:default:reserved") == 0;
}

/* Makes the job that was released due at once. */
static void hasten(void)
{
    char *bytes;

    WAIT_FOR(delayed_ct() == 1);
    bytes = php_stage_only(&stage, "queues:default:delayed");
    (void)php_stage_int(&stage, "ZADD queues:default:delayed XX 1 %s", bytes);
    (void)php_stage_int(&stage, "RPUSH queues:default:notify 1");
    free(bytes);
}

/* Field of the only failed job, to be freed. */
static char *failed_field(const char *field)
{
    json_t *failed;
    char *text;

    WAIT_FOR(json_array_size(failed = scene_failed(stage.scene)) == 1 ||
             (json_decref(failed), false));
    text =
        must_strdup(json_string_value(json_object_get(json_array_get(failed, 0), field)));
    json_decref(failed);
    return text;
}

static void assert_reason(const char *reason)
{
    char *found = failed_field("reason");

    ck_assert_msg(strncmp(found, reason, strlen(reason)) == 0, "%s", found);
    free(found);
}

/* The exception's text of the only failed job holds these words. */
static void assert_exception(const char *words)
{
    char *uuid = failed_field("uuid");

    scene_do(stage.scene, "failed", "show", uuid);
    ck_assert_msg(strstr(stage.scene->out, words) != NULL, "no %s in %s", words,
                  stage.scene->out);
    free(uuid);
}

/* ---- the same job by drover and by Laravel ---- */

/* What a job leaves behind. */
struct traces {
    char *events;   /* name and attempt, one a line */
    double delay_s; /* from its start; -1: it was not released */
    char *attempts; /* in the payload that was released; NULL: it was not */
};

static char *take_events(double *start_s)
{
    char *ledger = scene_read(stage.scene, "ledger"), *save = NULL;
    char event[64];
    int attempt;
    int64_t ms;
    struct buf text;

    buf_init(&text, 0);
    *start_s = 0;
    for (char *line = strtok_r(ledger, "\n", &save); line;
         line = strtok_r(NULL, "\n", &save)) {
        ck_assert_int_eq(sscanf(line, "%63s %*s %d %*s %" SCNd64, event, &attempt, &ms),
                         3);
        if (strcmp(event, "failed") == 0 || strcmp(event, "stopping") == 0)
            continue; /* the consumer's own note of the same; a process's end */
        (void)buf_addf(&text, "%s %d\n", event, attempt);
        if (*start_s == 0)
            *start_s = (double)ms / 1000;
    }
    free(ledger);
    return buf_take(&text);
}

static char *attempts_of(const char *payload)
{
    const char *at = strstr(payload, "\"attempts\":");

    ck_assert_ptr_nonnull(at);
    at += strlen("\"attempts\":");
    return must_strndup(at, strspn(at, "0123456789"));
}

static void take_traces(struct traces *traces)
{
    double start_s;
    redisReply *reply;

    traces->events = take_events(&start_s);
    traces->delay_s = -1;
    traces->attempts = NULL;
    reply = php_stage_ask(&stage, "ZRANGE queues:default:delayed 0 -1 WITHSCORES");
    ck_assert_uint_le(reply->elements, 2);
    if (reply->elements == 2) {
        traces->attempts = attempts_of(reply->element[0]->str);
        traces->delay_s = strtod(reply->element[1]->str, NULL) - start_s;
    }
    freeReplyObject(reply);
    ck_assert_int_eq(
        php_stage_int(&stage, "EXISTS queues:default queues:default:reserved"), 0);
}

static void forget_all(void)
{
    char path[128];

    freeReplyObject(php_stage_ask(&stage, "FLUSHALL"));
    (void)snprintf(path, sizeof(path), "%s/ledger", stage.scene->dir);
    (void)unlink(path);
}

static const struct scene_of_a_job {
    const char *deed;
    unsigned attempts; /* that it has behind it */
    bool fails;
} scenes[] = {
    {"\"does\":\"ok\"", 0, false},
    {"\"does\":\"throw\"", 0, false},
    {"\"does\":\"throw\"", 2, true},
    {"\"does\":\"release\"", 0, false},
    {"\"does\":\"release\"", 2,
     false}, /* there is no try left, but that is not its fault */
    {"\"does\":\"fail\"", 0, true},
    {"\"does\":\"delete\"", 0, false},
    {"\"does\":\"ok\"", 3, true}, /* attempted too many times: not run */
    {"\"does\":\"throw\",\"tries\":9,\"maxExceptions\":1", 0, true},
    {"\"does\":\"throw\",\"tries\":5,\"backoff\":[1,9]", 1, false},
    {"\"does\":\"throw\",\"retryUntil\":1000000000", 0, true},
    {"\"does\":\"throw\",\"tries\":1,\"retryUntil\":4102444800", 5, false},
};

static void push_scene(const struct scene_of_a_job *scene)
{
    push(scene->deed);
    (void)php_stage_int(&stage, "EVAL %s 1 queues:default %u",
                        "local p = redis.call('LPOP', KEYS[1]):gsub('\"attempts\":0', "
                        "'\"attempts\":' .. ARGV[1]); "
                        "return redis.call('RPUSH', KEYS[1], p)",
                        scene->attempts);
}

START_TEST(a_job_ends_as_it_does_in_laravels_own_worker)
{
    const struct scene_of_a_job *scene = &scenes[_i];
    struct traces drovers, laravels;
    struct php_process php;

    push_scene(scene);
    scene_start(stage.scene);
    WAIT_FOR(logged("event=job.done ") + logged("event=job.released ") +
                 logged("event=job.failed ") ==
             1);
    WAIT_FOR(php_stage_int(&stage, "ZCARD queues:default:reserved") == 0);
    ck_assert_uint_eq(logged("event=job.failed "), scene->fails);
    scene_stop(stage.scene);
    take_traces(&drovers);
    forget_all();

    push_scene(scene);
    php_stage_start_consumer(&stage, &php, "php0", "--queues=default", "--tries=3",
                             "--backoff=5", "--deeds=1", "--max-jobs=1", NULL);
    php_finish(&php);
    take_traces(&laravels);

    ck_assert_str_eq(drovers.events, laravels.events);
    ck_assert_pstr_eq(drovers.attempts, laravels.attempts);
    ck_assert_msg(fabs(drovers.delay_s - laravels.delay_s) < 2, "%g s, Laravel %g s",
                  drovers.delay_s, laravels.delay_s);
    free(drovers.events);
    free(drovers.attempts);
    free(laravels.events);
    free(laravels.attempts);
}
END_TEST

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

/* However it ends: another may be pushed then, and only then. */
START_TEST(the_lock_of_a_unique_job_ends_with_it)
{
    static const char *const ends[] = {"ok", "fail", "segv", "freeze"};
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
           scene_private_kib((pid_t)scene_worker(stage.scene, 0, 0, "pid")),
           scene_private_kib((pid_t)strtol(at + 5, NULL, 10)));
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

/* ---- what PHP does not survive ---- */

static const struct {
    const char *does, *reason;
} deaths[] = {
    {"exit", "the job ended its process: exit() was called"},
    {"exhaust", "PHP Fatal error: Allowed memory size of 33554432 bytes exhausted"},
    {"segv", "runner killed by SIGSEGV: about to fall"},
};

START_TEST(a_job_that_ends_its_process_is_tried_again_and_then_fails_with_the_cause)
{
    char deed[64];

    (void)snprintf(deed, sizeof(deed), "\"does\":\"%s\"", deaths[_i].does);
    push(deed);
    scene_start(stage.scene);
    hasten();
    WAIT_FOR(logged("event=job.released ") == 2);
    hasten();
    assert_reason(deaths[_i].reason);
    ck_assert_uint_eq(noted("start-"), 3);
    ck_assert_uint_eq(noted("hook Drover\\Laravel\\RunnerDied"), 1);
    push("\"does\":\"ok\"");
    WAIT_FOR(logged("event=job.done ") == 1);
}
END_TEST

START_TEST(a_killed_process_gives_its_job_back_at_once)
{
    char *ledger, *at;

    scene_configure(stage.scene, "pools: ( { name = \"main\"; queues = [ \"default\" ]; "
                                 "workers = 1; } );\n" RUNNER(""));
    push("\"does\":\"hang\"");
    scene_start(stage.scene);
    WAIT_FOR(noted("start-hang") == 1);
    ledger = scene_read(stage.scene, "ledger");
    at = strstr(ledger, "runner/");
    ck_assert_ptr_nonnull(at);
    ck_assert_int_eq(kill((pid_t)strtol(at + strlen("runner/"), NULL, 10), SIGKILL), 0);
    free(ledger);
    WAIT_FOR(noted("start-hang") == 2);
    ck_assert_uint_eq(logged("reason=\"runner killed by SIGKILL\""), 2);
}
END_TEST

/* Nor does an attempt go with it: it runs again though its tries are 1. */
START_TEST(a_killed_worker_takes_its_php_along_and_the_job_runs_again)
{
    char *ledger, *at;
    pid_t php;

    push("\"does\":\"hang\",\"tries\":1");
    scene_start(stage.scene);
    WAIT_FOR(noted("start-hang") == 1);
    ledger = scene_read(stage.scene, "ledger");
    at = strstr(ledger, "runner/");
    ck_assert_ptr_nonnull(at);
    php = (pid_t)strtol(at + strlen("runner/"), NULL, 10);
    free(ledger);
    ck_assert_int_eq(kill((pid_t)scene_worker(stage.scene, 0, 0, "pid"), SIGKILL), 0);
    WAIT_FOR(noted("start-hang") == 2);
    ck_assert_int_eq(kill(php, 0), -1);
    ck_assert_uint_eq(noted("hook "), 0);
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
START_TEST(a_job_beyond_its_time_is_killed_and_fails_if_it_must)
{
    static const char *const ways[] = {"hang", "freeze"};
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
    static const char *const ways[] = {"hang", "freeze"};
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

static void set_broken(bool broken)
{
    char path[128];
    FILE *file;

    (void)snprintf(path, sizeof(path), "%s/break", stage.scene->dir);
    if (!broken) {
        ck_assert_int_eq(unlink(path), 0);
        return;
    }
    file = fopen(path, "we");
    ck_assert(file != NULL && fclose(file) == 0);
}

START_TEST(while_the_application_does_not_boot_its_jobs_wait)
{
    set_broken(true);
    push("\"does\":\"ok\",\"tries\":1");
    scene_start(stage.scene);
    WAIT_FOR(logged("event=job.postponed ") >= 2);
    ck_assert_uint_ge(logged("event=runner.boot_failed "), 1);
    ck_assert_uint_ge(logged("LogicException: the application is broken in "), 1);
    set_broken(false);
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
    tcase_add_loop_test(tc, a_job_ends_as_it_does_in_laravels_own_worker, 0,
                        sizeof(scenes) / sizeof(scenes[0]));
    tcase_add_test(tc, a_failed_jobs_record_has_laravels_exception);
    tcase_add_test(tc, a_chain_goes_on_after_each_job_that_went_well);
    tcase_add_loop_test(tc, the_lock_of_a_unique_job_ends_with_it, 0, 4);
    tcase_add_test(tc, middleware_releases_what_must_not_run_beside_another);
    tcase_add_test(tc, one_process_runs_many_jobs);
    tcase_add_loop_test(
        tc, a_job_that_ends_its_process_is_tried_again_and_then_fails_with_the_cause, 0,
        sizeof(deaths) / sizeof(deaths[0]));
    tcase_add_test(tc, a_killed_process_gives_its_job_back_at_once);
    tcase_add_test(tc, a_killed_worker_takes_its_php_along_and_the_job_runs_again);
    tcase_add_test(tc, a_stop_waits_for_the_job_and_then_for_php);
    tcase_add_loop_test(tc, a_job_beyond_its_time_is_killed_and_fails_if_it_must, 0, 2);
    tcase_add_loop_test(tc, a_job_that_is_to_fail_on_timeout_does, 0, 2);
    tcase_add_test(tc, while_the_application_does_not_boot_its_jobs_wait);
    tcase_add_test(tc, a_process_that_has_grown_is_replaced);
}

int main(void)
{
    return run_suite("laravel", 300, add);
}
