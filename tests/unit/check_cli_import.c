/* drover import database: the built drover, a shell, a real PostgreSQL and a real Redis.
 * In the lines, $P is the database's conninfo, $B the same through a pooler. */
#include <stdlib.h>

#include "tests/support/pgbouncer_process.h"
#include "tests/support/postgres_fixture.h"
#include "tests/support/sanitized.h"
#include "tests/support/shell_fixture.h"

#define IMPORT "$D import database --dsn \"$P\""

static struct pgbouncer_process pooler;

static void set_up(void)
{
    expect(0, "redis-cli -s $S CONFIG SET maxmemory 0 && redis-cli -s $S FLUSHALL");
    (void)postgres_process_do(&server, FRESH_SCHEMA LARAVEL_JOBS_TABLE);
}

#define PAYLOAD                                                                          \
    "{\"uuid\":\"%s\",\"displayName\":\"resize\",\"job\":\"resize\",\"data\":{}}"

/* `reserved_at` and `available_at`: seconds from now; "NULL". */
static void put(const char *queue, const char *payload, int attempts,
                const char *reserved_at, int available_at)
{
    (void)postgres_process_do(
        &server,
        "INSERT INTO jobs (queue, payload, attempts, reserved_at, available_at, "
        "created_at) VALUES ('%s', '%s', %d, floor(extract(epoch FROM now()))::int + %s, "
        "floor(extract(epoch FROM now()))::int + (%d), floor(extract(epoch FROM "
        "now()))::int)",
        queue, payload, attempts, reserved_at, available_at);
}

static void put_many(const char *queue, int ct)
{
    (void)postgres_process_do(
        &server,
        "INSERT INTO jobs (queue, payload, attempts, available_at, created_at) SELECT "
        "'%s', '{\"uuid\":\"u-' || n || '\",\"job\":\"resize\",\"data\":{}}', 0, 0, 0 "
        "FROM "
        "generate_series(1, %d) n",
        queue, ct);
}

/* ---- what arrives ---- */

START_TEST(a_job_arrives_as_a_php_worker_wants_it)
{
    put("high",
        "{\"uuid\":\"u-1\", "
        "\"job\":\"resize\",\"data\":{\"big\":12345678901234567890,\"l\":[]}}",
        2, "NULL", -5);
    expect_out(IMPORT, "1 job moved");
    sql_is("SELECT count(*) FROM jobs", "0");
    expect(0, "redis-cli -s $S LPOP queues:high");
    ck_assert_ptr_nonnull(
        strstr(sh->out.data, "{\"uuid\":\"u-1\", \"job\":\"resize\",\"data\":{\"big\":"
                             "12345678901234567890,\"l\":[]},\"attempts\":2,\"id\":\""));
    ck_assert_uint_eq(strlen(strstr(sh->out.data, "\"id\":\"")),
                      strlen("\"id\":\"") + 32 + 2);
    expect_out("redis-cli -s $S LLEN queues:high:notify", "1");
}
END_TEST

START_TEST(a_payload_with_all_it_needs_changes_in_its_attempts_alone)
{
    put("high", "{\"id\":\"mine\",\"attempts\":7,\"uuid\":\"u\",\"job\":\"resize\"}", 3,
        "NULL", 0);
    put("high", "{\"job\":\"resize\"}", 0, "NULL", 0);
    expect_out(IMPORT, "2 jobs moved");
    expect_out("redis-cli -s $S LPOP queues:high",
               "{\"id\":\"mine\",\"attempts\":3,\"uuid\":\"u\",\"job\":\"resize\"}");
    expect(0, "redis-cli -s $S LPOP queues:high | grep -E "
              "'^\\{\"job\":\"resize\",\"attempts\":0,"
              "\"uuid\":\"[0-9a-f-]{36}\",\"id\":\"[A-Za-z0-9]{32}\"\\}$'");
}
END_TEST

START_TEST(jobs_come_by_id_and_later_ones_wait)
{
    put_many("high", 3);
    put("high", "{\"uuid\":\"later\",\"job\":\"resize\"}", 0, "NULL", 5000);
    put("low", "{\"uuid\":\"first\",\"job\":\"resize\"}", 0, "NULL", -9);
    expect_out(IMPORT, "5 jobs moved");
    expect_out(
        "redis-cli -s $S LRANGE queues:high 0 -1 | grep -o 'u-[0-9]' | tr -d '\\n'",
        "u-1u-2u-3");
    expect_out("redis-cli -s $S ZRANGE queues:high:delayed 0 -1 WITHSCORES | tail -1 > "
               "$T/score; echo $(($(cat $T/score) - $(date +%s))) | grep -cE "
               "'^(4[0-9]{3}|5000)$'",
               "1");
    expect_out("redis-cli -s $S LLEN queues:low", "1");
    expect_out("redis-cli -s $S LLEN queues:high:notify", "3");
}
END_TEST

