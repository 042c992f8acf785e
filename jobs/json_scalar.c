/* What strings and numbers of a JSON text mean.
 *
 * Takes any bytes, also ones the scanner never saw, and reads within them only. Numbers
 * never pass through floating point: a payload may hold integers that no double can.
 */
#include "jobs/json.h"

#include <string.h>

enum { SURROGATE_HIGH = 0xd800, SURROGATE_LOW = 0xdc00, SURROGATE_END = 0xe000 };
enum { UTF8_BYTES_MAX = 4 };

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* Four hexadecimal digits at `*at`, which moves behind them; -1. */
static int32_t take_hex(const char **at, const char *end)
{
    int32_t code = 0;

    if (end - *at < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        int digit = hex_digit((*at)[i]);

        if (digit < 0)
            return -1;
        code = code * 16 + digit;
    }
    *at += 4;
    return code;
}

/* Behind "\u": a code point, two escapes for one beyond the first 65536; -1. */
static int32_t take_code_point(const char **at, const char *end)
{
    int32_t low, code = take_hex(at, end);

    if (code < SURROGATE_HIGH || code >= SURROGATE_END)
        return code;
    if (code >= SURROGATE_LOW || end - *at < 6 || (*at)[0] != '\\' || (*at)[1] != 'u')
        return -1;
    *at += 2;
    low = take_hex(at, end);
    if (low < SURROGATE_LOW || low >= SURROGATE_END)
        return -1;
    return 0x10000 + (code - SURROGATE_HIGH) * 0x400 + (low - SURROGATE_LOW);
}

static size_t put_utf8(int32_t code, char out[UTF8_BYTES_MAX])
{
    static const int32_t below[UTF8_BYTES_MAX] = {0x80, 0x800, 0x10000, 0x110000};
    static const unsigned char lead[UTF8_BYTES_MAX] = {0, 0xc0, 0xe0, 0xf0};
    size_t bytes = 1;

    while (code >= below[bytes - 1])
        bytes++;
    for (size_t i = bytes - 1; i > 0; i--) {
        out[i] = (char)(0x80 | (code & 0x3f));
        code >>= 6;
    }
    out[0] = (char)(lead[bytes - 1] | code);
    return bytes;
}

/* Decodes the escape at `*at`, a backslash, which moves behind it. Returns bytes put, 0
 * for an escape that means nothing. */
