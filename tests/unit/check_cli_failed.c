/* drover failed from outside: the built drover, a shell, a real redis-server. */
#include <stdio.h>

#include "tests/support/sanitized.h"
#include "tests/support/shell_json.h"

/* Four failed jobs with awkward contents, one a minute, the newest 1 minute old. */
static const char seed[] =
    "redis-cli -s $S EVAL \""
    "local now = redis.call('TIME')[1] * 1000 "
    "local jobs = {{'high', 'App\\\\\\\\Jobs\\\\\\\\Mail', 'exit status 3'}, "
    "{'low', 'resize', 'killed by SIGSEGV'}, {'low', 'App\\\\\\\\Jobs\\\\\\\\Mail', "
    "'HTTP 503'}, "
    "{'high', '', 'evil \\\\27[2J\\\\n\\\\255'}} "
    "for i, job in ipairs(jobs) do "
    "local id = string.format('%04d0000-0000-4000-8000-00000000000%d', i, i) "
    "local at = now - i * 60000 "
    "local payload = '{\\\"uuid\\\":\\\"' .. id .. '\\\",\\\"attempts\\\":3}' "
    "if i == 4 then payload = '\\\\27[2Jgarbage\\\\255' end "
    "redis.call('HSET', 'drover:failed:' .. id, 'uuid', id, 'connection', 'redis', "
    "'queue', job[1], 'job', job[2], 'attempts', 3, 'reason', job[3], "
    "'exception', job[3] .. '\\\\nattempt\\\\t1: \\\\27[31mred', 'failed_at_ms', at, "
    "'payload', payload) "
    "redis.call('ZADD', 'drover:failed', at, id) end\" 0";

static void set_up(void)
{
    expect(0, "redis-cli -s $S FLUSHALL");
    expect(0, seed);
    ck_assert_str_eq(sh->err.data, "");
}

/* The first digits of the ids that the line lists as JSON, in order. */
static void expect_ids(const char *line, const char *ids)
{
    json_t *list;
    char found[64] = "";

    expect(0, line);
    list = out_json();
    ck_assert_msg(json_is_array(list), "%s", sh->out.data);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *uuid =
            json_string_value(json_object_get(json_array_get(list, i), "uuid"));

        strncat(found, uuid + 3, 1);
    }
    ck_assert_msg(strcmp(found, ids) == 0, "%s: %s, not %s", line, found, ids);
    json_decref(list);
}

START_TEST(list_filters_and_orders_from_the_newest)
{
    static const struct {
        const char *options, *ids;
    } cases[] = {{"", "1234"},
                 {"--queue high", "14"},
                 {"--queue hig", ""},
                 {"--job 'App\\Jobs\\*'", "13"},
                 {"--job resize", "2"},
                 {"--since 150", "12"},
                 {"--before 150", "34"},
                 {"--since 3.5m --before 90", "23"},
                 {"--limit 2", "12"},
                 {"--limit 1 --queue low", "2"},
                 {"--since 1s", ""},
                 {"--before 2001-01-01T00:00:00Z", ""},
                 {"--since 2001-01-01", "1234"}};

    for (size_t i = 0; i < ARRAY_CT(cases); i++) {
        char line[128];

        snprintf(line, sizeof(line), "$D failed list --json %s", cases[i].options);
        expect_ids(line, cases[i].ids);
    }
}
END_TEST

START_TEST(list_json_has_the_documented_members)
{
    static const char *const names[] = {"uuid",     "connection", "queue",    "job",
                                        "attempts", "reason",     "failed_at"};
    json_t *list, *first;

    expect(0, "$D failed list --json");
    list = out_json();
    first = json_array_get(list, 0);
    ck_assert_uint_eq(json_object_size(first), ARRAY_CT(names));
    for (size_t i = 0; i < ARRAY_CT(names); i++)
        ck_assert_msg(json_object_get(first, names[i]) != NULL, "%s", names[i]);
    ck_assert_str_eq(json_string_value(json_object_get(first, "job")), "App\\Jobs\\Mail");
    ck_assert_int_eq(json_integer_value(json_object_get(first, "attempts")), 3);
    ck_assert_uint_eq(strlen(json_string_value(json_object_get(first, "failed_at"))),
                      strlen("2026-11-21T11:44:09.123Z"));
    ck_assert_str_eq(
        json_string_value(json_object_get(json_array_get(list, 3), "reason")),
        "evil \\x1b[2J\\x0a\\xff");
    json_decref(list);
}
END_TEST

