/* From a payload to the values of a statement. Knows neither the statement nor the
 * database. A value is never looked at again once it is text, so that nothing in it can
 * mean anything; only the search_path, which PostgreSQL reads as a list of names, is held
 * to what a name may be. */
#include "jobs/sql_values.h"

#include <stdlib.h>
#include <string.h>

#include "jobs/template.h"

void sql_values_init(struct sql_values *values)
{
    *values = (struct sql_values){0};
    buf_init(&values->text, 0);
    buf_init(&values->search_path, 0);
}

void sql_values_free(struct sql_values *values)
{
    free(values->params);
    buf_free(&values->text);
    buf_free(&values->search_path);
}

/* ---- parameters ---- */

/* Decodes a string behind those before it. The buffer may move: where it is is told by
 * place_strings(), until then `value` holds the length alone. */
static int decode(struct sql_values *values, struct slice text, struct pg_param *param,
                  struct err *err)
{
    size_t from = values->text.len;

    if (json_decode_string(text, &values->text, err) != 0)
        return -1;
    param->value.len = values->text.len - from;
    if (param->value.len == 0 ||
        memchr(values->text.data + from, '\0', param->value.len) == NULL)
        return 0;
    return err_set(err, ERR_BAD_INPUT, "holds a NUL, which no text in PostgreSQL can");
}

static int read_param(struct sql_values *values, struct json_value value,
                      struct pg_param *param, struct err *err)
{
    switch (value.kind) {
    case VALUE_ABSENT:
        return err_set(err, ERR_BAD_INPUT, "the payload has no such value");
    case VALUE_NULL:
        return 0;
    case VALUE_STRING:
        return decode(values, value.text, param, err);
    case VALUE_BOOL:
    case VALUE_NUMBER:
    case VALUE_ARRAY:
    case VALUE_OBJECT:
        break;
    }
    param->value = value.text;
    return 0;
}

static void place_strings(struct sql_values *values, const bool *is_string)
{
    size_t at = 0;

    for (size_t i = 0; i < values->ct; i++) {
        if (!is_string[i])
            continue;
        values->params[i].value.ptr = values->text.data ? values->text.data + at : "";
        at += values->params[i].value.len;
    }
}

static int read_params(struct sql_values *values, const struct text_list *paths,
                       const struct payload *payload, struct err *err)
{
    bool *is_string = must_alloc((paths->ct + 1) * sizeof(*is_string));
    struct err why = {0};
    int rc = 0;

    values->params = must_alloc((paths->ct + 1) * sizeof(*values->params));
    values->ct = paths->ct;
    for (size_t i = 0; i < paths->ct && rc == 0; i++) {
        struct json_value value = payload_lookup(payload, paths->items[i]);

        is_string[i] = value.kind == VALUE_STRING;
        rc = read_param(values, value, &values->params[i], &why);
        if (rc != 0)
            (void)err_set(err, why.code, "%s: %s", paths->items[i], why.text);
    }
    if (rc == 0)
        place_strings(values, is_string);
    free(is_string);
    return rc;
}

/* ---- search_path ---- */

static bool is_identifier(struct slice text)
{
    if (text.len == 0 || text.len > SQL_IDENTIFIER_MAX ||
        (text.ptr[0] >= '0' && text.ptr[0] <= '9'))
        return false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];

        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '_')
            return false;
    }
    return true;
}

/* One name of the list; what a payload puts into it may not make it two. */
static int add_schema(struct buf *out, struct slice name, const struct payload *payload,
                      struct err *err)
{
    char *text = slice_dup(name);
    struct buf expanded;
    int rc;

    buf_init(&expanded, 0);
    rc = template_expand(text, TEMPLATE_ARG, payload, &expanded, err);
    if (rc == 0 && !is_identifier(buf_slice(&expanded)))
        rc = err_set(err, ERR_BAD_INPUT,
                     "search_path \"%s\" does not become a name: at most %d lower-case "
                     "letters, digits and underscores, no digit first",
                     text, SQL_IDENTIFIER_MAX);
    if (rc == 0)
        (void)buf_addf(out, "%s%s", out->len ? ", " : "", expanded.data);
    buf_free(&expanded);
    free(text);
    return rc;
}

static int read_search_path(struct buf *out, const char *list,
                            const struct payload *payload, struct err *err)
{
    while (list != NULL) {
        size_t len, before = strspn(list, " ");
        const char *comma = strchr(list, ',');
        struct slice name;

        len = comma ? (size_t)(comma - list) : strlen(list);
        name = slice_of(list + before, len > before ? len - before : 0);
        while (name.len > 0 && name.ptr[name.len - 1] == ' ')
            name.len--;
        if (add_schema(out, name, payload, err) != 0)
            return -1;
        list = comma ? comma + 1 : NULL;
    }
    return 0;
}

int sql_values_read(struct sql_values *values, const struct sql_config *config,
                    const char *search_path, const struct payload *payload,
                    struct err *err)
{
    if (read_search_path(&values->search_path, search_path, payload, err) != 0)
        return -1;
    return read_params(values, &config->params, payload, err);
}
