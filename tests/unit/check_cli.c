/* The command line from outside: the built drover, a shell, a real redis-server. */
#include <stdio.h>

#include "tests/support/shell_json.h"

static const char settings[] =
    "jobs: ( { name = \"note\"; type = \"noop\"; },"
    "        { name = \"App\\\\Jobs\\\\*\"; type = \"noop\"; } );\n"
    "pools: ( { name = \"main\"; queues = [ \"high\", \"default\" ]; },"
    "         { name = \"side\"; queues = [ \"default\", \"low\" ]; } );\n";

static void set_up(void)
{
    expect(0, "redis-cli -s $S FLUSHALL");
    shell_run(sh, "redis-cli -s $S CONFIG SET maxmemory 0");
}

/* ---- the frame ---- */

START_TEST(usage_errors_exit_2_and_suggest)
{
    static const struct {
        const char *line, *hint;
    } cases[] = {
        {"$D psh x", "no command `psh`: did you mean `push`?"},
        {"$D faild list", "did you mean `failed`?"},
        {"$D failed lst", "no command `failed lst`: did you mean `failed list`?"},
        {"$D help failed lst", "did you mean `failed list`?"},
        {"$D xyzzy", "no command `xyzzy`"},
        {"$D --json push", "options go behind the command"},
        {"$D -c", "-c needs a value: -c FILE"},
        {"$D --verison", "did you mean --version?"},
        {"$D failed retry all", "did you mean --all?"},
        {"$D push", "drover: push needs JOB"},
        {"$D push note --quue low", "did you mean --queue?"},
        {"$D failed list --limit 0", "--limit"},
        {"$D failed list --since soon", "--since: soon is no time"},
        {"$D failed prune", "drover: failed prune needs --before"},
        {"$D failed retry", "drover: failed retry needs ids or --all"},
        {"$D import database", "drover: import database needs --dsn"},
        {"$D failed retry --queue x", "filters go with --all"},
        {"$D failed retry --all abcd", "not both"},
        {"$D queue peek default --state gone", "ready, delayed or reserved"},
        {"$D queue peek default -n 0", "-n"},
        {"$D queue clear default", "give --yes"},
        {"$D failed flush", "give --yes"},
        {"$D failed forget --all", "give --yes"},
        {"$D push note --lines x </dev/null", "--lines reads DATA from stdin"},
        {"$D push note --tries -1", "--tries"},
        {"$D queue list -c /nowhere/x.conf", "/nowhere/x.conf"},
    };

    for (size_t i = 0; i < ARRAY_CT(cases); i++) {
        expect(2, cases[i].line);
        ck_assert_str_eq(sh->out.data, "");
        IN_ERR(cases[i].hint);
    }
}
END_TEST

START_TEST(the_configuration_may_be_named_before_the_command)
{
    expect(0, "cp $DROVER_CONFIG $T/first.conf");
    expect(0, "DROVER_CONFIG=/nowhere $D -c $T/first.conf config check");
    ck_assert_str_eq(sh->out.data + strlen(sh->out.data) - 14, "first.conf: ok");
    expect(0, "DROVER_CONFIG=/nowhere $D -c$T/first.conf queue list high");
    IN_OUT("READY");
    expect(2, "$D -c $T/first.conf config check -c /nowhere/second.conf");
    IN_ERR("/nowhere/second.conf");
    expect_out("$D --complete -c $T/first.conf failed f", "forget\nflush");
}
END_TEST

START_TEST(closed_standard_streams_are_taken_by_nothing_else)
{
    static const struct {
        const char *line;
        int exit_code;
    } listings[] = {{"$D queue list > /dev/full", 1},
                    {"$D config show > /dev/full", 1},
                    {"$D status > /dev/full", 3}, /* nor does a supervisor run */
                    {"$D status --metrics > /dev/full", 3}};

    expect(1, "$D push note - <&-");
    IN_ERR("cannot read stdin: Bad file descriptor");
    expect(1, "$D push note >&-");
    expect(0, "$D push note 2>&-");
    for (size_t i = 0; i < ARRAY_CT(listings); i++) {
        expect(listings[i].exit_code, listings[i].line);
        IN_ERR("drover: cannot write the output: ");
    }
    expect(0, "$D queue list default --json");
    IN_OUT("\"ready\":2");
}
END_TEST

