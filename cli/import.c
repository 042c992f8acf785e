/* One batch: claim, lock, token, read, push, remove, commit, forget.
 *
 * The order of the steps is what makes a row arrive once, whoever dies between two of
 * them (docs/import.md has the reasons): a row is pushed only while its claim is
 * committed, and under a token that was drawn before the last proof that its lock is
 * held; it is removed only after Redis has said that it is there; its mark is forgotten
 * only after the removal has been committed; it is given back only where there is no mark
 * of it, and none can come. In doubt a row stays claimed, and its mark stays.
 */
#include "cli/import.h"

#include <stdlib.h>
#include <string.h>

#include "cli/import_row.h"

enum { PUSH_BYTES = 4 << 20 }; /* of payloads in one push, or one that is larger */

enum fate {
    FATE_UNKNOWN, /* stays claimed: the next run finds out */
    FATE_DOUBT,   /* not pushed now, but maybe by an earlier run: its mark would tell */
    FATE_REMOVE,  /* it is in Redis */
    FATE_LEAVE    /* it is not */
};

struct batch {
    struct jobs_locked rows[JOBS_BATCH_ROWS];
    enum fate fates[JOBS_BATCH_ROWS];
    struct import_mark marks[JOBS_BATCH_ROWS]; /* of those that were read */
    size_t ct;
    struct import_token token;
    bool drawn;                  /* the token */
    struct import_totals totals; /* what is to be counted once it is committed */
};

_Static_assert((int)JOBS_BATCH_ROWS == (int)IMPORT_ROWS_MAX,
               "a batch is one push at most");

/* ---- some rows of a batch, read and pushed ---- */

struct load {
    struct pg_ask_rows *read;
    size_t first; /* of the batch */
    struct buf bytes;
    struct import_row rows[JOBS_BATCH_ROWS];
    size_t at[JOBS_BATCH_ROWS];   /* where in the batch each of them is */
    size_t ends[JOBS_BATCH_ROWS]; /* of their payloads in `bytes` */
    size_t ct;
};

static void refuse_bad(struct import *import, struct batch *batch, size_t at,
                       const char *queue, const struct err *why)
{
    batch->fates[at] = FATE_DOUBT;
    batch->totals.bad++;
    import->on_bad(import->arg, batch->rows[at].id, queue, why);
}

/* One row that was read; what is no job does not come into the load. */
static void take_row(struct import *import, struct batch *batch, struct load *load,
                     size_t row)
{
    const struct pg_ask_rows *read = load->read;
    struct source_row source = {.id = pg_ask_integer(read, row, JOBS_ID),
                                .queue = pg_ask_text(read, row, JOBS_QUEUE),
                                .attempts = pg_ask_text(read, row, JOBS_ATTEMPTS),
                                .available_at = pg_ask_text(read, row, JOBS_AVAILABLE),
                                .created_at = pg_ask_text(read, row, JOBS_CREATED),
                                .payload = pg_ask_value(read, row, JOBS_PAYLOAD)};
    struct err why = {0};
    size_t at = load->first;

    while (at < batch->ct && batch->rows[at].id != source.id)
        at++;
    MUST(at < batch->ct);
    if (source.payload.ptr == NULL)
        source.payload = slice_text("");
    if (import_row_payload(&source, &load->bytes, &why) != 0) {
        refuse_bad(import, batch, at, source.queue, &why);
        return;
    }
    import_row_mark(&source, &batch->marks[at]);
    load->rows[load->ct] =
        (struct import_row){.mark = &batch->marks[at],
                            .queue = source.queue,
                            .due_at = pg_ask_integer(read, row, JOBS_AVAILABLE)};
    load->at[load->ct] = at;
    load->ends[load->ct++] = load->bytes.len;
}

static void take_rows(struct import *import, struct batch *batch, struct load *load)
{
    size_t start = 0;

    for (size_t i = 0; i < pg_ask_row_ct(load->read); i++)
        take_row(import, batch, load, i);
    for (size_t i = 0; i < load->ct; i++) { /* `bytes` moves no more */
        load->rows[i].payload = slice_of(load->bytes.data + start, load->ends[i] - start);
        start = load->ends[i];
    }
}

static void tell_refused(struct import *import, const struct import_row *row)
{
    struct err why = {0};

    (void)err_set(&why, ERR_REPLY, "Redis refuses: %s", row->why);
    import->on_bad(import->arg, row->mark->id, row->queue, &why);
}

