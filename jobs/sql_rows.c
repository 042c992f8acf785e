/* Reading an INSERT as far as is needed to widen it.
 *
 * What could be read in two ways, or is seldom there (backslashes in strings, dollar
 * quotes, comments), ends the reading. Knows neither types nor tables: whether the server
 * takes the wide statement is seen there.
 */
#include "jobs/sql_rows.h"

#include <string.h>

#include "config/sql_token.h"

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

static bool is_unclear(const struct sql_reader *reader)
{
    const struct sql_token *token = &reader->token;

    switch (token->kind) {
    case SQL_TOKEN_TANGLED:
    case SQL_TOKEN_COMMENT:
    case SQL_TOKEN_UNKNOWN:
        return true;
    case SQL_TOKEN_PARAM:
        return token->number == 0 || token->number > SQL_ROWS_PARAMS_MAX ||
               (reader->at < reader->end && sql_token_is_word_part(*reader->at));
    case SQL_TOKEN_SIGN:
        return sql_token_is_sign(token, '\\') || sql_token_is_sign(token, ';');
    case SQL_TOKEN_END:
    case SQL_TOKEN_WORD:
    case SQL_TOKEN_VALUE:
        break;
    }
    return false;
}

static const struct sql_token *next(struct sql_reader *reader)
{
    (void)sql_token_next(reader);
    if (is_unclear(reader))
        reader->token.kind = SQL_TOKEN_UNKNOWN;
    return &reader->token;
}

static bool is_one_of(const struct sql_token *token, const char *const *words, size_t ct)
{
    for (size_t i = 0; i < ct; i++)
        if (sql_token_is_word(token, words[i]))
            return true;
    return false;
}

/* ---- the statement ---- */

static bool read_name(struct sql_reader *reader, struct slice *name)
{
    const char *end;

    next(reader);
    name->ptr = reader->token.text.ptr;
    for (;;) {
        if (reader->token.kind != SQL_TOKEN_WORD)
            return false;
        end = reader->at;
        if (!sql_token_is_sign(next(reader), '.'))
            break;
        next(reader);
    }
    name->len = (size_t)(end - name->ptr);
    return true;
}

/* What has been seen of a row, or of the tail. */
struct walk {
    struct sql_token before;
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
static bool is_plain(struct walk *walk, const struct sql_token *token, size_t param_ct)
{
    bool plain = token->kind != SQL_TOKEN_UNKNOWN &&
                 !is_one_of(token, strange_words, ARRAY_CT(strange_words));

    if (sql_token_is_sign(token, '(')) {
        plain = plain && (walk->before.kind != SQL_TOKEN_WORD || is_plain_call(walk));
        walk->depth++;
    }
    if (token->kind == SQL_TOKEN_PARAM) {
        plain = plain && token->number <= param_ct;
        walk->has_param = true;
    }
    walk->is_qualified = sql_token_is_sign(&walk->before, '.');
    walk->before = *token;
    return plain;
}

/* From behind the opening parenthesis to the closing one. */
static bool read_row(struct sql_reader *reader, struct sql_rows *rows)
{
    struct walk walk = {.depth = 1};

    rows->row.ptr = reader->at;
    while (walk.depth > 0) {
        const struct sql_token *token = next(reader);

        if (token->kind == SQL_TOKEN_END || !is_plain(&walk, token, rows->param_ct))
            return false;
        if (sql_token_is_sign(token, ')'))
            walk.depth--;
    }
    rows->row.len = (size_t)(reader->at - 1 - rows->row.ptr);
    return walk.has_param;
}

static bool read_tail(struct sql_reader *reader, struct sql_rows *rows)
{
    struct walk walk = {0};
    bool is_first = true;

    rows->tail = slice_of(reader->at, (size_t)(reader->end - reader->at));
    while (next(reader)->kind != SQL_TOKEN_END) {
        if (!is_plain(&walk, &reader->token, 0) ||
            (is_first && reader->token.kind != SQL_TOKEN_WORD)) /* a second row */
            return false;
        is_first = false;
    }
    return !walk.has_param;
}

/* The columns, AS alias, OVERRIDING: anything but parameters up to VALUES. */
static bool read_head(struct sql_reader *reader, struct sql_rows *rows)
{
    while (!sql_token_is_word(&reader->token, "values")) {
        if (reader->token.kind == SQL_TOKEN_END ||
            reader->token.kind == SQL_TOKEN_UNKNOWN ||
            reader->token.kind == SQL_TOKEN_PARAM ||
            is_one_of(&reader->token, strange_words, ARRAY_CT(strange_words)))
            return false;
        next(reader);
    }
    rows->head.len = (size_t)(reader->token.text.ptr - rows->head.ptr);
    return sql_token_is_sign(next(reader), '(');
}

bool sql_rows_read(struct sql_rows *rows, const char *statement, size_t param_ct)
{
    struct sql_reader reader = {.at = statement, .end = statement + strlen(statement)};

    *rows = (struct sql_rows){.head = {.ptr = statement}, .param_ct = param_ct};
    return param_ct > 0 && param_ct <= SQL_ROWS_PARAMS_MAX &&
           sql_token_is_word(next(&reader), "insert") &&
           sql_token_is_word(next(&reader), "into") && read_name(&reader, &rows->table) &&
           read_head(&reader, rows) && read_row(&reader, rows) &&
           read_tail(&reader, rows);
}

/* ---- writing ---- */

static void add_slice(struct buf *out, struct slice text)
{
    (void)buf_add(out, text.ptr, text.len);
}

static void write_row(struct buf *out, struct slice row)
{
    struct sql_reader reader = {.at = row.ptr, .end = row.ptr + row.len};
    const char *from = row.ptr;

    while (next(&reader)->kind != SQL_TOKEN_END) {
        if (reader.token.kind != SQL_TOKEN_PARAM)
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
