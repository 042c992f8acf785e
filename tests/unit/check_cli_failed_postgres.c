/* drover failed where PostgreSQL keeps the jobs. */
#include <stdlib.h>

#include "tests/support/sanitized.h"
#include "tests/unit/failed_postgres.h"

static void put_waiting(const char *uuid, const char *queue, long long at_ms)
{
    ck_assert_int_eq(
        shell_run(sh,
                  "redis-cli -s $S HSET drover:failed:%s uuid %s connection redis queue "
                  "%s job resize attempts 1 reason 'exit status 3' exception 'exit "
                  "status 3' failed_at_ms %lld payload "
                  "'{\"job\":\"resize\",\"attempts\":0}' && redis-cli -s $S ZADD "
                  "drover:outbox %lld %s",
                  uuid, uuid, queue, at_ms, at_ms, uuid),
        0);
}

/* ---- looking ---- */

static void expect_ids(const char *line, const char *ids)
{
    json_t *list;
    char found[64] = "";

    expect(0, line);
    list = out_json();
    ck_assert_msg(json_is_array(list), "%s", sh->out.data);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *record = json_array_get(list, i);

        strncat(found, json_string_value(json_object_get(record, "uuid")), 1);
        if (json_is_true(json_object_get(record, "waiting")))
            strncat(found, "w", 1);
    }
    ck_assert_msg(strcmp(found, ids) == 0, "%s: %s, not %s", line, found, ids);
    json_decref(list);
}

static void put_four(void)
{
    put_row("10000000-0000-4000-8000-000000000001", "high", "2026-01-01 10:00:00");
    put_row("20000000-0000-4000-8000-000000000002", "low", "2026-01-02 10:00:00");
    put_waiting("30000000-0000-4000-8000-000000000003", "high", 1767434400000);
    put_waiting("40000000-0000-4000-8000-000000000004", "low", 1767520800000);
}

START_TEST(list_shows_the_rows_and_what_waits)
{
    static const struct {
        const char *options, *ids;
    } cases[] = {
        {"", "4w3w21"},
        {"--queue high", "3w1"},
        {"--job resize", "4w3w"},
        {"--job 'App\\Jobs\\*'", "21"},
        {"--since 2026-01-02T00:00:00Z", "4w3w2"},
        {"--before 2026-01-03T00:00:00Z", "21"},
        {"--before 2026-01-02T10:00:00Z", "1"},
        {"--limit 3", "4w3w2"},
        {"--limit 1", "4w"},
    };

    go(_i);
    put_four();
    for (size_t i = 0; i < ARRAY_CT(cases); i++) {
        char *line = must_format("$D failed list --json %s", cases[i].options);

        expect_ids(line, cases[i].ids);
        free(line);
    }
    expect(0, "$D failed list");
    IN_ERR("2 of these jobs wait in Redis for PostgreSQL");
    expect(0, "$D failed list --json --limit 4 --job 'App*' --payload");
    IN_OUT("{\"uuid\":\"20000000-0000-4000-8000-000000000002\",\"connection\":\"redis\","
           "\"queue\":\"low\",\"job\":\"App\\\\Jobs\\\\Mail\",\"attempts\":3,\"reason\":"
           "\"RuntimeException: no luck in /app/Mail.php:12\",\"failed_at\":"
           "\"2026-01-02T10:00:00.000Z\",\"payload\":");
}
END_TEST

START_TEST(show_takes_prefixes_of_both)
{
    go(_i);
    put_four();
    expect(0, "$D failed show 1000");
    IN_OUT("attempts    3");
    IN_OUT("#0 {main}");
    NOT_IN_OUT("waiting");
    expect(0, "$D failed show 3000");
    IN_OUT("waiting     in Redis, for PostgreSQL");
    put_row("10009999-0000-4000-8000-000000000001", "high", "2026-01-01 10:00:00");
    put_waiting("20009999-0000-4000-8000-000000000002", "high", 1767434400000);
    expect(3, "$D failed show 1000");
    IN_ERR("1000 begins the id of more than one failed job");
    expect(3, "$D failed show 2000");
    IN_ERR("2000 begins the id of more than one failed job");
    expect(0, "$D failed show 20000");
    expect(3, "$D failed show 9999");
    IN_ERR("no failed job 9999");
    expect(3, "$D failed show \"$(printf '1000\\377')\"");
    expect(2, "$D failed show 1");
}
END_TEST

START_TEST(status_counts_both)
{
    go(_i);
    put_four();
    expect(3, "$D status --json");
    IN_OUT("\"failed\":4,\"failed_waiting\":2,");
    expect(3, "$D status");
    IN_OUT("failed jobs  4, 2 wait in Redis for PostgreSQL");
}
END_TEST