START_TEST(list_with_payload_is_byte_exact)
{
    expect(0, "$D failed list --json --payload");
    IN_OUT("\"payload\":\"{\\\"uuid\\\":\\\"00010000-0000-4000-8000-000000000001\\\","
           "\\\"attempts\\\":3}\"");
    IN_OUT("\"payload_base64\":\"G1sySmdhcmJhZ2X/\"");
}
END_TEST

/* "\033[2J" and its like must not reach a terminal, whatever field they come in. */
START_TEST(no_output_for_people_has_control_bytes)
{
    static const char *const lines[] = {
        "$D failed list", "$D failed list --payload", "$D failed show 0004 0001",
        "$D failed retry $(printf '\\033[2J1234')", "$D failed retry --all --dry-run"};

    for (size_t i = 0; i < ARRAY_CT(lines); i++) {
        shell_run(sh, "%s 2>&1", lines[i]);
        ck_assert_ptr_null(strchr(sh->out.data, '\033'));
        ck_assert(sh->out.len == strlen(sh->out.data));
        ck_assert_msg(sh->out.len > 0, "%s says nothing", lines[i]);
    }
}
END_TEST

START_TEST(a_list_fits_the_terminal_and_nothing_else)
{
    const char *wide = "00010000-0000-4000-8000-000000000001";

    ck_assert_int_eq(shell_run_tty(sh, "", "stty cols 80; NO_COLOR=1 $D failed list"), 0);
    IN_OUT("00010000  20");
    NOT_IN_OUT(wide);
    for (const char *line = sh->out.data, *end; (end = strstr(line, "\r\n"));
         line = end + 2)
        ck_assert_msg(end - line <= 80, "%s", line);
    ck_assert_int_eq(shell_run_tty(sh, "", "stty cols 200; $D failed list"), 0);
    IN_OUT(wide);
    ck_assert_int_eq(shell_run_tty(sh, "", "stty cols 80; $D failed list | cat"), 0);
    IN_OUT(wide);
    ck_assert_int_eq(shell_run_tty(sh, "", "stty cols 80; $D failed list --json"), 0);
    IN_OUT(wide);
}
END_TEST

START_TEST(an_empty_list_is_no_error)
{
    expect(0, "redis-cli -s $S FLUSHALL");
    expect_out("$D failed list --json", "[]");
    expect_out("$D failed list", "");
    IN_ERR("no failed jobs");
    expect_out("$D failed retry --all", "0 jobs retried");
    expect_out("$D failed flush --yes", "0 jobs removed");
}
END_TEST

START_TEST(show_tells_all_and_takes_prefixes)
{
    expect(0, "$D failed show 0001");
    IN_OUT("uuid        00010000-0000-4000-8000-000000000001\n");
    IN_OUT("queue       high\n");
    IN_OUT("attempts    3\n");
    IN_OUT("reason      exit status 3\n");
    IN_OUT("exception:\nexit status 3\nattempt\t1: \\x1b[31mred\n");
    IN_OUT("payload:\n{\"uuid\":\"00010000-");
    expect_out("$D failed show 0001 0004 --json | wc -l", "2");
    expect(0, "$D failed show 0001 --json");
    IN_OUT("\"exception\":\"exit status 3\\nattempt\\t1: \\u001B[31mred\"");
}
END_TEST

START_TEST(a_uuid_that_was_taken_is_shown)
{
    expect(0, "redis-cli -s $S HSET drover:failed:$(redis-cli -s $S ZRANGE drover:failed "
              "0 0) was_uuid taken-before");
    expect(0, "$D failed show 0004");
    IN_OUT("was uuid    taken-before");
    expect(0, "$D failed list --json");
    IN_OUT("\"was_uuid\":\"taken-before\"");
}
END_TEST

START_TEST(a_retry_that_comes_too_late_says_so)
{
    expect(0, "redis-cli -s $S HSET drover:failed:$(redis-cli -s $S ZRANGE drover:failed "
              "0 0) payload '{\"job\":\"x\",\"retryUntil\":1700000000}'");
    expect(0, "$D failed retry --all");
    IN_ERR("1 of these jobs has a retryUntil that is past");
}
END_TEST

START_TEST(unknown_ids_exit_3_and_do_not_stop_the_others)
{
    expect(3, "$D failed show nope 0001");
    IN_OUT("uuid        0001");
    IN_ERR("no failed job nope");
    expect(3, "$D failed retry nope 0001");
    ck_assert_str_eq(sh->out.data, "1 job retried");
    expect(3, "$D failed forget nope 0002");
    ck_assert_str_eq(sh->out.data, "1 job removed");
    expect(3, "$D failed show 0000");
    IN_ERR("no failed job");
    expect(2, "$D failed show 00");
    IN_ERR("at least 4");
}
END_TEST

