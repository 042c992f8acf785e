/* The supervisor as a process, with workers that do what the test tells them to: start,
 * signals, commands, reload, stop, and that nothing is left behind. */
#include <check.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "supervisor/control.h"
#include "supervisor/notify.h"
#include "tests/support/wait.h"
#include "tests/unit/fake_worker.h"
#include "tests/unit/suite.h"

enum { NOTES_MAX = 64, NOTE_BYTES = 256, ASK_MS = 20000, EARLY_STOPS = 40 };

/* What the supervisor told the service manager, in memory that it shares with the test.
 */
struct notes {
    _Atomic unsigned ct;
    char text[NOTES_MAX][NOTE_BYTES];
};

static struct notes *notes;
static char dir[64], conf[96], state_dir[96], control_path[128], log_path[96];
static pid_t supervisor;

static int note_state(int unset_environment UNUSED, const char *state)
{
    unsigned ct = notes->ct;

    if (ct < NOTES_MAX) {
        (void)snprintf(notes->text[ct], NOTE_BYTES, "%s", state);
        notes->ct = ct + 1;
    }
    return 1;
}

static unsigned count_notes(const char *part)
{
    unsigned ct = 0;

    for (unsigned i = 0; i < notes->ct; i++)
        ct += strstr(notes->text[i], part) != NULL;
    return ct;
}

/* ---- files ---- */

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");

    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(text, file), 0);
    ck_assert_int_eq(fclose(file), 0);
}

static void configure(const char *more)
{
    char *text =
        must_format("state_dir = \"%s\";\nredis: { url = \"unix://%s/none\"; };\n%s",
                    state_dir, dir, more);

    write_file(conf, text);
    free(text);
}

#define POOL(name, workers)                                                              \
    "{ name = \"" name "\"; workers = " workers "; concurrency = 2; }"
#define POOLS(list) "pools: ( " list " );\n"

static bool log_has(const char *part)
{
    static char text[1 << 18];
    FILE *file = fopen(log_path, "re");
    size_t n = file ? fread(text, 1, sizeof(text) - 1, file) : 0;

    text[n] = '\0';
    if (file)
        (void)fclose(file);
    return strstr(text, part) != NULL;
}

/* ---- the scene ---- */