START_TEST(looks_that_are_too_close_together_are_refused)
{
    static const char *const lines[] = {"$D status --interval 0",
                                        "$D status --watch --interval 0.09"};

    for (size_t i = 0; i < ARRAY_CT(lines); i++) {
        expect(2, lines[i]);
        IN_ERR("--interval: 0");
        IN_ERR(" is below the minimum of 0.1 s");
    }
}
END_TEST

START_TEST(a_check_is_the_same_by_either_name)
{
    expect(0, "$D supervise --check --json");
    IN_OUT("{\"ok\":true,");
    expect(2, "$D supervise --check -c /nowhere/x.conf");
    IN_ERR("/nowhere/x.conf");
}
END_TEST

START_TEST(help_fits_eighty_columns)
{
    expect(0, "$D help > $T/help; "
              "sed -n 's/^  \\([a-z]* *[a-z]*\\)  *[A-Z].*/\\1/p' $T/help > $T/commands; "
              "while read -r command; do $D help $command >> $T/help || exit; done "
              "< $T/commands; awk 'length > 80' $T/help");
    ck_assert_str_eq(sh->out.data, "");
    expect(0, "echo $(($(wc -l < $T/commands) > 25))");
    ck_assert_str_eq(sh->out.data, "1");
}
END_TEST

START_TEST(help_is_at_hand_everywhere)
{
    static const struct {
        const char *line, *start, *part;
    } cases[] = {
        {"$D", "usage: drover COMMAND", "failed list"},
        {"$D help", "usage: drover COMMAND", "queue peek"},
        {"$D --help", "usage: drover COMMAND", "push"},
        {"$D failed --help", "usage: drover failed COMMAND", "failed show"},
        {"$D help failed", "usage: drover failed COMMAND", "failed show"},
        {"$D help failed list", "usage: drover failed list", "--since WHEN"},
        {"$D failed list -h", "usage: drover failed list", "examples:\n  drover failed"},
        {"$D push --queue x --help", "usage: drover push JOB [DATA]", "-c FILE"},
    };

    for (size_t i = 0; i < ARRAY_CT(cases); i++) {
        expect(0, cases[i].line);
        ck_assert_msg(strncmp(sh->out.data, cases[i].start, strlen(cases[i].start)) == 0,
                      "%s", sh->out.data);
        IN_OUT(cases[i].part);
    }
    expect(0, "$D --version");
    ck_assert_msg(strncmp(sh->out.data, "drover 0", 8) == 0, "%s", sh->out.data);
}
END_TEST

START_TEST(a_group_without_a_command_is_wrong_usage)
{
    static const char *const groups[] = {"failed", "queue", "sql", "import", "config"};

    for (size_t i = 0; i < ARRAY_CT(groups); i++) {
        char line[32], usage[64];

        (void)snprintf(line, sizeof(line), "$D %s", groups[i]);
        (void)snprintf(usage, sizeof(usage), "usage: drover %s COMMAND", groups[i]);
        expect(2, line);
        ck_assert_str_eq(sh->out.data, "");
        IN_ERR("needs a command behind it");
        IN_ERR(usage);
    }
    expect(2, "$D -c /nonexistent failed");
}
END_TEST

START_TEST(an_unreachable_redis_exits_6)
{
    static const char *const lines[] = {"push note",          "queue list",
                                        "queue peek default", "queue clear default --yes",
                                        "failed list",        "failed show abcd",
                                        "failed retry abcd",  "failed forget abcd",
                                        "failed flush --yes", "failed prune --before 1d"};

    for (size_t i = 0; i < ARRAY_CT(lines); i++) {
        char line[128];

        snprintf(line, sizeof(line),
                 "echo 'redis: { url = \"unix:///nowhere.sock\"; };' >$T/no.conf; "
                 "$D %s -c $T/no.conf",
                 lines[i]);
        expect(6, line);
        IN_ERR("/nowhere.sock");
        ck_assert_str_eq(sh->out.data, "");
    }
}
END_TEST

