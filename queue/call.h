/* Calling a script: EVALSHA, and where Redis does not know it, EVAL at once with the
 * same arguments on the same connection.
 */
#ifndef QUEUE_CALL_H
#define QUEUE_CALL_H

#include "queue/conn.h"

struct call;

/* A call of queue/lua/<script>.lua. First its keys are added, then the arguments. */
struct call *call_create(const char *script, unsigned key_ct) MUSTCHECK;
void call_add(struct call *call, struct slice word); /* copied */
void call_add_text(struct call *call, const char *word);
void call_add_int(struct call *call, int64_t number);
void call_add_seconds(struct call *call, int64_t ms); /* 1500 as 1.500 */

void call_free(struct call *call); /* of one that is not to be sent */

/* Sends and takes the call. cb(arg, reply) once, later; reply is NULL where the
 * connection ended first, as it does where there is no answer `within_ms`. */
void call_send(struct call *call, struct conn *conn, int64_t within_ms, conn_reply_cb cb,
               void *arg);

/* The same for a script whose arguments must be as of when it is executed: NOSCRIPT comes
 * back as the reply, and the caller spells it anew. `whole`: sends EVAL, the script's
 * text. */
void call_send_once(struct call *call, bool whole, struct conn *conn, int64_t within_ms,
                    conn_reply_cb cb, void *arg);
bool call_is_unknown(const struct redisReply *reply); /* NOSCRIPT; NULL is none */

#endif
