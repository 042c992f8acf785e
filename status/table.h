/* Rows in columns, aligned by what is in them. Pure: text goes in, text comes out.
 *
 * Rows may be rendered in blocks, so that any number of them takes constant memory; a
 * column only gets narrower from block to block where another one that needs the room
 * has to fit in, and the titles come once.
 */
#ifndef STATUS_TABLE_H
#define STATUS_TABLE_H

#include <stdint.h>

#include "base/buf.h"

struct table;

enum { TABLE_COLUMNS_MAX = 12, TABLE_CELL_BYTES = 256 };
enum table_side { TABLE_LEFT, TABLE_RIGHT };
enum table_colour { TABLE_PLAIN, TABLE_COLOURED }; /* coloured: titles in bold */

struct table_column {
    const char *title;
    enum table_side side;
};

/* What a column gives up where lines would be too long: TABLE_CLIP all behind `least`
 * characters, with no mark, because its beginning says enough; TABLE_CUT_END and _START
 * as much as it takes, with "..." in that place. */
enum table_cut { TABLE_WHOLE, TABLE_CLIP, TABLE_CUT_END, TABLE_CUT_START };
struct table_give {
    enum table_cut cut;
    size_t least; /* characters; no column gets narrower than its title */
};

/* `columns` (copied) from left to right, at most TABLE_COLUMNS_MAX. */
struct table *table_create(const struct table_column *columns, size_t ct,
                           enum table_colour colour) MUSTCHECK;
void table_destroy(struct table *table); /* NULL is fine */

/* Lines of at most `width` characters (0: of any length), as far as the columns give:
 * first those to be clipped, from left to right, then those to be cut, from right to
 * left. `gives` (copied) has one for each column. */
void table_fit(struct table *table, size_t width, const struct table_give *gives);

/* The next cell, row by row. What comes from outside is escaped, and cut at
 * TABLE_CELL_BYTES with "..." behind. */
void table_cell(struct table *table, struct slice text); /* absent: "-" */
void table_cell_text(struct table *table, const char *text);
void table_cell_number(struct table *table, int64_t number); /* below 0: "-" */

size_t table_rows(const struct table *table); /* complete and not yet rendered */

bool table_is_begun(const struct table *table); /* something was rendered */

/* Appends the rows to `out`, the titles before the first, and forgets them. */
void table_render(struct table *table, struct buf *out);

#endif
