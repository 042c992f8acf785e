/* Reading addresses of Redis. Pure. Knows no settings and no sockets; what it says about
 * a bad address never quotes it, for a password may stand anywhere in it. */
#include "config/url.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/must.h"
#include "base/text.h"

/* The parts of a URL as they stand in it. */
struct parts {
    struct slice scheme; /* absent: a bare path */
    struct slice user;   /* "user:password"; absent: none */
    struct slice host;   /* "host:port" */
    struct slice path;   /* with its slash */
    struct slice query;  /* behind the question mark */
};

static struct slice slice_until(const char *from, const char *end)
{
    return slice_of(from, (size_t)(end - from));
}

static const char *find_last(const char *from, const char *end, char c)
{
    while (end > from)
        if (*--end == c)
            return end;
    return NULL;
}

static void split(const char *text, struct parts *parts)
{
    const char *colon = strchr(text, ':'), *at = text, *end, *sign;

    *parts = (struct parts){0};
    if (text[0] != '/' && colon) {
        parts->scheme = slice_until(text, colon);
        at = colon + 1;
    }
    if (parts->scheme.ptr && strncmp(at, "//", 2) == 0) {
        at += 2;
        end = at + strcspn(at, "/?#");
        sign = find_last(at, end, '@');
        if (sign) {
            parts->user = slice_until(at, sign);
            at = sign + 1;
        }
        parts->host = slice_until(at, end);
        at = end;
    }
    end = at + strcspn(at, "?#");
    parts->path = slice_until(at, end);
    if (*end == '?')
        parts->query = slice_until(end + 1, end + 1 + strcspn(end + 1, "#"));
}

static int hex_digit(char c)
{
    if (!isxdigit((unsigned char)c))
        return -1;
    return isdigit((unsigned char)c) ? c - '0' : tolower((unsigned char)c) - 'a' + 10;
}

/* What is no %XX stays as it is, as PHP has it. NULL: it holds a NUL. */
static char *decode(struct slice text)
{
    char *out = must_alloc(text.len + 1);
    size_t len = 0;

    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];

        if (c == '%' && i + 2 < text.len && hex_digit(text.ptr[i + 1]) >= 0 &&
            hex_digit(text.ptr[i + 2]) >= 0) {
            c = (char)(hex_digit(text.ptr[i + 1]) * 16 + hex_digit(text.ptr[i + 2]));
            i += 2;
        }
        if (c == '\0') {
            free(out);
            return NULL;
        }
        out[len++] = c;
    }
    return out;
}

/* Replaces *field by the decoded text; an empty one counts as not given. */
static int take(struct slice text, char **field, struct err *err)
{
    char *decoded = decode(text);

    if (decoded == NULL)
        return err_set(err, ERR_CONFIG, "holds %%00");
    must_wipe(*field);
    *field = decoded;
    if (*decoded == '\0') {
        free(decoded);
        *field = NULL;
    }
    return 0;
}

static int read_number(struct slice text, int64_t min, int64_t max, int64_t *number)
{
    char digits[16];

    if (text.len == 0 || text.len >= sizeof(digits))
        return -1;
    memcpy(digits, text.ptr, text.len);
    digits[text.len] = '\0';
    return text_integer(digits, min, max, number, NULL);
}

static int read_db(struct slice text, struct redis_url *url, struct err *err)
{
    if (read_number(text, 0, INT32_MAX, &url->db) != 0)
        return err_set(err, ERR_CONFIG,
                       "its database is not a number (a password with / or ? in it needs "
                       "%%2F or %%3F there)");
    return 0;
}

static int read_user(struct slice user, struct redis_url *url, struct err *err)
{
    const char *colon = user.len ? memchr(user.ptr, ':', user.len) : NULL;

    if (colon == NULL)
        return take(user, &url->username, err);
    if (take(slice_until(colon + 1, user.ptr + user.len), &url->password, err) != 0)
        return -1;
    return take(slice_until(user.ptr, colon), &url->username, err);
}

static bool key_is(struct slice key, const char *a, const char *b)
{
    return slice_is(key, a) || slice_is(key, b);
}

static int read_query(struct slice query, struct redis_url *url, struct err *err)
{
    const char *at = query.ptr, *end = query.len ? query.ptr + query.len : at;

    while (at < end) {
        const char *next = memchr(at, '&', (size_t)(end - at));
        const char *stop = next ? next : end;
        const char *equals = memchr(at, '=', (size_t)(stop - at));
        struct slice key = slice_until(at, equals ? equals : stop);
        struct slice value = slice_until(equals ? equals + 1 : stop, stop);
        int rc = 0;

        if (key_is(key, "db", "database"))
            rc = read_db(value, url, err);
        else if (key_is(key, "password", "pass"))
            rc = take(value, &url->password, err);
        else if (key_is(key, "username", "user"))
            rc = take(value, &url->username, err);
        if (rc != 0)
            return -1;
        at = stop + 1;
    }
    return 0;
}

