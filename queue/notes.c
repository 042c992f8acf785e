/* How earlier attempts of a job ended, a line each, kept beside its queue until the job
 * is done or fails. A convenience for whoever reads the failed record: notes may be lost
 * (they expire, and a job that PHP took over leaves its notes to that), jobs may not.
 */
#include "queue/internal.h"

#include <stdlib.h>

#include "jobs/payload.h"

char *notes_key(const struct queue *queue, const struct lease *lease)
{
    char uuid[64];
    struct payload payload;

    if (payload_scan(&payload, lease->bytes, NULL) != 0 ||
        !payload_uuid(&payload, uuid, sizeof(uuid)))
        return NULL;
    return must_format("%s%s", queue->own.notes, uuid);
}

static void dropped(void *arg, const redisReply *reply)
{
    (void)arg;
    (void)reply; /* what could not be dropped expires */
}

void notes_drop(struct queue *queue, const struct lease *lease)
{
    char *key = notes_key(queue, lease);
    struct slice argv[] = {slice_text("UNLINK"), slice_text(key)};

    if (key && conn_is_up(queue->main))
        conn_command(queue->main, argv, ARRAY_CT(argv), queue->pace.answer_ms, dropped,
                     NULL);
    free(key);
}
