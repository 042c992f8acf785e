/* The top-level settings in the text of a configuration, told apart without understanding
 * it: for a file with a mistake somewhere. Pure.
 */
#ifndef CONFIG_SALVAGE_H
#define CONFIG_SALVAGE_H

#include <stdbool.h>

#include "base/buf.h"

/* The next setting with its name and value, from *text on, which moves behind it; false:
 * there is none. One begins where its name stands outside of all brackets, texts and
 * comments, or at the very beginning of a line (whatever bracket or quote before it is
 * not closed), and ends behind its semicolon or where the next begins. */
bool salvage_next(const char **text, struct slice *setting);

#endif
