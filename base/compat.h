/* The loops that glibc's <sys/queue.h> lacks: the body may remove and free `var`, and
 * nothing else of the list. */
#ifndef BASE_COMPAT_H
#define BASE_COMPAT_H

#include <sys/queue.h>

#ifndef TAILQ_FOREACH_SAFE
#define TAILQ_FOREACH_SAFE(var, head, field, next)                                       \
    for ((var) = TAILQ_FIRST(head); (var) && ((next) = TAILQ_NEXT(var, field), 1);       \
         (var) = (next))
#endif

#ifndef LIST_FOREACH_SAFE
#define LIST_FOREACH_SAFE(var, head, field, next)                                        \
    for ((var) = LIST_FIRST(head); (var) && ((next) = LIST_NEXT(var, field), 1);         \
         (var) = (next))
#endif

#endif
