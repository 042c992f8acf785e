/* drover work in a Laravel project, as a container runs it: what it ends with, what ends
 * it, what it prints, and what it leaves to a PHP worker.
 *
 * In the lines, $W goes to the project and is drover's command behind it, `push DEED
 * [CT]` pushes jobs of tests/php/deeds.php with PHP's own producer, `ready`, `held` and
 * `due` count what Redis holds, and `until CONDITION` waits for it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/support/postgres_fixture.h"
#include "tests/support/shell_fixture.h"

#define FUNCTIONS                                                                        \
    "Q=shop_database_queues:default\n"                                                   \
    "push() { i=0; while [ $i -lt ${2:-1} ]; do i=$((i + 1));\n"                         \
    "  echo \"{\\\"op\\\":\\\"push\\\",\\\"queue\\\":\\\"${3:-default}\\\","             \
    "\\\"deed\\\":{\\\"does\\\":\\\"$1\\\"}}\"; done |\n"                                \
    "  php $PHP/producer.php --socket=$S --prefix=shop_database_ > $T/pushed; }\n"       \
    "ready() { redis-cli -s $S LLEN $Q; }\n"                                             \
    "held() { redis-cli -s $S ZCARD $Q:reserved; }\n"                                    \
    "due() { redis-cli -s $S ZCARD $Q:delayed; }\n"                                      \
    "noted() { grep -c \"^$1 \" $T/ledger; }\n"                                          \
    "until_() { n=0; until eval \"$1\"; do n=$((n + 1)); [ $n -lt 1200 ] || return 9; "  \
    "sleep 0.05; done; }\n"                                                              \
    "children() { cat /proc/$1/task/*/children; }\n"                                     \
    "cd $PHP/project\n"

static void set_up(void)
{
    expect(0, "redis-cli -s $S FLUSHALL; rm -f $T/ledger $T/break $T/down $T/go; : > "
              "$T/ledger");
}

static void nothing_is_left(void)
{
    expect_out("echo $(ready) $(held) $(due)", "0 0 0");
    expect_out("find $T -name 'drover-work-*'", "");
}

/* ---- how it ends by itself ---- */

START_TEST(once_runs_one_job_and_ends)
{
    expect(0, "push ok 2; $D work redis --once");
    IN_OUT("DONE");
    expect_out("echo $(ready) $(held) $(noted start-ok)", "1 0 1");
}
END_TEST

START_TEST(once_without_a_job_ends_after_its_sleep)
{
    expect_out("$D work redis --once --sleep=0.1", "");
    expect(0, "$D queue:work --once --sleep=0");
}
END_TEST

START_TEST(once_ends_well_though_the_job_failed)
{
    expect(0, "push throw; $D work --once --tries=1");
    IN_OUT("FAIL");
    nothing_is_left();
}
END_TEST

START_TEST(stop_when_empty_runs_all_there_is)
{
    expect_out("push ok 20; $D work --stop-when-empty --concurrency 2 -q", "");
    expect_out("noted start-ok", "20");
    nothing_is_left();
}
END_TEST

START_TEST(stop_when_empty_waits_for_the_job_that_runs)
{
    expect(0, "push nap 2; $D work --stop-when-empty --concurrency 3 --sleep=0.1");
    expect_out("noted event-JobProcessed", "2");
    nothing_is_left();
}
END_TEST

START_TEST(stop_when_empty_for_a_while_ends_too)
{
    expect(0, "push ok 2; $D work --stop-when-empty-for=0.2 --sleep=0.1");
    nothing_is_left();
}
END_TEST

/* What drover leaves a PHP worker finds: the way back. */
START_TEST(max_jobs_ends_it_and_php_takes_the_rest)
{
    expect(0, "push ok 5; $D work --max-jobs=3");
    expect_out("echo $(ready) $(noted start-ok)", "2 3");
    expect(0, "php $PHP/consumer.php --socket=$S --prefix=shop_database_ --deeds=1 "
              "--ledger=$T/ledger --queues=default --max-jobs=2");
    expect_out("noted start-ok", "5");
    nothing_is_left();
}
END_TEST

/* An endpoint that refuses is left alone after the first request: what waits for it has
 * not run. */
