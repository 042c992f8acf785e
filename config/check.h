/* What the settings must be to one another. */
#ifndef CONFIG_CHECK_H
#define CONFIG_CHECK_H

#include "config/config.h"

/* Done by config_load(); the first problem, with its place. */
int config_check(const struct config *config, struct err *err) MUSTCHECK;

/* A part of it: the settings of jobs[index], which is of type sql. */
int config_check_sql(const struct config *config, size_t index,
                     struct err *err) MUSTCHECK;

/* Another: `databases`. */
int config_check_databases(const struct config *config, struct err *err) MUSTCHECK;

/* And: the settings of jobs[index], a webhook. */
int config_check_http(const struct config *config, size_t index,
                      struct err *err) MUSTCHECK;

/* For the layers above that know placeholders: hands every text that may hold some
 * (commands of jobs) to `check`, e.g. template_check() of jobs/template.h, and puts the
 * place in front of its error. config_load() does not do this. */
typedef int (*config_text_cb)(const char *text, struct err *err);
int config_check_templates(const struct config *config, config_text_cb check,
                           struct err *err) MUSTCHECK;

#endif
