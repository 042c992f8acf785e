/* A failed record between the wire and struct fail_record. Private to client*.c. */
#ifndef QUEUE_CLIENT_RECORD_H
#define QUEUE_CLIENT_RECORD_H

#include "queue/client.h"
#include "queue/client_io.h"

/* Appends the HMGET of a record to the pipeline; its answer is for the two below. */
int client_record_ask(struct client *client, const char *uuid, enum failed_fields which,
                      struct err *err) MUSTCHECK;
bool client_record_is_gone(const redisReply *reply);

/* Fills `record`, which borrows from `reply`; missing fields become empty or absent. */
void client_record_fill(struct fail_record *record, const char *uuid,
                        const redisReply *reply);

/* Runs a script of the shape KEYS index, record..; ARGV uuid..; reply a number. */
int client_record_script(struct client *client, const char *script,
                         const char *const *uuids, size_t ct, int64_t *number,
                         struct err *err) MUSTCHECK;

#endif
