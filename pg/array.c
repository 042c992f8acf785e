/* Writing the texts of arrays. A comma is what separates the elements of every type but
 * box. Knows no types and no connection. */
#include "pg/array.h"

#include <string.h>

static void add_escaped(struct buf *out, struct slice value)
{
    size_t from = 0;

    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] != '"' && value.ptr[i] != '\\')
            continue;
        (void)buf_add(out, value.ptr + from, i - from);
        (void)buf_add_char(out, '\\');
        from = i;
    }
    (void)buf_add(out, value.ptr + from, value.len - from);
}

static bool is_plain(struct slice value)
{
    return value.len == 0 || (memchr(value.ptr, '"', value.len) == NULL &&
                              memchr(value.ptr, '\\', value.len) == NULL);
}

void pg_array_add(struct buf *out, struct slice value)
{
    if (value.ptr == NULL) {
        (void)buf_add_text(out, out->len ? ",NULL" : "{NULL");
        return;
    }
    (void)buf_add(out, out->len ? ",\"" : "{\"", 2);
    if (is_plain(value))
        (void)buf_add(out, value.ptr, value.len);
    else
        add_escaped(out, value);
    (void)buf_add_char(out, '"');
}

void pg_array_end(struct buf *out)
{
    (void)buf_add_text(out, out->len ? "}" : "{}");
}
