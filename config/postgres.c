/* From the failed.* settings to the one database they mean. What is in a dsn stays there:
 * only libpq reads it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/must.h"
#include "config/config.h"
#include "config/dsn.h"

/* The names were checked: there is nothing in them to escape. */
static char *quoted_table(const char *table)
{
    const char *dot = strchr(table, '.');

    if (dot == NULL)
        return must_format("\"%s\"", table);
    return must_format("\"%.*s\".\"%s\"", (int)(dot - table), table, dot + 1);
}

static char *dsn_of_parts(const struct failed_config *failed)
{
    char port[24];
    struct buf out;

    (void)snprintf(port, sizeof(port), "%lld", (long long)failed->port);
    buf_init(&out, 0);
    postgres_dsn_add(&out, "host", failed->host);
    postgres_dsn_add(&out, "port", failed->port > 0 ? port : NULL);
    postgres_dsn_add(&out, "dbname", failed->database);
    postgres_dsn_add(&out, "user", failed->username);
    return buf_take(&out);
}

int postgres_endpoint_resolve(const struct config *config,
                              struct postgres_endpoint *endpoint, struct err *err)
{
    const struct failed_config *failed = &config->failed;

    *endpoint = (struct postgres_endpoint){0};
    if (failed->store != FAILED_IN_POSTGRES)
        return err_set(err, ERR_CONFIG, "failed.store is not \"postgres\"");
    endpoint->dsn =
        failed->dsn ? postgres_dsn_for_libpq(failed->dsn) : dsn_of_parts(failed);
    if (!postgres_dsn_has_password(endpoint->dsn))
        endpoint->password = must_strdup(failed->password);
    endpoint->table = quoted_table(failed->table);
    return 0;
}

void database_endpoint_resolve(const struct database_config *database,
                               struct postgres_endpoint *endpoint)
{
    struct buf out;

    *endpoint = (struct postgres_endpoint){0};
    buf_init(&out, 0);
    if (database->dsn == NULL)
        postgres_dsn_add(&out, "service", database->service);
    endpoint->dsn =
        database->dsn ? postgres_dsn_for_libpq(database->dsn) : buf_take(&out);
    if (!postgres_dsn_has_password(endpoint->dsn))
        endpoint->password = must_strdup(database->password);
}

void postgres_endpoint_free(struct postgres_endpoint *endpoint)
{
    must_wipe(endpoint->dsn);
    must_wipe(endpoint->password);
    free(endpoint->table);
    *endpoint = (struct postgres_endpoint){0};
}

char *postgres_endpoint_text(const struct postgres_endpoint *endpoint)
{
    struct buf out;

    buf_init(&out, 0);
    postgres_dsn_mask(endpoint->dsn, &out);
    return buf_take(&out);
}
