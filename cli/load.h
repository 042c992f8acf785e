/* Loading a configuration whole: config_load() and, what that layer cannot know, the
 * placeholders in it. */
#ifndef CLI_LOAD_H
#define CLI_LOAD_H

#include "config/config.h"

/* As config_load(). For cli_config(), the supervisor's start and its reloads. */
struct config *cli_load_config(const char *path, struct err *err) MUSTCHECK;

/* What it does beyond config_load(). */
int cli_check_config(const struct config *config, struct err *err) MUSTCHECK;

#endif
