/* Reading libpq's connection strings.
 *
 * Which parameters there are, and what their values mean, is libpq's business; this file
 * knows where they stand, and which are secret. What cannot be told apart is masked.
 */
#include "config/dsn.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/must.h"

static const char masked[] = "(secret)";

/* One "key=value" of either form. */
struct param {
    struct slice key;
    struct slice value; /* as written, quotes and all */
};

static bool key_is_one_of(struct slice key, const char *const *names, size_t ct)
{
    for (size_t i = 0; i < ct; i++)
        if (strlen(names[i]) == key.len && strncasecmp(key.ptr, names[i], key.len) == 0)
            return true;
    return false;
}

static bool is_secret(struct slice key)
{
    static const char *const names[] = {"password", "sslpassword"};

    return key.len == 0 || memchr(key.ptr, '%', key.len) != NULL ||
           key_is_one_of(key, names, ARRAY_CT(names));
}

/* ---- URIs ---- */

/* Behind the scheme; NULL: it is no URI. */
static const char *behind_scheme(const char *dsn)
{
    static const char *const schemes[] = {"postgresql://", "postgres://", "pgsql://"};

    for (size_t i = 0; i < ARRAY_CT(schemes); i++)
        if (strncasecmp(dsn, schemes[i], strlen(schemes[i])) == 0)
            return dsn + strlen(schemes[i]);
    return NULL;
}

struct uri {
    struct slice user; /* "user:password", ptr NULL: none */
    struct slice rest; /* hosts and path */
    const char *query; /* behind the '?', "": none */
};

/* Hosts, each with a port behind it or none; a password would seldom pass. */
static bool is_hosts(const char *text, size_t len)
{
    bool address = false, port = false;

    for (size_t i = 0; i < len; i++) {
        if (text[i] == '[' || text[i] == ']')
            address = text[i] == '[';
        else if (text[i] == ':' && !address)
            port = true;
        else if (text[i] == ',')
            port = false;
        else if (port && (text[i] < '0' || text[i] > '9'))
            return false;
    }
    return true;
}

/* The '@' behind user and password; NULL: they are not given. For libpq it is the first,
 * unless a '/' comes before it. But a password may hold what it should not: so it is the
 * last, unless that can only belong to the value of a parameter.
 */
static const char *user_end(const char *text)
{
    const char *at = strrchr(text, '@');
    size_t first = strcspn(text, "@/"), hosts = strcspn(text, "/?");

    if (at && text[first] == '/' && is_hosts(text, hosts) &&
        strcspn(text, "?") < strcspn(text, "@"))
        return NULL;
    return at;
}

static struct uri split_uri(const char *text)
{
    struct uri uri = {.query = ""};
    const char *at = user_end(text);
    const char *start = at ? at + 1 : text, *end = start + strcspn(start, "?");

    if (at)
        uri.user = slice_of(text, (size_t)(at - text));
    uri.rest = slice_of(start, (size_t)(end - start));
    if (*end == '?')
        uri.query = end + 1;
    return uri;
}

/* The next of "a=1&b=2"; false: there is none. */
static bool next_of_query(const char **at, struct param *param)
{
    size_t len = strcspn(*at, "&"), key = 0;

    if (**at == '\0')
        return false;
    while (key < len && (*at)[key] != '=')
        key++;
    param->key = slice_of(*at, key);
    param->value = slice_of(*at + key, len - key); /* with its '=' */
    *at += len + ((*at)[len] == '&');
    return true;
}

/* The user's name, where it looks like one; not the password. */
static void mask_user(struct slice user, struct buf *out)
{
    const char *colon = memchr(user.ptr, ':', user.len);
    size_t len = colon ? (size_t)(colon - user.ptr) : user.len;
    bool named = true;

    for (size_t i = 0; i < len; i++)
        named = named && strchr("/?&=", user.ptr[i]) == NULL;
    if (named)
        (void)buf_addf(out, "%.*s", (int)len, user.ptr);
    if (named && colon)
        (void)buf_add_char(out, ':');
    (void)buf_addf(out, "%s@", named && !colon ? "" : masked);
}

static void mask_uri(const char *dsn, const char *text, struct buf *out)
{
    struct uri uri = split_uri(text);
    struct param param;
    bool first = true;

    (void)buf_add(out, dsn, (size_t)(text - dsn));
    if (uri.user.ptr)
        mask_user(uri.user, out);
    (void)buf_add(out, uri.rest.ptr, uri.rest.len);
    while (next_of_query(&uri.query, &param)) {
        (void)buf_add_char(out, first ? '?' : '&');
        first = false;
        if (is_secret(param.key))
            (void)buf_add_text(out, masked);
        else
            (void)buf_addf(out, "%.*s%.*s", (int)param.key.len, param.key.ptr,
                           (int)param.value.len, param.value.ptr);
    }
}

/* Of Laravel's own making: libpq would refuse them. */
static bool is_for_laravel(struct slice key)
{
    static const char *const names[] = {
        "charset", "collation", "engine", "prefix",   "prefix_indexes", "schema",
        "driver",  "strict",    "url",    "timezone", "search_path"};

    return key_is_one_of(key, names, ARRAY_CT(names));
}