START_TEST(max_jobs_counts_what_ran)
{
    expect(0,
           "echo 'jobs: ( { name = \"hook\"; type = \"http\"; breaker_failures = 1; "
           "url = \"http://127.0.0.1:1/\"; allow_networks = [ \"127.0.0.1\" ]; } );' "
           "> $T/hook.conf; for i in 1 2 3 4; do "
           "redis-cli -s $S RPUSH $Q '{\"job\":\"hook\",\"data\":'$i'}'; done; "
           "push ok 4; $D work -c $T/hook.conf --max-jobs=3 --tries=9 --backoff=900 -vvv "
           "2> $T/log; grep -c job.postponed $T/log");
    expect_out("grep -cE 'event=job.(done|released|failed)' $T/log", "3");
    expect(0, "[ $(noted start-ok) -lt 3 ] && [ $(ready) -ge 2 ] && [ $(held) = 0 ]");
}
END_TEST

START_TEST(max_time_ends_it)
{
    expect(0, "$D work --max-time=0.3");
}
END_TEST

START_TEST(a_php_process_that_is_too_large_ends_it_with_12)
{
    expect(12, "push leak; push ok 2; $D work --memory=32");
    expect_out("echo $(ready) $(held) $(noted event-JobProcessed)", "2 0 1");
}
END_TEST

START_TEST(queues_are_taken_in_the_order_that_is_given)
{
    expect(0, "push ok 2 low; push nap 1 high; "
              "$D work --queue=high,low --stop-when-empty");
    expect_out("grep ^start $T/ledger | cut -d' ' -f1 | tr '\\n' ' '",
               "start-nap start-ok start-ok ");
}
END_TEST

static const struct {
    int exit_code;
    const char *line, *says;
} refusals[] = {
    {1, "touch $T/break; $D work", "does not boot: LogicException: the application is"},
    {1, "cd /; $D work", "/artisan: No such file or directory: not a Laravel project"},
    {1, "$D work sync", "has the driver \"sync\""},
    {1, "$D work packed", "has the serializer \"igbinary\""},
    {1, "$D work nosuch", "no queue connection \"nosuch\""},
    {1, "REDIS_HOST=/nonexistent/r.sock $D work --once", "cannot reach Redis at unix:"},
    {1, "REDIS_HOST=/nonexistent/r.sock $D work --stop-when-empty", "cannot reach Redis"},
    {1, "$D work --php /nonexistent/php", "/nonexistent/php"},
    {1, "$D work --state-dir $T/no/such", "state_dir"},
    {2, "$D work --tries=some", "--tries: \"some\" is not a whole number"},
    {2, "$D work --trys=3", "unknown option --trys: did you mean --tries?"},
    {2, "$D work -c $T/nosuch.conf", "nosuch.conf: No such file"},
    {2, "$D work redis other", "one operand too many: other"},
};

START_TEST(what_cannot_work_is_said_at_once)
{
    expect(refusals[_i].exit_code, refusals[_i].line);
    IN_ERR(refusals[_i].says);
    ck_assert_str_eq(sh->out.data, "");
}
END_TEST

START_TEST(a_file_may_take_over_single_jobs_and_say_where_things_are)
{
    expect(0,
           "echo 'jobs: ( { name = \"task\"; type = \"shell\"; "
           "command = [ \"/bin/sh\", \"-c\", \"echo shell >> '$T'/ledger\" ]; } );' "
           "'pools: ( { name = \"other\"; queues = [ \"nosuch\" ]; } );' "
           "'state_dir = \"/nonexistent\"; redis: { prefix = \"file:\"; };' "
           "> $T/work.conf; Q=file:queues:default; "
           "redis-cli -s $S RPUSH $Q '{\"job\":\"task\"}'; push ok; "
           "redis-cli -s $S RENAME shop_database_queues:default x; "
           "redis-cli -s $S LMOVE x $Q LEFT RIGHT; "
           "$D work --stop-when-empty -c $T/work.conf > $T/lines; echo $(ready) $(held)");
    IN_OUT("0 0");
    expect_out("echo $(grep -c ^shell $T/ledger) $(noted start-ok)", "1 1");
}
END_TEST

/* ---- what ends it ---- */

#define STOP_NOW                                                                         \
    "kill -TERM $pid; until_ 'grep -q worker.drain $T/log'; kill -INT $pid; wait $pid"

static const char *const stops[] = {"TERM", "INT", "QUIT", "HUP"};

