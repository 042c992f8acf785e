/* Processes that were no child of ours until their own parent died: what jobs have left
 * behind (daemons, mostly). As a subreaper the supervisor inherits them.
 */
#ifndef SUPERVISOR_ADOPTED_H
#define SUPERVISOR_ADOPTED_H

#include <stddef.h>

/* Sends KILL to every child this process has; returns how many there were. For the end of
 * a stop, when whoever is left is not meant to be. */
size_t adopted_kill(void);

#endif
