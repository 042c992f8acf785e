/* The table of settings: what there is, not how it is read, shown or checked.
 *
 * Invariants, held by tests: rows of a section stand together, every row has its doc
 * and either a default or an example, defaults are within the bounds.
 */
#include "config/settings.h"

#include <string.h>

#include "base/must.h"
#include "base/text.h"

#define SECOND INT64_C(1000)
#define HOUR (INT64_C(3600) * SECOND)
#define DAY (INT64_C(24) * HOUR)
#define YEAR (INT64_C(365) * DAY)

enum {
    NAME_MAX_BYTES = 64,
    TEXT_MAX_BYTES = 4096,
    ARG_MAX_BYTES = 65536,
    LIST_MAX = 256
};

#define AT_TOP(field) .section = SECTION_TOP, .offset = offsetof(struct config, field)
#define AT_REDIS(field) .section = SECTION_REDIS, .offset = offsetof(struct config, field)
#define AT_LOG(field) .section = SECTION_LOG, .offset = offsetof(struct config, field)
#define AT_FAILED(field)                                                                 \
    .section = SECTION_FAILED, .offset = offsetof(struct config, field)
#define AT_CONSOLE(field)                                                                \
    .section = SECTION_CONSOLE, .offset = offsetof(struct config, field)
#define AT_POOL(field)                                                                   \
    .section = SECTION_POOLS, .offset = offsetof(struct pool_config, field)
#define AT_DATABASE(field)                                                               \
    .section = SECTION_DATABASES, .offset = offsetof(struct database_config, field)
#define AT_JOB(field)                                                                    \
    .section = SECTION_JOBS, .offset = offsetof(struct job_config, field)

const struct section sections[SECTION_CT] = {
    [SECTION_TOP] = {.name = "", .doc = "Settings of drover as a whole."},
    [SECTION_REDIS] = {.name = "redis", .doc = "The Redis that holds the queues."},
    [SECTION_LOG] = {.name = "log", .doc = "The log: one line per event on stderr."},
    [SECTION_FAILED] = {.name = "failed", .doc = "Where jobs go that failed for good."},
    [SECTION_CONSOLE] = {.name = "console", .doc = "HTTP for metrics and health checks."},
    [SECTION_POOLS] = {.name = "pools",
                       .doc = "Pools: workers that share queues and settings.",
                       .is_list = true,
                       .offset = offsetof(struct config, pools),
                       .ct_offset = offsetof(struct config, pool_ct),
                       .item_bytes = sizeof(struct pool_config),
                       .item_max = 64},
    [SECTION_JOBS] = {.name = "jobs",
                      .doc = "Jobs by name, and the command that each one runs. A job "
                             "with no entry is treated as its pool's `unmatched` says.",
                      .is_list = true,
                      .offset = offsetof(struct config, jobs),
                      .ct_offset = offsetof(struct config, job_ct),
                      .item_bytes = sizeof(struct job_config),
                      .item_max = 4096},
    [SECTION_DATABASES] = {.name = "databases",
                           .doc = "PostgreSQL databases that jobs of type sql use.",
                           .is_list = true,
                           .offset = offsetof(struct config, databases),
                           .ct_offset = offsetof(struct config, database_ct),
                           .item_bytes = sizeof(struct database_config),
                           .item_max = 64},
};

/* Words in the order of the enums that they stand for. */
static const char *const levels[] = {"debug", "info", "warning", "error", NULL};
static const char *const formats[] = {"logfmt", "json", NULL};
static const char *const log_jobs[] = {"all", "failed", NULL};
static const char *const stores[] = {"redis", "postgres", NULL};
static const char *const unmatched[] = {"fail", "release", NULL};
static const char *const job_types[] = {"shell", "noop", "http", "laravel", "sql", NULL};

