/* Telling tokens apart: where each ends. Knows no grammar. */
#include "config/sql_token.h"

#include <string.h>
#include <strings.h>

static bool is_word_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           (unsigned char)c >= 0x80;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool sql_token_is_word_part(char c)
{
    return is_word_start(c) || is_digit(c) || c == '$';
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool has_next(const struct sql_reader *reader, const char *text)
{
    size_t len = strlen(text);

    return (size_t)(reader->end - reader->at) >= len &&
           memcmp(reader->at, text, len) == 0;
}

/* To behind `text`; false, and to the end: it does not come. */
static bool skip_past(struct sql_reader *reader, struct slice text)
{
    const char *found =
        memmem(reader->at, (size_t)(reader->end - reader->at), text.ptr, text.len);

    reader->at = found ? found + text.len : reader->end;
    return found != NULL;
}

/* ---- what is quoted ---- */

/* Passes a quote: whether it ends what it began. Two of them stand for one. */
static bool ends_here(struct sql_reader *reader)
{
    char quote = *reader->at++;

    return reader->at == reader->end || *reader->at != quote;
}

static enum sql_token_kind read_name(struct sql_reader *reader)
{
    for (reader->at++; reader->at < reader->end; reader->at++)
        if (*reader->at == '"' && ends_here(reader))
            return SQL_TOKEN_WORD;
    return SQL_TOKEN_UNKNOWN;
}

static enum sql_token_kind read_string(struct sql_reader *reader)
{
    enum sql_token_kind kind = SQL_TOKEN_VALUE;

    for (reader->at++; reader->at < reader->end; reader->at++) {
        if (has_next(reader, "\\'"))
            return SQL_TOKEN_UNKNOWN;
        if (*reader->at == '\\')
            kind = SQL_TOKEN_TANGLED;
        if (*reader->at == '\'' && ends_here(reader))
            return kind;
    }
    return SQL_TOKEN_UNKNOWN;
}

/* E'...': a backslash takes the next character with it, whatever the settings. */
static enum sql_token_kind read_escaped(struct sql_reader *reader)
{
    enum sql_token_kind kind = SQL_TOKEN_VALUE;

    for (reader->at++; reader->at < reader->end; reader->at++) {
        if (*reader->at == '\\' && reader->end - reader->at > 1) {
            reader->at++;
            kind = SQL_TOKEN_TANGLED;
            continue;
        }
        if (*reader->at == '\'' && ends_here(reader))
            return kind;
    }
    return SQL_TOKEN_UNKNOWN;
}

/* $tag$...$tag$, from behind the first dollar. */
static enum sql_token_kind read_dollars(struct sql_reader *reader, const char *from)
{
    while (reader->at < reader->end && *reader->at != '$' &&
           sql_token_is_word_part(*reader->at))
        reader->at++;
    if (reader->at == reader->end || *reader->at != '$')
        return SQL_TOKEN_UNKNOWN;
    reader->at++;
    return skip_past(reader, slice_of(from, (size_t)(reader->at - from)))
               ? SQL_TOKEN_TANGLED
               : SQL_TOKEN_UNKNOWN;
}

static enum sql_token_kind read_param(struct sql_reader *reader)
{
    const char *from = reader->at++;
    size_t number = 0;

    if (reader->at == reader->end || !is_digit(*reader->at))
        return read_dollars(reader, from);
    for (; reader->at < reader->end && is_digit(*reader->at); reader->at++)
        if (number < SQL_TOKEN_NUMBER_MAX)
            number = number * 10 + (size_t)(*reader->at - '0');
    reader->token.number = number < SQL_TOKEN_NUMBER_MAX ? number : SQL_TOKEN_NUMBER_MAX;
    return SQL_TOKEN_PARAM;
}

/* ---- the others ---- */

static enum sql_token_kind read_line_comment(struct sql_reader *reader)
{
    while (reader->at < reader->end && *reader->at != '\n' && *reader->at != '\r')
        reader->at++;
    return SQL_TOKEN_COMMENT;
}

/* One may be in another. */
static enum sql_token_kind read_comment(struct sql_reader *reader)
{
    size_t depth = 0;

    while (reader->at < reader->end) {
        if (has_next(reader, "/*"))
            depth++;
        else if (has_next(reader, "*/"))
            depth--;
        else {
            reader->at++;
            continue;
        }
        reader->at += 2;
        if (depth == 0)
            return SQL_TOKEN_COMMENT;
    }
    return SQL_TOKEN_UNKNOWN;
}

static enum sql_token_kind read_word(struct sql_reader *reader)
{
    const char *from = reader->at;

    while (reader->at < reader->end && sql_token_is_word_part(*reader->at))
        reader->at++;
    if (reader->at - from == 1 && (*from == 'e' || *from == 'E') && has_next(reader, "'"))
        return read_escaped(reader);
    return SQL_TOKEN_WORD;
}

static enum sql_token_kind read_number(struct sql_reader *reader)
{
    while (reader->at < reader->end &&
           (sql_token_is_word_part(*reader->at) || *reader->at == '.'))
        reader->at++;
    return SQL_TOKEN_VALUE;
}

static enum sql_token_kind read_token(struct sql_reader *reader)
{
    char first = *reader->at;

    if (is_word_start(first))
        return read_word(reader);
    if (is_digit(first))
        return read_number(reader);
    if (first == '\'')
        return read_string(reader);
    if (first == '"')
        return read_name(reader);
    if (first == '$')
        return read_param(reader);
    if (has_next(reader, "--"))
        return read_line_comment(reader);
    if (has_next(reader, "/*"))
        return read_comment(reader);
    reader->at++;
    return SQL_TOKEN_SIGN;
}

const struct sql_token *sql_token_next(struct sql_reader *reader)
{
    const char *from;

    while (reader->at < reader->end && is_space(*reader->at))
        reader->at++;
    from = reader->at;
    reader->token.kind = from == reader->end ? SQL_TOKEN_END : read_token(reader);
    if (reader->token.kind == SQL_TOKEN_UNKNOWN)
        reader->at = reader->end;
    reader->token.text = slice_of(from, (size_t)(reader->at - from));
    return &reader->token;
}

bool sql_token_is_word(const struct sql_token *token, const char *word)
{
    return token->kind == SQL_TOKEN_WORD && token->text.len == strlen(word) &&
           strncasecmp(token->text.ptr, word, token->text.len) == 0;
}

bool sql_token_is_sign(const struct sql_token *token, char sign)
{
    return token->kind == SQL_TOKEN_SIGN && token->text.ptr[0] == sign;
}
