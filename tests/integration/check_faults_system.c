/* Faults of what is around drover: streams that are closed, full or not read, disks that
 * are full, directories that cannot be written, jobs that misbehave, operators that send
 * rubbish. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/must.h"
#include "tests/support/memory.h"
#include "tests/support/sanitized.h"
#include "tests/support/scene.h"
#include "tests/support/wait.h"
#include "tests/unit/suite.h"

#define POOL(workers, concurrency)                                                       \
    "stop_grace = 20;\n"                                                                 \
    "pools: ( { name = \"main\"; workers = " workers "; concurrency = " concurrency      \
    "; tries = 1; } );\n"
#define NOTHING "{ name = \"nothing\"; type = \"noop\"; }"
#define SH(name, script, more)                                                           \
    "{ name = \"" name                                                                   \
    "\"; type = \"shell\"; command = [ \"/bin/sh\", \"-c\", \"" script                   \
    "\", \"sh\", \"@DIR@\" ]; " more " }"

static struct scene *scene;

static void clear_stage(void)
{
    scene_destroy(scene);
}

static bool runs(void)
{
    return scene_workers_all(scene, "running", 1);
}

static long long done_ct(void)
{
    return scene_worker(scene, 0, 0, "done");
}

static size_t failed_ct(void)
{
    return (size_t)scene_redis_int(scene, "ZCARD", "drover:failed");
}

/* ---- streams ---- */

START_TEST(without_standard_streams_it_runs_all_the_same)
{
    scene = scene_create(SCENE_REDIS,
                         POOL("1", "4") "jobs: ( " NOTHING ", " SH(
                             "sh", "echo out; echo err >&2; cat >/dev/null", "") " );\n");
    scene_spawn_by(scene, "exec \"$0\" supervise -c \"$1\" <&- >&- 2>&-");
    WAIT_FOR(runs());
    scene_push_many(scene, "{\"job\":\"nothing\",\"id\":@}", 50);
    scene_push_many(scene, "{\"job\":\"sh\",\"id\":@,\"data\":[1]}", 10);
    WAIT_FOR(done_ct() == 60);
    ck_assert_int_eq(scene_worker(scene, 0, 0, "restarts"), 0);
}
END_TEST

static int open_pipe(void)
{
    char path[128];
    int fd;

    (void)snprintf(path, sizeof(path), "%s/pipe", scene->dir);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    return fd;
}

static bool pipe_has(int fd, const char *text)
{
    static char all[1 << 20];
    static size_t len;
    ssize_t n;

    while (len < sizeof(all) - 1 && (n = read(fd, all + len, sizeof(all) - 1 - len)) > 0)
        len += (size_t)n;
    all[len] = '\0';
    return strstr(all, text) != NULL;
}

START_TEST(a_log_that_nobody_reads_or_that_is_hung_up_holds_up_no_job)
{
    int fd;

    scene = scene_create(SCENE_REDIS, "log: { level = \"debug\"; };\n" POOL(
                                          "1", "16") "jobs: ( " NOTHING " );\n");
    fd = open_pipe();
    scene_spawn_by(scene, "exec \"$0\" supervise -c \"$1\" 2>\"$2/pipe\"");
    WAIT_FOR(runs());
    /* Far more lines than a pipe holds. */
    scene_push_many(scene, "{\"job\":\"nothing\",\"id\":@}", 2000);
    WAIT_FOR(done_ct() == 2000);
    ck_assert(!pipe_has(fd, "event=log.dropped"));
    /* The pipe is empty now. */
    scene_push_many(scene, "{\"job\":\"nothing\",\"id\":@}", 1);
    WAIT_FOR(pipe_has(fd, "event=log.dropped"));
    ck_assert_int_eq(close(fd), 0); /* and gone */
    scene_push_many(scene, "{\"job\":\"nothing\",\"id\":@}", 100);
    WAIT_FOR(done_ct() == 2101);
    ck_assert_int_eq(scene_worker(scene, 0, 0, "restarts"), 0);
}
END_TEST

