/* drover doctor from outside: the built drover, a shell, real servers. It is the Redis
 * user of contrib/drover.acl, so that being denied anything fails the test. */
#include <stdlib.h>
#include <unistd.h>

#include "tests/support/postgres_fixture.h"
#include "tests/support/shell_json.h"

static void set_up(void)
{
    expect(0, "redis-cli -s $S FLUSHALL");
}

/* A configuration with these settings behind "redis" and "state_dir"; as $T/NAME.conf. */
static void write_conf(const char *name, const char *settings)
{
    char *line = must_format("head -n 2 $T/drover.conf >$T/%s.conf; cat >>$T/%s.conf "
                             "<<'END'\n%s\nEND\n",
                             name, name, settings);

    expect(0, line);
    free(line);
}

START_TEST(a_deployment_that_is_well_exits_with_0_and_says_each_thing)
{
    expect(0, "redis-cli -s $S CONFIG SET appendonly yes");
    expect(0, "$D push resize '{}' --queue default");
    expect(0, "$D doctor");
    expect(0, "redis-cli -s $S CONFIG SET appendonly no");
    expect(0, "$D doctor");
    IN_OUT("ok       redis.reach        unix:");
    IN_OUT("ok       redis.policy ");
    IN_OUT("warning  redis.aof          appendonly is off");
    IN_OUT("  -> set appendonly yes");
    IN_OUT("ok       queues.unread ");
    IN_OUT("\n0 problems, ");
    ck_assert_uint_eq(sh->err.len, 0);
}
END_TEST

START_TEST(what_lies_in_redis_is_found)
{
    expect(0, "redis-cli -s $S RPUSH queues:mail '{}'");
    expect(0, "redis-cli -s $S ZADD queues:default:reserved 1 '{}'");
    expect(0, "$D doctor");
    IN_OUT("queues.unread      1 queue that no pool reads holds jobs: mail (1)");
    IN_OUT("queues.reserved    default: 1 job that somebody took");
    expect(0, "$D pause low && $D doctor");
    IN_OUT(
        "warning  queues.paused      drover takes no jobs from what is paused: low  ->");
    expect(0, "redis-cli -s $S ZADD queues:default:delayed 1 's:2:\"{}\";'");
    expect(0, "redis-cli -s $S SET queues:low x");
    expect(1, "$D doctor");
    IN_OUT("problem  queues.delayed     default: of the next delayed jobs, 1 is no JSON");
    IN_OUT("problem  queues.type        low: its key is no list");
    IN_OUT("\n2 problems, ");
}
END_TEST

START_TEST(queues_under_laravels_prefix_are_named_with_the_line_to_set)
{
    expect(0, "redis-cli -s $S RPUSH laravel-database-queues:default '{}'");
    expect(0, "$D doctor");
    IN_OUT("-> redis: { prefix = \"laravel-database-\"; };");
}
END_TEST

/* What another would see before and after. */
static const char dump[] =
    "redis-cli -s $S --scan | sort; redis-cli -s $S EVAL \"local t = {} for _, k in "
    "ipairs(redis.call('KEYS', '*')) do t[#t + 1] = redis.sha1hex(redis.call('DUMP', k)) "
    "end table.sort(t) return t\" 0";

START_TEST(nothing_is_changed)
{
    char *before;

    expect(0, "$D push resize '{}' --queue default; $D push resize '{}' --delay 60; "
              "redis-cli -s $S ZADD queues:high:reserved 1 '{}'");
    expect(0, dump);
    before = must_strdup(sh->out.data);
    expect(0, "$D doctor && $D doctor --json");
    expect_out(dump, before);
    ck_assert_msg(strstr(before, "queues:high:reserved") != NULL, "%s", before);
    free(before);
    expect(0, "test ! -e $T/state");
}
END_TEST

START_TEST(json_has_the_same_findings)
{
    json_t *document, *finding;
    size_t i, problems = 0, warnings = 0;

    expect(0, "redis-cli -s $S SET queues:low x");
    expect(1, "$D doctor --json");
    document = out_json();
    json_array_foreach(json_object_get(document, "findings"), i, finding)
    {
        const char *level = json_string_value(json_object_get(finding, "level"));

        problems += strcmp(level, "problem") == 0;
        warnings += strcmp(level, "warning") == 0;
        ck_assert(json_is_string(json_object_get(finding, "check")));
        ck_assert(json_is_string(json_object_get(finding, "text")));
        ck_assert_int_eq(json_is_null(json_object_get(finding, "todo")),
                         strcmp(level, "ok") == 0);
    }
    ck_assert_uint_eq(problems, 1);
    ck_assert_int_eq(json_integer_value(json_object_get(document, "problems")), 1);
    ck_assert_uint_gt(warnings, 0);
    ck_assert_int_eq(json_integer_value(json_object_get(document, "warnings")),
                     (json_int_t)warnings);
    ck_assert(json_is_null(json_object_get(document, "switch")));
    json_decref(document);
}
END_TEST

