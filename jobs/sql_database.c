/* A database with its connections.
 *
 * Whether it can be reached is learnt from each batch: one that found no connection shuts
 * the door for a while, any answer opens it again. Jobs that come meanwhile are put aside
 * at once, so that a dead database takes no slots from what can run.
 */
#include "jobs/sql_database.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"

enum {
    CONNECT_MS = 10000,
    IDLE_MS = 60000,
    PATIENCE_MS = 3000, /* of a batch while no connection is up */
    AWAY_FIRST_MS = 1000,
    AWAY_MAX_MS = 30000,
    BACK_FIRST_MS = 2000, /* where the inbox is missing */
    BACK_GAP_MS = 2,      /* between two that come back */
    JITTER_PERCENT = 25,
    PRUNE_MS = 5 * 60 * 1000,
    PRUNE_PARTS = 10,    /* of the time that notes are kept, where that is shorter */
    PRUNE_MORE_MS = 200, /* between full pages */
    PRUNE_PAGE = 5000,
    PRUNE_WITHIN_MS = 60000,
    MS_PER_S = 1000
};

struct sql_database {
    struct loop *loop;
    const struct database_config *config;
    struct pg_pool *pool;
    bool closing;
    unsigned away_ct; /* tries in a row that found no connection */
    int64_t away_until_ms;
    bool probing; /* one try was let through */
    struct err trouble;
    bool no_inbox;
    struct err inbox_trouble;
    int64_t back_at_ms; /* when the last that was put off comes back */
    int64_t put_off_ct; /* runs, since there is trouble */
    int64_t put_off_at_ms;

    struct timer prune;
    char keep_s[24];
    struct pg_param prune_param;
    struct pg_statement prune_statement;
};

/* One try, on its way. */
struct attempt {
    struct sql_database *database;
    pg_answer_cb done;
    void *arg;
};

/* ---- whether it is there ---- */

static int64_t away_ms(const struct sql_database *database)
{
    int64_t ms = AWAY_FIRST_MS;

    for (unsigned i = 1; i < database->away_ct && ms < AWAY_MAX_MS; i++)
        ms *= 2;
    return ms < AWAY_MAX_MS ? ms : AWAY_MAX_MS;
}

/* Batches that were under way together count as one try. */
static void note_away(struct sql_database *database, const struct err *why)
{
    int64_t now_ms = clock_mono_ms();

    database->trouble = *why;
    if (!database->probing && now_ms < database->away_until_ms)
        return;
    database->probing = false;
    database->away_ct++;
    database->away_until_ms = now_ms + away_ms(database);
}

static void forget_trouble(struct sql_database *database)
{
    if (database->away_ct == 0 && !database->no_inbox)
        database->put_off_ct = 0;
}

static void note_there(struct sql_database *database)
{
    database->away_ct = 0;
    database->away_until_ms = 0;
    database->probing = false;
    forget_trouble(database);
}

bool sql_database_admits(struct sql_database *database)
{
    int64_t now_ms = clock_mono_ms();

    if (database->away_ct == 0)
        return true;
    if (now_ms < database->away_until_ms)
        return false;
    database->probing = true;
    database->away_until_ms = now_ms + PATIENCE_MS; /* for the others */
    return true;
}

void sql_database_no_inbox(struct sql_database *database, const char *why)
{
    (void)err_set(&database->inbox_trouble, ERR_DATABASE, "%s: drover sql migrate", why);
    if (database->no_inbox)
        return;
    database->no_inbox = true;
    log_error("sql.no_inbox", log_str("database", database->config->name),
              log_str("reason", why), log_str("do", "drover sql migrate"));
}

void sql_database_has_inbox(struct sql_database *database)
{
    if (!database->no_inbox)
        return;
    database->no_inbox = false;
    log_info("sql.inbox_found", log_str("database", database->config->name),
             log_int("postponed", database->put_off_ct));
    forget_trouble(database);
}

/* They come back one after the other: all at once they would be one more burden, and no
 * sooner done. */
static int64_t back_in_ms(struct sql_database *database, int64_t now_ms)
{
    int64_t at_ms = database->back_at_ms + BACK_GAP_MS;

    if (at_ms < now_ms + BACK_FIRST_MS)
        at_ms = now_ms + BACK_FIRST_MS;
    if (at_ms > now_ms + AWAY_MAX_MS)
        at_ms = now_ms + AWAY_MAX_MS;
    database->back_at_ms = at_ms;
    return at_ms - now_ms;
}

int64_t sql_database_put_off(struct sql_database *database)
{
    int64_t now_ms = clock_mono_ms();

    database->put_off_ct++;
    database->put_off_at_ms = now_ms;
    if (database->away_ct == 0)
        return back_in_ms(database, now_ms);
    return random_jitter(now_ms < database->away_until_ms
                             ? database->away_until_ms - now_ms
                             : away_ms(database),
                         JITTER_PERCENT);
}

const char *sql_database_trouble(const struct sql_database *database)
{
    if (database->away_ct > 0)
        return database->trouble.text;
    return database->no_inbox ? database->inbox_trouble.text : NULL;
}

int64_t sql_database_put_off_ct(const struct sql_database *database, int64_t now_ms)
{
    return now_ms < database->put_off_at_ms + 2 * AWAY_MAX_MS ? database->put_off_ct : 0;
}

/* ---- running ---- */

