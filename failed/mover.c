/* From the outbox to the table, page by page: read, claim, insert, settle the conflicts,
 * drop.
 *
 * What is claimed is PostgreSQL's: nobody retries or forgets it in Redis any more, or the
 * insert under way would leave a row of a job that has gone back to its queue. So nothing
 * is claimed before PostgreSQL has answered a question, and what it is known not to have
 * taken is let go: while it is away the records can be had in Redis.
 *
 * One page is under way at a time; every step ends in the next, or in rest() or retry().
 * The cursor stays behind what was refused, so that newer records are not held up; when
 * the refused ones have rested, it starts again at the oldest. Nothing is ever deleted
 * from the table: that a record is gone from Redis may mean that it was retried, but just
 * as well that another worker has moved it.
 */
#include "failed/mover.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "failed/parcel.h"
#include "failed/trouble.h"
#include "pg/pool.h"

enum { PAGE_CT = 50, JITTER_PERCENT = 25, IDLE_MS = 30000 };

static const struct mover_pace default_pace = {
    .connect_ms = 10000,
    .within_ms = 30000,
    .retry_min_ms = 1000,
    .retry_max_ms = 30000,
    .rest_ms = 60000,
    .rest_max_ms = 1800000,
};

enum mover_state {
    MOVER_IDLE,
    MOVER_READING,
    MOVER_ASKING, /* whether PostgreSQL is there */
    MOVER_CLAIMING,
    MOVER_INSERTING,
    MOVER_SETTLING, /* those whose uuid was there already */
    MOVER_DROPPING
};

/* What is to become of a parcel. */
enum fate {
    FATE_OPEN,
    FATE_GONE,     /* or in another's hands */
    FATE_CONFLICT, /* its uuid is there */
    FATE_MOVED,
    FATE_REFUSED
};

struct mover {
    struct loop *loop;
    struct queue *queue;
    struct pg_pool *pool;
    struct mover_pace pace;
    char *insert_sql, *spare_sql, *find_sql;
    enum mover_state state;
    bool closing;

    struct outbox_cursor cursor;
    struct outbox_cursor next_cursor; /* of the page under way */
    bool last;                        /* nothing is behind it */
    struct parcel *parcels;           /* the page */
    enum fate fates[OUTBOX_PAGE_MAX];
    size_t ct;
    struct pg_statement *statements;

    bool skipped;       /* since the cursor was at the start */
    struct timer retry; /* set: PostgreSQL is left alone until it fires */
    struct timer rest;  /* set: refused records are */
    unsigned attempt, rests;
    struct trouble trouble;
    struct trouble_too_long too_long;
};

/* ---- a page's end ---- */

static void free_page(struct mover *mover)
{
    for (size_t i = 0; i < mover->ct; i++)
        parcel_free(&mover->parcels[i]);
    free(mover->parcels);
    free(mover->statements);
    mover->parcels = NULL;
    mover->statements = NULL;
    mover->ct = 0;
}

static void become_idle(struct mover *mover)
{
    free_page(mover);
    mover->state = MOVER_IDLE;
}

static int64_t doubled(int64_t first_ms, int64_t max_ms, unsigned times)
{
    int64_t ms = first_ms;

    while (times-- > 0 && ms < max_ms)
        ms *= 2;
    return random_jitter(ms < max_ms ? ms : max_ms, JITTER_PERCENT);
}

static void retry_later(struct mover *mover)
{
    become_idle(mover);
    if (!mover->closing)
        timer_set(&mover->retry, doubled(mover->pace.retry_min_ms,
                                         mover->pace.retry_max_ms, mover->attempt++));
}

static void go_on(struct mover *mover);

/* Behind the last page there is nothing but what was refused. */
static void finish_page(struct mover *mover)
{
    bool last = mover->last;

    mover->cursor = mover->next_cursor;
    become_idle(mover);
    if (!last) {
        go_on(mover);
        return;
    }
    if (!mover->skipped) {
        memset(&mover->cursor, 0, sizeof(mover->cursor));
        mover->rests = 0;
    } else if (!timer_is_set(&mover->rest)) {
        timer_set(&mover->rest,
                  doubled(mover->pace.rest_ms, mover->pace.rest_max_ms, mover->rests++));
    }
}

/* ---- dropping ---- */