START_TEST(jobs_of_equal_bytes_all_arrive)
{
    for (int i = 0; i < 3; i++) {
        put("high", "{\"id\":\"x\",\"uuid\":\"u\",\"job\":\"resize\"}", 0, "NULL", 0);
        put("high", "{\"id\":\"x\",\"uuid\":\"u\",\"job\":\"resize\"}", 0, "NULL", 900);
    }
    expect_out(IMPORT, "6 jobs moved");
    expect_out("redis-cli -s $S LLEN queues:high", "3");
    expect_out("redis-cli -s $S ZCARD queues:high:delayed", "3");
}
END_TEST

/* ---- what stays ---- */

START_TEST(reserved_jobs_stay_with_their_workers)
{
    put("high", "{\"job\":\"resize\"}", 1, "(-10)", -20);
    put("high", "{\"job\":\"resize\"}", 1, "(-100)", -200);
    put("high", "{\"job\":\"resize\"}", 0, "NULL", 0);
    expect_out(IMPORT, "1 job moved\n2 left in the table: reserved by Laravel's workers");
    sql_is("SELECT count(*) FROM jobs WHERE reserved_at IS NOT NULL AND attempts = 1",
           "2");
    expect_out(IMPORT " --include-reserved",
               "1 job moved\n1 left in the table: reserved by Laravel's workers");
    expect(0, "redis-cli -s $S LINDEX queues:high 1");
    IN_OUT("\"attempts\":1,");
    expect_out(IMPORT " --include-reserved --retry-after 5", "1 job moved");
    sql_is("SELECT count(*) FROM jobs", "0");
}
END_TEST

static const struct {
    const char *queue, *payload, *message;
} bad_rows[] = {
    {"high", "", "row 1 (queue high) stays in the table: the payload is empty"},
    {"high", "no json", "row 2 (queue high) stays in the table: the payload is not JSON"},
    {"high", "[1]", "row 3 (queue high) stays in the table: the payload is an array"},
    {"high", "{\"uuid\":\"u\"}", "the payload names no job"},
    {"high", "{\"job\":7}", "the payload's job is not a string"},
    {"high", "{\"job\":\"a\",\"attempts\":null}", "the payload's attempts"},
    {"high:reserved", "{\"job\":\"a\"}", "row 7 (queue high:reserved)"},
    {"", "{\"job\":\"a\"}", "its queue has no name"},
};

START_TEST(what_is_no_job_stays_and_is_named)
{
    for (size_t i = 0; i < ARRAY_CT(bad_rows); i++)
        put(bad_rows[i].queue, bad_rows[i].payload, 4, "NULL", 0);
    put_many("low", 2);
    expect(1, IMPORT);
    IN_OUT("2 jobs moved\n8 left in the table: no jobs that could run from Redis");
    for (size_t i = 0; i < ARRAY_CT(bad_rows); i++)
        IN_ERR(bad_rows[i].message);
    sql_is(
        "SELECT count(*) || coalesce(max(reserved_at)::text, '-') || min(attempts) FROM "
        "jobs",
        "8-4");
    expect(1, IMPORT " --json");
    IN_OUT(
        "{\"table\":\"jobs\",\"moved\":0,\"before\":0,\"bad\":8,\"refused\":0,\"rows\":[{"
        "\"id\":1,\"reason\":\"the payload is empty\"},{\"id\":2,");
    IN_OUT("\"left\":{\"ready\":8,\"delayed\":0,\"forgotten\":0,\"reserved\":0,"
           "\"claimed\":0}");
}
END_TEST

