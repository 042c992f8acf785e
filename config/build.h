/* The steps that config_load() is made of; each leaves a configuration that
 * config_free() takes. */
#ifndef CONFIG_BUILD_H
#define CONFIG_BUILD_H

#include "config/config.h"

/* All values unset, none of them with an origin. `path` is copied; NULL: no file. */
struct config *config_create(const char *path, size_t pool_ct, size_t job_ct,
                             size_t database_ct) MUSTCHECK;

/* From the text of a file. NULL on error. */
struct config *config_parse(const char *name, const char *text,
                            struct err *err) MUSTCHECK;

/* All values of `from` but those of its pools, and behind them one pool and one job more,
 * unset. Takes `from`. */
struct config *config_extend(struct config *from) MUSTCHECK;

/* From the file (NULL: none), extended, and not filled yet. */
struct config *config_begin(const char *path, struct err *err) MUSTCHECK;

/* Environment, then defaults, for all that is not set yet. */
int config_fill(struct config *config, struct err *err) MUSTCHECK;

/* Whether the variable is set to something, as config_fill() looks at it. */
bool config_env_is_set(const char *name);

/* The passwords and the jobs' secrets from their files, where those are set. */
int config_read_secrets(struct config *config, struct err *err) MUSTCHECK;

#endif
