/* A failed job as the failed stores keep it (Laravel's failed_jobs columns and what
 * drover adds). Plain data. */
#ifndef QUEUE_RECORD_H
#define QUEUE_RECORD_H

#include <stdint.h>

#include "base/buf.h"
#include "base/random.h"

struct fail_record {
    char uuid[64];
    const char *connection; /* "redis" */
    const char *queue;      /* logical name */
    const char *job;        /* name, "" where the payload has none */
    int64_t attempts;       /* runs it had */
    const char *reason;     /* one line */
    struct slice exception; /* reason line, a line per known attempt, output tails */
    size_t history_at;      /* where in `exception` the lines of earlier attempts belong:
                               queue_fail() puts them there. 0 in a stored record */
    int64_t failed_at_ms;   /* wall clock */
    struct slice payload;   /* the original bytes, without pad */
    bool waiting;           /* of a stored record: in Redis, for PostgreSQL */
    const char *was_uuid;   /* of a stored record: the job's own uuid, where another
                               record had it already; NULL: none */
};

#endif
