/* What a statement gets of a payload: the values of $1, $2, .. and the search_path. Pure.
 *
 * As text: a string decoded, a number or boolean its own text, null NULL, an array or
 * object its JSON text. Nothing of it ever becomes part of the statement.
 */
#ifndef JOBS_SQL_VALUES_H
#define JOBS_SQL_VALUES_H

#include "config/config.h"
#include "jobs/payload.h"
#include "pg/result.h"

enum { SQL_IDENTIFIER_MAX = 63 }; /* bytes; PostgreSQL would cut a longer one */

struct sql_values {
    struct pg_param *params; /* borrow from the payload and from `text` */
    size_t ct;
    struct buf text;        /* decoded strings, of those that hold escapes */
    struct buf search_path; /* "": the server's own */
};

void sql_values_init(struct sql_values *values);
void sql_values_free(struct sql_values *values);

/* `payload` must outlive the values. -1: the payload lacks one, which `err` names, or
 * holds one that cannot be used; the values are to be freed all the same. */
int sql_values_read(struct sql_values *values, const struct sql_config *config,
                    const char *search_path, const struct payload *payload,
                    struct err *err) MUSTCHECK;

/* For the configuration's check: a list whose placeholders are well-formed. ERR_CONFIG
 * where one of its names is none whatever a payload puts into it. */
int sql_search_path_check(const char *list, struct err *err) MUSTCHECK;

#endif