/* ---- changing ---- */

START_TEST(retry_takes_the_row_and_pushes_with_attempts_0)
{
    go(_i);
    put_four();
    expect(0, "$D failed retry 1000 3000");
    sql_is("SELECT count(*) FROM failed_jobs", "1");
    expect_out("redis-cli -s $S ZCARD drover:outbox", "1");
    expect_out("redis-cli -s $S LINDEX queues:high 0",
               "{\"uuid\":\"10000000-0000-4000-8000-000000000001\",\"displayName\":"
               "\"App\\\\Jobs\\\\Mail\",\"job\":"
               "\"Illuminate\\\\Queue\\\\CallQueuedHandler@call\",\"maxTries\":3,"
               "\"data\":{\"command\":\"O:1\"},\"id\":\"x\",\"attempts\":0,\"big\":"
               "12345678901234567890}");
    expect_out("redis-cli -s $S LLEN queues:high", "2");
    expect_out("redis-cli -s $S LLEN queues:high:notify", "2");
    expect(3, "$D failed retry 10000000-0000-4000-8000-000000000001");
    expect(0, "$D failed retry --all --dry-run");
    IN_OUT("2 jobs would be retried");
    expect_out("$D failed retry --all", "2 jobs retried");
    sql_is("SELECT count(*) FROM failed_jobs", "0");
    expect_out("redis-cli -s $S LLEN queues:low", "2");
}
END_TEST

START_TEST(a_row_of_another_time_zone_is_retried_too)
{
    go(_i);
    put_row("10000000-0000-4000-8000-000000000001", "high", "2126-01-01");
    expect_out("$D failed retry --all", "1 job retried");
}
END_TEST

START_TEST(a_retry_that_cannot_be_pushed_leaves_the_row)
{
    go(_i);
    put_row("10000000-0000-4000-8000-000000000001", "high", "2026-01-01");
    expect(0, "redis-cli -s $S SET queues:high x");
    expect(1, "$D failed retry 1000");
    sql_is("SELECT count(*) FROM failed_jobs", "1");
    expect(0, "redis-cli -s $S DEL queues:high");
    expect(0, "$D failed retry 1000");
    sql_is("SELECT count(*) FROM failed_jobs", "0");
}
END_TEST

/* Redis is held up while the row is out, so that the job's next record comes just then.
 */
START_TEST(a_job_that_fails_again_meanwhile_keeps_its_new_record)
{
    go(_i);
    put_row("10000000-0000-4000-8000-000000000001", "high", "2026-01-01");
    expect(0,
           "redis-cli -s $S CLIENT PAUSE 200000 WRITE; $D failed retry 1000 & "
           "until [ \"$(psql \"$P\" -Atc \"SELECT count(*) FROM pg_stat_activity WHERE "
           "state = 'idle in transaction'\")\" = 1 ]; do sleep 0.05; done; "
           "psql \"$P\" -c \"INSERT INTO failed_jobs (uuid, connection, queue, payload, "
           "exception) VALUES ('10000000-0000-4000-8000-000000000001', 'redis', "
           "'high', '{}', 'new') ON CONFLICT (uuid) DO NOTHING\" & "
           "until [ \"$(psql \"$P\" -Atc \"SELECT count(*) FROM pg_stat_activity WHERE "
           "wait_event_type = 'Lock'\")\" = 1 ]; do sleep 0.05; done; "
           "redis-cli -s $S CLIENT UNPAUSE; wait");
    expect_out("redis-cli -s $S LLEN queues:high", "1");
    sql_is("SELECT exception FROM failed_jobs", "new");
}
END_TEST

START_TEST(an_interrupt_ends_a_wait_for_postgresql)
{
    put_row("10000000-0000-4000-8000-000000000001", "high", "2026-01-01");
    expect(0,
           "psql \"$P\" -c \"BEGIN; LOCK failed_jobs; SELECT pg_sleep(600)\" > /dev/null "
           "2>&1 & lock=$!; "
           "until [ \"$(psql \"$P\" -Atc \"SELECT count(*) FROM pg_locks WHERE mode = "
           "'AccessExclusiveLock' AND granted AND relation = "
           "'failed_jobs'::regclass\")\" = 1 ]; do sleep 0.05; done; "
           "$D failed flush --yes > $T/flush 2>&1 & pid=$!; "
           "until [ \"$(psql \"$P\" -Atc \"SELECT count(*) FROM pg_stat_activity WHERE "
           "wait_event_type = 'Lock'\")\" = 1 ]; do sleep 0.05; done; "
           "kill -TERM $pid; wait $pid; code=$?; kill $lock; "
           "psql \"$P\" -Atc \"SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
           "WHERE query LIKE '%pg_sleep%' AND pid <> pg_backend_pid()\" > /dev/null; "
           "cat $T/flush; [ $code = 1 ]");
    IN_OUT("interrupted");
    sql_is("SELECT count(*) FROM failed_jobs", "1");
}
END_TEST

