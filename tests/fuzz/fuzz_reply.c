/* Fuzz target: what Redis answers. The first byte says who reads it: the reserve reply's
 * reader, or one of the command line's calls on a connection that carries the rest. */
#include "tests/fuzz/fuzz.h"

#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "queue/client.h"
#include "queue/client_io.h"
#include "queue/reply.h"

enum { QUEUES_MAX = 3, ANSWER_BYTES_MAX = 16384, ARRAY_DIGITS_MAX = 4 };

/* ---- a worker's reserve ---- */

static void check_pairs(const redisReply *pairs, unsigned queue_ct, int type)
{
    MUST(pairs->type == REDIS_REPLY_ARRAY && pairs->elements % 2 == 0);
    for (size_t i = 0; i < pairs->elements; i += 2) {
        MUST(pairs->element[i]->integer >= 1);
        MUST(pairs->element[i]->integer <= queue_ct);
        MUST(pairs->element[i + 1]->type == type);
        MUST(type != REDIS_REPLY_STRING || pairs->element[i + 1]->str != NULL);
    }
}

static void check_reserve(const redisReply *reply, unsigned queue_ct)
{
    struct reserve_reply read;
    struct err err = {0};

    if (reserve_reply_read(&read, reply, queue_ct, &err) != 0) {
        MUST(err.code == ERR_REPLY && err.text[0] != '\0');
        return;
    }
    MUST(read.lost != NULL);
    (void)reply_has_place(read.lost, 1);
    if (!read.open)
        return;
    check_pairs(read.jobs, queue_ct, REDIS_REPLY_STRING);
    check_pairs(read.reclaimed, queue_ct, REDIS_REPLY_STRING);
    check_pairs(read.oversize, queue_ct, REDIS_REPLY_INTEGER);
    check_pairs(read.problems, queue_ct, REDIS_REPLY_STRING);
    MUST(read.depths->elements == (size_t)queue_ct * 3);
    for (size_t i = 0; i < read.depths->elements; i++)
        MUST(read.depths->element[i]->type == REDIS_REPLY_INTEGER);
}

static void read_reserve(struct slice resp)
{
    redisReader *reader = redisReaderCreate();
    void *reply = NULL;

    MUST(reader != NULL);
    (void)redisReaderFeed(reader, resp.ptr, resp.len);
    while (redisReaderGetReply(reader, &reply) == REDIS_OK && reply) {
        for (unsigned queue_ct = 1; queue_ct <= QUEUES_MAX; queue_ct++)
            check_reserve(reply, queue_ct);
        freeReplyObject(reply);
    }
    redisReaderFree(reader);
}

/* ---- the command line ---- */

static void see_queue(void *arg UNUSED, const char *queue)
{
    MUST(queue[0] != '\0');
}

static void see_job(void *arg UNUSED, struct slice payload, double due_at UNUSED)
{
    free(slice_dup(payload));
}

static bool see_record(void *arg UNUSED, const struct fail_record *record)
{
    MUST(strlen(record->uuid) < sizeof(record->uuid));
    MUST(record->connection && record->queue && record->job && record->reason);
    free(slice_dup(record->payload));
    free(slice_dup(record->exception));
    return true;
}

static int call_queue(struct client *client, unsigned which, struct err *err)
{
    static const char *const states[] = {"ready", "delayed", "reserved"};
    struct slice payload = slice_text("{}");
    struct depths depths;
    int64_t number = 0;

    if (which == 0)
        return client_depths(client, "q", &depths, err);
    if (which == 1)
        return client_push(client, "q", &payload, 1, 0, err);
    if (which == 2)
        return client_scan_queues(client, see_queue, NULL, err);
    if (which == 3)
        return client_clear(client, "q", true, &number, err);
    return client_peek(client, "q", states[which % 3], 100, see_job, NULL, err);
}

static int call_failed(struct client *client, unsigned which, struct err *err)
{
    static const char *const uuids[] = {"one", "two"};
    struct failed_walk walk = {.oldest_first = which % 2, .fields = which % 3};
    char uuid[64] = "";
    int64_t number = 0;
    bool done;
    int rc;

    if (which == 0)
        return client_failed_count(client, &number, err);
    if (which == 1)
        return client_failed_get(client, "one", see_record, NULL, err);
    if (which == 2)
        return client_failed_retry(client, "one", "q", slice_text("{}"), &done, err);
    if (which == 3)
        return client_failed_forget(client, uuids, ARRAY_CT(uuids), &number, err);
    if (which > 4)
        return client_failed_walk(client, &walk, see_record, NULL, err);
    rc = client_failed_resolve(client, "0123", uuid, err);
    MUST(rc != 0 || strlen(uuid) < sizeof(uuid));
    return rc;
}

/* Answers are there before they are asked for; behind the last the connection ends. */
static struct client *open_client(struct slice resp, int *far_end)
{
    struct client *client = must_alloc(sizeof(*client));
    int fds[2];

    MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
    MUST(send(fds[0], resp.ptr, resp.len, MSG_NOSIGNAL | MSG_DONTWAIT) ==
         (ssize_t)resp.len);
    MUST(shutdown(fds[0], SHUT_WR) == 0);
    client->redis = redisConnectFd(fds[1]);
    MUST(client->redis != NULL && client->redis->err == 0);
    client->redis->flags |= REDIS_BLOCK;
    client->where = must_strdup("fuzz");
    client->prefix = must_strdup("a prefix:");
    own_keys_init(&client->own, client->prefix);
    *far_end = fds[0];
    return client;
}

static void read_client(unsigned who, struct slice resp)
{
    struct err err = {0};
    int far_end, rc;
    struct client *client = open_client(resp, &far_end);

    rc = who % 2 ? call_queue(client, who / 2 % 8, &err)
                 : call_failed(client, who / 2 % 8, &err);
    MUST((rc == 0) == (err.text[0] == '\0'));
    client_close(client);
    (void)close(far_end);
}

/* hiredis makes room for as many elements as an array says it has, which is for it to
 * mend.
 */
static bool is_huge_array(struct slice resp)
{
    size_t digits = 0;
    bool counting = false;

    for (size_t i = 0; i < resp.len; i++) {
        char c = resp.ptr[i];

        if (c == '*') {
            counting = true;
            digits = 0;
        } else if (counting && (c < '0' || c > '9')) {
            counting = false;
        } else if (counting && ++digits > ARRAY_DIGITS_MAX) {
            return true;
        }
    }
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice resp;

    if (size == 0 || size > ANSWER_BYTES_MAX)
        return 0;
    resp = slice_of((const char *)data + 1, size - 1);
    if (is_huge_array(resp))
        return 0;
    if (data[0] == 'R')
        read_reserve(resp);
    else
        read_client(data[0], resp);
    return 0;
}