static void open_scene(void)
{
    stage_open();
    notes = mmap(NULL, sizeof(*notes), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                 -1, 0);
    ck_assert_ptr_ne(notes, MAP_FAILED);
    (void)snprintf(dir, sizeof(dir), "/tmp/drover-supervisor-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    (void)snprintf(conf, sizeof(conf), "%s/drover.conf", dir);
    (void)snprintf(state_dir, sizeof(state_dir), "%s/state", dir);
    (void)snprintf(control_path, sizeof(control_path), "%s/control.sock", state_dir);
    (void)snprintf(log_path, sizeof(log_path), "%s/log", dir);
    ck_assert_int_eq(unsetenv("REDIS_URL"), 0);
    /* Whoever the supervisor leaves behind comes to this process. */
    ck_assert_int_eq(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
}

static int remove_tree(const char *path)
{
    char *command = must_format("exec rm -rf -- %s", path);
    int status = system(command);

    free(command);
    return status;
}

static void close_scene(void)
{
    stage_all(ACT_WORK);
    if (supervisor > 0) {
        ck_assert_int_eq(kill(supervisor, SIGKILL), 0);
        ck_assert_int_eq(waitpid(supervisor, NULL, 0), supervisor);
        supervisor = 0;
        while (waitpid(-1, NULL, 0) > 0) /* its workers end with it */
            continue;
    }
    ck_assert_int_eq(remove_tree(dir), 0);
    stage_close();
}

/* In the child. Signals stay blocked until the supervisor is ready for them. */
static int live(void)
{
    struct supervisor_options options = {
        .config_path = conf, .load = config_load, .worker = fake_worker};
    struct err err = {0};
    int log_fd = open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

    (void)dup2(log_fd, STDERR_FILENO);
    (void)close(log_fd);
    notify_send_hook = note_state;
    options.config = config_load(conf, &err);
    if (options.config == NULL) {
        (void)fprintf(stderr, "%s\n", err.text);
        return 99;
    }
    return supervisor_run(&options);
}

static void begin(void)
{
    sigset_t all, old;

    (void)sigfillset(&all);
    (void)sigprocmask(SIG_BLOCK, &all, &old);
    supervisor = fork();
    ck_assert_int_ge(supervisor, 0);
    if (supervisor == 0)
        _exit(live());
    (void)sigprocmask(SIG_SETMASK, &old, NULL);
}

static void start(const char *pools)
{
    configure(pools);
    begin();
    WAIT_FOR(count_notes("READY=1") == 1);
}

static int await_exit(void)
{
    int status;

    ck_assert_int_eq(waitpid(supervisor, &status, 0), supervisor);
    supervisor = 0;
    ck_assert(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void nothing_is_left(void)
{
    ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1); /* no process */
    ck_assert_int_eq(errno, ECHILD);
    ck_assert_int_eq(access(control_path, F_OK), -1);
}

static void stop(int signum)
{
    ck_assert_int_eq(kill(supervisor, signum), 0);
    ck_assert_int_eq(await_exit(), 0);
    nothing_is_left();
}

/* ---- asking ---- */

static json_t *ask(json_t *request)
{
    struct err err = {0};
    json_t *answer = control_ask(control_path, request, ASK_MS, &err);

    ck_assert_msg(answer != NULL, "%s", err.text);
    return answer;
}

static void ask_in_vain(json_t *request, const char *part)
{
    struct err err = {0};

    ck_assert_ptr_null(control_ask(control_path, request, ASK_MS, &err));
    ck_assert_int_eq(err.code, ERR_REPLY);
    ck_assert_msg(strstr(err.text, part) != NULL, "%s", err.text);
}

static json_t *status(void)
{
    return ask(json_pack("{s:s}", "cmd", "status"));
}

static json_int_t worker_number(size_t pool, size_t slot, const char *what)
{
    json_t *answer = status();
    json_t *workers = json_object_get(
        json_array_get(json_object_get(answer, "pools"), pool), "workers");
    json_int_t number =
        json_integer_value(json_object_get(json_array_get(workers, slot), what));

    json_decref(answer);
    return number;
}

static pid_t worker_pid(size_t pool, size_t slot)
{
    return (pid_t)worker_number(pool, slot, "pid");
}

static size_t count_running(size_t pool)
{
    json_t *answer = status();
    json_t *workers = json_object_get(
        json_array_get(json_object_get(answer, "pools"), pool), "workers");
    size_t ct = 0;

    for (size_t i = 0; i < json_array_size(workers); i++) {
        const char *state =
            json_string_value(json_object_get(json_array_get(workers, i), "state"));

        ct += state && strcmp(state, "running") == 0;
    }
    json_decref(answer);
    return ct;
}

/* ---- start and stop ---- */

static const int end_signals[] = {SIGTERM, SIGINT, SIGQUIT};

START_TEST(a_stop_leaves_nothing_behind)
{
    start(POOLS(POOL("main", "2") ", " POOL("mails", "1")));
    ck_assert_uint_eq(count_running(0), 2);
    stop(end_signals[_i]);
    ck_assert_uint_eq(stage->terms[0] + stage->terms[1], 3);
    ck_assert_uint_eq(count_notes("STOPPING=1"), 1);
    ck_assert(log_has("event=supervisor.end"));
}
END_TEST

START_TEST(a_stop_at_any_moment_of_the_start_is_a_stop)
{
    configure(POOLS(POOL("main", "3")));
    for (unsigned i = 0; i < EARLY_STOPS; i++) {
        struct timespec moment = {.tv_nsec = (long)i * 200000};

        begin();
        (void)nanosleep(&moment, NULL); /* each time a little later: nothing is awaited */
        stop(SIGTERM);
    }
}
END_TEST

START_TEST(the_second_signal_ends_stubborn_workers_soon)
{
    int64_t since_ms;

    stage_all(ACT_STUBBORN);
    start("stop_grace = 600;\n" POOLS(POOL("main", "2")));
    since_ms = wait_now_ms();
    ck_assert_int_eq(kill(supervisor, SIGTERM), 0);
    WAIT_FOR(stage->terms[0] == 1 && stage->terms[1] == 1);
    stop(SIGTERM);
    ck_assert_uint_eq(stage->terms[0], 2);
    ck_assert_int_lt(wait_now_ms() - since_ms, 600000);
}
END_TEST

static int leave_daemon(const struct config *config, const struct pool_config *pool,
                        const struct redis_endpoint *endpoint, unsigned slot,
                        struct board *board)
{
    if (fork() == 0) {
        (void)setsid();
        if (fork() > 0)
            _exit(0);
        stage->group = getpid();
        for (;;)
            (void)pause();
    }
    return fake_worker(config, pool, endpoint, slot, board);
}

static void begin_with(worker_entry entry)
{
    supervisor = fork();
    ck_assert_int_ge(supervisor, 0);
    if (supervisor == 0) {
        struct supervisor_options options = {
            .config_path = conf, .load = config_load, .worker = entry};
        struct err err = {0};

        notify_send_hook = note_state;
        options.config = config_load(conf, &err);
        _exit(options.config ? supervisor_run(&options) : 99);
    }
}

START_TEST(daemons_that_jobs_left_are_ended_with_the_supervisor)
{
    configure(POOLS(POOL("main", "1")));
    begin_with(leave_daemon);
    WAIT_FOR(count_notes("READY=1") == 1 && stage->group > 0);
    ck_assert(process_exists(stage->group));
    stop(SIGTERM);
    ck_assert(!process_exists(stage->group));
}
END_TEST

START_TEST(workers_end_with_a_supervisor_that_was_killed)
{
    pid_t workers[2];

    start(POOLS(POOL("main", "2")));
    workers[0] = worker_pid(0, 0);
    workers[1] = worker_pid(0, 1);
    ck_assert_int_eq(kill(supervisor, SIGKILL), 0);
    ck_assert_int_eq(waitpid(supervisor, NULL, 0), supervisor);
    supervisor = 0;
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(waitpid(workers[i], NULL, 0), workers[i]);
    ck_assert_uint_eq(stage->terms[0] + stage->terms[1], 2);
    start(POOLS(POOL("main", "2"))); /* the dead one's lock and socket do not matter */
}
END_TEST

START_TEST(a_second_supervisor_is_refused)
{
    pid_t first;
    char *expected;

    start(POOLS(POOL("main", "1")));
    first = supervisor;
    begin();
    ck_assert_int_eq(await_exit(), SUPERVISOR_EXIT_CONFIG);
    expected =
        must_format("another supervisor (pid %d) runs in %s", (int)first, state_dir);
    ck_assert(log_has(expected));
    free(expected);
    supervisor = first;
    ck_assert_uint_eq(count_running(0), 1);
}
END_TEST

START_TEST(closed_standard_descriptors_are_filled)
{
    configure(POOLS(POOL("main", "1")));
    supervisor = fork();
    if (supervisor == 0) {
        struct supervisor_options options = {
            .config_path = conf, .load = config_load, .worker = fake_worker};
        struct err err;

        notify_send_hook = note_state;
        options.config = config_load(conf, &err);
        for (int fd = 0; fd <= STDERR_FILENO; fd++)
            (void)close(fd);
        _exit(supervisor_run(&options));
    }
    WAIT_FOR(count_notes("READY=1") == 1);
    for (int fd = 0; fd <= STDERR_FILENO; fd++) {
        char *link = must_format("/proc/%d/fd/%d", (int)supervisor, fd);
        char target[64] = {0};

        ck_assert_int_gt(readlink(link, target, sizeof(target) - 1), 0);
        ck_assert_str_eq(target, "/dev/null");
        free(link);
    }
    ck_assert_uint_eq(count_running(0), 1);
    stop(SIGTERM);
}
END_TEST

/* ---- commands and signals ---- */

START_TEST(status_has_the_shape_that_programs_rely_on)
{
    json_t *answer;
    json_int_t pid, uptime, slot, worker, running, done, failed, restarts;
    const char *state, *name, *worker_state;
    json_t *up;

    stage->done_each = 3;
    start(POOLS(POOL("main", "1")));
    answer = status();
    ck_assert_int_eq(
        json_unpack(
            answer,
            "{s:{s:I, s:s, s:I}, s:[{s:s, s:[{s:I, s:I, s:s, s:I, s:I, s:I, s:I}]}],"
            " s:{s:o}}",
            "supervisor", "pid", &pid, "state", &state, "uptime_s", &uptime, "pools",
            "name", &name, "workers", "slot", &slot, "pid", &worker, "state",
            &worker_state, "running", &running, "done", &done, "failed", &failed,
            "restarts", &restarts, "redis", "up", &up),
        0);
    ck_assert_int_eq(pid, supervisor);
    ck_assert_str_eq(state, "running");
    ck_assert_int_ge(uptime, 0);
    ck_assert_str_eq(name, "main");
    ck_assert_int_eq(slot, 0);
    ck_assert(process_exists((pid_t)worker));
    ck_assert_str_eq(worker_state, "running");
    ck_assert_int_eq(done, 3);
    ck_assert_int_eq(running + failed + restarts, 0);
    ck_assert(json_is_true(up));
    json_decref(answer);
}
END_TEST

static void scale(const char *pool, int workers)
{
    json_decref(ask(
        json_pack("{s:s, s:s, s:i}", "cmd", "scale", "pool", pool, "workers", workers)));
}

START_TEST(commands_and_signals_scale)
{
    start(POOLS(POOL("main", "1") ", " POOL("mails", "1")));
    scale("mails", 3);
    WAIT_FOR(count_running(1) == 3);
    ck_assert_int_eq(kill(supervisor, SIGTTIN), 0);
    WAIT_FOR(count_running(0) == 2);
    ck_assert_int_eq(kill(supervisor, SIGTTOU), 0);
    WAIT_FOR(count_running(0) == 1);
    ck_assert_int_eq(kill(supervisor, SIGTTOU), 0);
    WAIT_FOR(count_running(0) == 0);
    ck_assert_int_eq(kill(supervisor, SIGTTOU), 0);
    WAIT_FOR(log_has("event=supervisor.scale_refused"));
    ask_in_vain(json_pack("{s:s, s:s, s:i}", "cmd", "scale", "pool", "x", "workers", 1),
                "no pool named x (known: main, mails)");
    ask_in_vain(
        json_pack("{s:s, s:s, s:i}", "cmd", "scale", "pool", "main", "workers", 257),
        "0 to 256");
}
END_TEST

START_TEST(a_stop_by_command_is_answered_first)
{
    json_t *answer;

    start(POOLS(POOL("main", "1")));
    answer = ask(json_pack("{s:s}", "cmd", "stop"));
    ck_assert_int_eq(json_integer_value(json_object_get(answer, "pid")), supervisor);
    json_decref(answer);
    ck_assert_int_eq(await_exit(), 0);
    nothing_is_left();
}
END_TEST

START_TEST(pause_signals_are_passed_over)
{
    start(POOLS(POOL("main", "1")));
    ck_assert_int_eq(kill(supervisor, SIGUSR1), 0);
    ck_assert_int_eq(kill(supervisor, SIGUSR2), 0);
    WAIT_FOR(log_has("signal=SIGUSR1") && log_has("signal=SIGUSR2"));
    ck_assert_uint_eq(count_running(0), 1);
}
END_TEST

/* ---- reload ---- */

START_TEST(a_good_file_is_taken_up)
{
    pid_t before;

    start(POOLS(POOL("main", "1") ", " POOL("mails", "1")));
    before = worker_pid(0, 0);
    configure(POOLS(POOL("main", "2") ", " POOL("slow", "1")));
    ck_assert_int_eq(kill(supervisor, SIGHUP), 0);
    WAIT_FOR(count_running(0) == 2 && worker_pid(0, 0) != before);
    WAIT_FOR(count_running(1) == 1);
    WAIT_FOR(!log_has("supervisor.reload_failed") && log_has("event=supervisor.reload "));
    ck_assert_uint_eq(count_notes("RELOADING=1\nMONOTONIC_USEC="), 1);
    WAIT_FOR(count_notes("READY=1") == 2);
    ck_assert_int_eq(worker_number(0, 0, "restarts"), 1);
}
END_TEST

START_TEST(what_needs_a_restart_is_named_and_stays)
{
    char *text;

    start(POOLS(POOL("main", "1")));
    text =
        must_format("state_dir = \"%s/other\";\nredis: { url = \"unix://%s/other\"; };\n"
                    "user = \"nobody\";\n",
                    dir, dir);
    write_file(conf, text);
    free(text);
    json_decref(ask(json_pack("{s:s}", "cmd", "reload")));
    ck_assert(log_has("settings=\"state_dir, user, redis.url\""));
    WAIT_FOR(worker_number(0, 0, "restarts") == 1 && count_running(0) >= 1);
    stop(SIGTERM); /* the socket is where it was */
}
END_TEST

/* Each makes the file what no supervisor may take. */
static void make_missing(void)
{
    ck_assert_int_eq(unlink(conf), 0);
}

static void make_directory(void)
{
    ck_assert_int_eq(unlink(conf), 0);
    ck_assert_int_eq(mkdir(conf, 0700), 0);
}

static void make_half(void)
{
    write_file(conf, "state_dir = \"/tmp/x\";\npools: ( { name = \"ma");
}

static void make_binary(void)
{
    write_file(conf, "\x7f\x45LF\x02\x01\xff\xfe{{{{");
}

static void make_out_of_bounds(void)
{
    configure(POOLS("{ name = \"main\"; workers = 100000; }"));
}

static void make_unknown(void)
{
    configure("no_such_setting = 1;\n");
}

static void make_twice(void)
{
    configure(POOLS(POOL("main", "1") ", " POOL("main", "2")));
}

static void make_huge(void)
{
    FILE *file = fopen(conf, "we");

    ck_assert_ptr_nonnull(file);
    for (int i = 0; i < 2000000; i++)
        (void)fputs("x = 1;\n", file);
    ck_assert_int_eq(fclose(file), 0);
}

static void (*const bad_files[])(void) = {make_missing, make_directory,     make_half,
                                          make_binary,  make_out_of_bounds, make_unknown,
                                          make_twice,   make_huge};

START_TEST(a_bad_file_changes_nothing)
{
    pid_t before;

    start(POOLS(POOL("main", "2")));
    before = worker_pid(0, 0);
    bad_files[_i]();
    ask_in_vain(json_pack("{s:s}", "cmd", "reload"), "drover.conf");
    ck_assert(log_has("event=supervisor.reload_failed"));
    ck_assert_int_eq(kill(supervisor, SIGHUP), 0);
    WAIT_FOR(count_notes("RELOADING=1") == 2);
    WAIT_FOR(count_notes("READY=1") == 3);
    ck_assert_uint_ge(count_notes("last reload failed: "), 1);
    ck_assert_uint_eq(count_running(0), 2);
    ck_assert_int_eq(worker_pid(0, 0), before);
    ck_assert_int_eq(remove_tree(conf), 0);
    configure(POOLS(POOL("main", "2"))); /* and it is not stuck */
    json_decref(ask(json_pack("{s:s}", "cmd", "reload")));
    WAIT_FOR(worker_pid(0, 0) != before);
}
END_TEST

/* ---- the service manager ---- */

START_TEST(the_status_line_follows_the_workers)
{
    stage->act[0] = ACT_REFUSE;
    configure(POOLS(POOL("main", "2")));
    begin();
    WAIT_FOR(count_notes("STATUS=starting: 1 of 2 workers running, 1 stopped by a bad "
                         "configuration") == 1);
    ck_assert_uint_eq(count_notes("READY=1"), 0);
    stage->act[0] = ACT_WORK;
    stage->link_down = 1;
    json_decref(ask(json_pack("{s:s}", "cmd", "reload")));
    WAIT_FOR(count_notes("READY=1") == 1);
    WAIT_FOR(count_notes("STATUS=2 workers running; redis down") >= 1);
    for (unsigned i = 1; i < notes->ct; i++)
        ck_assert_str_ne(notes->text[i], notes->text[i - 1]);
}
END_TEST

START_TEST(the_watchdog_is_fed)
{
    ck_assert_int_eq(setenv("WATCHDOG_USEC", "100000", 1), 0);
    ck_assert_int_eq(unsetenv("WATCHDOG_PID"), 0);
    start(POOLS(POOL("main", "1")));
#ifdef HAVE_SYSTEMD
    WAIT_FOR(count_notes("WATCHDOG=1") >= 5);
#endif
    ck_assert_int_eq(unsetenv("WATCHDOG_USEC"), 0);
}
END_TEST

/* ---- the embedded redis-server ---- */

static void configure_embedded(void)
{
    char *text = must_format(
        "state_dir = \"%s\";\nredis: { url = \"embedded\"; };\n" POOLS(POOL("main", "1")),
        state_dir);

    write_file(conf, text);
    free(text);
}

static pid_t redis_pid(void)
{
    char *log =
        must_format("sed -n 's/.*event=redis_server.start .*pid=\\([0-9]*\\).*/\\1/p'"
                    " %s | tail -n 1",
                    log_path);
    FILE *pipe = popen(log, "re");
    int pid = 0;

    ck_assert_ptr_nonnull(pipe);
    if (fscanf(pipe, "%d", &pid) != 1)
        pid = 0;
    (void)pclose(pipe);
    free(log);
    return (pid_t)pid;
}

static bool redis_is_installed(void)
{
    return system("command -v redis-server >/dev/null") == 0;
}

START_TEST(the_embedded_server_is_restarted_and_stopped_last)
{
    char *socket = must_format("%s/redis.sock", state_dir);
    struct stat st;
    pid_t first;

    configure_embedded();
    begin();
    WAIT_FOR(count_notes("READY=1") == 1);
    WAIT_FOR(access(socket, F_OK) == 0);
    ck_assert_int_eq(stat(socket, &st), 0);
    ck_assert_int_eq(st.st_mode & 0077, 0);
    first = redis_pid();
    ck_assert_int_eq(kill(first, SIGKILL), 0);
    WAIT_FOR(redis_pid() != first);
    WAIT_FOR(log_has("event=redis_server.exit"));
    stop(SIGTERM);
    ck_assert_int_eq(access(socket, F_OK), -1);
    free(socket);
}
END_TEST

START_TEST(no_second_server_runs_on_the_same_data)
{
    pid_t first, worker;

    configure_embedded();
    begin();
    WAIT_FOR(count_notes("READY=1") == 1);
    first = redis_pid();
    worker = worker_pid(0, 0);
    ck_assert_int_eq(kill(first, SIGSTOP), 0); /* it will be slow to end */
    ck_assert_int_eq(kill(supervisor, SIGKILL), 0);
    ck_assert_int_eq(waitpid(supervisor, NULL, 0), supervisor);
    ck_assert_int_eq(waitpid(worker, NULL, 0), worker);
    begin();
    WAIT_FOR(log_has("has not ended yet"));
    ck_assert_int_eq(redis_pid(), first);
    ck_assert_int_eq(kill(first, SIGCONT), 0);
    ck_assert_int_eq(waitpid(first, NULL, 0), first);
    WAIT_FOR(redis_pid() != first);
    stop(SIGTERM);
}
END_TEST

START_TEST(a_missing_redis_server_is_named_with_its_package)
{
    configure_embedded();
    ck_assert_int_eq(setenv("PATH", "/nonexistent:", 1), 0);
    begin();
    ck_assert_int_eq(await_exit(), SUPERVISOR_EXIT_CONFIG);
    ck_assert_int_eq(setenv("PATH", "/usr/bin:/bin", 1), 0);
    ck_assert(log_has("apt install redis-server"));
    nothing_is_left();
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_checked_fixture(tc, open_scene, close_scene);
    tcase_add_loop_test(tc, a_stop_leaves_nothing_behind, 0, ARRAY_CT(end_signals));
    tcase_add_test(tc, a_stop_at_any_moment_of_the_start_is_a_stop);
    tcase_add_test(tc, the_second_signal_ends_stubborn_workers_soon);
    tcase_add_test(tc, daemons_that_jobs_left_are_ended_with_the_supervisor);
    tcase_add_test(tc, workers_end_with_a_supervisor_that_was_killed);
    tcase_add_test(tc, a_second_supervisor_is_refused);
    tcase_add_test(tc, closed_standard_descriptors_are_filled);
    tcase_add_test(tc, status_has_the_shape_that_programs_rely_on);
    tcase_add_test(tc, commands_and_signals_scale);
    tcase_add_test(tc, a_stop_by_command_is_answered_first);
    tcase_add_test(tc, pause_signals_are_passed_over);
    tcase_add_test(tc, a_good_file_is_taken_up);
    tcase_add_test(tc, what_needs_a_restart_is_named_and_stays);
    tcase_add_loop_test(tc, a_bad_file_changes_nothing, 0, ARRAY_CT(bad_files));
    tcase_add_test(tc, the_status_line_follows_the_workers);
    tcase_add_test(tc, the_watchdog_is_fed);
    tcase_add_test(tc, a_missing_redis_server_is_named_with_its_package);
    if (redis_is_installed()) {
        tcase_add_test(tc, the_embedded_server_is_restarted_and_stopped_last);
        tcase_add_test(tc, no_second_server_runs_on_the_same_data);
    }
}

int main(void)
{
    return run_suite("supervisor", 120, add_tests);
}