START_TEST(ambiguous_prefixes_are_refused)
{
    expect(0, "redis-cli -s $S ZADD drover:failed 1 00010000-other");
    expect(3, "$D failed forget 0001");
    IN_ERR("begins the id of more than one failed job");
    expect_out("redis-cli -s $S ZCARD drover:failed", "5");
}
END_TEST

START_TEST(retry_puts_jobs_back_with_attempts_0)
{
    expect_out("$D failed retry 00010000-0000-4000-8000-000000000001", "1 job retried");
    expect_out("redis-cli -s $S LRANGE queues:high 0 -1",
               "{\"uuid\":\"00010000-0000-4000-8000-000000000001\",\"attempts\":0}");
    expect_out("redis-cli -s $S LLEN queues:high:notify", "1");
    expect_out("$D failed retry 0004 --json", "{\"retried\":1,\"dry_run\":false}");
    expect_out("redis-cli -s $S LINDEX queues:high 1 | od -An -c | tr -d ' '",
               "033[2Jgarbage377\\n");
    expect(3, "$D failed retry 0004");
    ck_assert_str_eq(sh->out.data, "0 jobs retried");
}
END_TEST

START_TEST(retry_all_takes_the_oldest_first_within_the_filter)
{
    expect_out("$D failed retry --all --queue low", "2 jobs retried");
    expect_out("redis-cli -s $S LRANGE queues:low 0 -1 | cut -c10-13", "0003\n0002");
    expect_out("$D failed retry --all --limit 1", "1 job retried");
    expect_out("redis-cli -s $S LLEN queues:high", "1");
}
END_TEST

START_TEST(retry_all_goes_on_past_a_queue_that_refuses)
{
    expect(0, "redis-cli -s $S SET queues:low x");
    expect(1, "$D failed retry --all");
    ck_assert_str_eq(sh->out.data, "2 jobs retried");
    IN_ERR("2 could not be retried");
    IN_ERR("queues:low is not a list");
    expect_out("redis-cli -s $S ZCARD drover:failed", "2");
}
END_TEST

START_TEST(a_dry_run_changes_nothing_and_says_which)
{
    static const char *const verbs[] = {"retry --all", "forget --all", "retry 0001",
                                        "forget 0001"};

    for (size_t i = 0; i < ARRAY_CT(verbs); i++) {
        char line[128];
        json_t *json;
        size_t ct = i < 2 ? 4 : 1;

        snprintf(line, sizeof(line), "$D failed %s --dry-run", verbs[i]);
        expect(0, line);
        IN_OUT("00010000-0000-4000-8000-000000000001\n");
        IN_OUT("would be");
        strncat(line, " --json", sizeof(line) - strlen(line) - 1);
        expect(0, line);
        json = out_json();
        ck_assert_uint_eq(json_array_size(json_object_get(json, "uuids")), ct);
        ck_assert(json_is_true(json_object_get(json, "dry_run")));
        json_decref(json);
    }
    expect_out("$D failed flush --dry-run", "4 jobs would be removed");
    expect_out("$D failed prune --before 150 --dry-run --json",
               "{\"removed\":2,\"dry_run\":true}");
    expect_out("redis-cli -s $S ZCARD drover:failed", "4");
    expect_out("redis-cli -s $S EXISTS queues:high queues:low", "0");
}
END_TEST

START_TEST(forget_flush_and_prune_remove_what_they_say)
{
    expect_out("$D failed forget 0001 0002", "2 jobs removed");
    expect_out("$D failed forget --all --queue high --yes", "1 job removed");
    expect_ids("$D failed list --json", "3");
    expect(0, seed);
    expect_out("$D failed prune --before 150", "2 jobs removed");
    expect_ids("$D failed list --json", "12");
    expect_out("$D failed flush --yes --json", "{\"removed\":2,\"dry_run\":false}");
    expect_out("redis-cli -s $S KEYS '*'", "");
}
END_TEST