const struct setting settings[] = {
    {AT_TOP(state_dir), .name = "state_dir", .type = SETTING_TEXT, .min = 1,
     .max = TEXT_MAX_BYTES, .initial = "/var/lib/drover",
     .doc = "Directory of the control socket and of the embedded Redis; made (mode 0700) "
            "if missing, and locked."},
    {AT_TOP(user), .name = "user", .type = SETTING_TEXT, .flags = SETTING_NAME, .min = 1,
     .max = NAME_MAX_BYTES, .example = "\"drover\"",
     .doc = "User to become when started as root."},
    {AT_TOP(stop_grace_ms), .name = "stop_grace", .type = SETTING_SECONDS,
     .flags = SETTING_RELOADS, .min = 0, .max = DAY, .initial = "30",
     .doc = "How long running jobs may take to finish at a stop, before they are ended "
            "and given back."},
    {AT_TOP(hang_timeout_ms), .name = "hang_timeout", .type = SETTING_SECONDS,
     .flags = SETTING_RELOADS, .min = SECOND, .max = DAY, .initial = "30",
     .doc = "A worker whose heartbeat stands still for so long is killed and replaced. "
            "Must be less than every pool's lease; by default it is at most two thirds "
            "of the shortest lease, but never below 2 s."},
    {AT_TOP(max_payload_mib), .name = "max_payload", .type = SETTING_MIB,
     .flags = SETTING_RELOADS, .min = 1, .max = 512, .initial = "16",
     .doc = "A job whose payload is larger is moved to the failed store unread."},

    {AT_REDIS(redis.url), .name = "url", .type = SETTING_URL, .min = 1,
     .max = TEXT_MAX_BYTES, .initial = "embedded", .env = "REDIS_URL",
     .doc = "\"embedded\" runs a private Redis of drover's own: redis-server, or where "
            "there is none valkey-server. Else "
            "redis://user:password@host:6379/0 (tcp:// means the same), "
            "unix:///run/redis.sock?db=0, or the bare path of a socket. "
            "The default holds only where host and port are not given either."},
    {AT_REDIS(redis.host), .name = "host", .type = SETTING_TEXT, .flags = SETTING_NAME,
     .min = 1, .max = TEXT_MAX_BYTES, .initial = "127.0.0.1", .env = "REDIS_HOST",
     .doc = "Host of the Redis server, or the path of its unix socket; for use instead "
            "of url."},
    {AT_REDIS(redis.port), .name = "port", .type = SETTING_INTEGER, .min = 0,
     .max = 65535, .initial = "6379", .env = "REDIS_PORT",
     .doc = "Port of the Redis server; goes with host."},
    {AT_REDIS(redis.username), .name = "username", .type = SETTING_TEXT, .min = 1,
     .max = TEXT_MAX_BYTES, .example = "\"drover\"", .env = "REDIS_USERNAME",
     .doc = "User to log in to Redis as (Redis ACL), where url names none."},
    {AT_REDIS(redis.password), .name = "password", .type = SETTING_SECRET, .min = 1,
     .max = TEXT_MAX_BYTES, .example = "\"change me\"", .env = "REDIS_PASSWORD",
     .doc = "Password to log in to Redis with, where url holds none. Never shown or "
            "logged. Not used with the embedded Redis."},
    {AT_REDIS(redis.password_file), .name = "password_file", .type = SETTING_TEXT,
     .min = 1, .max = TEXT_MAX_BYTES, .example = "\"/etc/drover/redis-password\"",
     .doc = "File that holds the password, for use instead of password; its mode must "
            "be 0640 or stricter. Relative to this file's directory."},
    {AT_REDIS(redis.db), .name = "db", .type = SETTING_INTEGER, .min = 0,
     .max = INT32_MAX, .initial = "0", .env = "REDIS_DB",
     .doc = "Number of the Redis database, where url names none."},
    {AT_REDIS(redis.prefix), .name = "prefix", .type = SETTING_TEXT,
     .flags = SETTING_MAY_BE_EMPTY, .min = 0, .max = 256, .initial = "",
     .env = "REDIS_PREFIX",
     .doc = "What stands before every key; where Laravel's jobs are to be seen it must "
            "be Laravel's, as \"laravel_database_\"."},

    {AT_LOG(log.level), .name = "level", .type = SETTING_ENUM, .flags = SETTING_RELOADS,
     .words = levels, .initial = "info", .doc = "The least level that is written."},
    {AT_LOG(log.format), .name = "format", .type = SETTING_ENUM, .flags = SETTING_RELOADS,
     .words = formats, .initial = "logfmt",
     .doc = "logfmt writes key=value pairs, json one JSON object per line."},
    {AT_LOG(log.jobs), .name = "jobs", .type = SETTING_ENUM, .flags = SETTING_RELOADS,
     .words = log_jobs, .initial = "all",
     .doc = "all writes a line for every finished job; failed leaves out those that went "
            "well."},

    {AT_FAILED(failed.store), .name = "store", .type = SETTING_ENUM,
     .flags = SETTING_RELOADS, .words = stores, .initial = "redis",
     .doc = "Store of the failed jobs: redis keeps them beside the queues; postgres in "
            "Laravel's failed_jobs table, which `drover failed migrate` makes, and in "
            "Redis as long as PostgreSQL cannot be reached. The settings below are for "
            "postgres."},
    {AT_FAILED(failed.dsn), .name = "dsn", .type = SETTING_URL, .flags = SETTING_RELOADS,
     .min = 1, .max = TEXT_MAX_BYTES, .example = "\"host=db dbname=app user=drover\"",
     .env = "DB_URL",
     .doc =
         "The database, as libpq takes it: \"host=db dbname=app user=drover\" or "
         "postgresql://drover@db/app. The environment's DB_* are looked at only where "
         "this file has no dsn, and DB_CONNECTION, if it is set, must be pgsql then. A "
         "password in it is never shown."},
    {AT_FAILED(failed.host), .name = "host", .type = SETTING_TEXT,
     .flags = SETTING_RELOADS | SETTING_NAME, .min = 1, .max = TEXT_MAX_BYTES,
     .example = "\"127.0.0.1\"", .env = "DB_HOST",
     .doc = "Host of PostgreSQL, or the directory of its unix socket; for use instead of "
            "dsn, as are port, database and username."},
    {AT_FAILED(failed.port), .name = "port", .type = SETTING_INTEGER,
     .flags = SETTING_RELOADS, .min = 1, .max = 65535, .example = "5432",
     .env = "DB_PORT", .doc = "Port of PostgreSQL; goes with host."},
    {AT_FAILED(failed.database), .name = "database", .type = SETTING_TEXT,
     .flags = SETTING_RELOADS, .min = 1, .max = 256, .example = "\"app\"",
     .env = "DB_DATABASE", .doc = "Name of the database."},
    {AT_FAILED(failed.username), .name = "username", .type = SETTING_TEXT,
     .flags = SETTING_RELOADS, .min = 1, .max = TEXT_MAX_BYTES, .example = "\"drover\"",
     .env = "DB_USERNAME", .doc = "User to log in to PostgreSQL as."},
    {AT_FAILED(failed.password), .name = "password", .type = SETTING_SECRET,
     .flags = SETTING_RELOADS, .min = 1, .max = TEXT_MAX_BYTES,
     .example = "\"change me\"", .env = "DB_PASSWORD",
     .doc = "Password to log in to PostgreSQL with, where dsn holds none. Never shown or "
            "logged."},
    {AT_FAILED(failed.password_file), .name = "password_file", .type = SETTING_TEXT,
     .flags = SETTING_RELOADS, .min = 1, .max = TEXT_MAX_BYTES,
     .example = "\"/etc/drover/postgres-password\"",
     .doc = "File that holds the password, for use instead of password; its mode must "
            "be 0640 or stricter. Relative to this file's directory."},
    {AT_FAILED(failed.table), .name = "table", .type = SETTING_TEXT,
     .flags = SETTING_RELOADS | SETTING_NAME, .min = 1, .max = 127,
     .initial = "failed_jobs",
     .doc = "Table of the failed jobs, with its schema before a dot where it has one."},

    {AT_CONSOLE(console_listen), .name = "listen", .type = SETTING_TEXT,
     .flags = SETTING_NAME, .min = 1, .max = 256, .initial = "127.0.0.1:9310",
     .doc = "Address and port for metrics and health. Accepted, but nothing listens in "
            "this version."},

    {AT_POOL(name), .name = "name", .type = SETTING_TEXT,
     .flags = SETTING_RELOADS | SETTING_NAME, .min = 1, .max = NAME_MAX_BYTES,
     .initial = "main", .doc = "Name of the pool, in commands, logs and process titles."},
    {AT_POOL(queues), .name = "queues", .type = SETTING_TEXTS,
     .flags = SETTING_RELOADS | SETTING_NAME, .min = 1, .max = LIST_MAX, .item_max = 255,
     .initial = "high,default,low", .env = "REDIS_QUEUE",
     .doc = "Queues in order of priority: a job is taken from one only while those "
            "before it are empty. None ends in :delayed, :reserved or :notify: those "
            "are keys of the queue before the colon."},
    {AT_POOL(workers), .name = "workers", .type = SETTING_INTEGER,
     .flags = SETTING_RELOADS, .min = 0, .max = 256, .initial = "2",
     .doc = "Number of worker processes."},
    {AT_POOL(concurrency), .name = "concurrency", .type = SETTING_INTEGER,
     .flags = SETTING_RELOADS, .min = 1, .max = 10000, .initial = "16",
     .doc = "Jobs that one worker runs at the same time."},
    {AT_POOL(tries), .name = "tries", .type = SETTING_INTEGER, .flags = SETTING_RELOADS,
     .min = 0, .max = INT32_MAX, .initial = "3",
     .doc = "Runs after which a job fails, unless its payload or its entry in jobs says "
            "otherwise; 0: without limit."},
    {AT_POOL(backoff), .name = "backoff", .type = SETTING_TIMES, .flags = SETTING_RELOADS,
     .min = 1, .max = 32, .item_max = YEAR, .initial = "1,5,30",
     .doc = "Waits before the second run, the third and so on; the last one repeats."},
    {AT_POOL(timeout_ms), .name = "timeout", .type = SETTING_SECONDS,
     .flags = SETTING_RELOADS, .min = 0, .max = YEAR, .initial = "60",
     .doc = "How long one run of a job may take; 0: without limit."},
    {AT_POOL(lease_ms), .name = "lease", .type = SETTING_SECONDS,
     .flags = SETTING_RELOADS, .min = SECOND, .max = YEAR, .initial = "90",
     .doc = "How long a taken job stays hidden from others once its worker is gone "
            "(Laravel's retry_after). It is extended while the job runs, so it may be "
            "shorter than timeout."},
    {AT_POOL(poll_interval_ms), .name = "poll_interval", .type = SETTING_SECONDS,
     .flags = SETTING_RELOADS, .min = 10, .max = 60 * SECOND, .initial = "1",
     .doc = "How often idle workers look for jobs that were pushed without a token in "
            "the notify list; those with one start at once."},
    {AT_POOL(max_crashes), .name = "max_crashes", .type = SETTING_INTEGER,
     .flags = SETTING_RELOADS, .min = 0, .max = 1000, .initial = "3",
     .doc = "Workers that may die over one job; with so many behind it the job runs "
            "alone once more, then it fails. 0: without limit."},
    {AT_POOL(max_jobs), .name = "max_jobs", .type = SETTING_INTEGER,
     .flags = SETTING_RELOADS, .min = 0, .max = INT32_MAX, .initial = "0",
     .doc =
         "A worker is replaced after so many jobs have run; 0: never. One that was put "
         "off before it was tried has not."},
    {AT_POOL(max_time_ms), .name = "max_time", .type = SETTING_SECONDS,
     .flags = SETTING_RELOADS, .min = 0, .max = YEAR, .initial = "0",
     .doc = "A worker is replaced after so long; 0: never."},
    {AT_POOL(memory_mib), .name = "memory", .type = SETTING_MIB, .flags = SETTING_RELOADS,
     .min = 0, .max = 1048576, .initial = "0",
     .doc = "A worker that uses more memory is replaced; 0: never."},
    {AT_POOL(unmatched), .name = "unmatched", .type = SETTING_ENUM,
     .flags = SETTING_RELOADS, .words = unmatched, .initial = "fail",
     .doc = "What becomes of a job with no entry in jobs: fail, or release, which leaves "
            "it to others."},

    {AT_JOB(name), .name = "name", .type = SETTING_TEXT,
     .flags = SETTING_RELOADS | SETTING_REQUIRED, .min = 1, .max = 255,
     .example = "\"resize\"", .job_type = JOB_ANY,
     .doc = "Name of the job, or a glob with * and ?: an exact name counts before a "
            "glob, a longer glob before a shorter one. A backslash is written twice: "
            "\"App\\\\Jobs\\\\*\"."},
    {AT_JOB(type), .name = "type", .type = SETTING_ENUM,
     .flags = SETTING_RELOADS | SETTING_REQUIRED, .words = job_types,
     .example = "\"shell\"", .job_type = JOB_ANY,
     .doc =
         "How it is run: shell starts a command, http calls a URL, laravel runs a job "
         "of Laravel's in PHP, sql runs a statement in PostgreSQL, noop does nothing."},
    {AT_JOB(tries), .name = "tries", .type = SETTING_INTEGER, .flags = SETTING_RELOADS,
     .min = 0, .max = INT32_MAX, .example = "5", .job_type = JOB_ANY,
     .doc = "Runs after which it fails, instead of the pool's tries; 0: without limit."},
    {AT_JOB(backoff), .name = "backoff", .type = SETTING_TIMES, .flags = SETTING_RELOADS,
     .min = 1, .max = 32, .item_max = YEAR, .example = "[ 1, 5, 30 ]",
     .job_type = JOB_ANY,
     .doc = "Waits between its runs, instead of the pool's backoff."},
    {AT_JOB(timeout_ms), .name = "timeout", .type = SETTING_SECONDS,
     .flags = SETTING_RELOADS, .min = 0, .max = YEAR, .example = "300",
     .job_type = JOB_ANY,
     .doc = "How long one run may take, instead of the pool's timeout; 0: without "
            "limit."},
    {AT_JOB(command), .name = "command", .type = SETTING_TEXTS,
     .flags = SETTING_RELOADS | SETTING_REQUIRED | SETTING_RAW | SETTING_TEMPLATE,
     .min = 1, .max = LIST_MAX, .item_max = ARG_MAX_BYTES,
     .example = "[ \"/usr/bin/convert\", \"{data.file}\", \"-resize\", \"50%\", "
                "\"out.png\" ]",
     .job_type = JOB_SHELL,
     .doc = "Program and arguments; no shell is involved unless it is the program. "
            "{data.file} becomes the value at that path of the payload, as part of one "
            "argument; {{ and }} stand for single braces."},
    {AT_JOB(env), .name = "env", .type = SETTING_TEXTS,
     .flags = SETTING_RELOADS | SETTING_RAW, .min = 0, .max = LIST_MAX,
     .item_max = ARG_MAX_BYTES, .example = "[ \"LANG=C.UTF-8\" ]",
     .job_type = JOB_PROCESS,
     .doc = "Environment of the command, as \"NAME=value\", besides PATH, LANG and the "
            "DROVER_ variables of the job; it gets nothing of drover's own, but where "
            "inherit_env says so."},
    {AT_JOB(cwd), .name = "cwd", .type = SETTING_TEXT, .flags = SETTING_RELOADS, .min = 1,
     .max = TEXT_MAX_BYTES, .example = "\"/srv/images\"", .job_type = JOB_SHELL,
     .doc = "Directory that the command is started in, an absolute path."},
    {AT_JOB(kill_grace_ms), .name = "kill_grace", .type = SETTING_SECONDS,
     .flags = SETTING_RELOADS, .min = 0, .max = HOUR, .initial = "5",
     .job_type = JOB_PROCESS,
     .doc = "Time between SIGTERM and SIGKILL when the command must end."},
    {AT_JOB(http.url), .name = "url", .type = SETTING_TEXT,
     .flags = SETTING_RELOADS | SETTING_REQUIRED | SETTING_TEMPLATE, .min = 1,
     .max = TEXT_MAX_BYTES, .example = "\"https://hooks.example/{data.customer}\"",
     .job_type = JOB_HTTP,
     .doc = "URL that is called, http or https. A value of the payload is "
            "percent-encoded; in the host it may only be part of a name. \"{data.url}\" "
            "alone takes the whole URL from the payload."},
    {AT_JOB(http.method), .name = "method", .type = SETTING_TEXT,
     .flags = SETTING_RELOADS | SETTING_NAME, .min = 1, .max = 16, .initial = "POST",
     .job_type = JOB_HTTP,
     .doc = "Method of the request; GET, HEAD and DELETE are sent without a body."},
    {AT_JOB(http.headers), .name = "headers", .type = SETTING_TEXTS,
     .flags = SETTING_RELOADS | SETTING_TEMPLATE, .min = 0, .max = LIST_MAX,
     .item_max = TEXT_MAX_BYTES,
     .example = "[ \"Authorization: Bearer 7f3a\", \"X-Customer: {data.customer}\" ]",
     .job_type = JOB_HTTP,
     .doc = "Headers as \"Name: value\", besides Content-Type and those that identify "
            "and sign the request."},
    {AT_JOB(http.body), .name = "body", .type = SETTING_TEXT,
     .flags = SETTING_RELOADS | SETTING_RAW | SETTING_TEMPLATE, .min = 1,
     .max = ARG_MAX_BYTES, .example = "\"{{ \\\"id\\\": {data.id} }}\"",
     .job_type = JOB_HTTP,
     .doc = "Body, instead of the payload's data. {data.id} becomes the value as it "
            "stands in the payload, a text with its quotes, so that the body is JSON "
            "again."},
    {AT_JOB(http.connect_timeout_ms), .name = "connect_timeout", .type = SETTING_SECONDS,
     .flags = SETTING_RELOADS, .min = 1, .max = HOUR, .initial = "5",
     .job_type = JOB_HTTP,
     .doc = "How long finding the address, connecting and TLS may take together."},
    {AT_JOB(http.ca_file), .name = "ca_file", .type = SETTING_TEXT,
     .flags = SETTING_RELOADS, .min = 1, .max = TEXT_MAX_BYTES,
     .example = "\"/etc/drover/ca.pem\"", .job_type = JOB_HTTP,
     .doc = "Certificates (PEM) that servers are trusted by, instead of the system's. An "
            "absolute path."},
    {AT_JOB(http.cert_file), .name = "cert_file", .type = SETTING_TEXT,
     .flags = SETTING_RELOADS, .min = 1, .max = TEXT_MAX_BYTES,
     .example = "\"/etc/drover/client.pem\"", .job_type = JOB_HTTP,
     .doc = "Client certificate (PEM), if the server wants one. An absolute path."},
    {AT_JOB(http.key_file), .name = "key_file", .type = SETTING_TEXT,
     .flags = SETTING_RELOADS, .min = 1, .max = TEXT_MAX_BYTES,
     .example = "\"/etc/drover/client.key\"", .job_type = JOB_HTTP,
     .doc = "Key of the client certificate (PEM), where cert_file does not hold it. An "
            "absolute path."},
    {AT_JOB(http.secret), .name = "secret", .type = SETTING_SECRET,
     .flags = SETTING_RELOADS | SETTING_RAW, .min = 1, .max = 512,
     .example = "\"whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\"",
     .job_type = JOB_HTTP,
     .doc = "Secret that requests are signed with as Standard Webhooks says; two, with "
            "\\n between them, while receivers change over to the first. Never shown or "
            "logged."},
    {AT_JOB(http.secret_file), .name = "secret_file", .type = SETTING_TEXT,
     .flags = SETTING_RELOADS, .min = 1, .max = TEXT_MAX_BYTES,
     .example = "\"/etc/drover/webhook-secret\"", .job_type = JOB_HTTP,
     .doc = "File that holds the secret, or two, a line each, for use instead of secret; "
            "its mode must be 0640 or stricter. Relative to this file's directory."},
    {AT_JOB(http.max_response_kib), .name = "max_response", .type = SETTING_KIB,
     .flags = SETTING_RELOADS, .min = 1, .max = 1048576, .initial = "1024",
     .job_type = JOB_HTTP,
     .doc = "How much of an answer's body is read; then the connection is closed, and "
            "the status decides."},
    {AT_JOB(http.max_in_flight), .name = "max_in_flight", .type = SETTING_INTEGER,
     .flags = SETTING_RELOADS, .min = 0, .max = 10000, .initial = "0",
     .job_type = JOB_HTTP,
     .doc = "Requests that one worker has on their way to one endpoint (scheme, host and "
            "port) at a time; further jobs are put aside without spending an attempt. 0: "
            "without limit, once the endpoint answers."},
    {AT_JOB(http.breaker_failures), .name = "breaker_failures", .type = SETTING_INTEGER,
     .flags = SETTING_RELOADS, .min = 0, .max = 1000000, .initial = "5",
     .job_type = JOB_HTTP,
     .doc = "Failures in a row (no answer, 5xx, 408) after which an endpoint is left "
            "alone for a while, 1 s at first, 5 minutes at most, with one request at a "
            "time to see whether it is back; its jobs wait and spend no attempt. 0: "
            "never."},
    {AT_JOB(http.permanent_4xx), .name = "permanent_4xx", .type = SETTING_BOOL,
     .flags = SETTING_RELOADS, .initial = "false", .job_type = JOB_HTTP,
     .doc = "Whether a 4xx other than 408, 425 and 429 fails the job at once; 410 always "
            "does."},
    {AT_JOB(http.allow_networks), .name = "allow_networks", .type = SETTING_TEXTS,
     .flags = SETTING_RELOADS | SETTING_NAME, .min = 0, .max = LIST_MAX, .item_max = 64,
     .example = "[ \"10.0.0.0/8\", \"127.0.0.1\" ]", .job_type = JOB_HTTP,
     .doc = "Networks that may be called though they are not public; otherwise private, "
            "loopback, link-local and other special addresses are refused, whatever name "
            "leads to them."},
    {AT_JOB(laravel.app), .name = "app", .type = SETTING_TEXT,
     .flags = SETTING_RELOADS | SETTING_REQUIRED, .min = 1, .max = TEXT_MAX_BYTES,
     .example = "\"/var/www/html\"", .job_type = JOB_LARAVEL,
     .doc = "Directory of the application, an absolute path; its bootstrap/app.php is "
            "booted once in each PHP process, which then runs one job after the other."},
    {AT_JOB(laravel.php), .name = "php", .type = SETTING_TEXTS, .flags = SETTING_RELOADS,
     .min = 1, .max = LIST_MAX, .item_max = TEXT_MAX_BYTES, .initial = "php",
     .job_type = JOB_LARAVEL, .doc = "The PHP that runs it, and options for it."},
    {AT_JOB(laravel.bridge), .name = "bridge", .type = SETTING_TEXT,
     .flags = SETTING_RELOADS, .min = 1, .max = TEXT_MAX_BYTES,
     .example = "\"/usr/local/share/drover/laravel/bridge.php\"", .job_type = JOB_LARAVEL,
     .doc = "The script that PHP runs, instead of the one that is installed with drover: "
            "it boots the application and speaks with drover. An absolute path."},
    {AT_JOB(laravel.bootstrap), .name = "bootstrap", .type = SETTING_TEXT,
     .flags = SETTING_RELOADS, .min = 1, .max = TEXT_MAX_BYTES,
     .example = "\"/var/www/html/bootstrap/worker.php\"", .job_type = JOB_LARAVEL,
     .doc = "A file that returns the application's container, instead of "
            "vendor/autoload.php and bootstrap/app.php. An absolute path."},
    {AT_JOB(laravel.inherit_env), .name = "inherit_env", .type = SETTING_BOOL,
     .flags = SETTING_RELOADS, .initial = "true", .job_type = JOB_LARAVEL,
     .doc = "Whether PHP gets drover's own environment (APP_KEY, DB_HOST and the like in "
            "a container), and env over it."},
    {AT_JOB(laravel.memory_mib), .name = "memory", .type = SETTING_MIB,
     .flags = SETTING_RELOADS, .min = 0, .max = 1048576, .initial = "128",
     .job_type = JOB_LARAVEL,
     .doc = "A PHP process that holds more after a job is replaced; 0: never."},
    {AT_JOB(laravel.max_jobs), .name = "max_jobs", .type = SETTING_INTEGER,
     .flags = SETTING_RELOADS, .min = 0, .max = INT32_MAX, .initial = "0",
     .job_type = JOB_LARAVEL,
     .doc = "A PHP process that has run so many jobs is replaced; 0: never."},
    {AT_JOB(laravel.boot_timeout_ms), .name = "boot_timeout", .type = SETTING_SECONDS,
     .flags = SETTING_RELOADS, .min = 100, .max = HOUR, .initial = "60",
     .job_type = JOB_LARAVEL,
     .doc = "How long booting the application may take. While it does not boot, jobs are "
            "put aside and spend no attempt."},
    {AT_JOB(laravel.force), .name = "force", .type = SETTING_BOOL,
     .flags = SETTING_RELOADS, .initial = "false", .job_type = JOB_LARAVEL,
     .doc = "Whether jobs are taken also while the application is down for maintenance "
            "(php artisan down); otherwise its workers take none, of any kind."},
    {AT_JOB(laravel.connection), .name = "connection", .type = SETTING_TEXT,
     .flags = SETTING_RELOADS, .min = 1, .max = 255, .initial = "redis",
     .job_type = JOB_LARAVEL,
     .doc = "Name of the queue connection in the application's config/queue.php, as its "
            "jobs see it and failed_jobs has it."},
    {AT_JOB(laravel.echo), .name = "echo", .type = SETTING_BOOL, .flags = SETTING_RELOADS,
     .initial = "false", .job_type = JOB_LARAVEL,
     .doc = "Whether what PHP writes to its standard output and error (the application's "
            "log, with LOG_CHANNEL=stderr) goes to drover's own too, besides into the "
            "record of a failure. What nobody reads there is lost."},
    {AT_JOB(sql.database), .name = "database", .type = SETTING_TEXT,
     .flags = SETTING_RELOADS | SETTING_REQUIRED, .min = 1, .max = NAME_MAX_BYTES,
     .example = "\"main\"", .job_type = JOB_SQL,
     .doc = "Name of the database that the statement runs in, one of databases."},
    {AT_JOB(sql.statement), .name = "statement", .type = SETTING_TEXT,
     .flags = SETTING_RELOADS | SETTING_REQUIRED | SETTING_RAW, .min = 1,
     .max = ARG_MAX_BYTES,
     .example = "\"INSERT INTO acct (session, octets) VALUES ($1, $2)\"",
     .job_type = JOB_SQL,
     .doc =
         "One SQL statement, which neither ends its transaction nor leaves anything in "
         "its session. Values of the payload come in as $1, $2 and so on, never as part "
         "of it."},
    {AT_JOB(sql.params), .name = "params", .type = SETTING_TEXTS,
     .flags = SETTING_RELOADS | SETTING_NAME, .min = 0, .max = LIST_MAX, .item_max = 255,
     .example = "[ \"data.session\", \"data.octets\" ]", .job_type = JOB_SQL,
     .doc =
         "Paths of the payload that $1, $2 and so on are taken from, as many as the "
         "statement has: text and numbers as they are, null as NULL, arrays and objects "
         "as JSON."},
    {AT_JOB(sql.batch), .name = "batch", .type = SETTING_INTEGER,
     .flags = SETTING_RELOADS, .min = 1, .max = 1000, .initial = "1", .job_type = JOB_SQL,
     .doc = "Jobs that are run in one transaction, at most. One that the database "
            "refuses does not spoil the others. No more than the largest concurrency of "
            "a pool; in a smaller pool no batch is full."},
    {AT_JOB(sql.batch_wait_ms), .name = "batch_wait", .type = SETTING_SECONDS,
     .flags = SETTING_RELOADS, .min = 0, .max = 60 * SECOND, .initial = "0.05",
     .job_type = JOB_SQL,
     .doc = "How long a batch that is not full waits for more jobs."},
    {AT_JOB(sql.once), .name = "once", .type = SETTING_BOOL, .flags = SETTING_RELOADS,
     .initial = "false", .job_type = JOB_SQL,
     .doc = "Whether the job's uuid is noted in the table drover_inbox in the same "
            "transaction, so that it takes effect exactly once, whatever dies in "
            "between; `drover sql migrate` makes the table. A job without a uuid fails."},

    {AT_DATABASE(name), .name = "name", .type = SETTING_TEXT,
     .flags = SETTING_RELOADS | SETTING_REQUIRED | SETTING_NAME, .min = 1,
     .max = NAME_MAX_BYTES, .example = "\"main\"",
     .doc = "Name of the database in jobs and in the log."},
    {AT_DATABASE(dsn), .name = "dsn", .type = SETTING_URL, .flags = SETTING_RELOADS,
     .min = 1, .max = TEXT_MAX_BYTES, .example = "\"host=db dbname=app user=drover\"",
     .doc = "Where the database is, as libpq takes it: \"host=db dbname=app\" or "
            "postgresql://user@db/app. With several hosts and "
            "target_session_attrs=read-write the one that takes writes is found."},
    {AT_DATABASE(service), .name = "service", .type = SETTING_TEXT,
     .flags = SETTING_RELOADS | SETTING_NAME, .min = 1, .max = 256,
     .example = "\"accounting\"",
     .doc = "Service in libpq's pg_service.conf, for use instead of dsn."},
    {AT_DATABASE(password), .name = "password", .type = SETTING_SECRET,
     .flags = SETTING_RELOADS, .min = 1, .max = TEXT_MAX_BYTES,
     .example = "\"change me\"",
     .doc = "Password to log in with, where dsn holds none. Never shown or logged."},
    {AT_DATABASE(password_file), .name = "password_file", .type = SETTING_TEXT,
     .flags = SETTING_RELOADS, .min = 1, .max = TEXT_MAX_BYTES,
     .example = "\"/etc/drover/db-password\"",
     .doc = "File that holds the password, for use instead of password; its mode must "
            "be 0640 or stricter. Relative to this file's directory."},
    {AT_DATABASE(pool), .name = "pool", .type = SETTING_INTEGER, .flags = SETTING_RELOADS,
     .min = 1, .max = 64, .initial = "4",
     .doc = "Connections that one worker opens at most."},
    {AT_DATABASE(search_path), .name = "search_path", .type = SETTING_TEXT,
     .flags = SETTING_RELOADS | SETTING_TEMPLATE, .min = 1, .max = 1024,
     .example = "\"tenant_{data.tenant}\"",
     .doc = "Schemas that names are looked up in, for the transaction alone; with "
            "placeholders, each job's own. Each must be a lower-case identifier once "
            "those are filled in. PostgreSQL passes over one that does not exist: behind "
            "a tenant's, public would get the rows of tenants that there are not."},
    {AT_DATABASE(read_only), .name = "read_only", .type = SETTING_BOOL,
     .flags = SETTING_RELOADS, .initial = "false",
     .doc = "Whether transactions are READ ONLY."},
    {AT_DATABASE(inbox_keep_ms), .name = "inbox_keep", .type = SETTING_SECONDS,
     .flags = SETTING_RELOADS, .min = HOUR, .max = YEAR, .initial = "604800",
     .doc = "How long drover_inbox remembers a job that ran once; longer than a job can "
            "come again."},
};