START_TEST(a_payload_that_is_too_long_stays)
{
    expect(
        0,
        "sed 's/^state_dir/max_payload = 1; state_dir/' $DROVER_CONFIG > $T/short.conf");
    (void)postgres_process_do(
        &server,
        "INSERT INTO jobs (queue, payload, attempts, available_at, created_at) "
        "SELECT 'high', '{\"job\":\"r\",\"data\":\"' || repeat('x', n) || '\"}', 0, "
        "0, 0 FROM unnest('{700000,1100000,700000}'::int[]) n");
    expect(1, IMPORT " -c $T/short.conf");
    IN_OUT("2 jobs moved");
    IN_ERR(
        "row 2 stays in the table: the payload has 1100021 bytes, more than max_payload");
    sql_is("SELECT count(*) FROM jobs WHERE id = 2 AND reserved_at IS NULL", "1");
}
END_TEST

START_TEST(a_queue_that_redis_refuses_does_not_stop_the_others)
{
    expect(
        0,
        "redis-cli -s $S SET queues:high x && redis-cli -s $S SET queues:mid:delayed x");
    put_many("high", 2);
    put_many("mid", 2);
    put_many("low", 2);
    expect(1, IMPORT);
    IN_OUT("2 jobs moved\n4 left in the table: Redis does not take them");
    IN_ERR("row 1 (queue high) stays in the table: Redis refuses: ERR queues:high is not "
           "a list");
    IN_ERR("queues:mid:delayed is not a sorted set");
    sql_is("SELECT count(*) FROM jobs WHERE reserved_at IS NULL", "4");
    expect(0, "redis-cli -s $S DEL queues:high queues:mid:delayed");
    expect_out(IMPORT, "4 jobs moved");
}
END_TEST

/* ---- which ones ---- */

START_TEST(queues_and_a_number_can_be_chosen)
{
    put_many("high", 4);
    put_many("mid", 4);
    put_many("low", 4);
    expect_out(
        IMPORT " --queue high,low --limit 5",
        "5 jobs moved\n3 left in the table: waiting, beyond --limit or come meanwhile");
    sql_is(
        "SELECT string_agg(queue || ct, ' ' ORDER BY queue) FROM (SELECT queue, count(*) "
        "ct FROM jobs GROUP BY queue) q",
        "low3 mid4");
}
END_TEST

START_TEST(a_dry_run_counts_and_changes_nothing)
{
    put_many("high", 3);
    put("high", "{\"job\":\"r\"}", 0, "NULL", 600);
    put("high", "{\"job\":\"r\"}", 1, "(-300)", 0);
    put("low", "{\"job\":\"r\"}", 1, "(-3)", 0);
    expect(0, IMPORT " --dry-run");
    IN_OUT("QUEUE  READY  DELAYED  FORGOTTEN  RESERVED  CLAIMED\n"
           "high       3        1          0         1        0\n"
           "low        0        0          0         1        0\n"
           "4 jobs would be moved");
    expect_out(
        IMPORT " --dry-run --json --include-reserved --queue high",
        "{\"table\":\"jobs\",\"queues\":[{\"queue\":\"high\",\"ready\":3,\"delayed\":1,"
        "\"forgotten\":1,\"reserved\":0,\"claimed\":0}],\"moved\":5,\"before\":0,\"bad\":"
        "0,"
        "\"rows\":[],\"dry_run\":true}");
    sql_is("SELECT count(*) FROM jobs", "6");
    expect_out("redis-cli -s $S DBSIZE", "0");
}
END_TEST

/* What an earlier run has pushed and could not remove, and what it had only claimed. */
static void leave_behind(void)
{
    put_many("claimed", 2);
    (void)postgres_process_do(
        &server,
        "SET client_min_messages = warning; CREATE FUNCTION refuse() RETURNS trigger AS "
        "$$BEGIN RAISE 'no'; END$$ LANGUAGE plpgsql; CREATE TRIGGER refuse BEFORE DELETE "
        "ON jobs FOR EACH ROW EXECUTE FUNCTION refuse()");
    expect(1, IMPORT);
    put_many("claimed", 3);
    put("claimed", "no json", 0, "NULL", 0);
    (void)postgres_process_do(
        &server, "DROP TRIGGER refuse ON jobs; UPDATE jobs SET reserved_at = 2147483647");
}

static const char *const dry_arguments[] = {
    "",
    "--queue high",
    "--queue low,none",
    "--limit 2",
    "--limit 3 --queue mid",
    "--include-reserved",
    "--include-reserved --retry-after 1000 --limit 9",
};