START_TEST(on_a_terminal_what_removes_many_asks_first)
{
    ck_assert_int_eq(shell_run_tty(sh, "\n", "$D failed flush"), 1);
    IN_OUT("Remove 4 failed jobs for good? [y/N]");
    ck_assert_int_eq(shell_run_tty(sh, "n\n", "$D failed forget --all --queue low"), 1);
    IN_OUT("Remove 2 failed jobs for good? [y/N]");
    expect_out("redis-cli -s $S ZCARD drover:failed", "4");
    ck_assert_int_eq(shell_run_tty(sh, "yes\n", "$D failed flush"), 0);
    IN_OUT("4 jobs removed");
}
END_TEST

/* ---- 300,000 ---- */

static void seed_many(int ct)
{
    expect(0, "redis-cli -s $S FLUSHALL");
    for (int from = 0; from < ct; from += 20000) {
        ck_assert_int_eq(
            shell_run(sh,
                      "redis-cli -s $S EVAL \"for i = %d, %d do "
                      "local id = string.format('%%08d-0000-4000-8000-000000000000', i) "
                      "redis.call('HSET', 'drover:failed:' .. id, 'uuid', id, 'queue', "
                      "'q', 'job', 'j', 'attempts', 3, 'reason', 'exit status 1', "
                      "'failed_at_ms', 1000, 'payload', '{}', 'connection', 'redis') "
                      "redis.call('ZADD', 'drover:failed', 1000, id) end\" 0",
                      from, (from + 20000 < ct ? from + 20000 : ct) - 1),
            0);
        ck_assert_str_eq(sh->err.data, "");
    }
}

/* The private memory that each command may have: about 1.8 MiB is needed whatever there
 * is to go through, and the ids alone of so many records are 10 MiB. All records share
 * one score, the hardest case for the cursor. */
#define BOUND_KIB "6144"

START_TEST(no_failed_command_grows_with_the_number_of_records)
{
    static const char *const lines[] = {
        "$D failed list | wc -l",
        "$D failed list --json --payload | grep -c uuid",
        "$D failed retry --all --job none | cat",
        "$D failed retry --all --dry-run --json | grep -c 0000",
        "$D failed show 00000999 | wc -l",
        "$D failed forget --all --limit 700 --yes | cat",
        "$D failed prune --before 1d --dry-run | cat",
        "$D failed retry --all --limit 100 | cat",
        "$D failed flush --yes | cat",
    };
    /* Not the resident set: how much of the libraries is in it depends on the machine. */
    const char *limit = is_sanitized() ? "" : "ulimit -d " BOUND_KIB "; ";

    seed_many(300000);
    for (size_t i = 0; i < ARRAY_CT(lines); i++) {
        char line[128];

        snprintf(line, sizeof(line), "%s%s", limit, lines[i]);
        expect(0, line);
        ck_assert_msg(sh->err.len == 0, "%s: %s", line, sh->err.data);
        if (i == 0)
            ck_assert_str_eq(sh->out.data, "300001");
    }
    ck_assert_str_eq(sh->out.data, "299200 jobs removed");
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_checked_fixture(tc, set_up, NULL);
    tcase_add_test(tc, list_filters_and_orders_from_the_newest);
    tcase_add_test(tc, list_json_has_the_documented_members);
    tcase_add_test(tc, list_with_payload_is_byte_exact);
    tcase_add_test(tc, no_output_for_people_has_control_bytes);
    tcase_add_test(tc, a_list_fits_the_terminal_and_nothing_else);
    tcase_add_test(tc, an_empty_list_is_no_error);
    tcase_add_test(tc, show_tells_all_and_takes_prefixes);
    tcase_add_test(tc, a_uuid_that_was_taken_is_shown);
    tcase_add_test(tc, a_retry_that_comes_too_late_says_so);
    tcase_add_test(tc, unknown_ids_exit_3_and_do_not_stop_the_others);
    tcase_add_test(tc, ambiguous_prefixes_are_refused);
    tcase_add_test(tc, retry_puts_jobs_back_with_attempts_0);
    tcase_add_test(tc, retry_all_takes_the_oldest_first_within_the_filter);
    tcase_add_test(tc, retry_all_goes_on_past_a_queue_that_refuses);
    tcase_add_test(tc, a_dry_run_changes_nothing_and_says_which);
    tcase_add_test(tc, forget_flush_and_prune_remove_what_they_say);
    tcase_add_test(tc, on_a_terminal_what_removes_many_asks_first);
    tcase_add_test(tc, no_failed_command_grows_with_the_number_of_records);
}

int main(void)
{
    return run_shell_suite(
        "cli_failed", "pools: ( { name = \"main\"; queues = [ \"high\", \"low\" ]; } );",
        240, add_tests);
}
