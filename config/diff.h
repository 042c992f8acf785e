/* What a reload would not take. */
#ifndef CONFIG_DIFF_H
#define CONFIG_DIFF_H

#include "base/buf.h"
#include "config/config.h"

/* Appends the names of the settings that differ and need a restart, as
 * "state_dir, redis.url", and returns how many they are. Everything else that differs a
 * reload takes: pools and jobs whole, added and removed ones too. */
size_t config_diff(const struct config *old, const struct config *new, struct buf *names);

#endif
