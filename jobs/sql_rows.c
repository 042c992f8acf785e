/* Reading an INSERT as far as is needed to widen it.
 *
 * Words, quoted texts and signs are told apart as PostgreSQL does it; what could be read
 * in two ways (backslashes in strings, dollar quotes, comments) ends the reading. Knows
 * neither types nor tables: whether the server takes the wide statement is seen there.
 */
#include "jobs/sql_rows.h"

#include <string.h>
#include <strings.h>

enum token_kind {
    TOKEN_END,
    TOKEN_WORD,   /* also "quoted" */
    TOKEN_STRING, /* '...' or a number */
    TOKEN_PARAM,  /* $n */
    TOKEN_SIGN,   /* one character of anything else */
    TOKEN_UNKNOWN /* not to be understood here */
};

struct token {
    enum token_kind kind;
    struct slice text;
    size_t number; /* of a parameter */
};

struct reader {
    const char *at, *end;
    struct token token; /* the last that was read */
};

/* What may stand before a parenthesis: functions that look at their arguments alone, the
 * clock or a sequence; types with a length; words of the grammar. */
static const char *const plain_calls[] = {"abs",
                                          "age",
                                          "and",
                                          "as",
                                          "bit",
                                          "btrim",
                                          "cast",
                                          "ceil",
                                          "ceiling",
                                          "char",
                                          "char_length",
                                          "character",
                                          "clock_timestamp",
                                          "coalesce",
                                          "concat",
                                          "concat_ws",
                                          "conflict",
                                          "current_timestamp",
                                          "date_trunc",
                                          "dec",
                                          "decimal",
                                          "decode",
                                          "else",
                                          "encode",
                                          "extract",
                                          "float",
                                          "floor",
                                          "format",
                                          "gen_random_uuid",
                                          "greatest",
                                          "in",
                                          "initcap",
                                          "interval",
                                          "json_build_array",
                                          "json_build_object",
                                          "jsonb_build_array",
                                          "jsonb_build_object",
                                          "jsonb_strip_nulls",
                                          "least",
                                          "left",
                                          "length",
                                          "localtimestamp",
                                          "lower",
                                          "lpad",
                                          "ltrim",
                                          "make_date",
                                          "make_interval",
                                          "make_timestamptz",
                                          "md5",
                                          "nextval",
                                          "not",
                                          "now",
                                          "nullif",
                                          "numeric",
                                          "or",
                                          "overlay",
                                          "position",
                                          "regexp_replace",
                                          "replace",
                                          "returning",
                                          "right",
                                          "round",
                                          "row",
                                          "rpad",
                                          "rtrim",
                                          "set",
                                          "sha256",
                                          "split_part",
                                          "statement_timestamp",
                                          "strpos",
                                          "substr",
                                          "substring",
                                          "then",
                                          "time",
                                          "timestamp",
                                          "timestamptz",
                                          "to_char",
                                          "to_date",
                                          "to_json",
                                          "to_jsonb",
                                          "to_number",
                                          "to_timestamp",
                                          "transaction_timestamp",
                                          "trim",
                                          "trunc",
                                          "upper",
                                          "uuid_generate_v4",
                                          "varchar",
                                          "varying",
                                          "when",
                                          "where"};

/* Words that a row and what follows it may not hold. DEFAULT has no place in a SELECT. */
static const char *const strange_words[] = {"default", "select", "table", "values",
                                            "with"};

/* ---- tokens ---- */