START_TEST(a_signal_lets_the_job_finish)
{
    char *line = must_format("push wait 2; $D work -v > $T/lines 2> $T/log & pid=$!; "
                             "until_ '[ $(noted start-wait) = 1 ]'; kill -%s $pid; "
                             "until_ 'grep -q worker.drain $T/log'; touch $T/go; "
                             "wait $pid; rc=$?; cat $T/lines; exit $rc",
                             stops[_i]);

    expect(0, line);
    IN_OUT("DONE");
    expect_out("echo $(ready) $(held) $(noted event-JobProcessed)", "1 0 1");
    free(line);
}
END_TEST

START_TEST(a_second_signal_gives_the_job_back)
{
    expect(0, "push hang; $D work -v 2> $T/log & pid=$!; "
              "until_ '[ $(noted start-hang) = 1 ]'; " STOP_NOW);
    expect_out("echo $(ready) $(held)", "1 0");
}
END_TEST

/* Its worker ends with it; what it could not remove goes when the next one starts. */
START_TEST(what_a_killed_one_leaves_goes_with_the_next_start)
{
    expect(0, "push hang; $D work & pid=$!; until_ '[ $(noted start-hang) = 1 ]'; "
              "worker=$(children $pid); kill -KILL $pid; wait $pid; "
              "until_ \"[ ! -e /proc/$(echo $worker)/exe ]\"; "
              "[ $(find $T -name 'drover-work-*' | wc -l) = 1 ] && "
              "redis-cli -s $S FLUSHALL && $D work --stop-when-empty");
    nothing_is_left();
}
END_TEST

START_TEST(a_signal_while_the_application_boots_ends_it)
{
    expect(0, "echo '<?php while (true) usleep(1000);' > $T/slow.php; "
              "$D work --bootstrap $T/slow.php & pid=$!; "
              "until_ '[ -n \"$(children $pid)\" ]'; kill -TERM $pid; wait $pid");
}
END_TEST

START_TEST(a_worker_that_was_killed_is_replaced)
{
    expect(0, "push hang; $D work -v 2> $T/log & pid=$!; "
              "until_ '[ $(noted start-hang) = 1 ]'; kill -KILL $(children $pid); "
              "until_ '[ $(noted start-hang) = 2 ]'; " STOP_NOW);
    expect_out("echo $(ready) $(held)", "1 0");
}
END_TEST

/* The value that is there when it first looks is that of before. */
START_TEST(a_restart_that_the_application_asks_for_ends_it)
{
    expect(
        0,
        "redis-cli -s $S SET shop_database_cache:illuminate:queue:restart 6 >/dev/null;"
        "$D work redis -v 2> $T/log & w=$!; push ok;"
        "until_ '[ $(noted start-ok) = 1 ]' || exit 9;"
        "redis-cli -s $S SET shop_database_cache:illuminate:queue:restart 7 >/dev/null;"
        "wait $w");
    expect(0, "grep -q 'event=worker.drain .*why=restart' $T/log");
    nothing_is_left();
}
END_TEST

START_TEST(in_maintenance_it_works_only_where_it_is_forced_to)
{
    expect(0, "touch $T/down; push ok; timeout 120 $D work redis --once --sleep=0.1");
    expect_out("echo $(ready) $(held) $(noted start-ok)", "1 0 0");
    expect(0, "$D work redis --once --force; rm $T/down");
    expect_out("echo $(ready) $(held) $(noted start-ok)", "0 0 1");
}
END_TEST

START_TEST(a_pause_lasts_until_it_is_told_to_go_on)
{
    expect(0,
           "$D work -v 2> $T/log & pid=$!; push ok; "
           "until_ '[ $(noted start-ok) = 1 ]'; kill -USR2 $pid; "
           "until_ 'grep -q worker.paused $T/log'; push ok; sleep 0.3; [ $(ready) = 1 ] "
           "|| exit 8; kill -CONT $pid; until_ '[ $(noted start-ok) = 2 ]'; "
           "kill -TERM $pid; wait $pid");
    nothing_is_left();
}
END_TEST

