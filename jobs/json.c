/* The scanner: where values begin and end in a text of any size and shape.
 *
 * Knows the grammar of JSON and nothing of jobs. Never reads at or behind `end`; depth is
 * held in a stack of bits, so that nesting costs neither C stack nor heap. What strings
 * and numbers mean is in json_scalar.c.
 */
#include "jobs/json.h"

#include <endian.h>
#include <stdio.h>
#include <string.h>

const char *json_kind_text(enum json_kind kind)
{
    static const char *const texts[] = {
        [VALUE_ABSENT] = "absent",    [VALUE_NULL] = "null",
        [VALUE_BOOL] = "a boolean",   [VALUE_NUMBER] = "a number",
        [VALUE_STRING] = "a string",  [VALUE_ARRAY] = "an array",
        [VALUE_OBJECT] = "an object",
    };

    return texts[kind];
}

void json_open(struct json_reader *reader, struct slice text)
{
    reader->start = text.ptr ? text.ptr : "";
    reader->at = reader->start;
    reader->end = reader->start + text.len;
    reader->depth = 0;
    reader->key = slice_of(NULL, 0);
    reader->entered = false;
}

static int fail_here(const struct json_reader *reader, struct err *err, const char *what)
{
    if (reader->at == reader->end)
        what = "the text ends too early";
    return err_set(err, ERR_BAD_INPUT, "%s at byte %zu", what,
                   (size_t)(reader->at - reader->start));
}

/* The byte at the reader's place, -1 at the end. */
static int peek(const struct json_reader *reader)
{
    return reader->at < reader->end ? (unsigned char)*reader->at : -1;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

struct slice json_trim(struct slice text)
{
    while (text.len > 0 && is_space(text.ptr[text.len - 1]))
        text.len--;
    while (text.len > 0 && is_space(text.ptr[0]))
        text = slice_of(text.ptr + 1, text.len - 1);
    return text;
}

static int skip_space(struct json_reader *reader)
{
    int c;

    for (c = peek(reader); c >= 0 && c <= ' ' && is_space((char)c); c = peek(reader))
        reader->at++;
    return c;
}

static int push(struct json_reader *reader, bool object, struct err *err)
{
    unsigned char bit = (unsigned char)(1u << (reader->depth % 8));
    unsigned char *bits = &reader->in_object[reader->depth / 8];

    if (reader->depth == JSON_DEPTH_MAX)
        return fail_here(reader, err, "nested too deeply");
    *bits = (unsigned char)(object ? *bits | bit : *bits & ~bit);
    reader->depth++;
    return 0;
}

static bool top_is_object(const struct json_reader *reader)
{
    size_t top = reader->depth - 1;

    return (reader->in_object[top / 8] >> (top % 8)) & 1;
}

static bool is_hex(int c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* Behind a backslash. */
static int read_escape(struct json_reader *reader, struct err *err)
{
    int c = peek(reader);

    if (c < 0 || memchr("\"\\/bfnrtu", c, 9) == NULL)
        return fail_here(reader, err, "an unknown escape in a string");
    reader->at++;
    for (int i = 0; c == 'u' && i < 4; i++, reader->at++)
        if (!is_hex(peek(reader)))
            return fail_here(reader, err, "\\u needs four hexadecimal digits");
    return 0;
}

/* Of eight bytes, the first one lowest: the lowest bit that is set is the high one of the
 * first quote, backslash or byte below 0x20; 0: none is. (Borrows can set bits too many,
 * but only above such a byte.) */
static uint64_t specials(uint64_t word)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), highs = ones * 0x80;
    uint64_t quote = word ^ (ones * '"'), backslash = word ^ (ones * '\\');

    return (((quote - ones) & ~quote) | ((backslash - ones) & ~backslash) |
            ((word - ones * 0x20) & ~word)) &
           highs;
}

/* To the first of these, or at least to the last seven bytes. */
static void skip_plain(struct json_reader *reader)
{
    uint64_t word, found;

    while ((size_t)(reader->end - reader->at) >= sizeof(word)) {
        memcpy(&word, reader->at, sizeof(word));
        found = specials(le64toh(word));
        if (found != 0) {
            reader->at += __builtin_ctzll(found) / 8;
            return;
        }
        reader->at += sizeof(word);
    }
}

static int read_string(struct json_reader *reader, struct err *err)
{
    if (peek(reader) != '"')
        return fail_here(reader, err, "a key in quotes is missing");
    reader->at++;
    skip_plain(reader);
    while (reader->at < reader->end) {
        unsigned char c = (unsigned char)*reader->at;

        if (c < 0x20)
            return fail_here(reader, err, "a control byte in a string");
        reader->at++;
        if (c == '"')
            return 0;
        if (c == '\\') {
            if (read_escape(reader, err) != 0)
                return -1;
            skip_plain(reader);
        }
    }
    return fail_here(reader, err, "");
}

static int read_number(struct json_reader *reader, struct err *err)
{
    size_t left = (size_t)(reader->end - reader->at);
    size_t bytes = json_number_bytes(slice_of(reader->at, left));

    if (bytes == 0)
        return fail_here(reader, err, "a malformed number");
    reader->at += bytes;
    return 0;
}

static int read_word(struct json_reader *reader, const char *word, struct err *err)
{
    size_t len = strlen(word);

    if ((size_t)(reader->end - reader->at) < len || memcmp(reader->at, word, len) != 0)
        return fail_here(reader, err, "neither true, false nor null");
    reader->at += len;
    return 0;
}

