/* Where a database is: its dsn, understood by libpq itself (environment, service file and
 * all), with the hosts taken out so that their names can be resolved without blocking. */
#ifndef PG_TARGET_H
#define PG_TARGET_H

#include "base/buf.h"
#include "base/err.h"
#include "base/resolve.h"

enum { TARGET_HOSTS_MAX = 16 };

struct target_host {
    char *host;     /* name, address, directory of a unix socket, or "" */
    char *hostaddr; /* "" where not given */
    char *port;     /* "" where not given */
};

struct target {
    char *dsn;
    char *password; /* NULL: the dsn's */
    struct target_host hosts[TARGET_HOSTS_MAX];
    size_t host_ct; /* at least 1 */
};

/* ERR_CONFIG where libpq cannot read it; the error never holds a password. */
int target_check_dsn(const char *dsn, struct err *err) MUSTCHECK;

/* Copies both. ERR_CONFIG where libpq does not understand the dsn. */
int target_read(struct target *target, const char *dsn, const char *password,
                struct err *err) MUSTCHECK;
void target_free(struct target *target); /* wipes the secrets; twice is fine */

/* Whether the host is a name, whose addresses are to be found first. */
bool target_is_name(const struct target_host *host);

/* The hosts to connect to, as libpq wants them: three lists with commas. */
struct target_route {
    struct buf host, hostaddr, port;
    size_t ct;
};

void target_route_add(struct target_route *route, const struct target_host *host,
                      const char *hostaddr);
void target_route_free(struct target_route *route);

/* What PQconnectStartParams() takes; borrows from both. Ends with NULL. */
enum { TARGET_WORDS = 8 };
void target_words(const struct target *target, const struct target_route *route,
                  const char *keywords[TARGET_WORDS], const char *values[TARGET_WORDS]);

#endif
