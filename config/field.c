/* Fields that hold values: unset, compared, freed, written as text.
 *
 * Secrets are wiped before their memory goes back and never written.
 */
#include "config/field.h"

#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "base/text.h"
#include "config/dsn.h"
#include "config/url.h"

void field_unset(const struct setting *setting, void *field)
{
    switch (setting->type) {
    case SETTING_TEXT:
    case SETTING_SECRET:
    case SETTING_URL:
        *(char **)field = NULL;
        break;
    case SETTING_INTEGER:
    case SETTING_SECONDS:
    case SETTING_MIB:
    case SETTING_KIB:
        *(int64_t *)field = CONFIG_UNSET;
        break;
    case SETTING_ENUM:
        *(int *)field = CONFIG_UNSET;
        break;
    case SETTING_BOOL:
        *(bool *)field = false;
        break;
    case SETTING_TEXTS:
        *(struct text_list *)field = (struct text_list){0};
        break;
    case SETTING_TIMES:
        *(struct time_list *)field = (struct time_list){0};
        break;
    }
}

static size_t field_bytes(const struct setting *setting)
{
    switch (setting->type) {
    case SETTING_TEXT:
    case SETTING_SECRET:
    case SETTING_URL:
        return sizeof(char *);
    case SETTING_INTEGER:
    case SETTING_SECONDS:
    case SETTING_MIB:
    case SETTING_KIB:
        return sizeof(int64_t);
    case SETTING_ENUM:
        return sizeof(int);
    case SETTING_BOOL:
        return sizeof(bool);
    case SETTING_TEXTS:
        return sizeof(struct text_list);
    case SETTING_TIMES:
        break;
    }
    return sizeof(struct time_list);
}

void field_move(const struct setting *setting, void *to, void *from)
{
    memcpy(to, from, field_bytes(setting));
    field_unset(setting, from);
}

bool field_is_set(const struct setting *setting, const void *field)
{
    switch (setting->type) {
    case SETTING_TEXT:
    case SETTING_SECRET:
    case SETTING_URL:
        return *(char *const *)field != NULL;
    case SETTING_INTEGER:
    case SETTING_SECONDS:
    case SETTING_MIB:
    case SETTING_KIB:
        return *(const int64_t *)field != CONFIG_UNSET;
    case SETTING_ENUM:
        return *(const int *)field != CONFIG_UNSET;
    case SETTING_BOOL:
        return true;
    case SETTING_TEXTS:
        return ((const struct text_list *)field)->ct > 0;
    case SETTING_TIMES:
        return ((const struct time_list *)field)->ct > 0;
    }
    return false;
}

static bool texts_equal(const struct text_list *a, const struct text_list *b)
{
    if (a->ct != b->ct)
        return false;
    for (size_t i = 0; i < a->ct; i++)
        if (strcmp(a->items[i], b->items[i]) != 0)
            return false;
    return true;
}

bool field_equal(const struct setting *setting, const void *a, const void *b)
{
    const char *text_a, *text_b;
    const struct time_list *times_a = a, *times_b = b;

    switch (setting->type) {
    case SETTING_TEXT:
    case SETTING_SECRET:
    case SETTING_URL:
        text_a = *(char *const *)a;
        text_b = *(char *const *)b;
        return text_a == text_b || (text_a && text_b && strcmp(text_a, text_b) == 0);
    case SETTING_INTEGER:
    case SETTING_SECONDS:
    case SETTING_MIB:
    case SETTING_KIB:
        return *(const int64_t *)a == *(const int64_t *)b;
    case SETTING_ENUM:
        return *(const int *)a == *(const int *)b;
    case SETTING_BOOL:
        return *(const bool *)a == *(const bool *)b;
    case SETTING_TEXTS:
        return texts_equal(a, b);
    case SETTING_TIMES:
        return times_a->ct == times_b->ct &&
               (times_a->ct == 0 || memcmp(times_a->ms, times_b->ms,
                                           times_a->ct * sizeof(*times_a->ms)) == 0);
    }
    return false;
}

static void free_texts(struct text_list *list)
{
    for (size_t i = 0; i < list->ct; i++)
        free(list->items[i]);
    free(list->items);
}