const size_t setting_ct = ARRAY_CT(settings);

void settings_of(enum section_id section, size_t *first, size_t *ct)
{
    *first = 0;
    while (*first < setting_ct && settings[*first].section != section)
        ++*first;
    *ct = 0;
    while (*first + *ct < setting_ct && settings[*first + *ct].section == section)
        ++*ct;
}

const struct setting *setting_find(enum section_id section, const char *name)
{
    size_t first, ct;

    settings_of(section, &first, &ct);
    for (size_t i = first; i < first + ct; i++)
        if (strcmp(settings[i].name, name) == 0)
            return &settings[i];
    return NULL;
}

const struct section *section_find(const char *name)
{
    for (size_t i = SECTION_TOP + 1; i < SECTION_CT; i++)
        if (strcmp(sections[i].name, name) == 0)
            return &sections[i];
    return NULL;
}

/* What a pool's setting is called in Laravel, Horizon and Supervisor, where our name is
 * too far from it to be guessed. */
static const char *pool_setting_elsewhere(const char *name)
{
    static const char *const names[][2] = {
        {"retry_after", "lease"}, {"sleep", "poll_interval"},
        {"processes", "workers"}, {"maxProcesses", "workers"},
        {"numprocs", "workers"},  {"threads", "concurrency"},
        {"retries", "tries"},     {"delay", "backoff"}};

    for (size_t i = 0; i < ARRAY_CT(names); i++)
        if (strcmp(name, names[i][0]) == 0)
            return names[i][1];
    return NULL;
}

