/* Crash keys and counts. */
#include "queue/crash.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "jobs/payload.h"

enum { CRASHES_MAX = 1000000 };

static void hash_hex(struct slice bytes, char *text, size_t size)
{
    struct hash hash;

    hash_init(&hash);
    hash_add(&hash, bytes);
    (void)snprintf(text, size, "h:%016" PRIx64 "%016" PRIx64, hash.high, hash.low);
}

void crash_key(struct slice bytes, char key[CRASH_KEY_BYTES])
{
    struct slice raw = payload_without_pad(bytes);
    struct payload payload;

    if (payload_scan(&payload, raw, NULL) != 0 ||
        !payload_uuid(&payload, key, CRASH_KEY_BYTES))
        hash_hex(raw, key, CRASH_KEY_BYTES);
}

unsigned crash_parse(struct slice text, struct slice *note)
{
    unsigned count = 0;
    size_t i = 0;

    *note = slice_of(NULL, 0);
    while (i < text.len && text.ptr[i] >= '0' && text.ptr[i] <= '9') {
        if (count < CRASHES_MAX)
            count = count * 10 + (unsigned)(text.ptr[i] - '0');
        i++;
    }
    if (count && i + 1 < text.len && text.ptr[i] == ' ')
        *note = slice_of(text.ptr + i + 1, text.len - i - 1);
    return count;
}

bool crash_take_alone(struct slice *note)
{
    static const char mark[] = "alone; ";
    size_t len = sizeof(mark) - 1;

    if (note->len < len || memcmp(note->ptr, mark, len) != 0)
        return false;
    note->ptr += len;
    note->len -= len;
    return true;
}
