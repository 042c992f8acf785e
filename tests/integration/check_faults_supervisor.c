/* Faults of the supervisor's row: what it forks dies at once, it cannot fork, it has no
 * descriptors left, its calls are interrupted, it is stopped at any moment. */
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/must.h"
#include "tests/support/fault.h"
#include "tests/support/scene.h"
#include "tests/support/wait.h"
#include "tests/unit/suite.h"

#define POOL(workers, concurrency)                                                       \
    "stop_grace = 20;\n"                                                                 \
    "pools: ( { name = \"main\"; workers = " workers "; concurrency = " concurrency      \
    "; tries = 1; } );\n"

#define NOTHING "{ name = \"nothing\"; type = \"noop\"; }"
#define JOBS(list) "jobs: ( " list " );\n"

static struct scene *scene;
static struct fault *fault;

static void clear_stage(void)
{
    if (fault)
        fault_close(fault);
    if (scene)
        scene_destroy(scene);
}

static size_t failed_ct(void)
{
    return (size_t)scene_redis_int(scene, "ZCARD", "drover:failed");
}

/* utime and stime of a process and of all it has waited for, in clock ticks. */
static long cpu_ticks(pid_t pid)
{
    char path[64];
    long own_user, own_system, user, system;
    FILE *file;

    (void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    file = fopen(path, "re");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(fscanf(file,
                            "%*d %*s %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %ld %ld "
                            "%ld %ld",
                            &own_user, &own_system, &user, &system),
                     4);
    (void)fclose(file);
    return own_user + own_system + user + system;
}

/* ---- processes that cannot be, or do not stay ---- */

START_TEST(workers_that_all_die_at_birth_back_off_and_come_when_they_can)
{
    int64_t began_ms;
    long ticks;

    scene = scene_create(SCENE_REDIS, POOL("4", "4") JOBS(NOTHING));
    fault = fault_open(scene->dir);
    fault->die_at_birth = 1;
    scene_spawn(scene);
    fault_hide();
    scene_push_many(scene, "{\"job\":\"nothing\"}", 4);
    WAIT_FOR(fault->forked_ct >= 4);
    began_ms = wait_now_ms();
    ticks = cpu_ticks(scene->supervisor);
    WAIT_FOR(scene_workers_all(scene, "backoff", 4));
    WAIT_FOR(fault->forked_ct >= 12); /* 4 at once, 4 again at once, then slowly */
    printf("exit storm: %u forks of 4 slots, %ld ticks of CPU in %lld ms\n",
           fault->forked_ct, cpu_ticks(scene->supervisor) - ticks,
           (long long)(wait_now_ms() - began_ms));
    ck_assert_int_ge(scene_worker(scene, 0, 0, "restarts"), 1);
    fault->die_at_birth = 0;
    /* The first of them comes back within seconds. */
    WAIT_FOR(scene_sum(scene, "done") == 4);
}
END_TEST

START_TEST(forks_that_fail_are_tried_again_until_the_fleet_is_whole)
{
    scene = scene_create(SCENE_REDIS, POOL("3", "4") JOBS(NOTHING));
    fault = fault_open(scene->dir);
    fault->fork_errno = EAGAIN;
    fault->fork_fail_ct = 5;
    scene_spawn(scene);
    fault_hide();
    WAIT_FOR(fault->fork_failed_ct == 3);
    fault->fork_errno = ENOMEM;
    scene_push_many(scene, "{\"job\":\"nothing\"}", 3);
    WAIT_FOR(scene_workers_all(scene, "running", 3));
    ck_assert_uint_eq(fault->fork_failed_ct, 5);
    ck_assert_uint_eq(fault->forked_ct, 3);
    ck_assert(scene_log_has(scene, "event=worker.start_failed"));
    for (size_t i = 0; i < 3; i++)
        ck_assert_int_eq(scene_worker(scene, 0, i, "restarts"), 0);
    WAIT_FOR(scene_sum(scene, "done") == 3);
}
END_TEST

static pid_t workers[4];

static bool is_worker(pid_t pid)
{
    for (size_t i = 0; i < ARRAY_CT(workers); i++)
        if (workers[i] == pid)
            return true;
    return false;
}

/* Children of the supervisor and of its workers that nobody has waited for. */
static unsigned zombie_ct(void)
{
    struct dirent *entry;
    unsigned ct = 0;
    DIR *proc = opendir("/proc");

    ck_assert_ptr_nonnull(proc);
    while ((entry = readdir(proc)) != NULL) {
        char path[300], state = 0;
        int parent = 0;
        FILE *file;

        (void)snprintf(path, sizeof(path), "/proc/%s/stat", entry->d_name);
        file = fopen(path, "re");
        if (file == NULL)
            continue;
        if (fscanf(file, "%*d (%*[^)]) %c %d", &state, &parent) == 2 && state == 'Z')
            ct += parent == scene->supervisor || is_worker(parent);
        (void)fclose(file);
    }
    (void)closedir(proc);
    return ct;
}

START_TEST(a_thousand_short_children_leave_no_zombie)
{
    scene =
        scene_create(SCENE_REDIS, POOL("4", "16") "log: { jobs = \"failed\"; };\n" JOBS(
                                      "{ name = \"short\"; type = \"shell\"; "
                                      "command = [ \"/bin/false\" ]; }"));
    scene_start(scene);
    for (size_t i = 0; i < ARRAY_CT(workers); i++)
        workers[i] = (pid_t)scene_worker(scene, 0, i, "pid");
    scene_push_many(scene, "{\"job\":\"short\",\"id\":\"@\"}", 1000);
    WAIT_FOR(failed_ct() == 1000);
    WAIT_FOR(zombie_ct() == 0);
    ck_assert(scene_workers_all(scene, "running", 4));
}
END_TEST

/* ---- descriptors ---- */

static unsigned fd_ct(pid_t pid)
{
    char path[64];
    unsigned ct = 0;
    DIR *fds;

    (void)snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
    fds = opendir(path);
    ck_assert_ptr_nonnull(fds);
    while (readdir(fds))
        ct++;
    (void)closedir(fds);
    return ct;
}

static int connect_control(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%.80s/state/control.sock",
                   scene->dir);
    ck_assert_int_ge(fd, 0);
    (void)!connect(fd, (struct sockaddr *)&address, sizeof(address));
    return fd;
}