/* What the answer says of each. */
static void settle_load(struct import *import, struct batch *batch,
                        const struct load *load)
{
    for (size_t i = 0; i < load->ct; i++) {
        size_t at = load->at[i];

        batch->fates[at] = FATE_REMOVE;
        if (load->rows[i].fate == IMPORT_ADDED) {
            batch->totals.moved++;
        } else if (load->rows[i].fate == IMPORT_BEFORE) {
            batch->totals.before++;
        } else {
            batch->fates[at] = FATE_LEAVE;
            batch->totals.refused++;
            tell_refused(import, &load->rows[i]);
        }
    }
}

static int push_load(struct import *import, struct batch *batch, struct load *load,
                     struct err *err)
{
    take_rows(import, batch, load);
    for (size_t i = 0; import->dry_run && i < load->ct; i++)
        batch->fates[load->at[i]] = FATE_REMOVE;
    if (load->ct == 0 || import->dry_run)
        return 0;
    if (client_import_push(import->client, jobs_table_source(import->table),
                           &batch->token, load->rows, load->ct, err) != 0)
        return -1;
    settle_load(import, batch, load);
    return 0;
}

/* Reads and pushes `ct` rows from `first` on. */
static int push_rows(struct import *import, struct batch *batch, size_t first, size_t ct,
                     struct err *err)
{
    struct load *load = must_alloc(sizeof(*load));
    int64_t ids[JOBS_BATCH_ROWS];
    int rc = -1;

    buf_init(&load->bytes, 0);
    load->first = first;
    for (size_t i = 0; i < ct; i++)
        ids[i] = batch->rows[first + i].id;
    load->read = jobs_table_read(import->table, ids, ct, err);
    if (load->read)
        rc = push_load(import, batch, load, err);
    pg_ask_free(load->read);
    buf_free(&load->bytes);
    free(load);
    return rc;
}

static void refuse_long(struct import *import, struct batch *batch, size_t at)
{
    struct err why = {0};

    (void)err_set(&why, ERR_BAD_INPUT,
                  "the payload has %lld bytes, more than max_payload allows",
                  (long long)batch->rows[at].payload_bytes);
    refuse_bad(import, batch, at, NULL, &why);
}

/* In loads of bounded size. Of a load that went wrong the rest is not tried. */
static int push_batch(struct import *import, struct batch *batch, struct err *err)
{
    size_t first = 0, at = 0;
    int64_t bytes = 0;
    int rc = 0;

    while (rc == 0 && first < batch->ct) {
        bool is_long = at < batch->ct &&
                       batch->rows[at].payload_bytes > (int64_t)import->max_payload_bytes;
        bool ends = at == batch->ct || is_long ||
                    (at > first && bytes + batch->rows[at].payload_bytes > PUSH_BYTES);

        if (!ends) {
            bytes += batch->rows[at++].payload_bytes;
            continue;
        }
        if (at > first)
            rc = push_rows(import, batch, first, at - first, err);
        if (is_long)
            refuse_long(import, batch, at++);
        first = at;
        bytes = 0;
    }
    return rc;
}

/* ---- ending it ---- */

static void pick(const struct batch *batch, enum fate fate, struct jobs_ids *ids)
{
    ids->ct = 0;
    for (size_t i = 0; i < batch->ct; i++)
        if (batch->fates[i] == fate)
            ids->items[ids->ct++] = batch->rows[i].id;
}

static int change_rows(struct import *import, const struct batch *batch, struct err *err)
{
    struct jobs_ids ids;

    pick(batch, FATE_REMOVE, &ids);
    if (ids.ct > 0 && jobs_table_remove(import->table, &ids, err) != 0)
        return -1;
    pick(batch, FATE_LEAVE, &ids);
    if (ids.ct > 0 && jobs_table_give_back(import->table, &ids, err) != 0)
        return -1;
    return jobs_table_commit(import->table, err);
}

static int forget_marks(struct import *import, const struct batch *batch, struct err *err)
{
    const struct import_mark *marks[JOBS_BATCH_ROWS];
    size_t ct = 0;

    for (size_t i = 0; i < batch->ct; i++)
        if (batch->fates[i] == FATE_REMOVE)
            marks[ct++] = &batch->marks[i];
    return ct == 0
               ? 0
               : client_import_forget(import->client, jobs_table_source(import->table),
                                      marks, ct, err);
}