START_TEST(a_redis_that_wants_a_password_exits_6)
{
    expect(0, "echo 'redis: { url = \"unix://'$S'\"; };' > $T/nobody.conf; "
              "redis-cli -s $S CONFIG SET requirepass geheim");
    expect(6, "$D queue list -c $T/nobody.conf");
    IN_ERR("wants a password (redis.password, ");
    expect(6, "REDIS_PASSWORD=falsch $D queue list -c $T/nobody.conf");
    expect(0, "REDIS_PASSWORD=geheim $D queue list -c $T/nobody.conf");
    expect(0, "redis-cli -s $S -a geheim CONFIG SET requirepass ''");
}
END_TEST

/* As in a Laravel project without a drover.conf: embedded is but the default. */
START_TEST(who_has_named_no_redis_is_told_where_to)
{
    expect(6, "echo 'state_dir = \"'$T'/none\";' > $T/none.conf; "
              "env -u REDIS_URL -u REDIS_HOST $D failed list -c $T/none.conf 2>&1");
    ck_assert_ptr_nonnull(strstr(sh->out.data, "Another one is named in drover.conf"));
}
END_TEST

/* Found by config check, and so by a reload; not by a worker that then cannot start. */
START_TEST(a_check_finds_what_a_worker_would_refuse)
{
    expect(0, "printf 'jobs: ( { name = \"a\"; type = \"http\"; url = \"http://h/\";\\n"
              "secret = \"canary\"; } );' > $T/check.conf");
    expect(2, "$D config check -c $T/check.conf");
    IN_ERR("check.conf:2: jobs[0].secret: line 1: no secret: 24 to 64 random bytes");
    ck_assert_ptr_null(strstr(sh->err.data, "canary"));
    expect(0, "printf 'failed: { store = \"postgres\"; dsn = \"hst=127.0.0.1\"; };' > "
              "$T/check.conf");
    expect(2, "$D config check -c $T/check.conf");
    IN_ERR("check.conf:1: failed.dsn: ");
    IN_ERR("hst");
    expect(0, "printf 'failed: { store = \"postgres\"; dsn = "
              "\"postgresql://u:100%%zcanary@db/app\"; };' > $T/check.conf");
    expect(2, "$D config check -c $T/check.conf");
    IN_ERR("check.conf:1: failed.dsn: libpq cannot make sense of it");
    ck_assert_ptr_null(strstr(sh->err.data, "canary"));
    expect(0, "printf 'databases: ( { name = \"a\"; dsn = \"dbname=a\"; },\\n"
              "{ name = \"b\"; dsn = \"hots=db\"; } );' > $T/check.conf");
    expect(2, "$D config check -c $T/check.conf");
    IN_ERR("check.conf:2: databases[1].dsn: invalid connection option \"hots\"");
    expect(0, "printf 'databases: ( { name = \"a\"; dsn = \"dbname=a\";\\n"
              "search_path = \"Tenant_{data.tenant}\"; } );' > $T/check.conf");
    expect(2, "$D config check -c $T/check.conf");
    IN_ERR("check.conf:2: databases[0].search_path: \"Tenant_{data.tenant}\" never");
}
END_TEST

START_TEST(metrics_are_not_printed_again_and_again)
{
    expect(2, "timeout 30 $D status --metrics --watch");
    IN_ERR("--metrics are printed once: leave out --watch");
    expect(2, "timeout 30 $D status --interval 1 --metrics");
    IN_ERR("--metrics are printed once: leave out --interval");
}
END_TEST

START_TEST(a_closed_pipe_ends_a_listing_quietly)
{
    expect(0, "seq 1 20000 | $D push note --lines");
    expect_out("$D queue peek default -n 20000 --json 2>$T/e | head -n 1; cat $T/e >&2",
               "[");
    ck_assert_str_eq(sh->err.data, "");
    expect(1, "$D queue list >/dev/full");
    IN_ERR("No space left");
    expect(1, "$D config check >/dev/full");
    IN_ERR("No space left");
}
END_TEST

/* ---- push ---- */

