/* The worker's row: workers that run out of memory, die with many jobs in flight, or die
 * of one job, and a wall clock that jumps. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/must.h"
#include "tests/support/fault.h"
#include "tests/support/sanitized.h"
#include "tests/support/scene.h"
#include "tests/support/wait.h"
#include "tests/unit/suite.h"

#define POOL(workers, concurrency, more)                                                 \
    "stop_grace = 20;\n"                                                                 \
    "pools: ( { name = \"main\"; workers = " workers "; concurrency = " concurrency      \
    "; " more " } );\n"

/* Ends when the gate is open. */
#define WAITING                                                                          \
    "{ name = \"waiting\"; type = \"shell\"; command = [ \"/bin/cat\", \"@DIR@/gate\" "  \
    "]; }"
#define NOTHING "{ name = \"nothing\"; type = \"noop\"; }"
#define SH(name, script, more)                                                           \
    "{ name = \"" name                                                                   \
    "\"; type = \"shell\"; command = [ \"/bin/sh\", \"-c\", \"" script                   \
    "\", \"sh\", \"@DIR@\" ]; " more " }"

static struct scene *scene;
static struct fault *fault;

static void clear_stage(void)
{
    if (fault)
        fault_close(fault);
    scene_destroy(scene);
}

static size_t failed_ct(void)
{
    return (size_t)scene_redis_int(scene, "ZCARD", "drover:failed");
}

/* How many of the jobs with the uuids prefix-1 .. prefix-ct the log calls done, each
 * counted once. */
static int done_of(const char *prefix, int ct)
{
    char *log = scene_read(scene, "log");
    bool *seen = must_alloc((size_t)ct + 1);
    char *word = must_format(" uuid=%s-", prefix);
    int sum = 0;

    for (char *at = log, *end; (end = strchr(at, '\n')) != NULL; at = end + 1) {
        char *uuid;
        long number;

        *end = '\0';
        if (!strstr(at, "event=job.done") || (uuid = strstr(at, word)) == NULL)
            continue;
        number = strtol(uuid + strlen(word), NULL, 10);
        ck_assert(number >= 1 && number <= ct);
        sum += !seen[number];
        seen[number] = true;
    }
    free(word);
    free(seen);
    free(log);
    return sum;
}

/* In the midst of its jobs, however slowly its status is told. */
static void kill_worker(size_t worker)
{
    WAIT_FOR(scene_worker(scene, 0, worker, "running") >= 200);
    ck_assert_int_eq(kill((pid_t)scene_worker(scene, 0, worker, "pid"), SIGKILL), 0);
}

/* ---- a gate at which jobs wait ---- */

static void path_of(char path[128], const char *name)
{
    (void)snprintf(path, 128, "%s/%s", scene->dir, name);
}

/* Who opens "gate" for reading waits there, until it becomes a plain file. */
static void make_gate(void)
{
    char path[128], second[128];

    path_of(path, "gate");
    path_of(second, "old-gate");
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    ck_assert_int_eq(link(path, second), 0);
}

static void open_gate(void)
{
    char path[128], plain[128];
    int fd;

    path_of(path, "gate");
    path_of(plain, "plain");
    fd = open(plain, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(close(fd), 0);
    ck_assert_int_eq(rename(plain, path), 0);
}

/* Lets go whoever waits at the old one. */
static bool poke_gate(void)
{
    char path[128];
    int fd;

    path_of(path, "old-gate");
    fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd >= 0)
        ck_assert_int_eq(close(fd), 0);
    return true;
}

/* ---- deaths with jobs in flight ---- */

START_TEST(a_thousand_innocent_jobs_survive_three_kills)
{
    scene = scene_create(
        SCENE_REDIS,
        POOL("2", "250", "tries = 1; max_crashes = 10; timeout = 0;") "jobs: ( " WAITING
                                                                      " );\n");
    make_gate();
    scene_push_many(scene, "{\"uuid\":\"job-@\",\"job\":\"waiting\"}", 1000);
    scene_start(scene);
    for (int i = 0; i < 3; i++) {
        kill_worker(0);
        kill_worker(1);
        WAIT_FOR(scene_sum(scene, "restarts") >= 2 * (i + 1));
    }
    open_gate();
    WAIT_FOR(poke_gate() && scene_is_drained(scene));
    ck_assert_uint_eq(failed_ct(), 0); /* tries is 1: a crash spends none */
    WAIT_FOR(done_of("job", 1000) == 1000);
    ck_assert_int_eq(scene_redis_int(scene, "EXISTS", "drover:crashes"), 0);
}
END_TEST