static void took_drop(void *arg, bool known, const size_t *kept UNUSED, size_t kept_ct)
{
    struct mover *mover = arg;

    if (!known) {
        become_idle(mover);
        return;
    }
    if (kept_ct > 0)
        log_debug("outbox.gone", log_int("records", (int64_t)kept_ct));
    finish_page(mover);
}

static size_t mark_all_of(const struct mover *mover, enum fate fate,
                          struct outbox_mark *marks)
{
    size_t ct = 0;

    for (size_t i = 0; i < mover->ct; i++) {
        if (mover->fates[i] != fate)
            continue;
        memcpy(marks[ct].uuid, mover->parcels[i].uuid, sizeof(marks[ct].uuid));
        marks[ct++].failed_at_ms = mover->parcels[i].failed_at_ms;
    }
    return ct;
}

static void let_go(struct mover *mover, enum fate fate)
{
    struct outbox_mark marks[OUTBOX_PAGE_MAX];

    queue_outbox_let_go(mover->queue, marks, mark_all_of(mover, fate, marks));
}

static void drop_moved(struct mover *mover)
{
    struct outbox_mark marks[OUTBOX_PAGE_MAX];
    size_t ct = mark_all_of(mover, FATE_REFUSED, marks);

    if (ct > 0) {
        mover->skipped = true;
        queue_outbox_let_go(mover->queue, marks, ct);
    }
    ct = mark_all_of(mover, FATE_MOVED, marks);
    if (ct == 0) {
        finish_page(mover);
        return;
    }
    log_debug("outbox.moved", log_int("records", (int64_t)ct));
    mover->state = MOVER_DROPPING;
    if (!queue_outbox_drop(mover->queue, marks, ct, took_drop, mover))
        become_idle(mover);
}

/* ---- what PostgreSQL says ---- */

static struct trouble_report report_of(const struct mover *mover, const char *sqlstate,
                                       const char *reason)
{
    return (struct trouble_report){
        .sqlstate = sqlstate, .reason = reason, .records = (int64_t)mover->ct};
}

/* False: nothing can be moved for now, and that has been seen to. */
static bool took_answer(struct mover *mover, const struct pg_answer *answer)
{
    struct trouble_report report = report_of(mover, answer->sqlstate, answer->why.text);

    if (mover->closing) {
        become_idle(mover);
        return false;
    }
    if (mover->state == MOVER_INSERTING &&
        (answer->end == PG_UNSENT || answer->end == PG_TURNED_DOWN))
        let_go(mover, FATE_OPEN);
    switch (answer->end) {
    case PG_DONE:
        return true;
    case PG_UNSENT: /* the pool says so, and goes on trying for whoever asks */
        become_idle(mover);
        go_on(mover);
        return false;
    case PG_TURNED_DOWN:
        trouble_begin(&mover->trouble, TROUBLE_REFUSED, &report);
        break;
    case PG_UNKNOWN:
        trouble_begin(&mover->trouble, TROUBLE_UNKNOWN, &report);
        break;
    }
    retry_later(mover);
    return false;
}

/* The first refusal that says something about the table or the server, not about one
 * record; NULL: none. */
static const struct pg_result *find_obstacle(const struct pg_answer *answer)
{
    for (size_t i = 0; i < answer->ct; i++)
        if (answer->results[i].state == PG_REFUSED &&
            !trouble_is_of_record(answer->results[i].sqlstate))
            return &answer->results[i];
    return NULL;
}

/* Of what was inserted; the others are there. */
static void let_go_refused(struct mover *mover, const struct pg_answer *answer)
{
    size_t at = 0;

    for (size_t i = 0; i < mover->ct; i++)
        if (mover->fates[i] == FATE_OPEN && answer->results[at++].state == PG_REFUSED)
            mover->fates[i] = FATE_REFUSED;
    let_go(mover, FATE_REFUSED);
}

static bool took_statements(struct mover *mover, const struct pg_answer *answer)
{
    const struct pg_result *obstacle;
    struct trouble_report report;

    if (!took_answer(mover, answer))
        return false;
    obstacle = find_obstacle(answer);
    if (obstacle == NULL)
        return true;
    report = report_of(mover, obstacle->sqlstate, obstacle->message);
    trouble_begin(&mover->trouble, TROUBLE_REFUSED, &report);
    if (mover->state == MOVER_INSERTING)
        let_go_refused(mover, answer);
    retry_later(mover);
    return false;
}

