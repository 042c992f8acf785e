/* The two clocks. Delays, timeouts and heartbeats use the monotonic one; the wall
 * clock is for stored records and log lines only (leases use Redis TIME). */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

int64_t clock_mono_us(void); /* microseconds since some start */
int64_t clock_mono_ms(void); /* milliseconds since some start */
int64_t clock_wall_us(void); /* microseconds since 1970-01-01 UTC */
int64_t clock_wall_ms(void); /* milliseconds since then */

/* Writes `wall_ms` as 2026-11-21T11:44:09.123Z; `size` >= CLOCK_TEXT_BYTES. */
enum { CLOCK_TEXT_BYTES = 32 };
void clock_format(int64_t wall_ms, char *text, size_t size);

#endif
