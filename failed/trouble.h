/* Why failed records do not reach PostgreSQL, and saying so: once per outage and kind. */
#ifndef FAILED_TROUBLE_H
#define FAILED_TROUBLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum trouble_kind {
    TROUBLE_REFUSED, /* the server refuses all records */
    TROUBLE_UNKNOWN  /* it may have taken them: the answer was lost */
};

enum { TROUBLE_SQLSTATES_MAX = 8 };

struct trouble { /* zero: none */
    int64_t began_at_ms;
    bool told_unknown;
    char told[TROUBLE_SQLSTATES_MAX][6]; /* refusals told in this outage */
    unsigned told_ct;
};

struct trouble_report {
    const char *sqlstate, *reason;
    int64_t records; /* that were to be moved */
};

/* Whether this SQLSTATE says something about the one record alone. Pure. */
bool trouble_is_of_record(const char *sqlstate);

/* What to do about it; NULL where that is not known. Pure. */
const char *trouble_advice(const char *sqlstate);

void trouble_begin(struct trouble *trouble, enum trouble_kind kind,
                   const struct trouble_report *report);
void trouble_end(struct trouble *trouble);

/* Records whose payload is above max_payload. They are met again and again, and each is
 * told once: of very many, the last ones. */
enum { TROUBLE_TOO_LONG_MAX = 32 };
struct trouble_too_long { /* zero: none */
    char told[TROUBLE_TOO_LONG_MAX][64];
    size_t told_ct; /* ever */
};
void trouble_too_long(struct trouble_too_long *too_long, const char *uuid,
                      int64_t payload_bytes);

#endif
