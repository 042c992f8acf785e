/* Redis in trouble: each kind is made on a real redis-server while drover works, lasts a
 * while, and ends. No attempt is spent, no worker ends, the log stays quiet, and the work
 * goes on when Redis answers. Prints how long that took.
 */
#include <check.h>
#include <hiredis/hiredis.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "tests/support/scene.h"
#include "tests/support/wait.h"
#include "tests/unit/suite.h"

enum { LASTS_MS = 1000, WORKERS = 2 };

/* "fails" fails twice and then for good; "slow" ends when the file `go` is there. */
#define SETTINGS                                                                         \
    "stop_grace = 20;\n"                                                                 \
    "pools: ( { name = \"main\"; queues = [ \"high\", \"default\" ]; workers = 2;"       \
    " concurrency = 4; tries = 3; backoff = [ 0 ]; timeout = 60; lease = 90; } );\n"     \
    "jobs: ( { name = \"quick\"; type = \"shell\"; command = [ \"/bin/sh\", \"-c\","     \
    " \"echo $DROVER_JOB_ATTEMPT >> $1/quick\", \"sh\", \"@DIR@\" ]; },\n"               \
    " { name = \"slow\"; type = \"shell\"; command = [ \"/bin/sh\", \"-c\","             \
    " \"echo start >> $1/starts; until [ -e $1/go ]; do sleep 0.05; done;"               \
    " echo end >> $1/ends\", \"sh\", \"@DIR@\" ]; },\n"                                  \
    " { name = \"fails\"; type = \"shell\"; command = [ \"/bin/sh\", \"-c\","            \
    " \"echo $DROVER_JOB_ATTEMPT >> $1/fails; exit 3\", \"sh\", \"@DIR@\" ]; } );\n"

static struct scene *scene;
static redisContext *control; /* the test's own way in, open all the time */

static void open_control(void)
{
    char path[128];

    (void)snprintf(path, sizeof(path), "%s/redis.sock", scene->dir);
    control = redisConnectUnix(path);
    ck_assert(control && control->err == 0);
}

static void set_stage(bool default_user)
{
    scene = scene_create(SCENE_REDIS, SETTINGS);
    if (default_user) {
        scene->no_user = true;
        scene_configure(scene, SETTINGS);
    }
    open_control();
}

static void clear_stage(void)
{
    if (control)
        redisFree(control);
    control = NULL;
    scene_destroy(scene);
}

/* Words split at spaces; an answer must come. */
static long long tell(const char *format, ...)
{
    va_list ap;
    redisReply *reply;
    long long number;

    va_start(ap, format);
    reply = redisvCommand(control, format, ap);
    va_end(ap);
    ck_assert_msg(reply != NULL, "%s: %s", format, control->errstr);
    number = reply->type == REDIS_REPLY_INTEGER ? reply->integer
                                                : reply->type != REDIS_REPLY_ERROR;
    freeReplyObject(reply);
    return number;
}

/* By a redis-cli that waits for its answer beside the test. */
static void tell_aside(const char *words)
{
    char *command = must_format("redis-cli -s %s/redis.sock %s >%s/aside 2>&1 &",
                                scene->dir, words, scene->dir);

    ck_assert_int_eq(system(command), 0);
    free(command);
}

/* ---- the troubles ---- */

static void cut_all(void)
{
    (void)tell("CLIENT KILL TYPE normal SKIPME yes");
}

/* Redis 6.2 answers anybody only after each 2 MiB that it has loaded. */
static void begin_loading(void)
{
    /* Each key takes a while, then somebody is answered: two minutes, or until the end.
     */
    (void)tell("EVAL %s 0", "for i = 1, 1000 do redis.call('SET', 'filler:' .. i, "
                            "redis.sha1hex(i):rep(400)) end");
    (void)tell("CONFIG SET rdbcompression no");
    (void)tell("CONFIG SET loading-process-events-interval-bytes 1024");
    (void)tell("CONFIG SET key-load-delay 120000"); /* microseconds a key */
    tell_aside("DEBUG RELOAD");
}

static void end_loading(void)
{
    (void)tell("CONFIG SET key-load-delay 0");
}

static void begin_busy(void)
{
    (void)tell("CONFIG SET lua-time-limit 50");
    tell_aside("EVAL 'while true do end' 0");
}

static void end_busy(void)
{
    (void)tell("SCRIPT KILL");
}

