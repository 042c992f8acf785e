/* FNV-1a: offset and prime are the algorithm's own. */
#include "base/hash.h"

void hash_init(struct hash *hash)
{
    *hash = (struct hash){.high = 0x6c62272e07bb0142, .low = 0x62b821756295c58d};
}

void hash_add(struct hash *hash, struct slice bytes)
{
    const unsigned __int128 prime = ((unsigned __int128)1 << 88) + 0x13b;
    unsigned __int128 value = (unsigned __int128)hash->high << 64 | hash->low;

    for (size_t i = 0; i < bytes.len; i++)
        value = (value ^ (unsigned char)bytes.ptr[i]) * prime;
    hash->high = (uint64_t)(value >> 64);
    hash->low = (uint64_t)value;
}