/* Bad ones among them, other queues, claims of an earlier run, too long a payload. */
START_TEST(a_dry_run_tells_what_a_run_moves)
{
    char *dry = must_format(IMPORT " -c $T/short.conf --dry-run --json %s > $T/dry",
                            dry_arguments[_i]);
    char *real = must_format(IMPORT " -c $T/short.conf --json %s > $T/real; [ $? -le 1 ]",
                             dry_arguments[_i]);

    expect(
        0,
        "sed 's/^state_dir/max_payload = 1; state_dir/' $DROVER_CONFIG > $T/short.conf");
    leave_behind();
    put("high", "no json", 0, "NULL", 0);
    put_many("high", 4);
    put_many("mid", 2);
    put("high:reserved", "{\"job\":\"a\"}", 0, "NULL", 0);
    put("low", "{\"job\":\"r\"}", 0, "NULL", 600);
    put("low", "{\"job\":\"r\"}", 1, "(-3)", 0);
    put("low", "{\"job\":\"r\"}", 1, "(-300)", 0);
    (void)postgres_process_do(
        &server, "INSERT INTO jobs (queue, payload, attempts, available_at, created_at) "
                 "VALUES ('low', '{\"job\":\"r\",\"data\":\"' || repeat('x', 1100000) || "
                 "'\"}', 0, 0, 0)");
    put_many("low", 2);
    expect(0, dry);
    expect_out("redis-cli -s $S KEYS 'queues:*'| grep -v notify", "queues:claimed");
    expect(0, "grep -q '\"before\":2,\"bad\":[1-9]' $T/dry");
    expect(0, real);
    expect(0, "for m in moved before; do for f in dry real; do "
              "grep -oE \"\\\"$m\\\":[0-9]+\" $T/$f; done | uniq; done | wc -l");
    ck_assert_msg(strcmp(sh->out.data, "2") == 0, "%s: dry and real runs differ", dry);
    free(dry);
    free(real);
}
END_TEST

START_TEST(the_table_may_have_another_name_and_schema)
{
    (void)postgres_process_do(&server,
                              "SET client_min_messages = warning; DROP SCHEMA IF "
                              "EXISTS app CASCADE; CREATE SCHEMA app; CREATE TABLE "
                              "app.\"My\"\"Jobs\" (LIKE jobs INCLUDING ALL); INSERT "
                              "INTO app.\"My\"\"Jobs\" (queue, payload, attempts, "
                              "available_at, created_at) VALUES ('q', "
                              "'{\"job\":\"x\"}', 0, 0, 0)");
    expect_out(IMPORT " --table 'app.My\"Jobs'", "1 job moved");
}
END_TEST

static const struct {
    int exit_code;
    const char *arguments, *message;
} mistakes[] = {
    {2, "", "needs --dsn"},
    {2, "--dsn mysql:host=db", "only PostgreSQL is read, this is mysql:"},
    {2, "--dsn mysql://u:secret@db/app", "only PostgreSQL is read, this is mysql:"},
    {2, "--dsn nonsense", "is neither"},
    {2, "--dsn \"$P\" --table a.b.c", "is no name of a table"},
    {2, "--dsn \"$P\" --limit 0", "--limit"},
    {2, "--dsn \"$P\" --retry-after 5", "needs --include-reserved"},
    {2, "--dsn \"$P\" --queue a,,b", "a name is empty"},
    {1, "--dsn \"$P\" --table jbos", "there is no table \"jbos\""},
    {1, "--dsn \"$P\" --table half", "the table \"half\" is without payload, attempts"},
    {1, "--dsn \"host=$T dbname=x\"", "cannot reach PostgreSQL"},
    {1, "--dsn \"$P user=reader\"", "no right to UPDATE, DELETE on \"jobs\""},
};

START_TEST(mistakes_are_told_before_anything_is_done)
{
    char *line = must_format("$D import database %s", mistakes[_i].arguments);

    (void)postgres_process_do(
        &server,
        "SET client_min_messages = warning; CREATE TABLE half (id bigint, queue "
        "text, reserved_at int, available_at int, created_at int); DO $$BEGIN IF "
        "NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'reader') THEN CREATE "
        "ROLE reader LOGIN; END IF; END$$; GRANT USAGE ON SCHEMA public TO reader; "
        "GRANT SELECT ON jobs TO reader");
    put_many("high", 1);
    expect(mistakes[_i].exit_code, line);
    IN_ERR(mistakes[_i].message);
    ck_assert_ptr_null(strstr(sh->err.data, "secret"));
    sql_is("SELECT count(*) FROM jobs WHERE reserved_at IS NULL", "1");
    free(line);
}
END_TEST

