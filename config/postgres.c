/* From the failed.* settings to the one database they mean. What is in a dsn stays there:
 * only libpq reads it. */
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

int postgres_endpoint_resolve(const struct config *config,
                              struct postgres_endpoint *endpoint, struct err *err)
{
    const struct failed_config *failed = &config->failed;

    *endpoint = (struct postgres_endpoint){0};
    if (failed->store != FAILED_IN_POSTGRES)
        return err_set(err, ERR_CONFIG, "failed.store is not \"postgres\"");
    endpoint->dsn = failed->dsn ? postgres_dsn_for_libpq(failed->dsn) : NULL;
    endpoint->host = must_strdup(failed->host);
    endpoint->port =
        failed->port > 0 ? must_format("%lld", (long long)failed->port) : NULL;
    endpoint->database = must_strdup(failed->database);
    endpoint->username = must_strdup(failed->username);
    endpoint->password = must_strdup(failed->password);
    endpoint->table = quoted_table(failed->table);
    return 0;
}

static void free_secret(char *text)
{
    if (text)
        explicit_bzero(text, strlen(text));
    free(text);
}

void postgres_endpoint_free(struct postgres_endpoint *endpoint)
{
    free_secret(endpoint->dsn);
    free_secret(endpoint->password);
    free(endpoint->host);
    free(endpoint->port);
    free(endpoint->database);
    free(endpoint->username);
    free(endpoint->table);
    *endpoint = (struct postgres_endpoint){0};
}

static void add_part(struct buf *out, const char *name, const char *value)
{
    if (value)
        (void)buf_addf(out, "%s%s=%s", out->len ? " " : "", name, value);
}

char *postgres_endpoint_text(const struct postgres_endpoint *endpoint)
{
    struct buf out;
    char *text;

    buf_init(&out, 0);
    if (endpoint->dsn) {
        postgres_dsn_mask(endpoint->dsn, &out);
    } else {
        add_part(&out, "host", endpoint->host);
        add_part(&out, "port", endpoint->port);
        add_part(&out, "dbname", endpoint->database);
        add_part(&out, "user", endpoint->username);
    }
    text = must_strdup(out.data ? out.data : "");
    buf_free(&out);
    return text;
}
