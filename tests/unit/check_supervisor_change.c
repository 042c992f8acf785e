/* The supervisor as a process: reloads, what the service manager is told, and the
 * embedded redis-server. */
#include <check.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "tests/support/wait.h"
#include "tests/unit/suite.h"
#include "tests/unit/supervisor_scene.h"

/* ---- reload ---- */

static json_int_t count_stale(void)
{
    json_t *answer = status();
    json_t *stale = json_object_get(answer, "stale");
    json_int_t ct = json_integer_value(stale);

    ck_assert(json_is_integer(stale));
    json_decref(answer);
    return ct;
}

START_TEST(workers_still_to_be_replaced_are_counted)
{
    start(POOLS(POOL("main", "2")));
    ck_assert_int_eq(count_stale(), 0);
    stage_all(ACT_STUBBORN);
    json_decref(ask(json_pack("{s:s}", "cmd", "reload")));
    ck_assert_int_eq(count_stale(), 2);
    stage_all(ACT_LEAVE);
    WAIT_FOR(stage->starts[0] >= 2 && stage->starts[1] >= 2);
    stage_all(ACT_WORK);
    WAIT_FOR(count_stale() == 0);
}
END_TEST

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
    WAIT_FOR(count_stale() == 0);
    ck_assert_uint_eq(count_notes("RELOADING=1\nMONOTONIC_USEC="), 1);
    WAIT_FOR(count_notes("READY=1") == 2);
    ck_assert_int_eq(worker_number(0, 0, "restarts"), 0); /* asked for: none */
}
END_TEST

START_TEST(what_needs_a_restart_is_named_and_stays)
{
    pid_t before;
    char *text;

    start(POOLS(POOL("main", "1")));
    before = worker_pid(0, 0);
    text =
        must_format("state_dir = \"%s/other\";\nredis: { url = \"unix://%s/other\"; };\n"
                    "user = \"nobody\";\n" POOLS(POOL("main", "1")),
                    dir, dir);
    write_file(conf, text);
    free(text);
    json_decref(ask(json_pack("{s:s}", "cmd", "reload")));
    ck_assert(log_has("settings=\"state_dir, user, redis.url\""));
    WAIT_FOR(worker_pid(0, 0) != before && count_running(0) >= 1);
    ck_assert_str_eq(stage->state_dir, state_dir);
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

static void make_empty(void)
{
    write_file(conf, "# nothing\n");
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

static void (*const bad_files[])(void) = {
    make_missing, make_directory,     make_half,  make_empty, make_binary,
    make_unknown, make_out_of_bounds, make_twice, make_huge};

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
    await_ready();
    WAIT_FOR(stat(socket, &st) == 0 && (st.st_mode & 0077) == 0);
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
    await_ready();
    first = redis_pid();
    worker = worker_pid(0, 0);
    ck_assert_int_eq(kill(first, SIGSTOP), 0); /* it will be slow to end */
    WAIT_FOR(process_state(first) == 'T');     /* a TERM that comes first would end it */
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

START_TEST(where_there_is_no_redis_server_valkey_server_is_embedded)
{
    char *socket = must_format("%s/redis.sock", state_dir);
    char *bin = must_format("%s/bin", state_dir);
    char *command = must_format("mkdir -p %s && ln -s \"$(readlink -f \"$(command -v "
                                "redis-server)\")\" %s/valkey-server",
                                bin, bin);
    char path[PATH_MAX];

    ck_assert_int_eq(system(command), 0);
    configure_embedded();
    (void)snprintf(path, sizeof(path), "%s", getenv("PATH"));
    ck_assert_int_eq(setenv("PATH", bin, 1), 0);
    begin();
    ck_assert_int_eq(setenv("PATH", path, 1), 0);
    await_ready();
    WAIT_FOR(access(socket, F_OK) == 0);
    stop(SIGTERM);
    free(command);
    free(bin);
    free(socket);
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
    tcase_add_test(tc, workers_still_to_be_replaced_are_counted);
    tcase_add_test(tc, a_good_file_is_taken_up);
    tcase_add_test(tc, what_needs_a_restart_is_named_and_stays);
    tcase_add_loop_test(tc, a_bad_file_changes_nothing, 0, ARRAY_CT(bad_files));
    tcase_add_test(tc, the_status_line_follows_the_workers);
    tcase_add_test(tc, the_watchdog_is_fed);
    tcase_add_test(tc, a_missing_redis_server_is_named_with_its_package);
    if (redis_is_installed()) {
        tcase_add_test(tc, the_embedded_server_is_restarted_and_stopped_last);
        tcase_add_test(tc, no_second_server_runs_on_the_same_data);
        tcase_add_test(tc, where_there_is_no_redis_server_valkey_server_is_embedded);
    }
}

int main(void)
{
    return run_suite("supervisor_change", 120, add_tests);
}
