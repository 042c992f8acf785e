/* Webhooks: what a worker holds to run jobs of type http. The handler itself is
 * http_handler in jobs/handler.h.
 */
#ifndef JOBS_HTTP_H
#define JOBS_HTTP_H

#include "base/board.h"
#include "base/loop.h"
#include "config/config.h"

struct http;

/* Connections, keys and networks for the http jobs of `config`, which is borrowed; NULL
 * without an error where it has none. */
int http_open(struct loop *loop, const struct config *config, struct http **http,
              struct err *err) MUSTCHECK;
/* Writes the endpoints that are left alone now onto the board. Cheap where nothing has
 * changed since the last time. */
void http_tell_board(struct http *http, struct board *board);
void http_close(struct http *http); /* NULL is fine; no run may be left */

#endif