START_TEST(without_descriptors_the_supervisor_goes_on_and_loses_none)
{
    enum { CLIENTS = 60 };
    int clients[CLIENTS];
    unsigned before;
    long ticks;

    scene = scene_create(SCENE_REDIS, POOL("1", "4") JOBS(NOTHING));
    scene_spawn_by(scene, "ulimit -n 40; exec \"$0\" supervise -c \"$1\"");
    WAIT_FOR(scene_workers_all(scene, "running", 1));
    before = fd_ct(scene->supervisor);
    ticks = cpu_ticks(scene->supervisor);
    for (size_t i = 0; i < CLIENTS; i++)
        clients[i] = connect_control();
    WAIT_FOR(scene_log_has(scene, "event=control.accept_failed"));
    scene_push_many(scene, "{\"job\":\"nothing\"}", 100); /* the workers do not care */
    WAIT_FOR(scene_redis_int(scene, "LLEN", "queues:default") == 0);
    for (size_t i = 0; i < CLIENTS; i++)
        ck_assert_int_eq(close(clients[i]), 0);
    WAIT_FOR(scene_sum(scene, "done") == 100);
    WAIT_FOR(fd_ct(scene->supervisor) == before);
    printf("EMFILE: %ld ticks of CPU\n", cpu_ticks(scene->supervisor) - ticks);
}
END_TEST

/* ---- calls that are interrupted or do half ---- */

/* Every line of the log is whole. */
static void check_log_lines(void)
{
    char *log = scene_read(scene, "log");
    size_t ct = 0;

    for (const char *at = log, *end; *at; at = end + 1, ct++) {
        end = strchr(at, '\n');
        ck_assert_msg(end != NULL, "cut: %s", at);
        ck_assert_msg(strncmp(at, "ts=", 3) == 0, "torn: %.*s", (int)(end - at), at);
    }
    ck_assert_uint_gt(ct, 10);
    free(log);
}

