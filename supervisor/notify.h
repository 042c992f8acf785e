/* What the service manager is told (sd_notify). Does nothing where there is none, or
 * without libsystemd.
 */
#ifndef SUPERVISOR_NOTIFY_H
#define SUPERVISOR_NOTIFY_H

#include "base/loop.h"

struct notify;

/* Also pings the watchdog from `loop`, at half of the interval asked for, so that a loop
 * that no longer turns is noticed. */
struct notify *notify_create(struct loop *loop) MUSTCHECK;
void notify_destroy(struct notify *notify); /* NULL is fine */

void notify_ready(struct notify *notify); /* after the start, and after a reload */
void notify_reloading(struct notify *notify);
void notify_stopping(struct notify *notify);
void notify_status(struct notify *notify, const char *text); /* sent when it changes */

/* Test seam: replaced to see what is sent. Points to sd_notify(). */
extern int (*notify_send_hook)(int unset_environment, const char *state);

#endif
