/* One synchronous connection: commands, scripts, and errors as sentences. Private to
 * client*.c.
 */
#ifndef QUEUE_CLIENT_IO_H
#define QUEUE_CLIENT_IO_H

#include <hiredis/hiredis.h>

#include "base/buf.h"
#include "base/err.h"
#include "config/config.h"
#include "queue/keys.h"

enum { CLIENT_CONNECT_MS = 5000, CLIENT_ANSWER_MS = 15000 };

struct client {
    redisContext *redis;
    bool borrowed; /* another client's connection */
    char *where;   /* "unix:/run/redis.sock db 0": for messages */
    char *prefix;
    struct own_keys own;
};

/* A command as it grows; the bytes are borrowed until it has been sent. */
struct request {
    const char **argv;
    size_t *lens;
    size_t ct, cap;
};
void request_add_text(struct request *command, const char *arg);
void request_free(struct request *command);

/* Sends the command of these words and returns the answer (the caller's), or NULL with
 * `err`: ERR_CONN, or ERR_REPLY for an answer that is an error. _for(): for one, too,
 * that is not of `type` (REDIS_REPLY_..). */
redisReply *client_ask(struct client *client, const char *const *words, size_t ct,
                       struct err *err) MUSTCHECK;
redisReply *client_ask_for(struct client *client, const char *const *words, size_t ct,
                           int type, struct err *err) MUSTCHECK;

/* The same in two steps, for pipelines and for bytes: `command` is empty afterwards;
 * after any -1 the connection is lost. Each append needs one read. A NULL of
 * client_read() with ERR_REPLY leaves the pipeline intact. */
int client_append(struct client *client, struct request *command,
                  struct err *err) MUSTCHECK;
redisReply *client_read(struct client *client, struct err *err) MUSTCHECK;

/* A call to one of the scripts: begin, add keys, add arguments, run. */
struct script_call {
    const char *name;
    struct request command;
    size_t key_ct;
};
void script_call_begin(struct script_call *call, const char *name);
void script_call_key(struct script_call *call, const char *key); /* before any arg */
void script_call_arg(struct script_call *call, struct slice arg);

/* Runs it by its SHA-1, and where Redis does not know that by its text; empties `call`.
 * The answer as from client_ask(). */
redisReply *client_script(struct client *client, struct script_call *call,
                          struct err *err) MUSTCHECK;

/* As client_script() where the answer must be an integer. */
int client_script_integer(struct client *client, struct script_call *call,
                          int64_t *number, struct err *err) MUSTCHECK;

/* Whether `err` is Redis refusing a key that holds something else than is asked for. */
bool client_is_wrong_type(const struct err *err);

/* Whether it is an array of nothing but texts, in groups of `group`. */
bool client_is_texts(const redisReply *reply, size_t group);

/* Whether it is what SCAN and its like answer: a cursor and an array of texts. */
bool client_is_scan(const redisReply *reply);

/* An answer of a type nobody asked for. Always -1. */
int client_odd_reply(const struct client *client, const char *verb, struct err *err);

/* Appends `text` with everything that a glob pattern of Redis would interpret escaped. */
void client_glob_escape(struct buf *out, const char *text);

#endif
