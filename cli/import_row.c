/* From a row of Laravel's database queue to a payload of its Redis queue.
 *
 * The database driver keeps the attempts in a column and has no id in the payload;
 * RedisQueue::createPayloadArray has both in it, and a PHP worker destroys a payload
 * without them. Both count reservations, so the number is carried over as it is.
 */
#include "cli/import_row.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "base/random.h"
#include "base/text.h"
#include "config/config.h"
#include "jobs/payload.h"

enum { HASH_BYTES = 16 }; /* of SHA-256's 32: enough to be unique */

static void add_text(EVP_MD_CTX *context, const char *text)
{
    MUST(EVP_DigestUpdate(context, text, strlen(text) + 1) == 1);
}

void import_row_mark(const struct source_row *row, struct import_mark *mark)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    unsigned char hash[EVP_MAX_MD_SIZE];
    size_t len;

    MUST(context && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1);
    add_text(context, row->queue);
    add_text(context, row->attempts);
    add_text(context, row->available_at);
    add_text(context, row->created_at);
    MUST(EVP_DigestUpdate(context, row->payload.ptr, row->payload.len) == 1);
    MUST(EVP_DigestFinal_ex(context, hash, NULL) == 1);
    EVP_MD_CTX_free(context);
    mark->id = row->id;
    len = (size_t)snprintf(mark->text, sizeof(mark->text), "%" PRId64 " ", row->id);
    for (size_t i = 0; i < HASH_BYTES; i++, len += 2)
        (void)snprintf(mark->text + len, sizeof(mark->text) - len, "%02x", hash[i]);
}

static int check_queue(const char *queue, struct err *err)
{
    if (queue[0] == '\0')
        return err_set(err, ERR_BAD_INPUT, "its queue has no name");
    if (queue_name_check(queue, err) == 0)
        return 0;
    if (err)
        err->code = ERR_BAD_INPUT;
    return -1;
}

int import_row_payload(const struct source_row *row, struct buf *out, struct err *err)
{
    char name[PAYLOAD_NAME_MAX + 1], uuid[UUID_TEXT_BYTES], id[RANDOM_ID_CHARS + 1];
    struct payload payload;
    int64_t attempts;

    if (check_queue(row->queue, err) != 0 ||
        payload_scan(&payload, row->payload, err) != 0 ||
        payload_name(&payload, name, sizeof(name), err) != 0)
        return -1;
    if (text_integer(row->attempts, 0, PAYLOAD_ATTEMPTS_MAX, &attempts, NULL) != 0)
        return err_set(err, ERR_BAD_INPUT, "its attempts are no number of runs");
    random_uuid(uuid);
    random_id(id);
    if (payload_imported(&payload, attempts, uuid, id, out) != 0)
        return err_set(err, ERR_BAD_INPUT, "the payload is too long");
    return 0;
}
