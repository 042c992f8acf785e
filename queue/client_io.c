/* The connection of the command line: connect, log in, send, read, and say in a sentence
 * what went wrong.
 *
 * Blocking, with a deadline on every wait; never used by the daemon. It knows nothing of
 * queues or failed records. Invariant: after ERR_CONN the context is broken and every
 * later call gives ERR_CONN again, so an answer is never taken for another's.
 */
#include "queue/client_io.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "queue/client.h"
#include "queue/scripts.h"

static void add_arg(struct request *command, struct slice arg)
{
    if (command->ct == command->cap) {
        command->cap = command->cap ? command->cap * 2 : 16;
        command->argv = must_realloc(command->argv, command->cap, sizeof(*command->argv));
        command->lens = must_realloc(command->lens, command->cap, sizeof(*command->lens));
    }
    command->argv[command->ct] = arg.ptr;
    command->lens[command->ct] = arg.len;
    command->ct++;
}

void request_add_text(struct request *command, const char *arg)
{
    add_arg(command, slice_text(arg));
}

void request_free(struct request *command)
{
    free(command->argv);
    free(command->lens);
    memset(command, 0, sizeof(*command));
}

static int set_broken(const struct client *client, struct err *err)
{
    const redisContext *redis = client->redis;
    bool late = redis->err == REDIS_ERR_IO &&
                strstr(redis->errstr, "temporarily unavailable") != NULL;

    return err_set(err, ERR_CONN, "lost Redis at %s: %s", client->where,
                   late ? "no answer in time" : redis->errstr);
}

/* States of the server in which it answers but cannot serve: as good as unreachable. */
static bool is_unavailable(const char *text)
{
    static const char *const words[] = {"LOADING ", "BUSY ", "MASTERDOWN "};

    for (size_t i = 0; i < ARRAY_CT(words); i++)
        if (strncmp(text, words[i], strlen(words[i])) == 0)
            return true;
    return false;
}

static int set_refused(const struct client *client, const redisReply *reply,
                       struct err *err)
{
    if (is_unavailable(reply->str))
        return err_set(err, ERR_CONN, "Redis at %s is not ready: %s", client->where,
                       reply->str);
    if (strncmp(reply->str, "NOAUTH ", strlen("NOAUTH ")) == 0)
        return err_set(err, ERR_CONN,
                       "Redis at %s wants a password (redis.password, password_file or "
                       "REDIS_PASSWORD): %s",
                       client->where, reply->str);
    if (strstr(reply->str, "OOM command not allowed")) /* first only from Redis 7 on */
        return err_set(err, ERR_REPLY,
                       "Redis at %s is full (maxmemory) and takes no more; nothing was "
                       "changed",
                       client->where);
    return err_set(err, ERR_REPLY, "Redis at %s refuses: %s", client->where, reply->str);
}

int client_append(struct client *client, struct request *command, struct err *err)
{
    int rc = redisAppendCommandArgv(client->redis, (int)command->ct, command->argv,
                                    command->lens);

    command->ct = 0;
    return rc == REDIS_OK ? 0 : set_broken(client, err);
}

/* Returns the answer even where it is an error; NULL: the connection broke. */
static redisReply *read_any(struct client *client, struct err *err)
{
    void *reply = NULL;

    if (client->redis->err || redisGetReply(client->redis, &reply) != REDIS_OK ||
        reply == NULL) {
        set_broken(client, err);
        return NULL;
    }
    return reply;
}

static redisReply *checked(const struct client *client, redisReply *reply,
                           struct err *err)
{
    if (reply && reply->type == REDIS_REPLY_ERROR) {
        set_refused(client, reply, err);
        freeReplyObject(reply);
        return NULL;
    }
    return reply;
}

redisReply *client_read(struct client *client, struct err *err)
{
    return checked(client, read_any(client, err), err);
}

redisReply *client_ask(struct client *client, const char *const *words, size_t ct,
                       struct err *err)
{
    struct request command = {0};
    int rc;

