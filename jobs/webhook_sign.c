/* Signing webhooks. Must not know where secrets or bodies come from; what it has read of
 * a secret lies in the caller's struct and nowhere else.
 */
#include "jobs/webhook_sign.h"

#include <inttypes.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>

#define SECRET_PREFIX "whsec_"

enum {
    BASE64_BYTES_MAX = (WEBHOOK_KEY_BYTES_MAX + 2) / 3 * 4,
    MAC_BYTES = 32,
    MAC_TEXT_BYTES = (MAC_BYTES + 2) / 3 * 4 + 1
};

static struct slice trim(struct slice line)
{
    while (line.len > 0 && strchr(" \t\r", line.ptr[0]) != NULL)
        line = slice_of(line.ptr + 1, line.len - 1);
    while (line.len > 0 && strchr(" \t\r", line.ptr[line.len - 1]) != NULL)
        line.len--;
    return line;
}

static struct slice next_line(struct slice *rest)
{
    const char *end = memchr(rest->ptr, '\n', rest->len);
    size_t len = end ? (size_t)(end - rest->ptr) : rest->len;
    struct slice line = slice_of(rest->ptr, len);

    len += end != NULL;
    *rest = slice_of(rest->ptr + len, rest->len - len);
    return trim(line);
}

/* The number of '=' at the end, which stand for bytes that are not there. */
static size_t padding_of(struct slice text)
{
    size_t ct = 0;

    while (ct < 2 && ct < text.len && text.ptr[text.len - 1 - ct] == '=')
        ct++;
    return ct;
}

static int decode_key(struct slice text, struct webhook_key *key, struct err *err)
{
    unsigned char bytes[BASE64_BYTES_MAX / 4 * 3];
    int len = -1;

    if (text.len > 0 && text.len <= BASE64_BYTES_MAX)
        len = EVP_DecodeBlock(bytes, (const unsigned char *)text.ptr, (int)text.len);
    if (len >= 0)
        len -= (int)padding_of(text);
    if (len >= WEBHOOK_KEY_BYTES_MIN && len <= WEBHOOK_KEY_BYTES_MAX) {
        memcpy(key->bytes, bytes, (size_t)len);
        key->len = (size_t)len;
    }
    OPENSSL_cleanse(bytes, sizeof(bytes));
    if (key->len > 0)
        return 0;
    return err_set(err, ERR_CONFIG,
                   "no secret: %d to %d random bytes as base64 are wanted, as in "
                   "\"whsec_$(head -c 32 /dev/urandom | base64)\"",
                   WEBHOOK_KEY_BYTES_MIN, WEBHOOK_KEY_BYTES_MAX);
}

/* To find the method and to take in a key costs nearly as much as a signature. */
static EVP_MAC_CTX *take_in(const struct webhook_key *key)
{
    char digest[] = "SHA256";
    OSSL_PARAM params[] = {OSSL_PARAM_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                           OSSL_PARAM_END};
    EVP_MAC *method = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *context = method ? EVP_MAC_CTX_new(method) : NULL;

    if (context != NULL && EVP_MAC_init(context, key->bytes, key->len, params) != 1) {
        EVP_MAC_CTX_free(context);
        context = NULL;
    }
    EVP_MAC_free(method); /* the context has its own hold of it */
    return context;
}

static int cannot_compute(struct err *err)
{
    return err_set(err, ERR_SYSTEM, "cannot compute HMAC-SHA256");
}

static int add_key(struct slice line, struct webhook_keys *keys, struct err *err)
{
    struct webhook_key *key;
    size_t skip = sizeof(SECRET_PREFIX) - 1;

    if (keys->ct == WEBHOOK_SECRETS_MAX)
        return err_set(err, ERR_CONFIG, "more than %d secrets", WEBHOOK_SECRETS_MAX);
    if (line.len > skip && memcmp(line.ptr, SECRET_PREFIX, skip) == 0)
        line = slice_of(line.ptr + skip, line.len - skip);
    key = &keys->keys[keys->ct];
    if (decode_key(line, key, err) != 0)
        return -1;
    keys->ct++;
    key->keyed = take_in(key);
    return key->keyed ? 0 : cannot_compute(err);
}

int webhook_keys_parse(struct slice text, struct webhook_keys *keys, struct err *err)
{
    memset(keys, 0, sizeof(*keys));
    for (unsigned number = 1; text.len > 0; number++) {
        struct slice line = next_line(&text);

        if (line.len > 0 && add_key(line, keys, err) != 0) {
            webhook_keys_wipe(keys);
            return err_prefix(err, "line %u", number);
        }
    }
    if (keys->ct == 0)
        return err_set(err, ERR_CONFIG, "holds no secret");
    return 0;
}

void webhook_keys_wipe(struct webhook_keys *keys)
{
    for (size_t i = 0; i < keys->ct; i++)
        EVP_MAC_CTX_free(keys->keys[i].keyed);
    OPENSSL_cleanse(keys, sizeof(*keys));
}

static bool compute_mac(const struct webhook_key *key, struct slice head,
                        struct slice body, unsigned char *mac)
{
    EVP_MAC_CTX *context = EVP_MAC_CTX_dup(key->keyed);
    size_t len;
    bool done = context != NULL &&
                EVP_MAC_update(context, (const unsigned char *)head.ptr, head.len) == 1 &&
                EVP_MAC_update(context, (const unsigned char *)body.ptr, body.len) == 1 &&
                EVP_MAC_final(context, mac, &len, MAC_BYTES) == 1 && len == MAC_BYTES;

    EVP_MAC_CTX_free(context);
    return done;
}

static int add_signatures(const struct webhook_keys *keys, struct slice head,
                          struct slice body, struct buf *out)
{
    unsigned char mac[MAC_BYTES];
    char text[MAC_TEXT_BYTES];

    for (size_t i = 0; i < keys->ct; i++) {
        if (!compute_mac(&keys->keys[i], head, body, mac))
            return -1;
        (void)EVP_EncodeBlock((unsigned char *)text, mac, MAC_BYTES);
        if (buf_add_text(out, i ? " v1," : "v1,") != 0 || buf_add_text(out, text) != 0)
            return -1;
    }
    return 0;
}

int webhook_sign(const struct webhook_keys *keys, const char *id, int64_t timestamp_s,
                 struct slice body, struct buf *out, struct err *err)
{
    struct buf head;
    int rc;

    buf_init(&head, 0);
    (void)buf_addf(&head, "%s.%" PRId64 ".", id, timestamp_s);
    rc = add_signatures(keys, buf_slice(&head), body, out);
    buf_free(&head);
    return rc == 0 ? 0 : cannot_compute(err);
}