static int read_host(struct slice host, struct redis_url *url, struct err *err)
{
    const char *end = host.ptr + host.len, *colon = find_last(host.ptr, end, ':');
    const char *bracket = find_last(host.ptr, end, ']');
    int64_t port;

    if (colon && bracket && colon < bracket)
        colon = NULL;
    if (colon) {
        if (read_number(slice_until(colon + 1, end), 1, 65535, &port) != 0)
            return err_set(err, ERR_CONFIG,
                           "its port is not a number of 1 to 65535 (a password with / ? "
                           "# or @ in it needs %%2F %%3F %%23 %%40 there)");
        url->port = (int)port;
        end = colon;
    }
    host = slice_until(host.ptr, end);
    if (host.len > 2 && host.ptr[0] == '[' && end[-1] == ']')
        host = slice_of(host.ptr + 1, host.len - 2);
    if (take(host, &url->host, err) != 0)
        return -1;
    return url->host ? 0 : err_set(err, ERR_CONFIG, "names no host");
}

static int read_tcp(const struct parts *parts, struct redis_url *url, struct err *err)
{
    if (parts->host.ptr == NULL)
        return err_set(err, ERR_CONFIG, "has no // behind its scheme");
    if (read_host(parts->host, url, err) != 0)
        return -1;
    if (parts->path.len <= 1)
        return 0;
    return read_db(slice_of(parts->path.ptr + 1, parts->path.len - 1), url, err);
}

static int read_unix(const struct parts *parts, struct redis_url *url, struct err *err)
{
    if (parts->host.len)
        return err_set(err, ERR_CONFIG,
                       "names a host before the socket's path: write unix:///path");
    if (take(parts->path, &url->path, err) != 0)
        return -1;
    if (url->path == NULL || url->path[0] != '/')
        return err_set(err, ERR_CONFIG, "the socket's path must begin with /");
    return 0;
}

static bool scheme_is(struct slice scheme, const char *name)
{
    return scheme.len == strlen(name) && strncasecmp(scheme.ptr, name, scheme.len) == 0;
}

static int read_address(const struct parts *parts, struct redis_url *url, struct err *err)
{
    if (parts->scheme.ptr == NULL || scheme_is(parts->scheme, "unix"))
        return read_unix(parts, url, err);
    if (scheme_is(parts->scheme, "redis") || scheme_is(parts->scheme, "tcp"))
        return read_tcp(parts, url, err);
    if (scheme_is(parts->scheme, "rediss") || scheme_is(parts->scheme, "tls"))
        return err_set(err, ERR_CONFIG,
                       "rediss:// and tls:// need TLS, which this build has not: its "
                       "hiredis is without it");
    return err_set(err, ERR_CONFIG,
                   "is none of: embedded, redis://, tcp://, unix://, the path of a "
                   "socket");
}

int redis_url_parse(const char *text, struct redis_url *url, struct err *err)
{
    struct parts parts;

    *url = (struct redis_url){.db = -1};
    split(text, &parts);
    if (parts.scheme.ptr == NULL && text[0] != '/')
        parts.scheme = slice_text("?");
    if (read_address(&parts, url, err) != 0 || read_user(parts.user, url, err) != 0)
        return -1;
    return read_query(parts.query, url, err);
}

void redis_url_free(struct redis_url *url)
{
    free(url->path);
    free(url->host);
    free(url->username);
    must_wipe(url->password);
    *url = (struct redis_url){.db = -1};
}

/* ---- masking ---- */

static void mask_user(struct slice user, struct buf *out)
{
    const char *colon = user.len ? memchr(user.ptr, ':', user.len) : NULL;

    if (user.ptr == NULL)
        return;
    if (colon) /* else it may be a password in the wrong place */
        (void)buf_add(out, user.ptr, (size_t)(colon + 1 - user.ptr));
    (void)buf_add_text(out, "(secret)@");
}

static bool is_database(struct slice query)
{
    const char *equals = query.len ? memchr(query.ptr, '=', query.len) : NULL;
    int64_t db;

    return equals && key_is(slice_until(query.ptr, equals), "db", "database") &&
           read_number(slice_until(equals + 1, query.ptr + query.len), 0, INT32_MAX,
                       &db) == 0;
}

void redis_url_mask(const char *text, struct buf *out)
{
    struct parts parts;
    struct redis_url url;
    bool good = redis_url_parse(text, &url, NULL) == 0;

    redis_url_free(&url);
    if (!good) { /* there is no telling what is where in it */
        (void)buf_add_text(out, strcmp(text, "embedded") == 0 ? text : "(secret)");
        return;
    }
    split(text, &parts);
    if (parts.scheme.ptr)
        (void)buf_addf(out, "%.*s:", (int)parts.scheme.len, parts.scheme.ptr);
    if (parts.host.ptr)
        (void)buf_add_text(out, "//");
    mask_user(parts.user, out);
    (void)buf_addf(out, "%.*s%.*s", (int)parts.host.len,
                   parts.host.ptr ? parts.host.ptr : "", (int)parts.path.len,
                   parts.path.ptr);
    if (is_database(parts.query))
        (void)buf_addf(out, "?%.*s", (int)parts.query.len, parts.query.ptr);
    else if (parts.query.len)
        (void)buf_add_text(out, "?(secret)");
}
