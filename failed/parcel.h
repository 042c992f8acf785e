/* A failed record made ready for PostgreSQL: the values of its row in Laravel's
 * failed_jobs table. Pure. */
#ifndef FAILED_PARCEL_H
#define FAILED_PARCEL_H

#include "pg/result.h"
#include "queue/record.h"

enum {
    PARCEL_INSERT_CT = 6,
    PARCEL_SPARE_CT = 7,
    PARCEL_FIND_CT = 3,
    PARCEL_MAX_BYTES = 256 * 1024 * 1024
};

struct parcel {
    char uuid[64];
    int64_t failed_at_ms;
    /* The uuid it gets where another record has its own. Worked out from uuid and
     * payload, so that a second try finds what the first has done. */
    char spare_uuid[UUID_TEXT_BYTES];
    struct buf connection, queue, payload, exception;
    struct buf spare_exception; /* tells the uuid of before */
    char failed_at[20];         /* UTC, whole seconds */
    struct pg_param insert[PARCEL_INSERT_CT], spare[PARCEL_SPARE_CT],
        find[PARCEL_FIND_CT];
};

/* Copies. False where the record is larger than PARCEL_MAX_BYTES, which no row can hold:
 * nothing is allocated then. The parcel must not be moved afterwards. */
bool parcel_fill(struct parcel *parcel, const struct fail_record *record) MUSTCHECK;
void parcel_free(struct parcel *parcel);

/* The statements; `table` is quoted; free() the texts. */

/* For `insert`: one row, or none where the uuid is there already. */
char *parcel_insert_sql(const char *table) MUSTCHECK;

/* For `spare`, where it was: one row under the spare uuid where the one that is there
 * holds another payload; else, and where that has been done before, none. */
char *parcel_spare_sql(const char *table) MUSTCHECK;

/* For `find`: a row where the record is there, under either uuid. */
char *parcel_find_sql(const char *table) MUSTCHECK;

#endif
