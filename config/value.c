/* Values on their way into their fields: bounds, lengths, bytes, words.
 *
 * Pure but for memory. Knows the row of a setting, never where its value came from.
 */
#include "config/value.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "base/text.h"
#include "config/field.h"

enum { SHOWN_MAX = 60, MS_PER_S = 1000, NUMBER_BYTES = 32 };

/* ---- numbers ---- */

const char *value_unit(const struct setting *setting)
{
    bool time = setting->type == SETTING_SECONDS || setting->type == SETTING_TIMES;

    if (time)
        return " s";
    if (setting->type == SETTING_MIB)
        return " MiB";
    return setting->type == SETTING_KIB ? " KiB" : "";
}

static void format_bound(const struct setting *setting, int64_t bound, char *text,
                         size_t size)
{
    if (setting->type == SETTING_SECONDS || setting->type == SETTING_TIMES)
        text_format_seconds(bound, text, size);
    else
        (void)snprintf(text, size, "%" PRId64, bound);
}

static int refuse_number(const struct setting *setting, const char *shown, bool below,
                         struct err *err)
{
    char bound[TEXT_SECONDS_BYTES];
    bool element = setting->type == SETTING_TIMES;
    int64_t min = element ? 0 : setting->min;
    int64_t max = element ? setting->item_max : setting->max;

    format_bound(setting, below ? min : max, bound, sizeof(bound));
    return err_set(err, ERR_CONFIG, "%s is %s of %s%s", shown,
                   below ? "below the minimum" : "above the maximum", bound,
                   value_unit(setting));
}

int value_refuse_literal(const struct setting *setting, const char *literal,
                         struct err *err)
{
    return refuse_number(setting, literal, literal[0] == '-', err);
}

/* Seconds as milliseconds within [min, max] of the row (of its elements for a list). */
static int read_seconds(const struct setting *setting, double seconds, int64_t *ms,
                        struct err *err)
{
    bool element = setting->type == SETTING_TIMES;
    int64_t min = element ? 0 : setting->min;
    int64_t max = element ? setting->item_max : setting->max;
    int64_t rounded;
    char shown[NUMBER_BYTES];

    (void)snprintf(shown, sizeof(shown), "%.15g", seconds);
    if (!isgreaterequal(seconds, 0))
        return refuse_number(setting, shown, true, err);
    if (seconds > (double)max)
        return refuse_number(setting, shown, false, err);
    rounded = (int64_t)(seconds * MS_PER_S + 0.5);
    if (rounded < min || rounded > max)
        return refuse_number(setting, shown, rounded < min, err);
    if (rounded == 0 && seconds > 0) /* 0 may mean "without limit" */
        return err_set(err, ERR_CONFIG, "%s is below the least step of 0.001 s", shown);
    *ms = rounded;
    return 0;
}

int value_set_seconds(const struct setting *setting, void *field, double seconds,
                      struct err *err)
{
    MUST(setting->type == SETTING_SECONDS);
    return read_seconds(setting, seconds, field, err);
}

int value_set_number(const struct setting *setting, void *field, int64_t number,
                     struct err *err)
{
    char shown[NUMBER_BYTES];

    if (setting->type == SETTING_SECONDS)
        return value_set_seconds(setting, field, (double)number, err);
    (void)snprintf(shown, sizeof(shown), "%" PRId64, number);
    if (number < setting->min)
        return refuse_number(setting, shown, true, err);
    if (number > setting->max)
        return refuse_number(setting, shown, false, err);
    *(int64_t *)field = number;
    return 0;
}

/* ---- texts ---- */

static bool is_control(char c)
{
    return (unsigned char)c < 0x20 || c == 0x7f;
}

/* How libconfig writes the byte; NULL where it has no letter for it. */
static const char *escape_of(char c)
{
    switch (c) {
    case '\n':
        return "n";
    case '\t':
        return "t";
    case '\r':
        return "r";
    case '\f':
        return "f";
    default:
        return NULL;
    }
}

static const char *name_of_control(char c)
{
    switch (c) {
    case '\n':
        return "a newline";
    case '\t':
        return "a tab";
    case '\r':
        return "a carriage return";
    case '\f':
        return "a form feed";
    default:
        return "a control byte";
    }
}

/* Appends `text` between quotes, `slashes` for each backslash and in front of what
 * stands for a control byte: "\n" or "\\n". */
