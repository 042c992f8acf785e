/* The configuration, loaded and checked: plain data, read-only after config_load().
 *
 * Every field is described by one row of the table in settings.c (type, unit, bounds,
 * default, one line of doc). Times are milliseconds here, seconds in the file.
 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum {
    CONFIG_UNSET = -1
}; /* an optional number that neither file nor environment gave */

struct text_list {
    char **items;
    size_t ct;
};

struct time_list { /* of milliseconds; ct 0: unset */
    int64_t *ms;
    size_t ct;
};

struct redis_config {
    char *url;  /* "embedded", redis://…, unix://…; NULL where host etc. are used */
    char *host; /* NULL and port CONFIG_UNSET where url is used */
    int64_t port;
    char *username;
    char *password; /* secret; from password_file where that is set */
    char *password_file;
    int64_t db;
    char *prefix;
};

enum log_jobs { LOG_JOBS_ALL, LOG_JOBS_FAILED };

struct log_config {
    int level;  /* enum log_level */
    int format; /* enum log_format */
    int jobs;   /* enum log_jobs */
};

enum failed_store_kind { FAILED_IN_REDIS, FAILED_IN_POSTGRES };

struct failed_config {
    int store;  /* enum failed_store_kind; the rest is for postgres */
    char *dsn;  /* may hold a password; NULL: host etc. alone */
    char *host; /* host to username: NULL or CONFIG_UNSET where they are not given */
    int64_t port;
    char *database;
    char *username;
    char *password; /* secret; from password_file where that is set */
    char *password_file;
    char *table; /* "failed_jobs" or "schema.failed_jobs": identifiers, checked */
};

enum unmatched { UNMATCHED_FAIL, UNMATCHED_RELEASE };

struct pool_config {
    char *name;
    struct text_list queues; /* in priority order, at least one */
    int64_t workers;
    int64_t concurrency;
    int64_t tries; /* 0: without limit */
    struct time_list backoff;
    int64_t timeout_ms; /* 0: without limit */
    int64_t lease_ms;
    int64_t poll_interval_ms;
    int64_t max_crashes;
    int64_t max_jobs;    /* recycle after so many; 0: never */
    int64_t max_time_ms; /* recycle after; 0: never */
    int64_t memory_mib;  /* recycle above; 0: never */
    int unmatched;       /* enum unmatched */
};

enum job_type { JOB_SHELL, JOB_NOOP, JOB_HTTP, JOB_LARAVEL, JOB_SQL };

struct http_config {
    char *url; /* with placeholders */
    char *method;
    struct text_list headers; /* "Name: value", with placeholders */
    char *body;               /* with placeholders; NULL: the payload's data */
    int64_t connect_timeout_ms;
    char *ca_file;   /* NULL: the system's */
    char *cert_file; /* NULL: no client certificate */
    char *key_file;
    char *secret; /* one or two, a line each; NULL: requests are not signed */
    char *secret_file;
    int64_t max_response_kib;
    int64_t max_in_flight;    /* per endpoint; 0: without limit */
    int64_t breaker_failures; /* 0: no breaker */
    bool permanent_4xx;
    struct text_list allow_networks;
};

struct sql_config {
    char *database; /* name of one in `databases`, checked */
    char *statement;
    struct text_list params; /* paths in the payload; of $1, $2, .. */
    int64_t batch;           /* jobs of one transaction, at most */
    int64_t batch_wait_ms;   /* how long the first of them waits for more */
    bool once;
};

struct laravel_config {
    char *app;            /* directory of the application */
    struct text_list php; /* program and arguments before the bridge */
    char *bridge;         /* NULL: the one that is installed */
    char *bootstrap;      /* NULL: the application's own */
    int64_t memory_mib;
    int64_t max_jobs; /* 0: without limit */
    int64_t boot_timeout_ms;
    bool inherit_env;
    bool force;       /* also while the application is down for maintenance */
    char *connection; /* name of Laravel's queue connection */
    bool echo;        /* its output goes to drover's own too */
};

struct job_config {
    char *name;               /* exact or glob */
    int type;                 /* enum job_type */
    int64_t tries;            /* CONFIG_UNSET: the pool's */
    struct time_list backoff; /* ct 0: the pool's */
    int64_t timeout_ms;       /* CONFIG_UNSET: the pool's */
    struct text_list command; /* shell: argv, with placeholders */
    struct text_list env;     /* shell, laravel: "NAME=value" */
    char *cwd;                /* shell */
    int64_t kill_grace_ms;    /* shell, laravel: between TERM and KILL */
    struct http_config http;
    struct laravel_config laravel;
    struct sql_config sql;
};

struct database_config {
    char *name;
    char *dsn;      /* may hold a password; NULL: service */
    char *service;  /* of libpq's service file; NULL: dsn */
    char *password; /* secret; from password_file where that is set; NULL: none */
    char *password_file;
    int64_t pool;      /* connections of one worker */
    char *search_path; /* with placeholders; NULL: the server's */
    bool read_only;
    int64_t inbox_keep_ms;
};

/* What `drover work` adds to a configuration, by its arguments alone: there are no
 * settings for it. All zero under `drover supervise`. */
