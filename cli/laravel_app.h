/* A Laravel application as it describes itself when it has booted: where its queues and
 * failed jobs are. laravel_boot() makes it tell.
 */
#ifndef CLI_LARAVEL_APP_H
#define CLI_LARAVEL_APP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

enum { LARAVEL_UNSET = -1, LARAVEL_CONNECTIONS_MAX = 64 };

/* Texts are NULL and numbers LARAVEL_UNSET where the application has none. */

struct laravel_redis { /* as a client of the application's connects */
    char *trouble;     /* why the application could not tell the rest; NULL: it could */
    char *client;      /* "phpredis", "predis" */
    bool cluster;
    char *scheme; /* "tcp", "tls", "unix" */
    char *host;   /* phpredis: or the path of a unix socket */
    char *path;   /* of a unix socket, with the scheme "unix" */
    int64_t port, db;
    char *username;
    char *password;    /* secret */
    char *prefix;      /* of every key */
    char *serializer;  /* "php", "igbinary", ..; NULL: none */
    char *compression; /* "lzf", ..; NULL: none */
};

struct laravel_connection { /* one of queue.connections */
    char *name;
    char *driver;     /* "redis", "database", "sync", .. */
    char *queue;      /* the default queue */
    char *connection; /* name of the Redis or database connection behind it */
    int64_t retry_after_s;
    struct laravel_redis redis; /* driver redis */
};

struct laravel_database {
    char *trouble; /* as above */
    char *driver;  /* "pgsql", "mysql", .. */
    char *host;    /* several, with commas between them */
    int64_t port;
    char *database;
    char *username;
    char *password;    /* secret */
    char *search_path; /* with commas */
    char *sslmode, *sslcert, *sslkey, *sslrootcert;
};

struct laravel_failed { /* queue.failed */
    char *trouble;
    char *driver; /* "database-uuids", "database", "dynamodb", "file", "null", .. */
    char *table;
    char *connection; /* name of the database connection */
    struct laravel_database database;
};

struct laravel_app {
    char *trouble; /* why it could not describe itself at all */
    char *php;     /* version */
    char *laravel; /* version; NULL: its components without the framework */
    bool has_pcntl, has_phpredis; /* PHP's extensions */
    bool has_horizon;
    bool is_down;      /* in maintenance mode; false too where that is kept in a cache */
    char *environment; /* "production" */
    char *timezone;
    char *fallback; /* queue.default: name of the connection that is meant by none */
    struct laravel_connection *connections;
    size_t connection_ct;
    struct laravel_failed failed;
};

/* Reads what an application said: any bytes. NULL with `err` where that is no description
 * as the bridge makes it, or is an application's that could not describe itself. */
struct laravel_app *laravel_app_read(struct slice told, struct err *err) MUSTCHECK;
void laravel_app_free(struct laravel_app *app); /* NULL is fine; passwords are wiped */

/* The queue connection of that name; NULL name: the default one. NULL with `err`, which
 * names those that there are. */
const struct laravel_connection *laravel_app_connection(const struct laravel_app *app,
                                                        const char *name,
                                                        struct err *err) MUSTCHECK;

/* Whether drover can drain the queues of that connection: ERR_CONFIG with what it cannot
 * work with (another driver, a cluster, TLS, a serializer or compression) and what to do.
 */
int laravel_app_check(const struct laravel_connection *connection,
                      struct err *err) MUSTCHECK;

#endif
