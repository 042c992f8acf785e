/* FNV-1a of 128 bits: the same on every machine and in every version, so it may be
 * stored. Not for a table whose keys a stranger chooses. Pure.
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include "base/buf.h"

struct hash {
    uint64_t high, low;
};

void hash_init(struct hash *hash);
void hash_add(struct hash *hash, struct slice bytes); /* in pieces as in one */

#endif
