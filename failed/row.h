/* A row of Laravel's failed_jobs table as a record. What the table has no column for is
 * read out of the payload and the exception; pure.
 */
#ifndef FAILED_ROW_H
#define FAILED_ROW_H

#include "jobs/payload.h"
#include "queue/record.h"

/* As they stand in the table; the texts end with a NUL, ptr NULL: NULL. */
struct failed_columns {
    struct slice uuid, connection, queue, payload;
    struct slice exception; /* or its first line, if that is enough */
    int64_t failed_at_ms;
};

struct failed_row {
    struct fail_record record; /* borrows from the columns, and from what follows */
    char job[PAYLOAD_NAME_MAX + 1];
    char *reason;
    struct buf raw; /* the bytes of a payload that the column cannot hold as they are */
};

/* The job's name is the payload's, attempts one more than the payload counts, the reason
 * the first line of the exception; the payload is the original bytes. */
void failed_row_read(struct failed_row *row, const struct failed_columns *columns);
void failed_row_free(struct failed_row *row);

#endif
