/* Asking the applications behind the runners how they are, every few seconds: of each
 * entry a runner that is up and has no job, and any before its first.
 *
 * An application that cannot tell (its cache is away) stops nothing: what was told last
 * stays. Where something is held back and there is no runner to ask, one is started.
 */
#ifndef JOBS_INQUIRY_H
#define JOBS_INQUIRY_H

#include "jobs/coprocess.h"
#include "jobs/team.h"

struct inquiry;

/* All is borrowed but for `watch`, which is copied. */
struct inquiry *inquiry_create(struct loop *loop, struct team *teams, size_t team_ct,
                               const struct coprocess_watch *watch) MUSTCHECK;
void inquiry_destroy(struct inquiry *inquiry); /* NULL is fine, as below */

/* Asks a runner that is up and has not begun a job, if it is time to. True: it is to be
 * given its job when it has answered, and inquiry_took() has been called. */
bool inquiry_ask(struct inquiry *inquiry, struct runner *runner);

/* A runner has sent its answer: false where nobody had asked. Calls the watch. */
bool inquiry_took(struct inquiry *inquiry, struct runner *runner,
                  const struct frame *frame) MUSTCHECK;
void inquiry_lost(struct inquiry *inquiry, struct runner *runner); /* it is gone */

/* Why a job of this queue should not run now; NULL: it may. */
const char *inquiry_objects(const struct inquiry *inquiry, const char *queue);

#endif