static void tell_refused(struct mover *mover, size_t at, const struct pg_result *result)
{
    mover->fates[at] = FATE_REFUSED;
    log_error("outbox.refused", log_str("uuid", mover->parcels[at].uuid),
              log_str("sqlstate", result->sqlstate), log_str("reason", result->message),
              log_str("do", trouble_advice(result->sqlstate)));
}

static void run(struct mover *mover, size_t ct, pg_answer_cb done)
{
    struct pg_batch batch = {.kind = PG_EACH,
                             .statements = mover->statements,
                             .ct = ct,
                             .within_ms = mover->pace.within_ms};

    (void)pg_pool_run(mover->pool, &batch, done, mover);
}

/* ---- conflicts ---- */

/* Each has two statements: the row under the spare uuid, and whether it is there now. Not
 * there in any form: what was in its way has just gone, and it comes again. */
static void take_settled(void *arg, const struct pg_answer *answer)
{
    struct mover *mover = arg;
    size_t at = 0;

    if (!took_statements(mover, answer))
        return;
    for (size_t i = 0; i < mover->ct; i++) {
        const struct pg_result *spare, *find;

        if (mover->fates[i] != FATE_CONFLICT)
            continue;
        spare = &answer->results[at++];
        find = &answer->results[at++];
        if (spare->state == PG_REFUSED)
            tell_refused(mover, i, spare);
        else if (find->state == PG_OK && find->row_ct > 0)
            mover->fates[i] = FATE_MOVED;
        if (spare->affected > 0)
            log_warning("outbox.renamed", log_str("uuid", mover->parcels[i].spare_uuid),
                        log_str("was", mover->parcels[i].uuid));
    }
    trouble_end(&mover->trouble);
    drop_moved(mover);
}

static void settle_conflicts(struct mover *mover)
{
    size_t ct = 0;

    for (size_t i = 0; i < mover->ct; i++) {
        const struct parcel *parcel = &mover->parcels[i];

        if (mover->fates[i] != FATE_CONFLICT)
            continue;
        mover->statements[ct++] = (struct pg_statement){.sql = mover->spare_sql,
                                                        .params = parcel->spare,
                                                        .param_ct = PARCEL_SPARE_CT};
        mover->statements[ct++] = (struct pg_statement){
            .sql = mover->find_sql, .params = parcel->find, .param_ct = PARCEL_FIND_CT};
    }
    if (ct == 0) {
        drop_moved(mover);
        return;
    }
    mover->state = MOVER_SETTLING;
    run(mover, ct, take_settled);
}

/* ---- inserting ---- */

static void take_inserted(void *arg, const struct pg_answer *answer)
{
    struct mover *mover = arg;
    size_t at = 0;

    if (!took_statements(mover, answer))
        return;
    mover->attempt = 0;
    trouble_end(&mover->trouble);
    for (size_t i = 0; i < mover->ct; i++) {
        const struct pg_result *result = &answer->results[at];

        if (mover->fates[i] != FATE_OPEN)
            continue;
        at++;
        if (result->state == PG_REFUSED)
            tell_refused(mover, i, result);
        else
            mover->fates[i] = result->affected > 0 ? FATE_MOVED : FATE_CONFLICT;
    }
    settle_conflicts(mover);
}

static void insert_page(struct mover *mover)
{
    size_t ct = 0;

    for (size_t i = 0; i < mover->ct; i++)
        if (mover->fates[i] == FATE_OPEN)
            mover->statements[ct++] =
                (struct pg_statement){.sql = mover->insert_sql,
                                      .params = mover->parcels[i].insert,
                                      .param_ct = PARCEL_INSERT_CT};
    if (ct == 0) {
        finish_page(mover);
        return;
    }
    mover->state = MOVER_INSERTING;
    run(mover, ct, take_inserted);
}

/* ---- claiming ---- */

static void took_claim(void *arg, bool known, const size_t *kept, size_t kept_ct)
{
    struct mover *mover = arg;

    if (!known) {
        become_idle(mover);
        return;
    }
    for (size_t i = 0; i < kept_ct; i++)
        mover->fates[kept[i]] = FATE_GONE;
    if (kept_ct > 0)
        log_debug("outbox.gone", log_int("records", (int64_t)kept_ct));
    insert_page(mover);
}

