/* Text from outside, made safe or understood: escaping, globs, near names, numbers.
 * Pure: no state, no clock, no system calls. Knows nothing of what the texts are for. */
#include "base/text.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    NAME_BYTES_MAX = 64, /* longer words are never typing mistakes of a name */
    GO_ON_MAX = 3,       /* bytes of a character behind its first */
    FRACTION_DIGITS = 9
};

static const int64_t fraction_scale = 1000000000; /* 10 ^ FRACTION_DIGITS */

bool text_goes_on(char byte)
{
    return ((unsigned char)byte & 0xc0) == 0x80;
}

/* Length of the well-formed UTF-8 sequence at `at` (RFC 3629), 0: there is none. */
static size_t decode_char(const unsigned char *at, size_t left, uint32_t *point)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t len = at[0] < 0x80 ? 1 : at[0] < 0xc2 ? 0 : at[0] < 0xe0 ? 2 : 0;

    if (at[0] >= 0xe0)
        len = at[0] < 0xf0 ? 3 : at[0] < 0xf5 ? 4 : 0;
    if (len == 0 || len > left)
        return 0;
    *point = len == 1 ? at[0] : at[0] & (0x7fU >> len);
    for (size_t i = 1; i < len; i++) {
        if (!text_goes_on((char)at[i]))
            return 0;
        *point = *point << 6 | (at[i] & 0x3fU);
    }
    if (*point < least[len] || *point > 0x10ffff ||
        (*point >= 0xd800 && *point <= 0xdfff))
        return 0;
    return len;
}

/* What would move, hide or break text on a terminal or in a log viewer. */
static bool is_unsafe(uint32_t point)
{
    static const struct {
        uint32_t first, last;
    } ranges[] = {
        {0x00, 0x1f},     {0x7f, 0x9f},     {0x061c, 0x061c}, {0x180e, 0x180e},
        {0x200b, 0x200f}, {0x2028, 0x202e}, {0x2060, 0x2069}, {0xfeff, 0xfeff},
    };

    for (size_t i = 0; i < ARRAY_CT(ranges); i++)
        if (point >= ranges[i].first && point <= ranges[i].last)
            return true;
    return false;
}

void text_escape(struct buf *out, struct slice text)
{
    const unsigned char *at = (const unsigned char *)text.ptr;
    size_t left = text.len;

    while (left > 0 && !out->over) {
        uint32_t point = 0;
        size_t len = decode_char(at, left, &point);
        bool bad = len == 0 || is_unsafe(point);

        if (len == 0)
            len = 1;
        if (!bad)
            (void)buf_add(out, at, len);
        for (size_t i = 0; bad && i < len; i++)
            (void)buf_addf(out, "\\x%02x", at[i]);
        at += len;
        left -= len;
    }
}

size_t text_cut(struct slice text, size_t max_bytes)
{
    size_t len = max_bytes;

    if (text.len <= max_bytes)
        return text.len;
    while (len > 0 && max_bytes - len < GO_ON_MAX && text_goes_on(text.ptr[len]))
        len--;
    return text_goes_on(text.ptr[len]) ? max_bytes : len;
}

void text_copy(char *field, size_t size, const char *text)
{
    size_t len = text ? text_cut(slice_of(text, strnlen(text, size)), size - 1) : 0;

    memcpy(field, text ? text : "", len);
    field[len] = '\0';
}

void text_quote_json(struct buf *out, struct slice text)
{
    (void)buf_add_char(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];

        if (c == '"' || c == '\\')
            (void)buf_addf(out, "\\%c", c);
        else if (c < ' ' || c == 0x7f)
            (void)buf_addf(out, "\\u%04x", c);
        else
            (void)buf_add_char(out, text.ptr[i]);
    }
    (void)buf_add_char(out, '"');
}

bool text_is_utf8(struct slice text)
{
    const unsigned char *at = (const unsigned char *)text.ptr;
    size_t left = text.len;

    while (left > 0) {
        uint32_t point;
        size_t len = decode_char(at, left, &point);

        if (len == 0)
            return false;
        at += len;
        left -= len;
    }
    return true;
}

size_t text_character_ct(const char *text)
{
    size_t ct = 0;

    for (; *text; text++)
        ct += !text_goes_on(*text);
    return ct;
}

