/* The two clocks. */
#include "base/clock.h"

#include <stdio.h>
#include <time.h>

#include "base/must.h"

static const int64_t last_wall_ms = 253402300799999; /* the end of the year 9999 */

static int64_t read_us(clockid_t id)
{
    struct timespec now;

    MUST(clock_gettime(id, &now) == 0);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t clock_mono_us(void)
{
    return read_us(CLOCK_MONOTONIC);
}

int64_t clock_mono_ms(void)
{
    return clock_mono_us() / 1000;
}

int64_t clock_wall_us(void)
{
    return read_us(CLOCK_REALTIME);
}

int64_t clock_wall_ms(void)
{
    return clock_wall_us() / 1000;
}

void clock_format(int64_t wall_ms, char *text, size_t size)
{
    time_t seconds;
    struct tm tm;
    size_t len;

    MUST(size >= CLOCK_TEXT_BYTES);
    if (wall_ms < 0 || wall_ms > last_wall_ms)
        wall_ms = 0; /* a record from outside: show something that is plainly wrong */
    seconds = (time_t)(wall_ms / 1000);
    MUST(gmtime_r(&seconds, &tm) != NULL);
    len = strftime(text, size, "%Y-%m-%dT%H:%M:%S", &tm);
    (void)snprintf(text + len, size - len, ".%03dZ", (int)(wall_ms % 1000));
}