    for (size_t i = 0; i < ct; i++)
        request_add_text(&command, words[i]);
    rc = client_append(client, &command, err);
    request_free(&command);
    return rc == 0 ? client_read(client, err) : NULL;
}

redisReply *client_ask_for(struct client *client, const char *const *words, size_t ct,
                           int type, struct err *err)
{
    redisReply *reply = client_ask(client, words, ct, err);

    if (reply == NULL || reply->type == type)
        return reply;
    freeReplyObject(reply);
    (void)client_odd_reply(client, words[0], err);
    return NULL;
}

/* EVALSHA sha numkeys key... arg...: the first three are filled in when it is sent. */
enum { SCRIPT_HEAD = 3 };

void script_call_begin(struct script_call *call, const char *name)
{
    call->name = name;
    call->key_ct = 0;
    call->command.ct = 0;
    for (int i = 0; i < SCRIPT_HEAD; i++)
        add_arg(&call->command, slice_of("", 0));
}

void script_call_key(struct script_call *call, const char *key)
{
    MUST(call->command.ct == SCRIPT_HEAD + call->key_ct);
    request_add_text(&call->command, key);
    call->key_ct++;
}

void script_call_arg(struct script_call *call, struct slice arg)
{
    add_arg(&call->command, arg);
}

static redisReply *eval(struct client *client, struct script_call *call, const char *verb,
                        struct slice script, struct err *err)
{
    struct request *command = &call->command;
    char key_ct[24];

    snprintf(key_ct, sizeof(key_ct), "%zu", call->key_ct);
    command->argv[0] = verb;
    command->lens[0] = strlen(verb);
    command->argv[1] = script.ptr;
    command->lens[1] = script.len;
    command->argv[2] = key_ct;
    command->lens[2] = strlen(key_ct);
    if (redisAppendCommandArgv(client->redis, (int)command->ct, command->argv,
                               command->lens) != REDIS_OK) {
        set_broken(client, err);
        return NULL;
    }
    return read_any(client, err);
}

redisReply *client_script(struct client *client, struct script_call *call,
                          struct err *err)
{
    const struct script *script = script_named(call->name);
    redisReply *reply = eval(client, call, "EVALSHA", slice_text(script->sha1), err);

    if (reply && reply->type == REDIS_REPLY_ERROR &&
        strncmp(reply->str, "NOSCRIPT", 8) == 0) {
        freeReplyObject(reply);
        reply = eval(client, call, "EVAL", slice_of(script->text, script->len), err);
    }
    request_free(&call->command);
    return checked(client, reply, err);
}

int client_script_integer(struct client *client, struct script_call *call,
                          int64_t *number, struct err *err)
{
    const char *name = call->name;
    redisReply *reply = client_script(client, call, err);
    int rc = 0;

    if (reply == NULL)
        return -1;
    if (reply->type == REDIS_REPLY_INTEGER)
        *number = reply->integer;
    else
        rc = client_odd_reply(client, name, err);
    freeReplyObject(reply);
    return rc;
}

bool client_is_wrong_type(const struct err *err)
{
    return err->code == ERR_REPLY && strstr(err->text, "WRONGTYPE") != NULL;
}

bool client_is_texts(const redisReply *reply, size_t group)
{
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements % group != 0)
        return false;
    for (size_t i = 0; i < reply->elements; i++)
        if (reply->element[i]->type != REDIS_REPLY_STRING)
            return false;
    return true;
}

bool client_is_scan(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_ARRAY && reply->elements == 2 &&
           reply->element[0]->type == REDIS_REPLY_STRING &&
           client_is_texts(reply->element[1], 1);
}

int client_odd_reply(const struct client *client, const char *verb, struct err *err)
{
    return err_set(err, ERR_REPLY, "Redis at %s answered %s with something unexpected",
                   client->where, verb);
}

void client_glob_escape(struct buf *out, const char *text)
{
    for (; *text; text++) {
        if (strchr("*?[]^-\\", *text))
            buf_add_char(out, '\\');
        buf_add_char(out, *text);
    }
}

/* ---- opening ---- */

