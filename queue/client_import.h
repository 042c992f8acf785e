/* Rows of a database's table of jobs on their way to the queues of Redis, each once. What
 * the table is, and when a row leaves it, is the caller's; docs/import.md says what both
 * sides have to keep to.
 *
 * `source` names the table for ever: it becomes part of a key. Errors as in client.h.
 */
#ifndef QUEUE_CLIENT_IMPORT_H
#define QUEUE_CLIENT_IMPORT_H

#include "base/random.h"
#include "queue/client.h"

enum { IMPORT_ROWS_MAX = 500, IMPORT_MARK_BYTES = 64 };

/* A row's mark: "17 0f3c...", its id and a hash of what is in it. Made with the push, it
 * tells the same row from a new one, also where the same id comes again. */
struct import_mark {
    int64_t id;
    char text[IMPORT_MARK_BYTES];
};

enum import_fate {
    IMPORT_ADDED,
    IMPORT_BEFORE, /* was added by an earlier call, and is not again */
    IMPORT_REFUSED /* its queue's keys are of a wrong type, or not ours to write */
};

struct import_row {
    const struct import_mark *mark; /* borrowed, as all of this is */
    const char *queue;
    int64_t due_at; /* unix second */
    struct slice payload;
    enum import_fate fate; /* comes back, as does */
    char why[160];         /* it was refused */
};

/* Draws a token: from now on a push under any other one of this source is refused. */
struct import_token {
    char text[UUID_TEXT_BYTES];
};
int client_import_begin(struct client *client, const char *source,
                        struct import_token *token, struct err *err) MUSTCHECK;

/* Takes the last token away: from now on every push is refused. Needs no memory. */
int client_import_void(struct client *client, const char *source,
                       struct err *err) MUSTCHECK;

/* Adds `ct` <= IMPORT_ROWS_MAX rows, those that are due to ready, in this order, others
 * to delayed. -1 with ERR_REPLY: none was added; ERR_CONN: nobody knows. */
int client_import_push(struct client *client, const char *source,
                       const struct import_token *token, struct import_row *rows,
                       size_t ct, struct err *err) MUSTCHECK;

/* Forgets marks, of rows that are in no table any more. */
int client_import_forget(struct client *client, const char *source,
                         const struct import_mark *const *marks, size_t ct,
                         struct err *err) MUSTCHECK;

/* The marks that there are behind those of `after_id`, by id, at most
 * IMPORT_ROWS_MAX. */
int client_import_marks(struct client *client, const char *source, int64_t after_id,
                        struct import_mark marks[IMPORT_ROWS_MAX], size_t *ct,
                        struct err *err) MUSTCHECK;

#endif