static void begin_readonly(void)
{
    (void)tell("REPLICAOF 127.0.0.1 1");
}

static void end_replica(void)
{
    (void)tell("REPLICAOF NO ONE");
}

static void begin_masterdown(void)
{
    (void)tell("CONFIG SET replica-serve-stale-data no");
    (void)tell("REPLICAOF 127.0.0.1 1");
}

static void begin_maxclients(void)
{
    (void)tell("CONFIG SET maxclients 1");
    cut_all();
}

static void end_maxclients(void)
{
    (void)tell("CONFIG SET maxclients 1000");
}

static void begin_noauth(void)
{
    (void)tell("CONFIG SET requirepass other");
    cut_all();
}

static void end_noauth(void)
{
    ck_assert_int_eq(redisSetTimeout(control, (struct timeval){.tv_sec = 10}), REDIS_OK);
    (void)tell("AUTH other");
    (void)tell("CONFIG SET requirepass %s", "");
}

static void begin_wrongpass(void)
{
    (void)tell("ACL SETUSER drover resetpass >other");
    cut_all();
}

static void end_wrongpass(void)
{
    (void)tell("ACL SETUSER drover >secret");
}

static void begin_noperm(void)
{
    (void)tell("ACL SETUSER drover -evalsha -eval");
}

static void end_noperm(void)
{
    (void)tell("ACL SETUSER drover +evalsha +eval");
}

static void begin_gone(void)
{
    scene_redis_stop(scene);
}

static void end_gone(void)
{
    scene_redis_again(scene);
    redisFree(control);
    open_control();
}

static void begin_frozen(void)
{
    ck_assert_int_eq(kill(scene->redis, SIGSTOP), 0);
}

static void end_frozen(void)
{
    ck_assert_int_eq(kill(scene->redis, SIGCONT), 0);
}

static const struct trouble {
    const char *name; /* also what the log says of it; NULL: it need not say anything */
    void (*begin)(void);
    void (*end)(void); /* NULL: it ends by itself */
    bool default_user; /* not drover's own */
    bool unsaid;       /* too short to be noticed as an outage */
    bool forgets;      /* what Redis held is gone */
} troubles[] = {
    {.name = "LOADING", .begin = begin_loading, .end = end_loading},
    {.name = "BUSY", .begin = begin_busy, .end = end_busy},
    {.name = "READONLY", .begin = begin_readonly, .end = end_replica},
    {.name = "MASTERDOWN", .begin = begin_masterdown, .end = end_replica},
    {.name = "max number of clients", .begin = begin_maxclients, .end = end_maxclients},
    {.name = "NOAUTH", .begin = begin_noauth, .end = end_noauth, .default_user = true},
    {.name = "WRONGPASS", .begin = begin_wrongpass, .end = end_wrongpass},
    {.name = "NOPERM", .begin = begin_noperm, .end = end_noperm},
    {.name = "restart without AOF",
     .begin = begin_gone,
     .end = end_gone,
     .forgets = true},
    {.name = "stopped", .begin = begin_frozen, .end = end_frozen, .unsaid = true},
};
enum { TROUBLES = ARRAY_CT(troubles) };

/* Of lines that came meanwhile, at most one a second and process, and what says that it
 * begins. */
static void check_log_is_quiet(size_t before, int64_t since_ms)
{
    size_t lines = scene_lines(scene, "log") - before;
    size_t allowed = (size_t)((wait_now_ms() - since_ms) / 1000 + 1) * (WORKERS + 1);

    ck_assert_msg(lines <= allowed, "%zu lines in the log, %zu allowed", lines, allowed);
}

static bool status_says_down(void)
{
    json_t *status = scene_status(scene);
    bool down = json_is_false(json_object_get(json_object_get(status, "redis"), "up"));

    json_decref(status);
    return down;
}

static void sit_out(const struct trouble *trouble)
{
    size_t lines = scene_lines(scene, "log");
    int64_t began_ms = wait_now_ms();

    trouble->begin();
    scene_touch(scene, "go"); /* the slow job ends meanwhile: its ack has to wait */
    WAIT_FOR(scene_lines(scene, "ends") == 1);
    if (!trouble->unsaid)
        WAIT_FOR(scene_log_count(scene, trouble->forgets ? "event=queue.down"
                                                         : trouble->name) >= 1);
    if (trouble->end && !trouble->unsaid)
        WAIT_FOR(status_says_down());
    while (wait_now_ms() - began_ms < LASTS_MS)
        wait_pause();
    check_log_is_quiet(lines, began_ms);
}