START_TEST(without_redis_the_rest_is_said_and_the_exit_code_is_6)
{
    expect(0, "sed 's/redis.sock/none.sock/' $T/drover.conf >$T/away.conf");
    expect(6, "$D doctor -c $T/away.conf");
    IN_OUT("problem  redis.reach        cannot reach Redis at unix:");
    IN_OUT("config.file ");
    expect(2, "$D doctor -c $T/none.conf");
    expect(2, "$D doctor operand");
    expect(2, "$D doctor --no-such");
}
END_TEST

START_TEST(a_file_with_mistakes_is_a_problem_and_the_rest_of_it_counts)
{
    write_conf("wrong", "pools: ( { tries = -1; } );");
    expect(1, "$D doctor -c $T/wrong.conf");
    IN_OUT("problem  config.file        ");
    IN_OUT("wrong.conf:3: pools[0].tries");
    IN_OUT("ok       redis.reach ");
}
END_TEST

START_TEST(findings_are_wrapped_on_a_terminal_and_nowhere_else)
{
    write_conf("wide",
               "jobs: ( { name = \"a\"; type = \"shell\"; command = [ \"true\" ]; "
               "timeout = 1800; } );");
    ck_assert_int_eq(
        shell_run_tty(sh, "", "stty cols 80; NO_COLOR=1 $D doctor -c $T/wide.conf"), 0);
    IN_OUT(
        "warning  config.stop_grace  a job that runs longer than stop_grace, 30 s, is\r\n"
        "                            ended at a stop and begins anew\r\n"
        "                            -> where that matters, set");
    for (const char *line = sh->out.data, *end; (end = strstr(line, "\r\n"));
         line = end + 2)
        ck_assert_msg(end - line <= 80, "%s", line);
    expect(0, "$D doctor -c $T/wide.conf");
    IN_OUT(
        "is ended at a stop and begins anew  -> where that matters, set stop_grace = ");
}
END_TEST

START_TEST(what_this_machine_lacks_is_found)
{
    write_conf("lacking",
               "jobs: ( { name = \"a\"; type = \"http\"; url = \"https://h/\"; ca_file = "
               "\"/none/ca.pem\"; }, { name = \"b\"; type = \"laravel\"; app = "
               "\"/none\"; php = [ \"php-none\" ]; }, { name = \"c\"; type = \"http\"; "
               "url = \"https://h/\"; secret_file = \"/none/secret\"; },\n"
               "{ name = \"d\"; type = \"shell\"; command = [ \"sh-none\" ]; },\n"
               "{ name = \"e\"; type = \"shell\"; command = [ \"/none/sh\", \"x\" ]; },"
               "{ name = \"f\"; type = \"shell\"; command = [ \"true\" ]; } );");
    expect(1, "$D doctor -c $T/lacking.conf");
    IN_OUT("config.file        ");
    IN_OUT("/none/secret");
    expect(0, "sed -i 's/secret_file = [^;]*;//' $T/lacking.conf");
    expect(1, "$D doctor -c $T/lacking.conf");
    IN_OUT("jobs[0].ca_file: /none/ca.pem: No such file or directory");
    IN_OUT("jobs[1].php: php-none: there is no such program");
    IN_OUT("jobs[1].app: /none: No such file or directory");
    if (access(BRIDGE_PATH, R_OK) != 0) /* nobody has installed this drover */
        IN_OUT("lacking.conf:3: jobs[1].bridge: " BRIDGE_PATH
               ": it comes with `make install`");
    IN_OUT("jobs[3].command: sh-none: there is no such program: its jobs will fail");
    IN_OUT("jobs[4].command: /none/sh: there is no such program");
    NOT_IN_OUT("jobs[5]");
    expect(0, "mkdir $T/bin && ln -s /bin/true $T/bin/php-none && "
              "PATH=$PATH:$T/bin $D config check -c $T/lacking.conf 2>$T/warnings; "
              "! grep -q php-none $T/warnings");
}
END_TEST