enum { UUID_CHARACTERS = 36 };

START_TEST(push_prints_the_uuid_that_the_payload_carries)
{
    char line[256];

    expect(0, "$D push note '{\"n\":1}'");
    ck_assert_uint_eq(sh->out.len, UUID_CHARACTERS);
    ck_assert_str_eq(sh->err.data, "");
    snprintf(line, sizeof(line),
             "redis-cli -s $S LINDEX queues:default 0 | grep -c '\"uuid\":\"%s\"'",
             sh->out.data);
    expect(0, line);
    expect_out("redis-cli -s $S LLEN queues:default:notify", "1");
    expect(0, "$D push --json note --queue low");
    IN_OUT("\"queue\":\"low\"");
    json_decref(out_json());
}
END_TEST

START_TEST(push_keeps_data_as_it_was_written)
{
    expect(
        0,
        "$D push note '{ \"big\": 12345678901234567890, \"e\":[], \"s\":\"\\u0000\\/\" }'"
        " && redis-cli -s $S LINDEX queues:default 0");
    IN_OUT("\"data\":{ \"big\": 12345678901234567890, \"e\":[], \"s\":\"\\u0000\\/\" },");
    expect(0,
           "echo '[1, 2]' | $D push note - && redis-cli -s $S LINDEX queues:default 1");
    IN_OUT("\"data\":[1, 2],");
    expect(0, "$D push note --queue x && redis-cli -s $S LINDEX queues:x 0");
    IN_OUT("\"data\":{},");
}
END_TEST

START_TEST(push_options_reach_the_payload)
{
    expect(0, "$D push note --delay 0.25 --tries 0 --timeout 2m --backoff 1,5 &&"
              " redis-cli -s $S ZRANGE queues:default:delayed 0 -1");
    IN_OUT("\"maxTries\":0,");
    IN_OUT("\"timeout\":120,");
    IN_OUT("\"backoff\":\"1,5\",");
    expect_out("redis-cli -s $S EXISTS queues:default", "0");
}
END_TEST

START_TEST(push_warns_of_what_the_configuration_does_not_know_and_pushes)
{
    expect(2, "$D push note --queue q:delayed");
    IN_ERR("cannot be a queue: queue \"q\" keeps its jobs there");
    expect(2, "$D queue clear q:notify --yes");
    expect(2, "$D queue peek q:reserved");
    expect(0, "$D push nobody --queue nowhere");
    IN_ERR("warning: no entry of jobs in the configuration matches nobody");
    IN_ERR("warning: no pool in the configuration reads queue nowhere");
    expect_out("redis-cli -s $S LLEN queues:nowhere", "1");
    expect(0, "$D push 'App\\Jobs\\Mail'");
    ck_assert_str_eq(sh->err.data, "");
}
END_TEST

START_TEST(bad_data_is_refused_before_anything_is_pushed)
{
    static const char *const lines[] = {"$D push note '{'",
                                        "$D push note ''",
                                        "$D push note '{} {}'",
                                        "$D push ''",
                                        "printf '\\377' | $D push note -",
                                        "$D push note - </dev/null"};

    for (size_t i = 0; i < ARRAY_CT(lines); i++)
        expect(2, lines[i]);
    expect_out("redis-cli -s $S DBSIZE", "0");
}
END_TEST

START_TEST(lines_become_one_job_each_in_order)
{
    expect_out("seq 1 1234 | $D push note --lines", "1234 jobs pushed");
    ck_assert_str_eq(sh->err.data, "");
    expect(0,
           "redis-cli -s $S LRANGE queues:default 0 -1 |"
           " sed 's/.*\"data\":\\([0-9]*\\),.*/\\1/' >$T/got; seq 1 1234 | cmp - $T/got");
    expect_out("redis-cli -s $S LRANGE queues:default 0 -1 |"
               " sed 's/.*\"id\":\"\\(.*\\)\",\"att.*/\\1/' | sort -u | wc -l",
               "1234");
    expect_out("printf '{\"a\":1}\\r\\n\\n  \\n{\"a\":2}' | $D push note --lines --json",
               "{\"pushed\":2,\"queue\":\"default\"}");
    expect_out("echo 1 | $D push note --lines", "1 job pushed");
    expect_out("$D push note --lines </dev/null", "0 jobs pushed");
}
END_TEST

