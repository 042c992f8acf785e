/* The rules that Laravel and drover share, each shown by Laravel's own code on the other
 * side: due times, leases, tokens, and what a payload says about its retries.
 */
#include <check.h>
#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "tests/support/php_fixture.h"
#include "tests/support/wait.h"
#include "tests/unit/suite.h"

#define LEASE "3"

static const char settings[] =
    "log: { level = \"debug\"; };\n"
    "pools: ( { name = \"main\"; queues = [ \"default\" ]; workers = 1; concurrency = "
    "4;\n"
    "           tries = 3; backoff = [ 20 ]; lease = " LEASE "; } );\n"
    "jobs: ( { name = \"task\"; type = \"noop\"; },\n"
    "        { name = \"errand\"; type = \"shell\"; command = [ \"/bin/true\" ]; },\n"
    "        { name = \"stuck\"; type = \"shell\"; command = [ \"sleep\", \"100\" ]; },\n"
    "        { name = \"parcel.bad\"; type = \"shell\"; command = [ \"/bin/false\" ]; } "
    ");\n";

static struct php_process php, other;

static void set_stage(void)
{
    php_stage_open(&stage, "", settings);
}

/* `waiting` is how it does that: "--block-for=S" or "--sleep=S". */
static void start_consumer(struct php_process *process, const char *name,
                           const char *waiting)
{
    php_stage_start_consumer(&stage, process, name, "--queues=default",
                             "--retry-after=" LEASE, "--tries=3", "--backoff=20", waiting,
                             NULL);
}

static long long size_of(const char *suffix)
{
    return php_stage_int(&stage, "EVAL %s 1 queues:default%s",
                         "return redis.call('TYPE', KEYS[1]).ok == 'zset' and "
                         "redis.call('ZCARD', KEYS[1]) or redis.call('LLEN', KEYS[1])",
                         suffix);
}

/* The score of the only member. */
static double score_of(const char *suffix)
{
    redisReply *reply =
        php_stage_ask(&stage, "ZRANGE queues:default%s 0 -1 WITHSCORES", suffix);
    double score;

    ck_assert_uint_eq(reply->elements, 2);
    score = strtod(reply->element[1]->str, NULL);
    freeReplyObject(reply);
    return score;
}

/* Unix time in ms of the last line of a file that holds `text`; 0: there is none. */
static int64_t ledger_ms(const char *text)
{
    char *ledger = scene_read(stage.scene, "ledger");
    const char *at = ledger, *last = NULL;
    int64_t ms = 0;

    while ((at = strstr(at, text)) != NULL)
        last = at++;
    if (last)
        ck_assert_int_eq(sscanf(last, "%*s %*s %*u %*s %" SCNd64, &ms), 1);
    free(ledger);
    return ms;
}

/* The last line of drover's log about an event, to be freed; NULL: none. */
static char *last_of_log(const char *event)
{
    char *log = scene_read(stage.scene, "log"), *needle, *line = NULL;
    const char *at = log, *last = NULL;

    needle = must_format(" event=%s ", event);
    while ((at = strstr(at, needle)) != NULL)
        last = at++;
    if (last) {
        while (last > log && last[-1] != '\n')
            last--;
        line = must_strndup(last, strcspn(last, "\n"));
    }
    free(needle);
    free(log);
    return line;
}

static long long number_in(const char *line, const char *name)
{
    const char *at = line ? strstr(line, name) : NULL;

    ck_assert_msg(at != NULL, "no %s in %s", name, line ? line : "nothing");
    return strtoll(at + strlen(name), NULL, 10);
}

/* When the log says that it was, in unix seconds. */
static double when(const char *line)
{
    struct tm parts = {0};
    const char *rest = strptime(line, "ts=%Y-%m-%dT%H:%M:%S", &parts);

    ck_assert_msg(rest != NULL, "no time in %s", line);
    return (double)timegm(&parts) + strtod(rest, NULL);
}

/* ---- due times ---- */

START_TEST(what_php_delayed_drover_runs_when_due)
{
    double due;
    char *line;

    php_stage_produce(&stage, "{\"op\":\"later\",\"delay\":3,\"queue\":\"default\","
                              "\"job\":\"task\"}\n");
    due = score_of(":delayed");
    scene_start(stage.scene);
    WAIT_FOR(is_all_done());
    WAIT_FOR((line = last_of_log("job.done")) != NULL);
    free(line);
    line = last_of_log("job.start");
    ck_assert_double_ge(when(line), due);
    printf("a delayed job of PHP: drover ran it %.0f ms after it was due\n",
           (when(line) - due) * 1000);
    free(line);
}
END_TEST

