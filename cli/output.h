/* What the subcommands print: results on stdout, messages on stderr; nothing that came
 * from outside reaches a terminal unescaped.
 */
#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "status/table.h"

/* "drover: " and a sentence on stderr, escaped. */
void output_note(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* `text` escaped, on stdout; at most `max` bytes of it, then "..." (0: all). */
void output_text(struct slice text, size_t max_bytes);

/* `text` escaped line by line, each ended; tabs stay. */
void output_lines(struct slice text);

/* A string of any bytes as JSON: as it is where it is UTF-8, else escaped by \xNN. */
json_t *output_json_text(struct slice text) MUSTCHECK;

/* Sets `key` to the bytes where they are UTF-8, else `key`_base64 to them in base64. */
void output_json_bytes(json_t *object, const char *key, struct slice bytes);

/* One line of compact JSON on stdout; takes the reference. */
void output_json(json_t *value);

/* An array printed as its elements come: begin, add .., end (without a newline).
 * Elements are taken. */
struct output_array {
    uint64_t ct;
};
void output_array_begin(struct output_array *array);
void output_array_add(struct output_array *array, json_t *element);
void output_array_end(struct output_array *array);

/* False once stdout takes no more (a closed pipe, a full disk): stop producing. */
bool output_ok(void);

/* Tables on stdout: begin, fill cells, say _row() after each row so that rows leave in
 * blocks, end (which frees, and where there was no row says `if_empty` on stderr). */
struct table *output_table_begin(const struct table_column *columns, size_t ct) MUSTCHECK;
/* Before the first row: where stdout is a terminal, lines fit it as table_fit() says. */
void output_table_fit(struct table *table, const struct table_give *gives);
/* What columns keep then, in characters. */
enum {
    OUTPUT_ID_LEAST = 8,    /* uuids: commands take a unique beginning */
    OUTPUT_TIME_LEAST = 19, /* times: to the second */
    OUTPUT_TEXT_LEAST = 12
};
void output_table_row(struct table *table);
/* `if_empty` is noted where there was no row; NULL: nothing is. */
void output_table_end(struct table *table, const char *if_empty);

/* A bar on stderr, only where that is a terminal. `total` 0: a counter. */
struct progress {
    const char *verb; /* "pushed" */
    int64_t total;
    int64_t drawn_at_ms;
    bool shown, drawn;
};
void progress_begin(struct progress *progress, const char *verb, int64_t total);
void progress_update(struct progress *progress, int64_t done); /* draws at most 10/s */
void progress_end(struct progress *progress);                  /* clears the line */

/* Whether to go on with something that cannot be undone: `yes` was given, or the person
 * at the terminal says so. false with `err`: they do not, or there is no terminal to ask
 * at (ERR_USAGE). `question` is escaped, and not looked at where nobody is asked. */
bool output_can_ask(void);
bool output_agreed(const char *question, bool yes, struct err *err) MUSTCHECK;

/* How many jobs were changed, or would have been: "3 jobs removed", "3 jobs would be
 * removed", {"removed":3,"dry_run":false}. */
struct output_change {
    const char *verb; /* "removed" */
    bool json, dry_run;
};
void output_change(const struct output_change *change, int64_t ct);

#endif
