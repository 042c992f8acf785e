/* The walk over all failed records, in constant memory.
 *
 * The index comes page by page behind a cursor that names the record seen last, so that
 * removals and equal scores neither skip nor repeat anything; the records of a page come
 * in windows. All answers of a window are in hand before the first record is shown: the
 * callback may use the same connection.
 */
#include "queue/client_record.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PAGE = 500,
    WIDE_WINDOW = 16 /* records in hand at one time where they carry payloads */
};

struct state {
    struct client *client;
    const struct failed_walk *walk;
    failed_each_cb each;
    void *arg;
    char lowest[32], highest[32]; /* bounds of the score, as ZCOUNT takes them */
    char cursor_score[32];        /* of the record seen last; "" at the start */
    char *cursor_uuid;
    size_t cursor_uuid_bytes;
    bool stopped;
};

/* The index's own order ends with what was there at the start: a job that fails again
 * while the oldest are retried must not be met a second time. */
static int bound_by_newest(struct state *state, struct err *err)
{
    const char *const words[] = {"ZREVRANGE", state->client->own.failed, "0", "0",
                                 "WITHSCORES"};
    redisReply *reply = client_ask(state->client, words, ARRAY_CT(words), err);
    int rc = 0;

    if (reply == NULL)
        return -1;
    if (!client_is_texts(reply, 2) || reply->elements > 2)
        rc = client_odd_reply(state->client, "ZREVRANGE", err);
    else if (reply->elements == 2)
        snprintf(state->highest, sizeof(state->highest), "%s", reply->element[1]->str);
    freeReplyObject(reply);
    return rc;
}

static int set_bounds(struct state *state, struct err *err)
{
    const struct failed_walk *walk = state->walk;

    snprintf(state->lowest, sizeof(state->lowest), "-inf");
    snprintf(state->highest, sizeof(state->highest), "+inf");
    if (walk->after_ms > 0)
        snprintf(state->lowest, sizeof(state->lowest), "%" PRId64, walk->after_ms);
    if (walk->before_ms > 0)
        snprintf(state->highest, sizeof(state->highest), "(%" PRId64, walk->before_ms);
    else if (walk->oldest_first)
        return bound_by_newest(state, err);
    return 0;
}

static redisReply *fetch_page(struct state *state, struct err *err)
{
    struct script_call call = {0};
    char size[16];

    snprintf(size, sizeof(size), "%d", PAGE);
    script_call_begin(&call, "failed_page");
    script_call_key(&call, state->client->own.failed);
    script_call_arg(&call, slice_text(state->walk->oldest_first ? "asc" : "desc"));
    script_call_arg(&call, slice_text(state->lowest));
    script_call_arg(&call, slice_text(state->highest));
    script_call_arg(&call, slice_text(size));
    script_call_arg(&call, slice_text(state->cursor_score));
    script_call_arg(&call, slice_of(state->cursor_uuid ? state->cursor_uuid : "",
                                    state->cursor_uuid_bytes));
    return client_script(state->client, &call, err);
}

static void move_cursor(struct state *state, const redisReply *page)
{
    const redisReply *uuid = page->element[page->elements - 2];
    const redisReply *score = page->element[page->elements - 1];

    free(state->cursor_uuid);
    state->cursor_uuid = must_alloc((size_t)uuid->len + 1);
    memcpy(state->cursor_uuid, uuid->str, (size_t)uuid->len);
    state->cursor_uuid_bytes = (size_t)uuid->len;
    snprintf(state->cursor_score, sizeof(state->cursor_score), "%s", score->str);
}

/* A window of a page: the ids and, in the same order, the answers about them. */
struct window {
    const char *uuids[PAGE];
    redisReply *replies[PAGE];
    size_t ct;
};

/* All answers of the pipeline are read, whatever they say. A key of a wrong type in a
 * record's place is nobody's record and stays NULL; it must not hide the others. */
static int fetch_window(struct state *state, struct window *window, struct err *err)
{
    struct err why = {0};
    int rc = 0;

    memset(window->replies, 0, sizeof(window->replies));
    for (size_t i = 0; i < window->ct; i++)
        if (client_record_ask(state->client, window->uuids[i], state->walk->fields,
                              err) != 0)
            return -1;
    for (size_t i = 0; i < window->ct; i++) {
        window->replies[i] = client_read(state->client, &why);
        if (window->replies[i] && window->replies[i]->type != REDIS_REPLY_ARRAY)
            rc = client_odd_reply(state->client, "HMGET", err);
        if (window->replies[i] || client_is_wrong_type(&why))
            continue;
        rc = err_set(err, why.code, "%s", why.text);
    }
    return rc;
}

static int show_window(struct state *state, struct window *window, struct err *err)
{
    const char *gone[PAGE];
    struct fail_record record;
    size_t gone_ct = 0;
    int64_t tidied;

    for (size_t i = 0; i < window->ct && !state->stopped; i++) {
        if (window->replies[i] == NULL)
            continue;
        if (client_record_is_gone(window->replies[i])) {
            gone[gone_ct++] = window->uuids[i];
            continue;
        }
        client_record_fill(&record, window->uuids[i], window->replies[i]);
        state->stopped = !state->each(state->arg, &record);
    }
    if (gone_ct == 0)
        return 0;
    return client_record_script(state->client, "failed_tidy", gone, gone_ct, &tidied,
                                err);
}

/* An id that drover cannot have written is nobody's record. */
static bool is_our_uuid(const redisReply *member)
{
    size_t len = (size_t)member->len;

    return len > 0 && len < sizeof(((struct fail_record *)NULL)->uuid) &&
           memchr(member->str, '\0', len) == NULL;
}

static int walk_window(struct state *state, struct window *window, struct err *err)
{
    int rc = fetch_window(state, window, err);

    if (rc == 0)
        rc = show_window(state, window, err);
    for (size_t i = 0; i < window->ct; i++)
        freeReplyObject(window->replies[i]);
    window->ct = 0;
    return rc;
}

static int walk_page(struct state *state, const redisReply *page, struct err *err)
{
    size_t wide = state->walk->fields == FAILED_SUMMARY ? PAGE : WIDE_WINDOW;
    struct window *window = must_alloc(sizeof(*window));
    int rc = 0;

    for (size_t i = 0; rc == 0 && !state->stopped && i + 1 < page->elements; i += 2) {
        if (is_our_uuid(page->element[i]))
            window->uuids[window->ct++] = page->element[i]->str;
        if (window->ct == wide || (i + 2 >= page->elements && window->ct > 0))
            rc = walk_window(state, window, err);
    }
    free(window);
    return rc;
}

int client_failed_walk(struct client *client, const struct failed_walk *walk,
                       failed_each_cb each, void *arg, struct err *err)
{
    struct state state = {.client = client, .walk = walk, .each = each, .arg = arg};
    bool more = true;
    int rc = set_bounds(&state, err);

    while (rc == 0 && more && !state.stopped) {
        redisReply *page = fetch_page(&state, err);

        if (page == NULL) {
            rc = -1;
            break;
        }
        more = page->elements > 0;
        if (!client_is_texts(page, 2)) {
            rc = client_odd_reply(client, "failed_page", err);
        } else if (more) {
            move_cursor(&state, page);
            rc = walk_page(&state, page, err);
        }
        freeReplyObject(page);
    }
    free(state.cursor_uuid);
    return rc;
}