START_TEST(what_drover_delayed_php_runs_when_due)
{
    double due;

    scene_do(stage.scene, "push", "task", "{\"k\":1}", "--delay", "2.5");
    due = score_of(":delayed");
    start_consumer(&php, "php0", "--sleep=0.05");
    WAIT_FOR(ledger_ms("start ") > 0);
    ck_assert_double_ge((double)ledger_ms("start ") / 1000, due);
    printf("a delayed job of drover: PHP ran it %.0f ms after it was due\n",
           (double)ledger_ms("start ") - due * 1000);
    WAIT_FOR(is_all_done());
    php_stop(&php);
}
END_TEST

/* ---- what a payload says about its retries ---- */

/* What Laravel's class says, and what then happens to a job that always throws. All
 * delays are too long to be over before they are looked at. */
static const struct retries {
    const char *says;
    double delays_s[5]; /* of its releases */
    unsigned release_ct;
    unsigned fails_at; /* attempt after which it fails; 0: it would go on */
    bool fails_unrun;
} retries[] = {
    {"\"data\":{\"fail\":\"x\"}", {20, 20}, 2, 3, false}, /* the worker's own settings */
    {"\"tries\":4,\"backoff\":[10,50,100],\"data\":{\"fail\":\"x\"}",
     {10, 50, 100},
     3,
     4,
     false},
    {"\"tries\":5,\"backoff\":[10,50],\"data\":{\"fail\":\"x\"}",
     {10, 50, 50, 50},
     4,
     5,
     false},
    {"\"tries\":2,\"backoff\":70,\"data\":{\"fail\":\"x\"}", {70}, 1, 2, false},
    {"\"tries\":0,\"data\":{\"fail\":\"x\"}", {20, 20, 20, 20}, 4, 0, false},
    {"\"tries\":1,\"retryUntil\":4102444800,\"backoff\":[40],\"data\":{\"fail\":\"x\"}",
     {40, 40, 40},
     3,
     0,
     false},
    {"\"tries\":5,\"retryUntil\":1000000000,\"data\":{\"fail\":\"x\"}", {0}, 0, 0, true},
    {"\"tries\":1,\"data\":{\"fail\":\"x\"}", {0}, 0, 1, false},
};

static void push_parcel(const char *says)
{
    char *order =
        must_format("{\"op\":\"push\",\"queue\":\"default\",\"parcel\":{\"name\":"
                    "\"parcel.bad\",%s}}\n",
                    says);

    php_stage_produce(&stage, order);
    free(order);
}

static bool is_released(void)
{
    return php_stage_int(&stage, "ZCOUNT queues:default:delayed 2 inf") == 1;
}

/* Follows the job from release to release without waiting for their delays; `check` is
 * told the delay that there should be. */
static void follow(const struct retries *r, void (*check)(double delay_s))
{
    push_parcel(r->says);
    for (unsigned i = 0; i < r->release_ct; i++) {
        char *bytes;

        WAIT_FOR(is_released());
        check(r->delays_s[i]);
        bytes = php_stage_only(&stage, "queues:default:delayed");
        if (i + 1 == r->release_ct && r->fails_at == 0)
            (void)php_stage_int(&stage, "ZREM queues:default:delayed %s", bytes);
        else
            (void)php_stage_int(&stage, "ZADD queues:default:delayed XX 1 %s", bytes);
        (void)php_stage_int(&stage, "RPUSH queues:default:notify 1"); /* look now */
        free(bytes);
    }
    WAIT_FOR(is_all_done());
}

static void check_delay_of_drover(double delay_s)
{
    char *line = last_of_log("job.released");

    ck_assert_int_eq(number_in(line, " retry_in_ms="), llround(delay_s * 1000));
    free(line);
}

/* PHP adds the delay to whole seconds, a moment after it wrote that the job threw; a
 * moment of a slow machine may be seconds. */
static void check_delay_of_php(double delay_s)
{
    double threw_s = floor((double)ledger_ms("throw ") / 1000);
    double waits_s = score_of(":delayed") - threw_s;

    ck_assert_msg(waits_s >= delay_s && waits_s <= delay_s + 5, "%g s, not %g", waits_s,
                  delay_s);
}

START_TEST(drover_retries_as_the_payload_of_php_says)
{
    const struct retries *r = &retries[_i];
    char *line;

    scene_start(stage.scene);
    follow(r, check_delay_of_drover);
    line = last_of_log("job.failed");
    if (r->fails_at)
        ck_assert_int_eq(number_in(line, " attempt="), r->fails_at);
    else
        ck_assert_int_eq(line != NULL, r->fails_unrun);
    if (r->fails_unrun)
        ck_assert_ptr_null(strstr(line, " run_ms="));
    free(line);
}
END_TEST

