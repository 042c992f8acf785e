/* Ten thousand jobs by Laravel's own producers, drained by Laravel's own workers and by
 * drover together, three of the former and one of the latter killed in the middle: the
 * books must balance (beside_audit.h).
 *
 * No run may be longer than its lease, or Laravel would have it run twice, which is its
 * own rule and none of ours: LEASE_S is long beside the milliseconds that a job takes.
 */
#include <check.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/must.h"
#include "tests/integration/beside_audit.h"
#include "tests/support/php_fixture.h"
#include "tests/support/wait.h"
#include "tests/unit/suite.h"

enum {
    CYCLES = 100,
    CYCLE_JOBS = 100,
    PRODUCERS = 2,
    JOBS = CYCLES * CYCLE_JOBS,
    JOBS_EACH = JOBS / PRODUCERS,
    CONSUMERS = 4,
    CONSUMERS_MAX = CONSUMERS + 3, /* with the successors of the killed */
    TAGS = 1 << 20                 /* a score's fraction is a tag in such parts */
};

#define LEASE "10"
#define PREFIX "laravel_database_"

static const char settings[] =
    "log: { level = \"debug\"; };\n"
    "pools: ( { name = \"main\"; queues = [ \"high\", \"default\", \"low\" ]; workers = "
    "2; concurrency = 4; tries = 3; backoff = [ 1 ]; lease = " LEASE "; } );\n"
    "jobs: (\n"
    "  { name = \"task\"; type = \"noop\"; },\n"
    "  { name = \"parcel.good\"; type = \"noop\"; },\n"
    "  { name = \"parcel.bad\"; type = \"shell\"; command = [ \"/bin/false\" ]; },\n"
    "  { name = \"errand\"; type = \"shell\"; command = [ \"/bin/sh\", \"-c\",\n"
    "      \"echo shell $DROVER_JOB_UUID $DROVER_JOB_ATTEMPT drover 0 >> $1/ledger\",\n"
    "      \"sh\", \"@DIR@\" ]; } );\n";

/* ---- the jobs ---- */

/* What one line of a producer's orders asks for; `body` follows op and queue. */
struct order {
    const char *op;
    const char *body;
    struct nature nature;
    unsigned job_ct;     /* in one order */
    unsigned each_cycle; /* orders in a cycle */
};

#define NAP "\"sleep\":0.003"
#define TASK(data) "\"job\":\"task\",\"data\":{" data "}"
#define FIVE(job) job "," job "," job "," job "," job

static const struct order orders[] = {
    {"bulk",
     "\"data\":{" NAP "},\"jobs\":[" FIVE(FIVE("\"task\"")) "]",
     {.tries = 3},
     25,
     1},
    {"bulk",
     "\"data\":[],\"jobs\":[" FIVE("\"task\",{\"name\":\"parcel.good\"}") "]",
     {.tries = 3},
     10,
     2},
    {"push", TASK(NAP), {.tries = 3}, 1, 27},
    {"later", "\"delay\":1," TASK(NAP), {.tries = 3}, 1, 8},
    {"later", "\"delay\":3," TASK(NAP), {.tries = 3}, 1, 4},
    {"push", TASK("\"fail_times\":1," NAP), {.throw_ct = 1, .tries = 3}, 1, 3},
    {"later",
     "\"delay\":1," TASK("\"fail_times\":2," NAP),
     {.throw_ct = 2, .tries = 3},
     1,
     3},
    {"push", TASK("\"fail\":\"no\""), {.throw_ct = NATURE_NEVER, .tries = 3}, 1, 2},
    {"push",
     TASK("\"fatal\":\"never\""),
     {.throw_ct = NATURE_NEVER, .tries = 3, .is_fatal = true},
     1,
     1},
    {"push",
     "\"parcel\":{\"name\":\"parcel.bad\",\"tries\":2,\"backoff\":[1,5],\"data\":{"
     "\"fail\":\"no\"}}",
     {.throw_ct = NATURE_NEVER, .tries = 2},
     1,
     1},
    {"push",
     "\"parcel\":{\"name\":\"parcel.good\",\"retryUntil\":4102444800,\"data\":{" NAP "}}",
     {.tries = NATURE_NEVER}, /* retryUntil takes the place of tries */
     1,
     3},
    {"push", "\"job\":\"errand\"", {.tries = 3, .by_shell = true}, 1, 3},
};

static const char *const queues[] = {"high", "default", "low"};

/* ---- the stage ---- */

static struct php_process producers[PRODUCERS];
static struct php_process consumers[CONSUMERS_MAX];
static const char *killed_php[CONSUMERS_MAX];
static const struct nature *natures[PRODUCERS][JOBS_EACH];
static struct audit *audit;

static void set_stage(void)
{
    php_stage_open(&stage, PREFIX, settings);
    audit = audit_create();
}

static void close_stage(void)
{
    audit_destroy(audit);
    clear_stage();
}

/* ---- producing ---- */

