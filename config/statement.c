/* Which statements cannot be a job's, by their words. A guard against mistakes: what a
 * function does that a statement calls is not seen here.
 *
 * Behind a pooler each transaction may be in another session, and each session has had
 * others' transactions before.
 */
#include "config/statement.h"

#include <string.h>
#include <strings.h>

#include "config/sql_token.h"

static const char transactions[] = "transactions are drover's own";
static const char settings[] =
    "it would change a session that other jobs share. Set it for the role, with ALTER "
    "ROLE ... SET, or in a function's definition";
static const char names[] =
    "what was prepared in a session is not there, or in the way, in the next. Give the "
    "statement itself: drover has it parsed once for a batch";
static const char cursors[] =
    "a cursor takes several statements. Give the query itself, or call a function";
static const char listeners[] =
    "a job ends before it could be notified. LISTEN where that is waited for; NOTIFY is "
    "fine";
static const char clients[] = "a job has no client to copy from or to. Give an INSERT, "
                              "or run psql in a job of type "
                              "shell";
static const char outside[] =
    "it cannot be in a transaction, as each job is. Run psql in a job of type shell";
static const char tables[] =
    "the table would stay in a session that other jobs share. Give WITH in the "
    "statement, or ON COMMIT DROP";
static const char locks[] = "the lock would stay with a session that other jobs share. "
                            "pg_advisory_xact_lock ends "
                            "with the transaction";

/* The first that fits counts. */
static const struct rule {
    const char *words;   /* what the statement begins with; "": anything */
    const char *with;    /* words that come somewhere, side by side; NULL: none */
    const char *without; /* and words that do not */
    const char *why;     /* NULL: it is fine */
} rules[] = {
    {"ABORT", NULL, NULL, transactions},
    {"BEGIN", NULL, NULL, transactions},
    {"COMMIT", NULL, NULL, transactions},
    {"END", NULL, NULL, transactions},
    {"PREPARE TRANSACTION", NULL, NULL, transactions},
    {"RELEASE", NULL, NULL, transactions},
    {"ROLLBACK", NULL, NULL, transactions},
    {"SAVEPOINT", NULL, NULL, transactions},
    {"START", NULL, NULL, transactions},

    {"SET LOCAL", NULL, NULL, NULL},
    {"SET CONSTRAINTS", NULL, NULL, NULL},
    {"SET TRANSACTION", NULL, NULL, NULL},
    {"SET", NULL, NULL, settings},
    {"RESET", NULL, NULL, settings},
    {"DISCARD", NULL, NULL, settings},
    {"LOAD", NULL, NULL, settings},
    {"PREPARE", NULL, NULL, names},
    {"EXECUTE", NULL, NULL, names},
    {"DEALLOCATE", NULL, NULL, names},
    {"DECLARE", NULL, NULL, cursors},
    {"FETCH", NULL, NULL, cursors},
    {"MOVE", NULL, NULL, cursors},
    {"CLOSE", NULL, NULL, cursors},
    {"LISTEN", NULL, NULL, listeners},
    {"UNLISTEN", NULL, NULL, listeners},
    {"CREATE TEMP", NULL, "ON COMMIT DROP", tables},
    {"CREATE TEMPORARY", NULL, "ON COMMIT DROP", tables},
    {"COPY", "FROM STDIN", NULL, clients},
    {"COPY", "TO STDOUT", NULL, clients},
    {"", "pg_advisory_lock", "pg_advisory_unlock", locks},
    {"", "pg_try_advisory_lock", "pg_advisory_unlock", locks},
    {"", "pg_advisory_lock_shared", "pg_advisory_unlock_shared", locks},
    {"", "pg_try_advisory_lock_shared", "pg_advisory_unlock_shared", locks},

    {"VACUUM", NULL, NULL, outside},
    {"ALTER SYSTEM", NULL, NULL, outside},
    {"CREATE DATABASE", NULL, NULL, outside},
    {"DROP DATABASE", NULL, NULL, outside},
    {"CREATE TABLESPACE", NULL, NULL, outside},
    {"DROP TABLESPACE", NULL, NULL, outside},
    {"CREATE INDEX CONCURRENTLY", NULL, NULL, outside},
    {"CREATE UNIQUE INDEX CONCURRENTLY", NULL, NULL, outside},
    {"DROP INDEX CONCURRENTLY", NULL, NULL, outside},
    {"REINDEX DATABASE", NULL, NULL, outside},
    {"REINDEX SYSTEM", NULL, NULL, outside},
    {"REINDEX", "CONCURRENTLY", NULL, outside},
};

