/* The status document as a person reads it. Pure: a document goes in, text comes out, so
 * that --watch can do it again every second.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "status/status.h"
#include "status/table.h"

/* A number or null stands as such, whatever else is text. */
static void add_cell(struct table *table, const json_t *value)
{
    if (json_is_string(value))
        table_cell(table, slice_of(json_string_value(value), json_string_length(value)));
    else
        table_cell_number(table, json_is_integer(value) ? json_integer_value(value) : -1);
}

static void add_members(struct table *table, const json_t *row, const char *const *names,
                        size_t ct)
{
    for (size_t i = 0; i < ct; i++)
        add_cell(table, json_object_get(row, names[i]));
}

static void add_supervisor(struct buf *out, const json_t *supervisor)
{
    int64_t uptime_s = json_integer_value(json_object_get(supervisor, "uptime_s"));
    const char *state = json_string_value(json_object_get(supervisor, "state"));

    if (!json_is_object(supervisor)) {
        buf_add_text(out, "supervisor  cannot be reached\n");
        return;
    }
    buf_add_text(out, "supervisor  ");
    text_escape(out, slice_text(state ? state : "?"));
    if (json_is_true(json_object_get(supervisor, "draining")))
        buf_add_text(out, ", draining");
    else if (json_is_true(json_object_get(supervisor, "paused")))
        buf_add_text(out, ", paused");
    buf_addf(out, ", pid %" JSON_INTEGER_FORMAT ", up ",
             json_integer_value(json_object_get(supervisor, "pid")));
    if (uptime_s >= 86400)
        buf_addf(out, "%" PRId64 "d ", uptime_s / 86400);
    buf_addf(out, "%02" PRId64 ":%02" PRId64 ":%02" PRId64 "\n", uptime_s / 3600 % 24,
             uptime_s / 60 % 60, uptime_s % 60);
}

/* What is amiss comes with the command that mends it. */
static void add_redis(struct buf *out, const json_t *redis)
{
    const char *policy = json_string_value(json_object_get(redis, "maxmemory_policy"));
    const json_t *used = json_object_get(redis, "used_memory");

    buf_add_text(out, "redis       ");
    if (!json_is_true(json_object_get(redis, "reachable")))
        buf_add_text(out, "cannot be reached");
    else if (policy == NULL)
        buf_add_text(out, "answers; what it is set to is not known");
    else if (strcmp(policy, "noeviction") == 0)
        buf_add_text(out, policy);
    else {
        text_escape(out, slice_text(policy));
        buf_add_text(out, ", which may evict whole queues: CONFIG SET maxmemory-policy "
                          "noeviction");
    }
    if (json_is_true(json_object_get(redis, "aof")))
        buf_add_text(out, ", append-only file on");
    if (json_is_false(json_object_get(redis, "aof")))
        buf_add_text(out, ", append-only file off: a restart loses jobs");
    if (json_is_integer(used))
        buf_addf(out, ", %.1f MiB used", (double)json_integer_value(used) / (1 << 20));
    if (json_is_false(json_object_get(redis, "up")))
        buf_add_text(out, "; the workers have lost it");
    buf_add_char(out, '\n');
}

static void add_pool_rows(struct table *table, const json_t *pool)
{
    static const char *const names[] = {"state", "pid",    "running",
                                        "done",  "failed", "restarts"};
    const char *pool_name = json_string_value(json_object_get(pool, "name"));
    const json_t *workers = json_object_get(pool, "workers");

    if (json_array_size(workers) == 0) {
        table_cell_text(table, pool_name ? pool_name : "?");
        table_cell_text(table, "no workers");
        for (size_t i = 1; i < ARRAY_CT(names); i++)
            table_cell_number(table, -1);
    }
    for (size_t i = 0; i < json_array_size(workers); i++) {
        const json_t *worker = json_array_get(workers, i);
        char *name = must_format("%s/%" JSON_INTEGER_FORMAT, pool_name ? pool_name : "?",
                                 json_integer_value(json_object_get(worker, "slot")));

        table_cell_text(table, name);
        add_members(table, worker, names, ARRAY_CT(names));
        free(name);
    }
}