START_TEST(a_retry_that_comes_too_late_says_so)
{
    go(_i);
    put_row("10000000-0000-4000-8000-000000000001", "high", "2026-01-01");
    (void)postgres_process_do(&server, "UPDATE failed_jobs SET payload = "
                                       "'{\"job\":\"x\",\"retryUntil\":1700000000}'");
    expect(0, "$D failed retry 1000");
    IN_ERR("1 of these jobs has a retryUntil that is past");
}
END_TEST

START_TEST(payloads_that_text_cannot_hold_come_back_byte_for_byte)
{
    go(_i);
    put_row("10000000-0000-4000-8000-000000000001", "high", "2026-01-01");
    (void)postgres_process_do(
        &server, "UPDATE failed_jobs SET payload = '{\"uuid\":\"u\",\"displayName\":"
                 "\"drover.raw\",\"job\":\"drover.raw\",\"data\":{\"base64\":"
                 "\"AAH/ew==\"},\"attempts\":0}'");
    expect(0, "$D failed show --json 1000");
    IN_OUT("\"payload_base64\":\"AAH/ew==\"");
    IN_OUT("\"job\":\"\"");
    expect(0, "$D failed retry 1000");
    expect_out("redis-cli -s $S LPOP queues:high | head -c 4 | base64", "AAH/ew==");
}
END_TEST

START_TEST(forget_flush_and_prune_work_on_both)
{
    go(_i);
    put_four();
    expect_out("$D failed forget 1000 4000", "2 jobs removed");
    expect_ids("$D failed list --json", "3w2");
    put_row("10000000-0000-4000-8000-000000000001", "high", "2026-01-01 10:00:00");
    put_waiting("40000000-0000-4000-8000-000000000004", "low", 1767520800000);
    expect_out("$D failed prune --before 2026-01-02 --dry-run", "1 job would be removed");
    expect_out("$D failed prune --before 2026-01-03T12:00:00Z", "3 jobs removed");
    expect_ids("$D failed list --json", "4w");
    put_row("50000000-0000-4000-8000-000000000001", "high", "2026-01-01");
    expect_out("$D failed flush --yes", "2 jobs removed");
    expect_ids("$D failed list --json", "");
    sql_is("SELECT count(*) FROM failed_jobs", "0");
}
END_TEST

/* ---- trouble ---- */

START_TEST(without_postgresql_what_waits_can_still_be_had)
{
    expect(0, "sed 's/^failed:.*/failed: { store = \"postgres\"; dsn = "
              "\"host=\\/nowhere dbname=app password=canary\"; };/' $DROVER_CONFIG > "
              "$T/away.conf");
    use_config("away");
    put_waiting("30000000-0000-4000-8000-000000000003", "high", 1767434400000);
    put_waiting("40000000-0000-4000-8000-000000000004", "low", 1767520800000);
    expect(1, "$D failed list");
    IN_OUT("30000000");
    IN_ERR("cannot reach PostgreSQL (host=/nowhere dbname=app password=(secret)): ");
    IN_ERR("check failed.dsn and the server: 2 failed jobs wait in Redis until it is "
           "back");
    ck_assert_ptr_null(strstr(sh->err.data, "canary"));
    expect(3, "$D status --json");
    IN_OUT("\"failed\":null,\"failed_waiting\":2,");
    expect(3, "$D status");
    IN_OUT("failed jobs  -, PostgreSQL cannot be asked, 2 wait in Redis for PostgreSQL");
    expect(0, "$D failed show 30000000-0000-4000-8000-000000000003");
    expect(0, "$D failed retry 30000000-0000-4000-8000-000000000003");
    expect(0, "redis-cli -s $S HSET drover:failed:40000000-0000-4000-8000-000000000004 "
              "moving 1"); /* a worker has it in hand */
    expect(1, "$D failed retry 40000000-0000-4000-8000-000000000004");
    IN_ERR("on its way to PostgreSQL: try again");
    expect(1, "$D failed forget 40000000-0000-4000-8000-000000000004");
    IN_ERR("on its way to PostgreSQL: try again");
    expect(0, "redis-cli -s $S HDEL drover:failed:40000000-0000-4000-8000-000000000004 "
              "moving");
    expect(0, "$D failed forget 40000000-0000-4000-8000-000000000004");
    expect_out("redis-cli -s $S ZCARD drover:outbox", "0");
    expect(1, "$D failed migrate");
}
END_TEST

