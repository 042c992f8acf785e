/* The field of a value: unset, compared, freed, written as text. */
#ifndef CONFIG_FIELD_H
#define CONFIG_FIELD_H

#include "base/buf.h"
#include "config/settings.h"

void field_unset(const struct setting *setting, void *field); /* nothing to free in it */
/* `to` is unset before, `from` afterwards. */
void field_move(const struct setting *setting, void *to, void *from);
bool field_is_set(const struct setting *setting, const void *field);
bool field_equal(const struct setting *setting, const void *a, const void *b);
void field_free(const struct setting *setting, void *field); /* wipes secrets; unsets */

/* Appends the value in the file's syntax, passwords as "(secret)"; "-": not set. */
void field_format(const struct setting *setting, const void *field, struct buf *out);

/* Appends a secret or a URL, without quotes, with passwords as "(secret)". */
void field_mask(const struct setting *setting, const void *field, struct buf *out);

/* Appends `text` between quotes and escaped as the file wants it. */
void field_quote(struct buf *out, const char *text);

#endif