/* From the moment Redis answers (a plain client with the same rights would be served). */
static void recover(const struct trouble *trouble)
{
    int64_t ended_ms;

    if (trouble->end)
        trouble->end();
    while (tell("RPUSH queues:high {\"job\":\"quick\",\"uuid\":\"after\"}") != 1)
        wait_pause();
    ended_ms = wait_now_ms();
    (void)tell("RPUSH queues:high:notify 1");
    WAIT_FOR(scene_lines(scene, "quick") == 2);
    printf("%-24s first job %4lld ms after Redis answers\n", trouble->name,
           (long long)(wait_now_ms() - ended_ms));
    (void)fflush(stdout);
}

START_TEST(work_waits_and_goes_on)
{
    const struct trouble *trouble = &troubles[_i];
    pid_t pids[WORKERS];
    char *attempts;

    set_stage(trouble->default_user);
    scene_start(scene);
    for (size_t w = 0; w < WORKERS; w++)
        pids[w] = (pid_t)scene_worker(scene, 0, w, "pid");
    scene_do(scene, "push", "quick");
    scene_do(scene, "push", "slow");
    WAIT_FOR(scene_lines(scene, "quick") == 1 && scene_lines(scene, "starts") == 1);
    WAIT_FOR(scene_worker(scene, 0, 0, "done") + scene_worker(scene, 0, 1, "done") == 1);

    sit_out(trouble);
    recover(trouble);
    WAIT_FOR(scene_worker(scene, 0, 0, "done") + scene_worker(scene, 0, 1, "done") == 3);
    WAIT_FOR(scene_redis_int(scene, "ZCARD", "queues:default:reserved") == 0);
    for (size_t w = 0; w < WORKERS; w++) {
        ck_assert_int_eq(scene_worker(scene, 0, w, "pid"), pids[w]);
        ck_assert_int_eq(scene_worker(scene, 0, w, "restarts"), 0);
    }
    attempts = scene_read(scene, "quick");
    ck_assert_str_eq(attempts, "1\n1\n");
    free(attempts);
    ck_assert_uint_eq(scene_lines(scene, "starts"), 1);
    ck_assert_int_eq(scene_redis_int(scene, "ZCARD", "drover:failed"), 0);
    ck_assert_int_eq(scene_redis_int(scene, "HLEN", "drover:crashes"), 0);
    ck_assert_uint_eq(scene_log_count(scene, "event=job.released"), 0);
    ck_assert_uint_eq(scene_log_count(scene, "event=job.returned"), 0);
    WAIT_FOR(!status_says_down());
    (void)tell("ACL LOG RESET");
}
END_TEST

/* Scripts are forgotten: not even an outage. */
START_TEST(forgotten_scripts_are_sent_again)
{
    set_stage(false);
    scene_start(scene);
    for (size_t i = 1; i <= 5; i++) {
        (void)tell("SCRIPT FLUSH");
        scene_do(scene, "push", "quick");
        WAIT_FOR(scene_lines(scene, "quick") == i);
    }
    ck_assert_uint_eq(scene_log_count(scene, "event=queue.down"), 0);
}
END_TEST

static size_t done_and_failed(void)
{
    return scene_lines(scene, "quick") + (size_t)tell("ZCARD drover:failed");
}

/* Everything a worker does makes room or needs none; a producer is refused. */
START_TEST(a_full_redis_drains)
{
    set_stage(false);
    for (int i = 0; i < 100; i++)
        scene_do(scene, "push", i % 10 == 0 ? "fails" : "quick");
    (void)tell("CONFIG SET maxmemory-policy noeviction");
    (void)tell("CONFIG SET maxmemory 1");
    ck_assert_int_eq(scene_run(scene, "push", "quick", NULL), 1);
    ck_assert_msg(strstr(scene->err, "maxmemory"), "%s", scene->err);
    scene_start(scene);
    WAIT_FOR(done_and_failed() == 100);
    WAIT_FOR(tell("ZCARD queues:default:reserved") == 0);
    ck_assert_uint_eq(scene_lines(scene, "quick"), 90);
    ck_assert_uint_eq(scene_lines(scene, "fails"), 30); /* three attempts each */
    ck_assert_int_eq(tell("LLEN queues:default") + tell("ZCARD queues:default:delayed"),
                     0);
    scene_do(scene, "failed", "retry", "--all");
    WAIT_FOR(scene_lines(scene, "fails") == 60 && tell("ZCARD drover:failed") == 10);
    ck_assert_uint_eq(scene_log_count(scene, "event=queue.down"), 0);
}
END_TEST

