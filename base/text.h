/* Text from outside, made safe or understood. Pure. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

/* Appends `text` with control bytes, DEL, invalid UTF-8, C1 controls, line separators and
 * the bidirectional and zero-width marks as \xNN per byte. A backslash stays as it is.
 * Stops before the first character that `out` has no room for. */
void text_escape(struct buf *out, struct slice text);

/* Copies `text` (NULL: "") to `field`, cut between two characters where `size` is less.
 */
void text_copy(char *field, size_t size, const char *text);

/* Appends `text`, which is UTF-8, as a JSON string with its quotes. */
void text_quote_json(struct buf *out, struct slice text);

bool text_is_utf8(struct slice text); /* well-formed, no surrogates, no overlong forms */

size_t text_character_ct(const char *text); /* UTF-8; as good as columns for most */

/* Whether a byte of UTF-8 goes on with the character that one before it began. */
bool text_goes_on(char byte);

/* How many bytes of `text`, at most so many, end where a character does; of what is no
 * UTF-8 it is all of them. */
size_t text_cut(struct slice text, size_t max_bytes);

/* Shell-style glob over the whole of `name`: * any run, ? one byte; the rest, backslash
 * too, stands for itself (so App\Jobs\* needs no doubling). Linear in space. */
bool text_glob(const char *pattern, const char *name);

/* The name nearest to `word` by edit distance, if near enough to be meant; else NULL. */
const char *text_nearest(const char *word, const char *const *names, size_t ct);

/* Seconds as in the configuration and on the command line: "90", "0.05"; to whole
 * milliseconds, rounded. Rejects anything else, negative numbers, NaN, overflow. */
int text_seconds(const char *text, int64_t *ms, struct err *err) MUSTCHECK;

/* As text_seconds(), also with one unit: ms s m h d w ("15m", "2h"). */
int text_duration(const char *text, int64_t *ms, struct err *err) MUSTCHECK;

/* A whole decimal number within [min, max]. */
int text_integer(const char *text, int64_t min, int64_t max, int64_t *number,
                 struct err *err) MUSTCHECK;

/* Writes 1.5 as "1.5", 90000 ms as "90": the shortest decimal seconds of `ms`. */
enum { TEXT_SECONDS_BYTES = 32 };
void text_format_seconds(int64_t ms, char *text, size_t size);

#endif
