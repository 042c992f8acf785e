/* Ctrl-C and TERM as a question asked between two steps, so that a long command can say
 * how far it got.
 */
#ifndef CLI_INTERRUPT_H
#define CLI_INTERRUPT_H

#include <stdbool.h>

/* From here on the first signal only makes interrupt_seen() true (and lets a blocking
 * read return EINTR); the second ends the process. */
void interrupt_watch(void);
bool interrupt_seen(void);

/* Between the two a signal waits, so that it breaks off nothing that is under way. */
void interrupt_hold(void);
void interrupt_allow(void);

#endif
