/* Addresses of Redis: redis://user:password@host:6379/0, tcp:// (the same),
 * unix:///path?db=0, unix:/path, /path. As Laravel reads them: user and password are
 * percent-decoded, the path or ?db= (?database=) is the database, ?username= and
 * ?password= count too, other parameters are ignored.
 */
#ifndef CONFIG_URL_H
#define CONFIG_URL_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

struct redis_url {
    char *path; /* of a unix socket; NULL: TCP */
    char *host; /* NULL: a socket */
    int port;   /* 0: not given */
    char *username;
    char *password;
    int64_t db; /* -1: not given */
};

/* `url` must be freed in any case. The error never shows the URL. */
int redis_url_parse(const char *text, struct redis_url *url, struct err *err) MUSTCHECK;
void redis_url_free(struct redis_url *url); /* wipes */

/* Appends the URL with what may be secret in it as "(secret)". */
void redis_url_mask(const char *text, struct buf *out);

#endif
