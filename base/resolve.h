/* Host names to numeric addresses without blocking, through libevent's resolver. */
#ifndef BASE_RESOLVE_H
#define BASE_RESOLVE_H

#include "base/loop.h"

enum { RESOLVE_MAX = 8, RESOLVE_TEXT_BYTES = 64 };

struct resolved {
    char address[RESOLVE_MAX][RESOLVE_TEXT_BYTES];
    unsigned ct; /* 0: `why` says what went wrong */
    const char *why;
};

struct resolve;

/* True where `host` is an address already. */
bool resolve_is_address(const char *host);

/* Calls done(arg, found) once, later, unless cancelled before; `found` is borrowed. */
typedef void (*resolve_cb)(void *arg, const struct resolved *found);
struct resolve *resolve_start(struct loop *loop, const char *host, resolve_cb done,
                              void *arg) MUSTCHECK;
/* Before done() is called, and not from inside it. NULL is fine. */
void resolve_cancel(struct resolve *resolve);

#endif