/* As in a container. Signals come from outside of its namespace, as from docker stop. */
START_TEST(as_the_first_process_it_works_and_ends_as_any_other)
{
    if (geteuid() != 0 || shell_run(sh, "unshare --pid --fork --mount-proc true") != 0) {
        printf("skipped: no pid namespace can be made here: %s\n", sh->err.data);
        return;
    }
    expect(12, "push leak; unshare --pid --fork --mount-proc $D work --memory=32");
    expect(0, "push nap; unshare --pid --fork --mount-proc $D work > $T/lines & pid=$!; "
              "until_ '[ $(noted start-nap) = 1 ]'; kill -TERM $(children $pid); "
              "wait $pid");
    expect_out("noted event-JobProcessed", "2");
    nothing_is_left();
    expect(0, "echo '<?php while (true) usleep(1000);' > $T/slow.php; "
              "unshare --pid --fork --mount-proc $D work --bootstrap $T/slow.php & "
              "pid=$!; until_ '[ -n \"$(children $(children $pid))\" ]' 2> /dev/null; "
              "kill -TERM $(children $pid); wait $pid");
}
END_TEST

/* ---- what it prints, and where jobs go that fail ---- */

START_TEST(json_lines_tell_of_each_job)
{
    expect(0, "push ok; push throw; push release; $D work --stop-when-empty --json "
              "--tries=1 2> $T/errors");
    IN_OUT("\"connection\":\"redis\",\"queue\":\"default\","
           "\"job\":\"Drover\\\\Tests\\\\Deed\",\"status\":\"starting\"");
    IN_OUT("\"status\":\"success\",\"result\":\"deleted\"");
    IN_OUT("\"status\":\"success\",\"result\":\"released\"");
    IN_OUT("\"status\":\"failed\",\"result\":\"failed\",\"attempts\":1,"
           "\"exception\":\"Drover\\\\Tests\\\\ToldToFail\","
           "\"message\":\"told to\"");
    expect_out("grep -c '^drover: failed jobs go to Redis' $T/errors", "1");
}
END_TEST

/* Nobody knows the name of such a job. */
START_TEST(a_payload_that_cannot_be_read_fails_with_a_line)
{
    expect(0, "for p in no-json '[]' '{}'; do "
              "redis-cli -s $S RPUSH $Q \"$p\" > $T/pushed; done; push ok; "
              "timeout 120 $D work --stop-when-empty --tries=3 2> $T/errors; rc=$?; "
              "! grep worker.exit $T/errors && exit $rc");
    IN_OUT(" - ..");
    expect_out("grep -c job.failed $T/errors; noted start-ok", "3\n1");
    nothing_is_left();
}
END_TEST

/* An application that logs to stderr, as in containers, is read there. */
START_TEST(what_php_prints_is_printed)
{
    expect(1, "push speak; $D work --once --php /nonexistent/php");
    expect(0, "$D work --once 2> $T/errors");
    IN_OUT("said on stdout");
    expect(0, "grep -q 'said on stderr' $T/errors");
}
END_TEST

/* status, reload and the like reach it where its state directory is known. */
START_TEST(it_can_be_asked_but_takes_no_reload)
{
    expect(2, "echo 'state_dir = \"'$T'/st\"; redis: { url = \"unix://'$S'\"; };' > "
              "$T/st.conf; $D work --state-dir $T/st & pid=$!; "
              "until_ '$D status -c $T/st.conf > $T/seen 2>&1'; "
              "$D reload -c $T/st.conf; rc=$?; $D stop -c $T/st.conf; wait $pid || rc=9; "
              "exit $rc");
    IN_ERR("it has its settings from its command line");
}
END_TEST

START_TEST(nobody_who_reads_its_lines_can_hold_it_up)
{
    expect(0, "push ok 20; mkfifo $T/lines.fifo; sleep 1000 < $T/lines.fifo & reader=$!; "
              "$D work --stop-when-empty > $T/lines.fifo; rc=$?; kill $reader; "
              "rm $T/lines.fifo; exit $rc");
    nothing_is_left();
}
END_TEST

#define DATABASE                                                                         \
    "export QUEUE_FAILED_DRIVER=database-uuids DB_HOST=$PG DB_DATABASE=postgres "        \
    "DB_USERNAME=postgres; "