static void take_asked(void *arg, const struct pg_answer *answer)
{
    struct mover *mover = arg;
    struct outbox_mark marks[OUTBOX_PAGE_MAX];
    size_t ct;

    if (!took_answer(mover, answer))
        return;
    ct = mark_all_of(mover, FATE_OPEN, marks);
    mover->state = MOVER_CLAIMING;
    if (!queue_outbox_claim(mover->queue, marks, ct, took_claim, mover))
        become_idle(mover);
}

static void ask(struct mover *mover)
{
    mover->statements[0] = (struct pg_statement){.sql = "SELECT 1"};
    mover->state = MOVER_ASKING;
    run(mover, 1, take_asked);
}

/* ---- reading ---- */

static void pack_page(struct mover *mover, const struct outbox_page *page)
{
    mover->parcels = must_alloc((page->ct + 1) * sizeof(*mover->parcels));
    mover->statements = must_alloc((2 * page->ct + 1) * sizeof(*mover->statements));
    for (size_t i = 0; i < page->ct; i++) {
        if (parcel_fill(&mover->parcels[mover->ct], &page->records[i])) {
            mover->fates[mover->ct++] = FATE_OPEN;
            continue;
        }
        mover->skipped = true;
        log_error("outbox.refused", log_str("uuid", page->records[i].uuid),
                  log_str("reason", "too large for a row"));
    }
}

static void pass_over(struct mover *mover, const struct outbox_page *page)
{
    for (size_t i = 0; i < page->too_long_ct; i++)
        trouble_too_long(&mover->too_long, page->too_long[i].uuid,
                         page->too_long[i].payload_bytes);
    mover->skipped = mover->skipped || page->too_long_ct > 0;
}

static void take_page(void *arg, const struct outbox_page *page)
{
    struct mover *mover = arg;

    if (page == NULL) {
        become_idle(mover);
        return;
    }
    mover->last = page->last;
    mover->next_cursor = page->cursor.uuid[0] ? page->cursor : mover->cursor;
    pack_page(mover, page);
    pass_over(mover, page);
    if (mover->ct > 0)
        ask(mover);
    else
        finish_page(mover);
}

static void go_on(struct mover *mover)
{
    mover->state = MOVER_READING;
    if (!queue_outbox_read(mover->queue, &mover->cursor, PAGE_CT, take_page, mover))
        mover->state = MOVER_IDLE;
}

void mover_wake(struct mover *mover)
{
    if (mover->state == MOVER_IDLE && !timer_is_set(&mover->retry))
        go_on(mover);
}

static void retry_now(void *arg)
{
    mover_wake(arg);
}

static void rest_over(void *arg)
{
    struct mover *mover = arg;

    mover->skipped = false;
    memset(&mover->cursor, 0, sizeof(mover->cursor));
    mover_wake(mover);
}

/* ---- the mover ---- */

bool mover_is_idle(const struct mover *mover)
{
    return mover->state == MOVER_IDLE;
}

struct mover *mover_create(const struct mover_options *options, struct err *err)
{
    struct mover *mover = must_alloc(sizeof(*mover));
    struct pg_pool_options pool = {.loop = options->loop,
                                   .name = "failed",
                                   .dsn = options->endpoint->dsn,
                                   .password = options->endpoint->password,
                                   .size = 1,
                                   .idle_ms = IDLE_MS};

    mover->loop = options->loop;
    mover->queue = options->queue;
    mover->pace = options->pace ? *options->pace : default_pace;
    pool.connect_within_ms = mover->pace.connect_ms;
    mover->pool = pg_pool_create(&pool, err);
    if (mover->pool == NULL) {
        free(mover);
        return NULL;
    }
    mover->insert_sql = parcel_insert_sql(options->endpoint->table);
    mover->spare_sql = parcel_spare_sql(options->endpoint->table);
    mover->find_sql = parcel_find_sql(options->endpoint->table);
    timer_init(&mover->retry, mover->loop, retry_now, mover);
    timer_init(&mover->rest, mover->loop, rest_over, mover);
    return mover;
}

void mover_destroy(struct mover *mover)
{
    if (mover == NULL)
        return;
    mover->closing = true;
    pg_pool_destroy(mover->pool);
    free_page(mover);
    timer_free(&mover->retry);
    timer_free(&mover->rest);
    free(mover->insert_sql);
    free(mover->spare_sql);
    free(mover->find_sql);
    free(mover);
}
