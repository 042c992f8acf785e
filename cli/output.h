/* What the subcommands print: results on stdout, messages on stderr; nothing that came
 * from outside reaches a terminal unescaped.
 */
#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "status/table.h"

/* "drover: " and a sentence on stderr, escaped. */
void output_note(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* `text` escaped, on stdout; at most `max` bytes of it, then "..." (0: all). */
void output_text(struct slice text, size_t max_bytes);

/* A string of any bytes as JSON: as it is where it is UTF-8, else escaped by \xNN. */
json_t *output_json_text(struct slice text) MUSTCHECK;

/* Sets `key` to the bytes where they are UTF-8, else `key`_base64 to them in base64. */
void output_json_bytes(json_t *object, const char *key, struct slice bytes);

/* One line of compact JSON on stdout; takes the reference. */
void output_json(json_t *value);

/* An array printed as its elements come: begin, add .., end. Elements are taken. */
struct output_array {
    uint64_t ct;
};
void output_array_begin(struct output_array *array);
void output_array_add(struct output_array *array, json_t *element);
void output_array_end(struct output_array *array);

/* False once stdout takes no more (a closed pipe, a full disk): stop producing. */
bool output_ok(void);

/* Prints a table's rows: all, or where `least` > 0 only once so many have come up. */
void output_table(struct table *table, size_t least);

/* A bar on stderr, only where that is a terminal. `total` 0: a counter. */
struct progress {
    const char *verb; /* "pushed" */
    int64_t total;
    int64_t drawn_at_ms;
    bool shown;
};
void progress_begin(struct progress *progress, const char *verb, int64_t total);
void progress_update(struct progress *progress, int64_t done); /* draws at most 10/s */
void progress_end(struct progress *progress);                  /* clears the line */

/* Asks on the terminal; false for anything but "y" or "yes". */
bool output_confirm(const char *question);
bool output_can_ask(void); /* stdin and stderr are terminals */

#endif