static bool is_word_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           (unsigned char)c >= 0x80;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_word_part(char c)
{
    return is_word_start(c) || is_digit(c) || c == '$';
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Up to behind the quote that ends it; two of them stand for one. */
static bool skip_quoted(struct reader *reader, char quote)
{
    for (reader->at++; reader->at < reader->end; reader->at++) {
        if (*reader->at == '\\' && quote == '\'')
            return false; /* its meaning depends on a setting, or on a letter before */
        if (*reader->at != quote)
            continue;
        reader->at++;
        if (reader->at == reader->end || *reader->at != quote)
            return true;
    }
    return false;
}

static enum token_kind read_param(struct reader *reader)
{
    size_t number = 0;

    reader->at++;
    while (reader->at < reader->end && is_digit(*reader->at) &&
           number <= SQL_ROWS_PARAMS_MAX)
        number = number * 10 + (size_t)(*reader->at++ - '0');
    reader->token.number = number;
    return number == 0 || number > SQL_ROWS_PARAMS_MAX ||
                   (reader->at < reader->end && is_word_part(*reader->at))
               ? TOKEN_UNKNOWN
               : TOKEN_PARAM;
}

static bool is_comment(const struct reader *reader)
{
    return reader->end - reader->at > 1 &&
           (memcmp(reader->at, "--", 2) == 0 || memcmp(reader->at, "/*", 2) == 0);
}

static enum token_kind read_token(struct reader *reader)
{
    char first = *reader->at;

    if (is_word_start(first)) {
        while (reader->at < reader->end && is_word_part(*reader->at))
            reader->at++;
        return TOKEN_WORD;
    }
    if (is_digit(first)) {
        while (reader->at < reader->end &&
               (is_word_part(*reader->at) || *reader->at == '.'))
            reader->at++;
        return TOKEN_STRING;
    }
    if (first == '\'')
        return skip_quoted(reader, '\'') ? TOKEN_STRING : TOKEN_UNKNOWN;
    if (first == '"')
        return skip_quoted(reader, '"') ? TOKEN_WORD : TOKEN_UNKNOWN;
    if (first == '$')
        return read_param(reader);
    if (first == '\\' || first == ';' || is_comment(reader))
        return TOKEN_UNKNOWN;
    reader->at++;
    return TOKEN_SIGN;
}

static const struct token *next(struct reader *reader)
{
    const char *from;

    while (reader->at < reader->end && is_space(*reader->at))
        reader->at++;
    from = reader->at;
    reader->token.kind = from == reader->end ? TOKEN_END : read_token(reader);
    reader->token.text = slice_of(from, (size_t)(reader->at - from));
    return &reader->token;
}

static bool is_word(const struct token *token, const char *word)
{
    return token->kind == TOKEN_WORD && token->text.len == strlen(word) &&
           strncasecmp(token->text.ptr, word, token->text.len) == 0;
}

static bool is_sign(const struct token *token, char sign)
{
    return token->kind == TOKEN_SIGN && token->text.ptr[0] == sign;
}

static bool is_one_of(const struct token *token, const char *const *words, size_t ct)
{
    for (size_t i = 0; i < ct; i++)
        if (is_word(token, words[i]))
            return true;
    return false;
}

/* ---- the statement ---- */

static bool read_name(struct reader *reader, struct slice *name)
{
    const char *end;

    next(reader);
    name->ptr = reader->token.text.ptr;
    for (;;) {
        if (reader->token.kind != TOKEN_WORD)
            return false;
        end = reader->at;
        if (!is_sign(next(reader), '.'))
            break;
        next(reader);
    }
    name->len = (size_t)(end - name->ptr);
    return true;
}

/* What has been seen of a row, or of the tail. */
struct walk {
    struct token before;
    bool is_qualified; /* the word before: of a schema, which may be anybody's */
    bool has_param;
    size_t depth;
};

static bool is_plain_call(const struct walk *walk)
{
    return !walk->is_qualified &&
           is_one_of(&walk->before, plain_calls, ARRAY_CT(plain_calls));
}

/* Whether the statement means the same for many rows with this token in it. */
static bool is_plain(struct walk *walk, const struct token *token, size_t param_ct)
{
    bool plain = token->kind != TOKEN_UNKNOWN &&
                 !is_one_of(token, strange_words, ARRAY_CT(strange_words));

    if (is_sign(token, '(')) {
        plain = plain && (walk->before.kind != TOKEN_WORD || is_plain_call(walk));
        walk->depth++;
    }
    if (token->kind == TOKEN_PARAM) {
        plain = plain && token->number <= param_ct;
        walk->has_param = true;
    }
    walk->is_qualified = is_sign(&walk->before, '.');
    walk->before = *token;
    return plain;
}

/* From behind the opening parenthesis to the closing one. */
static bool read_row(struct reader *reader, struct sql_rows *rows)
{
    struct walk walk = {.depth = 1};

    rows->row.ptr = reader->at;
    while (walk.depth > 0) {
        const struct token *token = next(reader);

        if (token->kind == TOKEN_END || !is_plain(&walk, token, rows->param_ct))
            return false;
        if (is_sign(token, ')'))
            walk.depth--;
    }
    rows->row.len = (size_t)(reader->at - 1 - rows->row.ptr);
    return walk.has_param;
}

static bool read_tail(struct reader *reader, struct sql_rows *rows)
{
    struct walk walk = {0};
    bool is_first = true;

    rows->tail = slice_of(reader->at, (size_t)(reader->end - reader->at));
    while (next(reader)->kind != TOKEN_END) {
        if (!is_plain(&walk, &reader->token, 0) ||
            (is_first && reader->token.kind != TOKEN_WORD)) /* a second row */
            return false;
        is_first = false;
    }
    return !walk.has_param;
}

/* The columns, AS alias, OVERRIDING: anything but parameters up to VALUES. */
static bool read_head(struct reader *reader, struct sql_rows *rows)
{
    while (!is_word(&reader->token, "values")) {
        if (reader->token.kind == TOKEN_END || reader->token.kind == TOKEN_UNKNOWN ||
            reader->token.kind == TOKEN_PARAM ||
            is_one_of(&reader->token, strange_words, ARRAY_CT(strange_words)))
            return false;
        next(reader);
    }
    rows->head.len = (size_t)(reader->token.text.ptr - rows->head.ptr);
    return is_sign(next(reader), '(');
}

bool sql_rows_read(struct sql_rows *rows, const char *statement, size_t param_ct)
{
    struct reader reader = {.at = statement, .end = statement + strlen(statement)};

    *rows = (struct sql_rows){.head = {.ptr = statement}, .param_ct = param_ct};
    return param_ct > 0 && param_ct <= SQL_ROWS_PARAMS_MAX &&
           is_word(next(&reader), "insert") && is_word(next(&reader), "into") &&
           read_name(&reader, &rows->table) && read_head(&reader, rows) &&
           read_row(&reader, rows) && read_tail(&reader, rows);
}

/* ---- writing ---- */

static void add_slice(struct buf *out, struct slice text)
{
    (void)buf_add(out, text.ptr, text.len);
}

static void write_row(struct buf *out, struct slice row)
{
    struct reader reader = {.at = row.ptr, .end = row.ptr + row.len};
    const char *from = row.ptr;

    while (next(&reader)->kind != TOKEN_END) {
        if (reader.token.kind != TOKEN_PARAM)
            continue;
        (void)buf_add(out, from, (size_t)(reader.token.text.ptr - from));
        (void)buf_addf(out, "drover.p%zu", reader.token.number);
        from = reader.at;
    }
    (void)buf_add(out, from, (size_t)(reader.end - from));
}

/* A text that is no boolean is refused when it is come to, with the text in the message;
 * as a constant it would be at once. */
static void write_proviso(struct buf *out, struct slice proviso)
{
    (void)buf_add_text(out, " WHERE (CASE WHEN ");
    add_slice(out, proviso);
    (void)buf_add_text(out, " THEN 'true' ELSE 'the columns have changed' END)::boolean");
}

void sql_rows_write(struct buf *out, const struct sql_rows *rows,
                    const struct slice *arrays, struct slice proviso)
{
    add_slice(out, rows->head);
    (void)buf_add_text(out, "SELECT ");
    write_row(out, rows->row);
    (void)buf_add_text(out, " FROM unnest(");
    for (size_t i = 0; i < rows->param_ct; i++) {
        (void)buf_addf(out, "%s$%zu::", i ? ", " : "", i + 1);
        add_slice(out, arrays[i]);
    }
    (void)buf_add_text(out, ") AS drover(");
    for (size_t i = 0; i < rows->param_ct; i++)
        (void)buf_addf(out, "%sp%zu", i ? ", " : "", i + 1);
    (void)buf_add_char(out, ')');
    if (proviso.ptr)
        write_proviso(out, proviso);
    if (rows->tail.len > 0)
        (void)buf_add_char(out, ' ');
    add_slice(out, rows->tail);
}
