/* Several drovers on one Redis: one dies with its host, or stands still; the others do
 * what has to be done, and nothing else. */
#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/must.h"
#include "tests/support/scene.h"
#include "tests/support/wait.h"
#include "tests/unit/suite.h"

/* A run notes its start, and ends as the test says into its fifo. "there" never ends,
 * "here" ends by itself: the same job in two configurations. */
#define SH(name, script, more)                                                           \
    "{ name = \"" name                                                                   \
    "\"; type = \"shell\"; command = [ \"/bin/sh\", \"-c\", \"" script                   \
    "\", \"sh\", \"@DIR@\" ]; " more " }"
#define TOLD                                                                             \
    SH("told",                                                                           \
       "mkfifo $1/fifo.$$; echo $$ >> $1/starts; read code < $1/fifo.$$; exit $code",    \
       "tries = 2; backoff = [ 0 ];")
#define TOLD_JOBS "jobs: ( " TOLD " );\n"
#define STAYS SH("job", "echo $$ >> $1/starts; sleep 1000", "")
#define ENDS SH("job", "echo $DROVER_JOB_UUID >> $1/ends", "")

#define POOL(workers, concurrency, lease)                                                \
    "stop_grace = 20;\n"                                                                 \
    "pools: ( { name = \"main\"; queues = [ \"default\" ]; workers = " workers           \
    "; concurrency = " concurrency "; tries = 1; timeout = 600; lease = " lease          \
    "; } );\n"

enum { JOBS = 8, HOSTS_MAX = 3, PER_HOST = JOBS / 2, STALL_MS = 13000 };

static struct scene *hosts[HOSTS_MAX]; /* the first has Redis */

static void clear_stage(void)
{
    for (size_t i = HOSTS_MAX; i-- > 0;)
        if (hosts[i])
            scene_destroy(hosts[i]);
}

static void push_jobs(const char *job, size_t ct)
{
    for (size_t i = 0; i < ct; i++)
        scene_do(hosts[0], "push", job);
}

static long long reserved_ct(void)
{
    return scene_redis_int(hosts[0], "ZCARD", "queues:default:reserved");
}

static void expect_no_jobs(void)
{
    ck_assert_int_eq(reserved_ct(), 0);
    ck_assert_int_eq(scene_redis_int(hosts[0], "LLEN", "queues:default"), 0);
    ck_assert_int_eq(scene_redis_int(hosts[0], "ZCARD", "queues:default:delayed"), 0);
}

/* ---- death ---- */

START_TEST(the_jobs_of_dead_hosts_run_on_another)
{
    int64_t died_ms, first_ms;

    hosts[0] = scene_create(SCENE_REDIS, POOL("2", "2", "300") "jobs: ( " STAYS " );\n");
    hosts[1] =
        scene_create_beside(hosts[0], POOL("2", "2", "300") "jobs: ( " STAYS " );\n");
    hosts[2] =
        scene_create_beside(hosts[0], POOL("1", "16", "300") "jobs: ( " ENDS " );\n");
    scene_start(hosts[0]);
    scene_start(hosts[1]);
    push_jobs("job", JOBS);
    WAIT_FOR(scene_lines(hosts[0], "starts") + scene_lines(hosts[1], "starts") == JOBS);
    scene_start(hosts[2]);
    died_ms = wait_now_ms();
    scene_power_off(hosts[0]);
    scene_power_off(hosts[1]);
    WAIT_FOR(scene_lines(hosts[2], "ends") > 0);
    first_ms = wait_now_ms();
    WAIT_FOR(scene_lines(hosts[2], "ends") == JOBS);
    printf("jobs of two dead hosts ran again after %.1f to %.1f s\n",
           (double)(first_ms - died_ms) / 1000, (double)(wait_now_ms() - died_ms) / 1000);
    (void)fflush(stdout);
    WAIT_FOR(reserved_ct() == 0);
    scene_stop(hosts[2]);
    expect_no_jobs();
    ck_assert_uint_eq(scene_lines(hosts[2], "ends"), JOBS);
    ck_assert_int_eq(scene_redis_int(hosts[0], "ZCARD", "drover:failed"), 0);
    ck_assert_int_eq(scene_redis_int(hosts[0], "HLEN", "drover:owners"), 0);
    ck_assert_int_eq(scene_redis_int(hosts[0], "HLEN", "drover:beats"), 0);
    ck_assert_int_eq(scene_redis_int(hosts[0], "SCARD", "drover:open"), 0);
    ck_assert_int_eq(scene_redis_int(hosts[0], "HLEN", "drover:crashes"), 0);
}
END_TEST

START_TEST(a_stall_of_redis_condemns_nobody)
{
    int64_t end_ms;

    hosts[0] = scene_create(SCENE_REDIS, POOL("1", "1", "300") TOLD_JOBS);
    hosts[1] = scene_create_beside(hosts[0], POOL("1", "4", "300") TOLD_JOBS);
    scene_start(hosts[0]);
    push_jobs("told", 1);
    WAIT_FOR(scene_lines(hosts[0], "starts") == 1);
    scene_start(hosts[1]);
    end_ms = wait_now_ms() + STALL_MS;
    ck_assert_int_eq(kill(hosts[0]->redis, SIGSTOP), 0);
    WAIT_FOR(wait_now_ms() > end_ms);
    ck_assert_int_eq(kill(hosts[0]->redis, SIGCONT), 0);
    end_ms = wait_now_ms() + 3000;
    WAIT_FOR(wait_now_ms() > end_ms);
    ck_assert_int_eq(reserved_ct(), 1);
    ck_assert_int_eq(scene_redis_int(hosts[0], "SCARD", "drover:open"), 2);
    ck_assert_uint_eq(scene_lines(hosts[0], "starts"), 1);
    ck_assert_uint_eq(scene_lines(hosts[1], "starts"), 0);
}
END_TEST

