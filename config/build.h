/* The steps that config_load() is made of; each leaves a configuration that
 * config_free() takes. */
#ifndef CONFIG_BUILD_H
#define CONFIG_BUILD_H

#include "config/config.h"

/* All values unset, none of them with an origin. `path` is copied; NULL: no file. */
struct config *config_create(const char *path, size_t pool_ct, size_t job_ct) MUSTCHECK;

/* From the text of a file. NULL on error. */
struct config *config_parse(const char *name, const char *text,
                            struct err *err) MUSTCHECK;

/* Environment, then defaults, for all that is not set yet. */
int config_fill(struct config *config, struct err *err) MUSTCHECK;

/* redis.password and failed.password from their password_file, where that is set. */
int config_read_secrets(struct config *config, struct err *err) MUSTCHECK;

#endif