/* The same table against Laravel: it says what Laravel does. */
START_TEST(so_does_laravel)
{
    const struct retries *r = &retries[_i];
    char *failed = must_format("%u php0", r->fails_at);

    start_consumer(&php, "php0", "--sleep=0.05");
    follow(r, check_delay_of_php);
    php_stop(&php);
    ck_assert_uint_eq(php_stage_count(&stage, "ledger", "failed "),
                      r->fails_at > 0 || r->fails_unrun);
    if (r->fails_at)
        ck_assert_uint_gt(php_stage_count(&stage, "ledger", failed), 0);
    if (r->fails_unrun)
        ck_assert_uint_eq(php_stage_count(&stage, "ledger", "start "), 0);
    free(failed);
}
END_TEST

START_TEST(a_timeout_that_php_wrote_holds_in_drover)
{
    json_t *failed;

    php_stage_produce(&stage, "{\"op\":\"push\",\"queue\":\"default\",\"parcel\":{"
                              "\"name\":\"stuck\",\"tries\":1,\"timeout\":1}}\n");
    scene_start(stage.scene);
    WAIT_FOR(is_all_done());
    failed = scene_failed(stage.scene);
    ck_assert_str_eq(
        json_string_value(json_object_get(json_array_get(failed, 0), "reason")),
        "timed out after 1 s");
    json_decref(failed);
}
END_TEST

/* ---- leases ---- */

START_TEST(what_a_killed_php_worker_held_drover_runs_when_the_lease_is_over)
{
    double expiry;
    char *line;

    php_stage_produce(&stage, "{\"op\":\"push\",\"queue\":\"default\",\"job\":"
                              "\"errand\",\"data\":{\"sleep\":100}}\n");
    start_consumer(&php, "php0", "--sleep=0.05");
    WAIT_FOR(ledger_ms("start ") > 0);
    expiry = score_of(":reserved");
    php_kill(&php);
    scene_start(stage.scene);
    WAIT_FOR(is_all_done());
    line = last_of_log("job.start");
    ck_assert_double_ge(when(line), expiry);
    ck_assert_int_eq(number_in(line, " attempt="), 2); /* Laravel counts when it takes */
    printf("a dead PHP worker's job: drover ran it %.0f ms after the lease\n",
           (when(line) - expiry) * 1000);
    free(line);
}
END_TEST

/* The whole house at once: nobody of drover is left to give anything back. */
static void kill_drover(void)
{
    pid_t worker = (pid_t)scene_worker(stage.scene, 0, 0, "pid");

    ck_assert_int_eq(kill(stage.scene->supervisor, SIGSTOP), 0);
    ck_assert_int_eq(kill(worker, SIGKILL), 0);
    ck_assert_int_eq(kill(stage.scene->supervisor, SIGKILL), 0);
    WAIT_FOR(!process_exists(worker) && !process_exists(stage.scene->supervisor));
    stage.scene->supervisor = 0;
}

START_TEST(what_a_dead_drover_held_php_runs_when_the_lease_is_over)
{
    char *pushed, *held;
    double expiry;

    php_stage_produce(&stage, "{\"op\":\"push\",\"queue\":\"default\",\"job\":"
                              "\"stuck\",\"data\":{\"n\":[]}}\n");
    pushed = php_stage_only(&stage, "queues:default");
    scene_start(stage.scene);
    WAIT_FOR(scene_log_has(stage.scene, "event=job.start"));
    kill_drover();
    expiry = score_of(":reserved");
    held = php_stage_only(&stage, "queues:default:reserved");
    ck_assert_str_eq(held, pushed);
    ck_assert_double_gt(expiry, floor(expiry)); /* drover's tag is the fraction */
    start_consumer(&php, "php0", "--sleep=0.05");
    WAIT_FOR(ledger_ms("start ") > 0);
    ck_assert_double_ge((double)ledger_ms("start ") / 1000, expiry);
    WAIT_FOR(php_stage_count(&stage, "ledger", "end ") == 1);
    WAIT_FOR(is_all_done());
    /* The death was no attempt. */
    ck_assert_uint_eq(php_stage_count(&stage, "ledger", " 1 php0 "), 2);
    php_stop(&php);
    free(pushed);
    free(held);
}
END_TEST

/* ---- what drover does not know ---- */

static const char sharing_settings[] =
    "log: { level = \"debug\"; };\n"
    "pools: ( { name = \"main\"; queues = [ \"default\" ]; workers = 2; concurrency = "
    "4;\n"
    "           unmatched = \"release\"; } );\n"
    "jobs: ( { name = \"errand\"; type = \"noop\"; } );\n";

enum { LEFT_JOBS = 5 };

