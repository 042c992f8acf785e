/* Reading INFO, and what is worth a line. Pure: knows neither connections nor the log. */
#include "queue/vitals.h"

#include <stdlib.h>
#include <string.h>

static const char safe_policy[] = "noeviction";

void vitals_init(struct vitals *vitals)
{
    *vitals = (struct vitals){
        .aof = VITAL_UNKNOWN, .used_memory_bytes = -1, .maxmemory_bytes = -1};
}

static int64_t read_bytes(struct slice value)
{
    char digits[24];

    if (value.len == 0 || value.len >= sizeof(digits) || value.ptr[0] < '0' ||
        value.ptr[0] > '9')
        return -1;
    memcpy(digits, value.ptr, value.len);
    digits[value.len] = '\0';
    return strtoll(digits, NULL, 10);
}

/* A name that is too long is none that Redis has. */
static void read_policy(struct vitals *vitals, struct slice value)
{
    if (value.len == 0 || value.len >= sizeof(vitals->policy))
        return;
    memcpy(vitals->policy, value.ptr, value.len);
    vitals->policy[value.len] = '\0';
}

static void read_field(struct vitals *vitals, struct slice name, struct slice value)
{
    if (slice_is(name, "maxmemory_policy"))
        read_policy(vitals, value);
    else if (slice_is(name, "aof_enabled"))
        vitals->aof = slice_is(value, "1") ? VITAL_YES : VITAL_NO;
    else if (slice_is(name, "used_memory"))
        vitals->used_memory_bytes = read_bytes(value);
    else if (slice_is(name, "maxmemory"))
        vitals->maxmemory_bytes = read_bytes(value);
}

void vitals_read_info(struct vitals *vitals, struct slice info)
{
    const char *at = info.ptr, *end = info.len ? info.ptr + info.len : at;

    while (at < end) {
        const char *next = memchr(at, '\n', (size_t)(end - at));
        const char *stop = next ? next : end;
        const char *colon = memchr(at, ':', (size_t)(stop - at));
        const char *last = stop > at && stop[-1] == '\r' ? stop - 1 : stop;

        if (colon && colon < last)
            read_field(vitals, slice_of(at, (size_t)(colon - at)),
                       slice_of(colon + 1, (size_t)(last - colon - 1)));
        at = next ? next + 1 : end;
    }
}

void vitals_read_config(struct vitals *vitals, struct slice name, struct slice value)
{
    if (slice_is(name, "maxmemory-policy"))
        read_policy(vitals, value);
    else if (slice_is(name, "appendonly"))
        vitals->aof = slice_is(value, "yes") ? VITAL_YES : VITAL_NO;
}

enum vital vitals_evicts(const struct vitals *vitals)
{
    if (vitals->policy[0] == '\0')
        return VITAL_UNKNOWN;
    return strcmp(vitals->policy, safe_policy) == 0 ? VITAL_NO : VITAL_YES;
}

unsigned vitals_lines(const struct vitals *before, const struct vitals *now)
{
    unsigned lines = 0;

    if (vitals_evicts(now) == VITAL_YES && strcmp(before->policy, now->policy) != 0)
        lines |= VITALS_EVICTS;
    if (vitals_evicts(now) == VITAL_NO && vitals_evicts(before) == VITAL_YES)
        lines |= VITALS_EVICTS_NOT;
    if (now->aof == VITAL_NO && before->aof != VITAL_NO)
        lines |= VITALS_AOF_OFF;
    if (now->aof == VITAL_YES && before->aof == VITAL_NO)
        lines |= VITALS_AOF_ON_AGAIN;
    return lines;
}
