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
     "drover.conf:1: jobs[0].statement: Commit cannot be a job's: transactions "
     "are drover's own"},
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

/* ---- the places of a statement ---- */

static const struct {
    const char *statement, *params, *message; /* NULL: accepted */
} places[] = {
    {"SELECT 1", "", NULL},
    {"INSERT INTO t VALUES ($1, $2)", "params = [ 'a', 'b' ];", NULL},
    {"SELECT $2, $1, $2", "params = [ 'a', 'b' ];", NULL},
    {"SELECT $1 -- not $2", "params = [ 'a' ];", NULL},
    {"SELECT '$2', 'it''s $3', $1", "params = [ 'a' ];", NULL},
    {"SELECT x$2 FROM t WHERE y=$1", "params = [ 'a' ];", NULL},
    /* what only the server can tell is left to it */
    {"SELECT $$ $1 $$", "", NULL},
    {"SELECT $q$ $1 $q$", "", NULL},
    {"SELECT /* $1 */ 1", "", NULL},
    {"SELECT E'\\\\' || '$1'", "", NULL},
    {"SELECT 'open $1", "", NULL},

    {"SELECT $1", "",
     "statement: goes up to $1: params are to name their paths, like params = [ "
     "\"data.id\" ]"},
    {"SELECT $1, $3, $2", "params = [ 'a', 'b' ];",
     "params: the statement goes up to $3, this list ends with $2"},
    {"SELECT 1-$12", "params = [ 'a' ];",
     "params: the statement goes up to $12, this list ends with $1"},
    {"SELECT '', $2 -- $3", "params = [ 'a' ];",
     "params: the statement goes up to $2, this list ends with $1"},
    {"SELECT $1", "params = [ 'a', 'b', 'c' ];",
     "params[1]: the statement has no $2 for it"},
    {"SELECT $99999999999999999999", "params = [ 'a' ];",
     "params: the statement goes up to $99999, this list ends with $1"},
};

START_TEST(a_statement_has_a_path_for_each_of_its_places)
{
    char *params = must_strdup(places[_i].params), *text, *message;

    for (char *at = params; *at; at++)
        *at = *at == '\'' ? '"' : *at;
    text = must_format(A_DATABASE "jobs: ( { name = \"a\"; type = \"sql\"; database = "
                                  "\"d\"; statement = \"%s\"; %s } );",
                       places[_i].statement, params);
    message = must_format("drover.conf:1: jobs[0].%s",
                          places[_i].message ? places[_i].message : "");
    if (places[_i].message)
        refused(text, message);
    else
        accepted(text);
    free(message);
    free(text);
    free(params);
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
    tcase_add_loop_test(tc, a_statement_has_a_path_for_each_of_its_places, 0,
                        ARRAY_CT(places));
}

int main(void)
{
    return run_suite("config sql", 30, add_tests);
}
