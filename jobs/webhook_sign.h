/* Signatures of Standard Webhooks 1.0 (github.com/standard-webhooks/standard-webhooks,
 * spec/standard-webhooks.md): "v1," and the base64 of HMAC-SHA256 over
 * "ID.TIMESTAMP.BODY".
 */
#ifndef JOBS_WEBHOOK_SIGN_H
#define JOBS_WEBHOOK_SIGN_H

#include <openssl/types.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

enum {
    WEBHOOK_KEY_BYTES_MIN = 24, /* what the specification asks for */
    WEBHOOK_KEY_BYTES_MAX = 64,
    WEBHOOK_SECRETS_MAX = 2 /* the new one and, while receivers change over, the old */
};

struct webhook_key {
    unsigned char bytes[WEBHOOK_KEY_BYTES_MAX];
    size_t len;
    EVP_MAC_CTX *keyed; /* what each signature begins with */
};

struct webhook_keys {
    struct webhook_key keys[WEBHOOK_SECRETS_MAX];
    size_t ct;
};

/* Reads a secret file's text: one or two secrets, a line each, as base64, with "whsec_"
 * before it or without; empty lines and white space around a secret do not count. The
 * error names the line and never shows the secret; then `keys` holds none. */
int webhook_keys_parse(struct slice text, struct webhook_keys *keys,
                       struct err *err) MUSTCHECK;
void webhook_keys_wipe(struct webhook_keys *keys); /* frees them too; twice is fine */

/* Appends the value of `webhook-signature`: one signature a key, with spaces between.
 * `id` holds no dot where it is a receiver's business; it is signed as it is. */
int webhook_sign(const struct webhook_keys *keys, const char *id, int64_t timestamp_s,
                 struct slice body, struct buf *out, struct err *err) MUSTCHECK;

#endif
