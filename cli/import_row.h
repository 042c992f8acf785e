/* One row of Laravel's table of jobs, as what Redis gets of it. Pure, but for random ids.
 */
#ifndef CLI_IMPORT_ROW_H
#define CLI_IMPORT_ROW_H

#include "queue/client_import.h"

/* Texts as PostgreSQL gives them, without NUL; borrowed. */
struct source_row {
    int64_t id;
    const char *queue, *attempts, *available_at, *created_at;
    struct slice payload;
};

/* The mark tells a row by all that stays while it waits: two rows that differ in any of
 * these have different marks, and a row has the same one however often it is read. */
void import_row_mark(const struct source_row *row, struct import_mark *mark);

/* Appends the payload as it goes to Redis: attempts are the row's, uuid and id are added
 * where they are missing, all other bytes are as they were. ERR_BAD_INPUT: the row is no
 * job that anybody could run from there, and why. */
int import_row_payload(const struct source_row *row, struct buf *out,
                       struct err *err) MUSTCHECK;

#endif
