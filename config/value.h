/* One value: checked and put into its field.
 *
 * Setters check the bounds of the setting's row; on error they return -1 with only what
 * is wrong in `err` ("0 is below the minimum of 1 s"): the caller knows the place. The
 * value of a secret never appears there. Texts are copied.
 */
#ifndef CONFIG_VALUE_H
#define CONFIG_VALUE_H

#include "base/buf.h"
#include "config/settings.h"

int value_set_text(const struct setting *setting, void *field, const char *text,
                   struct err *err) MUSTCHECK;
int value_set_number(const struct setting *setting, void *field, int64_t number,
                     struct err *err) MUSTCHECK; /* SETTING_SECONDS: seconds */
int value_set_seconds(const struct setting *setting, void *field, double seconds,
                      struct err *err) MUSTCHECK;
int value_set_word(const struct setting *setting, void *field, const char *word,
                   struct err *err) MUSTCHECK;

/* Lists grow by one element; value_check_length() comes last. */
int value_add_text(const struct setting *setting, void *field, const char *text,
                   struct err *err) MUSTCHECK;
int value_add_seconds(const struct setting *setting, void *field, double seconds,
                      struct err *err) MUSTCHECK;
int value_check_length(const struct setting *setting, const void *field,
                       struct err *err) MUSTCHECK;

/* A number that does not fit 64 bits (or what libconfig keeps of it), as written. */
int value_refuse_literal(const struct setting *setting, const char *literal,
                         struct err *err) MUSTCHECK;

/* From an environment variable or the table's default; lists by commas, untrimmed. */
int value_set_from_text(const struct setting *setting, void *field, const char *text,
                        struct err *err) MUSTCHECK;

/* "a whole number", "seconds, as 90 or 0.5", …: what a file must hold there. */
const char *value_expected(const struct setting *setting);
const char *value_unit(const struct setting *setting); /* " s", " MiB" or "" */

#endif