static void quote(struct buf *out, const char *text, size_t max, const char *slashes)
{
    size_t len = strlen(text), shown = len > max ? max : len;

    (void)buf_add_char(out, '"');
    for (size_t i = 0; i < shown; i++) {
        if (text[i] == '\\')
            (void)buf_add_text(out, slashes);
        else if (is_control(text[i]) && escape_of(text[i]))
            (void)buf_addf(out, "%s%s", slashes, escape_of(text[i]));
        else if (is_control(text[i]))
            (void)buf_addf(out, "%sx%02x", slashes, (unsigned char)text[i]);
        else
            (void)buf_add_char(out, text[i]);
    }
    (void)buf_add_text(out, shown < len ? "...\"" : "\"");
}

/* The text for a message: bounded, nothing in it that moves a terminal. */
static char *shown_text(const char *text, const char *slashes)
{
    struct buf quoted, safe;

    buf_init(&quoted, 0);
    buf_init(&safe, 0);
    quote(&quoted, text, SHOWN_MAX, slashes);
    text_escape(&safe, buf_slice(&quoted));
    buf_free(&quoted);
    return buf_take(&safe);
}

static bool is_secret(const struct setting *setting)
{
    return setting->type == SETTING_SECRET || setting->type == SETTING_URL;
}

static int refuse_control(const struct setting *setting, const char *text, char byte,
                          struct err *err)
{
    char *shown, *meant;

    if (is_secret(setting))
        return err_set(err, ERR_CONFIG, "holds %s: a backslash is written \\\\",
                       name_of_control(byte));
    shown = shown_text(text, "\\");
    meant = shown_text(text, "\\\\");
    if (escape_of(byte))
        (void)err_set(err, ERR_CONFIG, "%s holds %s: write %s", shown,
                      name_of_control(byte), meant);
    else
        (void)err_set(err, ERR_CONFIG, "%s holds %s", shown, name_of_control(byte));
    free(shown);
    free(meant);
    return -1;
}

static int check_bytes(const struct setting *setting, const char *text, struct err *err)
{
    for (const char *at = text; *at; at++) {
        bool raw = setting->flags & SETTING_RAW && (*at == '\n' || *at == '\t');
        char *shown;

        if (is_control(*at) && !raw)
            return refuse_control(setting, text, *at, err);
        if (!(setting->flags & SETTING_NAME) || (*at != ' ' && *at != ','))
            continue;
        shown = shown_text(text, "\\");
        (void)err_set(err, ERR_CONFIG, "%s holds a %s", shown,
                      *at == ' ' ? "space" : "comma");
        free(shown);
        return -1;
    }
    return 0;
}

static int check_text(const struct setting *setting, const char *text, int64_t min,
                      int64_t max, struct err *err)
{
    size_t len = strlen(text);

    if (len < (size_t)min)
        return err_set(err, ERR_CONFIG, "is empty");
    if (len > (size_t)max)
        return err_set(err, ERR_CONFIG, "is longer than %" PRId64 " bytes", max);
    return check_bytes(setting, text, err);
}

int value_set_text(const struct setting *setting, void *field, const char *text,
                   struct err *err)
{
    if (check_text(setting, text, setting->min, setting->max, err) != 0)
        return -1;
    field_free(setting, field);
    *(char **)field = must_strdup(text);
    return 0;
}

/* ---- words ---- */

static void list_words(struct buf *out, const char *const *words)
{
    for (size_t i = 0; words[i]; i++)
        (void)buf_addf(out, "%s%s", i ? ", " : "", words[i]);
}

static int refuse_word(const struct setting *setting, const char *word, struct err *err)
{
    struct buf known;
    char *shown = shown_text(word, "\\");

    buf_init(&known, 0);
    list_words(&known, setting->words);
    (void)err_set(err, ERR_CONFIG, "%s is none of: %s", shown, known.data);
    free(shown);
    buf_free(&known);
    return -1;
}

int value_set_word(const struct setting *setting, void *field, const char *word,
                   struct err *err)
{
    for (int i = 0; setting->words[i]; i++) {
        if (strcmp(setting->words[i], word) == 0) {
            *(int *)field = i;
            return 0;
        }
    }
    return refuse_word(setting, word, err);
}

/* ---- lists ---- */

int value_add_text(const struct setting *setting, void *field, const char *text,
                   struct err *err)
{
    struct text_list *list = field;
    bool may_be_empty = setting->flags & SETTING_RAW;