/* ---- many ---- */

START_TEST(batches_of_many_queues_arrive_whole_and_in_order)
{
    (void)postgres_process_do(
        &server,
        "INSERT INTO jobs (queue, payload, attempts, available_at, created_at) "
        "SELECT 'q' || n %% 7, '{\"uuid\":\"' || lpad(n::text, 5, '0') || "
        "'\",\"job\":\"r\",\"data\":\"' || repeat('y', 20000) || '\"}', 0, 0, 0 FROM "
        "generate_series(1, 1700) n");
    /* The payloads are 34 MB, and a batch of 500 is held a few times over. */
    setenv("LIMIT", is_sanitized() ? "true" : "ulimit -d 32768", 1);
    expect_out(_i ? "$LIMIT; $D import database --dsn \"$B\"" : "$LIMIT; " IMPORT,
               "1700 jobs moved");
    expect_out(
        "for q in 0 1 2 3 4 5 6; do redis-cli -s $S LRANGE queues:q$q 0 -1 | grep -oE "
        "'\"uuid\":\"[0-9]+' > $T/q; sort -c $T/q && cat $T/q; done | sort -u | wc -l",
        "1700");
    expect_out("redis-cli -s $S KEYS 'drover:import:*' | grep -vc ':token$'; true", "0");
    sql_is("SELECT count(*) FROM jobs", "0");
}
END_TEST

START_TEST(another_prefix_is_another_place)
{
    put_many("high", 1);
    expect_out("REDIS_PREFIX=p: " IMPORT, "1 job moved");
    expect_out("redis-cli -s $S LLEN p:queues:high", "1");
    expect_out("redis-cli -s $S KEYS '[^p]*'", "");
}
END_TEST

START_TEST(a_redis_that_may_lose_jobs_is_said)
{
    put_many("high", 1);
    expect(0, IMPORT);
    IN_ERR("warning: Redis has appendonly no");
}
END_TEST

/* ---- trouble ---- */

START_TEST(a_full_redis_changes_nothing)
{
    put_many("high", 700);
    expect(0, "redis-cli -s $S CONFIG SET maxmemory 1");
    expect(1, IMPORT);
    IN_ERR("is full (maxmemory) and takes no more");
    IN_OUT("0 jobs moved");
    sql_is("SELECT count(*) FROM jobs WHERE reserved_at IS NULL", "700");
    expect(0, "redis-cli -s $S CONFIG SET maxmemory 0");
    expect_out(IMPORT, "700 jobs moved");
    expect_out("redis-cli -s $S LLEN queues:high", "700");
}
END_TEST

START_TEST(a_read_only_redis_changes_nothing)
{
    put_many("high", 3);
    expect(0, "redis-cli -s $S REPLICAOF 127.0.0.1 1");
    expect(1, IMPORT);
    IN_ERR("READONLY");
    sql_is("SELECT count(*) FROM jobs", "3");
    expect(0, "redis-cli -s $S REPLICAOF NO ONE");
    expect_out(IMPORT, "3 jobs moved");
    expect_out("redis-cli -s $S LLEN queues:high", "3");
}
END_TEST

START_TEST(without_redis_nothing_begins)
{
    put_many("high", 3);
    expect(6, "REDIS_URL= " IMPORT " -c $T/away.conf");
    sql_is("SELECT count(*) FROM jobs WHERE reserved_at IS NULL", "3");
}
END_TEST

/* What a run that died between push and COMMIT leaves: claims, and some of the marks. */
START_TEST(what_an_earlier_run_pushed_is_only_taken_from_the_table)
{
    put_many("high", 10);
    expect_out(IMPORT, "10 jobs moved");
    put_many("high", 10);
    (void)postgres_process_do(&server, "UPDATE jobs SET reserved_at = 2147483647");
    expect_out(
        IMPORT " --dry-run --json",
        "{\"table\":\"jobs\",\"queues\":[{\"queue\":\"high\",\"ready\":0,\"delayed\":0,"
        "\"forgotten\":0,\"reserved\":0,\"claimed\":10}],\"moved\":10,\"before\":0,"
        "\"bad\":0,"
        "\"rows\":[],\"dry_run\":true}");
    expect_out(IMPORT " --queue other", "10 jobs moved");
    expect_out("redis-cli -s $S LLEN queues:high", "20");
}
END_TEST

