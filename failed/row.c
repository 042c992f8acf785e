/* Reading rows, drover's own and Laravel's alike. Neither is trusted: any text may stand
 * in any column. */
#include "failed/row.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "failed/raw.h"

enum { REASON_MAX_BYTES = 1000 };

static const char *text_of(struct slice value)
{
    return value.ptr ? value.ptr : "";
}

static char *first_line(struct slice text)
{
    const char *end = text.len ? memchr(text.ptr, '\n', text.len) : NULL;
    size_t len = end ? (size_t)(end - text.ptr) : text.len;

    if (len > REASON_MAX_BYTES)
        len = REASON_MAX_BYTES;
    return must_strndup(text_of(text), len);
}

/* What cannot be run has never been, and has no name. */
static void read_payload(struct failed_row *row, struct slice payload)
{
    struct payload scanned;

    row->record.payload = payload;
    row->record.job = row->job;
    if (payload.ptr && failed_raw_decode(payload, &row->raw))
        row->record.payload = buf_slice(&row->raw);
    if (row->record.payload.ptr == NULL ||
        payload_scan(&scanned, row->record.payload, NULL) != 0)
        return;
    row->record.attempts = scanned.attempts + 1;
    if (payload_name(&scanned, row->job, sizeof(row->job), NULL) != 0)
        row->job[0] = '\0';
}

void failed_row_read(struct failed_row *row, const struct failed_columns *columns)
{
    memset(row, 0, sizeof(*row));
    buf_init(&row->raw, 0);
    (void)snprintf(row->record.uuid, sizeof(row->record.uuid), "%s",
                   text_of(columns->uuid));
    row->record.connection = text_of(columns->connection);
    row->record.queue = text_of(columns->queue);
    row->record.failed_at_ms = columns->failed_at_ms;
    row->record.exception = columns->exception;
    row->reason = first_line(columns->exception);
    row->record.reason = row->reason;
    read_payload(row, columns->payload);
}

void failed_row_free(struct failed_row *row)
{
    free(row->reason);
    buf_free(&row->raw);
}