START_TEST(a_bad_line_is_named_and_what_came_before_it_is_in)
{
    expect(2, "{ seq 1 700; echo '{'; seq 1 700; } | $D push note --lines");
    ck_assert_str_eq(sh->out.data, "700 jobs pushed");
    IN_ERR("line 701: DATA is not JSON");
    expect_out("redis-cli -s $S LLEN queues:default", "700");
}
END_TEST

START_TEST(a_refused_push_of_lines_says_how_many_went_in)
{
    expect(1, "redis-cli -s $S SET queues:default x >/dev/null;"
              "seq 1 700 | $D push note --lines");
    ck_assert_str_eq(sh->out.data, "0 jobs pushed");
    IN_ERR("queues:default is not a list");
    expect(1, "redis-cli -s $S DEL queues:default >/dev/null;"
              "redis-cli -s $S CONFIG SET maxmemory 1 >/dev/null; $D push note");
    IN_ERR("full");
}
END_TEST

/* Waits in the shell until the first chunk is in. */
#define UNTIL_500_ARE_IN                                                                 \
    " until [ \"$(redis-cli -s $S LLEN queues:default)\" = 500 ]; do sleep 0.02; done; "

START_TEST(a_redis_that_goes_away_in_the_middle_is_told)
{
    expect(6,
           "{ seq 1 500;" UNTIL_500_ARE_IN
           "redis-cli -s $S CLIENT KILL TYPE normal SKIPME yes >/dev/null; seq 1 500; }"
           " | $D push note --lines");
    ck_assert_str_eq(sh->out.data, "500 jobs pushed");
    IN_ERR("the last 500 jobs may or may not have gone in");
}
END_TEST

START_TEST(an_interrupt_says_how_many_went_in)
{
    expect(1, "mkfifo $T/fifo; $D push note --lines <$T/fifo & exec 3>$T/fifo;"
              "seq 1 500 >&3;" UNTIL_500_ARE_IN "kill -TERM $!; wait $!");
    ck_assert_str_eq(sh->out.data, "500 jobs pushed");
    IN_ERR("interrupted");
}
END_TEST

/* ---- queue ---- */

START_TEST(queue_list_shows_the_configured_queues_once)
{
    expect_out("redis-cli -s $S RPUSH queues:low a b >/dev/null;"
               "redis-cli -s $S ZADD queues:extra:reserved 1 x >/dev/null;"
               "redis-cli -s $S SET queues:high x >/dev/null; $D queue list --json",
               "[\n{\"queue\":\"high\",\"ready\":null,\"delayed\":0,"
               "\"reserved\":0,\"paused\":false},\n"
               "{\"queue\":\"default\",\"ready\":0,\"delayed\":0,"
               "\"reserved\":0,\"paused\":false},\n"
               "{\"queue\":\"low\",\"ready\":2,\"delayed\":0,"
               "\"reserved\":0,\"paused\":false}\n]");
    json_decref(out_json());
    expect_out("$D queue list --all", "QUEUE    READY  DELAYED  RESERVED\n"
                                      "high         -        0         0\n"
                                      "default      0        0         0\n"
                                      "low          2        0         0\n"
                                      "extra        0        0         1");
    expect(0, "$D queue list low nothing");
    IN_OUT("nothing      0");
    NOT_IN_OUT("high");
}
END_TEST

