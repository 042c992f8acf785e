/* Tables for people: cells are kept as one text with an end each, until they are asked
 * for and it is known how wide every column has to be.
 */
#include "status/table.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

struct table {
    struct table_column columns[TABLE_COLUMNS_MAX];
    struct table_give gives[TABLE_COLUMNS_MAX];
    size_t widths[TABLE_COLUMNS_MAX]; /* characters, of the widest cell so far */
    size_t column_ct;
    size_t fit; /* characters a line may have; 0: any number */
    enum table_colour colour;
    struct buf cells; /* each ended by NUL */
    size_t cell_ct;
    bool titled;
};

struct table *table_create(const struct table_column *columns, size_t ct,
                           enum table_colour colour)
{
    struct table *table = must_alloc(sizeof(*table));

    MUST(ct > 0 && ct <= TABLE_COLUMNS_MAX);
    table->column_ct = ct;
    table->colour = colour;
    buf_init(&table->cells, 0);
    for (size_t i = 0; i < ct; i++) {
        table->columns[i] = columns[i];
        table->widths[i] = text_character_ct(columns[i].title);
    }
    return table;
}

void table_destroy(struct table *table)
{
    if (table == NULL)
        return;
    buf_free(&table->cells);
    free(table);
}

static void end_cell(struct table *table, size_t start)
{
    size_t column = table->cell_ct++ % table->column_ct;
    size_t width = text_character_ct(table->cells.data + start);

    if (width > table->widths[column])
        table->widths[column] = width;
    buf_add_char(&table->cells, '\0');
}

void table_cell(struct table *table, struct slice text)
{
    size_t start = table->cells.len;
    struct buf safe;

    if (text.ptr == NULL)
        text = slice_text("-");
    buf_init(&safe, TABLE_CELL_BYTES);
    text_escape(&safe, text);
    buf_add(&table->cells, safe.data ? safe.data : "", safe.len);
    if (safe.over)
        buf_add_text(&table->cells, "...");
    buf_free(&safe);
    end_cell(table, start);
}

void table_cell_text(struct table *table, const char *text)
{
    table_cell(table, slice_text(text));
}

void table_cell_number(struct table *table, int64_t number)
{
    size_t start = table->cells.len;

    if (number < 0)
        buf_add_char(&table->cells, '-');
    else
        buf_addf(&table->cells, "%" PRId64, number);
    end_cell(table, start);
}

size_t table_rows(const struct table *table)
{
    return table->cell_ct / table->column_ct;
}

bool table_is_begun(const struct table *table)
{
    return table->titled;
}

/* ---- fitting ---- */

enum { GAP = 2, MARK = 3 }; /* characters between columns, and of "..." */

void table_fit(struct table *table, size_t width, const struct table_give *gives)
{
    table->fit = width;
    for (size_t i = 0; i < table->column_ct; i++)
        table->gives[i] = gives[i];
}

/* Narrows one column: clips it, or takes from it up to what the line has too much. */
static void narrow(const struct table *table, size_t column, size_t *over, size_t *width)
{
    const struct table_give *give = &table->gives[column];
    size_t title = text_character_ct(table->columns[column].title);
    size_t least = give->least > title ? give->least : title;
    size_t taken;

    if (*over == 0 || *width <= least)
        return;
    taken = *width - least;
    if (give->cut != TABLE_CLIP && taken > *over)
        taken = *over;
    *width -= taken;
    *over -= taken < *over ? taken : *over;
}

/* The widths to print by. */
static void fit_widths(const struct table *table, size_t widths[TABLE_COLUMNS_MAX])
{
    size_t line = GAP * (table->column_ct - 1), over;

    for (size_t i = 0; i < table->column_ct; i++) {
        widths[i] = table->widths[i];
        line += widths[i];
    }
    over = table->fit > 0 && line > table->fit ? line - table->fit : 0;
    for (size_t i = 0; i < table->column_ct; i++)
        if (table->gives[i].cut == TABLE_CLIP)
            narrow(table, i, &over, &widths[i]);
    for (size_t i = table->column_ct; i-- > 0;)
        if (table->gives[i].cut > TABLE_CLIP)
            narrow(table, i, &over, &widths[i]);
}

/* Where the character of this number begins. */
static const char *skip_characters(const char *text, size_t ct)
{
    while (ct-- > 0)
        for (text++; text_goes_on(*text);)
            text++;
    return text;
}

/* The cell's text, shortened to `width` characters if it has more. */
static void add_shortened(struct buf *out, const char *text, size_t width,
                          enum table_cut cut)
{
    size_t ct = text_character_ct(text);
    size_t kept = cut == TABLE_CLIP || width < MARK ? width : width - MARK;
    const char *end;

    if (ct <= width) {
        buf_add_text(out, text);
    } else if (cut == TABLE_CUT_START) {
        buf_add_text(out, "...");
        buf_add_text(out, skip_characters(text, ct - kept));
    } else {
        end = skip_characters(text, kept);
        buf_add(out, text, (size_t)(end - text));
        buf_add_text(out, cut == TABLE_CLIP ? "" : "...");
    }
}

/* ---- printing ---- */

static void add_spaces(struct buf *out, size_t ct)
{
    for (size_t i = 0; i < ct; i++)
        buf_add_char(out, ' ');
}

/* Nothing is padded behind the last column. */
static void add_cell(const struct table *table, struct buf *out, size_t column,
                     const size_t *widths, const char *text)
{
    bool last = column + 1 == table->column_ct;
    size_t ct = text_character_ct(text);
    size_t spare = widths[column] > ct ? widths[column] - ct : 0;

    if (table->columns[column].side == TABLE_RIGHT)
        add_spaces(out, spare);
    add_shortened(out, text, widths[column], table->gives[column].cut);
    if (table->columns[column].side == TABLE_LEFT && !last)
        add_spaces(out, spare);
    add_spaces(out, last ? 0 : GAP);
}

static void add_titles(const struct table *table, struct buf *out, const size_t *widths)
{
    if (table->colour == TABLE_COLOURED)
        buf_add_text(out, "\033[1m");
    for (size_t i = 0; i < table->column_ct; i++)
        add_cell(table, out, i, widths, table->columns[i].title);
    if (table->colour == TABLE_COLOURED)
        buf_add_text(out, "\033[0m");
    buf_add_char(out, '\n');
}

void table_render(struct table *table, struct buf *out)
{
    const char *text = table->cells.data;
    size_t widths[TABLE_COLUMNS_MAX];

    MUST(table->cell_ct % table->column_ct == 0);
    fit_widths(table, widths);
    if (!table->titled)
        add_titles(table, out, widths);
    table->titled = true;
    for (size_t i = 0; i < table->cell_ct; i++) {
        add_cell(table, out, i % table->column_ct, widths, text);
        text += strlen(text) + 1;
        if ((i + 1) % table->column_ct == 0)
            buf_add_char(out, '\n');
    }
    buf_clear(&table->cells);
    table->cell_ct = 0;
}
