/* Spelling arrays. Texts are quoted always, so that none of them can mean something else.
 */
#include "pg/array.h"

#include <inttypes.h>

#include "base/buf.h"

char *pg_array_of_texts(const char *const *texts, size_t ct)
{
    struct buf out;

    buf_init(&out, 0);
    (void)buf_add_char(&out, '{');
    for (size_t i = 0; i < ct; i++) {
        (void)buf_add_text(&out, i ? ",\"" : "\"");
        for (const char *c = texts[i]; *c; c++) {
            if (*c == '"' || *c == '\\')
                (void)buf_add_char(&out, '\\');
            (void)buf_add_char(&out, *c);
        }
        (void)buf_add_char(&out, '"');
    }
    (void)buf_add_char(&out, '}');
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