static size_t take_escape(const char **at, const char *end, char out[UTF8_BYTES_MAX])
{
    static const char names[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
    const char *name;
    int32_t code;

    if (end - *at < 2)
        return 0;
    if ((*at)[1] == 'u') {
        *at += 2;
        code = take_code_point(at, end);
        return code < 0 ? 0 : put_utf8(code, out);
    }
    name = memchr(names, (*at)[1], sizeof(names) - 1);
    if (name == NULL)
        return 0;
    *at += 2;
    out[0] = meanings[name - names];
    return 1;
}

/* What is between the quotes; absent: no string. */
static struct slice unquote(struct slice text)
{
    if (text.len < 2 || text.ptr[0] != '"' || text.ptr[text.len - 1] != '"')
        return slice_of(NULL, 0);
    return slice_of(text.ptr + 1, text.len - 2);
}

struct slice json_plain_string(struct slice text)
{
    struct slice inside = unquote(text);

    if (inside.ptr != NULL && memchr(inside.ptr, '\\', inside.len) != NULL)
        return slice_of(NULL, 0);
    return inside;
}

bool json_string_is(struct slice text, struct slice bytes)
{
    struct slice inside = unquote(text);
    const char *at = inside.ptr, *end;
    char out[UTF8_BYTES_MAX];

    if (inside.ptr == NULL || inside.len < bytes.len) /* an escape is never shorter */
        return false;
    if (bytes.len > 0 && *at != bytes.ptr[0] && *at != '\\')
        return false;
    end = at + inside.len;
    if (memchr(at, '\\', inside.len) == NULL)
        return slice_equal(inside, bytes);
    while (at < end && bytes.len > 0) {
        size_t put = 1;

        if (*at == '\\')
            put = take_escape(&at, end, out);
        else
            out[0] = *at++;
        if (put == 0 || put > bytes.len || memcmp(out, bytes.ptr, put) != 0)
            return false;
        bytes = slice_of(bytes.ptr + put, bytes.len - put);
    }
    return at == end && bytes.len == 0;
}

/* Appends up to the next backslash and what that stands for. */
static int decode_part(const char **at, const char *end, struct buf *out, struct err *err)
{
    const char *stop = memchr(*at, '\\', (size_t)(end - *at));
    char bytes[UTF8_BYTES_MAX];
    size_t put = 0;

    if (stop == NULL)
        stop = end;
    if (buf_add(out, *at, (size_t)(stop - *at)) != 0)
        return err_set(err, ERR_LIMIT, "longer than %zu bytes", out->max);
    *at = stop;
    if (stop == end)
        return 0;
    put = take_escape(at, end, bytes);
    if (put == 0)
        return err_set(err, ERR_BAD_INPUT, "holds half a character (a lone surrogate)");
    if (buf_add(out, bytes, put) != 0)
        return err_set(err, ERR_LIMIT, "longer than %zu bytes", out->max);
    return 0;
}

static void cut_back(struct buf *out, size_t len)
{
    out->len = len;
    if (out->data)
        out->data[len] = '\0';
}

int json_decode_string(struct slice text, struct buf *out, struct err *err)
{
    struct slice inside = unquote(text);
    const char *at = inside.ptr, *end;
    size_t was = out->len;

    if (inside.ptr == NULL)
        return err_set(err, ERR_BAD_INPUT, "is no string");
    end = at + inside.len;
    while (at < end) {
        if (decode_part(&at, end, out, err) != 0) {
            cut_back(out, was);
            return -1;
        }
    }
    return 0;
}

static size_t digits_at(struct slice text, size_t from)
{
    size_t at = from;

    while (at < text.len && text.ptr[at] >= '0' && text.ptr[at] <= '9')
        at++;
    return at - from;
}

static bool byte_is(struct slice text, size_t at, char a, char b)
{
    return at < text.len && (text.ptr[at] == a || text.ptr[at] == b);
}

size_t json_number_bytes(struct slice text)
{
    size_t at = byte_is(text, 0, '-', '-'), digits = digits_at(text, at);

    if (digits == 0)
        return 0;
    at += text.ptr[at] == '0' ? 1 : digits;
    if (byte_is(text, at, '.', '.')) {
        digits = digits_at(text, at + 1);
        if (digits == 0)
            return 0;
        at += 1 + digits;
    }
    if (byte_is(text, at, 'e', 'E')) {
        at++;
        at += byte_is(text, at, '+', '-');
        digits = digits_at(text, at);
        if (digits == 0)
            return 0;
        at += digits;
    }
    return at;
}

/* A number's text taken apart: digits (with at most one dot among them) and the power of
 * ten their last one stands at. */
struct decimal {
    bool negative;
    struct slice digits;
    int64_t last; /* exponent of the last digit */
};

/* The exponent's value, held within bounds that no text of ours can make up for. */
static int64_t read_exponent(struct slice text)
{
    const int64_t bound = INT64_C(1) << 40;
    bool negative = byte_is(text, 0, '-', '-');
    int64_t value = 0;

    for (size_t i = byte_is(text, 0, '-', '+'); i < text.len; i++)
        value = value < bound ? value * 10 + (text.ptr[i] - '0') : bound;
    return negative ? -value : value;
}

static struct decimal take_apart(struct slice number)
{
    size_t from = byte_is(number, 0, '-', '-'), at = from;
    size_t whole = digits_at(number, at), fraction = 0;
    struct decimal decimal = {.negative = from > 0};

    at += whole;
    if (byte_is(number, at, '.', '.')) {
        fraction = digits_at(number, at + 1);
        at += 1 + fraction;
    }
    decimal.digits = slice_of(number.ptr + from, at - from);
    if (byte_is(number, at, 'e', 'E'))
        decimal.last = read_exponent(slice_of(number.ptr + at + 1, number.len - at - 1));
    decimal.last -= (int64_t)fraction;
    return decimal;
}

/* False where the magnitude would go beyond INT64_MAX; it stays as it was then. */
static bool add_digit(uint64_t *magnitude, unsigned digit)
{
    const uint64_t limit = (uint64_t)INT64_MAX;

    if (*magnitude > (limit - digit) / 10)
        return false;
    *magnitude = *magnitude * 10 + digit;
    return true;
}

/* The digits that stand at 10^0 and above; `*rest` where others below are not 0. */
static bool collect_digits(const struct decimal *decimal, uint64_t *magnitude, bool *rest)
{
    struct slice digits = decimal->digits;
    bool dot = memchr(digits.ptr, '.', digits.len) != NULL;
    int64_t place = decimal->last + (int64_t)digits.len - (dot ? 2 : 1);

    for (size_t i = 0; i < digits.len; i++) {
        if (digits.ptr[i] == '.')
            continue;
        if (place < 0)
            *rest = *rest || digits.ptr[i] != '0';
        else if (!add_digit(magnitude, (unsigned)(digits.ptr[i] - '0')))
            return false;
        place--;
    }
    for (; place >= 0 && *magnitude != 0; place--)
        if (!add_digit(magnitude, 0))
            return false;
    return true;
}

enum json_fit json_scale_number(struct slice number, unsigned decimals, int64_t *scaled)
{
    struct decimal decimal = take_apart(number);
    uint64_t magnitude = 0;
    bool rest = false, fits;

    decimal.last += decimals;
    fits = collect_digits(&decimal, &magnitude, &rest);
    if (fits && rest)
        fits = magnitude++ < (uint64_t)INT64_MAX;
    if (!fits)
        magnitude = (uint64_t)INT64_MAX;
    *scaled = decimal.negative ? -(int64_t)magnitude : (int64_t)magnitude;
    if (!fits)
        return JSON_TOO_LARGE;
    return rest ? JSON_ROUNDED : JSON_FITS;
}