START_TEST(interrupted_and_halved_calls_lose_nothing)
{
    char *text;

    scene = scene_create(
        SCENE_REDIS,
        POOL("2", "8") JOBS(NOTHING ", { name = \"copy\"; type = \"shell\"; command = [ "
                                    "\"/bin/sh\", \"-c\", \"read -r line; echo $line >> "
                                    "$1/copies\", \"sh\", \"@DIR@\" ]; }"));
    fault = fault_open(scene->dir);
    fault->interrupt_every = 3;
    fault->shorten_every = 4;
    scene_spawn(scene);
    fault_hide();
    scene_push_many(scene, "{\"job\":\"nothing\",\"id\":\"@\"}", 500);
    scene_push_many(scene, "{\"job\":\"copy\",\"data\":{\"n\":@}}", 20);
    WAIT_FOR(scene_sum(scene, "done") == 520);
    WAIT_FOR(scene_redis_int(scene, "ZCARD", "queues:default:reserved") == 0);
    ck_assert_uint_eq(failed_ct(), 0);
    ck_assert_uint_eq(scene_lines(scene, "copies"), 20);
    text = scene_read(scene, "copies");
    for (int i = 1; i <= 20; i++) {
        char *line = must_format("{\"n\":%d}\n", i);

        ck_assert_ptr_nonnull(strstr(text, line));
        free(line);
    }
    free(text);
    scene_stop(scene); /* with the faults */
    printf("%u calls interrupted, %u halved\n", fault->interrupted_ct,
           fault->shortened_ct);
    ck_assert_uint_gt(fault->interrupted_ct, 100);
    ck_assert_uint_gt(fault->shortened_ct, 30);
    check_log_lines();
}
END_TEST

/* ---- stopped at any moment ---- */

static void pause_ms(int ms)
{
    (void)poll(NULL, 0, ms); /* not to wait for anything: to hit another moment */
}

START_TEST(a_term_at_any_moment_of_the_start_ends_it_well)
{
    static const int signals[] = {SIGTERM, SIGINT};

    scene = scene_create(SCENE_REDIS, POOL("3", "4") JOBS(NOTHING));
    for (int ms = 0; ms <= 200; ms += ms < 40 ? 2 : 10) {
        scene_spawn(scene);
        pause_ms(ms);
        ck_assert_int_eq(kill(scene->supervisor, signals[ms / 2 % 2]), 0);
        WAIT_FOR(waitpid(scene->supervisor, &scene->exit_status, WNOHANG) ==
                 scene->supervisor);
        scene->supervisor = 0;
        /* Before main() has blocked the signal it ends the process itself. */
        ck_assert_msg(scene->exit_status == 0 || WIFSIGNALED(scene->exit_status),
                      "after %d ms: wait status %d", ms, scene->exit_status);
    }
    scene_start(scene); /* nothing is in its way */
}
END_TEST

static const struct {
    int signum;
    const char *event; /* what it leads to, once the start is over */
} early[] = {{SIGHUP, "event=supervisor.reload "},
             {SIGUSR1, "event=supervisor.signal_ignored"},
             {SIGUSR2, "event=supervisor.paused"},
             {SIGTTIN, "event=supervisor.scale "},
             {SIGTTOU, "event=supervisor.scale "}};

/* A supervisor that is about to read its configuration. */
static void spawn_and_hold(void)
{
    scene = scene_create(SCENE_REDIS, POOL("1", "4") JOBS(NOTHING));
    fault = fault_open(scene->dir);
    fault->hold_reads = 1;
    scene_spawn(scene);
    fault_hide();
    WAIT_FOR(fault->held_ct >= 1);
}

START_TEST(a_signal_that_is_no_stop_waits_for_the_end_of_the_start)
{
    spawn_and_hold();
    ck_assert_int_eq(kill(scene->supervisor, early[_i].signum), 0);
    fault->hold_reads = 0;
    WAIT_FOR(scene_log_has(scene, early[_i].event));
    ck_assert(process_exists(scene->supervisor));
    WAIT_FOR(scene_log_has(scene, "event=supervisor.ready"));
}
END_TEST

START_TEST(a_stop_before_anything_has_begun_ends_it_at_once)
{
    spawn_and_hold();
    ck_assert_int_eq(kill(scene->supervisor, SIGTERM), 0);
    WAIT_FOR(waitpid(scene->supervisor, &scene->exit_status, WNOHANG) ==
             scene->supervisor);
    scene->supervisor = 0;
    ck_assert(WIFSIGNALED(scene->exit_status));
    fault->hold_reads = 0;
}
END_TEST

/* With each descriptor that is closed, also when the loops have ended. */
START_TEST(a_stop_that_comes_after_the_end_changes_no_exit)
{
    scene = scene_create(SCENE_REDIS, POOL("2", "4") JOBS(NOTHING));
    fault = fault_open(scene->dir);
    scene_start(scene);
    fault_hide();
    fault->raise_at_close = SIGTERM;
    scene_stop(scene); /* it exits with 0 */
    ck_assert(scene_log_has(scene, "event=worker.exit"));
    ck_assert(!scene_log_has(scene, "killed by SIGTERM"));
}
END_TEST

