/* Random numbers from getrandom(2): no seed, no state, so a fork repeats nothing. */
#include "base/random.h"

#include <errno.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/types.h>

#include "base/must.h"

void random_bytes(void *bytes, size_t len)
{
    unsigned char *at = bytes;

    while (len > 0) {
        ssize_t n = getrandom(at, len, 0);

        if (n < 0 && errno == EINTR)
            continue;
        MUST(n > 0);
        at += n;
        len -= (size_t)n;
    }
}

uint32_t random_below(uint32_t limit)
{
    uint32_t number, uneven;

    MUST(limit > 0);
    uneven = -limit % limit; /* 2^32 mod limit: so many results would come once more */
    do
        random_bytes(&number, sizeof(number));
    while (number < uneven);
    return number % limit;
}

void random_uuid(char text[UUID_TEXT_BYTES])
{
    unsigned char b[16];

    random_bytes(b, sizeof(b));
    b[6] = (unsigned char)(0x40 | (b[6] & 0x0f)); /* version */
    b[8] = (unsigned char)(0x80 | (b[8] & 0x3f)); /* variant */
    (void)snprintf(text, UUID_TEXT_BYTES,
                   "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
                   b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10],
                   b[11], b[12], b[13], b[14], b[15]);
}

void random_id(char text[RANDOM_ID_CHARS + 1])
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                  "0123456789";
    enum { LETTER_CT = sizeof(letters) - 1, EVEN_BELOW = 256 / LETTER_CT * LETTER_CT };
    unsigned char bytes[RANDOM_ID_CHARS];
    size_t len = 0;

    while (len < RANDOM_ID_CHARS) {
        random_bytes(bytes, sizeof(bytes));
        for (size_t i = 0; i < sizeof(bytes) && len < RANDOM_ID_CHARS; i++)
            if (bytes[i] < EVEN_BELOW)
                text[len++] = letters[bytes[i] % LETTER_CT];
    }
    text[len] = '\0';
}

int64_t random_jitter(int64_t value, unsigned percent)
{
    uint64_t span, number;

    MUST(value >= 0 && value <= INT64_MAX / 2 && percent <= 100);
    span = (uint64_t)value / 100 * percent + (uint64_t)value % 100 * percent / 100;
    random_bytes(&number, sizeof(number));
    return value - (int64_t)span + (int64_t)(number % (2 * span + 1));
}