START_TEST(an_id_that_comes_again_is_another_job)
{
    put_many("high", 1);
    expect(0, IMPORT);
    /* the mark of a row that is gone, as a run leaves it that died after its COMMIT */
    expect(0,
           "key=$(redis-cli -s $S KEYS 'drover:import:*:token') && redis-cli -s $S ZADD "
           "${key%:token} 1 '1 0123456789abcdef0123456789abcdef'");
    (void)postgres_process_do(&server, "TRUNCATE jobs RESTART IDENTITY");
    put_many("high", 1);
    expect_out(IMPORT, "1 job moved");
    expect_out("redis-cli -s $S LLEN queues:high", "2");
    expect_out("redis-cli -s $S KEYS 'drover:import:*' | grep -vc ':token$'; true", "0");
}
END_TEST

START_TEST(a_row_that_somebody_has_locked_is_passed_over)
{
    put_many("high", 3);
    expect(0,
           "mkfifo $T/fifo; psql -qAt \"$P\" < $T/fifo > $T/psql 2>&1 & exec 3> $T/fifo; "
           "echo 'BEGIN; SELECT id FROM jobs WHERE id = 2 FOR UPDATE;' >&3; n=0; "
           "until grep -q 2 $T/psql || [ $n -gt 600 ]; do n=$((n + 1)); sleep 0.1; "
           "done; " IMPORT
           " > $T/said; echo 'ROLLBACK;' >&3; exec 3>&-; wait; cat $T/said");
    IN_OUT(
        "2 jobs moved\n1 left in the table: waiting, beyond --limit or come meanwhile");
    expect_out(IMPORT, "1 job moved");
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_checked_fixture(tc, set_up, NULL);
    tcase_add_test(tc, a_job_arrives_as_a_php_worker_wants_it);
    tcase_add_test(tc, a_payload_with_all_it_needs_changes_in_its_attempts_alone);
    tcase_add_test(tc, jobs_come_by_id_and_later_ones_wait);
    tcase_add_test(tc, jobs_of_equal_bytes_all_arrive);
    tcase_add_test(tc, reserved_jobs_stay_with_their_workers);
    tcase_add_test(tc, what_is_no_job_stays_and_is_named);
    tcase_add_test(tc, a_payload_that_is_too_long_stays);
    tcase_add_test(tc, a_queue_that_redis_refuses_does_not_stop_the_others);
    tcase_add_test(tc, queues_and_a_number_can_be_chosen);
    tcase_add_test(tc, a_dry_run_counts_and_changes_nothing);
    tcase_add_loop_test(tc, a_dry_run_tells_what_a_run_moves, 0, ARRAY_CT(dry_arguments));
    tcase_add_test(tc, the_table_may_have_another_name_and_schema);
    tcase_add_loop_test(tc, mistakes_are_told_before_anything_is_done, 0,
                        ARRAY_CT(mistakes));
    tcase_add_loop_test(tc, batches_of_many_queues_arrive_whole_and_in_order, 0, 2);
    tcase_add_test(tc, another_prefix_is_another_place);
    tcase_add_test(tc, a_redis_that_may_lose_jobs_is_said);
    tcase_add_test(tc, a_full_redis_changes_nothing);
    tcase_add_test(tc, a_read_only_redis_changes_nothing);
    tcase_add_test(tc, without_redis_nothing_begins);
    tcase_add_test(tc, what_an_earlier_run_pushed_is_only_taken_from_the_table);
    tcase_add_test(tc, an_id_that_comes_again_is_another_job);
    tcase_add_test(tc, a_row_that_somebody_has_locked_is_passed_over);
}

int main(void)
{
    int status;

    MUST(postgres_process_is_installed() && pgbouncer_process_is_installed());
    postgres_process_make(&server);
    postgres_process_start(&server);
    pgbouncer_process_begin(&pooler, &server, 2);
    sh = shell_open("");
    setenv("P", server.dsn, 1);
    setenv("B", pooler.dsn, 1);
    MUST(shell_run(
             sh, "sed 's|unix://[^?]*|unix://%s/no.sock|' $DROVER_CONFIG > $T/away.conf",
             sh->dir) == 0);
    status = run_suite("cli_import", 240, add_tests);
    shell_close(sh);
    pgbouncer_process_end(&pooler);
    postgres_process_end(&server);
    return status;
}
