/* The redis-server of a run, and what is done to it.
 */
#ifndef CHAOS_SERVER_H
#define CHAOS_SERVER_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "tests/support/redis_process.h"

struct redisContext;

struct server {
    struct redis_process process;
    pid_t teller; /* a process that is telling Redis something; 0: none */
};

void server_begin(struct server *server);
void server_end(struct server *server);

void server_kill(struct server *server);      /* SIGKILL, waited for */
void server_terminate(struct server *server); /* TERM, waited for */
void server_again(struct server *server);
void server_again_slowly(struct server *server,
                         uint32_t load_ms); /* LOADING for a while */
void server_stop(struct server *server);    /* SIGSTOP */
void server_continue(struct server *server);

/* In a process of its own: the commands of `first`, a pause, those of `then`. Commands
 * are words split at spaces; both lists end with NULL. What fails is tried again for a
 * while.
 */
void server_tell(struct server *server, const char *const *first, uint32_t pause_ms,
                 const char *const *then);

/* A connection of our own, with a timeout; NULL: not now. */
struct redisContext *server_connect(const struct server *server, long timeout_ms);

#endif
