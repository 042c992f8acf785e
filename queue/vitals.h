/* What Redis says about itself that decides whether jobs are safe in it: may it evict
 * keys (a whole queue is one key), does a restart keep them. Pure.
 */
#ifndef QUEUE_VITALS_H
#define QUEUE_VITALS_H

#include <stdint.h>

#include "base/buf.h"

enum { VITALS_POLICY_BYTES = 32 };
enum vital { VITAL_UNKNOWN = -1, VITAL_NO, VITAL_YES };

struct vitals {
    char policy[VITALS_POLICY_BYTES]; /* maxmemory-policy; "": not known */
    enum vital aof;                   /* appendonly */
    int64_t used_memory_bytes;        /* -1: not known */
    int64_t maxmemory_bytes;          /* 0: no limit; -1: not known */
};

void vitals_init(struct vitals *vitals); /* nothing known */

/* Takes what it finds in an answer to INFO; what is not there stays as it was. */
void vitals_read_info(struct vitals *vitals, struct slice info);

/* The same from an answer to CONFIG GET: one name, one value. */
void vitals_read_config(struct vitals *vitals, struct slice name, struct slice value);

enum vital vitals_evicts(const struct vitals *vitals);

/* What there is to say of `now` to who was told of `before`: a set of these. */
enum vitals_line {
    VITALS_EVICTS = 1,       /* anything but noeviction, and news */
    VITALS_EVICTS_NOT = 2,   /* mended */
    VITALS_AOF_OFF = 4,      /* off, and news */
    VITALS_AOF_ON_AGAIN = 8, /* mended */
};
unsigned vitals_lines(const struct vitals *before, const struct vitals *now);

#endif