/* ---- disks ---- */

START_TEST(a_full_disk_for_the_log_holds_up_no_job_and_ends)
{
    char path[64];
    int fd;

    scene = scene_create(SCENE_REDIS, "log: { level = \"debug\"; };\n" POOL(
                                          "1", "16") "jobs: ( " NOTHING " );\n");
    if (system("unshare -m true 2>/dev/null") != 0) {
        printf("no mount namespaces here: not tested\n");
        return;
    }
    scene_spawn_by(scene, "mkdir \"$2/disk\" && exec unshare -m sh -c 'mount -t tmpfs -o "
                          "size=64k none \"$2/disk\" && exec \"$0\" supervise -c \"$1\" "
                          "2>>\"$2/disk/log\"' \"$0\" \"$1\" \"$2\"");
    WAIT_FOR(runs());
    scene_push_many(scene, "{\"job\":\"nothing\",\"id\":@}", 1000);
    WAIT_FOR(done_ct() == 1000);
    (void)snprintf(path, sizeof(path), "/proc/%d/fd/2", (int)scene->supervisor);
    fd = open(path, O_RDWR | O_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_gt(lseek(fd, 0, SEEK_END), 60000); /* full */
    ck_assert_int_eq(ftruncate(fd, 0), 0);
    ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
    scene_push_many(scene, "{\"job\":\"nothing\",\"id\":@}", 1);
    WAIT_FOR(pipe_has(fd, "event=log.dropped"));
    ck_assert_int_eq(close(fd), 0);
    ck_assert_int_eq(scene_worker(scene, 0, 0, "restarts"), 0);
}
END_TEST

START_TEST(a_full_disk_for_the_state_directory_is_said_and_starts_nothing)
{
    scene = scene_create(SCENE_REDIS, POOL("1", "1") "jobs: ( " NOTHING " );\n");
    if (system("unshare -m true 2>/dev/null") != 0)
        return;
    scene_spawn_by(scene,
                   "mkdir \"$2/state\" && exec unshare -m sh -c 'mount -t tmpfs -o "
                   "size=4k none \"$2/state\"; head -c 9000 /dev/zero >\"$2/state/x\" "
                   "2>/dev/null; exec \"$0\" supervise -c \"$1\"' \"$0\" \"$1\" \"$2\"");
    WAIT_FOR(waitpid(scene->supervisor, &scene->exit_status, WNOHANG) ==
             scene->supervisor);
    scene->supervisor = 0;
    ck_assert_int_eq(WEXITSTATUS(scene->exit_status), 1);
    ck_assert(scene_log_has(scene, "event=supervisor.start_failed"));
    ck_assert(scene_log_has(scene, "state: No space left on device"));
}
END_TEST

START_TEST(a_state_directory_that_cannot_be_is_named)
{
    char path[128];
    FILE *file;

    scene = scene_create(SCENE_REDIS, POOL("1", "1") "jobs: ( " NOTHING " );\n");
    (void)snprintf(path, sizeof(path), "%s/state", scene->dir);
    file = fopen(path, "we"); /* a file is in the way; root could write anywhere */
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(fclose(file), 0);
    ck_assert_int_ne(scene_run(scene, "supervise", NULL), 0);
    ck_assert_ptr_nonnull(strstr(scene->err, path));
    ck_assert_int_eq(unlink(path), 0);
}
END_TEST

/* ---- jobs ---- */

START_TEST(a_job_gets_its_documented_surroundings_and_nothing_else)
{
    char *text;

    ck_assert_int_eq(setenv("REDIS_PASSWORD_CANARY", "secret", 1), 0);
    scene = scene_create(
        SCENE_REDIS,
        POOL("1", "1") "jobs: ( " SH(
            "look",
            "cd /proc/self/fd; ls | wc -l > $1/fds; env | cut -d= -f1 | sort > $1/env; "
            "grep -E '^(SigBlk|SigIgn)' /proc/self/status > $1/signals; umask > "
            "$1/umask; "
            "echo end > $1/end",
            "env = [ \"OWN=1\" ];") " );\n");
    scene_start(scene);
    scene_do(scene, "push", "look");
    WAIT_FOR(scene_lines(scene, "end") == 1);
    text = scene_read(scene, "env");
    ck_assert_ptr_null(strstr(text, "CANARY"));
    ck_assert_str_eq(
        text,
        "DROVER_ATTEMPT\nDROVER_JOB\nDROVER_JOB_ATTEMPT\n"
        "DROVER_JOB_MAX_TRIES\nDROVER_JOB_QUEUE\nDROVER_JOB_UUID\n"
        "DROVER_MAX_TRIES\nDROVER_QUEUE\nLANG\nOLDPWD\nOWN\nPATH\nPWD\n"); /* cd's two,
                                                                              and those of
                                                                              command.c */
    free(text);
    text = scene_read(scene, "signals");
    ck_assert_str_eq(text, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
    free(text);
    (void)unsetenv("REDIS_PASSWORD_CANARY");
}
END_TEST

/* It forks on when it may not, up to its limit, until it is killed. Where another user
 * can read it: braces in a command would be a placeholder. */
static void write_bomb(void)
{
    char path[128];
    FILE *file;

    ck_assert_int_eq(chmod(scene->dir, 0755), 0);
    (void)snprintf(path, sizeof(path), "%s/bomb", scene->dir);
    file = fopen(path, "we");
    ck_assert_ptr_nonnull(file);
    fputs("print STDERR \"as user $<\\n\"; while (1) { fork; select undef, undef, undef, "
          "0.01 }\n",
          file);
    ck_assert_int_eq(fclose(file), 0);
}

/* Of the only failed job; borrowed until the next command. */
static const char *failed_text(void)
{
    return scene_redis(scene, "EVAL",
                       "local uuid = redis.call('ZRANGE', 'drover:failed', 0, 0)[1] "
                       "return redis.call('HGET', 'drover:failed:' .. uuid, 'exception')",
                       "0", NULL);
}

START_TEST(a_gigabyte_of_output_and_a_fork_bomb_end_with_their_jobs)
{
    long before_kib;
    pid_t worker;

    scene = scene_create(
        SCENE_REDIS, POOL("1", "4") "jobs: ( " NOTHING
                                    ", " SH("chatty", "head -c 1G /dev/zero", "") ", " SH(
                                        "bomb",
                                        "exec prlimit --nproc=40 setpriv --reuid 64999 "
                                        "--clear-groups perl $1/bomb",
                                        "timeout = 3; kill_grace = 0.2;") " );\n");
    write_bomb();
    scene_start(scene);
    worker = (pid_t)scene_worker(scene, 0, 0, "pid");
    scene_do(scene, "push", "nothing");
    WAIT_FOR(done_ct() == 1);
    before_kib = memory_anonymous_kib(worker);
    scene_do(scene, "push", "bomb");
    scene_do(scene, "push", "chatty");
    WAIT_FOR(done_ct() == 2);
    WAIT_FOR(failed_ct() == 1);
    if (!is_sanitized())
        WAIT_FOR(memory_anonymous_kib(worker) - before_kib <= 2048);
    ck_assert_int_eq(scene_worker(scene, 0, 0, "pid"), worker);
    if (geteuid() == 0)
        ck_assert_msg(strncmp(failed_text(), "timed out", 9) == 0 &&
                          strstr(failed_text(), "as user 64999") != NULL,
                      "no bomb went off: %s", failed_text());
    WAIT_FOR(system("grep -qs '^Uid:.64999' /proc/[0-9]*/status") != 0);
}
END_TEST

START_TEST(each_ending_of_a_job_is_told)
{
    static const char *const reasons[] = {"exit status 1", "exit status 255",
                                          "exit status 127", "killed by SIGKILL",
                                          "killed by SIGSEGV"};
    char *log;

    scene = scene_create(
        SCENE_REDIS,
        POOL("1", "8") "jobs: ( " SH("a", "exit 1", "") ", " SH(
            "b", "exit 255", "") ", " SH("c", "exit 127",
                                         "") ", " SH("d", "kill -KILL $$",
                                                     "") ", " SH("e", "kill -SEGV $$",
                                                                 "") " );\n");
    scene_start(scene);
    for (const char *name = "abcde"; *name; name++) {
        char job[] = {*name, '\0'};

        scene_do(scene, "push", job);
    }
    WAIT_FOR(failed_ct() == 5);
    log = scene_read(scene, "log");
    for (size_t i = 0; i < ARRAY_CT(reasons); i++)
        ck_assert_msg(strstr(log, reasons[i]) != NULL, "%s", reasons[i]);
    free(log);
}
END_TEST

/* ---- operators ---- */

static int connect_control(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%.80s/state/control.sock",
                   scene->dir);
    ck_assert_int_ge(fd, 0);
    WAIT_FOR(connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 ||
             errno == EISCONN);
    return fd;
}

START_TEST(rubbish_on_the_control_socket_holds_up_nobody)
{
    enum { CLIENTS = 100 };
    static const char *const words[] = {"{\"cmd\":", "\xff\xfe\n", "[[[[[[[[\n", "\n\n\n",
                                        "{\"cmd\":\"scale\",\"pool\":1}\n"};
    char flood[4096];
    int fds[CLIENTS];
    pid_t worker;

    memset(flood, 'x', sizeof(flood));
    scene = scene_create(SCENE_REDIS, POOL("1", "4") "jobs: ( " NOTHING " );\n");
    scene_start(scene);
    worker = (pid_t)scene_worker(scene, 0, 0, "pid");
    for (size_t i = 0; i < CLIENTS; i++) {
        const char *word = words[i % ARRAY_CT(words)];

        fds[i] = connect_control();
        (void)!send(fds[i], word, strlen(word), MSG_NOSIGNAL);
        if (i % 7 == 0)
            for (int j = 0; j < 100; j++)
                (void)!send(fds[i], flood, sizeof(flood), MSG_NOSIGNAL);
    }
    ck_assert_int_eq(kill(worker, SIGKILL), 0); /* supervision goes on meanwhile */
    WAIT_FOR(runs() && scene_worker(scene, 0, 0, "pid") != worker);
    scene_push_many(scene, "{\"job\":\"nothing\",\"id\":@}", 10);
    WAIT_FOR(done_ct() == 10);
    for (size_t i = 0; i < CLIENTS; i++)
        ck_assert_int_eq(close(fds[i]), 0);
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_checked_fixture(tc, NULL, clear_stage);
    tcase_add_test(tc, without_standard_streams_it_runs_all_the_same);
    tcase_add_test(tc, a_log_that_nobody_reads_or_that_is_hung_up_holds_up_no_job);
    tcase_add_test(tc, a_full_disk_for_the_log_holds_up_no_job_and_ends);
    tcase_add_test(tc, a_full_disk_for_the_state_directory_is_said_and_starts_nothing);
    tcase_add_test(tc, a_state_directory_that_cannot_be_is_named);
    tcase_add_test(tc, a_job_gets_its_documented_surroundings_and_nothing_else);
    tcase_add_test(tc, a_gigabyte_of_output_and_a_fork_bomb_end_with_their_jobs);
    tcase_add_test(tc, each_ending_of_a_job_is_told);
    tcase_add_test(tc, rubbish_on_the_control_socket_holds_up_nobody);
}

int main(void)
{
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    return run_suite("faults_system", 180, add);
}