START_TEST(a_failed_job_is_in_the_applications_table_once)
{
    (void)postgres_process_do(
        &server,
        "SET client_min_messages = warning; DROP TABLE IF EXISTS failed_jobs; "
        "CREATE TABLE failed_jobs (id bigserial PRIMARY KEY, uuid varchar(255) "
        "NOT NULL UNIQUE, connection text NOT NULL, queue text NOT NULL, payload "
        "text NOT NULL, exception text NOT NULL, failed_at timestamp(0) without "
        "time zone NOT NULL DEFAULT CURRENT_TIMESTAMP)");
    expect(0, DATABASE "push throw; push ok; $D work --tries=1 --stop-when-empty");
    ck_assert_int_eq(postgres_process_int(&server, "SELECT count(*) FROM failed_jobs"),
                     1);
    ck_assert_str_eq(postgres_process_do(&server,
                                         "SELECT connection || ' ' || queue || ' ' || "
                                         "split_part(exception, E'\\n', 1) "
                                         "FROM failed_jobs"),
                     "redis default Drover\\Tests\\ToldToFail: told to");
    nothing_is_left();
    expect_out("redis-cli -s $S --scan --pattern '*drover:failed*'", "");
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_checked_fixture(tc, set_up, NULL);
    tcase_add_test(tc, once_runs_one_job_and_ends);
    tcase_add_test(tc, once_without_a_job_ends_after_its_sleep);
    tcase_add_test(tc, once_ends_well_though_the_job_failed);
    tcase_add_test(tc, stop_when_empty_runs_all_there_is);
    tcase_add_test(tc, stop_when_empty_waits_for_the_job_that_runs);
    tcase_add_test(tc, stop_when_empty_for_a_while_ends_too);
    tcase_add_test(tc, max_jobs_ends_it_and_php_takes_the_rest);
    tcase_add_test(tc, max_jobs_counts_what_ran);
    tcase_add_test(tc, max_time_ends_it);
    tcase_add_test(tc, a_php_process_that_is_too_large_ends_it_with_12);
    tcase_add_test(tc, queues_are_taken_in_the_order_that_is_given);
    tcase_add_loop_test(tc, what_cannot_work_is_said_at_once, 0, (int)ARRAY_CT(refusals));
    tcase_add_test(tc, a_file_may_take_over_single_jobs_and_say_where_things_are);
    tcase_add_loop_test(tc, a_signal_lets_the_job_finish, 0, (int)ARRAY_CT(stops));
    tcase_add_test(tc, a_second_signal_gives_the_job_back);
    tcase_add_test(tc, what_a_killed_one_leaves_goes_with_the_next_start);
    tcase_add_test(tc, a_signal_while_the_application_boots_ends_it);
    tcase_add_test(tc, a_worker_that_was_killed_is_replaced);
    tcase_add_test(tc, a_restart_that_the_application_asks_for_ends_it);
    tcase_add_test(tc, in_maintenance_it_works_only_where_it_is_forced_to);
    tcase_add_test(tc, a_pause_lasts_until_it_is_told_to_go_on);
    tcase_add_test(tc, as_the_first_process_it_works_and_ends_as_any_other);
    tcase_add_test(tc, json_lines_tell_of_each_job);
    tcase_add_test(tc, a_payload_that_cannot_be_read_fails_with_a_line);
    tcase_add_test(tc, what_php_prints_is_printed);
    tcase_add_test(tc, it_can_be_asked_but_takes_no_reload);
    tcase_add_test(tc, nobody_who_reads_its_lines_can_hold_it_up);
    tcase_add_test(tc, a_failed_job_is_in_the_applications_table_once);
}

static void set_environment(void)
{
    static const char *const names[] = {"APP_ENV", "QUEUE_CONNECTION", "REDIS_USERNAME",
                                        "QUEUE_FAILED_DRIVER"};

    for (size_t i = 0; i < ARRAY_CT(names); i++)
        MUST(unsetenv(names[i]) == 0);
    MUST(setenv("PHP", TOP_SRCDIR "/tests/php", 1) == 0);
    MUST(setenv("PG", server.dir, 1) == 0);
    MUST(setenv("TEST_DIR", sh->dir, 1) == 0);
    MUST(setenv("TMPDIR", sh->dir, 1) == 0);
    MUST(unsetenv("XDG_RUNTIME_DIR") == 0);
    MUST(unsetenv("DROVER_CONFIG") == 0);
    MUST(shell_run(sh, "ln -s $S $T/redis.sock") == 0);
    sh->prelude = FUNCTIONS;
}

int main(void)
{
    int failed;

    postgres_process_make(&server);
    postgres_process_start(&server);
    sh = shell_open("");
    set_environment();
    failed = run_suite("work", 240, add_tests);
    shell_close(sh);
    postgres_process_end(&server);
    return failed;
}