START_TEST(a_term_during_a_reload_ends_it_well)
{
    scene = scene_create(SCENE_REDIS, POOL("3", "4") JOBS(NOTHING));
    for (int ms = 0; ms < 60; ms += 10) {
        scene_start(scene);
        ck_assert_int_eq(kill(scene->supervisor, SIGHUP), 0);
        pause_ms(ms);
        scene_stop(scene);
    }
}
END_TEST

/* ---- files that are no configuration ---- */

static void write_conf(const char *bytes, size_t len)
{
    FILE *file = fopen(scene->conf, "we");

    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(bytes, 1, len, file), len);
    ck_assert_int_eq(fclose(file), 0);
}

static void hup_in_vain(void)
{
    size_t before = scene_log_count(scene, "event=supervisor.reload_failed");

    ck_assert_int_eq(kill(scene->supervisor, SIGHUP), 0);
    WAIT_FOR(scene_log_count(scene, "event=supervisor.reload_failed") == before + 1);
}

#define BAD_PLACEHOLDER                                                                  \
    "jobs: ( { name = \"x\"; type = \"shell\"; command = [ \"/bin/{\" ]; } );"

static void hup_with_texts(const char *good)
{
    static const char *const texts[] = {
        "",
        "\n\n# nothing\n",
        "{",
        "}",
        "\"",
        "pools",
        "pools: ( { workers = 1e9; } );",
        "no_such = 1;",
        "state_dir = \"\";",
        "@include \"drover.conf\"\n",
        "@include \"/dev/zero\"\n",
        "pools: ( { name = \"main\"; }, { name = \"main\"; } );",
        "\xff\xfe\xfd",
        BAD_PLACEHOLDER,
        "pools: ( { workers = 2147483648; } );"};
    static const char with_nul[] = "stop_grace = 1;\0pools: ( );\n";
    char *huge = must_alloc(2 << 20);

    for (size_t i = 0; i < ARRAY_CT(texts); i++) {
        write_conf(texts[i], strlen(texts[i]));
        hup_in_vain();
    }
    write_conf(with_nul, sizeof(with_nul) - 1);
    hup_in_vain();
    memset(huge, '#', 2 << 20);
    write_conf(huge, 2 << 20);
    hup_in_vain();
    for (size_t part = 1; part < 8; part++) { /* as somebody writes it */
        size_t len = strlen(good) * part / 8;

        write_conf(good, len);
        hup_in_vain();
    }
    free(huge);
}

START_TEST(no_bad_file_changes_anything_at_hup)
{
    char *good;
    pid_t worker;

    scene = scene_create(SCENE_REDIS, POOL("2", "4") JOBS(NOTHING));
    good = scene_read(scene, "drover.conf");
    scene_start(scene);
    worker = (pid_t)scene_worker(scene, 0, 0, "pid");
    hup_with_texts(good);
    ck_assert_int_eq(unlink(scene->conf), 0);
    hup_in_vain();
    ck_assert_int_eq(mkdir(scene->conf, 0700), 0);
    hup_in_vain();
    ck_assert_int_eq(rmdir(scene->conf), 0);
    write_conf(good, strlen(good));
    ck_assert_int_eq(scene_worker(scene, 0, 0, "pid"), worker);
    ck_assert(scene_workers_all(scene, "running", 2));
    ck_assert_int_eq(kill(scene->supervisor, SIGHUP), 0); /* and a good one is taken */
    WAIT_FOR(scene_log_has(scene, "event=supervisor.reload who"));
    free(good);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_checked_fixture(tc, NULL, clear_stage);
    tcase_add_test(tc, workers_that_all_die_at_birth_back_off_and_come_when_they_can);
    tcase_add_test(tc, forks_that_fail_are_tried_again_until_the_fleet_is_whole);
    tcase_add_test(tc, a_thousand_short_children_leave_no_zombie);
    tcase_add_test(tc, without_descriptors_the_supervisor_goes_on_and_loses_none);
    tcase_add_test(tc, interrupted_and_halved_calls_lose_nothing);
    tcase_add_test(tc, a_term_at_any_moment_of_the_start_ends_it_well);
    tcase_add_loop_test(tc, a_signal_that_is_no_stop_waits_for_the_end_of_the_start, 0,
                        ARRAY_CT(early));
    tcase_add_test(tc, a_stop_before_anything_has_begun_ends_it_at_once);
    tcase_add_test(tc, a_stop_that_comes_after_the_end_changes_no_exit);
    tcase_add_test(tc, a_term_during_a_reload_ends_it_well);
    tcase_add_test(tc, no_bad_file_changes_anything_at_hup);
}

int main(void)
{
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    return run_suite("faults_supervisor", 240, add);
}