START_TEST(postgres_and_its_tables_are_looked_at_and_no_password_is_shown)
{
    char *settings;

    postgres_process_start(&server);
    (void)postgres_process_do(&server, "SET client_min_messages = warning; "
                                       "DROP TABLE IF EXISTS failed_jobs, drover_inbox");
    settings = must_format(
        "databases: ( { name = \"main\"; dsn = \"%s\"; }, { name = \"idle\"; dsn = "
        "\"%s\"; }, { name = \"gone\"; dsn = \"host=127.0.0.1 port=1 user=u password="
        "hunter2\"; } );\n"
        "failed: { store = \"postgres\"; dsn = \"%s\"; };\n"
        "jobs: ( { name = \"a\"; type = \"sql\"; database = \"main\"; once = true; "
        "statement = \"SELECT 1\"; } );",
        server.dsn, server.dsn, server.dsn);
    write_conf("pg", settings);
    free(settings);
    expect(1, "$D doctor -c $T/pg.conf");
    IN_OUT("problem  config.databases   main: the table drover_inbox is not there  -> "
           "`drover sql migrate` makes it");
    IN_OUT("ok       config.databases   idle: it answers\n");
    IN_OUT("problem  config.databases   gone: cannot reach PostgreSQL");
    IN_OUT("problem  config.failed      failed jobs: the table failed_jobs is not there");
    NOT_IN_OUT("hunter2");
    expect(0, "$D failed migrate -c $T/pg.conf");
    expect(0, "$D sql migrate -c $T/pg.conf --database main");
    expect(1, "$D doctor -c $T/pg.conf --json");
    NOT_IN_OUT("hunter2");
    IN_OUT("main: it answers, and drover_inbox is as it should be");
    IN_OUT("failed jobs: it answers, and failed_jobs is as it should be");
    (void)postgres_process_do(&server, "ALTER TABLE failed_jobs DROP COLUMN queue");
    expect(1, "$D doctor -c $T/pg.conf");
    IN_OUT("without queue: it is not Laravel's failed_jobs");
    postgres_process_stop(&server, POSTGRES_IMMEDIATE);
}
END_TEST

/* ---- in a Laravel project ---- */

/* The project of the tests, on this Redis; in the environment, as in a container. */
#define PROJECT                                                                          \
    "cd " TOP_SRCDIR "/tests/php/project && env -u DROVER_CONFIG REDIS_HOST=$S "

START_TEST(a_project_is_asked_where_its_queues_are)
{
    expect(0, "redis-cli -s $S RPUSH shop_database_queues:mail '{}'");
    expect(0, PROJECT "$D doctor");
    IN_OUT("ok       app.boot ");
    IN_OUT("ok       app.connection     the queue connection is redis, of driver redis");
    IN_OUT("under \"shop_database_\"\n");
    IN_OUT("ok       app.php            PHP ");
    IN_OUT("in environment testing\n");
    IN_OUT("\n    drover work redis --queue=default --tries=1\n");
    IN_OUT("\n    php artisan queue:work redis --queue=default --tries=1\n");
    IN_OUT("are these the application's too, which hold jobs? ");
    IN_OUT("\n    mail (1)\n");
    NOT_IN_OUT("queues.unread");
    expect(0, "env -u DROVER_CONFIG REDIS_HOST=$S $D doctor --path " TOP_SRCDIR
              "/tests/php/project --json | grep -q '\"over\":\"drover work redis'");
}
END_TEST

/* What it prints for drover.conf is one. */
START_TEST(the_pool_that_is_printed_can_be_used)
{
    expect(0, PROJECT "$D doctor --json >$T/doctor.json");
    expect(0, "python3 -c \"import json; "
              "print(json.load(open('$T/doctor.json'))['switch']['pool'])\" "
              ">$T/switch.conf");
    expect(0, "$D config check -c $T/switch.conf 2>&1");
    NOT_IN_OUT("its jobs will wait");
    expect(0, "cd " TOP_SRCDIR
              "/tests/php/project && REDIS_HOST=$S $D doctor -c $T/switch.conf");
    NOT_IN_OUT("app.redis ");
    IN_OUT("with the drover.conf that is there");
    NOT_IN_OUT("pools: (");
    expect(0, "sed -i 's/shop_database_/other_/' $T/switch.conf");
    expect(1, "cd " TOP_SRCDIR
              "/tests/php/project && REDIS_HOST=$S $D doctor -c $T/switch.conf");
    IN_OUT("its keys begin with \"shop_database_\", drover.conf says \"other_\"");
}
END_TEST