START_TEST(the_innocent_beside_a_poison_are_told_from_it)
{
    json_t *failed;
    const char *reason;
    char *starts;

    /* It strikes when all are in flight, so that all are suspects after three deaths. */
    scene = scene_create(
        SCENE_REDIS, POOL("1", "32", "tries = 1; timeout = 60;") "jobs: ( " SH(
                         "slow", "echo >> $1/slow; exec cat $1/gate >/dev/null",
                         "") ",\n" SH("poison",
                                      "touch $1/starts $1/slow; n=$(wc -l < $1/starts); "
                                      "while test $n -lt 3 && "
                                      "test $(wc -l < $1/slow) -lt $((n * 20 + 20)); "
                                      "do sleep 0.02; done; echo $DROVER_JOB_ATTEMPT >> "
                                      "$1/starts; kill -SEGV $PPID; sleep 9",
                                      "") " );\n");
    make_gate();
    scene_push_many(scene, "{\"uuid\":\"slow-@\",\"job\":\"slow\"}", 20);
    scene_push_many(scene, "{\"uuid\":\"poison\",\"job\":\"poison\"}", 1);
    scene_start(scene);
    WAIT_FOR(scene_log_has(scene, "event=job.alone"));
    open_gate();
    WAIT_FOR(poke_gate() && failed_ct() == 1 && scene_is_drained(scene));
    WAIT_FOR(done_of("slow", 20) == 20);
    failed = scene_failed(scene);
    reason = json_string_value(json_object_get(json_array_get(failed, 0), "reason"));
    ck_assert_msg(strstr(reason, "4 workers died running it, the last") != NULL, "%s",
                  reason);
    ck_assert_ptr_nonnull(strstr(reason, "killed by SIGSEGV"));
    json_decref(failed);
    starts = scene_read(scene, "starts");
    ck_assert_str_eq(starts, "1\n1\n1\n1\n"); /* three times, and once alone */
    free(starts);
    ck_assert_uint_eq(scene_lines(scene, "slow"), 4 * 20); /* they as well */
}
END_TEST

START_TEST(a_worker_without_memory_dies_and_its_jobs_run_elsewhere)
{
    struct rlimit tight = {.rlim_cur = 1 << 20, .rlim_max = 1 << 20};

    scene = scene_create(SCENE_REDIS,
                         POOL("1", "4", "tries = 1;") "jobs: ( " NOTHING ",\n" SH(
                             "good", "sleep 0.2; echo $1 >> $1/good", "") " );\n");
    scene_start(scene);
    ck_assert_int_eq(
        prlimit((pid_t)scene_worker(scene, 0, 0, "pid"), RLIMIT_AS, &tight, NULL), 0);
    /* All at once: a job that began before the worker dies would have no memory either.
     */
    (void)scene_redis(
        scene, "EVAL",
        "redis.call('RPUSH', KEYS[1], '{\"job\":\"good\",\"id\":\"1\"}', "
        "'{\"job\":\"good\",\"id\":\"2\"}', '{\"job\":\"nothing\",\"data\":\"' .. "
        "string.rep('x', 8388608) .. '\"}')",
        "1", "queues:default", NULL);
    WAIT_FOR(scene_worker(scene, 0, 0, "restarts") >= 1);
    WAIT_FOR(scene_is_drained(scene));
    ck_assert(scene_log_has(scene, "drover: out of memory"));
    ck_assert(scene_log_has(scene, "killed by SIGABRT"));
    ck_assert_uint_ge(scene_lines(scene, "good"), 2);
    ck_assert_uint_eq(failed_ct(), 0);
}
END_TEST

/* ---- a machine that lets no process be started ---- */

static const struct {
    int errnum;
    const char *name;
} lacks[] = {
    {EMFILE, "errno=EMFILE"}, {EAGAIN, "errno=EAGAIN"}, {ENOMEM, "errno=ENOMEM"}};

/* The first by a limit of the kernel's: what is open stays so. */
static void set_lack(int errnum, bool lacks_it)
{
    pid_t worker = (pid_t)scene_worker(scene, 0, 0, "pid");
    struct rlimit limit;

    if (errnum != EMFILE) {
        fault->spawn_errno = lacks_it ? errnum : 0;
        return;
    }
    ck_assert_int_eq(prlimit(worker, RLIMIT_NOFILE, NULL, &limit), 0);
    limit.rlim_cur = lacks_it ? STDERR_FILENO + 1 : limit.rlim_max;
    ck_assert_int_eq(prlimit(worker, RLIMIT_NOFILE, &limit, NULL), 0);
}

