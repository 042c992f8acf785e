/* Loading from memory: for tests, and for what has the text already. */
#ifndef CONFIG_LOAD_H
#define CONFIG_LOAD_H

#include "config/config.h"

/* As config_load(), with the text of a file (NUL-terminated); `name` is what messages
 * call it. Files it includes are read, relative to the name's directory. */
struct config *config_load_text(const char *name, const char *text,
                                struct err *err) MUSTCHECK;

#endif