/* Spreads the orders over the cycles evenly, in a fixed order, and over the queues. */
static void write_orders(size_t producer, const char *path)
{
    FILE *file = fopen(path, "we");
    size_t ct = 0, queue = producer;

    ck_assert_ptr_nonnull(file);
    for (int cycle = 0; cycle < CYCLES / PRODUCERS; cycle++)
        for (size_t i = 0; i < ARRAY_CT(orders); i++)
            for (unsigned n = 0; n < orders[i].each_cycle; n++) {
                fprintf(file, "{\"op\":\"%s\",\"queue\":\"%s\",%s}\n", orders[i].op,
                        queues[queue++ % ARRAY_CT(queues)], orders[i].body);
                for (unsigned j = 0; j < orders[i].job_ct; j++, ct++) {
                    ck_assert_uint_lt(ct, JOBS_EACH);
                    natures[producer][ct] = &orders[i].nature;
                }
            }
    ck_assert_int_eq(fclose(file), 0);
    ck_assert_uint_eq(ct, JOBS_EACH);
}

static void start_producer(size_t i)
{
    char name[32], path[128];

    (void)snprintf(name, sizeof(name), "producer%zu", i);
    (void)snprintf(path, sizeof(path), "%s/%s.in", stage.scene->dir, name);
    write_orders(i, path);
    php_stage_start_producer(&stage, &producers[i], name);
}

/* One that never blocks, one that waits for tokens, one that runs job after job. */
static void start_consumer(size_t i)
{
    static const char *const ways[][2] = {{"--mode=daemon", "--sleep=0.05"},
                                          {"--mode=daemon", "--block-for=1"},
                                          {"--mode=next", "--sleep=0.05"}};
    const char *const *way = ways[i % ARRAY_CT(ways)];
    char name[32];

    (void)snprintf(name, sizeof(name), "php%zu", i);
    php_stage_start_consumer(&stage, &consumers[i], name, "--retry-after=" LEASE,
                             "--tries=3", "--backoff=1", way[0], way[1], NULL);
}

/* ---- killing ---- */

/* Whether the last that it wrote is a start: then it is in the middle of that job. The
 * end is written before the job is deleted. */
static bool is_in_a_job(const char *who)
{
    char *ledger = scene_read(stage.scene, "ledger"), *needle, *line, *next;
    bool in_a_job = false;

    needle = must_format(" %s ", who);
    for (line = ledger; (next = strchr(line, '\n')) != NULL; line = next + 1) {
        *next = '\0';
        if (strstr(line, needle) != NULL)
            in_a_job = strncmp(line, "start ", 6) == 0;
    }
    free(needle);
    free(ledger);
    return in_a_job;
}

static void wait_for_state(pid_t pid, char state)
{
    WAIT_FOR(process_state(pid) == state);
}

/* Stops it until that is in mid-job, and kills it there: so it held one job, which had
 * begun, and nothing else is excused. */
static void kill_php_in_a_job(size_t i)
{
    int64_t end_ms = wait_now_ms() + WAIT_MS;

    for (;;) {
        ck_assert_int_eq(kill(consumers[i].pid, SIGSTOP), 0);
        wait_for_state(consumers[i].pid, 'T');
        if (is_in_a_job(consumers[i].name))
            break;
        if (wait_now_ms() > end_ms)
            wait_failed("a PHP worker is in a job", __FILE__, __LINE__);
        ck_assert_int_eq(kill(consumers[i].pid, SIGCONT), 0);
        wait_pause();
    }
    php_kill(&consumers[i]);
    killed_php[i] = consumers[i].name;
}

/* The worker's owner tag, as it wrote it into the log last. */
static long tag_of_worker(const char *who)
{
    char *log = scene_read(stage.scene, "log"), *needle;
    const char *at = log, *found = NULL;
    long tag;

    needle = must_format("event=queue.tag who=%s tag=", who);
    while ((at = strstr(at, needle)) != NULL)
        found = at += strlen(needle);
    ck_assert_ptr_nonnull(found);
    tag = strtol(found, NULL, 10);
    free(needle);
    free(log);
    return tag;
}

struct held {
    char uuid[40];
};

/* What lies in reserved under the tag. */
static size_t list_held(long tag, struct held *held, size_t max)
{
    size_t ct = 0;

    for (size_t q = 0; q < ARRAY_CT(queues); q++) {
        redisReply *reply = php_stage_ask(
            &stage, "ZRANGE " PREFIX "queues:%s:reserved 0 -1 WITHSCORES", queues[q]);

        for (size_t i = 0; i + 1 < reply->elements; i += 2) {
            double score = strtod(reply->element[i + 1]->str, NULL);
            const char *uuid = strstr(reply->element[i]->str, "\"uuid\":\"");

            if (lround((score - floor(score)) * TAGS) != tag)
                continue;
            ck_assert(uuid != NULL && ct < max);
            ck_assert_int_eq(sscanf(uuid + 8, "%36s", held[ct++].uuid), 1);
        }
        freeReplyObject(reply);
    }
    return ct;
}

/* Kills drover's first worker. What its commands had done to Redis until then is in
 * reserved; what it had done with those jobs has not arrived and counts for nothing. A
 * stopped process sends nothing, and what it had sent is behind us after a few answers.
 */
