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

/* ---- finding ---- */

static const char data_prefix[] = "data.";

static bool is_in_data(const char *path)
{
    return strncmp(path, data_prefix, strlen(data_prefix)) == 0;
}

/* A value of `data` that was met on the way: the last of equal keys is what counts. */
static void note_member(const struct text_list *paths, struct slice key,
                        struct json_value value, struct json_value *found)
{
    for (size_t i = 0; i < paths->ct; i++) {
        const char *name = paths->items[i] + strlen(data_prefix);

        if (is_in_data(paths->items[i]) &&
            json_string_is(key, slice_of(name, strcspn(name, "."))))
            found[i] = value;
    }
}

/* From the member of `data` that a path begins with to where it leads. */
static struct json_value follow(struct json_value value, const char *path)
{
    while ((path = strchr(path, '.')) != NULL && value.kind != VALUE_ABSENT) {
        path++;
        value = json_child(value, slice_of(path, strcspn(path, ".")));
    }
    return value;
}

/* As payload_lookup() of each path, but through `data` once for all of them. */
static void look_up(const struct payload *payload, const struct text_list *paths,
                    struct json_value *found)
{
    bool is_object = payload->data.kind == VALUE_OBJECT;
    struct json_reader reader UNINITIALIZED;
    struct json_value value;
    struct slice key;

    if (is_object) {
        json_open(&reader, payload->data.text);
        MUST(json_enter(&reader, NULL) == 0);
        while (json_next(&reader, &key, &value, NULL) > 0)
            note_member(paths, key, value, found);
    }
    for (size_t i = 0; i < paths->ct; i++)
        found[i] = is_object && is_in_data(paths->items[i])
                       ? follow(found[i], paths->items[i] + strlen(data_prefix))
                       : payload_lookup(payload, paths->items[i]);
}

/* ---- parameters ---- */

/* Stands for a place in `text`, which may move until all is there. */
static const char decoded[1];

/* Most strings hold no escape, and are taken as they lie. */
static int read_string(struct sql_values *values, struct slice text,
                       struct pg_param *param, struct err *err)
{
    size_t from = values->text.len;

    param->value = slice_of(text.ptr + 1, text.len - 2);
    if (memchr(text.ptr, '\\', text.len) == NULL)
        return 0;
    if (json_decode_string(text, &values->text, err) != 0)
        return -1;
    param->value = slice_of(decoded, values->text.len - from);
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
        return read_string(values, value.text, param, err);
    case VALUE_BOOL:
    case VALUE_NUMBER:
    case VALUE_ARRAY:
    case VALUE_OBJECT:
        break;
    }
    param->value = value.text;
    return 0;
}

static void place_decoded(struct sql_values *values)
{
    size_t at = 0;

    for (size_t i = 0; i < values->ct; i++) {
        if (values->params[i].value.ptr != decoded)
            continue;
        values->params[i].value.ptr = values->text.data ? values->text.data + at : "";
        at += values->params[i].value.len;
    }
}

static int read_params(struct sql_values *values, const struct text_list *paths,
                       const struct payload *payload, struct err *err)
{
    struct json_value *found = must_alloc((paths->ct + 1) * sizeof(*found));
    struct err why;
    int rc = 0;

    look_up(payload, paths, found);
    values->params = must_alloc((paths->ct + 1) * sizeof(*values->params));
    values->ct = paths->ct;
    for (size_t i = 0; i < paths->ct && rc == 0; i++) {
        rc = read_param(values, found[i], &values->params[i], &why);
        if (rc != 0)
            (void)err_set(err, why.code, "%s: %s", paths->items[i], why.text);
    }
    if (rc == 0)
        place_decoded(values);
    free(found);
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

/* Takes the first name off `list`, without the blanks around it; NULL behind the last. */
static struct slice next_name(const char **list)
{
    const char *from = *list + strspn(*list, " "), *comma = strchr(*list, ',');
    const char *end = comma ? comma : from + strlen(from);

    while (end > from && end[-1] == ' ')
        end--;
    *list = comma ? comma + 1 : NULL;
    return slice_of(from, end > from ? (size_t)(end - from) : 0);
}

static int read_search_path(struct buf *out, const char *list,
                            const struct payload *payload, struct err *err)
{
    while (list != NULL)
        if (add_schema(out, next_name(&list), payload, err) != 0)
            return -1;
    return 0;
}

/* With a letter for each placeholder. */
static bool may_become_identifier(struct slice name)
{
    struct buf shape;
    bool may;

    buf_init(&shape, 0);
    for (size_t i = 0; i < name.len; i++) {
        const char *at = name.ptr + i;
        const char *close = *at == '{' ? memchr(at, '}', name.len - i) : NULL;

        (void)buf_add_char(&shape, close ? 'a' : *at);
        i += close ? (size_t)(close - at) : 0;
    }
    may = is_identifier(buf_slice(&shape));
    buf_free(&shape);
    return may;
}

int sql_search_path_check(const char *list, struct err *err)
{
    while (list != NULL) {
        struct slice name = next_name(&list);

        if (!may_become_identifier(name))
            return err_set(err, ERR_CONFIG,
                           "\"%.*s\" never becomes a name: at most %d lower-case "
                           "letters, digits and underscores, no digit first; between two "
                           "names stands a comma",
                           (int)name.len, name.ptr, SQL_IDENTIFIER_MAX);
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
