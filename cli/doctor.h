/* `drover doctor`: what was found out about a deployment (facts), what there is to say of
 * it (findings), and the table of checks between the two.
 *
 * Gathering (doctor_gather.h) asks and never judges; a check judges and never asks: it is
 * a pure function of the facts.
 */
#ifndef CLI_DOCTOR_H
#define CLI_DOCTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "config/config.h"
#include "queue/survey.h"

/* ---- facts ---- */

/* What the application says of itself. Texts are NULL where they are not known. */
struct app_facts {
    char *dir; /* NULL: there is no Laravel project here */
    char
        *trouble; /* why it could not be asked; NULL: it was, and the rest is filled in */
    char *laravel; /* versions */
    char *php;
    char *environment; /* "production" */
    bool has_pcntl, has_phpredis;
    char *bridge;      /* to be named in drover.conf; NULL: the installed one is there */
    char *connection;  /* name of the queue connection */
    char *driver;      /* of the queue connection */
    char *client;      /* "phpredis", "predis" */
    char *serializer;  /* set on the Redis connection; NULL: none, as it must be */
    char *compression; /* likewise */
    bool cluster;
    char *prefix;
    char *queue; /* default of the connection */
    int64_t retry_after_s;
    char *redis;     /* where, as redis_endpoint_text() has it; NULL: not to be used */
    char *redis_url; /* the same for drover.conf, without the password */
    char *redis_trouble; /* why not */
    char *failed_driver; /* "database-uuids" */
    char *failed_table;
    char *failed_database; /* driver of its database connection: "pgsql" */
    char *failed_dsn;      /* for drover.conf, without the password; NULL: not there */
    bool has_secrets;      /* there are passwords */
    bool is_down;
    bool has_horizon;
};

enum table_state {
    TABLE_UNASKED,
    TABLE_THERE,
    TABLE_MISSING,
    TABLE_BAD,
    TABLE_UNREACHED
};

/* A table in PostgreSQL, or the server alone. */
struct table_facts {
    char *name; /* of the entry in databases; "failed" for the failed jobs' */
    enum table_state state;
    bool needed;  /* the table; false: only the server was asked for */
    char *table;  /* its name */
    char *reason; /* TABLE_BAD, TABLE_UNREACHED */
};

struct facts {
    const struct config *config; /* in force; never NULL */
    bool has_file;               /* it came from one */
    char *config_trouble;        /* what is wrong in that; NULL: nothing */
    char *machine;               /* what it names and this machine lacks, a line each */
    struct table_facts failed;
    struct table_facts *databases;
    size_t database_ct;
    char *redis; /* where was asked, without secrets */
    bool redis_reached;
    char *redis_trouble;  /* why not; NULL: reached, or nobody said which to ask */
    struct survey survey; /* where reached */
    char *paused;         /* queues that are paused, with commas; NULL: none */
    struct app_facts app;
};

void facts_free(struct facts *facts); /* but for `config` */

/* ---- findings ---- */

enum doctor_level { DOCTOR_OK, DOCTOR_WARNING, DOCTOR_PROBLEM };

struct finding {
    const char *id; /* of the check */
    enum doctor_level level;
    char *text;
    char *todo; /* what to do about it; NULL where all is well */
};

struct findings {
    const char *id; /* of the check that speaks now */
    struct finding *items;
    size_t ct, cap;
};

void findings_free(struct findings *findings);
size_t findings_count(const struct findings *findings, enum doctor_level level);

void doctor_say(struct findings *out, enum doctor_level level, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
/* What to do about what was said last. */
void doctor_advise(struct findings *out, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* ---- checks ---- */

/* Says nothing where the facts give no reason to; else one line, or one for each queue,
 * database and the like. */
struct doctor_check {
    const char *id;
    const char *what; /* for the manual: what is looked at */
    void (*judge)(const struct facts *facts, struct findings *out);
};

extern const struct doctor_check doctor_app_checks[], doctor_redis_checks[],
    doctor_config_checks[]; /* each ends with id NULL */

/* All of them, in the order in which they are best read. */
void doctor_judge(const struct facts *facts, struct findings *out);

/* Of the check of that id alone; NULL ends the search in all three tables. */
const struct doctor_check *doctor_check_named(const char *id);

/* 0: nothing worse than warnings; 1: a problem; 6: Redis cannot be reached. */
int doctor_exit_code(const struct facts *facts, const struct findings *findings);

/* The longest timeout that a job may have by the configuration, in ms; 0: without limit.
 */
int64_t doctor_longest_timeout_ms(const struct config *config);

/* Adds " (5)" behind its name, and a comma before that, for a queue that holds jobs; 0:
 * it holds none, and nothing is added. For a line, so of many only the first are added.
 */
int64_t doctor_add_held(struct buf *names, size_t before_ct,
                        const struct survey_queue *queue);

/* ---- switching over ---- */

/* How to go from queue:work to drover and back, for this application. Owned texts; all
 * NULL where there is none that drover can work for. */
struct doctor_switch {
    char *over; /* "drover work redis --queue=high,default --tries=3" */
    char *back; /* the same with "php artisan queue:work" */
    char *pool; /* for drover.conf */
    char
        *others; /* queues that hold jobs and may be the application's too, with how many:
                    "mail (5), low (1)"; NULL: none, or a file says which queues count */
};
void doctor_switch_plan(const struct facts *facts, struct doctor_switch *plan);
void doctor_switch_free(struct doctor_switch *plan);

#endif
