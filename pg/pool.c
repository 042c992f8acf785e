/* Which request runs on which connection, and when connections are opened and closed.
 *
 * A request is either in the queue or on a connection. Everything is decided in pump(),
 * from the loop. Whether the database is reachable is said once per outage: an outage
 * begins with an attempt to connect that fails while no other connection is up, and ends
 * with one that works.
 */
#include "pg/pool.h"

#include <stdlib.h>
#include <sys/queue.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "pg/conn.h"

enum {
    RETRY_MIN_MS = 50,
    RETRY_MAX_MS = 2000,
    RETRY_JITTER_PERCENT = 25,
    SIZE_MAX_CONNS = 64
};

struct pg_request {
    TAILQ_ENTRY(pg_request) next;
    struct pg_pool *pool;
    struct pg_batch batch;
    pg_answer_cb done;
    void *arg;
    int64_t deadline_ms;
    struct timer timer;   /* while it waits */
    struct pg_conn *conn; /* NULL: waiting */
    bool cancelled;
};

struct pg_pool {
    struct loop *loop;
    char *name;
    struct target target;
    struct cancels *cancels;
    int64_t idle_ms;
    struct pg_conn *conns[SIZE_MAX_CONNS];
    size_t size;
    TAILQ_HEAD(, pg_request) waiting;
    size_t waiting_ct;
    struct timer pump;
    struct timer retry; /* set: no attempt before it fires */
    struct timer idle;
    unsigned attempt;
    int64_t down_at_ms; /* of this outage; 0: none */
    struct err why;     /* of the last failed attempt */
};

/* ---- requests ---- */

static void free_request(void *ptr)
{
    struct pg_request *request = ptr;

    timer_free(&request->timer);
    free(request);
}

static void finish(struct pg_request *request, const struct pg_answer *answer)
{
    struct pg_pool *pool = request->pool;

    timer_stop(&request->timer);
    request->done(request->arg, answer);
    loop_defer_free(pool->loop, request, free_request);
}

static void take_answer(void *arg, const struct pg_answer *answer)
{
    finish(arg, answer);
}

static void finish_unsent(struct pg_request *request, const char *what)
{
    struct pg_pool *pool = request->pool;
    struct pg_answer answer = {.end = PG_UNSENT};

    TAILQ_REMOVE(&pool->waiting, request, next);
    pool->waiting_ct--;
    (void)err_set(&answer.why, ERR_CONN, "%s%s%s", what, pool->down_at_ms ? ": " : "",
                  pool->down_at_ms ? pool->why.text : "");
    finish(request, &answer);
}

bool pg_pool_is_up(const struct pg_pool *pool)
{
    for (size_t i = 0; i < pool->size; i++)
        if (!pg_conn_is_closed(pool->conns[i]) && !pg_conn_is_connecting(pool->conns[i]))
            return true;
    return false;
}

static void wait_more(struct pg_request *request)
{
    int64_t left_ms = request->deadline_ms - clock_mono_ms();

    if (request->batch.patience_ms > 0 && request->batch.patience_ms < left_ms)
        left_ms = request->batch.patience_ms;
    timer_set(&request->timer, left_ms);
}

/* The connections there are may be busy for longer than its patience with none. */
static void wait_over(void *arg)
{
    struct pg_request *request = arg;

    if (!request->cancelled && clock_mono_ms() < request->deadline_ms &&
        pg_pool_is_up(request->pool)) {
        wait_more(request);
        return;
    }
    finish_unsent(request, request->cancelled ? "cancelled" : "no connection in time");
}

struct pg_request *pg_pool_run(struct pg_pool *pool, const struct pg_batch *batch,
                               pg_answer_cb done, void *arg)
{
    struct pg_request *request = must_alloc(sizeof(*request));

    request->pool = pool;
    request->batch = *batch;
    request->done = done;
    request->arg = arg;
    request->deadline_ms = clock_mono_ms() + batch->within_ms;
    timer_init(&request->timer, pool->loop, wait_over, request);
    wait_more(request);
    TAILQ_INSERT_TAIL(&pool->waiting, request, next);
    pool->waiting_ct++;
    timer_set_soon(&pool->pump);
    return request;
}

void pg_request_cancel(struct pg_request *request)
{
    request->cancelled = true;
    if (request->conn)
        pg_conn_cancel(request->conn);
    else
        timer_set(&request->timer, 0);
}

bool pg_request_is_waiting(const struct pg_request *request)
{
    return request->conn == NULL;
}

/* ---- outages ---- */

static void note_failure(struct pg_pool *pool, const struct err *why)
{
    int64_t wait_ms = RETRY_MAX_MS;

    if (pool->attempt < 6) /* 50 << 6 is above the maximum */
        wait_ms = RETRY_MIN_MS << pool->attempt;
    if (wait_ms > RETRY_MAX_MS)
        wait_ms = RETRY_MAX_MS;
    pool->attempt++;
    pool->why = *why;
    timer_set(&pool->retry, random_jitter(wait_ms, RETRY_JITTER_PERCENT));
}

static void note_outage(struct pg_pool *pool)
{
    if (pool->down_at_ms || pg_pool_is_up(pool))
        return;
    pool->down_at_ms = clock_mono_ms();
    log_warning("pg.down", log_str("database", pool->name),
                log_str("reason", pool->why.text));
}

