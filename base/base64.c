/* Base64: three bytes are four digits. */
#include "base/base64.h"

#include <stdint.h>
#include <string.h>

static const char digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_write(struct buf *out, struct slice bytes)
{
    for (size_t i = 0; i < bytes.len; i += 3) {
        size_t ct = bytes.len - i < 3 ? bytes.len - i : 3;
        uint32_t bits = 0;
        char text[4] = {'=', '=', '=', '='};

        for (size_t j = 0; j < 3; j++)
            bits = bits << 8 | (j < ct ? (unsigned char)bytes.ptr[i + j] : 0U);
        for (size_t j = 0; j <= ct; j++)
            text[j] = digits[bits >> (18 - 6 * j) & 63];
        (void)buf_add(out, text, sizeof(text));
    }
}

static bool read_digit(char c, uint32_t *bits)
{
    const char *at = c ? strchr(digits, c) : NULL;

    if (at)
        *bits = *bits << 6 | (uint32_t)(at - digits);
    return at != NULL;
}

bool base64_read(struct buf *out, struct slice text)
{
    if (text.len % 4 != 0)
        return false;
    for (size_t i = 0; i < text.len; i += 4) {
        bool last = i + 4 == text.len;
        size_t ct = last && text.ptr[i + 3] == '=' ? (text.ptr[i + 2] == '=' ? 2 : 3) : 4;
        uint32_t bits = 0;

        for (size_t j = 0; j < ct; j++)
            if (!read_digit(text.ptr[i + j], &bits))
                return false;
        bits <<= 6 * (4 - ct);
        for (size_t j = 0; j + 1 < ct; j++)
            (void)buf_add_char(out, (char)(bits >> (16 - 8 * j) & 255));
    }
    return true;
}
