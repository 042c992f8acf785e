/* Asking a server to stop what a connection runs. libpq does that on a connection of its
 * own and blocks meanwhile, so it is done on a thread that shares nothing with the loop.
 */
#ifndef PG_CANCEL_H
#define PG_CANCEL_H

#include <libpq-fe.h>

struct cancels;

enum { CANCELS_MAX = 8 }; /* at a time; where the network is gone they take a while */

struct cancels *cancels_create(void);
void cancels_release(struct cancels *cancels); /* threads that still run go on */

/* Best effort: no more than CANCELS_MAX at a time, and the server may be done before. */
void cancels_ask(struct cancels *cancels, PGconn *conn);

#endif
