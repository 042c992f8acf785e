/* What is remembered of crashes: the key under which a job's deaths are counted, and
 * "count note" as it stands in the hash drover:crashes. Pure.
 */
#ifndef QUEUE_CRASH_H
#define QUEUE_CRASH_H

#include <stdbool.h>

#include "base/buf.h"

enum { CRASH_KEY_BYTES = 64 };

/* The payload's uuid where it has one, else "h:" and the 128-bit FNV-1a hash of the bytes
 * (without a pad) in hexadecimal. */
void crash_key(struct slice payload, char key[CRASH_KEY_BYTES]);

/* Reads "3 killed by SIGSEGV". Anything else is no crash: 0 and no note. `note` borrows
 * from `text` and is absent where there is none. */
unsigned crash_parse(struct slice text, struct slice *note);

/* Whether the note says that the job has been started alone; takes that off the note. */
bool crash_take_alone(struct slice *note);

#endif
