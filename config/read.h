/* From libconfig's tree to the fields: names, types, bounds. The only code beside parse.c
 * that knows libconfig. */
#ifndef CONFIG_READ_H
#define CONFIG_READ_H

#include <libconfig.h>

#include "config/config.h"

/* Makes a configuration with the pools and jobs that `root` lists and all that it sets;
 * the rest is unset. `name` is the file as messages name it, `directory` where the files
 * it includes are (source_path()); hooks of integers are NULL or the literal (const char
 * *) that did not fit. NULL with "FILE:LINE: setting: what". */
struct config *config_read_tree(config_setting_t *root, const char *name,
                                const char *directory, struct err *err) MUSTCHECK;

#endif