/* Both idle, and drover always the quicker: it must let the other take its turn. */
START_TEST(what_drover_leaves_php_gets_unchanged)
{
    char *waiting = must_strdup(_i ? "--block-for=1" : "--sleep=0.5"), *pushed, *left;

    scene_configure(stage.scene, sharing_settings);
    php_stage_produce(&stage, "{\"op\":\"push\",\"queue\":\"default\",\"job\":"
                              "\"task\",\"data\":{\"n\":[]}}\n");
    pushed = php_stage_only(&stage, "queues:default");
    scene_start(stage.scene);
    WAIT_FOR(size_of(":delayed") == 1);
    left = php_stage_only(&stage, "queues:default:delayed");
    ck_assert_str_eq(left, pushed);
    start_consumer(&php, "php0", waiting);
    for (int i = 1; i < LEFT_JOBS; i++)
        php_stage_produce(&stage, "{\"op\":\"push\",\"queue\":\"default\",\"job\":"
                                  "\"task\"}\n{\"op\":\"push\",\"queue\":"
                                  "\"default\",\"job\":\"errand\"}\n");
    WAIT_FOR(is_all_done());
    WAIT_FOR(php_stage_count(&stage, "ledger", " 1 php0 ") >= 2 * LEFT_JOBS);
    ck_assert_uint_eq(php_stage_count(&stage, "log", "event=job.failed"), 0);
    php_stop(&php);
    free(pushed);
    free(left);
    free(waiting);
}
END_TEST

/* ---- tokens ---- */

static long long commands_so_far(void)
{
    redisReply *reply = php_stage_ask(&stage, "INFO stats");
    long long ct = number_in(reply->str, "total_commands_processed:");

    freeReplyObject(reply);
    return ct;
}

static long long beats_so_far(void)
{
    redisReply *reply = php_stage_ask(&stage, "HVALS drover:beats");
    long long ct = reply->elements ? strtoll(reply->element[0]->str, NULL, 10) : 0;

    freeReplyObject(reply);
    return ct;
}

/* How many commands Redis executes, those of scripts too, while drover's heart beats so
 * often, once a second. */
static long long commands_in(long long beats)
{
    long long before = commands_so_far(), begin = beats_so_far();

    WAIT_FOR(beats_so_far() >= begin + beats);
    return commands_so_far() - before;
}

enum { TRICKLE = 60, IDLE_BEATS = 3 };

static char *trickle_orders(void)
{
    struct buf orders;

    buf_init(&orders, 0);
    for (int i = 0; i < TRICKLE; i++)
        ck_assert_int_eq(buf_addf(&orders,
                                  "{\"op\":\"push\",\"queue\":\"default\",\"job\":"
                                  "\"task\"}\n{\"op\":\"pause\",\"seconds\":0.02}\n"),
                         0);
    return buf_take(&orders);
}

START_TEST(tokens_wake_both_and_neither_is_driven_round)
{
    char *orders = trickle_orders();
    long long commands;

    scene_start(stage.scene);
    start_consumer(&php, "php0", "--block-for=1");
    start_consumer(&other, "php1", "--block-for=1");
    php_stage_produce(&stage, orders);
    free(orders);
    WAIT_FOR(is_all_done());
    WAIT_FOR(php_stage_count(&stage, "ledger", "end ") +
                 php_stage_count(&stage, "log", "event=job.done ") ==
             TRICKLE);
    printf("%zu jobs one by one: PHP ran %zu, drover %zu\n", (size_t)TRICKLE,
           php_stage_count(&stage, "ledger", "end "),
           php_stage_count(&stage, "log", "event=job.done "));
    WAIT_FOR(size_of(":notify") == 0);
    /* As many as a drift can leave behind: they wake, and are gone. */
    for (int i = 0; i < 50; i++)
        (void)php_stage_int(&stage, "RPUSH queues:default:notify 1");
    WAIT_FOR(size_of(":notify") == 0);
    commands = commands_in(IDLE_BEATS);
    printf("at rest: %lld commands a second\n", commands / IDLE_BEATS);
    ck_assert_int_lt(commands, 1000 * IDLE_BEATS); /* in a circle it would be many more */
    php_stop(&php);
    php_stop(&other);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_checked_fixture(tc, set_stage, clear_stage);
    tcase_add_test(tc, what_php_delayed_drover_runs_when_due);
    tcase_add_test(tc, what_drover_delayed_php_runs_when_due);
    tcase_add_loop_test(tc, drover_retries_as_the_payload_of_php_says, 0,
                        ARRAY_CT(retries));
    tcase_add_loop_test(tc, so_does_laravel, 0, ARRAY_CT(retries));
    tcase_add_test(tc, a_timeout_that_php_wrote_holds_in_drover);
    tcase_add_test(tc, what_a_killed_php_worker_held_drover_runs_when_the_lease_is_over);
    tcase_add_test(tc, what_a_dead_drover_held_php_runs_when_the_lease_is_over);
    tcase_add_loop_test(tc, what_drover_leaves_php_gets_unchanged, 0, 2);
    tcase_add_test(tc, tokens_wake_both_and_neither_is_driven_round);
}

int main(void)
{
    return run_suite("php_rules", 300, add);
}
