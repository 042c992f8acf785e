/* Jobs put through the sql handler, with the PostgreSQL that they use and a proxy before
 * it. */
#ifndef TESTS_SQL_TRIAL_H
#define TESTS_SQL_TRIAL_H

#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/log.h"
#include "jobs/sql.h"
#include "tests/support/postgres_fixture.h"
#include "tests/support/proxy.h"
#include "tests/unit/trial.h"

enum { TRIALS_MAX = 100, PLAIN = 0, MANY, ONCE, TENANT, READER, SLOW, LATE, JOB_CT };

static struct proxy *proxy; /* between the jobs and the server */
static struct config config;
static struct job_config jobs[JOB_CT];
static struct database_config databases[3];
static struct trial trials[TRIALS_MAX];
static char *texts[1 << 14]; /* payloads, which live as long as the test */
static size_t text_ct;
static char proxied_dsn[256], proxy_path[192];

#define TEXT(text) ((char *)(uintptr_t)(text))

static inline void set_job(int at, const char *database, int64_t batch, bool once,
                           const char *statement, struct text_list params)
{
    jobs[at] = (struct job_config){.type = JOB_SQL,
                                   .sql = {.database = TEXT(database),
                                           .statement = TEXT(statement),
                                           .params = params,
                                           .batch = batch,
                                           .batch_wait_ms = 50,
                                           .once = once}};
}

static inline void set_config(void)
{
    static const char *const id_and_note[] = {"data.id", "data.note", NULL};
    static const char *const id[] = {"data.id", NULL};
    static const char insert[] = "INSERT INTO t VALUES ($1, $2)";
    static struct text_list two, one;

    two = text_list_of(id_and_note);
    one = text_list_of(id);
    set_job(PLAIN, "main", 1, false, insert, two);
    set_job(MANY, "main", 8, false, insert, two);
    set_job(ONCE, "main", 8, true, insert, two);
    set_job(TENANT, "tenants", 8, false, "INSERT INTO visits VALUES ($1)", one);
    set_job(READER, "readers", 1, false, insert, two);
    set_job(SLOW, "main", 4, false,
            "INSERT INTO t SELECT $1, pg_sleep($2::text::float8)::text", two);
    set_job(LATE, "main", 8, false, "INSERT INTO later VALUES ($1)", one);
    databases[0] = (struct database_config){
        .name = TEXT("main"), .dsn = proxied_dsn, .pool = 2, .inbox_keep_ms = 3600000};
    databases[1] = databases[0];
    databases[1].name = TEXT("tenants");
    databases[1].search_path = TEXT("tenant_{data.tenant}");
    databases[2] = databases[0];
    databases[2].name = TEXT("readers");
    databases[2].read_only = true;
    config = (struct config){.jobs = jobs,
                             .job_ct = JOB_CT,
                             .databases = databases,
                             .database_ct = ARRAY_CT(databases)};
}

/* ---- the scene ---- */

static inline void open_scene(void)
{
    struct err err;

    set_config();
    ck_assert_msg(sql_open(env.loop, &config, &env.sql, &err) == 0, "%s", err.text);
}

static inline void set_up_scene(void)
{
    char directory[80];

    log_setup(LOG_ERROR, LOG_LOGFMT);
    (void)signal(SIGPIPE, SIG_IGN);
    postgres_process_start(&server);
    (void)postgres_process_do(
        &server, FRESH_SCHEMA
        "DROP SCHEMA IF EXISTS tenant_a, tenant_b CASCADE; CREATE TABLE t (id "
        "int PRIMARY KEY, note text); CREATE TABLE later (id int UNIQUE DEFERRABLE "
        "INITIALLY DEFERRED); CREATE TABLE drover_inbox (uuid text PRIMARY KEY, done_at "
        "timestamptz NOT NULL DEFAULT now()); CREATE SCHEMA tenant_a; CREATE TABLE "
        "tenant_a.visits (id int); CREATE SCHEMA tenant_b; CREATE TABLE tenant_b.visits "
        "(id int)");
    open_env();
    (void)snprintf(directory, sizeof(directory), "%s/proxied", server.dir);
    (void)mkdir(directory, 0755);
    (void)snprintf(proxied_dsn, sizeof(proxied_dsn),
                   "host=%s dbname=postgres user=postgres", directory);
    (void)snprintf(proxy_path, sizeof(proxy_path), "%s%s", directory,
                   strrchr(server.socket, '/'));
    proxy = proxy_create(env.loop, proxy_path, server.socket);
    open_scene();
}

static inline void tear_down_scene(void)
{
    sql_close(env.sql);
    env.sql = NULL;
    proxy_destroy(proxy);
    close_env();
    for (size_t i = 0; i < TRIALS_MAX; i++)
        clear(&trials[i]);
    while (text_ct > 0)
        free(texts[--text_ct]);
    postgres_process_stop(&server, POSTGRES_IMMEDIATE);
}

/* ---- jobs ---- */

static inline const char *payload_text(int number, const char *note)
{
    MUST(text_ct < ARRAY_CT(texts));
    texts[text_ct] =
        must_format("{\"uuid\":\"u-%d\",\"job\":\"t\",\"data\":{\"id\":%d,\"note\":%s,"
                    "\"tenant\":\"%s\"}}",
                    number, number, note, number % 2 ? "a" : "b");
    return texts[text_ct++];
}

static inline struct trial *start_raw(size_t at, int entry, const char *raw)
{
    struct trial *trial = &trials[at];

    clear(trial);
    set_up(trial, raw, NULL);
    trial->job.config = &jobs[entry];
    begin(trial, &sql_handler);
    return trial;
}

static inline struct trial *start_job(size_t at, int entry, int number, const char *note)
{
    return start_raw(at, entry, payload_text(number, note));
}

static inline unsigned left_ct(void)
{
    unsigned ct = 0;

    for (size_t i = 0; i < TRIALS_MAX; i++)
        ct += trials[i].left;
    return ct;
}

static inline bool all_over(void *arg UNUSED)
{
    return left_ct() == 0;
}

static inline void finish_all(void)
{
    run_until(env.loop, all_over, NULL);
}

static inline void stop_turn(void *arg)
{
    loop_stop(arg);
}

static inline void turn_once(void)
{
    struct timer timer;

    timer_init(&timer, env.loop, stop_turn, env.loop);
    timer_set(&timer, 3);
    loop_run(env.loop);
    timer_free(&timer);
}

#define UNTIL(condition)                                                                 \
    do {                                                                                 \
        int64_t until_ = clock_mono_ms() + UNTIL_DEADLINE_MS;                            \
        while (!(condition)) {                                                           \
            ck_assert_msg(clock_mono_ms() < until_, "waited too long for %s",            \
                          #condition);                                                   \
            turn_once();                                                                 \
        }                                                                                \
    } while (0)

static inline long long count(const char *what)
{
    return postgres_process_int(&server, "SELECT count(*) FROM %s", what);
}

static inline void outcome_is(size_t at, enum outcome_kind kind, const char *reason)
{
    ck_assert_msg(trials[at].outcome.kind == kind &&
                      strncmp(trials[at].outcome.reason, reason, strlen(reason)) == 0,
                  "%zu: %d %s", at, trials[at].outcome.kind, trials[at].outcome.reason);
}

static inline void add_scene(TCase *tc)
{
    add_cluster(tc);
    tcase_add_checked_fixture(tc, set_up_scene, tear_down_scene);
}

#endif
