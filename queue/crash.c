/* Crash keys and counts. */
#include "queue/crash.h"

#include <stdio.h>
#include <string.h>

#include "jobs/payload.h"

enum { CRASHES_MAX = 1000000 };

/* FNV-1a, 128 bits: prime 2^88 + 0x13b. */
static void hash_hex(struct slice bytes, char *text, size_t size)
{
    unsigned __int128 prime = ((unsigned __int128)1 << 88) + 0x13b;
    unsigned __int128 hash =
        ((unsigned __int128)0x6c62272e07bb0142u << 64) + 0x62b821756295c58du;

    for (size_t i = 0; i < bytes.len; i++)
        hash = (hash ^ (unsigned char)bytes.ptr[i]) * prime;
    (void)snprintf(text, size, "h:%016llx%016llx", (unsigned long long)(hash >> 64),
                   (unsigned long long)hash);
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