static struct timeval timeval_of(int ms)
{
    return (struct timeval){.tv_sec = ms / 1000, .tv_usec = (ms % 1000) * 1000};
}

static int connect_context(struct client *client, const struct redis_endpoint *endpoint,
                           struct err *err)
{
    struct timeval limit = timeval_of(CLIENT_CONNECT_MS);
    redisContext *redis =
        endpoint->unix_path
            ? redisConnectUnixWithTimeout(endpoint->unix_path, limit)
            : redisConnectWithTimeout(endpoint->host, endpoint->port, limit);

    client->redis = redis;
    if (redis == NULL || redis->err)
        return err_set(err, ERR_CONN, "cannot reach Redis at %s: %s%s", client->where,
                       redis ? redis->errstr : "out of memory",
                       endpoint->embedded
                           ? " (embedded: is `drover supervise` running? Another one is "
                             "named in drover.conf, which `drover doctor` helps to write)"
                           : "");
    if (fcntl(redis->fd, F_SETFD, FD_CLOEXEC) != 0 ||
        redisSetTimeout(redis, timeval_of(CLIENT_ANSWER_MS)) != REDIS_OK)
        return err_set(err, ERR_CONN, "cannot set up the connection to Redis at %s",
                       client->where);
    return 0;
}

/* One command of the greeting, whose answer carries no news. */
static int greet(struct client *client, const char *const *words, size_t ct,
                 struct err *err)
{
    redisReply *reply = client_ask(client, words, ct, err);

    if (reply == NULL) {
        if (err)
            err->code = ERR_CONN; /* without this there is no connection to speak of */
        return -1;
    }
    freeReplyObject(reply);
    return 0;
}

static int log_in(struct client *client, const struct redis_endpoint *endpoint,
                  struct err *err)
{
    const char *const whole[] = {"AUTH", endpoint->username, endpoint->password};
    const char *const brief[] = {"AUTH", endpoint->password};
    char db[16];
    const char *const choice[] = {"SELECT", db};
    int rc = 0;

    (void)snprintf(db, sizeof(db), "%d", endpoint->db);
    if (endpoint->password && endpoint->username)
        rc = greet(client, whole, ARRAY_CT(whole), err);
    else if (endpoint->password)
        rc = greet(client, brief, ARRAY_CT(brief), err);
    if (rc == 0 && endpoint->db != 0)
        rc = greet(client, choice, ARRAY_CT(choice), err);
    return rc;
}

/* Reads only: a command that looks must not be the first to lay a claim. */
static int check_layout(struct client *client, struct err *err)
{
    const char *const words[] = {"GET", client->own.version};
    redisReply *reply = client_ask(client, words, ARRAY_CT(words), err);
    long version = LAYOUT_VERSION;

    if (reply == NULL)
        return -1;
    if (reply->type == REDIS_REPLY_STRING)
        version = strtol(reply->str, NULL, 10);
    freeReplyObject(reply);
    if (version <= LAYOUT_VERSION)
        return 0;
    return err_set(err, ERR_CONFIG,
                   "%s in Redis at %s says layout %ld, this drover knows %d: use the "
                   "newer drover",
                   client->own.version, client->where, version, LAYOUT_VERSION);
}

struct client *client_open(const struct redis_endpoint *endpoint, const char *prefix,
                           struct err *err)
{
    struct client *client = must_alloc(sizeof(*client));
    int rc;

    client->where = redis_endpoint_text(endpoint);
    client->prefix = must_strdup(prefix);
    own_keys_init(&client->own, prefix);
    rc = connect_context(client, endpoint, err);
    if (rc == 0)
        rc = log_in(client, endpoint, err);
    if (rc == 0)
        rc = check_layout(client, err);
    if (rc == 0)
        return client;
    client_close(client);
    return NULL;
}

void client_close(struct client *client)
{
    if (client == NULL)
        return;
    if (client->redis && !client->borrowed)
        redisFree(client->redis);
    own_keys_free(&client->own);
    free(client->prefix);
    free(client->where);
    free(client);
}