bool text_glob(const char *pattern, const char *name)
{
    const char *star = NULL, *resume = NULL; /* the last *, and what it has not eaten */

    while (*name) {
        if (*pattern == '*') {
            star = pattern++;
            resume = name;
        } else if (*pattern == '?' || *pattern == *name) {
            pattern++;
            name++;
        } else if (star) {
            pattern = star + 1;
            name = ++resume;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return *pattern == '\0';
}

static size_t least_of(size_t a, size_t b)
{
    return a < b ? a : b;
}

static int fold_case(char c)
{
    return tolower((unsigned char)c);
}

/* Edits (insert, delete, replace, swap of neighbours) from `a` to `b`, letters' case
 * aside. Both are at most NAME_BYTES_MAX long. */
static size_t count_edits(const char *a, size_t a_len, const char *b, size_t b_len)
{
    size_t rows[3][NAME_BYTES_MAX + 1];
    size_t *before = rows[0], *last = rows[1], *row = rows[2];

    for (size_t j = 0; j <= b_len; j++)
        row[j] = j;
    for (size_t i = 1; i <= a_len; i++) {
        size_t *spare = before;

        before = last;
        last = row;
        row = spare;
        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            int x = fold_case(a[i - 1]), y = fold_case(b[j - 1]);

            row[j] = least_of(last[j - 1] + (x != y), least_of(last[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && x == fold_case(b[j - 2]) && fold_case(a[i - 2]) == y)
                row[j] = least_of(row[j], before[j - 2] + 1);
        }
    }
    return row[b_len];
}

const char *text_nearest(const char *word, const char *const *names, size_t ct)
{
    size_t len = strlen(word), best = (len + 2) / 3 + 1;
    const char *nearest = NULL;

    if (len < 2 || len > NAME_BYTES_MAX)
        return NULL;
    for (size_t i = 0; i < ct; i++) {
        size_t name_len = strlen(names[i]), edits;

        if (name_len > NAME_BYTES_MAX)
            continue;
        edits = count_edits(word, len, names[i], name_len);
        if (edits < best) {
            best = edits;
            nearest = names[i];
        }
    }
    return nearest;
}

/* Milliseconds of the unit that is all of `text`; 0: no such unit. */
static int64_t unit_ms(const char *text)
{
    static const struct {
        const char *name;
        int64_t ms;
    } units[] = {{"ms", 1},      {"s", 1000},     {"m", 60000},
                 {"h", 3600000}, {"d", 86400000}, {"w", 604800000}};

    for (size_t i = 0; i < ARRAY_CT(units); i++)
        if (strcmp(text, units[i].name) == 0)
            return units[i].ms;
    return 0;
}

/* Reads digits[.digits]; what follows is left at *end. False: no such number, or it is
 * above 64 bits. Digits behind the ninth of the fraction are dropped. */
static bool read_decimal(const char *text, int64_t *whole, int64_t *fraction,
                         const char **end)
{
    int64_t scale = fraction_scale / 10;
    size_t digits = 0;

    *whole = *fraction = 0;
    for (; isdigit((unsigned char)*text); text++, digits++)
        if (__builtin_mul_overflow(*whole, 10, whole) ||
            __builtin_add_overflow(*whole, *text - '0', whole))
            return false;
    if (*text == '.') {
        if (!isdigit((unsigned char)*++text))
            return false;
        for (; isdigit((unsigned char)*text); text++, digits++) {
            *fraction += (*text - '0') * scale;
            scale /= 10;
        }
    }
    *end = text;
    return digits > 0;
}

/* A number alone is seconds; with `units`, one of them may follow. */
static int read_time(const char *text, bool units, int64_t *ms, struct err *err)
{
    const char *end;
    int64_t whole, fraction, unit;

    if (!read_decimal(text, &whole, &fraction, &end))
        goto bad;
    unit = *end == '\0' ? 1000 : units ? unit_ms(end) : 0;
    if (unit == 0)
        goto bad;
    fraction = (fraction * unit + fraction_scale / 2) / fraction_scale;
    if (__builtin_mul_overflow(whole, unit, &whole) ||
        __builtin_add_overflow(whole, fraction, &whole))
        goto bad;
    *ms = whole;
    return 0;
bad:
    if (units)
        return err_set(err, ERR_BAD_INPUT,
                       "not a time: give seconds, or a number with one unit of "
                       "ms s m h d w, like 90 or 15m");
    return err_set(err, ERR_BAD_INPUT, "not a time: give seconds, like 90 or 0.05");
}

int text_seconds(const char *text, int64_t *ms, struct err *err)
{
    return read_time(text, false, ms, err);
}

int text_duration(const char *text, int64_t *ms, struct err *err)
{
    return read_time(text, true, ms, err);
}

int text_integer(const char *text, int64_t min, int64_t max, int64_t *number,
                 struct err *err)
{
    bool negative = *text == '-';
    const char *at = text + negative;
    int64_t value = 0;

    if (!isdigit((unsigned char)*at))
        return err_set(err, ERR_BAD_INPUT, "not a whole number");
    for (; isdigit((unsigned char)*at); at++) {
        int digit = negative ? '0' - *at : *at - '0';

        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, digit, &value))
            return err_set(err, ERR_BAD_INPUT, "a number of more than 64 bits");
    }
    if (*at != '\0')
        return err_set(err, ERR_BAD_INPUT, "not a whole number");
    if (value < min)
        return err_set(err, ERR_BAD_INPUT, "%" PRId64 " is below the minimum of %" PRId64,
                       value, min);
    if (value > max)
        return err_set(err, ERR_BAD_INPUT, "%" PRId64 " is above the maximum of %" PRId64,
                       value, max);
    *number = value;
    return 0;
}

void text_format_seconds(int64_t ms, char *text, size_t size)
{
    uint64_t amount = ms < 0 ? 0 - (uint64_t)ms : (uint64_t)ms;
    int len = snprintf(text, size, "%s%" PRIu64, ms < 0 ? "-" : "", amount / 1000);
    unsigned part = (unsigned)(amount % 1000);
    char digits[8];
    size_t last;

    MUST(len > 0 && (size_t)len + 5 <= size);
    if (part == 0)
        return;
    (void)snprintf(digits, sizeof(digits), ".%03u", part);
    for (last = 3; digits[last] == '0'; last--)
        digits[last] = '\0';
    (void)snprintf(text + len, size - (size_t)len, "%s", digits);
}
