/* The words and signs of an SQL statement, told apart as PostgreSQL does it. Pure.
 *
 * A backslash before the quote that would end a string is read by a setting of the server
 * (standard_conforming_strings) in one way or the other: there the reading ends.
 */
#ifndef CONFIG_SQL_TOKEN_H
#define CONFIG_SQL_TOKEN_H

#include "base/buf.h"

enum sql_token_kind {
    SQL_TOKEN_END,
    SQL_TOKEN_WORD,    /* also "quoted" */
    SQL_TOKEN_VALUE,   /* '...' or a number */
    SQL_TOKEN_TANGLED, /* a string with backslashes, or between dollars */
    SQL_TOKEN_PARAM,   /* $n */
    SQL_TOKEN_SIGN,    /* one character of anything else */
    SQL_TOKEN_COMMENT,
    SQL_TOKEN_UNKNOWN /* can be read in two ways, or has no end; the next is the END */
};

enum { SQL_TOKEN_NUMBER_MAX = 65536 }; /* more than PostgreSQL takes */

struct sql_token {
    enum sql_token_kind kind;
    struct slice text;
    size_t number; /* of a parameter; at most SQL_TOKEN_NUMBER_MAX */
};

/* Begun with `at` and `end` alone; borrows what is between them. */
struct sql_reader {
    const char *at, *end;
    struct sql_token token; /* the last that was read */
};

/* Borrowed until the next call. */
const struct sql_token *sql_token_next(struct sql_reader *reader);

/* Without regard to case; "quoted" is none. */
bool sql_token_is_word(const struct sql_token *token, const char *word);
bool sql_token_is_sign(const struct sql_token *token, char sign);

/* Whether `c` would go on with a word, or with a parameter's number. */
bool sql_token_is_word_part(char c);

#endif
