/* Script calls.
 *
 * The command is laid out once, behind room for its head; so EVALSHA and EVAL share the
 * body, and the body stays until the script has run. It must not know what scripts do.
 */
#include "queue/call.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "queue/scripts.h"

enum { NUMBER_BYTES = 20 };    /* digits of a 64 bit number, or a sign and digits */
enum { HEAD_ROOM_BYTES = 96 }; /* "*N $7 EVALSHA $40 <sha1>", N of up to 20 digits */

struct call {
    const struct script *script;
    struct buf body; /* HEAD_ROOM_BYTES of room, then number of keys, keys, arguments */
    size_t word_ct;  /* in the body */
    struct conn *conn;
    int64_t within_ms;
    conn_reply_cb cb;
    void *arg;
};

struct call *call_create(const char *script, unsigned key_ct)
{
    static const char room[HEAD_ROOM_BYTES];
    struct call *call = must_alloc(sizeof(*call));

    call->script = script_named(script);
    buf_init(&call->body, 0);
    (void)buf_add(&call->body, room, sizeof(room));
    call_add_int(call, key_ct);
    return call;
}

/* By hand: there are several for each job. Returns where the digits begin. */
static char *put_digits(char *end, uint64_t number)
{
    do {
        *--end = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    return end;
}

void call_add(struct call *call, struct slice word)
{
    char head[NUMBER_BYTES + 3], *end = head + sizeof(head), *at = end;

    *--at = '\n';
    *--at = '\r';
    at = put_digits(at, word.len);
    *--at = '$';
    (void)buf_add(&call->body, at, (size_t)(end - at));
    (void)buf_add(&call->body, word.ptr, word.len);
    (void)buf_add(&call->body, "\r\n", 2);
    call->word_ct++;
}

void call_add_text(struct call *call, const char *word)
{
    call_add(call, slice_text(word));
}

void call_add_int(struct call *call, int64_t number)
{
    uint64_t magnitude = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    char text[NUMBER_BYTES], *end = text + sizeof(text);
    char *at = put_digits(end, magnitude);

    if (number < 0)
        *--at = '-';
    call_add(call, slice_of(at, (size_t)(end - at)));
}

void call_add_seconds(struct call *call, int64_t ms)
{
    char text[32];

    MUST(ms >= 0);
    (void)snprintf(text, sizeof(text), "%lld.%03d", (long long)(ms / 1000),
                   (int)(ms % 1000));
    call_add_text(call, text);
}

void call_free(struct call *call)
{
    buf_free(&call->body);
    free(call);
}

static void finish(struct call *call, const struct redisReply *reply)
{
    conn_reply_cb cb = call->cb;
    void *arg = call->arg;

    call_free(call);
    cb(arg, reply);
}

static void take_last(void *arg, const struct redisReply *reply)
{
    finish(arg, reply);
}

/* The script may have been flushed, or Redis started anew. */
static void send_text(struct call *call)
{
    struct buf resp;

    buf_init(&resp, 0);
    (void)buf_addf(&resp, "*%zu\r\n$4\r\nEVAL\r\n$%zu\r\n", call->word_ct + 2,
                   call->script->len);
    (void)buf_add(&resp, call->script->text, call->script->len);
    (void)buf_add_text(&resp, "\r\n");
    (void)buf_add(&resp, call->body.data + HEAD_ROOM_BYTES,
                  call->body.len - HEAD_ROOM_BYTES);
    conn_send(call->conn, buf_slice(&resp), call->within_ms, take_last, call);
    buf_free(&resp);
}

bool call_is_unknown(const struct redisReply *reply)
{
    return reply && reply->type == REDIS_REPLY_ERROR &&
           strncmp(reply->str, "NOSCRIPT", strlen("NOSCRIPT")) == 0;
}

static void take_first(void *arg, const struct redisReply *reply)
{
    struct call *call = arg;

    if (call_is_unknown(reply))
        send_text(call);
    else
        finish(call, reply);
}

static void send_sha1(struct call *call, conn_reply_cb take)
{
    char head[HEAD_ROOM_BYTES];
    int len = snprintf(head, sizeof(head), "*%zu\r\n$7\r\nEVALSHA\r\n$40\r\n%s\r\n",
                       call->word_ct + 2, call->script->sha1);
    char *start;

    MUST(len > 0 && len < HEAD_ROOM_BYTES);
    start = call->body.data + HEAD_ROOM_BYTES - len;
    memcpy(start, head, (size_t)len);
    conn_send(call->conn, slice_of(start, call->body.len - HEAD_ROOM_BYTES + (size_t)len),
              call->within_ms, take, call);
}

static void address(struct call *call, struct conn *conn, int64_t within_ms,
                    conn_reply_cb cb, void *arg)
{
    call->conn = conn;
    call->within_ms = within_ms;
    call->cb = cb;
    call->arg = arg;
}

void call_send(struct call *call, struct conn *conn, int64_t within_ms, conn_reply_cb cb,
               void *arg)
{
    address(call, conn, within_ms, cb, arg);
    send_sha1(call, take_first);
}

void call_send_once(struct call *call, bool whole, struct conn *conn, int64_t within_ms,
                    conn_reply_cb cb, void *arg)
{
    address(call, conn, within_ms, cb, arg);
    if (whole)
        send_text(call);
    else
        send_sha1(call, take_last);
}
