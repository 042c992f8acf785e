/* What a text column of PostgreSQL cannot hold, NUL and bytes that are not UTF-8, made
 * into what it can. Pure. */
#ifndef FAILED_RAW_H
#define FAILED_RAW_H

#include "base/buf.h"

/* Whether a text column takes it as it is. */
bool failed_raw_is_text(struct slice bytes);

/* Appends `payload` in an envelope that is a payload itself, so that whoever retries it
 * (Laravel's queue:retry too) loses nothing:
 * {"uuid":U,"displayName":"drover.raw","job":"drover.raw","data":{"base64":"..."},"attempts":0}
 */
void failed_raw_encode(struct buf *out, const char *uuid, struct slice payload);

/* Where `payload` is such an envelope, also one whose text was written anew by others,
 * appends the bytes in it and returns true. */
bool failed_raw_decode(struct slice payload, struct buf *out);

/* Appends `text` with NUL and each byte that is not part of a UTF-8 character as \xNN;
 * all else stays. */
void failed_raw_clean(struct buf *out, struct slice text);

#endif