/* ---- standing still ---- */

/* The run that was started last there. */
static pid_t run_at(struct scene *host)
{
    char *starts = scene_read(host, "starts");
    pid_t pid = (pid_t)strtol(starts, NULL, 10);

    free(starts);
    return pid;
}

static void end_run(struct scene *host, const char *code)
{
    pid_t pid = run_at(host);
    char *path = must_format("%s/fifo.%d", host->dir, (int)pid);
    int fd = -1;

    WAIT_FOR((fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC)) >= 0);
    ck_assert_int_eq(write(fd, code, strlen(code)), (ssize_t)strlen(code));
    (void)close(fd);
    free(path);
    WAIT_FOR(!process_exists(pid)); /* a zombie, where its worker stands still */
}

static void stand_still(pid_t pid)
{
    ck_assert_int_eq(kill(pid, SIGSTOP), 0);
    WAIT_FOR(process_state(pid) == 'T');
}

/* Two hosts, of which the first runs a job; the second one's leases outlast the test. */
static void hosts_with_a_job(const char *settings)
{
    hosts[0] = scene_create(SCENE_REDIS, settings);
    hosts[1] = scene_create_beside(hosts[0], POOL("1", "1", "300") TOLD_JOBS);
    scene_start(hosts[0]);
    push_jobs("told", 1);
    WAIT_FOR(scene_lines(hosts[0], "starts") == 1);
}

/* The supervisor of the first, which would not suffer a hung worker, and its worker,
 * whose pid is returned. */
static pid_t stand_still_there(void)
{
    pid_t worker = (pid_t)scene_worker(hosts[0], 0, 0, "pid");

    stand_still(hosts[0]->supervisor);
    stand_still(worker);
    return worker;
}

START_TEST(who_stood_still_for_longer_than_its_lease_has_no_say)
{
    static const char *const codes[] = {"0\n", "3\n", "65\n"}; /* ack, release, fail */
    pid_t worker;

    hosts_with_a_job(POOL("1", "1", "3") TOLD_JOBS);
    worker = stand_still_there();
    scene_start(hosts[1]);
    WAIT_FOR(scene_lines(hosts[1], "starts") == 1);
    end_run(hosts[0], codes[_i]);
    ck_assert_int_eq(kill(worker, SIGCONT), 0);
    WAIT_FOR(scene_log_has(hosts[0], "event=queue.lost") ||
             scene_log_has(hosts[0], "event=lease.lost"));
    ck_assert_int_eq(reserved_ct(), 1); /* the other's */
    ck_assert_int_eq(kill(hosts[0]->supervisor, SIGCONT), 0);
    end_run(hosts[1], "0\n");
    WAIT_FOR(reserved_ct() == 0);
    scene_stop(hosts[1]);
    scene_stop(hosts[0]);
    expect_no_jobs();
    ck_assert_uint_eq(scene_lines(hosts[0], "starts"), 1);
    ck_assert_uint_eq(scene_lines(hosts[1], "starts"), 1);
    ck_assert_int_eq(scene_redis_int(hosts[0], "ZCARD", "drover:failed"), 0);
    ck_assert_int_eq(scene_redis_int(hosts[0], "HLEN", "drover:crashes"), 0);
    ck_assert(scene_log_has(hosts[1], "event=job.done"));
}
END_TEST

START_TEST(who_stood_still_for_less_than_its_lease_goes_on)
{
    pid_t worker;
    int64_t end_ms;

    hosts_with_a_job(POOL("1", "1", "60") TOLD_JOBS);
    scene_start(hosts[1]);
    worker = stand_still_there();
    end_ms = wait_now_ms() + 1000;
    WAIT_FOR(wait_now_ms() > end_ms);
    ck_assert_int_eq(kill(worker, SIGCONT), 0);
    end_run(hosts[0], "0\n");
    WAIT_FOR(reserved_ct() == 0);
    ck_assert_int_eq(kill(hosts[0]->supervisor, SIGCONT), 0);
    scene_stop(hosts[1]);
    scene_stop(hosts[0]);
    expect_no_jobs();
    ck_assert_uint_eq(scene_lines(hosts[0], "starts"), 1);
    ck_assert_uint_eq(scene_lines(hosts[1], "starts"), 0);
    ck_assert(!scene_log_has(hosts[0], "lost"));
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_checked_fixture(tc, NULL, clear_stage);
    tcase_add_test(tc, the_jobs_of_dead_hosts_run_on_another);
    tcase_add_test(tc, a_stall_of_redis_condemns_nobody);
    tcase_add_loop_test(tc, who_stood_still_for_longer_than_its_lease_has_no_say, 0, 3);
    tcase_add_test(tc, who_stood_still_for_less_than_its_lease_goes_on);
}

int main(void)
{
    return run_suite("hosts", 180, add);
}
