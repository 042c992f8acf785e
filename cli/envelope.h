/* Making a payload: Laravel's envelope around the DATA of `drover push`. Pure. */
#ifndef CLI_ENVELOPE_H
#define CLI_ENVELOPE_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

struct envelope {
    const char *job;
    int64_t tries;       /* below 0: null */
    const char *backoff; /* "1,5,10"; NULL: null */
    int64_t timeout_ms;  /* below 0: null */
};

/* Reads "1,5,0.5" into the canonical text for envelope.backoff (appended). */
int envelope_read_backoff(const char *text, struct buf *out, struct err *err) MUSTCHECK;

/* 0 if `job` can be a job's name: 1..255 bytes of UTF-8. */
int envelope_check_job(const char *job, struct err *err) MUSTCHECK;

/* 0 if `data` is one JSON value in UTF-8; else `err` says what is wrong where. */
int envelope_check_data(struct slice data, struct err *err) MUSTCHECK;

/* Appends the payload: fields in Laravel's order, `data` as it is but for white space
 * around it, attempts 0. `uuid` and `id` are the caller's, `now_us` is the wall clock. */
void envelope_write(const struct envelope *envelope, struct slice data, const char *uuid,
                    const char *id, int64_t now_us, struct buf *out);

#endif