static char *uri_for_libpq(const char *text)
{
    struct uri uri = split_uri(text);
    struct param param;
    struct buf out;
    char *result;
    bool first = true;

    buf_init(&out, 0);
    (void)buf_add_text(&out, "postgresql://");
    (void)buf_add(&out, text, (size_t)(uri.rest.ptr + uri.rest.len - text));
    while (next_of_query(&uri.query, &param)) {
        if (is_for_laravel(param.key))
            continue;
        (void)buf_addf(&out, "%c%.*s%.*s", first ? '?' : '&', (int)param.key.len,
                       param.key.ptr, (int)param.value.len, param.value.ptr);
        first = false;
    }
    result = must_strdup(out.data);
    buf_wipe(&out);
    return result;
}

/* ---- conninfo ---- */

static const char *skip_space(const char *at)
{
    return at + strspn(at, " \t\n\r\f\v");
}

/* Behind the value that starts at `at`; NULL: its quote is not closed. */
static const char *value_end(const char *at)
{
    bool quoted = *at == '\'';

    if (!quoted) {
        while (*at && !strchr(" \t\n\r\f\v", *at))
            at += *at == '\\' && at[1] ? 2 : 1;
        return at;
    }
    for (at++; *at && *at != '\''; at++)
        if (*at == '\\' && at[1])
            at++;
    return *at == '\'' ? at + 1 : NULL;
}

/* 1: the next of "key = value"; 0: there is none; -1: it is malformed. */
static int next_of_conninfo(const char **at, struct param *param)
{
    const char *start = skip_space(*at), *end, *value;

    if (*start == '\0')
        return 0;
    end = start + strcspn(start, "= \t\n\r\f\v");
    value = skip_space(end);
    if (*value != '=' || end == start)
        return -1;
    value = skip_space(value + 1);
    *at = value_end(value);
    if (*at == NULL)
        return -1;
    param->key = slice_of(start, (size_t)(end - start));
    param->value = slice_of(value, (size_t)(*at - value));
    return 1;
}

static bool is_conninfo(const char *dsn)
{
    struct param param;
    int rc, ct = 0;

    while ((rc = next_of_conninfo(&dsn, &param)) == 1)
        ct++;
    return rc == 0 && ct > 0;
}

static void mask_conninfo(const char *dsn, struct buf *out)
{
    struct param param;
    bool first = true;

    if (!is_conninfo(dsn)) { /* there is no telling what is where in it */
        (void)buf_add_text(out, masked);
        return;
    }
    while (next_of_conninfo(&dsn, &param) == 1) {
        (void)buf_addf(out, "%s%.*s=", first ? "" : " ", (int)param.key.len,
                       param.key.ptr);
        first = false;
        if (is_secret(param.key))
            (void)buf_add_text(out, masked);
        else
            (void)buf_add(out, param.value.ptr, param.value.len);
    }
}

void postgres_dsn_add(struct buf *out, const char *name, const char *value)
{
    if (value == NULL || *value == '\0')
        return;
    (void)buf_addf(out, "%s%s='", out->len ? " " : "", name);
    for (; *value; value++) {
        if (*value == '\'' || *value == '\\')
            (void)buf_add_char(out, '\\');
        (void)buf_add_char(out, *value);
    }
    (void)buf_add_char(out, '\'');
}

/* ---- either ---- */

int postgres_dsn_check(const char *dsn, struct err *err)
{
    if (behind_scheme(dsn) || is_conninfo(dsn))
        return 0;
    return err_set(err, ERR_CONFIG,
                   "is neither \"host=db dbname=app user=drover\" nor "
                   "postgresql://user@host/database");
}

bool postgres_dsn_may_hold_secret(const char *dsn)
{
    struct buf shown;
    bool held;

    buf_init(&shown, 0);
    postgres_dsn_mask(dsn, &shown);
    held = strstr(shown.data, masked) != NULL;
    buf_free(&shown);
    return held;
}

bool postgres_dsn_has_password(const char *dsn)
{
    const char *text = behind_scheme(dsn);
    struct uri uri = split_uri(text ? text : "");
    struct param param;

    if (uri.user.ptr && memchr(uri.user.ptr, ':', uri.user.len))
        return true;
    while (text && next_of_query(&uri.query, &param))
        if (is_secret(param.key))
            return true;
    while (text == NULL && next_of_conninfo(&dsn, &param) == 1)
        if (is_secret(param.key))
            return true;
    return false;
}

void postgres_dsn_mask(const char *dsn, struct buf *out)
{
    const char *text = behind_scheme(dsn);

    if (text)
        mask_uri(dsn, text, out);
    else
        mask_conninfo(dsn, out);
}

char *postgres_dsn_for_libpq(const char *dsn)
{
    const char *text = behind_scheme(dsn);

    return text ? uri_for_libpq(text) : must_strdup(dsn);
}
