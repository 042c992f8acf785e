/* What tests on PostgreSQL share: a server for the whole program, and what its tables
 * look like.
 */
#ifndef TESTS_POSTGRES_FIXTURE_H
#define TESTS_POSTGRES_FIXTURE_H

#include <check.h>

#include "tests/support/postgres_process.h"

/* To be followed by what there is to be, or by nothing. */
#define FRESH_SCHEMA                                                                     \
    "SET client_min_messages = warning; DROP SCHEMA public CASCADE; CREATE SCHEMA "      \
    "public; "

/* As Laravel's migration makes it. */
#define LARAVEL_JOBS_TABLE                                                               \
    "CREATE TABLE jobs (id bigserial PRIMARY KEY, queue varchar(255) NOT NULL, payload " \
    "text NOT NULL, attempts smallint NOT NULL, reserved_at int, available_at int NOT "  \
    "NULL, created_at int NOT NULL); CREATE INDEX jobs_queue_index ON jobs (queue)"

static struct postgres_process server;

static inline void make_cluster(void)
{
    postgres_process_make(&server);
}

static inline void end_cluster(void)
{
    postgres_process_end(&server);
}

/* Makes the cluster once for all tests of the case; each starts and stops the server. */
static inline void add_cluster(TCase *tc)
{
    tcase_add_unchecked_fixture(tc, make_cluster, end_cluster);
}

static inline void sql_is(const char *statement, const char *expected)
{
    ck_assert_str_eq(postgres_process_do(&server, "%s", statement), expected);
}

#endif
