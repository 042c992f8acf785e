/* Spelling arrays. Texts are quoted always, so that none of them can mean something else.
 * A comma is what separates the elements of every type but box. */
#include "pg/array.h"

#include <inttypes.h>
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

char *pg_array_of_texts(const char *const *texts, size_t ct)
{
    struct buf out;

    buf_init(&out, 0);
    for (size_t i = 0; i < ct; i++)
        pg_array_add(&out, slice_text(texts[i]));
    pg_array_end(&out);
    return buf_take(&out);
}

char *pg_array_of_integers(const int64_t *numbers, size_t ct)
{
    struct buf out;

    buf_init(&out, 0);
    (void)buf_add_char(&out, '{');
    for (size_t i = 0; i < ct; i++)
        (void)buf_addf(&out, "%s%" PRId64, i ? "," : "", numbers[i]);
    (void)buf_add_char(&out, '}');
    return buf_take(&out);
}