static enum json_kind kind_at(const struct json_reader *reader)
{
    switch (peek(reader)) {
    case '{':
        return VALUE_OBJECT;
    case '[':
        return VALUE_ARRAY;
    case '"':
        return VALUE_STRING;
    case 't':
    case 'f':
        return VALUE_BOOL;
    case 'n':
        return VALUE_NULL;
    case '-':
    case '0':
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case '7':
    case '8':
    case '9':
        return VALUE_NUMBER;
    default:
        return VALUE_ABSENT;
    }
}

static int read_scalar(struct json_reader *reader, enum json_kind kind, struct err *err)
{
    switch (kind) {
    case VALUE_STRING:
        return read_string(reader, err);
    case VALUE_NUMBER:
        return read_number(reader, err);
    case VALUE_NULL:
        return read_word(reader, "null", err);
    case VALUE_BOOL:
        return read_word(reader, *reader->at == 't' ? "true" : "false", err);
    case VALUE_ABSENT:
    case VALUE_ARRAY:
    case VALUE_OBJECT:
        break;
    }
    return fail_here(reader, err, "a value is missing");
}

/* Up to the value; the key stays in reader->key. */
static int read_key(struct json_reader *reader, struct err *err)
{
    const char *from;

    (void)skip_space(reader);
    from = reader->at;
    if (read_string(reader, err) != 0)
        return -1;
    reader->key = slice_of(from, (size_t)(reader->at - from));
    if (skip_space(reader) != ':')
        return fail_here(reader, err, "a colon is missing");
    reader->at++;
    return 0;
}

/* Behind an opening bracket: 1 at the place of the first value, 0 behind the bracket that
 * closes an empty container, -1. */
static int first_place(struct json_reader *reader, struct err *err)
{
    bool object = top_is_object(reader);

    if (skip_space(reader) == (object ? '}' : ']')) {
        reader->at++;
        reader->depth--;
        return 0;
    }
    if (object && read_key(reader, err) != 0)
        return -1;
    return 1;
}

/* Behind a complete value in a container: as first_place(). */
static int next_place(struct json_reader *reader, struct err *err)
{
    bool object = top_is_object(reader);
    int c = skip_space(reader);

    if (c == ',') {
        reader->at++;
        if (object && read_key(reader, err) != 0)
            return -1;
        return 1;
    }
    if (c != (object ? '}' : ']'))
        return fail_here(reader, err, object ? "no ',' or '}'" : "no ',' or ']'");
    reader->at++;
    reader->depth--;
    return 0;
}

/* Goes down to the first value that is complete: a scalar or an empty container. */
static int descend(struct json_reader *reader, struct err *err)
{
    int more;

    do {
        enum json_kind kind;

        (void)skip_space(reader);
        kind = kind_at(reader);
        if (kind != VALUE_OBJECT && kind != VALUE_ARRAY)
            return read_scalar(reader, kind, err);
        if (push(reader, kind == VALUE_OBJECT, err) != 0)
            return -1;
        reader->at++;
        more = first_place(reader, err);
    } while (more > 0);
    return more;
}

enum json_kind json_peek(struct json_reader *reader)
{
    (void)skip_space(reader);
    return kind_at(reader);
}

/* An object or array, to its end. */
static int read_nested(struct json_reader *reader, struct err *err)
{
    size_t outer = reader->depth;
    int more;

    do {
        if (descend(reader, err) != 0)
            return -1;
        more = 0;
        while (reader->depth > outer && more == 0)
            more = next_place(reader, err);
    } while (more > 0);
    return more;
}

int json_read_value(struct json_reader *reader, struct json_value *value, struct err *err)
{
    const char *from;
    int more;

    (void)skip_space(reader);
    from = reader->at;
    value->kind = kind_at(reader);
    if (value->kind != VALUE_OBJECT && value->kind != VALUE_ARRAY)
        more = read_scalar(reader, value->kind, err);
    else
        more = read_nested(reader, err);
    value->text = slice_of(from, (size_t)(reader->at - from));
    return more;
}

int json_read_end(struct json_reader *reader, struct err *err)
{
    if (skip_space(reader) < 0)
        return 0;
    return fail_here(reader, err, "something follows the value");
}

int json_enter(struct json_reader *reader, struct err *err)
{
    int c = skip_space(reader);

    if (c != '{' && c != '[')
        return fail_here(reader, err, "neither an object nor an array");
    if (push(reader, c == '{', err) != 0)
        return -1;
    reader->at++;
    reader->entered = true;
    return 0;
}

int json_next(struct json_reader *reader, struct slice *key, struct json_value *value,
              struct err *err)
{
    bool object = top_is_object(reader);
    int more = reader->entered ? first_place(reader, err) : next_place(reader, err);

    reader->entered = false;
    if (more <= 0)
        return more;
    *key = object ? reader->key : slice_of(NULL, 0);
    return json_read_value(reader, value, err) == 0 ? 1 : -1;
}

/* "12" in a path is the index 12; "012" and "1x" are none. */
static bool index_is(struct slice name, size_t index)
{
    char text[24];
    int len = snprintf(text, sizeof(text), "%zu", index);

    return slice_equal(name, slice_of(text, (size_t)len));
}

struct json_value json_child(struct json_value parent, struct slice name)
{
    struct json_value found = {.kind = VALUE_ABSENT}, value;
    struct json_reader reader UNINITIALIZED;
    struct slice key;
    size_t index = 0;

    json_open(&reader, parent.text);
    if (json_enter(&reader, NULL) != 0)
        return found;
    while (json_next(&reader, &key, &value, NULL) > 0) {
        if (key.ptr ? json_string_is(key, name) : index_is(name, index))
            found = value;
        index++;
    }
    return found;
}