START_TEST(queue_peek_shows_without_touching)
{
    expect(0, "$D push note '{\"n\":1}' >/dev/null; $D push note >/dev/null;"
              "printf '\\033[2Jgarbage\\377' | redis-cli -x -s $S RPUSH queues:default"
              " >/dev/null; $D queue peek default -n 3");
    IN_OUT("note  ");
    IN_OUT("{\"n\":1}");
    IN_OUT("\\x1b[2Jgarbage\\xff");
    expect(0, "$D queue peek default -n 1 --json");
    NOT_IN_OUT("garbage");
    json_decref(out_json());
    expect(0, "redis-cli -s $S RPUSH queues:b64 \"$(printf 'a\\377')\" >/dev/null;"
              "$D queue peek b64 --json");
    IN_OUT("\"payload_base64\":\"Yf8=\"");
    IN_OUT("\"uuid\":null");
    expect(0,
           "$D push note --delay 1h >/dev/null; $D queue peek default --state delayed");
    IN_OUT("T");
    IN_OUT("Z  {}");
    expect(0,
           "x=$(printf '%40s' '' | sed 's/ /\303\251/g'); $D push note \"[\\\"a$x\\\"]\""
           " --queue long >/dev/null; $D queue peek long");
    IN_OUT("\xc3\xa9\xc3\xa9..."); /* its 60 bytes end within a character */
    NOT_IN_OUT("\\xc3");
    expect_out("$D queue peek nothing", "");
    IN_ERR("no such jobs");
    expect_out("redis-cli -s $S LLEN queues:default", "3");
}
END_TEST

START_TEST(colours_and_bars_are_for_terminals_only)
{
    ck_assert_int_eq(shell_run_tty(sh, "", "$D queue list"), 0);
    IN_OUT("\033[1mQUEUE");
    ck_assert_int_eq(shell_run_tty(sh, "", "NO_COLOR=1 $D queue list"), 0);
    NOT_IN_OUT("\033[");
    ck_assert_int_eq(shell_run_tty(sh, "", "$D queue list | cat"), 0);
    NOT_IN_OUT("\033[");
    ck_assert_int_eq(shell_run_tty(sh, "", "seq 1 600 | $D push note --lines"), 0);
    IN_OUT("\r\033[Kpushed ");
    IN_OUT("600 jobs pushed");
    expect(0, "seq 1 600 | $D push note --lines");
    ck_assert_str_eq(sh->err.data, "");
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_checked_fixture(tc, set_up, NULL);
    tcase_add_test(tc, who_has_named_no_redis_is_told_where_to);
    tcase_add_test(tc, usage_errors_exit_2_and_suggest);
    tcase_add_test(tc, the_configuration_may_be_named_before_the_command);
    tcase_add_test(tc, closed_standard_streams_are_taken_by_nothing_else);
    tcase_add_test(tc, looks_that_are_too_close_together_are_refused);
    tcase_add_test(tc, a_check_is_the_same_by_either_name);
    tcase_add_test(tc, help_fits_eighty_columns);
    tcase_add_test(tc, help_is_at_hand_everywhere);
    tcase_add_test(tc, a_group_without_a_command_is_wrong_usage);
    tcase_add_test(tc, an_unreachable_redis_exits_6);
    tcase_add_test(tc, a_redis_that_wants_a_password_exits_6);
    tcase_add_test(tc, a_check_finds_what_a_worker_would_refuse);
    tcase_add_test(tc, metrics_are_not_printed_again_and_again);
    tcase_add_test(tc, a_closed_pipe_ends_a_listing_quietly);
    tcase_add_test(tc, push_prints_the_uuid_that_the_payload_carries);
    tcase_add_test(tc, push_keeps_data_as_it_was_written);
    tcase_add_test(tc, push_options_reach_the_payload);
    tcase_add_test(tc, push_warns_of_what_the_configuration_does_not_know_and_pushes);
    tcase_add_test(tc, bad_data_is_refused_before_anything_is_pushed);
    tcase_add_test(tc, lines_become_one_job_each_in_order);
    tcase_add_test(tc, a_bad_line_is_named_and_what_came_before_it_is_in);
    tcase_add_test(tc, a_refused_push_of_lines_says_how_many_went_in);
    tcase_add_test(tc, a_redis_that_goes_away_in_the_middle_is_told);
    tcase_add_test(tc, an_interrupt_says_how_many_went_in);
    tcase_add_test(tc, queue_list_shows_the_configured_queues_once);
    tcase_add_test(tc, queue_peek_shows_without_touching);
    tcase_add_test(tc, colours_and_bars_are_for_terminals_only);
}

int main(void)
{
    return run_shell_suite("cli", settings, 60, add_tests);
}