/* And its command runs the jobs that are there. */
START_TEST(the_command_that_is_printed_does_the_work)
{
    expect(0, PROJECT "$D doctor --json >$T/doctor.json");
    expect(0,
           "python3 -c \"import json; s = json.load(open('$T/doctor.json'))['switch']; "
           "open('$T/over', 'w').write(s['over']); "
           "open('$T/switch.conf', 'w').write(s['pool'])\"");
    expect(0, "$D push task '{}' -c $T/switch.conf");
    expect(0, "set -- $(cat $T/over); shift; " PROJECT
              "TEST_DIR=$T $D \"$@\" --stop-when-empty");
    expect_out("grep -c '^end ' $T/ledger", "1");
}
END_TEST

static const struct {
    const char *environment, *words;
} refusals[] = {
    {"QUEUE_CONNECTION=packed", "problem  app.packing        serializer igbinary"},
    {"QUEUE_CONNECTION=cluster", "problem  app.cluster "},
    {"QUEUE_CONNECTION=database", "problem  app.connection     the queue connection is "
                                  "database, of driver database"},
    {"QUEUE_CONNECTION=lost", "problem  app.redis "},
    {"TEST_DIR=$T", "problem  app.boot "},
};

START_TEST(what_drover_cannot_work_for_is_refused_with_the_reason)
{
    char *line = must_format(PROJECT "%s $D doctor", refusals[_i].environment);

    expect(0, "touch $T/break");
    expect(1, line);
    IN_OUT(refusals[_i].words);
    NOT_IN_OUT("drover work ");
    expect(0, "rm $T/break");
    free(line);
}
END_TEST

START_TEST(the_projects_own_table_of_failed_jobs_is_looked_at)
{
    postgres_process_start(&server);
    (void)postgres_process_do(&server, "SET client_min_messages = warning; "
                                       "DROP TABLE IF EXISTS failed_jobs");
    setenv("P", server.dir, 1);
#define WITH_DATABASE                                                                    \
    PROJECT "QUEUE_FAILED_DRIVER=database-uuids DB_HOST=$P DB_PASSWORD=hunter2 "
    expect(1, WITH_DATABASE "$D doctor");
    IN_OUT("the table failed_jobs is not there  -> `php artisan migrate` makes it");
    NOT_IN_OUT("hunter2");
    postgres_process_stop(&server, POSTGRES_IMMEDIATE);
    expect(1, WITH_DATABASE "$D doctor --json");
    IN_OUT("cannot reach PostgreSQL");
    NOT_IN_OUT("hunter2");
}
END_TEST

static void add(TCase *tc)
{
    tcase_add_checked_fixture(tc, set_up, NULL);
    tcase_add_test(tc, a_deployment_that_is_well_exits_with_0_and_says_each_thing);
    tcase_add_test(tc, what_lies_in_redis_is_found);
    tcase_add_test(tc, queues_under_laravels_prefix_are_named_with_the_line_to_set);
    tcase_add_test(tc, nothing_is_changed);
    tcase_add_test(tc, json_has_the_same_findings);
    tcase_add_test(tc, without_redis_the_rest_is_said_and_the_exit_code_is_6);
    tcase_add_test(tc, a_file_with_mistakes_is_a_problem_and_the_rest_of_it_counts);
    tcase_add_test(tc, findings_are_wrapped_on_a_terminal_and_nowhere_else);
    tcase_add_test(tc, what_this_machine_lacks_is_found);
    tcase_add_test(tc, postgres_and_its_tables_are_looked_at_and_no_password_is_shown);
    tcase_add_test(tc, a_project_is_asked_where_its_queues_are);
    tcase_add_test(tc, the_pool_that_is_printed_can_be_used);
    tcase_add_test(tc, the_command_that_is_printed_does_the_work);
    tcase_add_loop_test(tc, what_drover_cannot_work_for_is_refused_with_the_reason, 0,
                        (int)ARRAY_CT(refusals));
    tcase_add_test(tc, the_projects_own_table_of_failed_jobs_is_looked_at);
}

int main(void)
{
    int failed;

    sh = shell_open("pools: ( { queues = [ \"high\", \"default\", \"low\" ]; } );");
    postgres_process_make(&server);
    failed = run_suite("cli doctor", 120, add);
    postgres_process_end(&server);
    shell_close(sh);
    return failed;
}
