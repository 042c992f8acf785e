/* Connection strings of libpq, as far as they can be read without it: the conninfo form,
 * "host=db dbname=app password='it''s'", and the URI form, postgresql://user:pw@db/app,
 * which Laravel's DB_URL takes too (pgsql:// means the same there).
 */
#ifndef CONFIG_DSN_H
#define CONFIG_DSN_H

#include "base/buf.h"
#include "base/err.h"

/* Whether it has either form. The error never shows the text. */
int postgres_dsn_check(const char *dsn, struct err *err) MUSTCHECK;
bool postgres_dsn_has_password(const char *dsn);

/* Appends name='value' to a conninfo, after a space where it is not the first; nothing
 * for a value that is NULL or "". */
void postgres_dsn_add(struct buf *out, const char *name, const char *value);

/* Appends it with its passwords as "(secret)". */
void postgres_dsn_mask(const char *dsn, struct buf *out);

/* Whether it holds one, or is malformed and may: then what libpq says of it is not to be
 * shown, for it quotes what it cannot read. */
bool postgres_dsn_may_hold_secret(const char *dsn);

/* What libpq takes for it: pgsql:// as postgresql://, and without the parameters that
 * only Laravel knows (charset, ..). Caller frees. */
char *postgres_dsn_for_libpq(const char *dsn) MUSTCHECK;

#endif