static void add_workers(struct buf *out, const json_t *pools, enum table_colour colour)
{
    static const struct table_column columns[] = {
        {"WORKER", TABLE_LEFT},   {"STATE", TABLE_LEFT}, {"PID", TABLE_RIGHT},
        {"RUNNING", TABLE_RIGHT}, {"DONE", TABLE_RIGHT}, {"FAILED", TABLE_RIGHT},
        {"RESTARTS", TABLE_RIGHT}};
    struct table *table = table_create(columns, ARRAY_CT(columns), colour);

    for (size_t i = 0; i < json_array_size(pools); i++)
        add_pool_rows(table, json_array_get(pools, i));
    if (table_rows(table) > 0) {
        buf_add_char(out, '\n');
        table_render(table, out);
    }
    table_destroy(table);
}

static void add_away(struct buf *out, const json_t *pool, const json_t *worker)
{
    const json_t *away = json_object_get(worker, "away");

    for (size_t i = 0; i < json_array_size(away); i++) {
        const json_t *row = json_array_get(away, i);
        const char *pool_name = json_string_value(json_object_get(pool, "name"));
        const char *name = json_string_value(json_object_get(row, "endpoint"));
        json_int_t failures = json_integer_value(json_object_get(row, "failures"));

        buf_add_text(out, "left alone: ");
        text_escape(out, slice_text(name ? name : "?"));
        buf_addf(out,
                 ", %" JSON_INTEGER_FORMAT
                 " failure%s in a row, by %s/%" JSON_INTEGER_FORMAT "\n",
                 failures, failures == 1 ? "" : "s", pool_name ? pool_name : "?",
                 json_integer_value(json_object_get(worker, "slot")));
    }
}

static const char *member_text(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text ? text : "?";
}

static void add_databases(struct buf *out, const json_t *pool, const json_t *worker)
{
    const json_t *databases = json_object_get(worker, "databases");

    for (size_t i = 0; i < json_array_size(databases); i++) {
        const json_t *row = json_array_get(databases, i);
        json_int_t ct = json_integer_value(json_object_get(row, "postponed"));

        buf_add_text(out, "database ");
        text_escape(out, slice_text(member_text(row, "database")));
        buf_add_text(out, " cannot be used: ");
        text_escape(out, slice_text(member_text(row, "reason")));
        buf_addf(out,
                 ", %" JSON_INTEGER_FORMAT " run%s put off, by %s/%" JSON_INTEGER_FORMAT
                 "\n",
                 ct, ct == 1 ? "" : "s", member_text(pool, "name"),
                 json_integer_value(json_object_get(worker, "slot")));
    }
}

/* What its supervisor paused is said above; the application's word is about one pool. */
static void add_held(struct buf *out, const json_t *pool)
{
    const json_t *workers = json_object_get(pool, "workers");
    const char *name = json_string_value(json_object_get(pool, "name"));
    size_t ct = 0;

    for (size_t i = 0; i < json_array_size(workers); i++) {
        const json_t *by = json_object_get(json_array_get(workers, i), "paused");

        ct += json_is_string(by) && strcmp(json_string_value(by), "application") == 0;
    }
    if (ct > 0)
        buf_addf(out, "paused by the application: %zu of %s\n", ct, name ? name : "?");
}

static bool names_queue(const json_t *worker, const char *queue)
{
    const json_t *names = json_object_get(worker, "paused_queues");

    for (size_t i = 0; i < json_array_size(names); i++) {
        const char *name = json_string_value(json_array_get(names, i));

        if (name && strcmp(name, queue) == 0)
            return true;
    }
    return false;
}

/* Of how many workers from `first` on; 0 where one before it has been counted with it. */
static size_t count_holders(const json_t *workers, size_t first, const char *queue)
{
    size_t ct = 0;

    for (size_t i = 0; i < json_array_size(workers); i++)
        if (names_queue(json_array_get(workers, i), queue)) {
            if (i < first)
                return 0;
            ct++;
        }
    return ct;
}