static void add_totals(struct import_totals *sum, const struct import_totals *part)
{
    sum->moved += part->moved;
    sum->before += part->before;
    sum->bad += part->bad;
    sum->refused += part->refused;
    sum->doubt += part->doubt;
}

/* Of an id that has a mark nothing is decided here. Where there are more marks than one
 * answer holds, nothing is known of the ids behind the last of them. */
static int look_at_marks(struct import *import, struct batch *batch, struct err *err)
{
    struct import_mark *marks = must_alloc(IMPORT_ROWS_MAX * sizeof(*marks));
    size_t ct = 0, at = 0;
    int rc = client_import_marks(import->client, jobs_table_source(import->table),
                                 batch->rows[0].id - 1, marks, &ct, err);

    for (size_t i = 0; i < batch->ct; i++) {
        while (at < ct && marks[at].id < batch->rows[i].id)
            at++;
        if (batch->fates[i] != FATE_DOUBT)
            continue;
        batch->fates[i] = rc != 0 || at == IMPORT_ROWS_MAX ||
                                  (at < ct && marks[at].id == batch->rows[i].id)
                              ? FATE_UNKNOWN
                              : FATE_LEAVE;
        batch->totals.doubt += batch->fates[i] == FATE_UNKNOWN;
    }
    free(marks);
    return rc;
}

/* What has not been pushed may be given back, if no other run can push it meanwhile: our
 * own token sees to that, or that there is none. */
static int decide(struct import *import, struct batch *batch, bool refused,
                  struct err *err)
{
    bool doubt = false;

    if (refused && !batch->drawn)
        refused = client_import_void(import->client, jobs_table_source(import->table),
                                     err) == 0;
    for (size_t i = 0; i < batch->ct; i++) {
        if (refused && batch->fates[i] == FATE_UNKNOWN)
            batch->fates[i] = FATE_DOUBT;
        doubt = doubt || batch->fates[i] == FATE_DOUBT;
    }
    return doubt ? look_at_marks(import, batch, err) : 0;
}

/* What went well is brought to its end whatever else happened; the first error is the one
 * that is told. */
static int end_batch(struct import *import, struct batch *batch, int rc, struct err *err)
{
    struct err later = {0};
    struct err *why = rc == 0 ? err : &later;

    rc |= decide(import, batch, rc != 0 && err->code == ERR_REPLY, why);
    why = rc == 0 ? err : &later;
    if (change_rows(import, batch, why) != 0) {
        jobs_table_undo(import->table);
        return -1;
    }
    add_totals(&import->totals, &batch->totals);
    return rc | forget_marks(import, batch, why);
}

/* The transaction is open, the rows are locked. */
static int run_locked(struct import *import, struct batch *batch, struct err *err)
{
    int rc = client_import_begin(import->client, jobs_table_source(import->table),
                                 &batch->token, err);

    batch->drawn = rc == 0;
    if (rc == 0)
        rc = push_batch(import, batch, err);
    if (rc != 0 && err->code == ERR_DATABASE) {
        jobs_table_undo(import->table);
        return -1;
    }
    return end_batch(import, batch, rc, err);
}

/* `only`: these rows; NULL: any that are claimed, behind *after_id, which moves on. *ct:
 * how many it found. */
static int run_batch(struct import *import, const struct jobs_ids *only,
                     int64_t *after_id, size_t *ct, struct err *err)
{
    struct batch *batch = must_alloc(sizeof(*batch));
    int rc =
        jobs_table_lock(import->table, only, *after_id, batch->rows, &batch->ct, err);

    if (rc == 0 && batch->ct > 0) {
        *after_id = batch->rows[batch->ct - 1].id;
        rc = run_locked(import, batch, err);
    } else if (rc == 0) {
        jobs_table_undo(import->table);
    }
    *ct = batch->ct;
    free(batch);
    return rc;
}

/* ---- looking only ---- */

static bool has_mark(const struct import_mark *marks, size_t ct,
                     const struct import_mark *mark)
{
    for (size_t i = 0; i < ct; i++)
        if (strcmp(marks[i].text, mark->text) == 0)
            return true;
    return false;
}