static struct sql_reader reader_of(const char *statement)
{
    return (struct sql_reader){.at = statement, .end = statement + strlen(statement)};
}

static const struct sql_token *next(struct sql_reader *reader)
{
    const struct sql_token *token = sql_token_next(reader);

    while (token->kind == SQL_TOKEN_COMMENT)
        token = sql_token_next(reader);
    return token;
}

/* Whether what `reader` has just read, and what follows it, are these words. */
static bool goes_like(struct sql_reader reader, const char *words)
{
    while (*words) {
        size_t len = strcspn(words, " ");

        if (reader.token.kind != SQL_TOKEN_WORD || reader.token.text.len != len ||
            strncasecmp(reader.token.text.ptr, words, len) != 0)
            return false;
        words += len + (words[len] == ' ');
        (void)next(&reader);
    }
    return true;
}

static bool has_words(struct sql_reader reader, const char *words)
{
    for (; reader.token.kind != SQL_TOKEN_END; (void)next(&reader))
        if (goes_like(reader, words))
            return true;
    return false;
}

static bool fits(const struct rule *rule, const struct sql_reader *first)
{
    return goes_like(*first, rule->words) &&
           (rule->with == NULL || has_words(*first, rule->with)) &&
           (rule->without == NULL || !has_words(*first, rule->without));
}

static int check_rules(const struct sql_reader *first, struct err *err)
{
    for (size_t i = 0; i < ARRAY_CT(rules); i++) {
        const struct rule *rule = &rules[i];
        bool two = rule->words[0] && rule->with;

        if (!fits(rule, first))
            continue;
        if (rule->why == NULL)
            return 0;
        return err_set(err, ERR_CONFIG, "%s%s%s cannot be a job's: %s", rule->words,
                       two ? " " : "", rule->with ? rule->with : "", rule->why);
    }
    return 0;
}

/* The bodies of functions and rules hold semicolons. */
static int check_one(struct sql_reader reader, struct err *err)
{
    if (sql_token_is_word(&reader.token, "create"))
        return 0;
    while (reader.token.kind != SQL_TOKEN_END && !sql_token_is_sign(&reader.token, ';'))
        (void)next(&reader);
    while (sql_token_is_sign(&reader.token, ';'))
        (void)next(&reader);
    if (reader.token.kind == SQL_TOKEN_END)
        return 0;
    return err_set(err, ERR_CONFIG, "%s",
                   "holds several statements, and PostgreSQL takes one with a job's "
                   "values: join them with WITH, or call a function");
}

int statement_check(const char *statement, struct err *err)
{
    struct sql_reader reader = reader_of(statement);

    do
        (void)next(&reader);
    while (sql_token_is_sign(&reader.token, ';'));
    if (reader.token.kind == SQL_TOKEN_END)
        return err_set(err, ERR_CONFIG, "%s", "holds no statement");
    if (check_rules(&reader, err) != 0)
        return -1;
    return check_one(reader, err);
}

bool statement_find_params(const char *statement, bool *used, size_t ct, size_t *highest)
{
    struct sql_reader reader = reader_of(statement);

    *highest = 0;
    while (next(&reader)->kind != SQL_TOKEN_END) {
        size_t number = reader.token.number;

        if (reader.token.kind == SQL_TOKEN_UNKNOWN)
            return false;
        if (reader.token.kind != SQL_TOKEN_PARAM)
            continue;
        if (number > *highest)
            *highest = number;
        if (number > 0 && number <= ct)
            used[number - 1] = true;
    }
    return true;
}
