/* JSON text (RFC 8259) read where it lies: byte ranges into the original, never a tree.
 *
 * The scanner is strict in grammar and tolerant in meaning: control bytes in strings, bad
 * escapes and malformed numbers are refused; big numbers, \u0000, lone surrogates and
 * bytes that are not UTF-8 inside strings pass, since nobody who does not ask for that
 * value is harmed by them. Nothing is allocated, nothing recurses, time is linear in the
 * text.
 */
#ifndef JOBS_JSON_H
#define JOBS_JSON_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

enum { JSON_DEPTH_MAX = 65536 }; /* arrays and objects open at one time */

enum json_kind {
    VALUE_ABSENT,
    VALUE_NULL,
    VALUE_BOOL,
    VALUE_NUMBER,
    VALUE_STRING,
    VALUE_ARRAY,
    VALUE_OBJECT
};

struct json_value {
    enum json_kind kind;
    struct slice text; /* the value's own text; a string's with its quotes */
};

const char *json_kind_text(enum json_kind kind); /* "a string", "null": for messages */

/* Without JSON's white space around it. */
struct slice json_trim(struct slice text);

/* A place in a text; its fields are json.c's. 8 KiB, mostly the stack of bits that says
 * which of the open containers are objects; json_open() writes all but these, and a bit
 * is written before it is read: make it UNINITIALIZED. */
struct json_reader {
    const char *start, *at, *end;
    size_t depth;
    struct slice key; /* the last one read */
    bool entered;     /* behind an opening bracket, no member read yet */
    unsigned char in_object[JSON_DEPTH_MAX / 8];
};

void json_open(struct json_reader *reader, struct slice text); /* borrowed */

/* The kind of the value that begins at the reader's place; VALUE_ABSENT: none does. */
enum json_kind json_peek(struct json_reader *reader);

/* Reads the value at the reader's place, whole. -1: `err` says what is wrong at which
 * byte, counted from 0. */
int json_read_value(struct json_reader *reader, struct json_value *value,
                    struct err *err) MUSTCHECK;

/* Nothing but white space may follow. */
int json_read_end(struct json_reader *reader, struct err *err) MUSTCHECK;

/* Steps into the object or array at the reader's place; -1: there is none. */
int json_enter(struct json_reader *reader, struct err *err) MUSTCHECK;

/* The next member: 1, with `key` (quotes included; absent in an array) and `value`; 0
 * behind the last, the reader being behind the bracket; -1 as json_read_value(). */
int json_next(struct json_reader *reader, struct slice *key, struct json_value *value,
              struct err *err) MUSTCHECK;

/* The member of that name (the last of equal keys, compared after decoding) or the
 * element of that index; VALUE_ABSENT where there is none. */
struct json_value json_child(struct json_value parent, struct slice name);

/* Whether a string's text, quotes included, means these bytes. */
bool json_string_is(struct slice text, struct slice bytes);

/* What is between the quotes, where that is what the string means: it has no escapes.
 * Absent: it has, or is no string. */
struct slice json_plain_string(struct slice text);

/* Appends a string value's decoded bytes: UTF-8, but for bytes that were none before. -1
 * and `out` as it was: a lone surrogate, no string, or `out` is full. \u0000 gives a NUL
 * byte: the caller decides. */
int json_decode_string(struct slice text, struct buf *out, struct err *err) MUSTCHECK;

/* Bytes of the number that `text` begins with; 0: none. */
size_t json_number_bytes(struct slice text);

/* A number's text times 10^`decimals`, exactly where `*scaled` can hold it; else rounded
 * away from 0, or the nearest int64_t. No floating point: 1e+14 is a whole number. */
enum json_fit { JSON_FITS, JSON_ROUNDED, JSON_TOO_LARGE };
enum json_fit json_scale_number(struct slice number, unsigned decimals, int64_t *scaled);

#endif
