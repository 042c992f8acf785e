/* Whether a command would let a payload choose what is run. Pure. */
#ifndef CONFIG_CODE_H
#define CONFIG_CODE_H

#include "config/config.h"

/* What is wrong with `command` (at least one word), in words for its author, and in `at`
 * the place of the word it is about; NULL: nothing, as far as the programs are known.
 *
 * Wrong is a placeholder in the program, in what an interpreter takes for code ("sh -c
 * CODE"), in the name of its script, in its options, or where a wrapper ("env", "timeout
 * 5") has the program; and an interpreter that reads its code from standard input, where
 * a job's data is. */
const char *code_find_risk(const struct text_list *command, size_t *at);

#endif