/* An operator's hand: keys vanish and change their names while jobs run. */
START_TEST(keys_that_vanish_stop_nothing)
{
    static const char *const verbs[] = {"FLUSHALL",
                                        "DEL queues:default:reserved",
                                        "RENAME queues:default elsewhere",
                                        "RENAME queues:default:reserved away",
                                        "DEL queues:default queues:default:notify",
                                        "DEL drover:open drover:beats drover:owners"};
    pid_t worker;

    set_stage(false);
    scene_start(scene);
    worker = (pid_t)scene_worker(scene, 0, 0, "pid");
    for (size_t i = 0; i < ARRAY_CT(verbs); i++) {
        for (int job = 0; job < 40; job++)
            (void)tell("RPUSH queues:default {\"job\":\"quick\"}");
        WAIT_FOR(tell("ZCARD queues:default:reserved") > 0 ||
                 tell("LLEN queues:default") == 0);
        (void)tell(verbs[i]);
    }
    (void)tell("RPUSH queues:high {\"job\":\"slow\"}");
    WAIT_FOR(scene_lines(scene, "starts") == 1);
    (void)tell("DEL queues:high:reserved"); /* its ack finds nothing: counted, no error */
    scene_touch(scene, "go");
    WAIT_FOR(scene_log_count(scene, "event=queue.lost") +
                 scene_log_count(scene, "event=lease.lost") >=
             1);
    (void)tell("RPUSH queues:high {\"job\":\"fails\",\"maxTries\":1}");
    WAIT_FOR(tell("ZCARD drover:failed") >= 1);
    ck_assert_int_eq(scene_worker(scene, 0, 0, "pid"), worker);
    ck_assert_uint_eq(scene_log_count(scene, "event=queue.down"), 0);
    ck_assert_uint_eq(scene_log_count(scene, "event=queue.settle_failed"), 0);
}
END_TEST

/* What the worker logs at its start, the field and the metric, as Redis is set to. */
START_TEST(an_evicting_redis_is_loud_everywhere)
{
    json_t *status, *redis;

    set_stage(false);
    (void)tell("CONFIG SET maxmemory-policy allkeys-lru");
    scene_start(scene);
    WAIT_FOR(scene_log_count(scene, "maxmemory_policy=allkeys-lru") == WORKERS);
    WAIT_FOR(scene_log_count(scene, "event=redis.no_aof") == WORKERS);
    status = scene_status(scene);
    redis = json_object_get(status, "redis");
    ck_assert_str_eq(json_string_value(json_object_get(redis, "maxmemory_policy")),
                     "allkeys-lru");
    ck_assert(json_is_false(json_object_get(redis, "aof")));
    ck_assert_int_gt(json_integer_value(json_object_get(redis, "used_memory")), 0);
    json_decref(status);
    scene_do(scene, "status", "--metrics");
    ck_assert_ptr_nonnull(strstr(scene->out, "\ndrover_redis_noeviction 0\n"));
    ck_assert_ptr_nonnull(
        strstr(scene->out, "drover_workers{pool=\"main\",state=\"running\"} 2\n"));
    (void)tell("CONFIG SET maxmemory-policy noeviction");
    (void)tell("CONFIG SET appendonly yes");
    scene_do(scene, "status", "--metrics");
    ck_assert_ptr_nonnull(strstr(scene->out, "\ndrover_redis_noeviction 1\n"));
    ck_assert_ptr_nonnull(strstr(scene->out, "\ndrover_redis_aof_enabled 1\n"));
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_checked_fixture(tc, NULL, clear_stage);
    tcase_add_loop_test(tc, work_waits_and_goes_on, 0, TROUBLES);
    tcase_add_test(tc, forgotten_scripts_are_sent_again);
    tcase_add_test(tc, a_full_redis_drains);
    tcase_add_test(tc, keys_that_vanish_stop_nothing);
    tcase_add_test(tc, an_evicting_redis_is_loud_everywhere);
}

int main(void)
{
    return run_suite("redis_trouble", 180, add);
}