/* Of a server that cannot be reached the pool speaks. */
static void say_no_server(const struct sql_database *database, const struct err *why)
{
    if (database->away_ct == 0)
        log_warning("sql.no_server", log_str("database", database->config->name),
                    log_str("reason", why->text));
}

static void take_answer(void *arg, const struct pg_answer *answer)
{
    struct attempt *attempt = arg;
    struct attempt copy = *attempt;

    free(attempt);
    if (answer->no_server)
        say_no_server(copy.database, &answer->why);
    if (answer->end != PG_UNSENT && !answer->no_server)
        note_there(copy.database);
    else if (answer->no_server || !pg_pool_is_up(copy.database->pool))
        note_away(copy.database, &answer->why);
    copy.done(copy.arg, answer);
}

struct pg_request *sql_database_run(struct sql_database *database,
                                    const struct pg_batch *batch, pg_answer_cb done,
                                    void *arg)
{
    struct attempt *attempt = must_alloc(sizeof(*attempt));
    struct pg_batch bounded = *batch;

    *attempt = (struct attempt){.database = database, .done = done, .arg = arg};
    bounded.patience_ms = PATIENCE_MS;
    return pg_pool_run(database->pool, &bounded, take_answer, attempt);
}

/* ---- the inbox ---- */

static int64_t prune_every_ms(const struct sql_database *database)
{
    int64_t ms = database->config->inbox_keep_ms / PRUNE_PARTS;

    return ms < PRUNE_MS ? ms : PRUNE_MS;
}

/* PRUNE_PAGE of them. */
static const char prune_sql[] =
    "DELETE FROM drover_inbox WHERE uuid IN (SELECT uuid FROM drover_inbox"
    " WHERE done_at < now() - make_interval(secs => $1::float8)"
    " ORDER BY done_at LIMIT 5000 FOR UPDATE SKIP LOCKED)";

static void pruned(void *arg, const struct pg_answer *answer)
{
    struct sql_database *database = arg;
    int64_t ct = answer->end == PG_DONE ? answer->results[0].affected : 0;

    if (database->closing)
        return;
    if (answer->end == PG_TURNED_DOWN && strcmp(answer->sqlstate, "42P01") == 0)
        sql_database_no_inbox(database, answer->results[0].message);
    else if (answer->end == PG_TURNED_DOWN)
        log_warning("sql.prune_failed", log_str("database", database->config->name),
                    log_str("reason", answer->why.text));
    if (ct > 0)
        log_debug("sql.pruned", log_str("database", database->config->name),
                  log_int("rows", ct));
    timer_set(&database->prune,
              ct == PRUNE_PAGE ? PRUNE_MORE_MS
                               : random_jitter(prune_every_ms(database), JITTER_PERCENT));
}

static void prune(void *arg)
{
    struct sql_database *database = arg;
    const struct pg_batch batch = {.kind = PG_ALL,
                                   .statements = &database->prune_statement,
                                   .ct = 1,
                                   .within_ms = PRUNE_WITHIN_MS,
                                   .patience_ms = PATIENCE_MS};

    (void)pg_pool_run(database->pool, &batch, pruned, database);
}

static void prepare_pruning(struct sql_database *database)
{
    (void)snprintf(database->keep_s, sizeof(database->keep_s), "%lld",
                   (long long)database->config->inbox_keep_ms / MS_PER_S);
    database->prune_param.value = slice_text(database->keep_s);
    database->prune_statement = (struct pg_statement){
        .sql = prune_sql, .params = &database->prune_param, .param_ct = 1};
}

/* ---- the whole ---- */

static struct pg_pool *open_pool(struct loop *loop, const struct database_config *config,
                                 struct err *err)
{
    struct postgres_endpoint endpoint;
    struct pg_pool *pool;

    database_endpoint_resolve(config, &endpoint);
    pool = pg_pool_create(&(struct pg_pool_options){.loop = loop,
                                                    .name = config->name,
                                                    .dsn = endpoint.dsn,
                                                    .password = endpoint.password,
                                                    .size = (unsigned)config->pool,
                                                    .connect_within_ms = CONNECT_MS,
                                                    .idle_ms = IDLE_MS},
                          err);
    postgres_endpoint_free(&endpoint);
    return pool;
}

struct sql_database *sql_database_open(struct loop *loop,
                                       const struct database_config *config,
                                       bool has_inbox, struct err *err)
{
    struct sql_database *database;
    struct pg_pool *pool = open_pool(loop, config, err);

    if (pool == NULL) {
        (void)err_prefix(err, "database \"%s\"", config->name);
        return NULL;
    }
    database = must_alloc(sizeof(*database));
    database->loop = loop;
    database->config = config;
    database->pool = pool;
    timer_init(&database->prune, loop, prune, database);
    prepare_pruning(database);
    if (has_inbox) /* workers that start together do not prune together */
        timer_set(&database->prune,
                  (int64_t)random_below((uint32_t)prune_every_ms(database)));
    return database;
}

void sql_database_close(struct sql_database *database)
{
    if (database == NULL)
        return;
    database->closing = true;
    timer_free(&database->prune);
    pg_pool_destroy(database->pool);
    free(database);
}

const struct database_config *sql_database_config(const struct sql_database *database)
{
    return database->config;
}

bool sql_database_is_closing(const struct sql_database *database)
{
    return database->closing;
}
