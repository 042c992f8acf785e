/* Whether a command would let a payload choose code. Pure. */
#ifndef CONFIG_CODE_H
#define CONFIG_CODE_H

#include "config/config.h"

/* The place in `command` (at least one word) of an argument that an interpreter takes for
 * code ("sh -c CODE", also behind env and its like) and that holds a placeholder; 0:
 * there is none, as far as the programs are known. */
size_t code_find_placeholder(const struct text_list *command);

#endif
