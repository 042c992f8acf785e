/* The values of a configuration, one after the other, and where each came from. */
#ifndef CONFIG_ORIGIN_H
#define CONFIG_ORIGIN_H

#include "base/buf.h"
#include "config/settings.h"

enum origin_kind {
    ORIGIN_NONE, /* not in use: redis.host where redis.url is set */
    ORIGIN_DEFAULT,
    ORIGIN_FILE,
    ORIGIN_ENV,
    ORIGIN_GIVEN /* by the command that made the configuration */
};

struct config_origin {
    enum origin_kind kind;
    unsigned line; /* ORIGIN_FILE */
    char *file;    /* an included file; NULL: the configuration's own */
};

/* A setting at one place: of list sections, each item has its own. */
struct config_value {
    const struct setting *setting;
    size_t index; /* of the item, 0 elsewhere */
    void *base;   /* the field; read-only but for who builds the configuration */
    struct config_origin *origin; /* NULL: a configuration that was not loaded */
    size_t at;                    /* config_next()'s own */
};

/* Steps through all values in the table's order; start with a zeroed `value`. */
bool config_next(const struct config *config, struct config_value *value);
struct config_value config_value_of(const struct config *config,
                                    const struct setting *setting, size_t index);
/* The same by the name of a setting, which must be in the table. */
struct config_value config_value_named(const struct config *config,
                                       enum section_id section, const char *name,
                                       size_t index);
size_t config_value_ct(const struct config *config);

/* False for a job's setting that belongs to another type of job. */
bool config_value_applies(const struct config *config, const struct config_value *value);

/* Appends "pools[0].lease". */
void config_value_path(const struct config_value *value, struct buf *out);

/* Appends "drover.conf:12", "environment REDIS_HOST", "default" or "not used". */
void config_value_source(const struct config *config, const struct config_value *value,
                         struct buf *out);

/* Fills `err` with "SOURCE: PATH: what is wrong"; `element` >= 0: of the list's element.
 * Returns -1. */
int config_value_fail(const struct config *config, const struct config_value *value,
                      int64_t element, struct err *err, const char *fmt, ...)
    PRINTF_LIKE(5, 6);

#endif
