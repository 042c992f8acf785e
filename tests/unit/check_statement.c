/* How statements are taken apart, and which cannot be a job's. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "config/sql_token.h"
#include "config/statement.h"
#include "tests/unit/suite.h"

/* ---- tokens ---- */

static const struct {
    const char *text, *kinds; /* a letter for each token */
} texts[] = {
    {"", ""},
    {"SELECT a$1 FROM \"b \"\"$2\"", "WWWW"},
    {"1 1.5e3 'a' 'it''s'", "VVVV"},
    {"$1 $12$3", "PPP"},
    {"a.b(c);", "WSWSWSS"},
    {"1-1 --x\n/ 2 -- y", "VSVCSVC"},
    {"a /* b /* c */ ' */ d", "WCW"},
    {"/**/$1/***/", "CPC"},
    {"$$ $1 ' $$ $1", "TP"},
    {"$a$ $1 $b$ $$ $a$ $1", "TP"},
    {"$\xc3\xa9$ $1 $\xc3\xa9$", "T"},
    {"a$$ $$b$$", "WT"}, /* a$$ is a word */
    {"E'a' e'$1\\' $1' $1", "VTP"},
    {"E'\\\\' $1", "TP"},
    {"N'a' U&'b\\0041'", "WVWST"},
    {"'a\\n' $1", "TP"},
    {"'a\n$1' $1", "VP"},
    {"$1::int4[]", "PSSWSS"},
    {"a\xc3\xa9$1", "W"},

    /* in two ways, or without an end */
    {"'a\\' $1 '", "?"},
    {"a 'b $1", "W?"},
    {"a \"b $1", "W?"},
    {"a $b $1", "W?"},
    {"a $b$ $1", "W?"},
    {"a $", "W?"},
    {"a /* /* $1 */", "W?"},
    {"E'a\\", "?"},
};

static char letter_of(enum sql_token_kind kind)
{
    switch (kind) {
    case SQL_TOKEN_WORD:
        return 'W';
    case SQL_TOKEN_VALUE:
        return 'V';
    case SQL_TOKEN_TANGLED:
        return 'T';
    case SQL_TOKEN_PARAM:
        return 'P';
    case SQL_TOKEN_SIGN:
        return 'S';
    case SQL_TOKEN_COMMENT:
        return 'C';
    case SQL_TOKEN_UNKNOWN:
        return '?';
    case SQL_TOKEN_END:
        break;
    }
    return '\0';
}

/* The letters of its tokens, which follow one another with nothing but space between. */
static void read_kinds(const char *text, size_t len, struct buf *kinds)
{
    struct sql_reader reader = {.at = text, .end = text + len};
    const char *at = text;

    while (sql_token_next(&reader)->kind != SQL_TOKEN_END) {
        ck_assert(reader.token.text.len > 0 && reader.token.text.ptr >= at);
        while (at < reader.token.text.ptr)
            ck_assert_ptr_nonnull(strchr(" \n", *at++));
        at += reader.token.text.len;
        (void)buf_add_char(kinds, letter_of(reader.token.kind));
    }
    ck_assert(reader.at == text + len);
}

START_TEST(tokens_are_told_apart_as_postgresql_does)
{
    struct buf kinds;

    buf_init(&kinds, 0);
    read_kinds(texts[_i].text, strlen(texts[_i].text), &kinds);
    ck_assert_msg(strcmp(kinds.data ? kinds.data : "", texts[_i].kinds) == 0, "%s: %s",
                  texts[_i].text, kinds.data);
    buf_free(&kinds);
}
END_TEST

/* Cut anywhere, a text is read to its end and not beyond: for the sanitizers. */
START_TEST(no_text_is_read_beyond_its_end)
{
    for (size_t len = 0; len < strlen(texts[_i].text); len++) {
        char *cut = must_alloc(len > 0 ? len : 1);
        struct buf kinds;

        memcpy(cut, texts[_i].text, len);
        buf_init(&kinds, 0);
        read_kinds(cut, len, &kinds);
        buf_free(&kinds);
        free(cut);
    }
}
END_TEST

