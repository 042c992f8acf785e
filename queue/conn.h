/* One asynchronous connection to Redis: connecting, authenticating, commands with a
 * deadline, and being told once when it breaks. It knows nothing of queues.
 *
 * The process ignores SIGPIPE: hiredis writes to sockets that the other end has closed.
 *
 * A connection object is made once and opened again after each break. After anything
 * doubtful (an error, an answer that is late) the socket is dropped, never used again.
 */
#ifndef QUEUE_CONN_H
#define QUEUE_CONN_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/loop.h"
#include "config/config.h"

struct redisReply;
struct conn;

struct conn_options {
    struct loop *loop;
    const struct redis_endpoint *endpoint; /* borrowed */
    const char *name;                      /* for CLIENT SETNAME; copied */
    int64_t connect_within_ms;             /* name, socket and greeting together */
    void (*on_up)(void *arg); /* greeted: commands may be sent. From the loop. */
    /* Could not connect, or broke; closed already, every command called back before.
     * From the loop, never from inside conn_open() or conn_send(). */
    void (*on_down)(void *arg, const struct err *why);
    void *arg;
};

struct conn *conn_create(const struct conn_options *options) MUSTCHECK;
void conn_destroy(struct conn *conn); /* NULL is fine; closes first */

void conn_open(struct conn *conn);  /* only where closed */
void conn_close(struct conn *conn); /* silent: no on_down; unanswered commands get NULL */
bool conn_is_up(const struct conn *conn);
bool conn_is_closed(const struct conn *conn);
int64_t conn_id(const struct conn *conn); /* CLIENT ID of the last greeting, 0: unknown */

/* Called once per command: with the reply (borrowed), or with NULL where the connection
 * ended first; whether the command was executed is unknown then. */
typedef void (*conn_reply_cb)(void *arg, const struct redisReply *reply);

/* `resp` is one whole command in Redis' own format, copied. Only where up. An answer that
 * is not there after `within_ms` (and not growing) means that the connection is dead. */
void conn_send(struct conn *conn, struct slice resp, int64_t within_ms, conn_reply_cb cb,
               void *arg);

/* The same for words: `argv` may hold any bytes. */
void conn_command(struct conn *conn, const struct slice *argv, size_t argc,
                  int64_t within_ms, conn_reply_cb cb, void *arg);

#endif