/* Of those that could be pushed: which have been, by an earlier run. */
static int count_marked(struct import *import, struct batch *batch, struct err *err)
{
    struct import_mark *marks = must_alloc(IMPORT_ROWS_MAX * sizeof(*marks));
    size_t ct = 0;
    int rc = client_import_marks(import->client, jobs_table_source(import->table),
                                 batch->rows[0].id - 1, marks, &ct, err);

    for (size_t i = 0; i < batch->ct; i++) {
        if (batch->fates[i] != FATE_REMOVE)
            continue;
        if (has_mark(marks, ct, &batch->marks[i]))
            batch->totals.before++;
        else
            batch->totals.moved++;
    }
    free(marks);
    return rc;
}

/* What a run would do with one batch: those of the filter, or where it is NULL those that
 * are claimed. */
static int look_at_batch(struct import *import, const struct jobs_filter *filter,
                         const struct jobs_span *span, int64_t *after_id, size_t *ct,
                         struct err *err)
{
    struct batch *batch = must_alloc(sizeof(*batch));
    int rc = jobs_table_look(import->table, filter, span, batch->rows, &batch->ct, err);

    *ct = batch->ct;
    if (rc == 0 && batch->ct > 0) {
        *after_id = batch->rows[batch->ct - 1].id;
        rc = push_batch(import, batch, err);
        if (rc == 0)
            rc = count_marked(import, batch, err);
        add_totals(&import->totals, &batch->totals);
    }
    free(batch);
    return rc;
}

/* ---- batch by batch ---- */

int import_resume(struct import *import, int64_t *after_id, bool *more, struct err *err)
{
    const struct jobs_span all = {
        .after_id = *after_id, .last_id = INT64_MAX, .max = JOBS_BATCH_ROWS};
    size_t ct = 0;
    int rc = import->dry_run ? look_at_batch(import, NULL, &all, after_id, &ct, err)
                             : run_batch(import, NULL, after_id, &ct, err);

    *more = ct > 0;
    return rc;
}

int import_next(struct import *import, struct jobs_span *span, bool *more,
                struct err *err)
{
    struct jobs_ids claimed;
    int64_t before = span->after_id;
    size_t ct = 0;
    int rc;

    if (import->dry_run) {
        rc = look_at_batch(import, import->filter, span, &span->after_id, &ct, err);
        *more = ct > 0;
        return rc;
    }
    if (jobs_table_claim(import->table, import->filter, span, &claimed, err) != 0)
        return -1;
    *more = claimed.ct > 0;
    if (claimed.ct == 0)
        return 0;
    for (size_t i = 0; i < claimed.ct; i++)
        if (claimed.items[i] > span->after_id)
            span->after_id = claimed.items[i];
    return run_batch(import, &claimed, &before, &ct, err);
}

/* ---- marks of before ---- */

static bool has_id(const struct jobs_ids *ids, int64_t id)
{
    for (size_t i = 0; i < ids->ct; i++)
        if (ids->items[i] == id)
            return true;
    return false;
}

/* Those whose rows the table has no more. */
static int forget_gone(struct import *import, const struct import_mark *marks, size_t ct,
                       struct err *err)
{
    const struct import_mark *gone[IMPORT_ROWS_MAX];
    struct jobs_ids ids = {.ct = ct}, found;
    size_t gone_ct = 0;

    for (size_t i = 0; i < ct; i++)
        ids.items[i] = marks[i].id;
    if (jobs_table_find(import->table, &ids, &found, err) != 0)
        return -1;
    for (size_t i = 0; i < ct; i++)
        if (!has_id(&found, marks[i].id))
            gone[gone_ct++] = &marks[i];
    if (gone_ct == 0)
        return 0;
    return client_import_forget(import->client, jobs_table_source(import->table), gone,
                                gone_ct, err);
}

int import_tidy(struct import *import, struct err *err)
{
    struct import_mark marks[IMPORT_ROWS_MAX];
    int64_t after_id = -1;
    size_t ct = IMPORT_ROWS_MAX;

    while (ct == IMPORT_ROWS_MAX) {
        if (client_import_marks(import->client, jobs_table_source(import->table),
                                after_id, marks, &ct, err) != 0 ||
            (ct > 0 && forget_gone(import, marks, ct, err) != 0))
            return -1;
        if (ct > 0)
            after_id = marks[ct - 1].id;
    }
    return 0;
}