/* ---- parameters ---- */

static const struct {
    const char *statement;
    size_t highest;
    const char *used; /* of the first four */
} counted[] = {
    {"SELECT 1", 0, "----"},
    {"SELECT $1, $3, $1", 3, "1-3-"},
    {"SELECT '$1', \"$2\", $$ $3 $$, a$4 /* $5 */ -- $6", 0, "----"},
    {"SELECT $1 FROM t WHERE a = E'\\'$2' AND b = $2", 2, "12--"},
    {"INSERT INTO t VALUES ($1::int,$2 ,$4)", 4, "12-4"},
    {"SELECT $5", 5, "----"},
    {"SELECT $0", 0, "----"},
};

START_TEST(parameters_are_what_postgresql_sees)
{
    bool used[4] = {false};
    char shown[5] = "----";
    size_t highest = 99;

    ck_assert(
        statement_find_params(counted[_i].statement, used, ARRAY_CT(used), &highest));
    for (size_t i = 0; i < ARRAY_CT(used); i++)
        if (used[i])
            shown[i] = (char)('1' + i);
    ck_assert_str_eq(shown, counted[_i].used);
    ck_assert_uint_eq(highest, counted[_i].highest);
}
END_TEST

START_TEST(what_can_be_read_in_two_ways_is_not_counted)
{
    size_t highest;

    ck_assert(!statement_find_params("SELECT $1, 'a\\', $2, '", NULL, 0, &highest));
}
END_TEST

/* ---- statements ---- */

static const struct {
    const char *statement, *what,
        *why; /* how it is called, and what the rest begins with */
} refusals[] = {
    {"begin", "BEGIN", "transactions are"},
    {"; Commit;", "COMMIT", "transactions are"},
    {"/* a */ -- b\nROLLBACK", "ROLLBACK", "transactions are"},
    {"PREPARE /* a */ TRANSACTION 'x'", "PREPARE TRANSACTION", "transactions are"},
    {"commit prepared 'x'", "COMMIT", "transactions are"},
    {"SAVEPOINT a", "SAVEPOINT", "transactions are"},
    {"RELEASE a", "RELEASE", "transactions are"},
    {"SET work_mem = '1GB'", "SET", "it would change"},
    {"SET SESSION AUTHORIZATION x", "SET", "it would change"},
    {"RESET ALL", "RESET", "it would change"},
    {"DISCARD TEMP", "DISCARD", "it would change"},
    {"LOAD 'auto_explain'", "LOAD", "it would change"},
    {"PREPARE a AS SELECT 1", "PREPARE", "what was prepared"},
    {"EXECUTE a(1)", "EXECUTE", "what was prepared"},
    {"DEALLOCATE ALL", "DEALLOCATE", "what was prepared"},
    {"DECLARE a CURSOR WITH HOLD FOR SELECT 1", "DECLARE", "a cursor takes"},
    {"FETCH a", "FETCH", "a cursor takes"},
    {"LISTEN a", "LISTEN", "a job ends"},
    {"UNLISTEN *", "UNLISTEN", "a job ends"},
    {"CREATE TEMP TABLE a (b int)", "CREATE TEMP", "the table would"},
    {"create temporary table a as select 1", "CREATE TEMPORARY", "the table would"},
    {"COPY a FROM STDIN", "COPY FROM STDIN", "a job has no client"},
    {"COPY (SELECT 1) TO STDOUT (FORMAT csv)", "COPY TO STDOUT", "a job has no client"},
    {"SELECT pg_advisory_lock(1)", "pg_advisory_lock", "the lock would"},
    {"VACUUM (FULL) a", "VACUUM", "it cannot be in"},
    {"ALTER SYSTEM SET a = 1", "ALTER SYSTEM", "it cannot be in"},
    {"CREATE DATABASE a", "CREATE DATABASE", "it cannot be in"},
    {"CREATE UNIQUE INDEX CONCURRENTLY a ON b (c)", "CREATE UNIQUE INDEX CONCURRENTLY",
     "it cannot be in"},
    {"REINDEX (VERBOSE) TABLE CONCURRENTLY a", "REINDEX CONCURRENTLY", "it cannot be in"},
};