START_TEST(a_table_that_does_not_answer_does_not_hang_the_status)
{
    put_four();
    expect(3,
           "psql \"$P\" -c \"BEGIN; LOCK failed_jobs; SELECT pg_sleep(600)\" > /dev/null "
           "2>&1 & lock=$!; "
           "until [ \"$(psql \"$P\" -Atc \"SELECT count(*) FROM pg_locks WHERE mode = "
           "'AccessExclusiveLock' AND granted AND relation = "
           "'failed_jobs'::regclass\")\" = 1 ]; do sleep 0.05; done; "
           "timeout 60 $D status --json; code=$?; kill $lock; "
           "psql \"$P\" -Atc \"SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
           "WHERE query LIKE '%pg_sleep%' AND pid <> pg_backend_pid()\" > /dev/null; "
           "exit $code");
    IN_OUT("\"failed\":null,\"failed_waiting\":2,");
    IN_ERR("no answer in time");
}
END_TEST

START_TEST(a_missing_table_is_named_with_what_to_do)
{
    go(_i);
    (void)postgres_process_do(&server, "DROP TABLE failed_jobs");
    expect(1, "$D failed list");
    IN_ERR("there is no table \"failed_jobs\": `drover failed migrate` makes it");
}
END_TEST

START_TEST(a_read_only_server_changes_nothing)
{
    put_row("10000000-0000-4000-8000-000000000001", "high", "2026-01-01");
    postgres_process_set_read_only(&server, true);
    expect(1, "$D failed retry 1000");
    IN_ERR("SQLSTATE 25006");
    expect(0, "$D failed list");
    postgres_process_set_read_only(&server, false);
    expect_out("redis-cli -s $S LLEN queues:high", "0");
    expect(0, "$D failed retry 1000");
}
END_TEST

START_TEST(memory_does_not_grow_with_the_number_of_rows)
{
    /* The private memory it may have: the rows are 35 MB. */
    static const char limited[] =
        "ulimit -d 8192; $D failed list --json --payload > $T/many";

    go(_i);
    put_row("10000000-0000-4000-8000-000000000001", "high", "2026-01-01");
    (void)postgres_process_do(
        &server, "INSERT INTO failed_jobs (uuid, connection, queue, payload, exception) "
                 "SELECT gen_random_uuid(), 'redis', 'q', "
                 "'{\"job\":\"x\",\"data\":\"' || repeat('y', 1000) || '\"}', 'e' FROM "
                 "generate_series(1, 30000)");
    expect(0, is_sanitized() ? strchr(limited, '$') : limited);
    expect_out("grep -o '\"uuid\"' $T/many | wc -l", "30001");
    expect_out("$D failed flush --yes", "30001 jobs removed");
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_checked_fixture(tc, set_up, NULL);
    tcase_add_loop_test(tc, list_shows_the_rows_and_what_waits, 0, WAY_CT);
    tcase_add_loop_test(tc, show_takes_prefixes_of_both, 0, WAY_CT);
    tcase_add_loop_test(tc, status_counts_both, 0, WAY_CT);
    tcase_add_loop_test(tc, retry_takes_the_row_and_pushes_with_attempts_0, 0, WAY_CT);
    tcase_add_loop_test(tc, a_row_of_another_time_zone_is_retried_too, 0, WAY_CT);
    tcase_add_loop_test(tc, a_retry_that_cannot_be_pushed_leaves_the_row, 0, WAY_CT);
    tcase_add_loop_test(tc, a_job_that_fails_again_meanwhile_keeps_its_new_record, 0,
                        WAY_CT);
    tcase_add_test(tc, an_interrupt_ends_a_wait_for_postgresql);
    tcase_add_loop_test(tc, a_retry_that_comes_too_late_says_so, 0, WAY_CT);
    tcase_add_loop_test(tc, payloads_that_text_cannot_hold_come_back_byte_for_byte, 0,
                        WAY_CT);
    tcase_add_loop_test(tc, forget_flush_and_prune_work_on_both, 0, WAY_CT);
    tcase_add_test(tc, without_postgresql_what_waits_can_still_be_had);
    tcase_add_test(tc, a_table_that_does_not_answer_does_not_hang_the_status);
    tcase_add_loop_test(tc, a_missing_table_is_named_with_what_to_do, 0, WAY_CT);
    tcase_add_test(tc, a_read_only_server_changes_nothing);
    tcase_add_loop_test(tc, memory_does_not_grow_with_the_number_of_rows, 0, WAY_CT);
}

int main(void)
{
    return run_with_servers("cli_failed_postgres", add_tests);
}
