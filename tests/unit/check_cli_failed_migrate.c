/* drover failed migrate: the table it makes, what it finds wrong with one, what it moves.
 */
#include <stdlib.h>

#include "tests/unit/failed_postgres.h"

static const char table_sql[] =
    "SELECT string_agg(column_name || ' ' || data_type || ' ' || is_nullable || ' ' || "
    "coalesce(datetime_precision, character_maximum_length, 0), ',' ORDER BY "
    "ordinal_position) FROM information_schema.columns WHERE table_name = 'failed_jobs' "
    "AND table_schema = '%s'";

START_TEST(migrate_makes_laravels_table)
{
    char *sql = must_format(table_sql, "public");

    go(_i);
    (void)postgres_process_do(&server, "DROP TABLE failed_jobs");
    expect(0, "$D status | grep -q '^failed jobs  -, the table is missing'");
    expect(0, "$D failed migrate --dry-run");
    IN_OUT("CREATE TABLE \"failed_jobs\" (");
    IN_OUT("table failed_jobs would be made");
    sql_is("SELECT count(*) FROM pg_class WHERE relname = 'failed_jobs'", "0");
    expect_out("$D failed migrate", "table failed_jobs made");
    sql_is(sql, "id bigint NO 0,uuid character varying NO 255,connection text NO 0,"
                "queue text NO 0,payload text NO 0,exception text NO 0,"
                "failed_at timestamp without time zone NO 0");
    sql_is("SELECT string_agg(indexname, ',' ORDER BY indexname) FROM pg_indexes WHERE "
           "tablename = 'failed_jobs'",
           "failed_jobs_connection_queue_failed_at_index,failed_jobs_pkey,"
           "failed_jobs_uuid_unique");
    expect_out("$D failed migrate", "table failed_jobs is there and as it should be");
    expect_out("$D failed migrate --json", "{\"table\":\"failed_jobs\",\"created\":false,"
                                           "\"moved\":0,\"dry_run\":false}");
    free(sql);
}
END_TEST

START_TEST(migrate_makes_it_in_the_schema_that_is_named)
{
    char *sql = must_format(table_sql, "jobs");

    expect(0, "sed 's/store = /table = \"jobs.failed_jobs\"; store = /' $DROVER_CONFIG > "
              "$T/schema.conf");
    expect(1, "$D failed migrate -c $T/schema.conf");
    IN_ERR("schema \"jobs\" does not exist");
    (void)postgres_process_do(&server, "CREATE SCHEMA jobs");
    expect(0, "$D failed migrate -c $T/schema.conf");
    ck_assert_str_ne(postgres_process_do(&server, "%s", sql), "");
    expect(0, "$D failed list -c $T/schema.conf");
    free(sql);
}
END_TEST

static const struct {
    const char *sql, *message;
} bad_tables[] = {
    {"ALTER TABLE failed_jobs DROP COLUMN uuid", "but without uuid:"},
    {"ALTER TABLE failed_jobs DROP COLUMN uuid, DROP COLUMN exception",
     "but without uuid, exception:"},
    {"ALTER TABLE failed_jobs DROP CONSTRAINT failed_jobs_uuid_unique",
     "has no unique index: do ALTER TABLE \"failed_jobs\" ADD UNIQUE (uuid)"},
    {"ALTER TABLE failed_jobs ALTER COLUMN payload TYPE varchar(255)",
     "\"failed_jobs\".payload is character varying(255): drover needs text"},
    {"ALTER TABLE failed_jobs ALTER COLUMN payload TYPE jsonb USING payload::jsonb",
     "\"failed_jobs\".payload is jsonb: drover needs text"},
    {"ALTER TABLE failed_jobs ALTER COLUMN id DROP DEFAULT", "id has no default"},
    {"ALTER TABLE failed_jobs ADD tenant int NOT NULL",
     "\"failed_jobs\".tenant must have a value and has no default"},
    {"DROP TABLE failed_jobs; CREATE VIEW failed_jobs AS SELECT 1 AS id",
     "but without uuid"},
};

START_TEST(migrate_says_what_is_wrong_with_a_table)
{
    (void)postgres_process_do(&server, "%s", bad_tables[_i].sql);
    expect(1, "$D failed migrate");
    IN_ERR(bad_tables[_i].message);
}
END_TEST

START_TEST(migrate_leaves_a_good_table_with_more_in_it)
{
    (void)postgres_process_do(&server, "ALTER TABLE failed_jobs ADD tenant int");
    put_row("11110000-0000-4000-8000-000000000001", "high", "2026-01-01");
    expect(0, "$D failed migrate");
    sql_is("SELECT count(*) FROM failed_jobs", "1");
}
END_TEST

START_TEST(migrate_moves_what_the_redis_store_held)
{
    go(_i);
    expect(0,
           "for i in 1 2 3; do redis-cli -s $S HSET drover:failed:u-$i uuid u-$i queue "
           "q failed_at_ms $i payload {}; redis-cli -s $S ZADD drover:failed $i u-$i; "
           "done");
    expect(0, "$D failed list");
    IN_ERR("3 failed jobs are in the Redis store of before: `drover failed migrate` "
           "moves them");
    expect(0, "$D failed migrate --dry-run");
    IN_OUT("3 failed jobs would be moved");
    expect(0, "$D failed migrate");
    IN_OUT("3 failed jobs moved from the Redis store; workers take them to the table");
    expect_out("redis-cli -s $S ZCARD drover:failed", "0");
    expect_out("redis-cli -s $S ZCARD drover:outbox", "3");
    expect(0, "$D failed list --json");
    IN_OUT("\"u-3\"");

    /* and back */
    expect(0, "sed 's/^failed:.*//' $DROVER_CONFIG > $T/redis.conf");
    expect(0, "$D failed migrate -c $T/redis.conf");
    IN_OUT("3 failed jobs moved from the outbox back to the Redis store");
    expect_out("redis-cli -s $S ZCARD drover:failed", "3");
    expect(2, "$D failed migrate -c $T/redis.conf");
    IN_ERR("failed.store is \"redis\"");
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_checked_fixture(tc, set_up, NULL);
    tcase_add_loop_test(tc, migrate_makes_laravels_table, 0, WAY_CT);
    tcase_add_test(tc, migrate_makes_it_in_the_schema_that_is_named);
    tcase_add_loop_test(tc, migrate_says_what_is_wrong_with_a_table, 0,
                        ARRAY_CT(bad_tables));
    tcase_add_test(tc, migrate_leaves_a_good_table_with_more_in_it);
    tcase_add_loop_test(tc, migrate_moves_what_the_redis_store_held, 0, WAY_CT);
}

int main(void)
{
    return run_with_servers("cli_failed_migrate", add_tests);
}
