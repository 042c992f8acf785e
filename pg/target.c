/* Understanding a dsn.
 *
 * libpq resolves host names itself, blocking. So it is asked first what it makes of the
 * dsn, by a connection that cannot be begun for an impossible value, which touches no
 * network; then the hosts it names are given back to it with the addresses found. It
 * still gets the names, for certificates and password files.
 */
#include "pg/target.h"

#include <libpq-fe.h>
#include <stdlib.h>
#include <string.h>

#include "config/dsn.h"

/* The last that libpq checks, before it looks at any host. */
static const char impossible_option[] = "target_session_attrs";

/* ---- the hosts ---- */

/* Item `at` of a list with commas; "" behind its end. */
static char *list_item(const char *list, size_t at)
{
    while (at-- > 0) {
        list = strchr(list, ',');
        if (list == NULL)
            return must_strdup("");
        list++;
    }
    return must_strndup(list, strcspn(list, ","));
}

static size_t list_ct(const char *list)
{
    size_t ct = 1;

    for (; *list; list++)
        ct += *list == ',';
    return ct;
}

static const char *option_value(const PQconninfoOption *options, const char *keyword)
{
    for (; options->keyword; options++)
        if (strcmp(options->keyword, keyword) == 0)
            return options->val ? options->val : "";
    return "";
}

/* libpq has seen to it that the lists go together. */
static int take_hosts(struct target *target, const PQconninfoOption *options,
                      struct err *err)
{
    const char *hosts = option_value(options, "host");
    const char *addresses = option_value(options, "hostaddr");
    const char *ports = option_value(options, "port");
    size_t host_ct = list_ct(hosts), address_ct = list_ct(addresses);
    size_t ct = host_ct > address_ct ? host_ct : address_ct;

    if (ct > TARGET_HOSTS_MAX)
        return err_set(err, ERR_CONFIG, "more than %d hosts", TARGET_HOSTS_MAX);
    for (size_t i = 0; i < ct; i++) {
        target->hosts[i].host = list_item(hosts, i);
        target->hosts[i].hostaddr = list_item(addresses, i);
        target->hosts[i].port = list_item(ports, list_ct(ports) == 1 ? 0 : i);
    }
    target->host_ct = ct;
    return 0;
}

/* ---- the dsn ---- */

/* libpq quotes what it cannot read, and that may be the password. */
static int refuse(const char *dsn, const char *said, struct err *err)
{
    if (postgres_dsn_may_hold_secret(dsn))
        return err_set(err, ERR_CONFIG,
                       "libpq cannot make sense of it (why is not shown, for that may "
                       "quote a password: try it with psql)");
    return err_set(err, ERR_CONFIG, "%.*s", (int)strcspn(said, "\n"), said);
}

int target_check_dsn(const char *dsn, struct err *err)
{
    char *said = NULL;
    PQconninfoOption *options = PQconninfoParse(dsn, &said);
    int rc = options ? 0 : refuse(dsn, said ? said : "cannot be read", err);

    PQconninfoFree(options);
    PQfreemem(said);
    return rc;
}

static int ask_libpq(struct target *target, struct err *err)
{
    const char *const keywords[] = {"dbname", impossible_option, NULL};
    const char *const values[] = {target->dsn, "?", NULL};
    PGconn *conn = PQconnectStartParams(keywords, values, 1);
    PQconninfoOption *options = NULL;
    int rc;

    if (conn && strstr(PQerrorMessage(conn), impossible_option))
        options = PQconninfo(conn);
    rc = options
             ? take_hosts(target, options, err)
             : refuse(target->dsn, conn ? PQerrorMessage(conn) : "out of memory", err);
    PQconninfoFree(options);
    PQfinish(conn);
    return rc;
}

int target_read(struct target *target, const char *dsn, const char *password,
                struct err *err)
{
    *target = (struct target){0};
    if (target_check_dsn(dsn, err) != 0)
        return -1;
    target->dsn = must_strdup(dsn);
    target->password = must_strdup(password);
    if (ask_libpq(target, err) == 0)
        return 0;
    target_free(target);
    return -1;
}

void target_free(struct target *target)
{
    for (size_t i = 0; i < target->host_ct; i++) {
        free(target->hosts[i].host);
        free(target->hosts[i].hostaddr);
        free(target->hosts[i].port);
    }
    must_wipe(target->dsn);
    must_wipe(target->password);
    *target = (struct target){0};
}

/* ---- the way there ---- */

bool target_is_name(const struct target_host *host)
{
    return host->hostaddr[0] == '\0' && host->host[0] != '\0' && host->host[0] != '/' &&
           host->host[0] != '@' && !resolve_is_address(host->host);
}

static void add_item(struct buf *list, size_t at, const char *item)
{
    (void)buf_addf(list, "%s%s", at ? "," : "", item);
}

void target_route_add(struct target_route *route, const struct target_host *host,
                      const char *hostaddr)
{
    add_item(&route->host, route->ct, host->host);
    add_item(&route->hostaddr, route->ct, hostaddr);
    add_item(&route->port, route->ct, host->port);
    route->ct++;
}

void target_route_free(struct target_route *route)
{
    buf_free(&route->host);
    buf_free(&route->hostaddr);
    buf_free(&route->port);
    route->ct = 0;
}

/* What comes later wins. */
void target_words(const struct target *target, const struct target_route *route,
                  const char *keywords[TARGET_WORDS], const char *values[TARGET_WORDS])
{
    const char *const words[TARGET_WORDS][2] = {
        {"fallback_application_name", "drover"},
        {"dbname", target->dsn},
        {"host", route->host.data},
        {"hostaddr", route->hostaddr.data},
        {"port", route->port.data},
        {"client_encoding", "UTF8"},
        {target->password ? "password" : NULL, target->password},
        {NULL, NULL},
    };

    for (size_t i = 0; i < TARGET_WORDS; i++) {
        keywords[i] = words[i][0];
        values[i] = words[i][1];
    }
}