const char *setting_nearest(enum section_id section, const char *name)
{
    const char *names[ARRAY_CT(settings) + SECTION_CT], *known;
    size_t first, ct, name_ct = 0;

    known = section == SECTION_POOLS ? pool_setting_elsewhere(name) : NULL;
    if (known)
        return known;

    settings_of(section, &first, &ct);
    for (size_t i = first; i < first + ct; i++)
        names[name_ct++] = settings[i].name;
    for (size_t i = SECTION_TOP + 1; section == SECTION_TOP && i < SECTION_CT; i++)
        names[name_ct++] = sections[i].name;
    return text_nearest(name, names, name_ct);
}

const char *setting_section_of(const char *name)
{
    static const char *const places[SECTION_CT] = {
        [SECTION_TOP] = "the top",     [SECTION_REDIS] = "redis",
        [SECTION_LOG] = "log",         [SECTION_FAILED] = "failed",
        [SECTION_CONSOLE] = "console", [SECTION_POOLS] = "pools[]",
        [SECTION_JOBS] = "jobs[]",     [SECTION_DATABASES] = "databases[]",
    };

    for (size_t i = 0; i < setting_ct; i++)
        if (strcmp(settings[i].name, name) == 0)
            return places[settings[i].section];
    return NULL;
}

bool setting_is_of_type(const struct setting *setting, int type)
{
    if (setting->job_type == JOB_PROCESS)
        return type == JOB_SHELL || type == JOB_LARAVEL;
    return setting->job_type == JOB_ANY || setting->job_type == type;
}

const char *setting_types_text(const struct setting *setting)
{
    return setting->job_type == JOB_PROCESS ? "shell or laravel"
                                            : job_types[setting->job_type];
}
