/* Random numbers, from the kernel: ids need it, jitter does not mind it. */
#ifndef BASE_RANDOM_H
#define BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

enum { UUID_TEXT_BYTES = 37, RANDOM_ID_CHARS = 32 };

void random_bytes(void *bytes, size_t len);
uint32_t random_below(uint32_t limit);          /* 0 <= result < limit, limit > 0 */
void random_uuid(char text[UUID_TEXT_BYTES]);   /* version 4, RFC 9562 */
void random_id(char text[RANDOM_ID_CHARS + 1]); /* [A-Za-z0-9], as Laravel's id */
int64_t random_jitter(int64_t value, unsigned percent); /* value +- percent % */

#endif
