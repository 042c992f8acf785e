/* Asking Redis, PostgreSQL and this machine for what doctor's checks judge. Whatever
 * cannot be asked is a fact like any other: nothing here ends the look. */
#include "cli/doctor_gather.h"

#include <stdlib.h>
#include <string.h>

#include "cli/here.h"
#include "failed/migrate.h"
#include "failed/store.h"
#include "jobs/sql_inbox.h"
#include "queue/client_pause.h"

enum {
    CONNECT_MS = 5000,
    ANSWER_MS = 15000,
    NAMED_MAX = 8 /* paused queues that are named */
};

static int ask_paused(struct client *client, struct facts *facts, struct err *err)
{
    struct client_paused paused;
    struct buf names;
    int rc = client_paused_read(client, &paused, err);

    buf_init(&names, 0);
    for (size_t i = 0; rc == 0 && i < paused.ct && i < NAMED_MAX; i++)
        (void)buf_addf(&names, "%s%s", i ? ", " : "",
                       strcmp(paused.queues[i].name, CLIENT_PAUSE_ALL) == 0
                           ? "all queues"
                           : paused.queues[i].name);
    if (rc == 0 && paused.ct > NAMED_MAX)
        (void)buf_add_text(&names, ", ..");
    if (names.len > 0)
        facts->paused = buf_take(&names);
    buf_free(&names);
    client_paused_free(&paused);
    return rc;
}

void doctor_ask_redis(struct facts *facts, const struct redis_endpoint *endpoint,
                      const char *prefix)
{
    struct err err = {0};
    struct client *client = client_open(endpoint, prefix, &err);

    facts->redis = redis_endpoint_text(endpoint);
    facts->redis_reached = client && client_survey(client, &facts->survey, &err) == 0 &&
                           ask_paused(client, facts, &err) == 0;
    if (!facts->redis_reached)
        facts->redis_trouble = must_strdup(err.text);
    client_close(client);
}

void doctor_ask_machine(struct facts *facts)
{
    struct err err = {0};
    struct buf lines;

    buf_init(&lines, 0);
    if (here_check(facts->config, &lines, &err) != 0)
        (void)buf_addf(&lines, "%s\n", err.text);
    if (lines.len > 0)
        facts->machine = buf_take(&lines);
    else
        buf_free(&lines);
}

static void note(struct table_facts *table, enum table_state state, const struct err *err)
{
    table->state = state;
    if (state == TABLE_BAD || state == TABLE_UNREACHED)
        table->reason = must_strdup(err->text);
}

static void ask_database(const struct database_config *database,
                         struct table_facts *table)
{
    struct postgres_endpoint endpoint;
    const struct pg_ask_options options = {
        .endpoint = &endpoint, .connect_ms = CONNECT_MS, .answer_ms = ANSWER_MS};
    struct err err = {0};
    struct pg_ask *ask;
    bool there = false;

    database_endpoint_resolve(database, &endpoint);
    ask = pg_ask_open(&options, &err);
    if (ask == NULL)
        note(table, TABLE_UNREACHED, &err);
    else if (!table->needed)
        note(table, TABLE_THERE, &err);
    else if (sql_inbox_look(ask, &there, &err) != 0)
        note(table, TABLE_BAD, &err);
    else
        note(table, there ? TABLE_THERE : TABLE_MISSING, &err);
    pg_ask_close(ask);
    postgres_endpoint_free(&endpoint);
}

void doctor_ask_databases(struct facts *facts)
{
    const struct config *config = facts->config;

    facts->databases = must_alloc((config->database_ct + 1) * sizeof(*facts->databases));
    for (size_t i = 0; i < config->database_ct; i++) {
        struct table_facts *table = &facts->databases[facts->database_ct++];

        table->name = must_strdup(config->databases[i].name);
        table->table = must_strdup("drover_inbox");
        table->needed = config_has_inbox(config, &config->databases[i]);
        ask_database(&config->databases[i], table);
    }
}

/* ---- failed jobs ---- */

/* No record is asked for, so that Redis may be away. */
static void ask_failed_table(const struct postgres_endpoint *endpoint,
                             struct table_facts *table)
{
    const struct pg_ask_options options = {
        .endpoint = endpoint, .connect_ms = CONNECT_MS, .answer_ms = ANSWER_MS};
    struct err err = {0};
    struct failed_table asked = {.ask = pg_ask_open(&options, &err),
                                 .name = endpoint->table};
    bool there = false;

    if (asked.ask == NULL)
        note(table, TABLE_UNREACHED, &err);
    else if (failed_migrate_look(&asked, &there, &err) != 0)
        note(table, TABLE_BAD, &err);
    else
        note(table, there ? TABLE_THERE : TABLE_MISSING, &err);
    pg_ask_close(asked.ask);
}

/* For people. */
static char *without_quotes(const char *name)
{
    char *plain = must_strdup(name), *to = plain;

    for (const char *at = name; *at; at++)
        if (*at != '"')
            *to++ = *at;
    *to = '\0';
    return plain;
}

void doctor_ask_failed(struct facts *facts, const struct postgres_endpoint *endpoint)
{
    facts->failed.name = must_strdup("failed jobs");
    facts->failed.table = without_quotes(endpoint->table);
    facts->failed.needed = true;
    ask_failed_table(endpoint, &facts->failed);
}