static size_t kill_drover(struct held *held, size_t max, int64_t *at_ms)
{
    pid_t pid = (pid_t)scene_worker(stage.scene, 0, 0, "pid");
    struct timespec now;
    size_t ct;

    ck_assert_int_eq(kill(pid, SIGSTOP), 0);
    wait_for_state(pid, 'T');
    (void)clock_gettime(CLOCK_REALTIME, &now);
    *at_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
    for (int i = 0; i < 5; i++)
        freeReplyObject(php_stage_ask(&stage, "PING"));
    ct = list_held(tag_of_worker("main/0"), held, max);
    ck_assert_int_eq(kill(pid, SIGKILL), 0);
    return ct;
}

/* ---- how far it is ---- */

/* Jobs that are not at their end: each is in exactly one of the nine keys until then. */
static long long pending(void)
{
    return php_stage_int(&stage, "EVAL %s 3 %s %s %s",
                         "local sum = 0 for _, key in ipairs(KEYS) do "
                         "sum = sum + redis.call('LLEN', key) "
                         "+ redis.call('ZCARD', key .. ':delayed') "
                         "+ redis.call('ZCARD', key .. ':reserved') end return sum",
                         PREFIX "queues:high", PREFIX "queues:default",
                         PREFIX "queues:low");
}

static bool have_run(size_t ct)
{
    for (int i = 0; i < 20; i++) /* between two looks into long files */
        wait_pause();
    return php_stage_count(&stage, "ledger", "end ") +
               php_stage_count(&stage, "log", "event=job.done ") >=
           ct;
}

/* ---- the books ---- */

static void read_books(void)
{
    char path[128], *text;
    redisReply *failed;

    for (size_t i = 0; i < PRODUCERS; i++) {
        (void)snprintf(path, sizeof(path), "%s/producer%zu.out", stage.scene->dir, i);
        audit_enqueued(audit, path, natures[i], JOBS_EACH);
    }
    text = scene_read(stage.scene, "ledger");
    audit_read_ledger(audit, text);
    free(text);
    text = scene_read(stage.scene, "log");
    audit_read_log(audit, text);
    free(text);
    failed = php_stage_ask(&stage, "ZRANGE " PREFIX "drover:failed 0 -1");
    for (size_t i = 0; i < failed->elements; i++)
        audit_failed_in_drover(audit, failed->element[i]->str);
    freeReplyObject(failed);
}

static void stop_all(void)
{
    for (size_t i = 0; i < CONSUMERS_MAX; i++)
        if (consumers[i].pid)
            php_stop(&consumers[i]);
    scene_stop(stage.scene);
}

START_TEST(ten_thousand_jobs_of_laravel_are_each_done_once_by_either)
{
    static struct held held[64];
    struct audit_sums sums;
    size_t held_ct, next = CONSUMERS;
    int64_t killed_at_ms;

    scene_start(stage.scene);
    for (size_t i = 0; i < CONSUMERS; i++)
        start_consumer(i);
    for (size_t i = 0; i < PRODUCERS; i++)
        start_producer(i);
    for (size_t i = 0; i < CONSUMERS_MAX - CONSUMERS; i++) {
        WAIT_FOR(have_run((i + 1) * JOBS / 20));
        kill_php_in_a_job(i);
        start_consumer(next++);
    }
    WAIT_FOR(have_run(JOBS / 4));
    held_ct = kill_drover(held, ARRAY_CT(held), &killed_at_ms);
    for (size_t i = 0; i < PRODUCERS; i++)
        php_finish(&producers[i]);
    WAIT_FOR(pending() == 0);
    stop_all();

    read_books();
    for (size_t i = 0; i < CONSUMERS_MAX; i++)
        if (killed_php[i])
            audit_killed_php(audit, killed_php[i]);
    for (size_t i = 0; i < held_ct; i++)
        audit_killed_drover(audit, "main/0", held[i].uuid, killed_at_ms);
    sums = audit_check(audit);
    printf(
        "%zu jobs: %zu done, %zu failed in PHP, %zu in drover; %zu runs by PHP, %zu by "
        "drover, %zu jobs by both; %zu runs cut or void, %zu leases held\n",
        sums.enqueued, sums.done, sums.failed_php, sums.failed_drover, sums.runs_php,
        sums.runs_drover, sums.mixed, sums.voided, held_ct);
    ck_assert_uint_eq(sums.enqueued, JOBS);
    ck_assert_uint_gt(sums.runs_php, JOBS / 20);
    ck_assert_uint_gt(sums.runs_drover, JOBS / 20);
    ck_assert_uint_gt(sums.mixed, 0);
    ck_assert_uint_gt(sums.failed_php, 0);
    ck_assert_uint_gt(sums.failed_drover, 0);
    ck_assert(!scene_log_has(stage.scene, "event=lease.lost"));
    ck_assert(!scene_log_has(stage.scene, "event=queue.lost"));
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_checked_fixture(tc, set_stage, close_stage);
    tcase_add_test(tc, ten_thousand_jobs_of_laravel_are_each_done_once_by_either);
}

int main(void)
{
    return run_suite("beside_php", 300, add);
}