static void note_success(struct pg_pool *pool)
{
    if (pool->down_at_ms)
        log_info("pg.up", log_str("database", pool->name),
                 log_int("down_ms", clock_mono_ms() - pool->down_at_ms));
    pool->down_at_ms = 0;
    pool->attempt = 0;
}

/* ---- connections ---- */

static void start_request(struct pg_pool *pool, struct pg_conn *conn)
{
    struct pg_request *request = TAILQ_FIRST(&pool->waiting);
    int64_t left_ms = request->deadline_ms - clock_mono_ms();

    TAILQ_REMOVE(&pool->waiting, request, next);
    pool->waiting_ct--;
    timer_stop(&request->timer);
    request->conn = conn;
    pg_conn_run(conn, &request->batch, left_ms > 0 ? left_ms : 0, take_answer, request);
}

/* One attempt per request that waits, as far as there are connections to open. */
static void open_more(struct pg_pool *pool)
{
    size_t wanted = pool->waiting_ct;

    for (size_t i = 0; i < pool->size; i++)
        if (pg_conn_is_connecting(pool->conns[i]) && wanted > 0)
            wanted--;
    for (size_t i = 0; i < pool->size && wanted > 0; i++) {
        if (!pg_conn_is_closed(pool->conns[i]))
            continue;
        pg_conn_open(pool->conns[i]);
        wanted--;
    }
}

static void pump(void *arg)
{
    struct pg_pool *pool = arg;

    for (size_t i = 0; i < pool->size && pool->waiting_ct > 0; i++)
        if (pg_conn_is_ready(pool->conns[i]) && pg_conn_is_fresh(pool->conns[i]))
            start_request(pool, pool->conns[i]);
    if (pool->waiting_ct > 0 && !timer_is_set(&pool->retry))
        open_more(pool);
    if (pool->waiting_ct == 0 && !timer_is_set(&pool->idle))
        timer_set(&pool->idle, pool->idle_ms);
}

static void retry_now(void *arg)
{
    pump(arg);
}

/* Looks at all of them about once per idle_ms. */
static void close_idle(void *arg)
{
    struct pg_pool *pool = arg;
    int64_t before_ms = clock_mono_ms() - pool->idle_ms;
    bool any = false;

    for (size_t i = 0; i < pool->size; i++) {
        struct pg_conn *conn = pool->conns[i];

        if (pg_conn_is_ready(conn) && pg_conn_ready_since_ms(conn) <= before_ms)
            pg_conn_close(conn);
        any = any || !pg_conn_is_closed(conn);
    }
    if (any)
        timer_set(&pool->idle, pool->idle_ms);
}

static void on_ready(void *arg, struct pg_conn *conn UNUSED)
{
    struct pg_pool *pool = arg;

    note_success(pool);
    pump(pool);
}

/* One that broke after it had been up says nothing yet on whether the database is there:
 * that shows when it is needed next. */
static void on_down(void *arg, struct pg_conn *conn, const struct err *why)
{
    struct pg_pool *pool = arg;

    log_debug("pg.connection_down", log_str("database", pool->name),
              log_str("reason", why->text));
    if (!pg_conn_was_up(conn)) {
        note_failure(pool, why);
        note_outage(pool);
    }
    timer_set_soon(&pool->pump);
}

/* ---- the pool ---- */

struct pg_pool *pg_pool_create(const struct pg_pool_options *options, struct err *err)
{
    struct pg_pool *pool = must_alloc(sizeof(*pool));
    struct pg_conn_options conn = {.loop = options->loop,
                                   .connect_within_ms = options->connect_within_ms,
                                   .on_ready = on_ready,
                                   .on_down = on_down,
                                   .arg = pool};

    MUST(options->size > 0 && options->size <= SIZE_MAX_CONNS);
    if (target_read(&pool->target, options->dsn, options->password, err) != 0) {
        free(pool);
        return NULL;
    }
    pool->loop = options->loop;
    pool->name = must_strdup(options->name);
    pool->cancels = cancels_create();
    pool->idle_ms = options->idle_ms;
    pool->size = options->size;
    TAILQ_INIT(&pool->waiting);
    timer_init(&pool->pump, pool->loop, pump, pool);
    timer_init(&pool->retry, pool->loop, retry_now, pool);
    timer_init(&pool->idle, pool->loop, close_idle, pool);
    conn.target = &pool->target;
    conn.cancels = pool->cancels;
    for (size_t i = 0; i < pool->size; i++)
        pool->conns[i] = pg_conn_create(&conn);
    return pool;
}

void pg_pool_destroy(struct pg_pool *pool)
{
    if (pool == NULL)
        return;
    for (size_t i = 0; i < pool->size; i++)
        pg_conn_close(pool->conns[i]);
    while (!TAILQ_EMPTY(&pool->waiting)) /* who is told may still ask about the pool */
        finish_unsent(TAILQ_FIRST(&pool->waiting), "closed");
    for (size_t i = 0; i < pool->size; i++)
        pg_conn_destroy(pool->conns[i]);
    timer_free(&pool->pump);
    timer_free(&pool->retry);
    timer_free(&pool->idle);
    cancels_release(pool->cancels);
    target_free(&pool->target);
    free(pool->name);
    free(pool);
}