/* A line for each queue, at the first worker that names it. */
static void add_held_queues(struct buf *out, const json_t *pool, size_t at)
{
    const json_t *workers = json_object_get(pool, "workers");
    const json_t *names = json_object_get(json_array_get(workers, at), "paused_queues");

    for (size_t i = 0; i < json_array_size(names); i++) {
        const char *queue = json_string_value(json_array_get(names, i));
        size_t ct = queue ? count_holders(workers, at, queue) : 0;

        if (ct == 0)
            continue;
        buf_add_text(out, "queue ");
        text_escape(out, slice_text(queue));
        buf_addf(out, " paused by the application: %zu of %s\n", ct,
                 member_text(pool, "name"));
    }
}

static void add_troubles(struct buf *out, const json_t *pools)
{
    size_t before = out->len;

    buf_add_char(out, '\n');
    for (size_t i = 0; i < json_array_size(pools); i++) {
        const json_t *pool = json_array_get(pools, i);
        const json_t *workers = json_object_get(pool, "workers");

        add_held(out, pool);
        for (size_t k = 0; k < json_array_size(workers); k++) {
            add_held_queues(out, pool, k);
            add_away(out, pool, json_array_get(workers, k));
            add_databases(out, pool, json_array_get(workers, k));
        }
    }
    if (out->len == before + 1)
        out->data[out->len = before] = '\0';
}

static bool is_some_paused(const json_t *queues)
{
    for (size_t i = 0; i < json_array_size(queues); i++)
        if (json_is_true(json_object_get(json_array_get(queues, i), "paused")))
            return true;
    return false;
}

/* The last column only where it has something to say. */
static void add_queues(struct buf *out, const json_t *queues, enum table_colour colour)
{
    static const struct table_column columns[] = {{"QUEUE", TABLE_LEFT},
                                                  {"READY", TABLE_RIGHT},
                                                  {"DELAYED", TABLE_RIGHT},
                                                  {"RESERVED", TABLE_RIGHT},
                                                  {"PAUSED SINCE", TABLE_LEFT}};
    static const char *const names[] = {"name", "ready", "delayed", "reserved",
                                        "paused_since"};
    size_t ct = ARRAY_CT(columns) - !is_some_paused(queues);
    struct table *table = table_create(columns, ct, colour);

    for (size_t i = 0; i < json_array_size(queues); i++)
        add_members(table, json_array_get(queues, i), names, ct);
    buf_add_char(out, '\n');
    table_render(table, out);
    table_destroy(table);
}

static void add_failed(struct buf *out, const json_t *document)
{
    const json_t *failed = json_object_get(document, "failed");
    const json_t *waiting = json_object_get(document, "failed_waiting");
    json_int_t ct = json_integer_value(waiting);

    if (!json_is_integer(failed) && !json_is_integer(waiting)) {
        buf_add_text(out, "\nRedis cannot be reached\n");
        return;
    }
    buf_add_text(out, "\nfailed jobs  ");
    if (json_is_integer(failed))
        buf_addf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(failed));
    else if (json_is_true(json_object_get(document, "failed_table_missing")))
        buf_add_text(out, "-, the table is missing (`drover failed migrate` makes it)");
    else
        buf_add_text(out, "-, PostgreSQL cannot be asked");
    if (ct > 0)
        buf_addf(out, ", %" JSON_INTEGER_FORMAT " wait%s in Redis for PostgreSQL", ct,
                 ct == 1 ? "s" : "");
    buf_add_char(out, '\n');
}

void status_text(const json_t *document, enum status_colour colour, struct buf *out)
{
    enum table_colour titles = colour == STATUS_COLOURED ? TABLE_COLOURED : TABLE_PLAIN;

    add_supervisor(out, json_object_get(document, "supervisor"));
    add_redis(out, json_object_get(document, "redis"));
    add_workers(out, json_object_get(document, "pools"), titles);
    add_troubles(out, json_object_get(document, "pools"));
    add_queues(out, json_object_get(document, "queues"), titles);
    add_failed(out, document);
}