START_TEST(jobs_that_cannot_be_started_wait_and_spend_no_attempt)
{
    char *text;

    scene = scene_create(SCENE_REDIS,
                         POOL("1", "4", "tries = 1;") "jobs: ( " SH(
                             "sh", "echo $DROVER_ATTEMPT >> $1/runs", "") " );\n");
    fault = fault_open(scene->dir);
    scene_start(scene);
    fault_hide();
    set_lack(lacks[_i].errnum, true);
    scene_push_many(scene, "{\"job\":\"sh\",\"id\":\"@\",\"attempts\":0}", 10);
    WAIT_FOR(scene_sum(scene, "postponed") >= 15); /* some of them more than once */
    ck_assert(scene_log_has(scene, lacks[_i].name));
    ck_assert_uint_eq(scene_log_count(scene, "event=spawn.refused"), 1);
    ck_assert_uint_eq(scene_lines(scene, "runs"), 0);
    set_lack(lacks[_i].errnum, false);
    WAIT_FOR(scene_sum(scene, "done") == 10);
    WAIT_FOR(scene_is_drained(scene));
    text = scene_read(scene, "runs");
    ck_assert_str_eq(text, "1\n1\n1\n1\n1\n1\n1\n1\n1\n1\n");
    free(text);
    ck_assert_uint_eq(failed_ct(), 0);
    ck_assert_uint_eq(scene_log_count(scene, "event=spawn.works"), 1);
    ck_assert_int_eq(scene_sum(scene, "restarts"), 0);
}
END_TEST

/* ---- a clock that jumps ---- */

/* When the lease of the only job in hand ends, in Redis' seconds. */
static double lease_end(void)
{
    return strtod(scene_redis(scene, "EVAL",
                              "return redis.call('ZRANGE', 'queues:default:reserved', "
                              "0, 0, 'WITHSCORES')[2]",
                              "0", NULL),
                  NULL);
}

START_TEST(an_hour_more_or_less_changes_no_lease_no_timeout_and_no_backoff)
{
    static const int shifts_s[] = {3600, -3600};
    double first_end;

    scene = scene_create(
        SCENE_REDIS,
        "hang_timeout = 8;\n" POOL("1", "8",
                                   "tries = 2; backoff = [ 1 ]; timeout = 100; lease = "
                                   "9;") "jobs: ( " NOTHING
                                         ",\n" SH("once",
                                                  "echo start >> $1/starts; until [ -e "
                                                  "$1/go ]; do sleep 0.05; done",
                                                  "") ",\n" SH("twice",
                                                               "echo run >> $1/runs; "
                                                               "test "
                                                               "$DROVER_JOB_ATTEMPT = 2",
                                                               "") " );\n");
    fault = fault_open(scene->dir);
    scene_start(scene);
    fault->clock_shift_s = shifts_s[_i]; /* of workers, supervisor and command line */
    scene_do(scene, "push", "once");
    WAIT_FOR(scene_lines(scene, "starts") == 1);
    first_end = lease_end();
    fault->clock_shift_s = -shifts_s[_i]; /* and the other way, while it runs */
    WAIT_FOR(lease_end() > first_end);    /* it is extended */
    scene_do(scene, "push", "twice");
    scene_do(scene, "push", "nothing", "--delay", "1");
    WAIT_FOR(scene_sum(scene, "done") == 2);
    scene_touch(scene, "go");
    WAIT_FOR(scene_sum(scene, "done") == 3);
    WAIT_FOR(scene_is_drained(scene));
    ck_assert_uint_eq(scene_lines(scene, "starts"), 1);
    ck_assert_uint_eq(scene_lines(scene, "runs"), 2);
    ck_assert_uint_eq(failed_ct(), 0);
    ck_assert_int_eq(scene_sum(scene, "restarts"), 0);
    ck_assert(!scene_log_has(scene, "event=lease.lost"));
    ck_assert(!scene_log_has(scene, "timed out"));
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_checked_fixture(tc, NULL, clear_stage);
    tcase_add_test(tc, a_thousand_innocent_jobs_survive_three_kills);
    tcase_add_test(tc, the_innocent_beside_a_poison_are_told_from_it);
    if (!is_sanitized()) /* whose allocator needs all address space there is */
        tcase_add_test(tc, a_worker_without_memory_dies_and_its_jobs_run_elsewhere);
    tcase_add_loop_test(tc, jobs_that_cannot_be_started_wait_and_spend_no_attempt, 0,
                        ARRAY_CT(lacks));
    tcase_add_loop_test(
        tc, an_hour_more_or_less_changes_no_lease_no_timeout_and_no_backoff, 0, 2);
}

int main(void)
{
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    return run_suite("faults_worker", 240, add);
}