void field_free(const struct setting *setting, void *field)
{
    char *text;

    switch (setting->type) {
    case SETTING_SECRET:
    case SETTING_URL:
        text = *(char **)field;
        must_wipe(text);
        break;
    case SETTING_TEXT:
        free(*(char **)field);
        break;
    case SETTING_TEXTS:
        free_texts(field);
        break;
    case SETTING_TIMES:
        free(((struct time_list *)field)->ms);
        break;
    case SETTING_INTEGER:
    case SETTING_SECONDS:
    case SETTING_MIB:
    case SETTING_KIB:
    case SETTING_ENUM:
    case SETTING_BOOL:
        break;
    }
    field_unset(setting, field);
}

/* ---- as text ---- */

void field_quote(struct buf *out, const char *text)
{
    (void)buf_add_char(out, '"');
    for (const char *at = text; *at; at++) {
        if (*at == '"' || *at == '\\')
            (void)buf_addf(out, "\\%c", *at);
        else if (*at == '\n' || *at == '\t')
            (void)buf_addf(out, "\\%c", *at == '\n' ? 'n' : 't');
        else
            (void)buf_add_char(out, *at);
    }
    (void)buf_add_char(out, '"');
}

static void format_texts(struct buf *out, const struct text_list *list)
{
    (void)buf_add_text(out, "[");
    for (size_t i = 0; i < list->ct; i++) {
        (void)buf_add_text(out, i ? ", " : " ");
        field_quote(out, list->items[i]);
    }
    (void)buf_add_text(out, " ]");
}

static void format_seconds(struct buf *out, int64_t ms)
{
    char text[TEXT_SECONDS_BYTES];

    text_format_seconds(ms, text, sizeof(text));
    (void)buf_add_text(out, text);
}

/* libconfig takes whole and broken numbers together only between parentheses. */
static void format_times(struct buf *out, const struct time_list *list)
{
    bool whole = true;

    for (size_t i = 0; i < list->ct; i++)
        whole = whole && list->ms[i] % 1000 == 0;
    (void)buf_add_text(out, whole ? "[" : "(");
    for (size_t i = 0; i < list->ct; i++) {
        (void)buf_add_text(out, i ? ", " : " ");
        format_seconds(out, list->ms[i]);
    }
    (void)buf_add_text(out, whole ? " ]" : " )");
}

void field_mask(const struct setting *setting, const void *field, struct buf *out)
{
    if (setting->type == SETTING_URL && setting->section != SECTION_REDIS)
        postgres_dsn_mask(*(char *const *)field, out);
    else if (setting->type == SETTING_URL)
        redis_url_mask(*(char *const *)field, out);
    else
        (void)buf_add_text(out, "(secret)");
}

static void format_url(struct buf *out, const struct setting *setting, const void *field)
{
    struct buf masked;

    buf_init(&masked, 0);
    field_mask(setting, field, &masked);
    field_quote(out, masked.data);
    buf_free(&masked);
}

void field_format(const struct setting *setting, const void *field, struct buf *out)
{
    if (!field_is_set(setting, field)) {
        (void)buf_add_text(out, "-");
        return;
    }
    switch (setting->type) {
    case SETTING_TEXT:
        field_quote(out, *(char *const *)field);
        break;
    case SETTING_SECRET:
        field_mask(setting, field, out);
        break;
    case SETTING_URL:
        format_url(out, setting, field);
        break;
    case SETTING_INTEGER:
    case SETTING_MIB:
    case SETTING_KIB:
        (void)buf_addf(out, "%lld", (long long)*(const int64_t *)field);
        break;
    case SETTING_SECONDS:
        format_seconds(out, *(const int64_t *)field);
        break;
    case SETTING_ENUM:
        field_quote(out, setting->words[*(const int *)field]);
        break;
    case SETTING_BOOL:
        (void)buf_add_text(out, *(const bool *)field ? "true" : "false");
        break;
    case SETTING_TEXTS:
        format_texts(out, field);
        break;
    case SETTING_TIMES:
        format_times(out, field);
        break;
    }
}