START_TEST(what_breaks_a_transaction_or_a_session_is_refused)
{
    char *message =
        must_format("%s cannot be a job's: %s", refusals[_i].what, refusals[_i].why);
    struct err err = {0};

    ck_assert_int_eq(statement_check(refusals[_i].statement, &err), -1);
    ck_assert_msg(strncmp(err.text, message, strlen(message)) == 0, "%s: %s",
                  refusals[_i].statement, err.text);
    free(message);
}
END_TEST

static const struct {
    const char *statement, *message;
} no_ones[] = {
    {" ; -- a", "holds no statement"},
    {"SELECT 1; COMMIT", "holds several statements"},
    {"DELETE FROM a;; /* b */ DELETE FROM c;", "holds several statements"},
};

START_TEST(it_is_one_statement)
{
    struct err err = {0};

    ck_assert_int_eq(statement_check(no_ones[_i].statement, &err), -1);
    ck_assert_msg(strncmp(err.text, no_ones[_i].message, strlen(no_ones[_i].message)) ==
                      0,
                  "%s: %s", no_ones[_i].statement, err.text);
}
END_TEST

static const char *const fine[] = {
    "INSERT INTO commits VALUES ($1);",
    "SELECT ';' -- ; a",
    "DELETE FROM a; ; /* b */ -- c",
    "WITH begin AS (SELECT 1) SELECT * FROM begin",
    "\"begin\"",
    "(SELECT 1)",
    "SELECT 'a\\'; COMMIT",
    "SET LOCAL work_mem = '1GB'",
    "SET CONSTRAINTS ALL IMMEDIATE",
    "NOTIFY a",
    "SELECT pg_notify($1, $2)",
    "CALL f($1)",
    "CREATE TABLE temp (a int)",
    "CREATE TEMP TABLE a (b int) ON COMMIT DROP",
    "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT 2; END",
    "CREATE INDEX a ON b (c)",
    "REFRESH MATERIALIZED VIEW CONCURRENTLY a",
    "COPY a FROM '/var/lib/a.csv'",
    "COPY a TO PROGRAM 'gzip >a'",
    "SELECT pg_advisory_xact_lock(1)",
    "SELECT pg_advisory_lock(1), f(), pg_advisory_unlock(1)",
    "SELECT 'pg_advisory_lock'",
    "LOCK TABLE a",
    "ANALYZE a",
    "EXPLAIN ANALYZE SELECT 1",
};

START_TEST(what_does_no_harm_is_taken)
{
    struct err err = {0};

    ck_assert_msg(statement_check(fine[_i], &err) == 0, "%s: %s", fine[_i], err.text);
}
END_TEST

static void add_tests(TCase *tc)
{
    tcase_add_loop_test(tc, tokens_are_told_apart_as_postgresql_does, 0, ARRAY_CT(texts));
    tcase_add_loop_test(tc, no_text_is_read_beyond_its_end, 0, ARRAY_CT(texts));
    tcase_add_loop_test(tc, parameters_are_what_postgresql_sees, 0, ARRAY_CT(counted));
    tcase_add_test(tc, what_can_be_read_in_two_ways_is_not_counted);
    tcase_add_loop_test(tc, what_breaks_a_transaction_or_a_session_is_refused, 0,
                        ARRAY_CT(refusals));
    tcase_add_loop_test(tc, it_is_one_statement, 0, ARRAY_CT(no_ones));
    tcase_add_loop_test(tc, what_does_no_harm_is_taken, 0, ARRAY_CT(fine));
}

int main(void)
{
    return run_suite("statement", 30, add_tests);
}