enum work_output { WORK_QUIET, WORK_LINES, WORK_LONG_LINES, WORK_JSON };
struct work_config {
    bool on;                /* the supervisor ends with its worker, and as it did */
    bool leaves_when_empty; /* the worker ends when there is no job ... */
    int64_t empty_ms;       /* ... and has been none for so long */
    int64_t rest_ms;        /* between two jobs */
    int64_t memory_mib;     /* it ends when a co-process holds so much; 0: never */
    int output;             /* enum work_output: on stdout, of each job */
    bool colour;
    char *timezone; /* of the times in it; NULL: the system's */
};

struct config {
    char *path; /* the file it came from; NULL: built-in defaults and environment */
    struct redis_config redis;
    char *state_dir;
    char *user;
    int64_t stop_grace_ms;
    int64_t hang_timeout_ms;
    int64_t max_payload_mib;
    struct log_config log;
    struct failed_config failed;
    char *console_listen;
    struct pool_config *pools;
    size_t pool_ct;
    struct job_config *jobs;
    size_t job_ct;
    struct database_config *databases;
    size_t database_ct;
    struct work_config work;
    struct config_origin *origins; /* where each value came from, for `config show` */
};

/* Reads `path`, or where it is NULL the first of $DROVER_CONFIG, ./drover.conf,
 * /etc/drover/drover.conf, or none of them (a file that is named must be there, also by
 * the variable); then the environment for what the file leaves out; then checks the
 * whole. On error returns NULL with the first problem as "FILE:LINE: setting: what is
 * wrong", ready to print, and always ERR_CONFIG. Caller owns the result. */
struct config *config_load(const char *path, struct err *err) MUSTCHECK;

/* As config_load(), but takes of a file with mistakes each top-level setting that is well
 * by itself; `broken` (empty: none) gets what config_load() would have said. For commands
 * that need no more than to find a running supervisor, which must be possible to stop
 * while its file is being mended. */
struct config *config_load_usable(const char *path, struct err *broken,
                                  struct err *err) MUSTCHECK;
void config_free(struct config *config); /* NULL is fine; secrets are wiped */

/* Whether an entry of jobs is of that type (enum job_type). */
bool config_has_jobs_of(const struct config *config, int type);

/* Requests of this method have no body. */
bool http_method_is_bare(const char *method);

/* Where Redis is, worked out from redis.* (url first, then host and port). The texts are
 * the endpoint's own: free with redis_endpoint_free(), which wipes the password. */
struct redis_endpoint {
    char *unix_path; /* NULL: TCP */
    char *host;
    int port;
    char *username; /* NULL: none */
    char *password; /* NULL: none */
    int db;
    bool embedded; /* drover runs this server itself */
};
/* `endpoint` may be freed in any case. A loaded configuration always resolves. */
int redis_endpoint_resolve(const struct config *config, struct redis_endpoint *endpoint,
                           struct err *err) MUSTCHECK;
void redis_endpoint_free(struct redis_endpoint *endpoint);
/* "unix:/run/x.sock db 0", "tcp:host:6379 db 2": for logs and messages, no secret. */
char *redis_endpoint_text(const struct redis_endpoint *endpoint) MUSTCHECK;

/* The database that a job of type sql names. */
const struct database_config *config_database_of(const struct config *config,
                                                 const struct sql_config *sql);
/* Whether a job is to run once in that database: it needs the table drover_inbox. */
bool config_has_inbox(const struct config *config,
                      const struct database_config *database);

/* The PostgreSQL that keeps the failed jobs, worked out from failed.* (dsn first, then
 * host, port, database and username). The texts are the endpoint's own. */
struct postgres_endpoint {
    char *dsn;      /* for libpq: conninfo or postgresql:// URI */
    char *password; /* NULL: none but what the dsn may hold */
    char *table;    /* as SQL wants it: "failed_jobs" or "schema"."failed_jobs", quoted */
};
/* Where failed.store is postgres. `endpoint` may be freed in any case. A loaded
 * configuration always resolves. */
int postgres_endpoint_resolve(const struct config *config,
                              struct postgres_endpoint *endpoint,
                              struct err *err) MUSTCHECK;
/* Where one of `databases` is; no table. */
void database_endpoint_resolve(const struct database_config *database,
                               struct postgres_endpoint *endpoint);
void postgres_endpoint_free(struct postgres_endpoint *endpoint);
/* "host=db dbname=app", "postgresql://app:(secret)@db/app": for logs and messages. */
char *postgres_endpoint_text(const struct postgres_endpoint *endpoint) MUSTCHECK;

/* The longest kill_grace of all jobs: what a job may take from its TERM to its KILL. */
int64_t config_longest_kill_grace_ms(const struct config *config);

/* Whether no key of another queue is where its jobs would be: ERR_USAGE, and why. */
int queue_name_check(const char *name, struct err *err) MUSTCHECK;

/* Whether one of its pools reads that queue. */
bool config_reads_queue(const struct config *config, const char *queue) MUSTCHECK;

/* STATE_DIR/control.sock; caller frees. */
char *config_control_path(const struct config *config) MUSTCHECK;

#endif
