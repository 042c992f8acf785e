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
    size_t widths[TABLE_COLUMNS_MAX]; /* characters */
    size_t column_ct;
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

static void add_spaces(struct buf *out, size_t ct)
{
    for (size_t i = 0; i < ct; i++)
        buf_add_char(out, ' ');
}

/* Nothing is padded behind the last column. */
static void add_cell(const struct table *table, struct buf *out, size_t column,
                     const char *text)
{
    bool last = column + 1 == table->column_ct;
    size_t spare = table->widths[column] - text_character_ct(text);

    if (table->columns[column].side == TABLE_RIGHT)
        add_spaces(out, spare);
    buf_add_text(out, text);
    if (table->columns[column].side == TABLE_LEFT && !last)
        add_spaces(out, spare);
    buf_add_text(out, last ? "" : "  ");
}

static void add_titles(const struct table *table, struct buf *out)
{
    if (table->colour == TABLE_COLOURED)
        buf_add_text(out, "\033[1m");
    for (size_t i = 0; i < table->column_ct; i++)
        add_cell(table, out, i, table->columns[i].title);
    if (table->colour == TABLE_COLOURED)
        buf_add_text(out, "\033[0m");
    buf_add_char(out, '\n');
}

void table_render(struct table *table, struct buf *out)
{
    const char *text = table->cells.data;

    MUST(table->cell_ct % table->column_ct == 0);
    if (!table->titled)
        add_titles(table, out);
    table->titled = true;
    for (size_t i = 0; i < table->cell_ct; i++) {
        add_cell(table, out, i % table->column_ct, text);
        text += strlen(text) + 1;
        if ((i + 1) % table->column_ct == 0)
            buf_add_char(out, '\n');
    }
    buf_clear(&table->cells);
    table->cell_ct = 0;
}
