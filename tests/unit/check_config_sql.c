/* Mistakes in `databases`, and in the jobs that use them. */
#include <check.h>
#include <stdlib.h>

#include "tests/unit/configs.h"
#include "tests/unit/suite.h"

static void accepted(const char *text)
{
    config_free(loaded(text));
}

#define A_DATABASE                                                                       \
    "databases: ( { name = \"d\"; dsn = \"dbname=a\"; }, { name = \"r\"; service = "     \
    "\"r\"; read_only = true; } ); "
#define A_STATEMENT "jobs: ( { name = \"a\"; type = \"sql\"; statement = \"SELECT 1\"; "

#define PARAMS(statement, params)                                                        \
    A_DATABASE "jobs: ( { name = \"a\"; type = \"sql\"; database = \"d\";\nstatement = " \
               "\"" statement "\";\nparams = [ " params " ]; } );"

static const struct {
    const char *text, *message;
} mistakes[] = {
    {"databases: ( { dsn = \"dbname=a\"; } );",
     "drover.conf:1: databases[0].name: is missing"},
    {"databases: ( { name = \"a\"; } );",
     "drover.conf:1: databases[0].name: \"a\" has neither dsn nor service"},
    {"databases: ( { name = \"a\"; dsn = \"dbname=a\"; service = \"b\"; } );",
     "drover.conf:1: databases[0].dsn: service is given too: leave one of them out"},
    {"databases: ( { name = \"a\"; service = \"b\"; },\n"
     "{ name = \"a\"; service = \"b\"; } );",
     "drover.conf:2: databases[1].name: \"a\" is the name of databases[0] too"},
    {A_DATABASE "jobs: ( { name = \"a\"; type = \"sql\"; database = \"d\"; } );",
     "drover.conf:1: jobs[0].statement: is missing"},
    {A_DATABASE "jobs: ( { name = \"a\"; type = \"sql\"; statement = \"SELECT 1\"; } );",
     "drover.conf:1: jobs[0].database: is missing"},
    {A_DATABASE A_STATEMENT "database = \"x\"; } );",
     "drover.conf:1: jobs[0].database: there is no \"x\" in databases"},
    {A_DATABASE A_STATEMENT "database = \"d\"; params = [ \"a\", \"{data.b}\" ]; } );",
     "drover.conf:1: jobs[0].params[1]: expects a path like \"data.file\""},
    {A_DATABASE A_STATEMENT "database = \"d\"; params = [ \"data..b\" ]; } );",
     "drover.conf:1: jobs[0].params[0]: expects a path like \"data.file\""},
    {A_DATABASE A_STATEMENT "database = \"d\"; batch = 17; } );",
     "drover.conf:1: jobs[0].batch: 17 is more than the concurrency of any pool (16 at "
     "most): no batch would be full"},
    {A_DATABASE A_STATEMENT "database = \"d\"; batch = 21; } ); pools: ( { name = \"a\"; "
                            "concurrency = 20; }, { name = \"b\"; concurrency = 19; } );",
     "drover.conf:1: jobs[0].batch: 21 is more than the concurrency of any pool (20 at "
     "most): no batch would be full"},
    {A_DATABASE "jobs: ( { name = \"a\"; type = \"sql\"; database = \"d\"; "
                "statement = \" ;\"; } );",
     "drover.conf:1: jobs[0].statement: holds no statement"},
    {A_DATABASE "jobs: ( { name = \"a\"; type = \"sql\"; database = \"d\"; "
                "statement = \" Commit;\"; } );",
     "drover.conf:1: jobs[0].statement: COMMIT cannot be a job's: transactions "
     "are drover's own"},
    {A_DATABASE A_STATEMENT "database = \"d\"; params = [ \"a\" ]; } );",
     "drover.conf:1: jobs[0].params[0]: the statement has no $1: add it, or leave this "
     "path out"},
    {PARAMS("SELECT $1, '$2', $3", "\"a\", \"b\", \"c\""),
     "drover.conf:3: jobs[0].params[1]: the statement has no $2: add it, or leave this "
     "path out"},
    {PARAMS("SELECT $1 -- $2", "\"a\", \"b\""),
     "drover.conf:3: jobs[0].params[1]: the statement has no $2: add it, or leave this "
     "path out"},
    {PARAMS("SELECT $1, $2", "\"a\""),
     "drover.conf:2: jobs[0].statement: $2 has no path: params has 1"},
    {PARAMS("SELECT $99999999999999999999", ""),
     "drover.conf:2: jobs[0].statement: $65536 has no path: params has 0"},
    {PARAMS("SELECT 1; SELECT 2", ""),
     "drover.conf:2: jobs[0].statement: holds several statements, and PostgreSQL takes "
     "one with a job's values: join them with WITH, or call a function"},
    {A_DATABASE A_STATEMENT "database = \"r\"; once = true; } );",
     "drover.conf:1: jobs[0].once: \"r\" is read_only: nothing can be noted there"},
};

START_TEST(a_batch_that_one_pool_can_fill_is_fine_beside_a_small_pool)
{
    accepted(A_DATABASE A_STATEMENT "database = \"d\"; batch = 20; } ); "
                                    "pools: ( { name = \"a\"; concurrency = 2; }, "
                                    "{ name = \"b\"; concurrency = 20; } );");
}
END_TEST

START_TEST(each_mistake_is_named_with_its_place)
{
    refused(mistakes[_i].text, mistakes[_i].message);
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_checked_fixture(tc, clear_environment, NULL);
    tcase_add_loop_test(tc, each_mistake_is_named_with_its_place, 0, ARRAY_CT(mistakes));
    tcase_add_test(tc, a_batch_that_one_pool_can_fill_is_fine_beside_a_small_pool);
}

int main(void)
{
    return run_suite("config sql", 30, add_tests);
}