    if (check_text(setting, text, may_be_empty ? 0 : 1, setting->item_max, err) != 0)
        return -1;
    if (list->ct >= (size_t)setting->max)
        return err_set(err, ERR_CONFIG, "more than %" PRId64 " elements", setting->max);
    list->items = must_realloc(list->items, list->ct + 1, sizeof(*list->items));
    list->items[list->ct++] = must_strdup(text);
    return 0;
}

int value_add_seconds(const struct setting *setting, void *field, double seconds,
                      struct err *err)
{
    struct time_list *list = field;
    int64_t ms;

    if (read_seconds(setting, seconds, &ms, err) != 0)
        return -1;
    if (list->ct >= (size_t)setting->max)
        return err_set(err, ERR_CONFIG, "more than %" PRId64 " elements", setting->max);
    list->ms = must_realloc(list->ms, list->ct + 1, sizeof(*list->ms));
    list->ms[list->ct++] = ms;
    return 0;
}

int value_check_length(const struct setting *setting, const void *field, struct err *err)
{
    bool texts = setting->type == SETTING_TEXTS;
    size_t ct = texts ? ((const struct text_list *)field)->ct
                      : ((const struct time_list *)field)->ct;

    if (ct < (size_t)setting->min)
        return err_set(err, ERR_CONFIG, "is empty");
    return 0;
}

/* ---- from text ---- */

static int add_from_text(const struct setting *setting, void *field, const char *text,
                         struct err *err)
{
    int64_t ms;

    if (setting->type == SETTING_TEXTS)
        return value_add_text(setting, field, text, err);
    if (text_seconds(text, &ms, err) != 0)
        return -1;
    return value_add_seconds(setting, field, (double)ms / MS_PER_S, err);
}

static int set_list(const struct setting *setting, void *field, const char *text,
                    struct err *err)
{
    const char *at = text, *comma;

    field_free(setting, field);
    do {
        char *part;
        int rc;

        comma = strchr(at, ',');
        part = comma ? must_strndup(at, (size_t)(comma - at)) : must_strdup(at);
        rc = add_from_text(setting, field, part, err);
        free(part);
        if (rc != 0)
            return -1;
        at = comma ? comma + 1 : at;
    } while (comma);
    return value_check_length(setting, field, err);
}

static int set_number_from_text(const struct setting *setting, void *field,
                                const char *text, struct err *err)
{
    int64_t number;
    char *shown;

    if (text_integer(text, INT64_MIN, INT64_MAX, &number, NULL) == 0)
        return value_set_number(setting, field, number, err);
    shown = shown_text(text, "\\");
    (void)err_set(err, ERR_CONFIG, "%s is not a whole number", shown);
    free(shown);
    return -1;
}

static int set_bool_from_text(bool *field, const char *text, struct err *err)
{
    *field = strcmp(text, "true") == 0;
    if (*field || strcmp(text, "false") == 0)
        return 0;
    return err_set(err, ERR_CONFIG, "expects true or false");
}

int value_set_from_text(const struct setting *setting, void *field, const char *text,
                        struct err *err)
{
    int64_t ms;

    switch (setting->type) {
    case SETTING_TEXT:
    case SETTING_SECRET:
    case SETTING_URL:
        return value_set_text(setting, field, text, err);
    case SETTING_INTEGER:
    case SETTING_MIB:
    case SETTING_KIB:
        return set_number_from_text(setting, field, text, err);
    case SETTING_SECONDS:
        if (text_seconds(text, &ms, err) != 0)
            return -1;
        return value_set_seconds(setting, field, (double)ms / MS_PER_S, err);
    case SETTING_ENUM:
        return value_set_word(setting, field, text, err);
    case SETTING_BOOL:
        return set_bool_from_text(field, text, err);
    case SETTING_TEXTS:
    case SETTING_TIMES:
        return set_list(setting, field, text, err);
    }
    return -1;
}

const char *value_expected(const struct setting *setting)
{
    switch (setting->type) {
    case SETTING_TEXT:
    case SETTING_SECRET:
    case SETTING_URL:
        return "a text between quotes";
    case SETTING_INTEGER:
        return "a whole number";
    case SETTING_MIB:
        return "a whole number of MiB";
    case SETTING_KIB:
        return "a whole number of KiB";
    case SETTING_BOOL:
        return "true or false";
    case SETTING_SECONDS:
        return "seconds as a number, like 90 or 0.5";
    case SETTING_ENUM:
        return "a word between quotes";
    case SETTING_TEXTS:
        return "a list of texts, like [ \"a\", \"b\" ]";
    case SETTING_TIMES:
        return "a list of seconds, like [ 1, 5, 30 ]";
    }
    return "";
}
